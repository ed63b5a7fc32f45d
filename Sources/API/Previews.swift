import Engine
import Evaluation
import JSON
import Model
import Query
import Synchronization

// Previews: who a definition that is not saved would be about (spec: engage §5, §6.1).

/// The latest previews, so that long ones can be asked for again.
final class PreviewShelf: Sendable {
    struct Preview: Sendable {
        var id: String
        var definition: Computation
        /// The audience that it is compared with.
        var overlap: Computation?
        /// Who it is for, as far as it has come.
        var view = PreviewView()
        var isFinished = false
        var failure: String?
        var startedAt = ContinuousClock.now
        var elapsed: ContinuousClock.Duration = .zero

        init(id: String, definition: Computation) {
            self.id = id
            self.definition = definition
        }
    }

    /// Previews kept at most; the oldest go first.
    static let capacity = 50

    /// How long a preview goes on without anybody asking for it: people type, and each change starts another.
    static let patience = ContinuousClock.Duration.seconds(10)

    private struct State {
        var previews: [String: Preview] = [:]
        var order: [String] = []
        var askedAt: [String: ContinuousClock.Instant] = [:]
    }

    private let state = Mutex(State())

    func put(_ preview: Preview) {
        state.withLock { state in
            state.previews[preview.id] = preview
            state.askedAt[preview.id] = .now
            state.order.append(preview.id)
            guard state.order.count > PreviewShelf.capacity else { return }
            let oldest = state.order.removeFirst()
            state.previews[oldest] = nil
            state.askedAt[oldest] = nil
        }
    }

    /// Writes what has changed, unless it was dropped in the meantime.
    func update(_ preview: Preview) {
        state.withLock { state in
            if state.previews[preview.id] != nil { state.previews[preview.id] = preview }
        }
    }

    /// Tells how far a scan has come.
    func note(done: Int, of total: Int, _ id: String) {
        state.withLock { state in
            guard var preview = state.previews[id], !preview.isFinished, total > 0 else { return }
            preview.view.done = max(preview.view.done, min(preview.view.total, preview.view.total * done / total))
            state.previews[id] = preview
        }
    }

    func preview(id: String) -> Preview? {
        state.withLock { state in
            if state.previews[id] != nil { state.askedAt[id] = .now }
            return state.previews[id]
        }
    }

    /// Whether anybody still waits for it.
    func isWanted(_ id: String) -> Bool {
        state.withLock { state in
            state.askedAt[id].map { ContinuousClock.now - $0 < PreviewShelf.patience } ?? false
        }
    }
}

/// Nobody asked for a preview any more.
private struct PreviewGivenUp: Error, CustomStringConvertible {
    let description = "It was given up because nobody asked for it any more: start it again."
}

/// The history was read anew in the middle of a preview.
private struct PreviewOvertaken: Error, CustomStringConvertible {
    let description = "The history was rebuilt meanwhile: start it again."
}

extension API {
    /// Profiles listed in a preview.
    private static let sampleSize = 10
    /// How long an answer may take before it says that the preview is still running.
    private static let patience = ContinuousClock.Duration.milliseconds(400)

    func startPreview(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let body = try ComputationBody(request, words: words)
        guard let query = body.query else {
            throw APIError(.validation, field: "definition.query", "'definition.query' is missing.")
        }
        let instant = try request.query.instant("at") ?? now()
        let definition = Computation(
            id: "preview", kind: words.kind, level: body.level ?? .users, key: "preview", name: "preview", query: query,
            options: try body.options(), createdAt: instant)
        var preview = PreviewShelf.Preview(id: NewID.make("pre_"), definition: definition)
        preview.overlap = try overlap(request, level: definition.level)
        previews.put(preview)
        let task = Task { [preview] in await run(preview) }
        let deadline = ContinuousClock.now + API.patience
        while ContinuousClock.now < deadline, let current = previews.preview(id: preview.id), !current.isFinished {
            try await Task.sleep(for: .milliseconds(5))
        }
        _ = task
        return [words.preview: json(previews.preview(id: preview.id) ?? preview, words)]
    }

    func readPreview(_ words: ComputationWords, _ request: APIRequest) throws -> JSONValue {
        let id = request.parameter("id")
        guard let preview = previews.preview(id: id), preview.definition.kind == words.kind else {
            throw APIError(.notFound, "There is no preview '\(id.prefixText)' any more: start it again with POST.")
        }
        return [words.preview: json(preview, words)]
    }

    /// Profiles that are looked at while the engine is held up; a multiple of 64.
    private static let step: UInt32 = 1984
    /// The same where a scan has told most of it.
    private static let scannedStep: UInt32 = 1 << 16

    /// Scans the columns, then goes through all profiles in steps, so that the engine is never held up for long.
    private func run(_ preview: PreviewShelf.Preview) async {
        var preview = preview
        do {
            let definition = try Definition.parse(preview.definition.query, kind: preview.definition.kind)
            let question = PreviewQuestion(
                preview.definition, definition, at: preview.definition.createdAt, overlapWith: preview.overlap?.id,
                sampleSize: API.sampleSize)
            let rebuilds = engine.historyState.rebuilds
            let (end, scan) = engine.read { ($0.ordinalLimit, $0.beginScan(question)) }
            var tally = PreviewTally(question, total: end)
            preview.view = tally.view
            previews.update(preview)
            let answers = if let scan { try await run(scan, of: preview.id) } else { nil as PreviewAnswers? }
            let isMostlyTold = answers.map { $0.openCount < Int(end) / 32 } ?? false
            let step = isMostlyTold ? API.scannedStep : API.step
            var next: UInt32 = 0
            while next < end {
                guard previews.isWanted(preview.id) else { throw PreviewGivenUp() }
                let range = next..<min(next + step, end)
                let missing = tally.missingSample
                let part = engine.read {
                    $0.preview(question, answers: answers, range: range, sampleSize: missing)
                }
                // What a scan found points into a history that is gone.
                guard engine.historyState.rebuilds == rebuilds else { throw PreviewOvertaken() }
                tally.add(part)
                next = range.upperBound
                preview.view = tally.view
                preview.elapsed = ContinuousClock.now - preview.startedAt
                previews.update(preview)
                await Task.yield()
            }
        } catch {
            preview.failure = "\(error)"
        }
        preview.isFinished = true
        preview.elapsed = ContinuousClock.now - preview.startedAt
        previews.update(preview)
    }

    /// Runs a scan for as long as somebody waits for it.
    private func run(_ scan: PreviewScan, of id: String) async throws -> PreviewAnswers? {
        try await withThrowingTaskGroup(of: PreviewAnswers?.self) { group in
            group.addTask {
                try await scan.run { done, total in previews.note(done: done, of: total, id) }
            }
            group.addTask {
                while previews.isWanted(id) { try await Task.sleep(for: .milliseconds(250)) }
                throw PreviewGivenUp()
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// The audience whose key `overlap_with` names.
    private func overlap(_ request: APIRequest, level: Computation.Level) throws -> Computation? {
        guard let key = request.query["overlap_with"] else { return nil }
        guard let view = engine.read({ $0.computation(key: key) }), view.definition.kind == .audience else {
            throw APIError(
                .validation, field: "overlap_with",
                "There is no audience with the key '\(key.prefixText)': name one of those that GET …/audiences lists.")
        }
        guard view.definition.level == level else {
            throw APIError(
                .validation, field: "overlap_with",
                "'\(key.prefixText)' is an audience of \(view.definition.level.rawValue): compare it with one of its kind."
            )
        }
        return view.definition
    }

    private func json(_ preview: PreviewShelf.Preview, _ words: ComputationWords) -> JSONValue {
        let status = preview.failure != nil ? "FAILED" : preview.isFinished ? "COMPLETED" : "RUNNING"
        let level = preview.definition.level.rawValue
        var breakdown = JSONObject()
        for (type, count) in preview.view.identifiers.sorted(by: { $0.key < $1.key }) {
            breakdown[type] = ["profiles": .number(count.profiles), "values": .number(count.values)]
        }
        let elapsed = preview.elapsed.components
        let profiles = profileCounter.count(engine)
        let population = preview.definition.level == .users ? profiles.users : profiles.accounts
        return [
            "id": .string(preview.id), "audienceType": .string(level),
            "definition": ["query": .string(preview.definition.query), "type": .string(level)],
            "options": ["includeHistoricalData": .bool(preview.definition.options.includeHistoricalData)],
            "status": .string(status), "failureReason": .string(orNull: preview.failure),
            "size": ["count": .number(preview.view.size), "type": .string(level)],
            "results": .array(preview.view.sample.map(json)), "examined": .number(preview.view.done),
            "total": .number(preview.view.total), "population": .number(population),
            "qualifying": .number(preview.view.qualifying), "identifierBreakdown": .object(breakdown),
            "conditions": preview.view.conditions.map(json) ?? .null,
            "overlap": json(preview.view.overlap, with: preview.overlap),
            "distribution": preview.view.distribution.map(json) ?? .null,
            "at": .time(preview.view.at),
            "elapsedMilliseconds": .number(
                Int(elapsed.seconds) * 1000 + Int(elapsed.attoseconds / 1_000_000_000_000_000)),
        ]
    }
    private func json(_ condition: PreviewCondition) -> JSONValue {
        [
            "kind": .string(condition.kind.rawValue), "text": .string(condition.text),
            "matching": .number(condition.matching), "cumulative": .number(condition.cumulative),
            "operands": .array(condition.operands.map(json)),
        ]
    }

    private func json(_ overlap: PreviewOverlap?, with other: Computation?) -> JSONValue {
        guard let overlap, let other else { return .null }
        return [
            "id": .string(other.id), "key": .string(other.key), "name": .string(other.name),
            "both": .number(overlap.both), "onlyThis": .number(overlap.onlyThis),
            "onlyOther": .number(overlap.onlyOther),
        ]
    }

    private func json(_ distribution: ValueDistribution) -> JSONValue {
        func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
        return [
            "minimum": number(distribution.minimum), "median": number(distribution.median),
            "maximum": number(distribution.maximum), "distinct": .number(distribution.distinct),
            "isDistinctCapped": .bool(distribution.distinct >= PreviewTally.maximumDistinct),
            "frequent": .array(
                distribution.frequent.map { ["value": $0.value, "profiles": .number($0.profiles)] }),
        ]
    }
}

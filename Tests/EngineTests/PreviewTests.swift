import Evaluation
import EventLog
import History
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Engine

/// Goal: every count of a preview is what one gets by asking the evaluator about everybody and counting. Method: the
/// random histories of time travel (late and future calls, merges, accounts, values of values), random trees of
/// conditions, now and at past instants.
@Suite struct PreviewTests {
    private static let leaves = [
        "event('A').within(3 hours).count() >= 2", "event('B').count() >= 1", "trait('plan') = 'pro'",
        "NOT (trait('plan') = 'pro' OR event('B').count() >= 2)", "trait('busy') = true", "trait('total') > 0",
        "event('A').where(property('k') = 'k1').count() >= 1", "event('A').within(9 hours).sum(property('n')) >= 0",
        "event('A').where(NOT event('B').within(parent: 1 hours).count() >= 1).within(4 hours).count() >= 1",
    ]

    private static func query(_ random: inout SeededRandom, depth: Int = 2) -> String {
        guard depth > 0, !random.chance(25) else { return leaves[random.below(leaves.count)] }
        let word = random.chance(50) ? " AND " : " OR "
        return "("
            + (0..<2 + random.below(2)).map { _ in query(&random, depth: depth - 1) }.joined(separator: word) + ")"
    }

    @Test(arguments: Array(1...8) as [UInt64])
    func `Counts per condition and overlaps are those of asking about everybody`(seed: UInt64) async throws {
        // In memory, or on disk in many runs with fresh rows besides.
        let muster = try TestInstallation(historyRows: seed % 2 == 0 ? nil : 10 + Int(seed))
        let entries = TimeTravelTests.history(muster, seed: seed)
        for start in stride(from: 0, to: entries.count, by: 20) {
            try await muster.apply(Array(entries[start..<min(start + 20, entries.count)]))
            if let flush = muster.engine.beginHistoryFlush() { try muster.engine.finish(try flush.run()) }
        }
        let end = muster.engine.now + .hours(5)
        try muster.advance(to: end)
        var random = SeededRandom(seed: seed &+ 77)
        let span = Int(end.milliseconds - start.milliseconds)
        var counted = 0
        var scanned = 0
        for turn in 0..<12 {
            let past = start + Instant.Span(milliseconds: Int64(random.below(span)))
            let instant = turn % 3 == 0 ? end : turn % 3 == 1 ? past : end + .hours(3)
            let text = Self.query(&random)
            let definition = try Definition.compile(text, kind: .audience)
            let computation = Computation(
                id: "preview", kind: .audience, level: .users, key: "preview", name: "preview", query: definition.text,
                options: .init(filterByExternalIDs: ["user_id"]), createdAt: instant)
            let other = random.chance(50) ? "aud_busy" : "aud_left"
            let question = PreviewQuestion(
                computation, definition, at: instant, overlapWith: turn % 3 == 2 ? nil : other, sampleSize: 3)
            var view = muster.engine.preview(question)
            if let answers = muster.engine.beginScan(question)?.runHere() {
                scanned += 1
                #expect(
                    muster.engine.preview(question, answers: answers) == view, "seed \(seed): \(text) at \(instant)")
            } else {
                #expect(instant < end, "seed \(seed): the present can be scanned")
            }
            if question.overlapWith == nil {
                view = muster.engine.preview(
                    PreviewQuestion(computation, definition, at: instant, overlapWith: other, sampleSize: 3))
            }
            let world = World(muster.engine, computation, instant)
            let members = world.members(definition)
            let others = Set(
                muster.engine.members(of: other, at: instant, range: 0..<muster.engine.ordinalLimit, limit: .max)
                    .map(\.profile.ordinal))
            #expect(view.size == members.count, "seed \(seed): \(text)")
            #expect(view.qualifying == world.people.count)
            #expect(view.sample.map(\.profile.ordinal) == Array(members.sorted().prefix(3)))
            #expect(view.overlap?.both == members.intersection(others).count, "seed \(seed): \(text) at \(instant)")
            #expect(view.overlap?.onlyThis == members.subtracting(others).count)
            #expect(view.overlap?.onlyOther == others.subtracting(members).count)
            guard case .audience(let condition) = definition else { return }
            let root = try #require(view.conditions)
            #expect(root.text == definition.text)
            #expect(root.matching == members.count && root.cumulative == members.count)
            counted += try check(root, condition, world, "seed \(seed): \(text) at \(instant)")
        }
        #expect(scanned == 8)
        #expect(counted > 60, "seed \(seed): too tame to prove anything")
    }

    /// Compares with queries that are put together anew: the operands up to each one, joined.
    private func check(_ node: PreviewCondition, _ condition: Condition, _ world: World, _ words: String) throws -> Int
    {
        #expect(node.matching == world.members(.audience(condition)).count, "\(words): \(node.text)")
        let operands: [Condition]
        switch condition {
        case .and(let list), .or(let list): operands = list
        default: operands = []
        }
        try #require(node.operands.count == operands.count)
        var counted = node.matching
        for (index, operand) in operands.enumerated() {
            let sofar = operands[...index].map { world.members(.audience($0)) }
            let joined = sofar.dropFirst().reduce(sofar[0]) {
                node.kind == .and ? $0.intersection($1) : $0.union($1)
            }
            #expect(node.operands[index].cumulative == joined.count, "\(words): \(operand.text)")
            counted += try check(node.operands[index], operand, world, words)
        }
        return counted
    }

    @Test(arguments: Array(1...4) as [UInt64])
    func `A scan keeps up with people who come, merge, lose ids and are deleted`(seed: UInt64) async throws {
        let muster = try TestInstallation(historyRows: 20)
        let entries = TimeTravelTests.history(muster, seed: seed)
        var random = SeededRandom(seed: seed &+ 500)
        var asked = 0
        let definition = try Definition.compile(
            "event('A').count() >= 1 AND (trait('plan') = 'pro' OR event('B').count() >= 1)", kind: .audience)
        for start in stride(from: 0, to: entries.count, by: 12) {
            var batch = Array(entries[start..<min(start + 12, entries.count)])
            if random.chance(20) {
                let order = Regulation(
                    id: "r\(start)", kind: .deleteInternal, userIDs: ["u\(random.below(5))"],
                    createdAt: muster.engine.now)
                batch.append(.command(.regulate(order), receivedAt: batch.last?.receivedAt ?? muster.engine.now))
            }
            try await muster.apply(batch)
            if random.chance(60), let flush = muster.engine.beginHistoryFlush() {
                try muster.engine.finish(try flush.run())
            }
            if random.chance(30), let merge = muster.engine.beginHistoryMerge() {
                try muster.engine.finish(try merge.run())
            }
            for ids in [["user_id"], ["user_id", "anonymous_id"], ["email"]] where random.chance(70) {
                let computation = Computation(
                    id: "preview", kind: .audience, level: .users, key: "preview", name: "preview",
                    query: definition.text, options: .init(filterByExternalIDs: ids), createdAt: muster.engine.now)
                let question = PreviewQuestion(
                    computation, definition, at: muster.engine.now, overlapWith: "aud_busy", sampleSize: 4)
                let answers = try #require(muster.engine.beginScan(question)?.runHere())
                #expect(
                    muster.engine.preview(question, answers: answers) == muster.engine.preview(question),
                    "seed \(seed) after \(start)")
                asked += 1
            }
        }
        #expect(asked > 10)
    }

    @Test(arguments: [nil, 100])
    func `A backfill evaluates only those who can have a value`(historyRows: Int?) async throws {
        let muster = try TestInstallation(historyRows: historyRows)
        var entries: [LogEntry] = []
        for number in 0..<300 { entries.append(muster.track("A", user: "u\(number)", at: start)) }
        for number in [7, 130, 299] { entries.append(muster.track("B", user: "u\(number)", at: start)) }
        // Merged: what the other one did counts.
        entries.append(muster.track("B", anonymous: "a1", at: start))
        entries.append(muster.identify(user: "u200", anonymous: "a1", at: start + hour, ["plan": "pro"]))
        try await muster.apply(entries)
        try muster.engine.flushHistory()
        for (key, query, members, atMost) in [
            ("b", "event('B').count() >= 1", 4, 10), ("p", "trait('plan') = 'pro' OR event('B').count() >= 1", 4, 10),
            ("not_b", "NOT event('B').count() >= 1", 296, 301), ("ref", "trait('b') = true", 4, 301),
        ] {
            let before = muster.engine.statistics.evaluations
            try await muster.apply([muster.create(.audience, key: key, query, at: start + hour)])
            #expect(muster.engine.computation(key: key)?.size == members, "\(query)")
            #expect(muster.engine.statistics.evaluations - before <= atMost, "\(query)")
        }
    }

    @Test func `The distribution of a trait is that of its values`() async throws {
        let muster = try TestInstallation()
        var entries: [LogEntry] = []
        for (user, amounts) in [("u1", [1, 4]), ("u2", [2]), ("u3", [7, 8]), ("u4", [2])] {
            for amount in amounts {
                entries.append(
                    muster.track("A", user: user, at: start, ["n": .number(amount), "k": .string("k\(amount % 2)")]))
            }
        }
        entries.append(muster.track("B", user: "u5", at: start))
        try await muster.apply(entries)
        func distribution(_ query: String) throws -> ValueDistribution {
            let definition = try Definition.compile(query, kind: .trait)
            let computation = Computation(
                id: "preview", kind: .trait, level: .users, key: "preview", name: "preview", query: definition.text,
                createdAt: muster.engine.now)
            let view = muster.engine.preview(PreviewQuestion(computation, definition, at: muster.engine.now))
            #expect(view.size == 4 && view.conditions == nil)
            let scan = try #require(
                muster.engine.beginScan(PreviewQuestion(computation, definition, at: muster.engine.now)))
            #expect(
                muster.engine.preview(
                    PreviewQuestion(computation, definition, at: muster.engine.now), answers: scan.runHere()) == view)
            return try #require(view.distribution)
        }
        let sum = try distribution("event('A').sum(property('n'))")
        #expect(sum.minimum == 2 && sum.median == 2 && sum.maximum == 15 && sum.distinct == 3)
        #expect(sum.frequent.map(\.value) == [2, 15, 5] && sum.frequent.map(\.profiles) == [2, 1, 1])
        let kinds = try distribution("event('A').unique(property('k'))")
        #expect(kinds.median == nil)
        #expect(kinds.frequent.map(\.value) == ["k0", "k1"] && kinds.frequent.map(\.profiles) == [4, 2])
    }
}

/// Everybody whom a definition may be about, asked one by one.
private struct World {
    let engine: Engine
    let computation: Computation
    let viewpoint: Viewpoint
    let people: [ProfileOrdinal]

    init(_ engine: Engine, _ computation: Computation, _ instant: Instant) {
        self.engine = engine
        self.computation = computation
        let viewpoint = Viewpoint(engine, at: instant)
        self.viewpoint = viewpoint
        people = (0..<engine.ordinalLimit).map { ProfileOrdinal($0) }.filter {
            viewpoint.canonical($0) == $0 && engine.level(of: $0) == .users
                && viewpoint.qualifies($0, for: computation)
        }
    }

    func members(_ definition: Definition) -> Set<ProfileOrdinal> {
        let query = CompiledQuery(definition)
        return Set(
            people.filter {
                query.evaluate(
                    viewpoint.subject($0, level: .users), evidence: viewpoint.evidence(computation),
                    in: engine.history, at: viewpoint.instant
                ).isMember
            })
    }
}

extension Engine {
    /// A preview from beginning to end, in small steps.
    func preview(_ question: PreviewQuestion, answers: PreviewAnswers? = nil) -> PreviewView {
        var tally = PreviewTally(question, total: ordinalLimit)
        for first in stride(from: 0, to: ordinalLimit, by: 64) {
            tally.add(
                preview(
                    question, answers: answers, range: first..<min(first + 64, ordinalLimit),
                    sampleSize: tally.missingSample))
        }
        return tally.view
    }
}

import EvaluationSupport
import Foundation
import History
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Evaluation

// The evaluator against the oracle on random definitions and histories. The values must be equal at every event, at every
// stop of `changesAt` from before the first event to after the last change, and a millisecond around each; between two
// stops the answer must not change. A failure prints its seed and the smallest case it can be reduced to.

@Suite struct DifferentialTests {
    static let base = ProcessInfo.processInfo.environment["MUSTER_SEED"].flatMap { UInt64($0) } ?? 20_261_124
    static let isLong = ProcessInfo.processInfo.environment["MUSTER_LONG"] == "1"
    /// Of each history, because making one costs as much as asking.
    static let definitionsPerWorld = 4

    @Test(arguments: 0..<8)
    func `Evaluator and oracle agree, and no change comes before changesAt`(part: Int) {
        // 20,000 pairs of definition and history in all; the long form has a million.
        let count = (Self.isLong ? 125_000 : 2_500) / Self.definitionsPerWorld
        print("differential test, part \(part): \(count) histories, MUSTER_SEED=\(Self.base)")
        for number in 0..<count {
            let seed = Self.base &+ UInt64(part) << 32 &+ UInt64(number)
            var generator = Generator(seed: seed)
            let definitions = (0..<Self.definitionsPerWorld).map { _ in generator.definition() }
            let world = generator.world()
            let history = Trial.history(of: world, seed: seed)
            for definition in definitions {
                var trial = Trial(definition: definition, world: world, seed: seed)
                guard trial.failure(in: history) != nil else { continue }
                trial.shrink()
                Issue.record("seed \(seed): \(trial.failure() ?? "")\n\(trial)")
                return
            }
        }
    }
}

/// Where a history's rows lie, changed at random. The files go with the last reference, and stay readable.
private final class HistoryFiles {
    private let path = "\(FileManager.default.temporaryDirectory.path)/trial-\(UUID().uuidString)"
    private var flush: HistoryFlush?

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func open() -> History {
        do { return try History(directory: path) } catch {
            Issue.record(error)
            return History()
        }
    }

    func rearrange(_ history: inout History, position: Int64, _ random: inout SeededRandom) {
        do {
            if let going = flush {
                try history.finish(going.run())
                flush = nil
            } else if random.chance(30), let merge = history.beginMerge(unit: 1, everything: true) {
                try history.finish(merge.run())
            } else {
                flush = history.beginFlush(position: position)
                guard random.chance(50), let going = flush else { return }
                try history.finish(going.run())
                flush = nil
                if random.chance(50) { history = open() }
            }
        } catch { Issue.record(error) }
    }
}

/// One definition over one world.
struct Trial: CustomStringConvertible {
    var definition: Definition
    var world: World
    let seed: UInt64

    /// The world's calls in an order of arrival that has nothing to do with time. Every tenth history is on disk: in some
    /// runs, merged or not, some rows being written, some in memory, some opened anew.
    static func history(of world: World, seed: UInt64) -> History {
        var random = SeededRandom(seed: seed ^ 0xABCD)
        let files = seed % 10 == 3 ? HistoryFiles() : nil
        var history = files?.open() ?? History()
        for (offset, deed) in world.deeds.shuffled(using: &random).enumerated() {
            let change =
                deed.call.eventName == nil
                ? history.insertTraits(deed.call, body: deed.body, offset: Int64(offset), profile: deed.profile)
                : history.insertEvent(deed.call, body: deed.body, offset: Int64(offset), profile: deed.profile)
            if change.outcome == .inserted, change.placedAt != deed.at {
                Issue.record("seed \(seed): \(deed.call.messageID) was placed at \(change.placedAt)")
            }
            if let files, random.chance(20) { files.rearrange(&history, position: Int64(offset + 1), &random) }
        }
        return history
    }

    /// What is wrong, if anything is.
    func failure() -> String? { failure(in: Trial.history(of: world, seed: seed)) }

    func failure(in history: History) -> String? {
        var random = SeededRandom(seed: seed ^ 0x7153)
        let query = CompiledQuery(definition)
        var oracle = Oracle(deeds: world.deeds, evidence: world.evidence, now: .epoch)
        func evaluate(_ now: Instant) -> Evaluation {
            query.evaluate(world.asked.subject, evidence: world.evidence, in: history, at: now)
        }
        func truth(_ now: Instant) -> JSONValue {
            oracle.now = now
            return oracle.answer(definition, world.asked)
        }
        func difference(_ instant: Instant) -> String? {
            let (value, expected) = (evaluate(instant).value, truth(instant))
            return value == expected ? nil : "at \(instant): \(value), expected \(expected)"
        }
        let millisecond = Instant.Span(milliseconds: 1)
        let times = interestingTimes()
        var now = Generator.start - .hours(30)
        let end = Generator.start + .hours(60)
        for _ in 0..<400 {
            let evaluation = evaluate(now)
            let expected = truth(now)
            if evaluation.value != expected { return "at \(now): \(evaluation.value), expected \(expected)" }
            let changesAt = evaluation.changesAt ?? end
            guard changesAt > now else { return "at \(now): changesAt \(changesAt) is not later" }
            let between = Trial.instants(around: times, after: now, before: changesAt, &random)
            for instant in between + [changesAt - millisecond] where instant > now {
                let later = truth(instant)
                if later != expected { return "at \(now): \(expected) until \(changesAt), but \(later) at \(instant)" }
            }
            for instant in [changesAt - millisecond, changesAt + millisecond] {
                if let difference = difference(instant) { return difference }
            }
            if evaluation.changesAt == nil || changesAt >= end { break }
            now = changesAt
        }
        for time in Set(world.deeds.map(\.at)) {
            for instant in [time - millisecond, time, time + millisecond] {
                if let difference = difference(instant) { return difference }
            }
        }
        return nil
    }

    /// Every time that occurs in the world.
    private func interestingTimes() -> [Instant] {
        var times: Set<Instant> = []
        for deed in world.deeds {
            times.formUnion([deed.at, deed.call.receivedAt])
            Trial.dates(deed.body, &times)
        }
        return times.sorted()
    }

    /// Some instants at which something could happen: a time that occurs, moved by a length of time that queries name,
    /// give or take a millisecond.
    private static func instants(
        around times: [Instant], after start: Instant, before end: Instant, _ random: inout SeededRandom
    ) -> [Instant] {
        guard !times.isEmpty else { return [] }
        var found: [Instant] = []
        for _ in 0..<12 where found.count < 3 {
            let halfHours = random.pick([0, 1, 2, 3, 4, 6, 10, 16, 48, -1, -2, -3, -4, -6, -10, -16, -48])
            let instant =
                random.pick(times) + .minutes(Int64(halfHours * 30)) + .init(milliseconds: Int64(random.below(3) - 1))
            if instant > start, instant < end { found.append(instant) }
        }
        return found
    }

    private static func dates(_ value: JSONValue, _ times: inout Set<Instant>) {
        switch value {
        case .string(let text): if let instant = Instant(iso8601: text) { times.insert(instant) }
        case .array(let array): for element in array { dates(element, &times) }
        case .object(let object): for member in object.members { dates(member.value, &times) }
        case .null, .bool, .number: break
        }
    }

    // MARK: Shrinking

    mutating func shrink() {
        var isSmaller = true
        while isSmaller {
            isSmaller = false
            for candidate in candidates where candidate.failure() != nil {
                self = candidate
                isSmaller = true
                break
            }
        }
    }

    private var candidates: [Trial] {
        var candidates: [Trial] = []
        for index in world.deeds.indices {
            var smaller = self
            smaller.world.deeds.remove(at: index)
            candidates.append(smaller)
        }
        for definition in definition.smaller {
            var smaller = self
            smaller.definition = definition
            candidates.append(smaller)
        }
        return candidates
    }

    var description: String {
        var lines = [definition.text, "about \(world.asked), evidence \(world.evidence)"]
        for deed in world.deeds {
            lines.append(
                "  \(deed.profile.rawValue) \(deed.call.kind) \(deed.call.event ?? "") \(deed.call.messageID) at "
                    + "\(deed.call.timestamp) received \(deed.call.receivedAt) from \(deed.call.sourceID) \(deed.body)")
        }
        return lines.joined(separator: "\n")
    }
}

// Simpler trees.

extension Definition {
    fileprivate var smaller: [Definition] {
        switch self {
        case .audience(let condition): condition.smaller.map { .audience($0) }
        case .trait(let scalar): scalar.smaller.map { .trait($0) }
        }
    }
}

extension Condition {
    fileprivate var smaller: [Condition] {
        switch self {
        case .or(let operands): operands + Condition.smaller(operands).map { .or($0) }
        case .and(let operands): operands + Condition.smaller(operands).map { .and($0) }
        case .not(let operand): [operand] + operand.smaller.map { .not($0) }
        case .any(let operand): [operand] + operand.smaller.map { .any($0) }
        case .all(let operand): [operand] + operand.smaller.map { .all($0) }
        case .comparison(let left, let comparator): left.smaller.map { .comparison($0, comparator) }
        }
    }

    private static func smaller(_ operands: [Condition]) -> [[Condition]] {
        operands.indices.flatMap { index in
            operands[index].smaller.map { smaller in
                var changed = operands
                changed[index] = smaller
                return changed
            }
        }
    }
}

extension Scalar {
    fileprivate var smaller: [Scalar] {
        guard case .reduction(let stream, let reducer) = self else { return [] }
        var streams: [EventStream] = []
        for index in stream.filters.indices {
            var without = stream
            without.filters.remove(at: index)
            streams.append(without)
            if case .where(let condition) = stream.filters[index] {
                for smaller in condition.smaller {
                    var changed = stream
                    changed.filters[index] = .where(smaller)
                    streams.append(changed)
                }
            }
        }
        return streams.map { .reduction($0, reducer) }
    }
}

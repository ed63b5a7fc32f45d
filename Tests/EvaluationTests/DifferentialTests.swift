import EvaluationSupport
import Foundation
import History
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Evaluation

// The evaluator against the oracle on random definitions and histories. For each pair it follows `changesAt` from before
// the first event to after the last change: the values must be equal at every stop, and constant in between. A failure
// prints its seed and the smallest case it can be reduced to.

@Suite struct DifferentialTests {
    @Test(arguments: 0..<8)
    func `Evaluator and oracle agree, and no change comes before changesAt`(part: Int) {
        let isLong = ProcessInfo.processInfo.environment["MUSTER_LONG"] == "1"
        let base = ProcessInfo.processInfo.environment["MUSTER_SEED"].flatMap { UInt64($0) } ?? 20_261_124
        let count = isLong ? 25_000 : 500
        for number in 0..<count {
            let seed = base &+ UInt64(part) << 32 &+ UInt64(number)
            var generator = Generator(seed: seed)
            let definition = generator.definition()
            var trial = Trial(definition: definition, world: generator.world(), seed: seed)
            guard trial.failure() != nil else { continue }
            trial.shrink()
            Issue.record("seed \(seed): \(trial.failure() ?? "")\n\(trial)")
            return
        }
    }
}

/// One definition over one world.
struct Trial: CustomStringConvertible {
    var definition: Definition
    var world: World
    let seed: UInt64

    /// What is wrong, if anything is.
    func failure() -> String? {
        var random = SeededRandom(seed: seed ^ 0xABCD)
        let history = History()
        for (offset, deed) in world.deeds.shuffled(using: &random).enumerated() {
            let change =
                deed.call.eventName == nil
                ? history.insertTraits(deed.call, body: deed.body, offset: Int64(offset), profile: deed.profile)
                : history.insertEvent(deed.call, body: deed.body, offset: Int64(offset), profile: deed.profile)
            if change.outcome == .inserted, change.placedAt != deed.at { return "placed at \(change.placedAt)" }
        }
        let query = CompiledQuery(definition)
        var oracle = Oracle(deeds: world.deeds, evidence: world.evidence, now: .epoch)
        func evaluate(_ now: Instant) -> Evaluation {
            query.evaluate(world.asked.subject, evidence: world.evidence, in: history, at: now)
        }
        func truth(_ now: Instant) -> JSONValue {
            oracle.now = now
            return oracle.answer(definition, world.asked)
        }
        let instants = criticalInstants()
        var now = Generator.start - .hours(30)
        let end = Generator.start + .hours(60)
        for _ in 0..<400 {
            let evaluation = evaluate(now)
            let expected = truth(now)
            if evaluation.value != expected { return "at \(now): \(evaluation.value), expected \(expected)" }
            let changesAt = evaluation.changesAt ?? end
            guard changesAt > now else { return "at \(now): changesAt \(changesAt) is not later" }
            let between = instants.filter { $0 > now && $0 < changesAt }.shuffled(using: &random).prefix(8)
            for instant in between + [changesAt - .init(milliseconds: 1)] where instant > now {
                let later = truth(instant)
                if later != expected { return "at \(now): \(expected) until \(changesAt), but \(later) at \(instant)" }
            }
            if evaluation.changesAt == nil || changesAt >= end { break }
            now = changesAt
        }
        for instant in instants.shuffled(using: &random).prefix(6) {
            let (value, expected) = (evaluate(instant).value, truth(instant))
            if value != expected { return "at \(instant): \(value), expected \(expected)" }
        }
        return nil
    }

    /// Where something could happen: every time that occurs, shifted by every length of time, and a millisecond around.
    private func criticalInstants() -> [Instant] {
        var times: Set<Instant> = []
        for deed in world.deeds {
            times.formUnion([deed.at, deed.call.receivedAt])
            Trial.dates(deed.body, &times)
        }
        var instants: Set<Instant> = []
        for time in times {
            for hours in [0, 1, 2, 3, 5, 8, -1, -2, -3, -5, -8] {
                for shift in [-1, 0, 1] {
                    instants.insert(time + .hours(Int64(hours)) + .init(milliseconds: Int64(shift)))
                }
            }
        }
        return instants.sorted()
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

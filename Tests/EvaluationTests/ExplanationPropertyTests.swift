import EvaluationSupport
import Foundation
import History
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Evaluation

// Explanations of random definitions over random histories, part by part, against the evaluator itself: with nothing but
// the events that a part cites it must come to the same answer; parts must make up the whole; what is said of since when
// and until when must be so.

@Suite struct ExplanationPropertyTests {
    static let base = ProcessInfo.processInfo.environment["MUSTER_SEED"].flatMap { UInt64($0) } ?? 20_261_124
    static let isLong = ProcessInfo.processInfo.environment["MUSTER_LONG"] == "1"

    @Test(arguments: 0..<4)
    func `Explanations are exact`(part: Int) {
        let count = Self.isLong ? 25_000 : 1_000
        print("explanation test, part \(part): \(count) explanations, MUSTER_SEED=\(Self.base)")
        var tally = Tally()
        for number in 0..<count {
            let seed = Self.base &+ UInt64(part) << 32 &+ UInt64(number)
            var generator = Generator(seed: seed)
            let definition = generator.definition()
            let world = generator.world()
            let check = ExplanationCheck(world: world, seed: seed)
            let now = generator.time() + .hours(Int64(generator.random.below(6)))
            if let failure = check.failure(of: definition, at: now, &tally, &generator.random) {
                let trial = Trial(definition: definition, world: world, seed: seed)
                Issue.record("seed \(seed) at \(now): \(failure)\n\(trial)")
                return
            }
        }
        // The tests must have something to say.
        #expect(tally.withEvents > count / 10)
        #expect(tally.withInnerEvents > count / 200)
        #expect(tally.withSince > count / 10)
        #expect(tally.cut < tally.parts / 10)
    }
}

/// How much was proven.
struct Tally {
    var parts = 0
    var withEvents = 0
    var withInnerEvents = 0
    var withSince = 0
    var cut = 0
}

private struct ExplanationCheck {
    let world: World
    let history: History
    let seed: UInt64

    init(world: World, seed: UInt64) {
        self.world = world
        self.seed = seed
        history = Trial.history(of: world, seed: seed)
    }

    func failure(
        of definition: Definition, at now: Instant, _ tally: inout Tally, _ random: inout SeededRandom
    ) -> String? {
        let explanation = definition.explain(
            for: world.asked.subject, evidence: world.evidence, in: history, at: now)
        switch definition {
        case .audience(let condition): return failure(condition, explanation, world.asked, now, &tally, &random)
        case .trait(let scalar):
            if explanation.holds != nil { return "a value can't hold: \(explanation.text)" }
            return failure(part: definition, explanation, world.asked, now, &tally, &random)
                ?? failure(citations: definition, scalar, explanation, world.asked, now, &tally)
        }
    }

    private func failure(
        _ condition: Condition, _ explanation: Explanation, _ asked: Asked, _ now: Instant, _ tally: inout Tally,
        _ random: inout SeededRandom
    ) -> String? {
        let definition = Definition.audience(condition)
        if explanation.text != condition.text { return "\(explanation.text) stands for \(condition.text)" }
        if let failure = failure(part: definition, explanation, asked, now, &tally, &random) { return failure }
        let truths = explanation.children.map { $0.holds == true }
        var parts: [(Condition, Asked)] = []
        let made: Bool
        switch condition {
        case .or(let operands):
            parts = operands.map { ($0, asked) }
            made = truths.contains(true)
        case .and(let operands):
            parts = operands.map { ($0, asked) }
            made = !truths.contains(false)
        case .not(let operand):
            parts = [(operand, asked)]
            made = truths == [false]
        case .any(let operand):
            parts = users(explanation, asked).map { (operand, .user($0)) }
            made = truths.contains(true)
        case .all(let operand):
            parts = users(explanation, asked).map { (operand, .user($0)) }
            made = !truths.contains(false)
        case .comparison(let left, _):
            return failure(citations: definition, left, explanation, asked, now, &tally)
        }
        if parts.count != explanation.children.count { return "\(explanation.text) has \(truths.count) parts" }
        if made != explanation.holds { return "the parts of \(explanation.text) do not make \(!made)" }
        for ((condition, asked), child) in zip(parts, explanation.children) {
            if let failure = failure(condition, child, asked, now, &tally, &random) { return failure }
        }
        return nil
    }

    /// The users whom the parts below `ANY` and `ALL` are about.
    private func users(_ explanation: Explanation, _ asked: Asked) -> [Person] {
        let people: [Person]
        switch asked {
        case .user(let person): people = [person]
        case .account(_, let users): people = users
        }
        return explanation.children.compactMap { child in people.first { $0.ordinals == child.user } }
    }

    private func evaluate(
        _ definition: Definition, _ asked: Asked, _ now: Instant, in history: History? = nil
    ) -> Evaluation {
        CompiledQuery(definition).evaluate(
            asked.subject, evidence: world.evidence, in: history ?? self.history, at: now)
    }

    /// The answer, since when and until when.
    private func failure(
        part definition: Definition, _ explanation: Explanation, _ asked: Asked, _ now: Instant, _ tally: inout Tally,
        _ random: inout SeededRandom
    ) -> String? {
        tally.parts += 1
        let answer = evaluate(definition, asked, now)
        if let holds = explanation.holds, answer.value != .bool(holds) {
            return "\(explanation.text) is \(answer.value), not \(holds)"
        }
        if explanation.changesAt != answer.changesAt {
            return "\(explanation.text) changes at \(answer.changesAt as Any)"
        }
        let millisecond = Instant.Span(milliseconds: 1)
        func isSame(_ instant: Instant) -> Bool { evaluate(definition, asked, instant).value == answer.value }
        let beginning = explanation.since ?? Generator.start - .hours(300)
        if let since = explanation.since {
            tally.withSince += 1
            if since > now || !isSame(since) { return "\(explanation.text) is not so at \(since), since when it is" }
            if isSame(since - millisecond) { return "\(explanation.text) was so before \(since)" }
        }
        let end = explanation.changesAt ?? Generator.start + .hours(300)
        for _ in 0..<3 {
            let instant = generatedTime(&random)
            if instant >= beginning, instant < end, !isSame(instant) {
                return "\(explanation.text) is not so at \(instant), between \(beginning) and \(end)"
            }
        }
        if end > now, !isSame(end - millisecond) { return "\(explanation.text) changes before \(end)" }
        return nil
    }

    private func generatedTime(_ random: inout SeededRandom) -> Instant {
        Generator.start + .minutes(Int64(random.below(40) * 30)) + .init(milliseconds: Int64(random.below(3) - 1))
    }

    /// The answer with the cited events and nothing else; traits stay.
    private func failure(
        citations definition: Definition, _ left: Scalar, _ explanation: Explanation, _ asked: Asked, _ now: Instant,
        _ tally: inout Tally
    ) -> String? {
        guard explanation.areEventsComplete else {
            tally.cut += 1
            return nil
        }
        if explanation.eventCount > 0 { tally.withEvents += 1 }
        if !explanation.innerEvents.isEmpty { tally.withInnerEvents += 1 }
        let cited = Set((explanation.events + explanation.innerEvents).map(\.messageID))
        var smaller = world
        smaller.deeds = world.deeds.filter { $0.call.eventName == nil || cited.contains($0.call.messageID) }
        let history = Trial.history(of: smaller, seed: seed)
        let (whole, alone) = (evaluate(definition, asked, now), evaluate(definition, asked, now, in: history))
        if whole.value != alone.value {
            return "\(explanation.text) is \(whole.value), but \(alone.value) of \(cited.sorted())"
        }
        guard let value = explanation.value else { return nil }
        let worth = evaluate(.trait(left), asked, now, in: history).value
        return worth == value ? nil : "\(left.text) is \(value), but \(worth) of \(cited.sorted())"
    }
}

import EvaluationSupport
import History
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Evaluation

/// Filters look at 64 rows at a time: streams of every length around multiples of that, against the oracle.
@Suite struct LongStreamTests {
    static let queries = [
        "event('A').where(property('n') = '3').within(60 hours).count() >= 9",
        "event('A').where(property('n') = '3').count() = 9",
        "event('A').where(property('n') != '3' AND property('n').exists()).between(5 hours, 90 hours).count() < 50",
        "event('A').where(property('n') > 2 AND property('tags.$') = 'a').count() >= 20",
        "event('A').sources({exclude: 'app'}).where(property('n').absent()).within(30 hours).count() >= 3",
        "event('A').where(property('n') = '3' AND NOT event('B').within(parent: 2 hours).count() >= 1).count() >= 5",
    ]

    static let traits = [
        "event('A').where(property('n') = '3').first(context('messageId'))",
        "event('A').where(property('n') = '3').last(context('messageId'))",
        "event('A').where(property('o').contains('x')).sum(property('n'))",
        "event('A').where(property('n') > 4).within(40 hours).unique(context('messageId'))",
        "event('A').between(10 hours, 40 hours).where(property('n') <= 4).count()",
    ]

    @Test(arguments: [1, 63, 64, 65, 127, 128, 129, 200])
    func `Long streams agree with the oracle`(count: Int) throws {
        var random = SeededRandom(seed: UInt64(count))
        let history = History()
        var deeds: [Deed] = []
        for number in 0..<count {
            let at = Scenario.start + .minutes(Int64(random.below(6000)))
            var properties: JSONObject = [:]
            if random.chance(80) { properties["n"] = random.pick([3, "3", 1, 5, "7", "x"]) }
            if random.chance(50) { properties["tags"] = random.pick([["a", "b"], ["c"], []]) }
            if random.chance(50) { properties["o"] = random.pick([["x": 1], ["y": 2], "x"]) }
            let body: JSONValue = ["properties": .object(properties)]
            let call = Call(
                kind: .track, sourceID: random.pick(["web", "app"]), messageID: "m\(number)",
                event: random.chance(90) ? "A" : "B", timestamp: at, receivedAt: at, body: body.utf8)
            deeds.append(Deed(call: call, body: body, profile: ProfileOrdinal(0)))
            _ = history.insertEvent(call, body: body, offset: Int64(number), profile: ProfileOrdinal(0))
        }
        let definitions =
            try Self.queries.map { try Definition.compile($0, kind: .audience) }
            + Self.traits.map { try Definition.compile($0, kind: .trait) }
        for definition in definitions {
            let query = CompiledQuery(definition)
            for hours in [1.0, 20, 50, 99.5, 130] {
                let now = Scenario.hour(hours)
                let evaluation = query.evaluate(.user(Scenario.user()), in: history, at: now)
                let person = Person(ordinals: [ProfileOrdinal(0)])
                let oracle = Oracle(deeds: deeds, now: now)
                #expect(evaluation.value == oracle.answer(definition, .user(person)), "\(definition.text) at \(hours)")
                if let changesAt = evaluation.changesAt {
                    #expect(changesAt > now)
                    let before = Oracle(deeds: deeds, now: changesAt - Scenario.millisecond)
                    #expect(before.answer(definition, .user(person)) == evaluation.value, "\(definition.text) until")
                }
            }
        }
    }
}

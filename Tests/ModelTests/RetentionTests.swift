import JSON
import Model
import TestSupport
import Testing

/// Goal: floors of names behave as one function from names to instants, however they are kept, and come back as stored.
@Suite struct RetentionTests {
    private static let names = ["A", "B", "Größe gewählt", "", "never named"]

    private func instant(_ random: inout SeededRandom) -> Instant {
        random.chance(25) ? .distantPast : Instant(milliseconds: Int64(random.below(5)) - 2)
    }

    private func floors(_ random: inout SeededRandom) -> EventFloors {
        var events: [String: Instant] = [:]
        for name in Self.names.dropLast() where random.chance(50) { events[name] = instant(&random) }
        return EventFloors(general: instant(&random), events: events)
    }

    @Test func `Raised and lowered floors are the later and the earlier one of each name`() throws {
        var random = SeededRandom(seed: 41)
        for _ in 0..<500 {
            let (left, right) = (floors(&random), floors(&random))
            for name in Self.names {
                #expect(left.raised(to: right)[name] == max(left[name], right[name]))
                #expect(left.lowered(to: right)[name] == min(left[name], right[name]))
            }
            // What is equal for every name is equal.
            #expect(left.raised(to: right) == right.raised(to: left))
            #expect((left == right) == Self.names.allSatisfy { left[$0] == right[$0] })
            #expect(left.raised(to: left.lowered(to: right)) == left)
            #expect(EventFloors(json: left.json) == left)
            #expect(try Command(json: Command.expire(left).json) == .expire(left))
        }
    }

    @Test func `Rules come back as stored, and tell floors by the day`() throws {
        let rules = RetentionRules(general: .days(30), events: ["A": .forever, "B": .days(36_500)])
        #expect(try RetentionRules(json: rules.json) == rules)
        #expect(try Command(json: Command.setRetention(rules).json) == .setRetention(rules))
        let floors = rules.floors(at: .epoch + .days(40))
        #expect(floors["C"] == .epoch + .days(10) && floors["A"] == .distantPast)
        #expect(floors["B"] == .epoch + .days(40 - 36_500))
        #expect(rules.limitsAnything && !RetentionRules(events: ["A": .forever]).limitsAnything)
        for days in [0, -1, 36_501] {
            #expect(throws: DefinitionError.self) { try RetentionRules(json: ["general": .number(days)]) }
        }
    }
}

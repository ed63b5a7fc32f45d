import JSON
import Model
import TestSupport
import Testing

@testable import History

/// Goal: what is kept in order for merged profiles is what merging anew would give, whatever comes in between.
@Suite struct UnionTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `Kept unions are the rows in the order of time`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var test = TestHistory()
        var sent: [(event: String, minutes: Int, number: Int, profile: UInt32)] = []
        let groups: [[UInt32]] = [[0, 1], [0, 1, 2], [1, 3], [2, 3, 4], [4, 5]]
        for number in 0..<1500 {
            let deed = (
                event: random.pick(["A", "B", "C"]), minutes: random.below(500), number: number,
                profile: UInt32(random.below(6))
            )
            test.track(
                deed.event, ["n": .number(number)], at: deed.minutes, received: 600 + number, profile: deed.profile)
            sent.append(deed)
            if number == 900 {
                test.history.remove(ProfileOrdinal(3))
                sent.removeAll { $0.profile == 3 }
            }
            guard random.chance(10) else { continue }
            let group = random.pick(groups)
            let event = random.pick(["A", "B", "C"])
            let expected = sent.filter { $0.event == event && group.contains($0.profile) }
                .sorted { ($0.minutes, $0.number) < ($1.minutes, $1.number) }
            #expect(test.values(event, [.key("n")], of: group) == expected.map { .number($0.number) }, "seed \(seed)")
        }
        let table = test.history.table(test.history.eventID("A"))
        #expect(
            groups.contains { test.history.unions.rows(of: $0.map { ProfileOrdinal($0) }, in: table) != nil },
            "nothing was kept")
    }

    @Test func `Too many unions are forgotten together`() {
        let history = History()
        let rows = history.rows(history.eventID("A"), of: [ProfileOrdinal(0), ProfileOrdinal(1)])
        var unions = RowUnions()
        for number in 0...RowUnions.maximumGroups {
            unions.keep(rows, of: [ProfileOrdinal(UInt32(number)), ProfileOrdinal(.max)])
        }
        #expect(unions.rows(of: [ProfileOrdinal(0), ProfileOrdinal(.max)], in: rows.table) == nil)
        let last = [ProfileOrdinal(UInt32(RowUnions.maximumGroups)), ProfileOrdinal(.max)]
        #expect(unions.rows(of: last, in: rows.table) != nil)
    }
}

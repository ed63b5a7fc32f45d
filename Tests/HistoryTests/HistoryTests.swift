import JSON
import Model
import Testing

@testable import History

// What History promises, one promise per test: order in time whatever the order of arrival, values as they were sent,
// traits as of an instant, limits that are counted.

/// A history that numbers its calls.
struct TestHistory {
    let history = History()
    private var count: Int64 = 0

    static let start = Instant(milliseconds: 1_700_000_000_000)

    static func at(_ minutes: Int) -> Instant { start + .minutes(Int64(minutes)) }

    @discardableResult
    mutating func track(
        _ event: String, _ properties: JSONValue = [:], at minutes: Int = 0, received: Int? = nil, id: String? = nil,
        profile: UInt32 = 0, context: JSONValue = [:]
    ) -> HistoryChange {
        insert(
            .track, event: event, at: minutes, received: received, id: id, profile: profile,
            body: ["properties": properties, "context": context])
    }

    @discardableResult
    mutating func identify(
        _ traits: JSONValue, at minutes: Int = 0, received: Int? = nil, id: String? = nil, profile: UInt32 = 0
    ) -> HistoryChange {
        insert(.identify, at: minutes, received: received, id: id, profile: profile, body: ["traits": traits])
    }

    @discardableResult
    mutating func insert(
        _ kind: Call.Kind, event: String? = nil, at minutes: Int = 0, received: Int? = nil, id: String? = nil,
        profile: UInt32 = 0, body: JSONValue
    ) -> HistoryChange {
        count += 1
        let call = Call(
            kind: kind, sourceID: "web", messageID: id ?? "m\(count)", event: event, timestamp: TestHistory.at(minutes),
            receivedAt: TestHistory.at(received ?? minutes), body: body.utf8)
        return call.eventName == nil
            ? history.insertTraits(call, body: body, offset: count, profile: ProfileOrdinal(profile))
            : history.insertEvent(call, body: body, offset: count, profile: ProfileOrdinal(profile))
    }

    /// What stands at a path in all rows of an event of some profiles, in the order of time.
    func values(_ event: String, _ path: [ColumnPath.Component], of profiles: [UInt32] = [0]) -> [JSONValue] {
        let rows = history.rows(history.eventID(event), of: profiles.map { ProfileOrdinal($0) })
        guard let column = rows.table.column(.value, ColumnPath(path)) else { return [] }
        return (0..<rows.count).map { rows.table.json(.value, column: column, row: rows[$0]) }
    }

    func timeline(of profiles: [UInt32] = [0], after last: TimelineEntry? = nil, limit: Int = 100) -> [TimelineEntry] {
        history.timeline(of: profiles.map { ProfileOrdinal($0) }, after: last, limit: limit)
    }

    func trait(_ key: String, of profiles: [UInt32] = [0], at minutes: Int) -> JSONValue? {
        history.trait(
            history.traitID(key), of: profiles.map { ProfileOrdinal($0) }, at: TestHistory.at(minutes))?.value
    }
}

@Suite struct OrderTests {
    @Test func `Rows stand in the order of time, not of arrival`() {
        var test = TestHistory()
        for minutes in [30, 10, 50, 20, 40] { test.track("A", ["n": .number(minutes)], at: minutes) }
        #expect(test.values("A", [.key("n")]) == [10, 20, 30, 40, 50])
    }

    @Test func `Equal timestamps are ordered by receipt, then by the bytes of the message id`() {
        var test = TestHistory()
        test.track("A", ["n": 4], at: 5, received: 9, id: "b")
        test.track("A", ["n": 3], at: 5, received: 9, id: "a")
        test.track("A", ["n": 1], at: 5, received: 7, id: "z")
        test.track("A", ["n": 2], at: 5, received: 9, id: "B")
        #expect(test.values("A", [.key("n")]) == [1, 2, 3, 4])
    }

    @Test func `Merged ordinals read as one profile, others stay apart`() {
        var test = TestHistory()
        for (minutes, profile) in [(1, 3), (2, 7), (3, 3), (4, 5), (5, 7)] {
            test.track("A", ["n": .number(minutes)], at: minutes, profile: UInt32(profile))
            test.track("B", ["n": .number(-minutes)], at: minutes, profile: UInt32(profile))
        }
        #expect(test.values("A", [.key("n")], of: [7, 3]) == [1, 2, 3, 5])
        #expect(test.values("A", [.key("n")], of: [3]) == [1, 3])
        #expect(test.values("A", [.key("n")], of: [99]) == [])
        #expect(test.values("A", [.key("n")], of: []) == [])
        #expect(test.timeline(of: [3, 7]).map(\.timestamp) == [5, 5, 3, 3, 2, 2, 1, 1].map { TestHistory.at($0) })
    }

    @Test func `Search by time finds the first row at or after it`() {
        var test = TestHistory()
        for minutes in [10, 20, 20, 30] { test.track("A", at: minutes) }
        let rows = test.history.rows(test.history.eventID("A"), of: [ProfileOrdinal(0)])
        let found = [9, 10, 11, 20, 21, 30, 31].map { rows.firstIndex(from: TestHistory.at($0).milliseconds) }
        #expect(found == [0, 0, 1, 1, 3, 3, 4])
    }

    @Test func `A call more than 24 hours ahead stands at its receipt, one 24 hours ahead at its time`() {
        var test = TestHistory()
        let day = 24 * 60
        #expect(test.track("A", at: day, received: 0).placedAt == TestHistory.at(day))
        #expect(test.track("A", at: day + 1, received: 0).placedAt == TestHistory.at(0))
        #expect(test.timeline().map(\.timestamp) == [TestHistory.at(day), TestHistory.at(0)])
        #expect(test.history.statistics.movedToReceipt == 1)
    }

    @Test func `A call from before 1970 is not inserted, and counted`() {
        var test = TestHistory()
        let minutes = -Int(TestHistory.start.milliseconds / 60_000) - 1
        #expect(test.track("A", at: minutes, received: 0).outcome == .tooOld)
        #expect(test.identify(["plan": "pro"], at: minutes, received: 0).outcome == .tooOld)
        #expect(test.timeline().isEmpty)
        #expect(test.history.statistics.tooOld == 2)
        #expect(test.history.statistics.events == 0)
    }
}

@Suite struct TimelineTests {
    @Test func `Pages of the timeline join without gaps and repeats, newest first`() {
        var test = TestHistory()
        for number in 0..<40 {
            // Many at the same time and receipt, so that pages begin amid equals.
            test.track(["A", "B", "C"][number % 3], at: number / 8, received: 50, profile: UInt32(number % 2))
        }
        let whole = test.timeline(of: [0, 1])
        #expect(whole.count == 40)
        #expect(Set(whole.map(\.offset)).count == 40)
        #expect(
            zip(whole, whole.dropFirst()).allSatisfy {
                ($0.timestamp, $1.messageID) >= ($1.timestamp, $0.messageID)
                    || $0.timestamp > $1.timestamp || $0.messageID > $1.messageID
            })
        for limit in [1, 3, 7] {
            var pages: [TimelineEntry] = []
            while true {
                let page = test.timeline(of: [0, 1], after: pages.last, limit: limit)
                if page.isEmpty { break }
                pages += page
            }
            #expect(pages == whole)
        }
    }

    @Test func `The timeline leaves out what lies ahead`() {
        var test = TestHistory()
        test.track("A", at: 1)
        test.track("B", at: 9, received: 1)
        let now = test.history.timeline(of: [ProfileOrdinal(0)], upTo: TestHistory.at(8), limit: 10)
        #expect(now.map(\.name) == ["A"])
        #expect(now.map(\.sourceID) == ["web"])
    }
}

@Suite struct TraitTests {
    @Test func `A trait is its last row not later than the instant`() {
        var test = TestHistory()
        test.identify(["plan": "pro"], at: 30)
        test.identify(["plan": "free"], at: 10)
        test.identify(["plan": nil], at: 20)
        #expect(
            [9, 10, 19, 20, 29, 30, 99].map { test.trait("plan", at: $0) } == [
                nil, "free", "free", nil, nil, "pro", "pro",
            ])
    }

    @Test func `At one instant the later receipt wins, then the greater message id`() {
        var test = TestHistory()
        test.identify(["plan": "b"], at: 1, received: 5, id: "m1")
        test.identify(["plan": "a"], at: 1, received: 4, id: "m9")
        #expect(test.trait("plan", at: 1) == "b")
        test.identify(["plan": "c"], at: 1, received: 5, id: "m2")
        #expect(test.trait("plan", at: 1) == "c")
    }

    @Test func `Traits of merged ordinals are one set, listed by key, removed ones left out`() {
        var test = TestHistory()
        test.identify(["plan": "pro", "name": "Ann", "age": 30], at: 1, profile: 1)
        test.identify(["plan": "free", "age": nil, "Zip": ""], at: 2, profile: 2)
        let profile = [ProfileOrdinal(1), ProfileOrdinal(2)]
        let traits = test.history.traits(of: profile, at: TestHistory.at(2))
        #expect(traits.map(\.key) == ["Zip", "name", "plan"])
        #expect(traits.map(\.value) == ["", "Ann", "free"])
        #expect(traits.map(\.messageID) == ["m2", "m1", "m2"])
        #expect(test.history.traits(of: profile, at: TestHistory.at(1)).map(\.key) == ["age", "name", "plan"])
    }

    @Test func `Keys are kept byte for byte: composed and decomposed letters differ`() {
        var test = TestHistory()
        test.identify(["\u{E9}": 1], at: 1)
        test.identify(["e\u{301}": 2], at: 1)
        #expect(test.history.traitID("\u{E9}") != test.history.traitID("e\u{301}"))
        #expect(test.trait("\u{E9}", at: 1) == 1)
        #expect(test.trait("e\u{301}", at: 1) == 2)
    }

    @Test func `Only identify and group calls set traits; the change tells which`() {
        var test = TestHistory()
        let change = test.identify(["plan": "pro", "age": nil])
        #expect(change.traits.map(test.history.traitKey) == ["plan", "age"])
        #expect(change.event == nil)
        #expect(test.insert(.group, body: ["traits": ["size": 5]]).traits.map(test.history.traitKey) == ["size"])
        #expect(test.insert(.alias, body: ["traits": ["x": 1]]).outcome == .nothingToInsert)
        #expect(test.identify([:]).outcome == .nothingToInsert)
        #expect(test.insert(.identify, body: [1]).outcome == .nothingToInsert)
        #expect(test.insert(.track, event: "A", body: "text").outcome == .unreadable)
        #expect(test.history.statistics.unreadable == 1)
    }
}

import JSON
import Model
import Query
import Testing

@testable import Evaluation

@Suite struct ExplanationTests {
    private func explain(
        _ query: String, _ scenario: Scenario, at hours: Double, _ subject: Subject = .user(Scenario.user()),
        kind: Computation.Kind = .audience
    ) throws -> Explanation {
        var level = Computation.Level.users
        if case .account = subject { level = .accounts }
        let definition = try Definition.compile(query, kind: kind, level: level)
        return definition.explain(for: subject, in: scenario.history, at: Scenario.hour(hours))
    }

    @Test func `A comparison tells what was counted, since when it holds and until when`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 1, id: "one")
        scenario.track("B", at: 2)
        scenario.track("A", at: 3, id: "three")
        scenario.track("A", at: 5, id: "five")
        let why = try explain("event('A').within(10 hours).count() >= 2", scenario, at: 6)
        #expect(why.kind == .comparison)
        #expect(why.text == "event('A').within(10 hours).count() >= 2")
        #expect(why.holds == true)
        #expect(why.value == 3)
        #expect(why.comparedWith == nil)
        #expect(why.since == Scenario.hour(3))
        #expect(why.changesAt == Scenario.hour(13) + Scenario.millisecond)
        #expect(why.events.map(\.messageID) == ["five", "three", "one"])
        #expect(why.events.map(\.timestamp) == [5, 3, 1].map { Scenario.hour($0) })
        #expect(why.events.map(\.leavesAt) == [15, 13, 11].map { Scenario.hour($0) + Scenario.millisecond })
        let later = try explain("event('A').within(10 hours).count() >= 2", scenario, at: 20)
        #expect(later.holds == false)
        #expect(later.since == Scenario.hour(13) + Scenario.millisecond)
        #expect(later.events.isEmpty)
        #expect(later.changesAt == nil)
    }

    @Test func `The tree of the query is the tree of the explanation`() throws {
        var scenario = Scenario()
        scenario.track("A", ["n": 7], at: 1)
        scenario.identify(["plan": "pro"], at: 2)
        let user = Scenario.user(0, computed: ["score": .value(5)])
        let query =
            "event('A').sum(property('n')) > trait('score') AND NOT (trait('plan') = 'free' OR trait('x').exists())"
        let why = try explain(query, scenario, at: 9, .user(user))
        #expect(why.kind == .and)
        #expect(why.holds == true)
        #expect(why.since == Scenario.hour(1))
        #expect(why.children.map(\.kind) == [.comparison, .not])
        let sum = why.children[0]
        #expect(sum.value == 7)
        #expect(sum.comparedWith == 5)
        #expect(sum.events.count == 1)
        #expect(sum.traits == [Explanation.ReadTrait(key: "score", value: 5)])
        let or = why.children[1].children[0]
        #expect(or.kind == .or)
        #expect(or.holds == false)
        #expect(or.since == nil)
        #expect(or.children.map(\.holds) == [false, false])
        #expect(or.children[0].value == "pro")
        #expect(or.children[0].traits.map(\.setBy?.timestamp) == [Scenario.hour(2)])
        #expect(or.children[1].traits.isEmpty)
    }

    @Test func `Filters decide which events are shown`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 1, id: "left")
        scenario.track("B", at: 2)
        scenario.track("A", at: 3, id: "abandoned")
        let why = try explain(
            "event('A').where(NOT event('B').within(parent: 1 day).count() >= 1).count() >= 1", scenario, at: 4)
        #expect(why.events.map(\.messageID) == ["abandoned"])
        #expect(why.since == Scenario.hour(3))
    }

    @Test func `Events that others need to count are named, and only those`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 1, id: "viewed")
        scenario.track("B", at: 2, id: "bought")
        scenario.track("C", at: 3, id: "unrelated")
        scenario.track("A", at: 4, id: "only viewed")
        scenario.track("B", at: 9, id: "too late")
        let why = try explain(
            "event('A').where(event('B').within(parent: 2 hours).count() >= 1).count() >= 1", scenario, at: 10)
        #expect(why.events.map(\.messageID) == ["viewed"])
        #expect(why.innerEvents.map(\.messageID) == ["bought"])
        #expect(why.areEventsComplete)
    }

    @Test func `More than can be shown is said to be cut`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 0)
        for number in 1...21 { scenario.track("B", at: Double(number)) }
        let query = "event('A').where(event('B').count() >= 3).count() >= 1"
        let cut = try explain(query, scenario, at: 30)
        #expect(cut.innerEvents.count == Explanation.maximumEvents)
        #expect(!cut.areEventsComplete)
        #expect(try explain(query, scenario, at: 20).areEventsComplete)
    }

    @Test func `ANY and ALL name the users who decide first`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 1, by: 2)
        let users = (1...30).map { Scenario.user(UInt32($0)) }
        let account = Subject.account(Scenario.user(99), users: users)
        let any = try explain("ANY event('A').count() >= 1", scenario, at: 2, account)
        #expect(any.holds == true)
        #expect(any.children.count == Explanation.maximumUsers)
        #expect(any.children.first?.user == [ProfileOrdinal(2)])
        #expect(any.children.map(\.holds) == [true] + Array(repeating: false, count: 19))
        let all = try explain("ALL event('A').count() >= 1", scenario, at: 2, account)
        #expect(all.holds == false)
        #expect(all.children.first?.holds == false)
        #expect(!all.children.contains { $0.user == [ProfileOrdinal(2)] })
    }

    @Test func `A trait's value is explained by the events it was made of`() throws {
        var scenario = Scenario()
        for number in 0..<30 { scenario.track("A", ["n": .number(number)], at: Double(number)) }
        let why = try explain("event('A').last(property('n'))", scenario, at: 99, kind: .trait)
        #expect(why.kind == .value)
        #expect(why.holds == nil)
        #expect(why.value == 29)
        #expect(why.eventCount == 30)
        #expect(why.events.count == Explanation.maximumEvents)
        #expect(why.since == Scenario.hour(29))
    }
}

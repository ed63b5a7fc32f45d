import JSON
import Model
import Query
import Testing

@testable import Evaluation

// The checks of engage §16 that concern evaluation, under their numbers, and the rules of §1–§3 that they stand for.

@Suite struct ConformanceTests {
    @Test func `1: the first event enters, and nothing changes any more`() throws {
        var scenario = Scenario()
        let query = "event('A').count() >= 1"
        #expect(try scenario.audience(query, at: Scenario.hour(0)) == Evaluation(value: false))
        scenario.track("A", at: 1)
        scenario.track("A", at: 2)
        #expect(try scenario.audience(query, at: Scenario.hour(1)) == Evaluation(value: true))
        #expect(try scenario.audience(query, at: Scenario.hour(3)) == Evaluation(value: true))
    }

    @Test func `2: an event counts until exactly an hour later`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 1)
        let query = "event('A').within(1 hours).count() >= 1"
        let exit = Scenario.hour(2) + Scenario.millisecond
        #expect(try scenario.audience(query, at: Scenario.hour(1)) == Evaluation(value: true, changesAt: exit))
        #expect(try scenario.audience(query, at: Scenario.hour(2)) == Evaluation(value: true, changesAt: exit))
        #expect(try scenario.audience(query, at: exit) == Evaluation(value: false))
    }

    @Test func `2: with a threshold the newest that are needed decide`() throws {
        var scenario = Scenario()
        for hours in [0, 1, 2, 3] { scenario.track("A", at: Double(hours)) }
        let query = "event('A').within(10 hours).count() >= 2"
        #expect(
            try scenario.audience(query, at: Scenario.hour(4))
                == Evaluation(value: true, changesAt: Scenario.hour(12) + Scenario.millisecond))
    }

    @Test func `3: between enters at the near end and exits after the far end`() throws {
        var scenario = Scenario()
        scenario.track("A")
        let query = "event('A').between(1 hours, 2 hours).count() >= 1"
        let exit = Scenario.hour(2) + Scenario.millisecond
        #expect(
            try scenario.audience(query, at: Scenario.hour(0)) == Evaluation(value: false, changesAt: Scenario.hour(1)))
        #expect(try scenario.audience(query, at: Scenario.hour(1)) == Evaluation(value: true, changesAt: exit))
        #expect(try scenario.audience(query, at: Scenario.hour(2)).isMember)
        #expect(try scenario.audience(query, at: exit) == Evaluation(value: false))
    }

    @Test func `4: without history old buyers have not bought`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 1)
        let query = "NOT event('A').count() >= 1"
        let created = Evidence(receivedFrom: Scenario.hour(5))
        #expect(try !scenario.audience(query, at: Scenario.hour(9)).isMember)
        #expect(try scenario.audience(query, at: Scenario.hour(9), evidence: created).isMember)
        // Sent late: it was received after creation.
        scenario.track("A", at: 2, received: 6)
        #expect(try !scenario.audience(query, at: Scenario.hour(9), evidence: created).isMember)
        let lookback = Evidence(timestampFrom: Scenario.hour(3))
        #expect(try scenario.audience(query, at: Scenario.hour(9), evidence: lookback).isMember)
    }

    @Test func `4: traits count whatever the limits of events are`() throws {
        var scenario = Scenario()
        scenario.identify(["plan": "pro"], at: 1)
        let evidence = Evidence(receivedFrom: Scenario.hour(5), timestampFrom: Scenario.hour(5))
        #expect(try scenario.audience("trait('plan') = 'pro'", at: Scenario.hour(9), evidence: evidence).isMember)
    }

    @Test func `5: a late event counts at its own time`() throws {
        var scenario = Scenario()
        let query = "event('A').within(2 hours).count() >= 1"
        scenario.track("A", at: 1, received: 2.5)
        #expect(
            try scenario.audience(query, at: Scenario.hour(2.5))
                == Evaluation(value: true, changesAt: Scenario.hour(3) + Scenario.millisecond))
        // Already outside: nothing changes.
        #expect(try scenario.audience(query, at: Scenario.hour(4)) == Evaluation(value: false))
    }

    @Test func `5: an event in the future waits for its time`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 3, received: 1)
        let query = "event('A').count() >= 1"
        #expect(
            try scenario.audience(query, at: Scenario.hour(1)) == Evaluation(value: false, changesAt: Scenario.hour(3)))
        #expect(try scenario.audience(query, at: Scenario.hour(3)) == Evaluation(value: true))
        scenario.identify(["plan": "pro"], at: 4)
        let trait = "trait('plan').exists()"
        #expect(
            try scenario.audience(trait, at: Scenario.hour(1)) == Evaluation(value: false, changesAt: Scenario.hour(4)))
    }

    @Test func `6: A, B, A is an abandoned cart, A, B is none`() throws {
        var scenario = Scenario()
        let query = "event('A').where(NOT event('B').within(parent: 7 days).count() >= 1).within(30 days).count() >= 1"
        scenario.track("A", at: 1)
        scenario.track("B", at: 2)
        #expect(try !scenario.isMember(query, at: 3))
        scenario.track("A", at: 3)
        #expect(try scenario.isMember(query, at: 3))
        let exit = Scenario.hour(3) + .days(30) + Scenario.millisecond
        #expect(try scenario.audience(query, at: Scenario.hour(4)) == Evaluation(value: true, changesAt: exit))
        scenario.track("B", at: 5)
        #expect(try scenario.audience(query, at: Scenario.hour(5)) == Evaluation(value: false))
    }

    @Test func `6: a child at the parent's own time is not after it; at the end of the window it is inside`() throws {
        for (hours, isInside) in [(1.0, false), (1.001, true), (3.0, true), (3.001, false), (0.5, false)] {
            var scenario = Scenario()
            scenario.track("A", at: 1)
            scenario.track("B", at: hours)
            let query = "event('A').where(event('B').within(parent: 2 hours).count() >= 1).count() >= 1"
            #expect(try scenario.isMember(query) == isInside, "B at \(hours)")
            let plain = "event('A').where(event('B').count() >= 1).count() >= 1"
            #expect(try scenario.isMember(plain) == (hours > 1), "B at \(hours)")
            let between = "event('A').where(event('B').between(parent: 0 hours, 2 hours).count() >= 1).count() >= 1"
            #expect(try scenario.isMember(between) == isInside, "B at \(hours)")
        }
    }

    @Test func `6: a child can be compared with its parent, at any depth`() throws {
        var scenario = Scenario()
        scenario.track("Viewed", ["sku": "a"], at: 1)
        scenario.track("Viewed", ["sku": "b"], at: 2)
        scenario.track("Bought", ["sku": "a", "order": 7], at: 3)
        scenario.track("Returned", ["order": 7], at: 4)
        func query(_ sku: String, _ order: String) -> String {
            """
            event('Viewed').where(property('sku') = '\(sku)' AND event('Bought').where(
              property('sku') = property(parent: 'sku') AND event('Returned').where(
                property('order') = property(parent: '\(order)')).count() >= 1).count() >= 1).count() >= 1
            """
        }
        #expect(try scenario.isMember(query("a", "order")))
        #expect(try !scenario.isMember(query("b", "order")))
        #expect(try !scenario.isMember(query("a", "sku")))
    }

    @Test func `7: comparisons with what is missing are false, NOT is two-valued`() throws {
        #expect(try !Scenario.holds("property('x') != 5", of: 1))
        #expect(try Scenario.holds("NOT property('x') = 5", of: 1))
        #expect(try Scenario.holds("property('x').absent()", of: 1))
        #expect(try Scenario.holds("property('v').absent()", of: nil))
        #expect(try !Scenario.holds("property('v').exists()", of: nil))
        #expect(try Scenario.holds("property('v').exists()", of: ""))
        #expect(try Scenario.holds("property('x').omits('a')", of: 1))
        #expect(try !Scenario.holds("property('x').none_of('a')", of: 1))
        for comparison in [
            "< 1", ">= 1", ".contains('')", ".starts_with('')", ".within_last(1 day)", ".before_date(2030-01-01)",
        ] {
            #expect(try !Scenario.holds("property('x')\(comparison)", of: 1), "\(comparison)")
        }
    }

    @Test func `8: the most frequent value, ties to the alphabetically first, only if frequent enough`() throws {
        var scenario = Scenario()
        for (hours, value) in ["b", "a", "b", "a", "c"].enumerated() {
            scenario.track("A", ["v": .string(value)], at: Double(hours))
        }
        #expect(try scenario.trait("event('A').mode(property('v'), 2)") == "a")
        #expect(try scenario.trait("event('A').mode(property('v'), 3)") == nil)
        #expect(try scenario.trait("event('A').within(98 hours).mode(property('v'), 1)") == "a")
        #expect(try scenario.trait("event('A').within(97 hours).mode(property('v'), 1)") == "a")
        #expect(try scenario.trait("event('A').within(96 hours).mode(property('v'), 1)") == "c")
        #expect(try scenario.trait("event('B').mode(property('v'), 1)") == nil)
    }

    @Test func `9: the unique list is alphabetical, its count is its size`() throws {
        var scenario = Scenario()
        for (hours, value) in ["c", "a", "b", "a"].enumerated() {
            scenario.track("A", ["v": .string(value)], at: Double(hours))
        }
        scenario.track("A", at: 9)
        #expect(try scenario.trait("event('A').unique(property('v'))") == ["a", "b", "c"])
        #expect(try scenario.trait("event('A').unique(property('v')).count()") == 3)
        #expect(try scenario.trait("event('B').unique(property('v'))") == nil)
        #expect(try scenario.trait("event('B').unique(property('v')).count()") == 0)
    }

    @Test func `12: the union of merged profiles decides`() throws {
        var scenario = Scenario()
        scenario.track("A", at: 1, by: 1)
        scenario.track("A", at: 2, by: 2)
        scenario.identify(["plan": "free"], at: 1, by: 1)
        scenario.identify(["plan": "pro"], at: 2, by: 2)
        let query = "event('A').count() = 2 AND trait('plan') = 'pro'"
        #expect(try !scenario.isMember(query, .user(Scenario.user(1))))
        #expect(try scenario.isMember(query, .user(Scenario.user(1, 2))))
        #expect(try scenario.isMember(query, .user(Scenario.user(2, 1))))
    }

    @Test func `17: ANY, ALL and none over the users of an account`() throws {
        var scenario = Scenario()
        scenario.track("A", by: 1)
        scenario.track("A", by: 1)
        scenario.track("A", by: 2)
        scenario.track("B", by: 1)
        scenario.track("B", by: 2)
        scenario.track("B", by: 3)
        scenario.identify(["size": 3], by: 9)
        scenario.identify(["size": 1], by: 1)
        let users = [1, 2, 3].map { Scenario.user(UInt32($0)) }
        let account = Subject.account(Scenario.user(9), users: users)
        let empty = Subject.account(Scenario.user(9), users: [])
        for (query, whole, none) in [
            ("ANY event('A').count() >= 1", true, false), ("ALL event('A').count() >= 1", false, true),
            ("ALL event('B').count() >= 1", true, true), ("ALL NOT event('A').count() >= 1", false, true),
            ("ALL NOT event('C').count() >= 1", true, true), ("ANY event('A').count() >= 3", false, false),
            // Without a quantifier events count together and traits are the account's own.
            ("event('A').count() = 3", true, false), ("trait('size') = 3", true, true),
            ("ANY trait('size') = 1", true, false), ("ANY trait('size') = 3", false, false),
            // Among the users' events a child may be another user's.
            ("event('A').where(event('B').count() >= 1).count() >= 1", false, false),
        ] {
            #expect(try scenario.isMember(query, account) == whole, "\(query)")
            #expect(try scenario.isMember(query, empty) == none, "\(query), no users")
        }
    }

    @Test func `17: a user who stands in an account twice did things once`() throws {
        var scenario = Scenario()
        scenario.track("A", by: 1)
        let account = Subject.account(Scenario.user(9), users: [Scenario.user(1), Scenario.user(1)])
        #expect(try scenario.isMember("event('A').count() = 1", account))
    }

    @Test func `Values of computations stand before custom traits of the same key`() throws {
        var scenario = Scenario()
        scenario.identify(["vip": false, "old": "x", "free": 1])
        let user = Scenario.user(0, computed: ["vip": .value(true), "old": .absent, "list": .value(["a", "b"])])
        for query in [
            "trait('vip') = 'true'", "trait('vip') = true", "trait('old').absent()", "trait('free') = 1",
            "trait('list.$') = 'b'", "NOT trait('list.$') = 'c'",
        ] {
            #expect(try scenario.isMember(query, .user(user)), "\(query)")
        }
        #expect(try !scenario.isMember("trait('vip') = 'true'"))
    }

    @Test func `Sources can be left out`() throws {
        var scenario = Scenario()
        scenario.track("A", source: "web")
        scenario.track("A", source: "app")
        #expect(try scenario.isMember("event('A').sources({exclude: 'app', 'till'}).count() = 1"))
        #expect(try scenario.isMember("event('A').sources({exclude: 'app', 'web'}).count() = 0"))
    }

    @Test func `A page is an event with its name; parts of the envelope are context`() throws {
        var scenario = Scenario()
        scenario.page("Home", at: 1)
        let day = Scenario.hour(1).description.prefix(10)
        for condition in [
            "property('page_name') = 'Home'", "property('name') = 'Home'", "context('type') = 'page'",
            "context('sourceId') = 'web'", "context('messageId') = 'm1'", "context('timestamp') > \(day)",
            "context('timestamp').after_date('\(day)')",
            "context('timestamp').before_date('2030-01-01T00:00:00-07:00')",
            "context('receivedAt') = context('timestamp')", "context('timestamp').starts_with('\(day)')",
        ] {
            #expect(try scenario.isMember("event('Page Viewed').where(\(condition)).count() = 1"), "\(condition)")
        }
    }

    @Test func `A query stays right when names and columns appear after it was first asked`() throws {
        var scenario = Scenario()
        let definition = try Definition.compile(
            "event('A').where(property('v') = 'x' AND context('page.url') = '/').count() >= 1", kind: .audience)
        let query = CompiledQuery(definition)
        func isMember() -> Bool {
            query.evaluate(.user(Scenario.user()), in: scenario.history, at: Scenario.hour(9)).isMember
        }
        #expect(!isMember())
        scenario.track("A", ["v": "y"], at: 1)
        #expect(!isMember())
        scenario.track("A", ["v": "x"], at: 2)
        #expect(!isMember())
        scenario.track("A", ["v": "x"], at: 3, context: ["page": ["url": "/"]])
        #expect(isMember())
        // And with another history it starts anew.
        let other = Scenario()
        #expect(!query.evaluate(.user(Scenario.user()), in: other.history, at: Scenario.hour(9)).isMember)
        #expect(isMember())
    }
}

extension ConformanceTests {
    @Test func `A filter that depends on the time flips at its exact instant`() throws {
        var scenario = Scenario()
        scenario.track("A", ["d": .string(Scenario.hour(2).description)], at: 1)
        let query = "event('A').where(property('d').before_last(1 hours)).count() >= 1"
        #expect(
            try scenario.audience(query, at: Scenario.hour(1)) == Evaluation(value: false, changesAt: Scenario.hour(3)))
        #expect(try scenario.audience(query, at: Scenario.hour(3)) == Evaluation(value: true))
        let other = "event('A').where(property('d').within_next(1 hours)).count() >= 1"
        #expect(
            try scenario.audience(other, at: Scenario.hour(1))
                == Evaluation(value: true, changesAt: Scenario.hour(2) + Scenario.millisecond))
    }
}

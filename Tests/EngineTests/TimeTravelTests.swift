import Evaluation
import EventLog
import JSON
import Model
import Query
import Store
import TestSupport
import Testing

@testable import Engine

/// Goal: the answer as of a past instant is what an engine says that was stopped there, and the next change that is
/// foretold is the one that comes. Method: one random history, with late and future calls, merges, accounts, values of
/// values; an engine that has all of it against engines that were given the calls up to an instant and nothing more.
@Suite struct TimeTravelTests {
    static let definitions: [(kind: Computation.Kind, level: Computation.Level, key: String, query: String)] = [
        (.audience, .users, "busy", "event('A').within(3 hours).count() >= 2"),
        (
            .audience, .users, "dormant",
            "event('A').between(2 hours, 9 hours).count() >= 1 AND NOT event('B').within(2 hours).count() >= 1"
        ),
        (.trait, .users, "recent", "event('A').within(5 hours).count()"),
        (.trait, .users, "kinds", "event('A').within(8 hours).unique(property('k'))"),
        (.trait, .users, "total", "event('B').sum(property('n'))"),
        (.audience, .users, "pro", "trait('plan') = 'pro'"),
        (.audience, .users, "left", "trait('busy') = false AND trait('total') >= 0"),
        (.audience, .users, "heavy", "trait('recent') >= 2 OR trait('left') = true"),
        (.audience, .users, "never_busy", "NOT trait('busy') = true AND trait('recent') = 0"),
        (
            .audience, .users, "dropped",
            "event('A').where(NOT event('B').within(parent: 1 hours).count() >= 1).within(4 hours).count() >= 1"
        ),
        (.audience, .accounts, "active_account", "event('A').within(4 hours).count() >= 3"),
        (.audience, .accounts, "any_busy", "ANY trait('busy') = true"),
        (.trait, .accounts, "account_events", "event('A').within(6 hours).count()"),
    ]

    static func history(_ muster: TestInstallation, seed: UInt64) -> [LogEntry] {
        var random = SeededRandom(seed: seed)
        var entries: [LogEntry] = []
        for definition in definitions {
            var options = Computation.Options()
            if definition.key == "pro" { options.filterByExternalIDs = ["email"] }
            entries.append(
                muster.create(
                    definition.kind, key: definition.key, definition.query, at: start, level: definition.level,
                    options: options))
        }
        var at = start
        for _ in 0..<150 {
            at = at + Instant.Span(milliseconds: Int64(random.below(15 * 60_000)))
            let person = random.below(5)
            let user = random.chance(60) ? "u\(person)" : nil
            let anonymous = user == nil || random.chance(30) ? "a\(random.below(7))" : nil
            var happened = at
            if random.chance(20) { happened = at - .minutes(Int64(random.below(400))) }
            if random.chance(10) { happened = at + .minutes(Int64(random.below(300))) }
            switch random.below(10) {
            case 0, 1:
                entries.append(
                    muster.call(
                        .identify, user: user, anonymous: anonymous, at: happened, received: at,
                        body: [
                            "traits": random.chance(50)
                                ? ["plan": "pro", "email": .string("e\(person)@x.io")]
                                : ["plan": random.chance(50) ? "free" : .null]
                        ]))
            case 2:
                entries.append(
                    muster.call(
                        .group, user: user, anonymous: anonymous, group: "g\(random.below(2))", at: happened,
                        received: at, body: ["traits": ["size": .number(random.below(5))]]))
            default:
                entries.append(
                    muster.track(
                        random.chance(30) ? "B" : "A", user: user, anonymous: anonymous, at: happened, received: at,
                        ["k": .string("k\(random.below(3))"), "n": .number(random.below(3) - 1)]))
            }
        }
        return entries
    }

    @Test(arguments: Array(1...6) as [UInt64])
    func `The past is what an engine said that was stopped there`(seed: UInt64) async throws {
        let whole = try TestInstallation()
        let entries = Self.history(whole, seed: seed)
        try await whole.apply(entries)
        let end = whole.engine.now + .hours(40)
        try whole.advance(to: end)
        if seed % 2 == 0 { try whole.reopen() }
        var random = SeededRandom(seed: seed &+ 1000)
        var said = 0
        for _ in 0..<6 {
            let span = end.milliseconds - start.milliseconds
            let instant = start + Instant.Span(milliseconds: Int64(random.below(Int(span) - 1)))
            let stopped = try TestInstallation()
            try await stopped.apply(entries.filter { $0.receivedAt <= instant })
            try stopped.advance(to: instant)
            said += try compare(whole.engine, with: stopped.engine, at: instant, "seed \(seed)")
        }
        #expect(said > 30, "seed \(seed): the history is too tame to prove anything")
    }

    private func compare(_ whole: Engine, with stopped: Engine, at instant: Instant, _ seed: String) throws -> Int {
        var said = 0
        for number in 0..<UInt32(whole.profileCount) {
            let profile = ProfileOrdinal(number)
            guard number < stopped.profileCount, stopped.canonical(profile) == profile else {
                // Not there yet, or merged already.
                #expect(Viewpoint(whole, at: instant).canonical(profile) != profile)
                continue
            }
            let then = try #require(whole.profile(profile, at: instant))
            #expect(then.ordinals == stopped.ordinals(of: profile))
            #expect(then.traits == stopped.customTraits(of: profile), "\(seed) at \(instant)")
            for computed in then.computed {
                let state = stopped.registry.computation(id: computed.computation.id)?.states[profile]
                #expect(
                    computed.value == state?.value ?? .null,
                    "\(seed): \(computed.computation.key) of profile \(number) at \(instant)")
                if computed.isHeld { said += 1 }
            }
        }
        for view in stopped.computations {
            let members = whole.members(
                of: view.definition.id, at: instant, range: 0..<UInt32(whole.profileCount), limit: 1000)
            #expect(
                members.map(\.profile.ordinal)
                    == stopped.members(of: view.definition.id, after: nil, limit: 1000).map(\.profile.ordinal))
            let definition = try Definition.parse(view.definition.query, kind: view.definition.kind)
            let preview = whole.preview(PreviewQuestion(view.definition, definition, at: instant))
            // A count that fell back to 0 is held; a preview asks as if nobody had ever had a value.
            let zeros = members.filter { $0.value == 0 && definition.isCounter }.count
            #expect(preview.size == members.count - zeros, "\(seed): preview of \(view.definition.key) at \(instant)")
        }
        return said
    }

    @Test(arguments: Array(1...6) as [UInt64])
    func `The next change that is foretold is the one that comes`(seed: UInt64) async throws {
        let muster = try TestInstallation()
        try await muster.apply(Self.history(muster, seed: seed))
        let engine = muster.engine
        var foretold: [String: NextChange] = [:]
        for view in engine.computations {
            for number in 0..<UInt32(engine.profileCount)
            where engine.canonical(ProfileOrdinal(number)).rawValue == number {
                let profile = ProfileOrdinal(number)
                guard engine.level(of: profile) == view.definition.level else { continue }
                foretold["\(view.definition.id) \(number)"] = engine.nextChange(of: view.definition.id, profile)
            }
        }
        let now = engine.now
        try muster.advance(to: now + day + day)
        var came: [String: NextChange] = [:]
        for row in try allTransitions(muster) where row.at > now {
            let key = "\(row.computationID) \(row.ordinal.rawValue)"
            if came[key] == nil { came[key] = .at(row.at, value: row.value) }
        }
        #expect(came.count > 5, "seed \(seed): too little happens")
        for (key, change) in foretold.sorted(by: { $0.key < $1.key }) {
            #expect(change == came[key] ?? .never, "seed \(seed): \(key)")
        }
    }

    /// In the order in which they came.
    private func allTransitions(_ muster: TestInstallation) throws -> [TransitionRow] {
        let everybody = (0..<muster.engine.ordinalLimit).map { ProfileOrdinal($0) }
        return try muster.store.transitions(profiles: everybody, limit: 100_000).sorted { $0.id < $1.id }
    }

    @Test func `An audience made later answers for the time before it`() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.track("A", user: "u1", at: start), muster.track("A", user: "u2", at: start + day),
        ])
        try await muster.apply([
            muster.create(.audience, key: "fresh", "event('A').within(1 hours).count() >= 1", at: start + day + day)
        ])
        let engine = muster.engine
        func members(_ instant: Instant) -> [String?] {
            engine.members(of: "aud_fresh", at: instant, range: 0..<engine.ordinalLimit, limit: 10)
                .map(\.profile.userID)
        }
        #expect(members(start - Instant.Span(milliseconds: 1)) == [])
        #expect(members(start + hour) == ["u1"])
        #expect(members(start + hour + Instant.Span(milliseconds: 1)) == [])
        #expect(members(start + day + .minutes(5)) == ["u2"])
        #expect(engine.members(of: "aud_fresh", after: nil, limit: 10) == [])
    }

    @Test func `A sum of 0 is a value, also in a preview; a count of 0 is none`() async throws {
        let muster = try TestInstallation()
        try await muster.apply([muster.track("A", user: "u1", at: start, ["n": 0])])
        for (query, isValue) in [
            ("event('A').sum(property('n'))", true), ("event('A').max(property('n'))", true),
            ("event('B').count()", false), ("event('A').where(property('n') > 1).unique(property('n')).count()", false),
        ] {
            let key = "t\(query.utf8.count)"
            try await muster.apply([muster.create(.trait, key: key, query, at: start + hour)])
            let definition = try #require(muster.engine.computation(key: key)).definition
            let preview = muster.engine.preview(
                PreviewQuestion(definition, try Definition.parse(query, kind: .trait), at: muster.engine.now))
            #expect(preview.size == (isValue ? 1 : 0), "\(query)")
            #expect(muster.engine.members(of: definition.id, after: nil, limit: 5).count == preview.size, "\(query)")
        }
    }

    @Test func `Why tells what counts, who it is about and what comes next`() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.audience, key: "busy", "event('A').within(3 hours).count() >= 2", at: start),
            muster.create(.audience, key: "vip", "trait('busy') = true AND trait('plan') = 'pro'", at: start),
            muster.track("A", anonymous: "a1", at: start, id: "first"),
            muster.track("A", user: "u1", at: start + hour, id: "second"),
            muster.identify(user: "u1", at: start + hour, ["plan": "pro"]),
        ])
        let user = try #require(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")))
        #expect(try #require(muster.engine.explain("aud_vip", user, at: muster.engine.now)).explanation.holds == false)
        try await muster.apply([muster.track("B", user: "u1", anonymous: "a1", at: start + .minutes(90))])

        let profile = muster.engine.canonical(user)
        let why = try #require(muster.engine.explain("aud_vip", profile, at: muster.engine.now))
        #expect(why.answer.value == true)
        #expect(why.reads.map(\.key) == ["busy"])
        #expect(why.nextChange == .at(start + hour + hour + hour + Instant.Span(milliseconds: 1), value: false))
        let busy = try #require(muster.engine.explain("aud_busy", profile, at: muster.engine.now)).explanation
        #expect(busy.events.map(\.messageID) == ["second", "first"])
        #expect(busy.holds == true)
        // Before the merge it was another person's event.
        let before = try #require(muster.engine.explain("aud_busy", user, at: start + .minutes(61)))
        #expect(before.explanation.events.map(\.messageID) == ["second"])
        #expect(before.explanation.holds == false)
    }
}

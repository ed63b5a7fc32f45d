import EventLog
import JSON
import Model
import Store
import TestSupport
import Testing

@testable import Engine

/// Goal: a connection of a large audience is told of everybody in chunks, exactly once, whatever happens meanwhile, also
/// when the process dies in the middle. Method: a real engine on real files; outboxes of interrupted and uninterrupted
/// runs are compared.
@Suite("first sync") struct FirstSyncTests {
    /// An audience of `count` members, not connected yet.
    private func audience(_ count: Int) async throws -> TestInstallation {
        let made = try TestInstallation()
        try await made.apply(
            [
                made.destination(at: start),
                made.create(.audience, key: "big", "event('A').within(30 days).count() >= 1", at: start),
            ])
        try await made.apply(
            (0..<count).map {
                made.track("A", user: "u\($0)", at: start + Instant.Span(milliseconds: Int64($0)), id: "a\($0)")
            })
        return made
    }

    private func connect(
        _ made: TestInstallation, at: Instant, _ change: (inout Connection) -> Void = { _ in }
    ) -> LogEntry {
        var connection = Connection(destinationID: "dst", sendIdentify: true, sendTrack: true)
        change(&connection)
        return .command(.connect(computationID: "aud_big", connection), receivedAt: at)
    }

    private func emissions(_ made: TestInstallation) throws -> [Emission] {
        try made.store.pending(destinationID: "dst", limit: 1_000_000).map(\.emission)
    }

    @Test("a large audience is told in chunks; a kill in the middle loses and repeats nothing") func chunks()
        async throws
    {
        let made = try await audience(2500)
        try await made.apply([connect(made, at: start + hour)], isBackfillHeld: true)
        #expect(made.engine.hasFirstSync)
        let first = try emissions(made)
        #expect(first.count == 2000)
        #expect(first.allSatisfy { $0.origin == .firstSync })
        #expect(made.engine.firstSyncProgress.map(\.total) == [2500])
        try made.reopen()
        #expect(made.engine.hasFirstSync)
        made.engine.continueFirstSync(limit: 700)
        try made.engine.commit()
        try made.reopen()
        while made.engine.hasFirstSync {
            made.engine.continueFirstSync(limit: 700)
            try made.engine.commit()
        }
        let all = try emissions(made)
        #expect(all.count == 5000)
        #expect(Set(all.map(\.messageID)).count == 5000)
        try made.reopen()
        #expect(!made.engine.hasFirstSync)
    }

    @Test("what is told to each person does not depend on how the chunks fall", arguments: 1...3) func order(
        seed: UInt64
    ) async throws {
        let (slow, fast) = (try await audience(1100), try await audience(1100))
        var random = SeededRandom(seed: seed)
        let isDeliveredMeanwhile = random.chance(50)
        var delivered: [Emission] = []
        try await slow.apply([connect(slow, at: start + hour)], isBackfillHeld: true)
        try await fast.apply([connect(fast, at: start + hour)])
        #expect(slow.engine.hasFirstSync && !fast.engine.hasFirstSync)
        for step in 1...20 {
            // Some get an e-mail address, some merge, some come anew; at the end of the window people leave.
            let at = start + hour + Instant.Span(milliseconds: Int64(step) * (step == 15 ? 3_100_000 * 60 : 60_000))
            let user = "u\(1090 - step * 5 + random.below(5))"
            let entries: (TestInstallation) -> [LogEntry] = { made in
                [
                    made.identify(user: user, at: at, ["email": .string("\(user)@example.org")]),
                    made.track("A", user: "new\(step)", at: at, id: "n\(step)"),
                    made.track("A", user: "u\(step * 3)", at: at, id: "x\(step)"),
                ]
            }
            try await slow.apply(entries(slow), isBackfillHeld: true)
            try await fast.apply(entries(fast))
            slow.engine.continueFirstSync(limit: random.below(30))
            try slow.engine.commit()
            if isDeliveredMeanwhile {
                // The outbox forgets what was delivered, so a repeat would not be recognised by its id.
                let rows = try slow.store.pending(destinationID: "dst", limit: 1_000_000)
                delivered += rows.map(\.emission)
                var changes = DeliveryChanges(destinationID: "dst", at: at)
                changes.delivered = rows.map(\.sequence)
                try slow.store.record(changes)
            }
        }
        try slow.advance(to: start + .days(40))
        try fast.advance(to: start + .days(40))
        while slow.engine.hasFirstSync { slow.engine.continueFirstSync(limit: 100) }
        try slow.engine.commit()
        let told = Dictionary(grouping: delivered + (try emissions(slow)), by: \.profile).mapValues {
            $0.map(\.messageID)
        }
        let expected = Dictionary(grouping: try emissions(fast), by: \.profile).mapValues { $0.map(\.messageID) }
        #expect(told == expected)
    }

    @Test("silent: attributes without events; none: nothing; both hear of changes") func silent() async throws {
        for (mode, expected) in [(Connection.FirstSync.silent, 3), (.none, 0), (.full, 6)] {
            let made = try await audience(3)
            try await made.apply([connect(made, at: start + hour) { $0.firstSync = mode }])
            #expect(try emissions(made).count == expected)
            #expect(try emissions(made).allSatisfy { mode == .full || $0.kind == .identify })
            try await made.apply([made.track("A", user: "later", at: start + day, id: "l")])
            #expect(try emissions(made).suffix(2).map(\.kind) == [.identify, .track])
            #expect(try emissions(made).count == expected + 2)
        }
    }

    @Test("silent holds for those whom the backfill of a new audience finds") func silentBackfill() async throws {
        let made = try await audience(3)
        try await made.apply(
            [
                made.create(.audience, key: "second", "event('A').count() >= 1", at: start + hour),
                .command(
                    .connect(
                        computationID: "aud_second",
                        Connection(destinationID: "dst", sendTrack: true, firstSync: .silent)),
                    receivedAt: start + hour),
            ])
        #expect(try emissions(made).map(\.kind) == [.identify, .identify, .identify])
        #expect(try emissions(made).allSatisfy { $0.origin == .firstSync })
        // A changed query is a change: people enter, and events say so.
        try await made.apply([made.track("B", user: "b", at: start + hour, id: "b")])
        var changed = Computation(
            id: "aud_second", kind: .audience, key: "second", name: "second", query: "event('B').count() >= 1",
            createdAt: start + hour)
        changed.updatedAt = start + day
        try await made.apply([.command(.putComputation(changed), receivedAt: start + day)])
        let later = try emissions(made).dropFirst(3)
        #expect(later.count == 8)
        #expect(later.allSatisfy { $0.origin == .change })
    }

    @Test("changed names, traits or ids are told again: attributes only, with ids of their own, as of the change")
    func resync() async throws {
        typealias Change = @Sendable (inout Connection) -> Void
        let changes: [(name: String, change: Change, isTold: Bool)] = [
            ("name", { $0.keyName = "large" }, true),
            ("traits", { $0.enrichment = [TraitEnrichment(trait: "plan")] }, true),
            ("ids", { $0.idSync = [IDSync(externalID: "email", strategy: .last, mapTo: "user_id")] }, true),
            ("event names", { $0.enterEvent = "In" }, false), ("update only", { $0.updateExistingOnly = true }, false),
            ("nothing", { _ in }, false),
            (
                "changes only",
                {
                    $0.keyName = "large"
                    $0.firstSync = .none
                }, false
            ),
        ]
        for (name, change, isTold) in changes {
            let made = try await audience(3)
            try await made.apply(
                (0..<3).map { made.identify(user: "u\($0)", at: start, ["email": .string("u\($0)@example.org")]) })
            try await made.apply([connect(made, at: start + hour)])
            let first = try emissions(made)
            #expect(first.count == 6)
            // The trait is younger than the membership: what goes along is what is so at the change.
            try await made.apply((0..<3).map { made.identify(user: "u\($0)", at: start + day, ["plan": "pro"]) })
            try await made.apply([connect(made, at: start + day + hour, change)])
            let told = try emissions(made).dropFirst(6)
            #expect(told.map(\.kind) == (isTold ? [.identify, .identify, .identify] : []), "\(name)")
            #expect(told.allSatisfy { $0.origin == .firstSync && $0.timestamp == start + day + hour }, "\(name)")
            #expect(Set(told.map(\.messageID)).isDisjoint(with: first.map(\.messageID)), "\(name)")
            for emission in told {
                let traits = try JSONValue(parsing: emission.payload)["traits"]
                #expect(traits?[name == "name" ? "large" : "big"] == true)
                #expect(traits?["plan"] == (name == "traits" ? "pro" : nil))
            }
        }
    }

    @Test("back and forth: each change is told, in chunks, also over a kill; those it lets create count as unknown")
    func resyncTwice() async throws {
        let made = try await audience(1500)
        try await made.apply([connect(made, at: start + hour) { $0.updateExistingOnly = true }])
        try await made.apply([connect(made, at: start + .hours(2))], isBackfillHeld: true)
        #expect(made.engine.hasFirstSync)
        try made.reopen()
        while made.engine.hasFirstSync {
            made.engine.continueFirstSync(limit: 100)
            try made.engine.commit()
        }
        try await made.apply([connect(made, at: start + .hours(3)) { $0.keyName = "x" }])
        try await made.apply([connect(made, at: start + .hours(4))])
        let all = try emissions(made)
        #expect(all.count == 3000 + 3 * 1500)
        #expect(Set(all.map(\.messageID)).count == all.count)
        #expect(all.dropFirst(3000).prefix(1500).allSatisfy { $0.origin == .repair && $0.kind == .identify })
        #expect(all.dropFirst(4500).allSatisfy { $0.origin == .firstSync && $0.kind == .identify })
    }

    @Test("a connection that is removed is not told on; a switched-off destination waits") func cancelled() async throws
    {
        let made = try await audience(1500)
        try await made.apply([connect(made, at: start + hour)], isBackfillHeld: true)
        var destination = Destination(id: "dst", kind: "braze", name: "Braze dst", settings: [:], createdAt: start)
        destination.enabled = false
        try await made.apply([.command(.putDestination(destination), receivedAt: start + hour)])
        #expect(!made.engine.hasFirstSync)
        destination.enabled = true
        try await made.apply([.command(.putDestination(destination), receivedAt: start + hour)], isBackfillHeld: true)
        #expect(made.engine.hasFirstSync)
        try await made.apply(
            [.command(.disconnect(computationID: "aud_big", destinationID: "dst"), receivedAt: start + hour)])
        #expect(!made.engine.hasFirstSync)
        #expect(try emissions(made).count == 2000)
        try made.reopen()
        #expect(!made.engine.hasFirstSync)
    }
}

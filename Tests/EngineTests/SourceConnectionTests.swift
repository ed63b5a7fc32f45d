import EventLog
import JSON
import Model
import Store
import Testing

@testable import Engine

/// Sources connected straight to destinations.
@Suite struct SourceConnectionTests {
    private static func source(at instant: Instant) -> LogEntry {
        .command(
            .putSource(Source(id: "src", name: "Website", writeKey: "key", createdAt: instant)), receivedAt: instant)
    }

    private static func connect(
        _ mappings: [SourceMapping], to destinationID: String = "dst", enabled: Bool = true, at instant: Instant
    ) -> LogEntry {
        .command(
            .connectSource(
                sourceID: "src",
                SourceConnection(destinationID: destinationID, enabled: enabled, mappings: mappings)),
            receivedAt: instant)
    }

    private static let tracks = SourceMapping(
        preset: "track_calls", calls: [.track], otherThan: ["Order Completed"], options: ["action": "track_event"])
    private static let orders = SourceMapping(
        preset: "orders", calls: [.track], events: ["Order Completed"], options: ["action": "track_purchase"])

    @Test("1: a call is passed on by every mapping that takes it, with the mapping's options and its own id")
    func passedOn() async throws {
        let installation = try TestInstallation()
        let both = SourceMapping(preset: "both", calls: [.track, .page], options: ["n": 2])
        try await installation.apply([
            Self.source(at: start), installation.destination(at: start),
            Self.connect([Self.tracks, Self.orders, both], at: start),
            installation.track("Viewed", user: "u1", at: start + hour, received: start + day, id: "m1", ["a": 1]),
            installation.track("Order Completed", user: "u1", at: start + day, id: "m2"),
            installation.call(.page, user: "u1", at: start + day, id: "m3"),
            installation.identify(user: "u1", at: start + day, ["plan": "pro"]),
        ])
        let rows = try installation.store.pending(destinationID: "dst", limit: 100).map(\.emission)
        #expect(rows.map(\.messageID) == ["m1", "m1/both", "m2", "m2/both", "m3"])
        #expect(rows.map(\.kind) == [.track, .track, .track, .track, .page])
        #expect(rows.allSatisfy { $0.computationID == "src" })
        let first = try JSONValue(parsing: rows[0].payload)
        #expect(first["mapping"] == ["action": "track_event"])
        #expect(first["event"] == "Viewed")
        #expect(first["timestamp"] == "2026-03-01T01:00:00.000Z")
        #expect(first["receivedAt"] == "2026-03-02T00:00:00.000Z")
        #expect(try JSONValue(parsing: rows[2].payload)["mapping"]?["action"] == "track_purchase")
    }

    @Test("2: a repeated call is passed on once, and what a client writes into 'mapping' does not count")
    func onceAndSafe() async throws {
        let installation = try TestInstallation()
        try await installation.apply([
            Self.source(at: start), installation.destination(at: start), Self.connect([Self.tracks], at: start),
            installation.call(
                .track, "A", user: "u1", at: start, id: "m1", body: ["mapping": ["action": "delete_user"]]),
            installation.track("A", user: "u1", at: start, id: "m1"),
        ])
        let calls = try installation.outbox()
        #expect(calls.count == 1)
        #expect(calls[0]["mapping"] == ["action": "track_event"])
    }

    @Test("3: calls and the audiences they cause stand in the outbox in that order, also after a crash between")
    func orderAndReplay() async throws {
        let installation = try TestInstallation()
        try await installation.apply([
            Self.source(at: start), installation.destination(at: start), Self.connect([Self.tracks], at: start),
            installation.create(.audience, key: "buyers", "event('A').count() >= 1", at: start),
            installation.connect("aud_buyers", track: false, at: start),
        ])
        _ = try await installation.log.append([installation.track("A", user: "u1", at: start + hour, id: "m1")])
        // Applied and lost: nothing of it may show after the restart but what applying it again brings.
        installation.engine.apply(try installation.log.read(from: installation.engine.position, limit: 10))
        try installation.reopen()
        #expect(try installation.outbox().isEmpty)
        try installation.applyPending()
        #expect(try installation.outbox().map { $0["type"] } == ["track", "identify"])
        #expect(installation.engine.sources["src"]?.connections.first?.mappings == [Self.tracks])
    }

    @Test("4: integrations, device mode, disabled connections and destinations keep a call back, counted")
    func admission() async throws {
        let installation = try TestInstallation()
        func track(_ id: String, _ body: JSONObject) -> LogEntry {
            installation.call(.track, "A", user: "u1", at: start + hour, id: id, body: body)
        }
        try await installation.apply([
            Self.source(at: start), installation.destination(at: start), Self.connect([Self.tracks], at: start),
            track("named", ["integrations": ["All": false, "Braze Cloud Mode (Actions)": true]]),
            track("by name", ["integrations": ["All": false, "braze dst": ["x": 1]]]),
            track("other", ["integrations": ["All": false, "Amplitude": true]]),
            track("off", ["integrations": ["Braze": false]]),
            track("device", ["_metadata": ["bundled": ["Segment.io", "Braze"]]]),
            installation.track("Order Completed", user: "u1", at: start + hour, id: "unmapped"),
            Self.connect([Self.tracks], enabled: false, at: start + hour),
            track("disabled", [:]),
        ])
        #expect(
            try installation.store.pending(destinationID: "dst", limit: 100).map(\.emission.messageID) == [
                "named", "by name",
            ])
        let counters = try installation.store.counters()
        #expect(counters["source_calls_excluded_by_client"] == 2)
        #expect(counters["source_calls_sent_by_device"] == 1)
        #expect(counters["source_calls_without_mapping"] == 1)
    }

    @Test("5: a new name keeps connections; a deleted destination takes them along; unknown ones are refused")
    func definitions() async throws {
        let installation = try TestInstallation()
        try await installation.apply([
            Self.source(at: start), installation.destination(at: start), Self.connect([Self.tracks], at: start),
            .command(
                .putSource(Source(id: "src", name: "Shop", writeKey: "key", createdAt: start)), receivedAt: start),
        ])
        #expect(installation.engine.sources["src"]?.name == "Shop")
        #expect(installation.engine.sources["src"]?.connections.count == 1)
        try await installation.apply([
            Self.connect([Self.tracks], to: "nowhere", at: start),
            .command(.deleteDestination(id: "dst"), receivedAt: start),
            installation.track("A", user: "u1", at: start),
        ])
        #expect(installation.engine.sources["src"]?.connections == [])
        try installation.reopen()
        #expect(installation.engine.sources["src"]?.connections == [])
    }

    // MARK: Connections of audiences and traits

    private func connected(
        _ installation: TestInstallation, _ id: String, _ change: (inout Connection) -> Void
    ) -> LogEntry {
        var connection = Connection(destinationID: "dst", sendIdentify: true, sendTrack: true)
        change(&connection)
        return .command(.connect(computationID: id, connection), receivedAt: start)
    }

    @Test("6: key name, update-only and enrichment go with the call; the computation's own key is not enriched")
    func overrides() async throws {
        let installation = try TestInstallation()
        try await installation.apply([
            installation.destination(at: start),
            installation.create(.audience, key: "buyers", "event('A').count() >= 1", at: start),
            installation.create(.trait, key: "total", "event('A').count()", at: start),
            connected(installation, "aud_buyers") {
                $0.keyName = "vip"
                $0.updateExistingOnly = true
                $0.enrichment = [
                    TraitEnrichment(trait: "plan", name: "subscription"), TraitEnrichment(trait: "total"),
                    TraitEnrichment(trait: "buyers", name: "stale"), TraitEnrichment(trait: "unknown"),
                ]
            },
            installation.identify(user: "u1", at: start + hour, ["plan": "pro"]),
            installation.track("A", user: "u1", at: start + hour),
        ])
        let calls = try installation.outbox()
        #expect(calls.count == 2)
        #expect(
            calls[0]["traits"] == ["vip": true, "subscription": "pro"]
                || calls[0]["traits"]
                    == ["vip": true, "subscription": "pro", "total": 1]
        )
        #expect(calls[1]["properties"]?["vip"] == true)
        #expect(calls[1]["properties"]?["audience_key"] == "buyers")
        #expect(calls[1]["properties"]?["subscription"] == "pro")
        #expect(calls[0]["mapping"] == ["updateExistingOnly": true, "key": "vip"])
        #expect(calls[0]["context"]?["personas"]?["computation_key"] == "buyers")
    }

    @Test("7: id sync picks first, last or all, maps custom ids, and exits tell every id")
    func idSync() async throws {
        let installation = try TestInstallation()
        func ids(_ user: String, _ email: String, at instant: Instant) -> LogEntry {
            installation.identify(user: user, anonymous: "anon", at: instant, ["email": .string(email)])
        }
        try await installation.apply([
            installation.destination(at: start),
            installation.create(
                .audience, key: "recent", "event('A').within(1 day).count() >= 1", at: start),
            connected(installation, "aud_recent") {
                $0.sendTrack = false
                $0.idSync = [
                    IDSync(externalID: "user_id", strategy: .last),
                    IDSync(externalID: "email", strategy: .all, mapTo: "address"),
                ]
            },
            ids("u1", "first@example.org", at: start), ids("u1", "second@example.org", at: start + hour),
            installation.track("A", user: "u1", at: start + hour),
        ])
        let entered = try installation.outbox()
        #expect(
            entered.map { $0["traits"]?["address"] } == ["first@example.org", "second@example.org"])
        #expect(entered.allSatisfy { $0["userId"] == "u1" && $0["traits"]?["recent"] == true })
        #expect(entered[0]["context"]?["externalIds"]?[0]?["type"] == "email")
        #expect(Set(entered.map { $0["messageId"] }).count == 2)
    }

    @Test("8: an account's value reaches its people, those who come later, and by group the account")
    func fanOut() async throws {
        let installation = try TestInstallation()
        func group(_ user: String, _ account: String, at instant: Instant) -> LogEntry {
            installation.call(.group, user: user, group: account, at: instant)
        }
        try await installation.apply([
            installation.destination(at: start),
            installation.create(
                .audience, key: "at_risk", "ANY event('Complained').count() >= 1", at: start, level: .accounts),
            connected(installation, "aud_at_risk") {
                $0.sendTrack = false
                $0.sendGroup = true
            },
            group("u1", "acme", at: start), group("u2", "acme", at: start), group("u2", "other", at: start),
            installation.track("Complained", user: "u1", at: start + hour),
        ])
        let calls = try installation.outbox()
        #expect(calls.map { $0["groupId"] ?? $0["userId"] } == ["acme", "u1", "u2"])
        #expect(calls.allSatisfy { $0["traits"]?["at_risk"] == true })
        try await installation.apply([group("u3", "acme", at: start + day)])
        let later = try installation.outbox().dropFirst(3)
        #expect(later.map { $0["userId"] } == ["u3"])
        // The other account of u2 comes to the same value: another call, not the same one again.
        try await installation.apply([installation.track("Complained", user: "u2", at: start + day)])
        let ids = try installation.outbox().map { $0["messageId"] }
        #expect(Set(ids).count == ids.count)
        #expect(try installation.outbox().suffix(2).map { $0["groupId"] ?? $0["userId"] } == ["other", "u2"])
    }
}

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

    /// What triggers decide of a call must be what an audience decides of the same event once it is history.
    @Test("5: a condition takes the calls that the same where(…) counts, and each mapping has an id of its own")
    func conditions() async throws {
        let conditions = [
            "property('total') >= 100", "property('total') > 100 AND NOT property('country') = 'DE'",
            "property('country').one_of('DE', 'AT')", "property('country') != 'DE'", "property('items.$.sku') = 'b'",
            "property('coupon').exists() OR property('total') = '100'", "property('coupon').absent()",
            "context('page.url').contains('/shop')", "property('a') = property('b')",
            "property('a') < property('total')",
            "property('when').within_last(7 days)", "property('when').before_date(2026-03-01)",
            "context('type') = 'track'", "property('flag') = 'true'", "property('items.$.price') > 5",
        ]
        let bodies: [JSONObject] = [
            ["properties": ["total": 100, "country": "DE"]], ["properties": ["total": "250.5", "country": "FR"]],
            ["properties": ["total": 99, "coupon": "x", "a": 1, "b": 1], "context": ["page": ["url": "/shop/1"]]],
            ["properties": ["items": [["sku": "a", "price": 3], ["sku": "b", "price": 9]], "flag": true]],
            ["properties": ["when": "2026-02-27T00:00:00Z", "a": "x", "b": "x", "country": nil]],
            ["properties": ["items": [], "when": "2020-01-01T00:00:00Z", "total": nil, "flag": "true"]], [:],
        ]
        let installation = try TestInstallation()
        let mappings = conditions.enumerated().map { index, condition in
            SourceMapping(
                preset: "trigger", id: "t\(index)", calls: [.track], events: ["Ordered"], condition: condition)
        }
        try await installation.apply([
            Self.source(at: start), installation.destination(at: start), Self.connect(mappings, at: start),
        ])
        for (index, condition) in conditions.enumerated() {
            try await installation.apply([
                installation.create(
                    .audience, key: "a\(index)", "event('Ordered').where(\(condition)).count() >= 1", at: start)
            ])
        }
        for (number, body) in bodies.enumerated() {
            try await installation.apply([
                installation.call(
                    .track, "Ordered", user: "u\(number)", at: start + hour, id: "m\(number)", body: body)
            ])
        }
        let rows = try installation.store.pending(destinationID: "dst", limit: 1000).map(\.emission)
        #expect(Set(rows.map(\.messageID)).count == rows.count)
        var fired = Set(rows.map(\.messageID))
        var mismatches: [String] = []
        for number in bodies.indices {
            var isFirst = true
            for index in conditions.indices where installation.isMember("a\(index)", user: "u\(number)") {
                let id = isFirst ? "m\(number)" : "m\(number)/t\(index)"
                if fired.remove(id) == nil { mismatches.append("\(conditions[index]) of \(bodies[number])") }
                isFirst = false
            }
        }
        #expect(mismatches.isEmpty)
        #expect(fired.isEmpty, "fired without the audience: \(fired.sorted())")
        #expect(rows.count >= 15)
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

import BrazeSandbox
import Delivery
import JSON
import Model
import Store
import Testing

@testable import BrazeDestination

// Calls of connected sources, from the outbox to users in the sandbox: every action of the destination.

@Suite("connected sources, delivered to the Braze sandbox", .timeLimit(.minutes(20))) struct ConnectedSourceTests {
    private static let presets = Dictionary(uniqueKeysWithValues: BrazeDestination.presets.map { ($0.name, $0) })

    /// A call as the engine puts it into the outbox for a preset.
    private func call(
        _ number: Int, _ preset: String, _ kind: Emission.Kind, _ body: JSONObject, options: JSONObject = [:]
    ) throws -> Emission {
        var mapping = try #require(Self.presets[preset]).options
        for (key, value) in options.members { mapping[key] = value }
        var payload = body
        payload["type"] = .string(kind.rawValue)
        payload["receivedAt"] = "2026-02-03T04:05:07Z"
        payload["timestamp"] = "2026-02-03T04:05:07Z"
        payload["mapping"] = .object(mapping)
        return Emission(
            destinationID: "dst", computationID: "src_web", computationKey: "", profile: ProfileOrdinal(1), kind: kind,
            messageID: "m\(number)", timestamp: Instant(milliseconds: Int64(number)),
            payload: JSONValue.object(payload).utf8, origin: .source)
    }

    private func destination(_ desk: Desk, _ address: String) -> Destination {
        var destination = desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
        destination.settings["anonymous_alias_label"] = "anon"
        return destination
    }

    private func user(_ sandbox: BrazeSandboxServer, _ id: String) throws -> JSONValue {
        let body: JSONValue = [
            "external_ids": [.string(id)],
            "fields_to_export": [
                "external_id", "first_name", "user_aliases", "custom_attributes", "custom_events", "total_revenue",
            ],
        ]
        let answer = sandbox.answer(
            SandboxRequest(
                "POST", "/users/export/ids",
                headers: [
                    ("authorization", "Bearer \(SandboxConfiguration.defaultKey)"),
                    ("content-type", "application/json"),
                ], body: body.utf8))
        return try JSONValue(parsing: answer.body)["users"]?[0] ?? .null
    }

    @Test("1: identify, track, order, page and group of one person arrive in their order, each as what it is")
    func dailyLife() async throws {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start([self.destination(desk, address)])
                let who: JSONObject = ["userId": "u1"]
                func with(_ more: JSONObject) -> JSONObject { JSONObject(who.members + more.members) }
                try desk.emit(
                    [
                        try self.call(
                            1, "identify_calls", .identify, with(["traits": ["firstName": "Kim", "plan": "free"]])),
                        try self.call(2, "track_calls", .track, with(["event": "Viewed", "properties": ["price": 3]])),
                        try self.call(
                            3, "order_completed", .track,
                            with([
                                "event": "Order Completed",
                                "properties": [
                                    "order_id": "o1",
                                    "products": [
                                        ["product_id": "a", "price": "9.5", "quantity": 2],
                                        ["product_id": "b", "price": 3],
                                    ],
                                ],
                            ])),
                        try self.call(4, "page_calls", .page, with(["name": "Pricing"])),
                        try self.call(5, "group_calls", .group, with(["groupId": "acme"])),
                        try self.call(6, "identify_calls", .identify, with(["traits": ["plan": "pro"]])),
                        try self.call(
                            7, "product_viewed", .track,
                            with([
                                "event": "Product Viewed",
                                "properties": [
                                    "currency": "EUR", "source": "web", "product_id": "a", "name": "Sweater",
                                    "variant": "M", "price": 9.5,
                                ],
                            ])),
                    ], to: running)
                try await eventually("delivered") { try desk.waiting == 0 }
                try await running.stop()
                let user = try self.user(sandbox, "u1")
                #expect(user["first_name"] == "Kim")
                #expect(user["custom_attributes"] == ["plan": "pro", "ab_segment_group_acme": true])
                #expect(
                    Set((user["custom_events"]?.array ?? []).compactMap { $0["name"]?.string }) == [
                        "Viewed", "Viewed Pricing Page", "ecommerce.product_viewed",
                    ])
                #expect(user["total_revenue"] == 22)
                #expect(try desk.store.counts(destinationID: "dst").parked == 0)
            }
        }
    }

    @Test("2: an anonymous visitor under an alias becomes the user by identify; aliases are added; users are merged")
    func joining() async throws {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start([self.destination(desk, address)])
                try desk.emit(
                    [
                        try self.call(
                            1, "identify_calls", .identify, ["anonymousId": "a1", "traits": ["seen": "banner"]]),
                        try self.call(2, "identify_calls", .identify, ["userId": "old", "traits": ["from": "app"]]),
                    ], to: running)
                try await eventually("the visitor is there") { try desk.waiting == 0 }
                try desk.emit(
                    [
                        try self.call(3, "identify_users", .identify, ["anonymousId": "a1", "userId": "u1"]),
                        try self.call(4, "identify_calls", .identify, ["userId": "u1", "traits": ["plan": "pro"]]),
                        // Braze keeps one alias per label.
                        try self.call(
                            5, "alias_new", .alias, ["userId": "u1", "previousId": "p1"],
                            options: ["fields": ["alias_label": "previous"]]),
                        try self.call(
                            6, "create_alias", .track,
                            [
                                "userId": "u1", "event": "Create Alias",
                                "properties": ["alias_name": "k1", "alias_label": "crm"],
                            ]),
                        try self.call(7, "alias_merge", .alias, ["userId": "u1", "previousId": "old"]),
                    ], to: running)
                try await eventually("joined") { try desk.waiting == 0 }
                try await running.stop()
                let user = try self.user(sandbox, "u1")
                #expect(user["custom_attributes"] == ["seen": "banner", "plan": "pro", "from": "app"])
                let aliases = Set((user["user_aliases"]?.array ?? []).compactMap { $0["alias_name"]?.string })
                #expect(aliases == ["a1", "p1", "k1"])
                #expect(try self.user(sandbox, "old") == .null)
                let endpoints = try desk.store.attempts(limit: 100).map { $0.endpoint.split(separator: "/").last ?? "" }
                #expect(Set(endpoints) == ["track", "identify", "new", "merge"])
                #expect(try desk.store.attempts(limit: 100).allSatisfy { $0.outcome == .delivered })
            }
        }
    }

    @Test("2: what a visitor did arrives before identify makes it the user's, also when it must be sent again")
    func joiningInOrder() async throws {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let fault = sandbox.answer(
                    SandboxRequest(
                        "PUT", "/sandbox/api/faults", headers: [("content-type", "application/json")],
                        body: Array(#"{"next":[{"kind":"error","count":2}]}"#.utf8)))
                #expect(fault.status == 200)
                let running = try desk.start([self.destination(desk, address)])
                try desk.emit(
                    [
                        try self.call(1, "track_calls", .track, ["anonymousId": "a1", "event": "Viewed"]),
                        try self.call(
                            2, "identify_users", .identify, ["anonymousId": "a1", "userId": "u1"]),
                        try self.call(3, "identify_calls", .identify, ["userId": "u1", "traits": ["plan": "pro"]]),
                        try self.call(4, "track_calls", .track, ["userId": "u1", "event": "Ordered"]),
                    ], to: running)
                try await eventually("delivered") { try desk.waiting == 0 }
                try await running.stop()
                let user = try self.user(sandbox, "u1")
                #expect(
                    Set((user["custom_events"]?.array ?? []).compactMap { $0["name"]?.string }) == [
                        "Viewed", "Ordered",
                    ]
                )
                #expect(user["user_aliases"]?[0]?["alias_name"] == "a1")
                #expect(user["custom_attributes"] == ["plan": "pro"])
            }
        }
    }

    @Test("2: what was parked of a visitor and is redriven after identify does not undo what the user became since")
    func redrivenAfterJoining() async throws {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let fault = sandbox.answer(
                    SandboxRequest(
                        "PUT", "/sandbox/api/faults", headers: [("content-type", "application/json")],
                        body: Array(#"{"error_status":400,"next":[{"kind":"error","count":1}]}"#.utf8)))
                #expect(fault.status == 200)
                var running = try desk.start([self.destination(desk, address)])
                try desk.emit(
                    [
                        try self.call(
                            1, "identify_calls", .identify,
                            ["anonymousId": "a1", "traits": ["plan": "free", "seen": 1]])
                    ],
                    to: running)
                try await eventually("parked") { try desk.store.counts(destinationID: "dst").parked == 1 }
                try desk.emit(
                    [
                        // The visitor is there after all, and becomes the user.
                        try self.call(2, "track_calls", .track, ["anonymousId": "a1", "event": "Viewed"]),
                        try self.call(3, "identify_users", .identify, ["anonymousId": "a1", "userId": "u1"]),
                        try self.call(4, "identify_calls", .identify, ["userId": "u1", "traits": ["plan": "pro"]]),
                    ], to: running)
                try await eventually("joined") { try desk.waiting == 0 }
                // Also over a restart.
                try await running.stop()
                running = try desk.start([self.destination(desk, address)])
                #expect(try await running.service.redrive(destinationID: "dst") == 1)
                try await eventually("redriven") {
                    let counts = try desk.store.counts(destinationID: "dst")
                    return counts.waiting == 0 && counts.parked == 0
                }
                // Under either name, the latest word holds.
                try desk.emit(
                    [
                        try self.call(5, "identify_calls", .identify, ["anonymousId": "a1", "traits": ["seen": 2]]),
                        try self.call(6, "identify_calls", .identify, ["userId": "u1", "traits": ["seen": 1]]),
                    ], to: running)
                try await eventually("told") { try desk.waiting == 0 }
                try await running.stop()
                #expect(try self.user(sandbox, "u1")["custom_attributes"] == ["plan": "pro", "seen": 1])
            }
        }
    }

    @Test("3: subscription and deletion") func subscriptionAndDeletion() async throws {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start([self.destination(desk, address)])
                let group = "7d8ba1e4-3a0c-4f2b-9c1d-000000000001"
                try desk.emit(
                    [
                        try self.call(1, "identify_calls", .identify, ["userId": "u1", "traits": ["plan": "pro"]]),
                        try self.call(
                            2, "subscription_calls", .group,
                            [
                                "userId": "u1", "groupId": .string(group),
                                "traits": ["subscription_state": "subscribed"],
                            ]),
                    ], to: running)
                try await eventually("subscribed") { try desk.waiting == 0 }
                let status = sandbox.answer(
                    SandboxRequest(
                        "GET", "/subscription/status/get", query: "subscription_group_id=\(group)&external_id=u1",
                        headers: [("authorization", "Bearer \(SandboxConfiguration.defaultKey)")], body: []))
                #expect(try JSONValue(parsing: status.body)["status"]?["u1"] == "Subscribed")
                #expect(try self.user(sandbox, "u1")["external_id"] == "u1")
                try desk.emit(
                    [
                        try self.call(3, "user_deleted", .track, ["userId": "u1", "event": "User Deleted"]),
                        try self.call(4, "user_deleted", .track, ["userId": "nobody", "event": "User Deleted"]),
                    ], to: running)
                try await eventually("deleted") { try desk.waiting == 0 }
                try await running.stop()
                #expect(try self.user(sandbox, "u1") == .null)
                #expect(try desk.store.counts(destinationID: "dst").parked == 0)
            }
        }
    }

    @Test("5: whom a regulation deletes is deleted in Braze where the destination is set so") func regulation() throws {
        let call: JSONValue = ["type": "delete", "userId": "u1"]
        #expect(try braze().map(emission(.delete, call)) == .nothing)
        let request = try objects(braze(["delete_users": "true"]).map(emission(.delete, call)))
        #expect(request.map(\.array) == ["external_ids"])
        #expect(request.map(\.object) == ["u1"])
    }

    @Test("4: the anonymous are refused with the reason; a permission that lacks parks those calls, the rest goes on")
    func refusals() async throws {
        try await SandboxTests.withSandbox(keys: [
            SandboxConfiguration.Key(secret: "track-only-key", permissions: ["users.track"])
        ]) { sandbox, address in
            try await Desk.with { desk in
                let destination = desk.destination(endpoint: address, key: "track-only-key")
                let running = try desk.start([destination])
                try desk.emit(
                    [
                        try self.call(1, "track_calls", .track, ["anonymousId": "a1", "event": "Viewed"]),
                        try self.call(2, "alias_merge", .alias, ["userId": "u1", "previousId": "old"]),
                        try self.call(3, "alias_merge", .alias, ["userId": "u2", "previousId": "older"]),
                        try self.call(4, "track_calls", .track, ["userId": "u1", "event": "Viewed"]),
                    ], to: running)
                try await eventually("settled") { try desk.waiting == 0 }
                try await running.stop()
                let counts = try desk.store.counts(destinationID: "dst")
                #expect(counts.discarded == 1)
                #expect(counts.delivered == 1)
                let parked = try desk.store.outbox(parked: true, limit: 10).compactMap(\.parkedReason)
                #expect(parked.count == 2)
                #expect(parked.allSatisfy { $0.contains("users.merge") })
                let refused = try desk.store.attemptEmissions(
                    DeliveryFilter(destinationID: "dst"), before: nil, limit: 10
                ).filter { $0.messageID == "m1" }
                #expect(refused.first?.detail.contains("/users/track takes identified users only") == true)
                #expect(try desk.store.pauses().isEmpty)
            }
        }
    }
}

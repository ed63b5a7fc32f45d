import BrazeSandbox
import Delivery
import JSON
import Model
import Store
import Testing

@testable import BrazeDestination

// The whole way from the outbox to profiles in the Braze sandbox, which checks requests as Braze does.

@Suite("delivery to the Braze sandbox", .timeLimit(.minutes(20))) struct SandboxTests {
    /// A sandbox on a port of its own, and its base address.
    static func withSandbox(
        _ change: (inout SandboxSwitches) -> Void = { _ in }, keys: [SandboxConfiguration.Key] = [],
        _ body: @escaping @Sendable (BrazeSandboxServer, String) async throws -> Void
    ) async throws {
        var configuration = SandboxConfiguration()
        configuration.port = 0
        configuration.switches.applyDelayMilliseconds = 0
        configuration.clock = { WallClock().now().milliseconds }
        configuration.keys += keys
        change(&configuration.switches)
        let sandbox = try BrazeSandboxServer(configuration)
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let server = Task { try await sandbox.run(logger: .quiet) { running.yield($0 ?? 0) } }
        var port = 0
        for await bound in ports {
            port = bound
            break
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body(sandbox, "http://127.0.0.1:\(port)")) } catch { result = .failure(error) }
        server.cancel()
        _ = await server.result
        try result.get()
    }

    static func profile(_ sandbox: BrazeSandboxServer, _ id: String) throws -> JSONValue {
        try profiles(sandbox, [id])[id] ?? .null
    }

    /// Of those who exist among at most 50, by external id.
    static func profiles(_ sandbox: BrazeSandboxServer, _ ids: some Collection<String>) throws -> [String: JSONValue] {
        let body: JSONValue = [
            "external_ids": .array(ids.map { .string($0) }),
            "fields_to_export": ["external_id", "email", "custom_attributes", "custom_events"],
        ]
        let answer = sandbox.answer(
            SandboxRequest(
                "POST", "/users/export/ids",
                headers: [
                    ("authorization", "Bearer \(SandboxConfiguration.defaultKey)"),
                    ("content-type", "application/json"),
                ], body: body.utf8))
        let users = try JSONValue(parsing: answer.body)["users"]?.array ?? []
        return Dictionary(users.map { ($0["external_id"]?.string ?? "", $0) }) { first, _ in first }
    }

    @Test(
        "a bad e-mail address: the membership arrives without it and says so; a source's call is parked with the field")
    func badEmail() async throws {
        try await Self.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start([
                    desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
                ])
                func identify(_ user: String, _ origin: Emission.Origin) -> Emission {
                    var emission = desk.identify(user, ["vip": true, "email": "kim at example"])
                    emission.origin = origin
                    emission.payload =
                        JSONValue.object([
                            "type": "identify", "userId": .string(user),
                            "traits": ["vip": true, "email": "kim at example"],
                            "context": ["personas": ["computation_class": "audience", "computation_key": "vip"]],
                        ]).utf8
                    return emission
                }
                try desk.emit([identify("u1", .change), identify("u2", .source)], to: running)
                try await eventually("settled") { try desk.waiting == 0 }
                try await running.stop()
                #expect(try Self.profile(sandbox, "u1")["custom_attributes"] == ["vip": true])
                #expect(try Self.profile(sandbox, "u1")["email"] == nil)
                #expect(try Self.profile(sandbox, "u2") == .null)
                let parked = try desk.store.outbox(parked: true, limit: 10).compactMap(\.parkedReason)
                #expect(parked == ["The value provided for the 'email' field is not a valid email."])
                let told = try desk.store.attemptEmissions(
                    DeliveryFilter(destinationID: "dst"), before: nil, limit: 10)
                #expect(told.contains { $0.detail.hasPrefix("Sent without the e-mail address 'kim at example'") })
            }
        }
    }

    @Test("checks 88–90: trait and audience arrive as custom attributes and custom events") func theStory() async throws
    {
        try await Self.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let destination = desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
                let running = try desk.start([destination])
                let test = try await running.service.testConnection(kind: "braze", settings: destination.settings)
                #expect(test == .working)
                try desk.emit(
                    [
                        desk.identify("u1", ["last_product_viewed_item": "Sweater", "email": "kim@example.org"]),
                        desk.identify("u1", ["dormant_shoppers": true, "email": "kim@example.org"]),
                        desk.track("u1", "Audience Entered", ["audience_key": "dormant_shoppers"]),
                    ], to: running)
                try await eventually("entered") { try desk.waiting == 0 }
                try desk.emit(
                    [
                        desk.identify("u1", ["dormant_shoppers": false, "email": "kim@example.org"]),
                        desk.track("u1", "Audience Exited", ["audience_key": "dormant_shoppers"]),
                    ], to: running)
                try await eventually("left") { try desk.waiting == 0 }
                try await running.stop()

                #expect(try desk.store.attempts(limit: 10).allSatisfy { $0.outcome == .delivered })
                let profile = try Self.profile(sandbox, "u1")
                #expect(
                    profile["custom_attributes"] == ["last_product_viewed_item": "Sweater", "dormant_shoppers": false])
                #expect(profile["email"] == "kim@example.org")
                let events = profile["custom_events"]?.array ?? []
                #expect(events.map { $0["name"] } == ["Audience Entered", "Audience Exited"])
                #expect(events.map { $0["count"] } == [1, 1])
            }
        }
    }

    @Test("a wrong key and a bad address: the sandbox's words reach the person who must act") func words() async throws
    {
        try await Self.withSandbox { _, address in
            try await Desk.with { desk in
                let running = try desk.start([desk.destination(endpoint: address, key: "another-key")])
                try desk.emit([desk.identify("u1", ["vip": true])], to: running)
                try await eventually("paused") { try desk.store.pauses()["dst"] != nil }
                #expect(try desk.store.pauses()["dst"]?.reason.contains("401 Invalid API Key") == true)
                try await running.stop()

                let again = try desk.start([desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)])
                try desk.emit(
                    [desk.identify("u2", ["vip": true, "email": "no address"]), desk.identify("u3", ["vip": true])],
                    to: again)
                try await eventually("settled") { try desk.waiting == 0 }
                try await again.stop()
                let parked = try desk.store.outbox(parked: true, limit: 10)
                #expect(
                    parked.map(\.parkedReason) == ["The value provided for the 'email' field is not a valid email."])
                #expect(try desk.store.counts(destinationID: "dst").delivered == 2)
            }
        }
    }

    @Test("TX 20: paced by a tiny limit, nothing is lost and few calls are turned away") func tinyLimit() async throws {
        try await Self.withSandbox({ switches in
            switches.rateMode = .tiny
            switches.tinyLimit = 4
        }) { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start(
                    [desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)])
                try desk.emit((0..<600).map { desk.track("u\($0)", "Audience Entered") }, to: running)
                try await eventually("delivered") { try desk.waiting == 0 }
                try await running.stop()
                let refused = try desk.store.attempts(limit: 100).count { $0.status == 429 }
                #expect(refused <= 16)
                for person in ["u0", "u300", "u599"] {
                    let events = try Self.profile(sandbox, person)["custom_events"]
                    #expect(events?[0]?["count"] == 1)
                }
            }
        }
    }
}

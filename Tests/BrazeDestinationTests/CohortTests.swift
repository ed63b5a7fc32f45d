import BrazeSandbox
import Delivery
import JSON
import Model
import Store
import Testing

@testable import BrazeDestination

@Suite("braze-destination §11: cohorts", .timeLimit(.minutes(20))) struct CohortTests {
    private static let settings: JSONObject = [
        "endpoint": "US-01", "partner_api_key": "the-partner-key", "client_secret": "the-client-secret",
    ]

    private func membership(
        _ number: Int, _ user: String?, _ isMember: Bool, audience: String = "big_spenders", anonymous: String? = nil,
        destination: String = "coh"
    ) -> Emission {
        var call: JSONObject = ["type": "identify", "traits": .object([audience: .bool(isMember)])]
        call["userId"] = user.map { .string($0) }
        call["anonymousId"] = anonymous.map { .string($0) }
        call["context"] = [
            "personas": [
                "computation_class": "audience", "computation_id": .string("aud_\(audience)"),
                "computation_key": .string(audience),
            ]
        ]
        return Emission(
            sequence: Int64(number), destinationID: destination, computationID: "aud_\(audience)",
            computationKey: audience, profile: ProfileOrdinal(1), kind: .identify, messageID: "personas_\(number)",
            timestamp: Instant(milliseconds: Int64(number)), payload: JSONValue.object(call).utf8)
    }

    private func outgoing(_ mapping: Mapping) throws -> [OutgoingObject] {
        try objects(mapping).map { OutgoingObject(array: $0.array, json: $0.object.utf8) }
    }

    @Test("those who come and those who go, by user id or alias; secrets join when the request leaves") func request()
        throws
    {
        let cohorts = try BrazeCohorts(
            settings: JSONObject(Self.settings.members + [(key: "anonymous_alias_label", value: "anon")]))
        let objects = try [
            membership(1, "u1", true), membership(2, "u2", false), membership(3, nil, true, anonymous: "a1"),
        ].flatMap { try outgoing(cohorts.map($0)) }
        let request = cohorts.request(for: objects)
        #expect(request.url == "https://rest.iad-01.braze.com/partners/segment/cohorts/users")
        let body: JSONObject = [
            "cohort_id": "aud_big_spenders",
            "cohort_changes": [
                ["user_ids": ["u1"], "aliases": [["alias_name": "a1", "alias_label": "anon"]]],
                ["user_ids": ["u2"], "should_remove": true],
            ],
        ]
        #expect(try JSONValue(parsing: request.body) == .object(body))
        let sealed = try JSONValue(parsing: cohorts.seal(request, at: .epoch).body)
        #expect(sealed["partner_api_key"] == "the-partner-key" && sealed["client_secret"] == "the-client-secret")
        #expect(!request.headers.contains { $0.value.contains("the-") })
        let preparation = try #require(cohorts.preparation(for: objects, at: .epoch))
        #expect(
            try JSONValue(parsing: preparation.request.body) == [
                "cohort_id": "aud_big_spenders", "name": "big_spenders", "created_at": "1970-01-01T00:00:00.000Z",
            ])
        #expect(
            refusal(try BrazeCohorts(settings: Self.settings).map(membership(4, nil, true, anonymous: "a1"))) != nil)
        // Computed traits and calls of sources are no memberships.
        #expect(
            refusal(cohorts.map(emission(.identify, ["type": "identify", "userId": "u1", "traits": ["x": 1]]))) != nil)
    }

    @Test("settings that lack a secret say where to get it; answers become verdicts") func answers() throws {
        for field in ["partner_api_key", "client_secret"] {
            var settings = Self.settings
            settings[field] = nil
            let error = #expect(throws: SettingsError.self) { try BrazeCohorts(settings: settings) }
            #expect(error?.field == field && error?.remedy.isEmpty == false)
        }
        let cohorts = try BrazeCohorts(settings: Self.settings)
        func verdict(_ status: Int, _ message: String) -> Verdict {
            cohorts.interpret(
                DestinationResponse(status: status, body: JSONValue.object(["message": .string(message)]).utf8), to: [])
        }
        #expect(verdict(201, "success") == .taken(rejected: [:], unplaced: []))
        #expect(verdict(423, "locked") == .unavailable(message: "423 locked"))
        #expect(verdict(429, "slower") == .throttled(message: "429 slower"))
        #expect(verdict(400, "bad") == .refused(message: "400 bad"))
        guard case .misconfigured(let reason) = verdict(401, "Invalid client secret") else {
            Issue.record("401 is for people to mend")
            return
        }
        #expect(reason.contains("Invalid client secret") && !reason.contains("the-client-secret"))
    }

    @Test("TX 87: the cohort is there before its first member; of one person the latest counts") func endToEnd()
        async throws
    {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                var destination = Destination(
                    id: "coh", kind: "braze_cohorts", name: "Cohorts",
                    settings: [
                        "endpoint": .string(address), "partner_api_key": "sandbox-partner-key",
                        "client_secret": "wrong",
                    ], createdAt: .epoch)
                let braze = desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
                let running = try desk.start([braze, destination])
                // Braze skips whom it does not know.
                try desk.emit((1...3).map { desk.identify("u\($0)", ["plan": "pro"]) }, to: running)
                try await eventually("people are there") { try desk.waiting == 0 }
                #expect(
                    try await running.service.testConnection(kind: "braze_cohorts", settings: destination.settings)
                        != .working)
                try desk.emit(
                    [
                        self.membership(1, "u1", true), self.membership(2, "u2", true), self.membership(3, "u1", false),
                        self.membership(4, "u3", true, audience: "others"), self.membership(5, "nobody", true),
                    ], to: running)
                try await eventually("the wrong secret pauses") { try desk.store.pauses()["coh"] != nil }
                destination.settings["client_secret"] = "sandbox-client-secret"
                running.service.destinationsChanged([braze, destination])
                func waiting() throws -> Int { try desk.store.counts(destinationID: "coh").waiting }
                try await eventually("members are told") { try waiting() == 0 }
                #expect(try self.members(sandbox, "aud_big_spenders") == ["u2"])
                #expect(try self.members(sandbox, "aud_others") == ["u3"])
                // Nothing is told twice; who leaves is removed.
                let before = try desk.store.attempts(limit: 100).count
                try desk.emit([self.membership(6, "u2", true)], to: running)
                try await eventually("known") { try waiting() == 0 }
                #expect(try desk.store.attempts(limit: 100).count == before)
                try desk.emit([self.membership(7, "u2", false)], to: running)
                try await eventually("left") { try waiting() == 0 }
                try await running.stop()
                #expect(try self.members(sandbox, "aud_big_spenders") == [])
                #expect(try SandboxTests.profile(sandbox, "u3")["custom_attributes"] == ["plan": "pro"])
                for attempt in try desk.store.attempts(limit: 100) {
                    #expect(!"\(attempt)".contains("sandbox-client-secret"))
                }
            }
        }
    }

    /// By the filter *Segment Cohorts*.
    private func members(_ sandbox: BrazeSandboxServer, _ id: String) throws -> [String] {
        let body: JSONValue = [
            "groups": [["filters": [["kind": "cohort", "partner": "segment", "id": .string(id), "include": true]]]]
        ]
        let answer = sandbox.answer(
            SandboxRequest(
                "POST", "/sandbox/api/segments/preview", headers: [("content-type", "application/json")],
                body: body.utf8))
        return (try JSONValue(parsing: answer.body)["members"]?.array ?? []).compactMap { $0["external_id"]?.string }
    }
}

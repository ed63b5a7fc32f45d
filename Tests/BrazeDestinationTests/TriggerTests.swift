import BrazeSandbox
import Delivery
import JSON
import Model
import Store
import Testing

@testable import BrazeDestination

/// Goal: events send campaigns and Canvases as braze-destination §10 says. Method: bodies written by hand, then the way
/// from the outbox to the sandbox's record of who got it.
@Suite("braze-destination §10: Trigger Campaign, Trigger Canvas", .timeLimit(.minutes(20))) struct TriggerTests {
    private static func options(_ kind: String, _ more: JSONObject) throws -> JSONObject {
        let trigger = try #require(BrazeDestination.triggers.first { $0.name == kind })
        let id: JSONObject = kind == "trigger_campaign" ? ["campaignId": "c1"] : ["canvasId": "v1"]
        return JSONObject(trigger.options.members + id.members + more.members)
    }

    private static func call(
        _ kind: String, _ options: JSONObject = [:], _ body: JSONObject = ["userId": "u1"]
    ) throws -> JSONValue {
        var call: JSONObject = [
            "type": "track", "event": "Ordered", "properties": ["total": 12, "url": "https://example.org/i.pdf"],
            "mapping": .object(try Self.options(kind, options)),
        ]
        for (name, value) in body.members { call[name] = value }
        return .object(call)
    }

    private func sent(_ call: JSONValue, _ settings: JSONObject = [:]) throws -> JSONValue {
        let mapping = try braze(settings).map(emission(.track, call))
        let made = try objects(mapping)
        #expect(made.count == 1)
        return made.first?.object ?? .null
    }

    @Test("1: the event's user gets the campaign with all properties; the request is the object itself") func user()
        throws
    {
        let destination = try braze()
        let mapping = destination.map(emission(.track, try Self.call("trigger_campaign")))
        guard case .occurrence(let person, let happened) = mapping else { throw Unexpected() }
        #expect(person == "external_id:u1")
        let request = destination.request(for: happened.objects)
        #expect(request.url == "https://rest.iad-01.braze.com/campaigns/trigger/send")
        #expect(request.headers.allSatisfy { $0.name != "X-Braze-Batch" })
        #expect(
            try JSONValue(parsing: request.body) == [
                "campaign_id": "c1", "trigger_properties": ["total": 12, "url": "https://example.org/i.pdf"],
                "recipients": [["external_user_id": "u1"]],
            ])
    }

    @Test("2: a Canvas takes canvas_entry_properties and knows neither send id nor attachments") func canvas() throws {
        let call = try Self.call("trigger_canvas", ["properties": ["sum": "$.properties.total", "why": "order"]])
        #expect(
            try sent(call) == [
                "canvas_id": "v1", "canvas_entry_properties": ["sum": 12, "why": "order"],
                "recipients": [["external_user_id": "u1"]],
            ])
        let destination = try braze()
        #expect(
            destination.request(for: [OutgoingObject(array: "canvas_trigger", [:])]).url.hasSuffix(
                "/canvas/trigger/send"))
    }

    @Test("3: send id, attachments, attributes and people to create") func everything() throws {
        let call = try Self.call(
            "trigger_campaign",
            [
                "sendId": "order-{{properties.total}}",
                "attachments": ["invoice.pdf": "$.properties.url", "none": "$.properties.x"],
                "attributes": ["last_total": "$.properties.total"], "createUsers": true,
            ])
        #expect(
            try sent(call) == [
                "campaign_id": "c1", "send_id": "order-12",
                "trigger_properties": ["total": 12, "url": "https://example.org/i.pdf"],
                "attachments": [["file_name": "invoice.pdf", "url": "https://example.org/i.pdf"]],
                "recipients": [
                    ["external_user_id": "u1", "attributes": ["last_total": 12], "send_to_existing_only": false]
                ],
            ])
        guard case .occurrence(_, let happened) = try braze().map(emission(.track, call)) else { throw Unexpected() }
        #expect(happened.touchedNames == ["last_total"])
        // The message is free; the attribute that goes along is one data point.
        #expect(try braze().pricing.cost(of: .occurrence(person: "", happened)) == 1)
    }

    @Test("4: by alias, by address with a prioritization that is copied into each recipient") func identifiers() throws
    {
        let anonymous = try Self.call("trigger_campaign", [:], ["anonymousId": "a1"])
        #expect(
            try sent(anonymous, ["anonymous_alias_label": "anon"])["recipients"] == [
                ["user_alias": ["alias_name": "a1", "alias_label": "anon"]]
            ])
        let address: JSONObject = ["anonymousId": "a1", "context": ["traits": ["email": "kim@example.org"]]]
        #expect(
            try sent(Self.call("trigger_campaign", [:], address))["recipients"] == [
                ["email": "kim@example.org", "prioritization": ["identified", "most_recently_updated"]]
            ])
        let chosen: JSONObject = [
            "firstPriority": "unidentified", "secondPriority": "least_recently_updated", "to": "list",
        ]
        let list = try Self.call(
            "trigger_campaign", chosen,
            ["userId": "u1", "properties": ["recipients": ["u2", ["email": "x@example.org"]]]])
        #expect(
            try sent(list)["recipients"] == [
                ["external_user_id": "u2", "prioritization": ["unidentified", "least_recently_updated"]],
                ["email": "x@example.org", "prioritization": ["unidentified", "least_recently_updated"]],
            ])
        guard case .occurrence(let person, let happened) = try braze().map(emission(.track, list)) else {
            throw Unexpected()
        }
        #expect(person == "external_id:u1")
        #expect(happened.follows == ["email:x@example.org", "external_id:u2"])
    }

    @Test("5: a broadcast has no recipients, and may have an audience") func broadcast() throws {
        let audience: JSONValue = [
            "AND": [["custom_attribute": ["custom_attribute_name": "vip", "comparison": "equals", "value": true]]]
        ]
        let call = try Self.call("trigger_campaign", ["to": "broadcast", "audience": audience], ["anonymousId": "a1"])
        let body = try sent(call)
        #expect(body["broadcast"] == true)
        #expect(body["recipients"] == nil)
        #expect(body["audience"] == audience)
    }

    @Test(
        "6: refused before Braze: nobody to send to, an empty or too long list, a nobody in it, properties that are none",
        arguments: [
            ([:], ["anonymousId": "a1"], "needs somebody to go to"),
            (["to": "list"], [:], "the list is empty"),
            (
                ["to": "list", "recipients": "$.properties.r"],
                ["properties": ["r": .array(Array(repeating: "u", count: 51))]], "51 people"
            ),
            (["to": "list"], ["properties": ["recipients": ["u1", ["name": "Kim"]]]], "recipients[1]: names nobody"),
            (["to": "list"], ["properties": ["recipients": [["user_alias": ["alias_name": "a"]]]]], "names nobody"),
            ([:], ["userId": "u1", "properties": [1, 2]], "trigger_properties: is not an object"),
            (
                [:], ["userId": "u1", "properties": ["x": .string(String(repeating: "x", count: 52_000))]],
                "Braze takes 51200"
            ),
        ] as [(JSONObject, JSONObject, String)])
    func refusals(_ options: JSONObject, _ body: JSONObject, _ words: String) throws {
        let reason = refusal(try braze().map(emission(.track, try Self.call("trigger_campaign", options, body))))
        #expect(reason?.contains(words) == true, "\(reason ?? "sent")")
    }

    @Test("7: what was taken, with Braze's notice; unknown campaigns are parked; a permission that lacks is named")
    func answers() throws {
        let destination = try braze()
        let objects = [OutgoingObject(array: "campaign_trigger", [:])]
        func verdict(_ status: Int, _ body: JSONValue) -> Verdict {
            destination.interpret(DestinationResponse(status: status, body: body.utf8), to: objects)
        }
        #expect(verdict(201, ["message": "success", "dispatch_id": "d"]) == .taken(rejected: [:], unplaced: []))
        #expect(
            verdict(201, ["message": "success", "notice": "1 unknown"])
                == .taken(rejected: [:], unplaced: ["1 unknown"]))
        #expect(verdict(201, ["message": "queued"]) == .notTaken(message: "201 queued"))
        #expect(verdict(400, ["message": "Invalid Campaign ID"]) == .refused(message: "400 Invalid Campaign ID"))
        guard case .rejected(let named, _) = verdict(403, ["message": "Access Denied"]) else { throw Unexpected() }
        #expect(named[0]?.contains("campaigns.trigger.send") == true)
    }

    private struct Unexpected: Error {}

    // MARK: Delivered

    private func outboxed(_ number: Int, _ call: JSONValue) -> Emission {
        Emission(
            destinationID: "dst", computationID: "src_web", computationKey: "", profile: ProfileOrdinal(1),
            kind: .track,
            messageID: "m\(number)", timestamp: Instant(milliseconds: Int64(number)), payload: call.utf8,
            origin: .source)
    }

    private static func page(_ sandbox: BrazeSandboxServer, _ method: String, _ path: String, _ body: JSONValue = [:])
        throws
        -> JSONValue
    {
        let answer = sandbox.answer(
            SandboxRequest(
                method, "/sandbox/api\(path)", headers: [("content-type", "application/json")],
                body: method == "GET" ? [] : body.utf8))
        return try JSONValue(parsing: answer.body)
    }

    /// A campaign for those who are VIPs; its filter needs an attribute that the sandbox has seen.
    private func campaign(
        _ desk: Desk, _ sandbox: BrazeSandboxServer, _ running: Desk.Running
    ) async throws -> JSONValue {
        try desk.emit([desk.identify("u0", ["vip": true])], to: running)
        try await eventually("seen") { try desk.waiting == 0 }
        let target: JSONValue = [
            "name": "Thanks",
            "filters": ["groups": [["filters": [["kind": "attribute", "name": "vip", "op": "is_true"]]]]],
        ]
        let answer = try Self.page(sandbox, "POST", "/campaigns", target)
        return try #require(answer["id"], "\(answer)")
    }

    @Test("8: what the person became before is there when the message is sent; the sandbox shows who got it")
    func delivered() async throws {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start([
                    desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
                ])
                let campaign = try await self.campaign(desk, sandbox, running)
                func trigger(_ user: String) throws -> JSONValue {
                    try Self.call("trigger_campaign", ["campaignId": campaign], ["userId": .string(user)])
                }
                try desk.emit(
                    [
                        desk.identify("u1", ["vip": true]), desk.track("u1", "Ordered"),
                        self.outboxed(1, try trigger("u1")), self.outboxed(2, try trigger("u2")),
                    ], to: running)
                try await eventually("sent") { try desk.waiting == 0 }
                try await running.stop()
                let sends = try Self.page(sandbox, "GET", "/sends")["sends"]?.array ?? []
                #expect(sends.map { $0["recipients"] }.contains(["u1"]))
                #expect(sends.map { $0["count"] }.sorted { ($0?.integer ?? 0) < ($1?.integer ?? 0) } == [0, 1])
                #expect(sends.allSatisfy { $0["source"] == "api" && $0["properties"]?["total"] == 12 })
                let rows = try desk.store.attemptEmissions(limit: 10)
                #expect(
                    rows.first { $0.messageID == "m2" }?.detail.contains("unknown or not in the message's audience")
                        == true)
                #expect(try desk.store.counts(destinationID: "dst").parked == 0)
            }
        }
    }

    @Test("9: an unknown campaign is parked with Braze's words, and what comes after it goes on") func parked()
        async throws
    {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start([
                    desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
                ])
                try desk.emit(
                    [self.outboxed(1, try Self.call("trigger_canvas")), desk.identify("u1", ["vip": true])], to: running
                )
                try await eventually("settled") { try desk.waiting == 0 }
                try await running.stop()
                let parked = try desk.store.outbox(parked: true, limit: 10).compactMap(\.parkedReason)
                #expect(parked == ["400 Invalid Canvas ID"])
                #expect(try SandboxTests.profile(sandbox, "u1")["custom_attributes"] == ["vip": true])
            }
        }
    }

    @Test("10: an answer that is lost may have sent the message: it is sent again, and said and counted as with events")
    func lost() async throws {
        try await SandboxTests.withSandbox { sandbox, address in
            try await Desk.with { desk in
                let running = try desk.start([
                    desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
                ])
                let campaign = try await self.campaign(desk, sandbox, running)
                let fault = try Self.page(sandbox, "PUT", "/faults", ["next": [["kind": "lost_answer", "count": 1]]])
                #expect(fault["message"] == nil, "\(fault)")
                try desk.emit(
                    [self.outboxed(1, try Self.call("trigger_campaign", ["campaignId": campaign]))], to: running)
                try await eventually("sent") { try desk.waiting == 0 }
                try await running.stop()
                #expect(try Self.page(sandbox, "GET", "/sends")["sends"]?.array?.count == 2)
                let counts = try desk.store.counts(destinationID: "dst")
                #expect(counts.unknownOutcomes == 1)
                #expect(counts.possibleDuplicates == 1)
                #expect(
                    try desk.store.attemptEmissions(limit: 10).first?.detail.contains("may have taken effect twice")
                        == true)
            }
        }
    }
}

import BrazeSandbox
import Engine
import JSON
import Logging
import Model
import Store
import Testing

@testable import API

/// Sources connected straight to destinations, the event tester, webhooks, and what connections can change.
@Suite struct SourceConnectionTests {
    private func source(_ client: Client) async throws -> String {
        let created = try await client.post("/sources", ["name": "Website"])
        return try #require(created.data["source"]?["id"]?.string)
    }

    @Test("1: a connection has the presets that are on at first, takes changes, and says what is wrong with them")
    func presets() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let (source, destination) = (try await self.source(client), try await client.destination())
            let path = "/sources/\(source)/destination-connections"
            let made = try await client.post(path, ["destinationId": .string(destination)])
            let presets = try #require(made.data["connection"]?["presets"]?.object)
            let on = presets.members.filter { $0.value["enabled"] == true }.map(\.key)
            #expect(Set(on) == ["identify_calls", "track_calls", "order_completed"])
            #expect(made.data["connection"]?["status"] == "Connected")

            let changed = try await client.patch(
                "\(path)/\(destination)",
                [
                    "presets": [
                        "product_viewed": ["enabled": true],
                        "track_calls": ["renameEvents": ["Old": "New"], "updateExistingOnly": true],
                        "page_calls": ["enabled": true, "eventName": "Saw {{name}}"],
                    ]
                ])
            #expect(changed.data["connection"]?["presets"]?["page_calls"]?["eventName"] == "Saw {{name}}")
            let mappings = try #require(installation.engine.read { $0.sources[source]?.connections.first?.mappings })
            let tracks = try #require(mappings.first { $0.preset == "track_calls" })
            #expect(Set(tracks.otherThan) == ["Order Completed", "Product Viewed"])
            #expect(tracks.options["updateExistingOnly"] == true)
            // Null brings the default back; what is not named stays.
            _ = try await client.patch(
                "\(path)/\(destination)", ["presets": ["page_calls": ["eventName": nil]]])
            let after = try #require(installation.engine.read { $0.sources[source]?.connections.first?.mappings })
            #expect(after.first { $0.preset == "page_calls" }?.options["eventName"] == "Viewed {{name}} Page")
            #expect(after.first { $0.preset == "track_calls" } == tracks)

            let wrong: [(JSONValue, String)] = [
                (["nope": ["enabled": true]], "presets.nope"), (["track_calls": ["x": 1]], "presets.track_calls.x"),
                (["track_calls": ["renameEvents": ["a": 1]]], "presets.track_calls.renameEvents"),
                (["track_calls": ["enabled": "yes"]], "presets.track_calls.enabled"),
                (["identify_users": ["mergeBehavior": "some"]], "presets.identify_users.mergeBehavior"),
            ]
            for (presets, field) in wrong {
                let answer = try await client.patch("\(path)/\(destination)", ["presets": presets])
                #expect(answer.status == 422 || answer.status == 400)
                #expect(answer.error["field"] == .string(field), "\(answer.text)")
            }
            #expect(try await client.post(path, ["destinationId": .string(destination)]).status == 409)
            #expect(try await client.post(path, ["destinationId": "dst_no"]).error["field"] == "destinationId")

            let listed = try await client.get("/destinations/\(destination)/source-connections")
            #expect(listed.data["connections"]?[0]?["sourceName"] == "Website")
            #expect(try await client.get("/sources/\(source)").data["source"]?["connections"]?.array?.count == 1)
            #expect(try await client.delete("\(path)/\(destination)").status == 200)
            #expect(try await client.get(path).data["connections"] == [])
            #expect(try await client.delete("\(path)/\(destination)").status == 404)
        }
    }

    @Test("1: triggers: any number, each with events and a condition; what is wrong is named; the tester says why not")
    func triggers() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let (source, destination) = (try await self.source(client), try await client.destination())
            let path = "/sources/\(source)/destination-connections"
            let catalog = try await client.get("/destinations/catalog").data["catalog"]?[0]
            #expect(catalog?["triggers"]?.array?.map { $0["name"] } == ["trigger_campaign", "trigger_canvas"])
            #expect(catalog?["triggers"]?[0]?["settings"]?[0]?["isRequired"] == true)
            let thanks: JSONValue = [
                "kind": "trigger_campaign", "name": "Thanks", "events": ["Order Completed"],
                "condition": "property('total')>=100 and property('country') == 'DE'", "campaignId": "c1",
                "properties": ["sum": "$.properties.total"],
            ]
            let journey: JSONValue = ["kind": "trigger_canvas", "canvasId": "v1", "to": "broadcast"]
            let made = try await client.post(
                path, ["destinationId": .string(destination), "triggers": [thanks, journey]])
            let triggers = try #require(made.data["connection"]?["triggers"]?.array, "\(made.text)")
            #expect(triggers.count == 2)
            #expect(triggers[0]["condition"] == "property('total') >= 100 AND property('country') = 'DE'")
            #expect(triggers[0]["properties"] == ["sum": "$.properties.total"])
            #expect(triggers[1]["events"] == [])
            #expect(triggers[0]["id"] != triggers[1]["id"])
            // What is not named stays, here all triggers; a given id keeps a trigger what it was.
            let kept = try await client.patch("\(path)/\(destination)", ["enabled": true])
            #expect(kept.data["connection"]?["triggers"] == .array(triggers))
            let again = try await client.patch("\(path)/\(destination)", ["triggers": .array([triggers[0]])])
            #expect(again.data["connection"]?["triggers"] == .array([triggers[0]]), "\(again.text)")

            func test(_ event: JSONValue) async throws -> JSONValue {
                let answer = try await client.post(
                    "/destinations/\(destination)/test-event", ["event": event, "sourceId": .string(source)])
                return try #require(answer.data["test"], "\(answer.text)")
            }
            let order: JSONObject = ["type": "track", "userId": "u1", "event": "Order Completed"]
            func with(_ properties: JSONValue) -> JSONValue {
                .object(JSONObject(order.members + [(key: "properties", value: properties)]))
            }
            let fired = try await test(with(["total": 120, "country": "DE"]))
            let result = try #require(fired["results"]?.array?.last)
            #expect(result["mapping"]?["preset"] == "Thanks")
            #expect(result["request"]?["endpoint"]?.string?.hasSuffix("/campaigns/trigger/send") == true)
            #expect(
                result["request"]?["body"] == [
                    "campaign_id": "c1", "trigger_properties": ["sum": 120], "recipients": [["external_user_id": "u1"]],
                ])
            func notes(_ test: JSONValue) -> String { test["notes"]?.array?.compactMap(\.string).joined() ?? "" }
            #expect(!notes(fired).contains("does not fire"))
            #expect(
                notes(try await test(with(["total": 99, "country": "DE"]))).contains("its condition does not hold"))
            let other = try await test(["type": "track", "userId": "u1", "event": "Viewed"])
            #expect(notes(other).contains("The trigger 'Thanks' does not fire: it waits for 'Order Completed'"))

            let wrong: [(JSONValue, String)] = [
                (["kind": "trigger_campaign"], "triggers[0].campaignId"), (["kind": "nope"], "triggers[0].kind"),
                (["campaignId": "c1"], "triggers[0].kind"),
                (["kind": "trigger_campaign", "campaignId": "c1", "x": 1], "triggers[0].x"),
                (["kind": "trigger_campaign", "campaignId": "c1", "to": "all"], "triggers[0].to"),
                (["kind": "trigger_campaign", "campaignId": "c1", "audience": "x"], "triggers[0].audience"),
                (
                    ["kind": "trigger_campaign", "campaignId": "c1", "condition": "trait('x') = 1"],
                    "triggers[0].condition"
                ),
                (
                    ["kind": "trigger_campaign", "campaignId": "c1", "condition": "event('A').count() >= 1"],
                    "triggers[0].condition"
                ),
                (["kind": "trigger_campaign", "campaignId": "c1", "condition": "total > 5"], "triggers[0].condition"),
                (["kind": "trigger_campaign", "campaignId": "c1", "events": [""]], "triggers[0].events[0]"),
            ]
            for (trigger, field) in wrong {
                let answer = try await client.patch("\(path)/\(destination)", ["triggers": [trigger]])
                #expect(answer.error["field"] == .string(field), "\(answer.text)")
            }
            let same = try await client.patch(
                "\(path)/\(destination)", ["triggers": .array([triggers[0], triggers[0]])])
            #expect(same.error["field"] == "triggers[1].id")
            let webhook = try await client.post(
                "/destinations",
                ["kind": "webhook", "settings": ["url": "https://example.org/in", "secret": "0123456789abcdef"]])
            let id = webhook.data["destination"]?["id"] ?? .null
            let none = try await client.post(path, ["destinationId": id, "triggers": [thanks]])
            #expect(none.error["field"] == "triggers[0].kind", "\(none.text)")
        }
    }

    @Test("2: calls that arrive are put into the outbox of a connected destination, each once")
    func outbox() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let (source, destination) = (try await self.source(client), try await client.destination())
            _ = try await client.post(
                "/sources/\(source)/destination-connections", ["destinationId": .string(destination)])
            var call = installation.track("Viewed", user: "u1", ["price": 3], id: "m1")
            call.sourceID = source
            try await installation.send(call)
            try await installation.send(call)
            let waiting = try await client.get("/destinations/\(destination)/emissions?state=waiting")
            let rows = try #require(waiting.data["emissions"]?.array)
            #expect(rows.count == 1)
            #expect(rows[0]["computationName"] == "Website")
            #expect(rows[0]["payload"]?["properties"]?["price"] == 3)
        }
    }

    @Test("3: the event tester shows mapping and request without sending, and refuses the anonymous with the reason")
    func dryRun() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let destination = try await client.destination()
            func test(_ event: JSONValue) async throws -> JSONValue {
                let answer = try await client.post("/destinations/\(destination)/test-event", ["event": event])
                return try #require(answer.data["test"], "\(answer.text)")
            }
            let fine = try await test([
                "type": "identify", "userId": "u1", "traits": ["plan": "pro", "email": "kim@example.org"],
                "context": ["library": ["name": "analytics.js"]],
            ])
            #expect(fine["ok"] == true)
            #expect(fine["sent"] == false)
            let result = try #require(fine["results"]?[0])
            #expect(result["mapping"]?["outcome"] == "values")
            #expect(result["mapping"]?["preset"] == "identify_calls")
            #expect(result["request"]?["endpoint"] == "POST http://127.0.0.1:1/users/track")
            #expect(
                result["request"]?["body"]?["attributes"]?[0] == [
                    "plan": "pro", "email": "kim@example.org", "external_id": "u1", "_update_existing_only": false,
                ])
            #expect(result["response"] == .null)
            #expect(fine["notes"]?[0]?.string?.contains("side-by-side") == true)
            #expect(!fine.description.contains("12345678-key"))

            let anonymous = try await test(["type": "track", "anonymousId": "a1", "event": "Viewed"])
            #expect(anonymous["ok"] == false)
            #expect(anonymous["results"]?[0]?["mapping"]?["outcome"] == "refused")
            #expect(
                anonymous["results"]?[0]?["message"]?.string?.contains("/users/track takes identified users only")
                    == true)

            let device = try await test([
                "type": "track", "userId": "u1", "event": "Viewed", "_metadata": ["bundled": ["Braze"]],
            ])
            #expect(device["notes"]?[0]?.string?.contains("device mode") == true)
            let unmapped = try await test(["type": "page", "userId": "u1"])
            #expect(unmapped["ok"] == false)
            #expect(unmapped["notes"]?[0]?.string?.hasPrefix("No preset") == true)

            for (event, field) in [
                (["type": "x"], "event.type"), (["type": "track", "userId": "u1"], "event.event"),
                (["type": "identify", "userId": []], "event.userId"),
                (["type": "identify", "timestamp": "soon"], "event.timestamp"),
            ] as [(JSONValue, String)] {
                let answer = try await client.post("/destinations/\(destination)/test-event", ["event": event])
                #expect(answer.error["field"] == .string(field), "\(answer.text)")
            }
        }
    }

    @Test("4: the present value of an audience on a profile can be tested as its connection would send it")
    func valueOfAProfile() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let destination = try await client.destination()
            let audience = try await client.audience("Viewers", "event('Viewed').count() >= 1")
            try await installation.send(installation.track("Viewed", user: "u1"))
            _ = try await client.settled(audience)
            let made = try await client.post(
                "/spaces/spa_muster/audiences/\(audience)/destination-connections",
                [
                    "destination": ["id": .string(destination)],
                    "connectionSettings": [
                        "sendTrack": true, "keyName": "viewer", "updateExistingOnly": true,
                        "traitEnrichment": [["trait": "plan", "name": "subscription"]],
                    ],
                    "idSyncConfiguration": [["externalId": "user_id", "strategy": "last"]],
                ])
            #expect(made.status == 200, "\(made.text)")
            #expect(made.data["connection"]?["idSyncConfiguration"]?[0]?["mapTo"] == "user_id")
            let profiles = try await client.get("/spaces/spa_muster/audiences/\(audience)/members")
            let profile = try #require(profiles.data["members"]?[0]?["profileId"])
            let waiting = try installation.engine.store.counts(destinationID: destination).waiting
            let answer = try await client.post(
                "/destinations/\(destination)/test-event", ["profile": profile, "computation": .string(audience)])
            let results = try #require(answer.data["test"]?["results"]?.array, "\(answer.text)")
            #expect(results.count == 2)
            #expect(
                results[0]["request"]?["body"]?["attributes"] == [
                    ["viewer": true, "external_id": "u1", "_update_existing_only": true]
                ])
            #expect(results[1]["request"]?["body"]?["events"]?[0]?["name"] == "Audience Entered")
            #expect(try installation.engine.store.counts(destinationID: destination).waiting == waiting)
            let wrong = try await client.patch(
                "/spaces/spa_muster/audiences/\(audience)/destination-connections/\(destination)",
                ["idSyncConfiguration": [["externalId": "email", "strategy": "newest"]]])
            #expect(wrong.error["field"] == "idSyncConfiguration[0].strategy")
        }
    }

    @Test("5: the tester sends to a Braze when asked, shows its answer and records the request")
    func sends() async throws {
        var configuration = SandboxConfiguration()
        configuration.port = 0
        let sandbox = try BrazeSandboxServer(configuration)
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = Task { try await sandbox.run(logger: quiet) { running.yield($0 ?? 0) } }
        defer { server.cancel() }
        var port = 0
        for await bound in ports {
            port = bound
            break
        }
        let address = "http://127.0.0.1:\(port)"
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let made = try await client.post(
                "/destinations",
                [
                    "kind": "braze", "name": "Sandbox",
                    "settings": ["endpoint": .string(address), "api_key": .string(SandboxConfiguration.defaultKey)],
                ])
            let id = try #require(made.data["destination"]?["id"]?.string, "\(made.text)")
            let event: JSONValue = ["type": "identify", "userId": "u1", "traits": ["plan": "pro"]]
            let sent = try await client.post("/destinations/\(id)/test-event", ["event": event, "send": true])
            let result = try #require(sent.data["test"]?["results"]?[0], "\(sent.text)")
            #expect(result["response"]?["status"] == 201)
            #expect(result["response"]?["body"]?["message"] == "success")
            #expect(result["ok"] == true)
            let deliveries = try await client.get("/destinations/\(id)/deliveries")
            #expect(deliveries.data["deliveries"]?[0]?["outcome"] == "delivered")
            // A wrong key: the answer, and what to do about it.
            _ = try await client.patch("/destinations/\(id)", ["settings": ["api_key": "another-key-that-is-wrong"]])
            let refused = try await client.post("/destinations/\(id)/test-event", ["event": event, "send": true])
            #expect(refused.data["test"]?["ok"] == false)
            #expect(refused.data["test"]?["results"]?[0]?["message"]?.string?.contains("API key") == true)
        }
    }

    @Test("7: whoever is deleted is told to Braze anew when they come back: nothing acknowledged is remembered")
    func deletionForgetsAcknowledgedValues() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let destination = try await client.destination()
            let traits: JSONObject = ["email": "Ann@Example.org"]
            try await installation.send(installation.identify("u1", traits, anonymousID: "a1"))
            let store = installation.engine.store
            // What was sent before their user id was known stands under other names.
            let gone = [
                "external_id:u1", "user_alias:muster:a1", "user_alias:an:old:label:a1", "email:Ann@Example.org",
                "email:ann@example.org",
            ]
            let others = [
                "external_id:u2", "external_id:u11", "user_alias:muster:a2", "user_alias:a1:a3", "email:a1@u1",
            ]
            let keys = (gone + others).map { LedgerKey(externalID: $0, attribute: "plan") }
            var changes = DeliveryChanges(destinationID: destination, at: .epoch)
            for key in keys { changes.acknowledgedValues[key] = ["pro", 1] }
            try store.record(changes)
            let answer = try await client.post(
                "/regulations", ["regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ["u1"]])
            #expect(answer.status == 200, "\(answer.text)")
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            await LogEraser(engine: installation.engine, log: installation.log, logger: logger).eraseOpen()
            let kept = try store.acknowledgedValues(destinationID: destination, keys).keys.map(\.externalID)
            #expect(Set(kept) == Set(others))
            // Nor does the order itself remember them.
            let order = try #require(try store.regulations(limit: 1).first?.regulation)
            #expect(order.finishedAt != nil && order.json["identifiers"] == nil, "\(order.json)")
        }
    }

    @Test("6: a webhook is set up like any destination; its secrets are never shown")
    func webhook() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let kinds = try await client.get("/destinations/catalog").data["catalog"]?.array ?? []
            #expect(kinds.map { $0["kind"] } == ["braze", "webhook"])
            let webhook = try #require(kinds.last)
            #expect(webhook["presets"]?[0]?["name"] == "all_calls")
            let wrong = try await client.post(
                "/destinations",
                ["kind": "webhook", "settings": ["url": "http://example.org", "secret": "0123456789abcdef"]])
            #expect(wrong.error["field"] == "settings.url")
            let made = try await client.post(
                "/destinations",
                ["kind": "webhook", "settings": ["url": "https://example.org/in", "secret": "0123456789abcdef"]])
            let destination = try #require(made.data["destination"], "\(made.text)")
            #expect(destination["address"] == "https://example.org/in")
            #expect(destination["settings"]?["secret"] == ["set": true, "ending": "cdef"])
            let id = try #require(destination["id"]?.string)
            let test = try await client.post(
                "/destinations/\(id)/test-event",
                ["event": ["type": "page", "anonymousId": "a1", "name": "Home"]])
            let batch = test.data["test"]?["results"]?[0]?["request"]?["body"]?["batch"]
            #expect(batch?[0]?["name"] == "Home")
            #expect(batch?[0]?["mapping"] == nil)
            #expect(!test.text.contains("0123456789abcdef"))
        }
    }
}

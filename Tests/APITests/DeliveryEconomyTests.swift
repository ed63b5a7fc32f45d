import BrazeSandbox
import Delivery
import Engine
import Foundation
import JSON
import Logging
import Model
import Store
import Testing

@testable import API

// Goal: what delivery costs is known beforehand and afterwards, a spike is held until somebody decides, and what the
// destination holds can be compared and repaired. Method: the whole installation with delivery at work against the real
// sandbox in this process.

/// An installation whose delivery works, and a sandbox on a port of its own.
struct Loop: Sendable {
    let installation: Installation
    let sandbox: BrazeSandboxServer
    let client: Client
    let destination: String

    static func with(_ body: @escaping @Sendable (Loop) async throws -> Void) async throws {
        let installation = try Installation()
        let (engine, delivery) = (installation.engine, installation.delivery)
        engine.addListener { event in
            switch event {
            case .emissions: delivery.notifyOutbox()
            case .definitions: delivery.destinationsChanged(engine.read { Array($0.destinations.values) })
            case .deleted, .failed: break
            }
        }
        var configuration = SandboxConfiguration()
        configuration.port = 0
        configuration.switches.applyDelayMilliseconds = 0
        let sandbox = try BrazeSandboxServer(configuration)
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let server = Task {
            try await sandbox.run(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) {
                running.yield($0 ?? 0)
            }
        }
        var port = 0
        for await bound in ports {
            port = bound
            break
        }
        let sending = Task { try await delivery.run() }
        // Delivery waits by the installation's clock, which stands still unless somebody moves it.
        let ticking = Task {
            while !Task.isCancelled {
                installation.clock.advance(Instant.Span(milliseconds: 10))
                try await Task.sleep(for: .milliseconds(10))
            }
        }
        let address = "http://127.0.0.1:\(port)"
        let result: Result<Void, any Error>
        do {
            try await installation.test { client in
                let made = try await client.post(
                    "/destinations",
                    [
                        "kind": "braze", "name": "Braze",
                        "settings": [
                            "endpoint": .string(address), "api_key": .string(SandboxConfiguration.defaultKey),
                        ],
                    ])
                let id = try #require(made.data["destination"]?["id"]?.string, "\(made.text)")
                try await body(Loop(installation: installation, sandbox: sandbox, client: client, destination: id))
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        sending.cancel()
        _ = await sending.result
        ticking.cancel()
        server.cancel()
        _ = await server.result
        try result.get()
    }

    func ask(_ path: String, _ body: JSONValue) throws -> JSONValue {
        let answer = sandbox.answer(
            SandboxRequest(
                "POST", path,
                headers: [
                    ("authorization", "Bearer \(SandboxConfiguration.defaultKey)"),
                    ("content-type", "application/json"),
                ], body: body.utf8))
        return try JSONValue(parsing: answer.body)
    }

    /// Custom attributes and counts of custom events of one person in the sandbox.
    func profile(_ user: String) throws -> JSONValue? {
        try ask(
            "/users/export/ids",
            [
                "external_ids": [.string(user)],
                "fields_to_export": ["external_id", "custom_attributes", "custom_events"],
            ])["users"]?[0]
    }

    func connect(_ audience: String, _ settings: JSONValue) async throws {
        let answer = try await client.post(
            "/spaces/spa_muster/audiences/\(audience)/destination-connections",
            ["destination": ["id": .string(destination)], "connectionSettings": settings])
        #expect(answer.status == 200, "\(answer.text)")
    }

    var state: JSONValue {
        get async throws { try await client.get("/destinations/\(destination)").data["destination"] ?? .null }
    }

    func until(_ what: Comment, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<2000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record(what)
    }

    func delivered() async throws {
        try await installation.engine.waitUntilCaughtUp()
        try await until("delivered") {
            let waiting = try installation.engine.store.counts(destinationID: destination).waiting
            return installation.engine.read { !$0.hasFirstSync && !$0.hasBackfill } && waiting == 0
        }
    }

    func reconcile(_ body: JSONValue) async throws -> JSONValue {
        let started = try await client.post("/destinations/\(destination)/reconcile", body)
        #expect(started.status == 200, "\(started.text)")
        var last = JSONValue.null
        try await until("compared") {
            last =
                try await client.get("/destinations/\(destination)/reconcile").data["reconciliation"] ?? .null
            return last["status"] != "RUNNING"
        }
        return last
    }
}

@Suite("economy of delivery", .timeLimit(.minutes(20))) struct DeliveryEconomyTests {
    @Test("The estimate tells people, data points and the daily rate, and is what then happens") func estimate()
        async throws
    {
        try await Loop.with { loop in
            let day: Int64 = 86_400_000
            let now = loop.installation.clock.now()
            // Twenty people, ten of whom came in over the last week.
            for index in 0..<20 {
                let at =
                    index < 10
                    ? now - .days(40) : Instant(milliseconds: now.milliseconds - Int64(index % 5) * day - 1000)
                try await loop.installation.send(
                    loop.installation.identify("u\(index)", ["email": .string("u\(index)@example.org")]),
                    loop.installation.track("A", user: "u\(index)", at: at))
            }
            let path = "/destinations/\(loop.destination)/estimate"
            let query = "event('A').count() >= 1"
            let settings: JSONValue = ["sendIdentify": true, "sendTrack": true]
            let new = try await loop.client.post(path, ["query": .string(query), "connectionSettings": settings])
            let estimate = try #require(new.data["estimate"], "\(new.text)")
            #expect(estimate["people"] == 20)
            // Attribute, address and event for each.
            #expect(estimate["dataPoints"] == 60)
            #expect(estimate["changesPerDay"] == 2)
            #expect(estimate["dataPointsPerDay"] == 3)
            #expect(estimate["basedOn"]?["isExact"] == true)
            #expect(
                estimate["text"]
                    == "First sync: 20 people, 60 data points; about 3 data points a day, judging by the last 7 days.")

            let audience = try await loop.client.audience("As", query)
            _ = try await loop.client.settled(audience)
            let silent = try await loop.client.post(
                path,
                [
                    "computationId": .string(audience),
                    "connectionSettings": ["sendTrack": true, "firstSync": "silent"],
                ])
            #expect(silent.data["estimate"]?["dataPoints"] == 40)
            try await loop.connect(audience, ["sendTrack": true, "firstSync": "silent"])
            try await loop.delivered()
            let points = try await loop.client.get("/destinations/\(loop.destination)/data-points?days=2")
            #expect(points.data["dataPoints"]?["total"] == 40, "\(points.text)")
            #expect(points.data["dataPoints"]?["today"] == 40)
            #expect(points.data["dataPoints"]?["days"]?.array?.count == 2)
            #expect(points.data["dataPoints"]?["computations"]?[0]?["name"] == "As")
            #expect(try loop.profile("u3")?["custom_attributes"] == ["as": true])
            #expect(try loop.profile("u3")?["custom_events"]?.array ?? [] == [])
            // What Braze holds already costs nothing any more.
            let again = try await loop.client.post(
                path, ["computationId": .string(audience), "connectionSettings": ["sendIdentify": true]])
            #expect(again.data["estimate"]?["dataPoints"] == 0)

            let wrong = try await loop.client.post(path, ["query": "event('A'"])
            #expect(wrong.status == 400 && wrong.error["field"] == "query")
            #expect(try await loop.client.post(path, ["computationId": "aud_none"]).status == 400)
        }
    }

    @Test("Another name of the attribute: the estimate says what is sent again, and everybody has it") func renamed()
        async throws
    {
        try await Loop.with { loop in
            for index in 0..<5 {
                try await loop.installation.send(loop.installation.track("A", user: "u\(index)"))
            }
            let audience = try await loop.client.audience("As", "event('A').count() >= 1")
            _ = try await loop.client.settled(audience)
            try await loop.connect(audience, ["sendTrack": true])
            try await loop.delivered()
            let path = "/destinations/\(loop.destination)/estimate"
            func estimate(_ settings: JSONValue) async throws -> JSONValue? {
                try await loop.client.post(
                    path, ["computationId": .string(audience), "connectionSettings": settings]
                ).data["estimate"]
            }
            let unchanged = try await estimate([:])
            #expect(unchanged?["people"] == 0 && unchanged?["dataPoints"] == 0 && unchanged?["isUpdate"] == true)
            #expect(unchanged?["text"]?.string?.hasPrefix("Nothing is sent at once, only changes; about ") == true)
            let renamed = try await estimate(["keyName": "all_as"])
            #expect(renamed?["isResync"] == true && renamed?["dataPoints"] == 5)
            #expect(
                renamed?["text"]?.string?.hasPrefix("Sent again under the new settings: 5 people, 5 data points; ")
                    == true)
            #expect(try await estimate(["keyName": "all_as", "firstSync": "none"])?["dataPoints"] == 0)

            _ = try await loop.client.patch(
                "/spaces/spa_muster/audiences/\(audience)/destination-connections/\(loop.destination)",
                ["connectionSettings": ["keyName": "all_as"]])
            try await loop.delivered()
            // The old attribute stays as it is; events do not happen again (they would be billed).
            #expect(try loop.profile("u3")?["custom_attributes"] == ["as": true, "all_as": true])
            let points = try await loop.client.get("/destinations/\(loop.destination)/data-points?days=2")
            #expect(points.data["dataPoints"]?["total"] == 15)
        }
    }

    @Test("A spike is held with a reason; others go on; it can be let go or discarded") func spike() async throws {
        try await Loop.with { loop in
            let client = loop.client
            let changed = try await client.patch(
                "/destinations/\(loop.destination)",
                ["circuitBreaker": ["mode": "stop", "minimumChanges": 20, "memberShare": 0.5]])
            #expect(changed.data["destination"]?["circuitBreaker"]?["mode"] == "stop")
            #expect(changed.data["destination"]?["circuitBreaker"]?["factor"] == 10)
            let (first, second) = (
                try await client.audience("First", "event('A').within(30 days).count() >= 1"),
                try await client.audience("Second", "event('B').count() >= 1")
            )
            for id in [first, second] {
                _ = try await client.settled(id)
                try await loop.connect(id, ["sendIdentify": true])
            }
            // What is younger than a day may fill up as fast as it likes.
            loop.installation.clock.advance(.days(2))
            for index in 0..<30 { try await loop.installation.send(loop.installation.track("A", user: "u\(index)")) }
            try await loop.until("held") {
                try await loop.state["spikes"]?[0]?["state"] == "held"
            }
            try await loop.installation.send(loop.installation.track("B", user: "v"))
            try await loop.until("the other audience goes on") { try loop.profile("v") != nil }
            let held = try await loop.state["spikes"]?[0]
            #expect(held?["computationName"] == "First")
            #expect(held?["reason"]?.string?.contains("changes within a day") == true)
            #expect((held?["waiting"]?.integer ?? 0) > 0)
            let notices = try await client.get("/status").data["status"]?["notices"]?.array ?? []
            #expect(notices.contains { $0["level"] == "bad" && $0["title"]?.string?.contains("First") == true })

            let path = "/destinations/\(loop.destination)/spikes"
            #expect(try await client.post("\(path)/aud_none/release").status == 404)
            #expect(try await client.post("\(path)/\(first)/release").status == 200)
            try await loop.delivered()
            for index in 0..<30 { #expect(try loop.profile("u\(index)")?["custom_attributes"] == ["first": true]) }
            #expect(try await loop.state["spikes"]?.array == [])
            // Let go for a day: thirty more are no spike.
            for index in 30..<60 { try await loop.installation.send(loop.installation.track("A", user: "u\(index)")) }
            try await loop.delivered()
            #expect(try await loop.state["spikes"]?.array == [])

            // Two months later everybody leaves at once: that is the worst spike of all. This time it is discarded.
            loop.installation.clock.advance(.days(60))
            try await loop.installation.engine.waitUntilCaughtUp(with: loop.installation.clock.now())
            try await loop.until("held again") { try await loop.state["spikes"]?[0]?["state"] == "held" }
            let waiting = try await loop.state["spikes"]?[0]?["waiting"]?.integer
            let discarded = try await client.post("\(path)/\(first)/discard")
            #expect(discarded.data["discarded"]?.integer == waiting)
            try await loop.delivered()
            let stillIn = try (0..<60).count { try loop.profile("u\($0)")?["custom_attributes"]?["first"] == true }
            #expect(stillIn == waiting)
        }
    }

    @Test("Reconcile: missing, differing and extra values are found and repaired with the fewest writes")
    func reconcile() async throws {
        try await Loop.with { loop in
            let audience = try await loop.client.audience("Vips", "event('A').count() >= 1")
            let other = try await loop.client.audience("Others", "event('A').count() >= 1")
            for id in [audience, other] { _ = try await loop.client.settled(id) }
            try await loop.connect(audience, ["sendIdentify": true, "sendTrack": true])
            try await loop.connect(other, ["sendIdentify": true])
            for index in 0..<120 { try await loop.installation.send(loop.installation.track("A", user: "u\(index)")) }
            try await loop.installation.send(loop.installation.track("B", user: "stranger"))
            try await loop.delivered()
            let clean = try await loop.reconcile(["mode": "full", "settleSeconds": 0])
            #expect(clean["status"] == "COMPLETED" && clean["compared"] == 120, "\(clean)")
            #expect(clean["agreeing"] == 240 && clean["drifts"]?.array == [])
            #expect(clean["requests"] == 3)

            // Somebody meddles in Braze.
            _ = try loop.ask(
                "/users/track",
                [
                    "attributes": [
                        ["external_id": "u1", "vips": .null], ["external_id": "u2", "vips": "yes"],
                        ["external_id": "u3", "vips": false, "others": false],
                        ["external_id": "stranger", "vips": true],
                    ]
                ])
            _ = try loop.ask("/users/delete", ["external_ids": ["u4"]])
            let found = try await loop.reconcile(["mode": "full", "settleSeconds": 0, "people": "all"])
            #expect(found["missing"] == 3, "\(found)")
            #expect(found["differing"] == 3)
            #expect(found["extra"] == 1)
            #expect(found["unknownPeople"] == 1)
            let kinds = Dictionary(grouping: found["drifts"]?.array ?? []) { $0["person"]?.string ?? "" }
            #expect(kinds["external_id:u3"]?.count == 2)
            #expect(kinds["external_id:stranger"]?[0]["kind"] == "extra")
            #expect(found["repaired"] == 0)
            let sampled = try await loop.reconcile(["sampleSize": 60, "settleSeconds": 0])
            #expect(sampled["compared"] == 60 && sampled["requests"] == 2)

            let before = try loop.installation.engine.store.counts(destinationID: loop.destination)
            let events = try loop.profile("u1")?["custom_events"]
            let repaired = try await loop.reconcile(
                ["mode": "full", "settleSeconds": 0, "people": "all", "repair": true])
            #expect(repaired["repaired"] == 7)
            try await loop.delivered()
            let after = try loop.installation.engine.store.counts(destinationID: loop.destination)
            let attempts = try loop.installation.engine.store.attempts(limit: Int(after.attempts - before.attempts))
            #expect(attempts.reduce(0) { $0 + $1.objectCount } == 5, "one object per person")
            let again = try await loop.reconcile(["mode": "full", "settleSeconds": 0, "people": "all"])
            #expect(again["missing"] == 0 && again["differing"] == 0 && again["extra"] == 0, "\(again)")
            #expect(try loop.profile("u1")?["custom_events"] == events, "repairs tell no events")

            // What has just changed is no drift, and a key that may not read says which permission it needs.
            let fresh = try await loop.reconcile(["mode": "full", "settleSeconds": 3600])
            #expect(fresh["inMotion"] == 240 && fresh["agreeing"] == 0)
            #expect(
                try await loop.client.post("/destinations/\(loop.destination)/reconcile", ["mode": "odd"]).status == 400
            )
        }
    }

    @Test("Parked emissions are seen by the destination's words and redriven by them, after a dry run") func parked()
        async throws
    {
        try await Loop.with { loop in
            let audience = try await loop.client.audience("Vips", "event('A').count() >= 1")
            _ = try await loop.client.settled(audience)
            try await loop.connect(audience, ["sendIdentify": true])
            let long = String(repeating: "x", count: 60)
            for index in 0..<3 {
                try await loop.installation.send(
                    loop.installation.identify("u\(index)", ["email": .string("not an address \(long)")]),
                    loop.installation.track("A", user: "u\(index)"))
            }
            try await loop.delivered()
            let path = "/destinations/\(loop.destination)"
            let groups = try await loop.client.get("\(path)/parked").data["parked"]
            guard groups?[0]?["count"] == 3 else { return }
            #expect(groups?[0]?["computationName"] == "Vips")
            let filter: JSONObject = ["reason": groups?[0]?["reason"] ?? .null, "computationId": .string(audience)]
            var dry = filter
            dry["dryRun"] = true
            let tried = try await loop.client.post("\(path)/redrive", .object(dry))
            #expect(tried.data == ["redriven": 0, "matching": 3, "dryRun": true])
            #expect(
                try await loop.client.post("\(path)/redrive", ["reason": "another", "dryRun": true]).data["matching"]
                    == 0)
            #expect(try await loop.client.post("\(path)/redrive", .object(filter)).data["redriven"] == 3)
            #expect(try await loop.client.post("\(path)/redrive", ["kind": "odd"]).status == 400)
        }
    }

    @Test("The catalogue knows every data centre, KR-01 too") func catalogue() async throws {
        try await Installation().test { client in
            let catalog = try await client.get("/destinations/catalog").data["catalog"]
            let options = catalog?[0]?["fields"]?[0]?["options"]?.array ?? []
            #expect(options.contains { $0["value"] == "https://rest.kr-01.braze.com" })
            let id = try await client.destination()
            let answer = try await client.patch("/destinations/\(id)", ["circuitBreaker": ["mode": "loud"]])
            #expect(answer.status == 400 && answer.error["field"] == "circuitBreaker.mode")
            let rate = try await client.patch("/destinations/\(id)", ["settings": ["requests_per_second": 5000]])
            #expect(rate.error["field"] == "settings.requests_per_second")
        }
    }
}

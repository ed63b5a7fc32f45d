import Engine
import HTTPTypes
import Ingest
import JSON
import Model
import Testing

@testable import API

/// Sources, destinations, status, test clock.
@Suite struct OperationsTests {
    @Test("A source gets a write key, can bring one along, and keeps keys apart")
    func sources() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let created = try await client.post("/sources", ["name": "Website"])
            let source = try #require(created.data["source"])
            #expect((source["writeKey"]?.string?.count ?? 0) >= 24)
            #expect(source["counters"]?["accepted"] == 0)
            let brought = try await client.post("/sources", ["name": "App", "writeKey": "KEEP-my-key"])
            #expect(brought.data["source"]?["writeKey"] == "KEEP-my-key")
            let twice = try await client.post("/sources", ["name": "Other", "writeKey": "KEEP-my-key"])
            #expect(twice.status == 409)
            #expect(twice.error["field"] == "writeKey")
            let odd = try await client.post("/sources", ["name": "Other", "writeKey": "a:b"])
            #expect(odd.error["field"] == "writeKey")
            let id = try #require(source["id"]?.string)
            let off = try await client.patch("/sources/\(id)", ["enabled": false])
            #expect(off.data["source"]?["enabled"] == false)
            #expect(try await client.get("/sources").data["sources"]?.array?.count == 2)
            #expect(try await client.get("/sources/\(id)/debugger").data["calls"]?.array == [])
            #expect(try await client.delete("/sources/\(id)").status == 200)
            #expect(try await client.get("/sources/\(id)").status == 404)
        }
    }

    @Test("The debugger shows what a source sent, accepted and rejected, and goes on from its cursor")
    func debugger() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let created = try await client.post("/sources", ["name": "Website"])
            let source = try #require(created.data["source"])
            let id = try #require(source["id"]?.string)
            let key = try #require(source["writeKey"]?.string)
            func send(_ batch: JSONValue) async throws {
                let answer = try await client.post("/v1/batch", ["writeKey": .string(key), "batch": batch])
                #expect(answer.status == 200)
            }
            try await send([
                ["type": "track", "event": "Order Completed", "userId": "u1", "properties": ["note": "<b>"]],
                ["type": "track", "userId": "u1"],
            ])
            let first = try await client.get("/sources/\(id)/debugger")
            let calls = try #require(first.data["calls"]?.array)
            #expect(calls.count == 2)
            let rejected = try #require(calls.first { $0["state"] == "Rejected" })
            #expect(rejected["code"] == "event_not_defined")
            #expect(rejected["reason"]?.string?.isEmpty == false)
            let allowed = try #require(calls.first { $0["state"] == "Allowed" })
            #expect(allowed["title"] == "Order Completed")
            #expect(allowed["raw"]?["properties"]?["note"] == "<b>")

            let cursor = try #require(first.data["cursor"]?.string)
            try await send([["type": "identify", "userId": "u2", "traits": ["plan": "pro"]]])
            let next = try await client.get("/sources/\(id)/debugger?since=\(cursor)")
            #expect(next.data["calls"]?.array?.map { $0["type"] } == ["identify"])
            let counted = try await client.get("/sources/\(id)").data["source"]?["counters"]
            #expect(counted?["accepted"] == 2)
            #expect(counted?["rejectedByCode"] == ["event_not_defined": 1])
            #expect(try await client.get("/sources/\(id)/debugger?since=x").error["field"] == "since")
        }
    }

    @Test("A destination's secret is written, masked, kept and replaced, never read")
    func secrets() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let id = try await client.destination()
            let read = try await client.get("/destinations/\(id)")
            #expect(!read.text.contains("12345678-key"))
            let key = read.data["destination"]?["settings"]?["api_key"]
            #expect(key == ["set": true, "ending": "9f3c"])
            // Writing back what was read keeps the secret.
            let settings = try #require(read.data["destination"]?["settings"])
            let kept = try await client.patch("/destinations/\(id)", ["name": "B", "settings": settings])
            #expect(kept.status == 200)
            #expect(stored(installation, id)["api_key"] == "12345678-key-9f3c")
            _ = try await client.patch("/destinations/\(id)", ["settings": ["api_key": "another-key-0000"]])
            #expect(stored(installation, id)["api_key"] == "another-key-0000")
            let none = try await client.patch("/destinations/\(id)", ["settings": ["api_key": .null]])
            #expect(none.error["field"] == "settings.api_key")
            #expect(none.status == 400)
            #expect(stored(installation, id)["api_key"] == "another-key-0000")
            let unknown = try await client.patch("/destinations/\(id)", ["settings": ["apikey": "x"]])
            #expect(unknown.error["field"] == "settings.apikey")
            #expect(try await client.get("/status").text.contains("another-key") == false)
            #expect(try await client.post("/destinations", ["kind": "other"]).error["field"] == "kind")
        }
    }

    private func stored(_ installation: Installation, _ id: String) -> JSONObject {
        installation.engine.read { $0.destinations[id]?.settings ?? [:] }
    }

    @Test("A test of settings that reach nobody says so")
    func connectionTest() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let answer = try await client.post(
                "/destinations/test",
                ["kind": "braze", "settings": ["endpoint": "http://127.0.0.1:1", "api_key": "k-1234567890"]])
            #expect(answer.status == 200)
            #expect(answer.data["test"]?["ok"] == false)
            #expect(answer.data["test"]?["remedy"]?.string?.isEmpty == false)
            let wrong = try await client.post(
                "/destinations/test", ["kind": "braze", "settings": ["endpoint": "US-01"]])
            #expect(wrong.error["field"] == "settings.api_key")
            let id = try await client.destination()
            #expect(try await client.post("/destinations/\(id)/test").data["test"]?["ok"] == false)
            #expect(try await client.post("/destinations/\(id)/resume").status == 200)
            #expect(try await client.post("/destinations/\(id)/redrive").data["redriven"] == 0)
            #expect(try await client.get("/destinations/\(id)/deliveries").data["deliveries"]?.array == [])
            #expect(try await client.get("/destinations/\(id)/deliveries/1").status == 404)
        }
    }

    @Test("Emissions of one profile are told apart, newest first, page by page")
    func emissions() async throws {
        let installation = try Installation()
        try await installation.send(installation.track("A", user: "u1"), installation.track("A", user: "u2"))
        try await installation.test { (client) async throws in
            let destination = try await client.destination()
            let id = try await client.audience("As", "event('A').count() >= 1")
            _ = try await client.settled(id)
            _ = try await client.post(
                "/spaces/spa_muster/audiences/\(id)/destination-connections",
                ["destination": ["id": .string(destination)], "connectionSettings": ["sendTrack": true]])
            let path = "/destinations/\(destination)/emissions"
            let first = try await client.get("\(path)?count=3")
            #expect(first.data["emissions"]?.array?.count == 3)
            let next = try #require(first.data["pagination"]?["next"]?.string)
            let rest = try await client.get("\(path)?count=3&cursor=\(next)")
            #expect(rest.data["emissions"]?.array?.count == 1)
            #expect(rest.data["pagination"]?["next"] == nil)
            let profile = try #require(rest.data["emissions"]?[0]?["profileId"]?.string)
            let own = try await client.get("\(path)?profile=\(profile)")
            #expect(own.data["emissions"]?.array?.count == 2)
            #expect(own.data["emissions"]?[0]?["computationName"] == "As")
            #expect(own.data["emissions"]?[0]?["state"] == "waiting")
            #expect(try await client.get("\(path)?state=parked").data["emissions"]?.array == [])
            #expect(try await client.get("\(path)?state=odd").status == 400)
            #expect(try await client.get("\(path)?profile=use_none").status == 404)
        }
    }

    @Test("A path that is nobody's is told so in words, like any other error")
    func unknownPath() async throws {
        try await Installation().test { client in
            for answer in [
                try await client.get("/audience"), try await client.post("/status"),
                try await client.get("/<script>alert(1)</script>" + String(repeating: "x", count: 5000)),
            ] {
                #expect(answer.status == 404)
                #expect(answer.error["type"] == "not-found", "\(answer.text)")
                #expect(answer.error["message"]?.string?.contains("docs/api.md") == true)
                #expect(answer.headers[.contentType] == "application/json; charset=utf-8")
                #expect(answer.text.utf8.count < 1_000)
            }
        }
    }

    @Test("The status tells position, counts and version")
    func status() async throws {
        let installation = try Installation()
        try await installation.send(installation.track("A", user: "u1"), installation.group("u1", "acme"))
        try await installation.test { (client) async throws in
            let status = try #require(try await client.get("/status").data["status"])
            #expect(status["version"] == "test")
            #expect(status["engine"]?["lagRecords"] == 0)
            #expect(status["engine"]?["logEnd"] == 2)
            #expect(status["profiles"] == ["users": 1, "accounts": 1])
            #expect(status["testClock"] == false)
            #expect((status["memory"]?["residentBytes"]?.integer ?? 0) > 1_000_000)
            #expect(status["notices"]?.array == [])
        }
    }

    @Test("The test clock exists only where it was asked for, and only goes forward")
    func testClock() async throws {
        try await Installation().test { (client) async throws in
            let missing = try await client.get("/test/clock")
            #expect(missing.status == 404)
        }
        let installation = try Installation(testClock: true)
        try await installation.send(installation.track("A", user: "u1"))
        try await installation.test { (client) async throws in
            let id = try await client.audience("Recent", "event('A').within(30 days).count() >= 1")
            #expect(try await client.settled(id)["size"]?["count"] == 1)
            let moved = try await client.post("/test/clock", ["advanceMs": 2_592_000_001])
            #expect(moved.status == 200)
            #expect(try await client.settled(id)["size"]?["count"] == 0)
            let back = try await client.post("/test/clock", ["now": "2020-01-01T00:00:00Z"])
            #expect(back.error["field"] == "now")
            #expect(try await client.post("/test/clock").error["field"] == "advanceMs")
        }
    }

    @Test("Rates are per second over the last minute, and never negative")
    func rates() {
        let recorder = ActivityRecorder()
        for (index, calls) in [0, 100, 300, 50].enumerated() {
            recorder.record(
                ActivityRecorder.Sample(
                    at: Instant(milliseconds: Int64(index) * 10_000), calls: Int64(calls), transitions: 0, delivered: 0)
            )
        }
        #expect(recorder.steps.map(\.calls) == [100, 200, 0])
        #expect(recorder.rates.calls == 10)
    }
}

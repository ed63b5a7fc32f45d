import JSON
import Model
import Testing

@testable import API

/// `POST /spaces/{space}/queries/check`: what the console's editor lives on.
@Suite struct QueryCheckTests {
    private func check(_ client: Client, _ body: JSONValue) async throws -> JSONValue {
        let answer = try await client.post("/spaces/spa_muster/queries/check", body)
        return try #require(answer.data["check"], "\(answer.text)")
    }

    @Test("A right text comes back canonical, with builder, dependencies and what Segment would do")
    func right() async throws {
        let installation = try Installation()
        try await installation.send(installation.track("Product Added", user: "u1", ["price": 3]))
        try await installation.test { (client) async throws in
            let query =
                "event('Product Added').where(NOT event('Order Completed').within(parent: 7 days).count()>=1).count()>=1"
                + " AND NOT trait('vip')='true'"
            let first = try await check(client, ["query": .string(query)])
            #expect(first["valid"] == true)
            #expect(first["query"]?.string?.contains(".count() >= 1 AND NOT trait('vip') = 'true'") == true)
            #expect(first["dependencies"]?["events"] == ["Order Completed", "Product Added"])
            #expect(first["dependencies"]?["traits"] == ["vip"])
            #expect(first["realTime"]?["type"] == "REALTIME")
            #expect(first["realTime"]?["explanation"]?.string?.contains("8 hours") == true)
            #expect(first["hints"]?.array?.isEmpty == false)

            // The builder's form says the same again.
            let builder = try #require(first["builder"])
            let second = try await check(client, ["builder": builder])
            #expect(second["query"] == first["query"])
            #expect(second["builder"] == first["builder"])
        }
    }

    @Test("An error names line and column and shows the place")
    func wrong() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let answer = try await check(client, ["query": "event('A').count() >= 1\nAND evnt('B').count() = 0"])
            #expect(answer["valid"] == false)
            let error = try #require(answer["errors"]?[0])
            #expect(error["line"] == 2)
            #expect(error["column"] == 5)
            #expect(error["excerpt"]?.string?.contains("\n    ^^^^") == true)
        }
    }

    @Test("A circle through the audience at hand is found while editing")
    func circle() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            _ = try await client.audience("First", "event('A').count() >= 1")
            _ = try await client.audience("Second", "trait('first') = 'true'")
            let answer = try await check(client, ["query": "trait('second') = 'true'", "key": "first"])
            #expect(answer["valid"] == false)
            #expect(answer["errors"]?[0]?["message"]?.string?.contains("first → second → first") == true)
        }
    }

    @Test("What the builder can't show says why; what is no builder state is refused")
    func builder() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let nested = try await check(
                client, ["query": "event('A').count() >= 1 OR (event('B').count() >= 1 AND trait('x') = 1)"])
            #expect(nested["builder"] == .null)
            #expect(nested["builderReason"]?.string?.isEmpty == false)
            let trait = try await check(
                client, ["query": "event('A').mode(property('category'), 2)", "type": "COMPUTED_TRAIT"])
            #expect(trait["builder"]?["type"] == "most_frequent")
            let refused = try await client.post(
                "/spaces/spa_muster/queries/check", ["builder": ["groups": [["conditions": [["kind": "none"]]]]]])
            #expect(refused.status == 400)
            #expect(refused.error["field"] == "builder")
            #expect(try await client.post("/spaces/spa_muster/queries/check").error["field"] == "query")
        }
    }

    @Test("The schema lists what was seen")
    func schema() async throws {
        let installation = try Installation()
        try await installation.send(
            installation.track("Order / Done", user: "u1", ["price": 3, "at": "2026-01-01T00:00:00Z"]),
            installation.identify("u1", ["plan": "pro"]))
        try await installation.test { (client) async throws in
            _ = try await client.audience("Pros", "trait('plan') = 'pro'")
            let events = try await client.get("/spaces/spa_muster/events")
            #expect(events.data["events"]?[0]?["name"] == "Order / Done")
            let properties = try await client.get("/spaces/spa_muster/events/Order%20%2F%20Done/properties")
            let types = Dictionary(
                uniqueKeysWithValues: (properties.data["properties"]?.array ?? []).compactMap { property in
                    property["name"]?.string.map { ($0, property) }
                })
            #expect(types["price"]?["type"] == "number")
            #expect(types["at"]?["type"] == "date")
            #expect(types["page.url"]?["kind"] == "CONTEXT")
            let samples = try await client.get(
                "/spaces/spa_muster/events/Order%20%2F%20Done/properties/price/sample-values")
            #expect(samples.data["sampleValues"] == [3])
            let traits = try await client.get("/spaces/spa_muster/traits").data["traits"]?.array ?? []
            #expect(traits.contains { $0["key"] == "plan" && $0["class"] == "CUSTOM" && $0["type"] == "string" })
            #expect(traits.contains { $0["key"] == "pros" && $0["class"] == "AUDIENCE" })
            #expect(
                try await client.get("/spaces/spa_muster/traits/plan/sample-values").data["sampleValues"] == ["pro"])
            #expect(try await client.get("/spaces/spa_muster/events/None/properties").status == 404)
            #expect(try await client.get("/spaces/other/events").status == 404)
        }
    }
}

import Engine
import HTTPTypes
import JSON
import Model
import Testing

@testable import API

/// Profiles for people, and the vendor's Profile API (spec: collection §5, §6.1; checklist 89–94).
@Suite struct ProfileTests {
    private func prepared() async throws -> (Installation, String) {
        let installation = try Installation()
        try await installation.send(
            installation.identify("u1", ["email": "Kim@Example.org", "name": "Kim", "plan": "pro"], anonymousID: "a1"),
            installation.group("u1", "acme", ["tier": "gold"]))
        for number in 1...5 {
            installation.clock.advance(.seconds(1))
            try await installation.send(installation.track("Event \(number)", user: "u1", id: "m\(number)"))
        }
        let id = installation.engine.read { engine in
            engine.profile(for: Identifier(type: "user_id", value: "u1")).map { engine.summary($0).segmentID }
        }
        return (installation, try #require(id))
    }

    @Test(
        "A profile is found by every id it has",
        arguments: [
            "u1", "kim@example.org", "KIM@example.org", "a1", "user_id:u1", "email:Kim@Example.org",
        ])
    func search(text: String) async throws {
        let (installation, id) = try await prepared()
        try await installation.test { (client) async throws in
            for search in [text, id] {
                let found = try await client.get("/spaces/spa_muster/profiles?search=\(PercentEncoding.encode(search))")
                #expect(found.data["profiles"]?.array?.count == 1, "\(search)")
                #expect(found.data["profiles"]?[0]?["id"]?.string == id)
                #expect(found.data["profiles"]?[0]?["identifierCount"] == 3)
            }
            #expect(try await client.get("/spaces/spa_muster/profiles?search=nobody").data["profiles"]?.array == [])
            let accounts = try await client.get("/spaces/spa_muster/profiles?collection=accounts")
            #expect(accounts.data["profiles"]?[0]?["groupId"] == "acme")
        }
    }

    @Test("A profile has identities, traits, audiences, values and accounts")
    func whole() async throws {
        let (installation, id) = try await prepared()
        try await installation.test { (client) async throws in
            let audience = try await client.audience("Pros", "trait('plan') = 'pro'")
            _ = try await client.settled(audience)
            let answer = try await client.get("/spaces/spa_muster/profiles/\(id)")
            let profile = try #require(answer.data["profile"])
            #expect(profile["name"] == "Kim")
            #expect(profile["identities"]?.array?.count == 3)
            #expect(profile["traits"]?.array?.contains { $0["key"] == "plan" && $0["value"] == "pro" } == true)
            #expect(profile["audiences"]?[0]?["member"] == true)
            #expect(profile["accounts"]?[0]?["groupId"] == "acme")
            #expect(try await client.get("/spaces/spa_muster/profiles/use_none").status == 404)
        }
    }

    @Test("The timeline has events and what they changed, page by page, each once")
    func timeline() async throws {
        let (installation, id) = try await prepared()
        try await installation.test { (client) async throws in
            let audience = try await client.audience("Fifth", "event('Event 5').within(1 hours).count() >= 1")
            _ = try await client.settled(audience)
            installation.clock.advance(.hours(2))
            try await installation.engine.waitUntilTime(installation.clock.now())
            var rows: [JSONValue] = []
            var cursor: String?
            repeat {
                let page = try await client.get(
                    "/spaces/spa_muster/profiles/\(id)/timeline?count=2"
                        + (cursor.map { "&cursor=\(PercentEncoding.encode($0))" } ?? ""))
                rows += page.data["timeline"]?.array ?? []
                cursor = page.data["pagination"]?["next"]?.string
            } while cursor != nil && rows.count < 50
            let names = rows.compactMap { $0["name"]?.string }
            #expect(names == ["Fifth", "Fifth", "Event 5", "Event 4", "Event 3", "Event 2", "Event 1"])
            #expect(rows[0]["kind"] == "exited")
            #expect(rows[0]["cause"] == "time")
            #expect(rows[1]["kind"] == "entered")
            #expect(rows[2]["body"]?["event"] == "Event 5")
        }
    }

    // MARK: Profile API

    private func path(_ lookup: String, _ part: String) -> String {
        "/v1/spaces/spa_muster/collections/users/profiles/\(lookup)/\(part)"
    }

    @Test("89: without the password 401, an unknown profile 404, in the Profile API's shape")
    func errors() async throws {
        let installation = try Installation(password: "token")
        try await installation.test { (client) async throws in
            let refused = try await client.get(path("user_id:u1", "traits"))
            #expect(refused.status == 401)
            #expect(refused.json["error"]?["code"] == "authentication_error")
            let basic: HTTPFields = [.authorization: "Basic \(Base64.encode("token:"))"]
            let unknown = try await client.get(path("user_id:u1", "traits"), headers: basic)
            #expect(unknown.status == 404)
            #expect(unknown.json["error"]?["code"] == "not_found")
            #expect(unknown.json["error"]?["message"] == "Profile was not found.")
            let wrong = try await client.get(
                "/v1/spaces/spa_muster/collections/things/profiles/user_id:u1/traits", headers: basic)
            #expect(wrong.json["error"]?["code"] == "validation_error")
        }
    }

    @Test("90: traits are limited, chosen, classed, verbose and paged")
    func traits() async throws {
        let (installation, _) = try await prepared()
        var many: JSONObject = [:]
        for number in 10..<30 { many["k\(number)"] = .number(number) }
        try await installation.send(installation.identify("u1", many))
        try await installation.test { (client) async throws in
            let audience = try await client.audience("Pros", "trait('plan') = 'pro'")
            _ = try await client.settled(audience)
            let first = try await client.get(path("user_id:u1", "traits"))
            #expect(first.json["traits"]?.object?.count == 10)
            #expect(first.json["cursor"]?["has_more"] == true)
            let all = try await client.get(path("user_id:u1", "traits?limit=200"))
            #expect(all.json["traits"]?.object?.count == 24)
            #expect(all.json["cursor"]?["next"] == "")
            #expect(try await client.get(path("user_id:u1", "traits?limit=201")).status == 400)
            let some = try await client.get(path("user_id:u1", "traits?include=plan,k12,none"))
            #expect(some.json["traits"] == ["k12": 12, "plan": "pro"])
            let audiences = try await client.get(path("user_id:u1", "traits?class=audience"))
            #expect(audiences.json["traits"] == ["pros": true])
            let verbose = try await client.get(path("user_id:u1", "traits?include=plan&verbose=true"))
            #expect(verbose.json["traits"]?["plan"]?["value"] == "pro")
            #expect(verbose.json["traits"]?["plan"]?["source_id"] == "src_web")
            #expect(verbose.json["traits"]?["plan"]?["updated_at"]?.string != nil)

            var seen: [String] = []
            var next: String? = ""
            while let start = next {
                let page = try await client.get(path("user_id:u1", "traits?limit=7&next=\(start)"))
                seen += page.json["traits"]?.object?.keys ?? []
                next = page.json["cursor"]?["next"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            }
            #expect(seen == all.json["traits"]?.object?.keys)
        }
    }

    @Test("91: every kind of look-up finds the profile")
    func lookups() async throws {
        let (installation, id) = try await prepared()
        try await installation.test { (client) async throws in
            for lookup in [
                "user_id:u1", "anonymous_id:a1", "email:kim@example.org", "email:KIM@EXAMPLE.ORG",
                "email:kim%40example.org", id, "segment_id:\(id)",
            ] {
                #expect(try await client.get(path(lookup, "metadata")).status == 200, "\(lookup)")
            }
            #expect(try await client.get(path("u1", "metadata")).status == 404)
            #expect(try await client.get(path("phone:1", "metadata")).status == 404)
        }
    }

    @Test("92, 94: external ids, metadata and links have their shapes")
    func shapes() async throws {
        let (installation, _) = try await prepared()
        try await installation.test { (client) async throws in
            let ids = try await client.get(path("user_id:u1", "external_ids"))
            let row = try #require(ids.json["data"]?[0])
            #expect(
                row.object?.keys == [
                    "source_id", "collection", "id", "type", "created_at", "encoding", "first_message_id",
                ])
            let page = try await client.get(path("user_id:u1", "external_ids?limit=2"))
            #expect(page.json["data"]?.array?.count == 2)
            let next = try #require(page.json["cursor"]?["next"]?.string)
            #expect(next.hasPrefix("map_"))
            let rest = try await client.get(path("user_id:u1", "external_ids?limit=2&next=\(next)"))
            #expect(rest.json["data"]?.array?.count == 1)

            let metadata = try await client.get(path("user_id:u1", "metadata"))
            #expect(metadata.json["metadata"]?["last_message_id"] == "m5")
            #expect(metadata.json["metadata"]?["expires_at"] == .null)
            #expect(metadata.headers[.requestID] != nil)
            let links = try await client.get(path("user_id:u1", "links"))
            #expect(links.json["data"]?[0]?["to_collection"] == "accounts")
            #expect(links.json["data"]?[0]?["external_ids"]?[0]?["id"] == "acme")
        }
    }

    @Test("93: events honour names, times, order, limit and next, and end 14 days back")
    func events() async throws {
        let (installation, _) = try await prepared()
        let now = installation.clock.now()
        try await installation.send(
            installation.track("Old", user: "u1", at: now - .days(15)),
            installation.track("Recent", user: "u1", at: now - .days(13)))
        try await installation.test { (client) async throws in
            func names(_ query: String) async throws -> [String] {
                let answer = try await client.get(path("user_id:u1", "events?\(query)"))
                return answer.json["data"]?.array?.compactMap { $0["event"]?.string } ?? []
            }
            #expect(
                try await names("") == ["Event 5", "Event 4", "Event 3", "Event 2", "Event 1", "Recent"])
            #expect(try await names("sort=asc&limit=2") == ["Recent", "Event 1"])
            #expect(try await names("include=Event%202,Event%203") == ["Event 3", "Event 2"])
            #expect(try await names("exclude=Recent,Event%205&limit=1") == ["Event 4"])
            #expect(try await names("end=\((now - .days(1)).description)") == ["Recent"])
            var seen: [String] = []
            var next: String?
            repeat {
                let page = try await client.get(
                    path("user_id:u1", "events?limit=2" + (next.map { "&next=\($0)" } ?? "")))
                seen += page.json["data"]?.array?.compactMap { $0["event"]?.string } ?? []
                next = page.json["cursor"]?["next"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            } while next != nil && seen.count < 20
            #expect(seen == ["Event 5", "Event 4", "Event 3", "Event 2", "Event 1", "Recent"])
            let first = try await client.get(path("user_id:u1", "events?limit=1"))
            #expect(first.json["data"]?[0]?["type"] == "track")
            #expect(first.json["data"]?[0]?["external_ids"]?[0]?["id"] == "u1")
            #expect(try await client.get(path("user_id:u1", "events?next=zzz")).status == 400)
            #expect(try await client.get(path("user_id:u1", "events?start=yesterday")).status == 400)
        }
    }
}

import JSON
import Model
import Testing

@testable import API

/// Why, time travel and next change over HTTP.
@Suite struct AsOfTests {
    private static let audiences = "/spaces/spa_muster/audiences"

    @Test("Why tells the conditions, the events that count, what would have to change and when time changes it")
    func why() async throws {
        let installation = try Installation()
        let start = installation.clock.now()
        try await installation.send(
            installation.track("Product Added", user: "u1", at: start - .hours(2), id: "one"),
            installation.track("Product Added", user: "u1", at: start - .hours(1), id: "two"),
            installation.identify("u2", ["plan": "pro"]))
        try await installation.test { (client) async throws in
            let id = try await client.audience(
                "Keen",
                "event('Product Added').within(1 days).count() >= 2 AND NOT event('Order Completed').count() >= 1")
            _ = try await client.settled(id)
            let why = try #require(try await client.get("\(Self.audiences)/\(id)/members/u1/why").data["why"])
            #expect(why["member"] == true)
            #expect(why["qualifies"] == true)
            #expect(
                why["nextChange"]?["at"]?.string == (start - .hours(2) + .days(1) + .init(milliseconds: 1)).description)
            #expect(why["nextChange"]?["value"] == false)
            let count = try #require(why["explanation"]?["children"]?[0])
            #expect(count["text"] == "event('Product Added').within(1 day).count() >= 2")
            #expect(count["holds"] == true)
            #expect(count["value"] == 2)
            #expect(count["events"]?.array?.map { $0["messageId"] } == ["two", "one"])
            // To get out, one of the two must turn.
            #expect(why["toChange"]?["any"]?.array?.map { $0["mustHold"] } == [false, true])

            let other = try #require(try await client.get("\(Self.audiences)/\(id)/members/user_id:u2/why").data["why"])
            #expect(other["member"] == false)
            #expect(other["toChange"]?["text"] == "event('Product Added').within(1 day).count() >= 2")
            #expect(other["toChange"]?["mustHold"] == true)
            #expect(other["toChange"]?["value"] == 0)
            #expect(other["nextChange"] == .null)

            // A funnel also names what stands inside its `where`.
            try await installation.send(
                installation.track("Order Completed", user: "u3", at: start - .minutes(10), id: "bought"),
                installation.track("Product Added", user: "u3", at: start - .minutes(20), id: "added"))
            let funnel = try await client.audience(
                "Funnel",
                "event('Product Added').where(event('Order Completed').within(parent: 1 hours).count() >= 1).count() >= 1"
            )
            _ = try await client.settled(funnel)
            let inner = try await client.get("\(Self.audiences)/\(funnel)/members/u3/why").data["why"]?["explanation"]
            #expect(inner?["events"]?.array?.map { $0["messageId"] } == ["added"])
            #expect(inner?["innerEvents"]?.array?.map { $0["messageId"] } == ["bought"])
            #expect(inner?["eventsComplete"] == true)

            let missing = try await client.get("\(Self.audiences)/\(id)/members/nobody/why")
            #expect(missing.status == 404)
            let early = try await client.get("\(Self.audiences)/\(id)/members/u1/why?at=2020-01-01T00:00:00Z")
            #expect(early.status == 404)
            #expect(early.error["field"] == "at")
            let bad = try await client.get("\(Self.audiences)/\(id)/members/u1/why?at=yesterday")
            #expect(bad.status == 400)
        }
    }

    @Test("Members, membership, traits and previews as of an instant; paging; the histogram of departures")
    func timeTravel() async throws {
        let installation = try Installation()
        let start = installation.clock.now()
        for user in 1...5 { try await installation.send(installation.track("A", user: "u\(user)")) }
        try await installation.send(installation.identify("u1", ["plan": "free"]))
        installation.clock.advance(.hours(1))
        try await installation.send(installation.identify("u1", ["plan": "pro"]), installation.track("A", user: "u9"))
        installation.clock.advance(.days(3))
        try await installation.engine.waitUntilTime(installation.clock.now())
        try await installation.test { (client) async throws in
            let id = try await client.audience("Recent", "event('A').within(2 days).count() >= 1")
            _ = try await client.settled(id)
            let path = "\(Self.audiences)/\(id)/members"
            let then = (start + .minutes(30)).description
            #expect(try await client.get(path).data["members"]?.array == [])
            var names: [String] = []
            var cursor = ""
            repeat {
                let page = try await client.get("\(path)?at=\(then)&count=2&cursor=\(cursor)").data
                let members = try #require(page["members"]?.array)
                #expect(members.count <= 2)
                names += members.compactMap { $0["userId"]?.string }
                cursor = page["pagination"]?["next"]?.string ?? ""
            } while !cursor.isEmpty
            #expect(names == ["u1", "u2", "u3", "u4", "u5"])
            let found = try await client.get("\(path)?at=\(then)&search=u3").data["members"]
            #expect(found?.array?.count == 1)
            #expect(try await client.get("\(path)/u1?at=\(then)").data["member"]?["member"] == true)
            #expect(try await client.get("\(path)/u1").data["member"]?["member"] == false)
            #expect(try await client.get("\(path)/u9?at=\(then)").status == 404)

            let profile = try #require(
                try await client.get("\(path)/u1").data["member"]?["profileId"]?.string)
            let before = try await client.get("/spaces/spa_muster/profiles/\(profile)?at=\(then)").data["profile"]
            #expect(before?["traits"]?[0]?["value"] == "free")
            #expect(before?["audiences"]?[0]?["member"] == true)
            let now = try await client.get("/spaces/spa_muster/profiles/\(profile)").data["profile"]
            #expect(now?["traits"]?[0]?["value"] == "pro")

            let preview = try await client.post(
                "\(Self.audiences)/previews?at=\(then)",
                ["definition": ["query": "event('A').within(2 days).count() >= 1"]])
            #expect(preview.data["audiencePreview"]?["size"]?["count"] == 5, "\(preview.text)")

            // Who will leave when.
            let slow = try await client.audience("Slow", "event('A').within(5 days).count() >= 1")
            _ = try await client.settled(slow)
            let changes = try #require(
                try await client.get("\(Self.audiences)/\(slow)/next-changes?days=10&buckets=10").data["nextChanges"])
            #expect(changes["profiles"] == 6)
            #expect(changes["buckets"]?.array?.map { $0["count"] ?? .null } == [0, 5, 1, 0, 0, 0, 0, 0, 0, 0])
            let member = try await client.get("\(Self.audiences)/\(slow)/members?count=1").data["members"]?[0]
            #expect(member?["nextChange"]?["at"]?.string == (start + .days(5) + .init(milliseconds: 1)).description)
            let future = (start + .days(6)).description
            #expect(try await client.get("\(Self.audiences)/\(slow)/members?at=\(future)").data["members"]?.array == [])
        }
    }
}

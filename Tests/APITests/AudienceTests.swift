import Foundation
import HTTPTypes
import JSON
import Model
import Testing

@testable import API

/// The life of audiences over HTTP, against a real engine (spec: engage §6.1, §6.3, §4.4–4.6).
@Suite struct AudienceTests {
    @Test("An audience is created, counted, listed, changed and deleted")
    func life() async throws {
        let installation = try Installation()
        try await installation.send(
            installation.track("Order Completed", user: "u1"), installation.track("Order Completed", user: "u2"),
            installation.track("Page Viewed", user: "u3"))
        try await installation.test { (client) async throws in
            let id = try await client.audience("Dormant Shoppers", "event('Order Completed').count()>=1")
            #expect(id.hasPrefix("aud_") && id.count == 31)
            let audience = try await client.settled(id)
            #expect(audience["key"] == "dormant_shoppers")
            #expect(audience["definition"]?["query"] == "event('Order Completed').count() >= 1")
            #expect(audience["computeCadence"]?["type"] == "REALTIME")
            #expect(audience["size"]?["count"] == 2)
            #expect(audience["size"]?["type"] == "USERS")
            #expect(audience["options"]?["filterByExternalIds"]?[0] == "user_id")
            #expect(audience["backfill"] == .null)

            let list = try await client.get("/spaces/default/audiences?search[type]=KEY&search[query]=dorm")
            #expect(list.data["audiences"]?.array?.count == 1)
            #expect(list.data["pagination"]?["totalEntries"] == 1)
            let none = try await client.get("/spaces/default/audiences?search[query]=zzz")
            #expect(none.data["audiences"]?.array == [])

            let path = "/spaces/spa_muster/audiences/\(id)"
            let renamed = try await client.patch(path, ["name": "Sleepers", "description": "quiet ones"])
            #expect(renamed.data["audience"]?["name"] == "Sleepers")
            #expect(renamed.data["audience"]?["key"] == "dormant_shoppers")
            let edited = try await client.patch(
                path, ["definition": ["query": "event('Page Viewed').count() >= 1"]])
            #expect(edited.status == 200)
            #expect(try await client.settled(id)["size"]?["count"] == 1)

            let off = try await client.patch(path, ["enabled": false])
            #expect(off.data["audience"]?["status"] == "Disabled")
            #expect(try await client.delete(path).data["status"] == "SUCCESS")
            #expect(try await client.get(path).status == 404)
            let again = try await client.post(
                "/spaces/spa_muster/audiences",
                ["name": "dormant shoppers", "definition": ["query": "event('A').count() >= 1"]])
            #expect(again.status == 409)
            #expect(again.error["field"] == "key")
        }
    }

    @Test("Every mistake in a body is named with its field")
    func mistakes() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            func error(_ body: JSONValue) async throws -> JSONValue {
                let answer = try await client.post("/spaces/spa_muster/audiences", body)
                #expect(answer.status == 400)
                return answer.error
            }
            let query: JSONValue = ["query": "event('A').count() >= 1"]
            #expect(try await error(["definition": query])["field"] == "name")
            #expect(try await error(["name": "  ", "definition": query])["field"] == "name")
            #expect(try await error(["name": "!?", "definition": query])["field"] == "name")
            #expect(try await error(["name": "a"])["field"] == "definition.query")
            #expect(try await error(["name": "a", "definiton": query])["field"] == "definiton")
            #expect(
                try await error(["name": "a", "audienceType": "LINKED", "definition": query])["field"] == "audienceType"
            )
            let days = try await error([
                "name": "a", "definition": query, "options": ["backfillEventDataDays": 0],
            ])
            #expect(days["field"] == "options.backfillEventDataDays")
            let nobody = try await error(["name": "a", "definition": query, "options": ["filterByExternalIds": []]])
            #expect(nobody["field"] == "options.filterByExternalIds")
            let unused = try await error([
                "name": "a", "definition": query,
                "options": ["includeHistoricalData": false, "backfillEventDataDays": 5],
            ])
            #expect(unused["field"] == "options.backfillEventDataDays")

            let broken = try await error(["name": "a", "definition": ["query": "event('A').cuont() >= 1"]])
            #expect(broken["field"] == "definition.query")
            #expect(broken["data"]?["line"] == 1)
            #expect(broken["message"]?.string?.contains("count") == true)
        }
    }

    @Test("Members are paged, found by any id, and downloaded as CSV that no spreadsheet runs")
    func members() async throws {
        let installation = try Installation()
        for number in 1...7 {
            try await installation.send(
                installation.track("A", user: "u\(number)"),
                installation.identify(
                    "u\(number)",
                    [
                        "name": .string(number == 3 ? "=cmd|'x'!A1" : "Name, \(number)"),
                        "email": .string("u\(number)@Example.org"),
                    ]))
        }
        try await installation.test { (client) async throws in
            let id = try await client.audience("Everyone", "event('A').count() >= 1")
            _ = try await client.settled(id)
            let path = "/spaces/spa_muster/audiences/\(id)/members"
            var seen: [String] = []
            var cursor: String?
            repeat {
                let page = try await client.get(path + "?count=3" + (cursor.map { "&cursor=\($0)" } ?? ""))
                #expect(page.data["pagination"]?["totalEntries"] == 7)
                seen += page.data["members"]?.array?.compactMap { $0["userId"]?.string } ?? []
                cursor = page.data["pagination"]?["next"]?.string
            } while cursor != nil
            #expect(seen == (1...7).map { "u\($0)" })

            let found = try await client.get(path + "?search=U5@example.ORG")
            #expect(found.data["members"]?.array?.count == 1)
            #expect(found.data["members"]?[0]?["userId"] == "u5")
            #expect(try await client.get(path + "?count=0").status == 400)
            #expect(try await client.get(path + "?cursor=x").error["field"] == "pagination[cursor]")

            let csv = try await client.get(path + ".csv")
            #expect(csv.headers[.contentType] == "text/csv; charset=utf-8")
            let lines = csv.text.split(separator: "\r\n")
            #expect(lines.count == 8)
            #expect(lines[0] == "key,value,external_ids,segment_id,user_id,email,name,since")
            #expect(lines[3].contains("'=cmd|'x'!A1"))
            #expect(lines[1].contains("\"Name, 1\""))
        }
    }

    @Test("A connection sends everybody once; its settings are checked and kept")
    func connections() async throws {
        let installation = try Installation()
        try await installation.send(installation.track("A", user: "u1"), installation.track("A", user: "u2"))
        try await installation.test { (client) async throws in
            let destination = try await client.destination()
            let id = try await client.audience("Buyers", "event('A').count() >= 1")
            _ = try await client.settled(id)
            let path = "/spaces/spa_muster/audiences/\(id)/destination-connections"
            let body: JSONValue = [
                "destination": ["id": .string(destination), "type": "destination"],
                "connectionSettings": ["sendTrack": true, "enterEvent": "Came In"],
            ]
            let connected = try await client.post(path, body)
            #expect(connected.status == 200)
            let settings = connected.data["connection"]?["connectionSettings"]
            #expect(settings?["sendIdentify"] == true)
            #expect(settings?["enterEvent"] == "Came In")
            #expect(settings?["exitEvent"] == "Audience Exited")
            #expect(connected.data["connection"]?["status"] == "Connected")
            #expect(try await client.post(path, body).status == 409)
            let unknown = try await client.post(path, ["destination": ["id": "dst_none"]])
            #expect(unknown.error["field"] == "destination.id")

            let waiting = try await client.get("/destinations/\(destination)/emissions?state=waiting")
            #expect(waiting.data["emissions"]?.array?.count == 4)
            let changed = try await client.patch(
                "\(path)/\(destination)", ["connectionSettings": ["enabled": false]])
            #expect(changed.data["connection"]?["status"] == "Disconnected")
            let empty = try await client.patch(
                "\(path)/\(destination)", ["connectionSettings": ["exitEvent": " "]])
            #expect(empty.error["field"] == "connectionSettings.exitEvent")
            #expect(try await client.delete("\(path)/\(destination)").status == 200)
            #expect(try await client.get(path).data["connections"]?.array == [])
            #expect(try await client.delete("\(path)/\(destination)").status == 404)
        }
    }

    @Test("An audience of an audience names its consumer and can't close a circle")
    func references() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let first = try await client.audience("First", "event('A').count() >= 1")
            let second = try await client.audience("Second", "trait('first') = 'true'")
            let references = try await client.get("/spaces/spa_muster/audiences/\(first)/audience-references")
            #expect(references.data["audienceReferences"]?[0]?["id"]?.string == second)
            let circle = try await client.patch(
                "/spaces/spa_muster/audiences/\(first)", ["definition": ["query": "trait('second') = 'true'"]])
            #expect(circle.status == 400)
            #expect(circle.error["message"]?.string?.contains("circle") == true)
            #expect(try await client.delete("/spaces/spa_muster/audiences/\(first)").status == 409)
        }
    }

    @Test("A computed trait has values for members")
    func trait() async throws {
        let installation = try Installation()
        try await installation.send(
            installation.track("Product Viewed", user: "u1", ["name": "Hat"]),
            installation.track("Product Viewed", user: "u2", ["name": "Sweater"]))
        try await installation.test { (client) async throws in
            let created = try await client.post(
                "/spaces/spa_muster/computed-traits",
                [
                    "name": "Last Product Viewed Item",
                    "definition": ["query": "event('Product Viewed').last(property('name'))", "type": "USERS"],
                    "options": ["includeAnonymousUsers": true],
                ])
            let trait = try #require(created.data["computedTrait"])
            #expect(trait["key"] == "last_product_viewed_item")
            #expect(trait["options"]?["includeAnonymousUsers"] == true)
            let id = try #require(trait["id"]?.string)
            #expect(id.hasPrefix("tra_"))
            var values: [JSONValue] = []
            for _ in 0..<200 where values.count < 2 {
                let page = try await client.get("/spaces/spa_muster/computed-traits/\(id)/members")
                values = page.data["members"]?.array?.compactMap { $0["value"] } ?? []
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(values == ["Hat", "Sweater"])
            #expect(try await client.get("/spaces/spa_muster/audiences/\(id)").status == 404)
        }
    }

    @Test("A preview counts and samples without saving, and equals the audience")
    func preview() async throws {
        let installation = try Installation()
        for number in 1...30 {
            try await installation.send(installation.track("A", user: "u\(number)", ["n": .number(number)]))
        }
        try await installation.test { (client) async throws in
            let query = "event('A').where(property('n') > 12).count() >= 1"
            let started = try await client.post(
                "/spaces/spa_muster/audiences/previews", ["definition": ["query": .string(query)]])
            var preview = try #require(started.data["audiencePreview"])
            let id = try #require(preview["id"]?.string)
            for _ in 0..<200 where preview["status"] == "RUNNING" {
                try await Task.sleep(for: .milliseconds(5))
                let read = try await client.get("/spaces/spa_muster/audiences/previews/\(id)")
                preview = try #require(read.data["audiencePreview"])
            }
            #expect(preview["status"] == "COMPLETED")
            #expect(preview["size"]?["count"] == 18)
            #expect(preview["results"]?.array?.count == 10)
            #expect(preview["identifierBreakdown"]?["user_id"]?["profiles"] == 18)
            let audience = try await client.settled(try await client.audience("Same", query))
            #expect(audience["size"]?["count"] == preview["size"]?["count"])
            #expect(try await client.get("/spaces/spa_muster/audiences/previews/none").status == 404)
        }
    }

    @Test(
        "A preview counts per condition and compares with an audience, also as of an instant; a trait's shows its values"
    )
    func previewFindings() async throws {
        let installation = try Installation()
        let start = installation.clock.now()
        for number in 1...30 {
            try await installation.send(installation.track("A", user: "u\(number)", ["n": .number(number)]))
        }
        installation.clock.advance(.hours(2))
        for number in 21...25 { try await installation.send(installation.track("B", user: "u\(number)")) }
        try await installation.test { (client) async throws in
            _ = try await client.settled(try await client.audience("B done", "event('B').count() >= 1"))
            func preview(_ query: String, _ address: String) async throws -> JSONValue {
                let started = try await client.post(
                    "/spaces/spa_muster/\(address)", ["definition": ["query": .string(query)]])
                let name = address.hasPrefix("audiences") ? "audiencePreview" : "computedTraitPreview"
                let words = address.hasPrefix("audiences") ? "audiences" : "computed-traits"
                var preview = try #require(started.data[name], "\(started.text)")
                let id = try #require(preview["id"]?.string)
                for _ in 0..<200 where preview["status"] == "RUNNING" {
                    try await Task.sleep(for: .milliseconds(5))
                    preview = try #require(
                        try await client.get("/spaces/spa_muster/\(words)/previews/\(id)").data[name])
                }
                #expect(preview["status"] == "COMPLETED")
                return preview
            }
            let query =
                "event('A').where(property('n') > 12).count() >= 1 AND (event('B').count() >= 1 OR event('A').where(property('n') < 15).count() >= 1)"
            let now = try await preview(query, "audiences/previews?overlap_with=b_done")
            #expect(now["size"]?["count"] == 7)
            #expect(now["qualifying"] == 30)
            let conditions = try #require(now["conditions"])
            #expect(conditions["kind"] == "and" && conditions["matching"] == 7)
            let operands = try #require(conditions["operands"]?.array)
            #expect(operands.map { $0["matching"] } == [18, 19])
            #expect(operands.map { $0["cumulative"] } == [18, 7])
            #expect(operands[0]["text"] == "event('A').where(property('n') > 12).count() >= 1")
            #expect(operands[1]["operands"]?.array?.map { $0["cumulative"] } == [5, 19])
            #expect(now["overlap"]?["name"] == "B done" && now["overlap"]?["key"] == "b_done")
            #expect(now["overlap"]?["both"] == 5 && now["overlap"]?["onlyThis"] == 2)
            #expect(now["overlap"]?["onlyOther"] == 0)
            // Before anybody did B.
            let then = (start + .hours(1)).description
            let past = try await preview(query, "audiences/previews?overlap_with=b_done&at=\(then)")
            #expect(past["size"]?["count"] == 2)
            #expect(past["conditions"]?["operands"]?[1]?["operands"]?.array?.map { $0["matching"] } == [0, 14])
            #expect(past["overlap"]?["both"] == 0 && past["overlap"]?["onlyThis"] == 2)
            let trait = try await preview("event('A').sum(property('n'))", "computed-traits/previews")
            #expect(trait["conditions"] == .null)
            #expect(trait["distribution"]?["minimum"] == 1 && trait["distribution"]?["median"] == 15)
            #expect(trait["distribution"]?["maximum"] == 30 && trait["distribution"]?["distinct"] == 30)
            #expect(trait["distribution"]?["frequent"]?[0] == ["value": 1, "profiles": 1])
            for wrong in ["none", "a"] {
                let answer = try await client.post(
                    "/spaces/spa_muster/audiences/previews?overlap_with=\(wrong)",
                    ["definition": ["query": "event('A').count() >= 1"]])
                #expect(answer.status == 400 && answer.text.contains("overlap_with"), "\(answer.text)")
            }
        }
    }

    @Test(
        "Keys come from names",
        arguments: [
            ("Dormant Shoppers", "dormant_shoppers"), ("  VIP – 2026! ", "vip_2026"), ("Größe XL", "größe_xl"),
            ("30 days", "30_days"), ("a__b", "a_b"), ("---", ""),
        ])
    func keys(name: String, key: String) {
        #expect(computationKey(of: name) == key)
    }
}

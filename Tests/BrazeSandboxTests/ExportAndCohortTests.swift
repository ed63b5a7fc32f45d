import JSON
import Testing

@testable import BrazeSandbox

/// Exports and cohorts: items 68, 70, 71, 85, 86; and the story end to end: items 88–90.
@Suite struct ExportAndCohortTests {
    @Test("70: fields are mandatory, ids at most 50, unknown ones named, empty fields left out")
    func export() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "first_name": "Ann"]])
        #expect(test.post("/users/export/ids", ["external_ids": ["u1"]]).status == 400)
        let many = JSONValue.array((0..<51).map { .string("u\($0)") })
        let excess = test.post("/users/export/ids", ["external_ids": many, "fields_to_export": ["email"]])
        #expect(excess.status == 400)
        #expect(excess.message == "The max number of external_ids and aliases per request was exceeded")
        let answer = test.post(
            "/users/export/ids",
            [
                "external_ids": ["u1", "nobody"],
                "fields_to_export": ["external_id", "first_name", "email", "custom_events"],
            ])
        #expect(
            answer.json == [
                "message": "success", "users": [["external_id": "u1", "first_name": "Ann"]],
                "invalid_user_ids": ["nobody"],
            ])
        let created = test.post("/users/export/ids", ["external_ids": ["u1"], "fields_to_export": ["created_at"]]).json
        #expect(created["users"]?[0]?["created_at"] == "2026-01-05 15:00:00.000 UTC")
        #expect(created["invalid_user_ids"] == nil)
    }

    @Test("71: after 90 days an event leaves the export and still counts")
    func oldEvents() throws {
        let test = try TestSandbox()
        test.track(events: [test.event("u1", "Opened")])
        test.advance(89 * DateText.day)
        #expect(test.event("u1", named: "Opened") != nil)
        test.advance(2 * DateText.day)
        #expect(test.event("u1", named: "Opened") == nil)
        #expect(test.members([["kind": "event_count", "name": "Opened", "op": "more_than", "n": 0]]) == ["u1"])
    }

    @Test("the segment export is a readable archive; one per segment runs at a time")
    func segmentExport() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": true, "y": 1], ["external_id": "u2", "x": false]])
        try test.segment("s", [["kind": "attribute", "name": "x", "op": "is_true"]])
        let body: JSONValue = [
            "segment_id": "s", "fields_to_export": ["external_id"], "custom_attributes_to_export": ["y"],
        ]
        let answer = test.post("/users/export/segment", body)
        #expect(answer.status == 201)
        let prefix = try #require(answer.json["object_prefix"]?.string)
        #expect(test.post("/users/export/segment", body).status == 429)
        let archive = test.sandbox.answer(SandboxRequest("GET", "/sandbox/exports/\(prefix).zip")).body
        let line = #"{"external_id":"u1","custom_attributes":{"y":1}}"# + "\n"
        #expect(String(decoding: archive, as: UTF8.self).contains(line))
        #expect(archive.starts(with: Array("PK".utf8)))
        #expect(StoredZip.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(test.post("/users/export/segment", ["segment_id": "s"]).status == 400)
        #expect(test.post("/export/segment/cancel", ["segment_id": "s"]).status == 201)
    }

    private func cohort(_ test: TestSandbox, _ path: String, _ more: JSONObject) -> TestSandbox.Answer {
        var body: JSONObject = [
            "partner_api_key": "sandbox-partner-key", "client_secret": "sandbox-client-secret", "cohort_id": "aud_1",
        ]
        for (key, value) in more.members { body[key] = value }
        return test.post("/partners/segment/cohorts" + path, .object(body), key: nil)
    }

    @Test("85: cohort calls check both secrets, shapes and the number of ids")
    func cohortErrors() throws {
        let test = try TestSandbox()
        let partner = cohort(test, "", ["partner_api_key": "x"])
        #expect(partner.status == 401)
        #expect(partner.message == "Invalid Partner API key")
        let secret = cohort(test, "/users", ["client_secret": "x"])
        #expect(secret.status == 401)
        #expect(secret.message == "Invalid client secret")
        #expect(cohort(test, "", ["name": "", "created_at": "2026-01-01T00:00:00Z"]).status == 400)
        #expect(cohort(test, "", ["name": "Dormant", "created_at": "yesterday"]).status == 400)
        for bad: JSONValue in [
            "x", [1], [["user_ids": "u1"]], [["should_remove": true]], [["user_ids": ["u1"], "should_remove": "yes"]],
        ] {
            #expect(cohort(test, "/users", ["cohort_changes": bad]).status == 400, "\(bad)")
        }
        let many = JSONValue.array((0..<1001).map { .string("u\($0)") })
        #expect(cohort(test, "/users", ["cohort_changes": [["user_ids": many]]]).status == 400)
        #expect(cohort(test, "/users", ["cohort_changes": []]).status == 201, "an empty change tests the credentials")
    }

    @Test("86: unknown users are skipped; membership is a filter, not an attribute; removing leaves nobody")
    func cohortMembership() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1"]])
        #expect(cohort(test, "", ["name": "Dormant", "created_at": "2026-01-01T00:00:00Z"]).status == 201)
        #expect(cohort(test, "/users", ["cohort_changes": [["user_ids": ["u1", "nobody"]]]]).status == 201)
        #expect(test.userCount == 1)
        func filter(_ include: Bool) -> JSONValue {
            ["kind": "cohort", "partner": "segment", "id": "aud_1", "include": .bool(include)]
        }
        #expect(test.members([filter(true)]) == ["u1"])
        #expect(test.members([filter(false)]) == [])
        #expect(test.user("u1")?["custom_attributes"] == nil)
        _ = cohort(test, "/users", ["cohort_changes": [["user_ids": ["u1"], "should_remove": true]]])
        #expect(test.members([filter(true)]) == [])
    }

    @Test("68, 88: trait by identify: the viewer shows Sweater, matches regex ^Sweater$ lists the user")
    func traitByIdentify() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "u1", "last_product_viewed_item": "Sweater"],
            ["external_id": "u2", "last_product_viewed_item": "Red Sweater"],
        ])
        let brazeID = try #require(test.user("u1")?["braze_id"]?.string)
        let row = test.api("GET", "/users/\(brazeID)", nil).json["attributes"]?[0]
        #expect(row?["name"] == "last_product_viewed_item")
        #expect(row?["value"] == "Sweater")
        try test.segment(
            "s",
            [["kind": "attribute", "name": "last_product_viewed_item", "op": "matches_regex", "value": "^Sweater$"]])
        #expect(test.segmentMembers("s") == ["u1"])
        #expect(test.api("GET", "/users/\(brazeID)", nil).json["segments"]?[0]?["name"] == "s")
    }

    @Test("68, 89: audience by identify: the segment gains and loses the user")
    func audienceByIdentify() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "dormant_shopper": true]])
        let brazeID = try #require(test.user("u1")?["braze_id"]?.string)
        #expect(test.api("GET", "/users/\(brazeID)", nil).json["attributes"]?[0]?["value"] == true)
        try test.segment("s", [["kind": "attribute", "name": "dormant_shopper", "op": "equals", "value": true]])
        #expect(test.segmentMembers("s") == ["u1"])
        test.track(attributes: [["external_id": "u1", "dormant_shopper": false]])
        #expect(test.segmentMembers("s") == [])
    }

    @Test("68, 90: audience by track: counts, last time, and the documented limit of more than 0")
    func audienceByTrack() throws {
        let test = try TestSandbox()
        test.track(events: [
            test.event(
                "u1", "Audience Entered", -20 * 3_600_000,
                properties: ["audience_key": "dormant_shopper", "dormant_shopper": true])
        ])
        let brazeID = try #require(test.user("u1")?["braze_id"]?.string)
        let row = test.api("GET", "/users/\(brazeID)", nil).json["events"]?[0]
        #expect(row?["count"] == 1)
        #expect(row?["last"]?.integer == Int(test.now - 20 * 3_600_000))
        try test.segment("s", [["kind": "event_count", "name": "Audience Entered", "op": "more_than", "n": 0]])
        test.track(events: [
            test.event(
                "u1", "Audience Exited", properties: ["audience_key": "dormant_shopper", "dormant_shopper": false])
        ])
        #expect(test.event("u1", named: "Audience Exited")?["count"] == 1)
        #expect(test.event("u1", named: "Audience Entered")?["count"] == 1)
        #expect(test.segmentMembers("s") == ["u1"])
        #expect(test.api("GET", "/segments/s", nil).json["warnings"]?[0]?.string?.contains("never go down") == true)
    }
}

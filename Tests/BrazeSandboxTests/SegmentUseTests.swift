import JSON
import Testing

@testable import BrazeSandbox

/// What segments are used for: items 67, 69, 83 and 84 of the checklist.
@Suite struct SegmentUseTests {
    private func filter(_ name: String, _ op: String, _ value: JSONValue? = nil, type: String? = nil) -> JSONValue {
        var object: JSONObject = ["kind": "attribute", "name": .string(name), "op": .string(op)]
        if let value { object["value"] = value }
        if let type { object["type"] = .string(type) }
        return .object(object)
    }

    @Test("83: User Lookup names the criteria that fail, and takes no email")
    func lookup() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": "Sweater", "n": 1, "email": "ann@example.com"]])
        try test.segment("s", [filter("x", "matches_regex", "^Sweater$"), filter("n", "more_than", 5)])
        func look(_ user: String) -> TestSandbox.Answer {
            test.api("POST", "/segments/s/lookup", ["user": .string(user)])
        }
        #expect(look("u1").json["matches"] == false)
        #expect(look("u1").json["unmet"] == ["n more than 5"])
        let brazeID = try #require(test.user("u1")?["braze_id"]?.string)
        #expect(look(brazeID).json["matches"] == false)
        #expect(look("ann@example.com").status == 400)
        #expect(look("ann@example.com").message?.contains("not an email") == true)
        #expect(look("nobody").status == 400)
        test.track(attributes: [["external_id": "u1", "n": 6]])
        #expect(look("u1").json["matches"] == true)
    }

    @Test("84: previews are the intersection of segments and filters; triggers need recipients or a broadcast")
    func messages() throws {
        let test = try TestSandbox()
        for (id, x, y, z) in [("u1", true, true, true), ("u2", true, true, false), ("u3", true, false, true)] {
            test.track(attributes: [["external_id": .string(id), "x": .bool(x), "y": .bool(y), "z": .bool(z)]])
        }
        try test.segment("sx", [filter("x", "is_true")])
        try test.segment("sy", [filter("y", "is_true")])
        let target: JSONValue = [
            "name": "m", "segments": ["sx", "sy"], "filters": ["groups": [["filters": [filter("z", "is_true")]]]],
        ]
        for (kind, path, trigger) in [
            ("campaign", "/campaigns", "/campaigns/trigger/send"), ("canvas", "/canvases", "/canvas/trigger/send"),
        ] {
            #expect(
                test.api("POST", path + "/preview", target).json["members"]?.array?.map { $0["external_id"] } == ["u1"])
            let id = try #require(test.api("POST", path, target).json["id"])
            #expect(test.api("GET", "\(path)/\(id.string ?? "")/audience", nil).json["size"] == 1)
            func send(_ more: JSONObject) -> TestSandbox.Answer {
                var body: JSONObject = ["\(kind)_id": id]
                for (key, value) in more.members { body[key] = value }
                return test.post(trigger, .object(body))
            }
            #expect(send([:]).status == 400)
            #expect(send([:]).message == "No Recipients")
            #expect(send(["broadcast": true]).status == 201)
            let named = send([
                "recipients": [["external_user_id": "u1"], ["external_user_id": "u2"], ["external_user_id": "nobody"]]
            ])
            #expect(named.json["message"] == "success")
            #expect(named.json["dispatch_id"]?.string?.isEmpty == false)
            let sends = test.api("GET", "/sends", nil, query: "message=\(id.string ?? "")").json["sends"]
            #expect(sends?.array?.map { $0["recipients"] } == [["u1"], ["u1"]])
            let many = JSONValue.array(Array(repeating: ["external_user_id": "u1"], count: 51))
            #expect(send(["recipients": many]).status == 400)
            // Attributes that travel with a recipient count for this very message.
            let carried = send(["recipients": [["external_user_id": "u2", "attributes": ["z": true]]]])
            #expect(carried.status == 201)
            #expect(test.api("GET", "/sends", nil).json["sends"]?[0]?["recipients"] == ["u2"])
            test.track(attributes: [["external_id": "u2", "z": false]])
            #expect(test.post(trigger, ["\(kind)_id": "unknown", "broadcast": true]).status == 400)
        }
        let connected: JSONValue = [
            "AND": [["custom_attribute": ["custom_attribute_name": "y", "comparison": "equals", "value": true]]]
        ]
        let all = test.api("POST", "/campaigns", ["name": "all", "segments": ["sx"]]).json["id"] ?? nil
        #expect(
            test.post("/campaigns/trigger/send", ["campaign_id": all, "broadcast": true, "audience": connected]).status
                == 201)
        #expect(test.api("GET", "/sends", nil).json["sends"]?[0]?["count"] == 2)
    }

    @Test("84: a trigger call that is wrong is refused with the place, and leaves no record")
    func triggerChecks() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": true, "email": "ann@example.com"]])
        try test.segment("sx", [filter("x", "is_true")])
        let id = try #require(test.api("POST", "/campaigns", ["name": "m", "segments": ["sx"]]).json["id"])
        let user: JSONValue = ["external_user_id": "u1"]
        let wrong: [(JSONObject, String)] = [
            (["recipients": "u1"], "'recipients' must be an array"), (["recipients": ["u1"]], "array of objects"),
            (["recipients": [[:]]], "'recipients[0]' needs an 'external_user_id'"),
            (["recipients": [user, ["external_user_id": ""]]], "'recipients[1]' needs"),
            (["recipients": [["external_user_id": "u1", "email": "a@b.c"]]], "more than one identifier"),
            (["recipients": [["user_alias": ["alias_name": "a"]]]], "'alias_label'"),
            (["recipients": [["email": "ann@example.com"]]], "needs a 'prioritization'"),
            (["recipients": [["email": "ann@example.com", "prioritization": ["newest"]]]], "unknown value"),
            (["recipients": [["external_user_id": "u1", "send_to_existing_only": "no"]]], "must be a boolean"),
            (["recipients": [["external_user_id": "u1", "attributes": 1]]], "attributes' must be an object"),
            (
                ["recipients": [["external_user_id": "u1", "trigger_properties": 1]]],
                "recipients[0].trigger_properties"
            ),
            (["recipients": [user], "broadcast": true], "must not be true"),
            (["recipients": [user], "broadcast": "true"], "must be a boolean"),
            (["recipients": [user], "trigger_properties": [1]], "'trigger_properties' must be an object"),
            (["recipients": [user], "send_id": 5], "'send_id'"),
            (["recipients": [user], "audience": "x"], "'audience'"),
            (["recipients": [user], "attachments": [["file_name": "a"]]], "a 'url'"),
            (
                ["recipients": [user], "trigger_properties": ["x": .string(String(repeating: "x", count: 52_000))]],
                "50 KB"
            ),
        ]
        for (body, words) in wrong {
            let answer = test.post(
                "/campaigns/trigger/send", .object(JSONObject(body.members + [(key: "campaign_id", value: id)])))
            #expect(answer.status == 400)
            #expect(answer.message?.contains(words) == true, "\(answer.message ?? "taken"), not \(words)")
        }
        #expect(test.api("GET", "/sends", nil).json["sends"] == [])
    }

    @Test("84: the campaign's page has what an API trigger gave it to say, and who got it")
    func triggerRecord() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "u1", "x": true, "email": "ann@example.com"], ["external_id": "u2", "x": false],
        ])
        try test.segment("sx", [filter("x", "is_true")])
        let id = try #require(test.api("POST", "/campaigns", ["name": "m", "segments": ["sx"]]).json["id"])
        let answer = test.post(
            "/campaigns/trigger/send",
            [
                "campaign_id": id, "send_id": "s1", "trigger_properties": ["total": 12],
                "attachments": [["file_name": "a.pdf", "url": "https://example.org/a.pdf"]],
                "recipients": [
                    ["email": "ann@example.com", "prioritization": ["identified", "most_recently_updated"]],
                    ["external_user_id": "u2"],
                ],
            ])
        #expect(answer.status == 201)
        #expect(answer.json["notice"]?.string?.hasPrefix("1 of the recipients") == true)
        let send = test.api("GET", "/sends", nil, query: "message=\(id.string ?? "")").json["sends"]?[0]
        #expect(send?["recipients"] == ["u1"])
        #expect(send?["send_id"] == "s1")
        #expect(send?["properties"] == ["total": 12])
        #expect(send?["source"] == "api")
    }

    @Test("67: search by external id, Braze ID, email, phone and label:name")
    func search() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "u1", "email": "ann@example.com", "phone": "+1 (555) 123-4567"], ["external_id": "x9"],
        ])
        test.post(
            "/users/alias/new",
            ["user_aliases": [["external_id": "u1", "alias_name": "anon-7", "alias_label": "device"]]])
        let brazeID = try #require(test.user("u1")?["braze_id"]?.string)
        for text in ["u1", brazeID, "ANN@example.com", "%2B15551234567", "device:anon-7"] {
            let page = test.api("GET", "/users", nil, query: "search=\(text)").json
            #expect(page["users"]?.array?.map { $0["external_id"] } == ["u1"], "\(text)")
        }
        #expect(test.api("GET", "/users", nil, query: "search=nobody").json["total"] == 0)
        #expect(
            test.api("GET", "/users", nil).json["users"]?.array?.map { $0["external_id"] } == ["u1", "x9"],
            "newest change first")
    }

    @Test("69: the profile lists exactly the segments that the evaluator says")
    func profileSegments() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": true, "n": 5]])
        try test.segment("yes", [filter("x", "is_true")])
        try test.segment("no", [filter("x", "is_false")])
        try test.segment("also", [filter("n", "more_than", 4)])
        let brazeID = try #require(test.user("u1")?["braze_id"]?.string)
        let listed = test.api("GET", "/users/\(brazeID)", nil).json["segments"]?.array?.map { $0["id"]?.string }
        #expect(listed == ["yes", "also"])
        for id in ["yes", "no", "also"] { #expect((test.segmentMembers(id) == ["u1"]) == listed?.contains(id)) }
    }

    @Test("details, sizes of days and lists of names")
    func lists() throws {
        let test = try TestSandbox()
        test.track(
            attributes: [["external_id": "u1", "x": true]],
            events: [test.event("u1", "Opened", -3_600_000), test.event("u1", "Opened", -DateText.day)])
        try test.segment(
            "s", [filter("x", "is_true"), ["kind": "event_count", "name": "Opened", "op": "more_than", "n": 0]])
        #expect(
            test.get("/segments/details", query: "segment_id=s").json["description"]
                == "x is true AND did \"Opened\" more than 0 times")
        #expect(test.get("/segments/details", query: "segment_id=none").status == 400)
        #expect(
            test.get("/segments/data_series", query: "segment_id=s&length=14").json["data"] == [
                ["time": "2026-01-05", "size": 1]
            ])
        #expect(test.get("/events/list").json["events"] == ["Opened"])
        #expect(test.get("/events").json["events"]?[0]?["status"] == "Active")
        #expect(
            test.get("/events/data_series", query: "event=Opened&length=2").json["data"] == [
                ["time": "2026-01-04", "count": 1], ["time": "2026-01-05", "count": 1],
            ])
        #expect(
            test.get("/custom_attributes").json["attributes"]?[0]?["data_type"] == "Boolean (Automatically Detected)")
        for index in 0..<50 { test.track(attributes: [["external_id": "u1", "a\(index)": 1]]) }
        let first = test.get("/custom_attributes")
        #expect(first.json["attributes"]?.array?.count == 50)
        let cursor = try #require(first.header("link")?.split(separator: "cursor=").last?.prefix { $0 != ">" })
        #expect(test.get("/custom_attributes", query: "cursor=\(cursor)").json["attributes"]?.array?.count == 1)
    }
}

import JSON
import Testing

@testable import BrazeSandbox

/// Filters and segments: items 72–82 of the checklist.
@Suite struct SegmentTests {
    private func filter(_ name: String, _ op: String, _ value: JSONValue? = nil, type: String? = nil) -> JSONValue {
        var object: JSONObject = ["kind": "attribute", "name": .string(name), "op": .string(op)]
        if let value { object["value"] = value }
        if let type { object["type"] = .string(type) }
        return .object(object)
    }

    @Test("72: IS ANY OF minds case; MATCHES REGEX finds anywhere without regard to case")
    func strings() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "u1", "item": "Sweater"], ["external_id": "u2", "item": "red sweater"],
            ["external_id": "u3"],
        ])
        #expect(test.members([filter("item", "is_any_of", ["Sweater", "Jeans"])]) == ["u1"])
        #expect(test.members([filter("item", "is_any_of", ["sweater"])]) == [])
        #expect(test.members([filter("item", "matches_regex", "sweat")]) == ["u1", "u2"])
        #expect(test.members([filter("item", "matches_regex", "^sweat$")]) == [])
        #expect(test.members([filter("item", "matches_regex", "^Sweater$")]) == ["u1"])
        #expect(test.members([filter("item", "contains_any_of", ["weater"])]) == ["u1", "u2"])
        #expect(test.members([filter("item", "contains_any_of", ["RED"])]) == [])
        #expect(test.members([filter("item", "equals", "Sweater")]) == ["u1"], "the old name works")
    }

    @Test("73: DOES NOT MATCH REGEX leaves out users without a value; IS NONE OF includes them")
    func negativeStrings() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "u1", "item": "Sweater"], ["external_id": "u2", "item": "Jeans"], ["external_id": "u3"],
        ])
        #expect(test.members([filter("item", "does_not_match_regex", "sweat")]) == ["u2"])
        #expect(test.members([filter("item", "is_none_of", ["Sweater"])]) == ["u2", "u3"])
        #expect(test.members([filter("item", "does_not_contain_any_of", ["Sweat"])]) == ["u2", "u3"])
        #expect(test.members([filter("item", "is_blank")]) == ["u3"])
        #expect(test.members([filter("item", "is_not_blank")]) == ["u1", "u2"])
    }

    @Test("74: EXACTLY 0 and LESS THAN 5 include users without the number, MORE THAN -1 does not")
    func numbers() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "zero", "n": 0], ["external_id": "four", "n": 4.5], ["external_id": "ten", "n": 10],
            ["external_id": "none"],
        ])
        #expect(test.members([filter("n", "exactly", 0)]) == ["none", "zero"])
        #expect(test.members([filter("n", "exactly", 10)]) == ["ten"])
        #expect(test.members([filter("n", "less_than", 5)]) == ["four", "none", "zero"])
        #expect(test.members([filter("n", "more_than", -1)]) == ["four", "ten", "zero"])
        #expect(test.members([filter("n", "does_not_equal", 10)]) == ["four", "none", "zero"])
        #expect(test.api("PUT", "/switches", ["lt_includes_missing": false]).status == 200)
        #expect(test.members([filter("n", "less_than", 5)]) == ["four", "zero"])
    }

    @Test("75: IS FALSE leaves out users without the attribute, FALSE OR NOT SET includes them")
    func booleans() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "in", "b": true], ["external_id": "out", "b": false], ["external_id": "none"],
        ])
        let expected: [(String, [String])] = [
            ("is_true", ["in"]), ("is_false", ["out"]), ("is_true_or_not_set", ["in", "none"]),
            ("is_false_or_not_set", ["none", "out"]), ("is_blank", ["none"]), ("is_not_blank", ["in", "out"]),
        ]
        for (op, ids) in expected { #expect(test.members([filter("b", op)]) == ids, "\(op)") }
        #expect(test.members([filter("b", "equals", true)]) == ["in"])
        #expect(test.members([filter("b", "equals", false)]) == ["out"])
        #expect(test.members([filter("b", "matches_regex", "true")]) == nil, "no operator of a boolean")
    }

    @Test("arrays: any, none, all, substrings, pattern, empty")
    func arrays() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "u1", "a": ["red", "green"]], ["external_id": "u2", "a": ["blue", 7]],
            ["external_id": "u3", "a": []],
            ["external_id": "u4"],
        ])
        let expected: [(String, JSONValue?, [String])] = [
            ("includes_any_of", ["red", "7"], ["u1", "u2"]), ("includes_none_of", ["red"], ["u2", "u3", "u4"]),
            ("is_all_of", ["red", "green"], ["u1"]), ("is_not_all_of", ["red", "green"], ["u2", "u3", "u4"]),
            ("values_contain_any_of", ["ee", "lu"], ["u1", "u2"]),
            ("values_do_not_contain_any_of", ["ee"], ["u2", "u3", "u4"]),
            ("matches_regex", "^BLUE$", ["u2"]), ("has_a_value", nil, ["u1", "u2"]), ("is_empty", nil, ["u3", "u4"]),
        ]
        for (op, value, ids) in expected { #expect(test.members([filter("a", op, value)]) == ids, "\(op)") }
    }

    @Test("times: days of the company's zone, and spans of 24 hours")
    func times() throws {
        let test = try TestSandbox()
        func at(_ text: String) -> JSONValue { ["external_id": .string(text), "t": .string(text)] }
        let ids = ["2026-01-01T23:30:00Z", "2026-01-02T12:00:00Z", "2026-01-05T14:00:00Z", "2026-01-07T15:00:00Z"]
        test.track(attributes: ids.map(at) + [["external_id": "none"]])
        #expect(test.members([filter("t", "before", "2026-01-02")]) == [ids[0]])
        #expect(test.members([filter("t", "after", "2026-01-01")]) == [ids[1], ids[2], ids[3]])
        #expect(test.members([filter("t", "less_than_days_ago", 1)]) == [ids[2]])
        #expect(test.members([filter("t", "more_than_days_ago", 1)]) == [ids[0], ids[1]])
        #expect(test.members([filter("t", "in_less_than_days", 2)]) == [ids[3]])
        #expect(test.members([filter("t", "in_more_than_days", 1)]) == [ids[3]])
        #expect(test.members([filter("t", "day_of_year", "01-02")]) == [ids[1]])
        _ = test.api("POST", "/workspaces", ["id": "sandbox", "time_zone": "Europe/Berlin"])
        #expect(test.members([filter("t", "before", "2026-01-02")]) == [], "23:30 UTC is the next day in Berlin")
        #expect(test.members([filter("t", "day_of_year", "01-02")]) == [ids[0], ids[1]])
    }

    @Test("nested values by path, and any element of an array of objects")
    func nested() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            [
                "external_id": "u1", "address": ["city": "Berlin", "since": ["$time": "2026-01-01"]],
                "pets": [["name": "Rex", "age": 3], ["name": "Tom", "age": 9]],
            ],
            ["external_id": "u2", "address": ["city": "Rome"], "pets": [["name": "Ada", "age": 1]]],
            ["external_id": "u3"],
        ])
        func path(_ name: String, _ path: String, _ type: String, _ op: String, _ value: JSONValue? = nil) -> JSONValue
        {
            var object = filter(name, op, value, type: type).object ?? JSONObject()
            object["path"] = .string(path)
            return .object(object)
        }
        #expect(test.members([path("address", "city", "string", "is_any_of", ["Rome"])]) == ["u2"])
        #expect(test.members([path("address", "since", "time", "before", "2026-01-02")]) == ["u1"])
        #expect(test.members([path("pets", "[].age", "number", "more_than", 5)]) == ["u1"])
        #expect(test.members([path("pets", "[].name", "string", "matches_regex", "^a")]) == ["u2"])
        #expect(test.members([path("address", "city", "string", "is_blank")]) == ["u3"])
    }

    @Test("76: counts of an event over users with 0, 1, 2 and 3 occurrences")
    func eventCounts() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "n0"]])
        for count in 1...3 {
            test.track(events: (0..<count).map { test.event("n\(count)", "Opened", -EpochMilliseconds($0) * 1000) })
        }
        func count(_ op: String, _ n: Int) -> [String]? {
            test.members([["kind": "event_count", "name": "Opened", "op": .string(op), "n": .number(n)]])
        }
        #expect(count("more_than", 0) == ["n1", "n2", "n3"])
        #expect(count("less_than", 1) == ["n0"])
        #expect(count("exactly", 0) == ["n0"])
        #expect(count("exactly", 2) == ["n2"])
        #expect(count("more_than", 2) == ["n3"])
    }

    @Test("77: X in Y counts UTC calendar days; Last Did counts 24-hour days")
    func windows() throws {
        // 2026-01-06T01:00:00Z
        let test = try TestSandbox(at: TestSandbox.start + 10 * 3_600_000)
        let inside = -(72 * 3_600_000 + 59 * 60_000 + 59_000) as EpochMilliseconds
        let outside = -(73 * 3_600_000 + 1000) as EpochMilliseconds
        test.track(events: [test.event("inside", "Opened", inside), test.event("outside", "Opened", outside)])
        #expect(
            test.members([["kind": "event_x_in_y", "name": "Opened", "op": "more_than", "n": 0, "days": 3]]) == [
                "inside"
            ])
        let last: JSONValue = ["kind": "event_last", "name": "Opened", "op": "less_than_ago", "value": 3]
        #expect(test.members([last]) == [])
        #expect(
            test.members([["kind": "event_last", "name": "Opened", "op": "less_than_ago", "value": 3.041665]]) == [
                "inside"
            ]
        )
        #expect(
            test.members([["kind": "event_first", "name": "Opened", "op": "more_than_ago", "value": 3]]) == [
                "inside", "outside",
            ])
        #expect(
            test.members([["kind": "event_first", "name": "Opened", "op": "before", "value": "2026-01-03"]]) == [
                "outside"
            ])
        #expect(
            test.members([["kind": "event_last", "name": "Opened", "op": "after", "value": "2026-01-02"]]) == ["inside"]
        )
    }

    @Test("a property counts only once it is enabled for segmentation")
    func properties() throws {
        let test = try TestSandbox()
        let send = { (key: String) in
            test.track(events: [test.event("u1", "Audience Entered", properties: ["audience_key": .string(key)])])
        }
        #expect(send("early").status == 201)
        let filter: JSONValue = [
            "kind": "event_x_in_y", "name": "Audience Entered", "op": "more_than", "n": 0, "days": 30,
            "property": ["name": "audience_key", "op": "equals", "value": "early"],
        ]
        #expect(test.members([filter]) == nil)
        #expect(
            test.api("POST", "/events", ["name": "Audience Entered", "properties": ["audience_key"]]).status == 200)
        #expect(test.members([filter]) == [])
        #expect(send("early").status == 201)
        #expect(test.members([filter]) == ["u1"])
    }

    @Test("78: AND and OR of groups, exclusion beats inclusion")
    func groups() throws {
        let test = try TestSandbox()
        for bits in 0..<16 {
            let names = ["a", "b", "c", "d"].enumerated().filter { bits >> $0.offset & 1 == 1 }.map(\.element)
            var object: JSONObject = ["external_id": .string("u" + names.joined())]
            for name in names { object[name] = true }
            test.track(attributes: [.object(object)])
        }
        func group(_ join: String, _ names: String...) -> JSONValue {
            ["join": .string(join), "filters": .array(names.map { filter($0, "is_true") })]
        }
        let orOfAnds = test.members(of: ["join": "OR", "groups": [group("AND", "a", "b"), group("AND", "c", "d")]])
        #expect(orOfAnds == ["uab", "uabc", "uabcd", "uabd", "uacd", "ubcd", "ucd"])
        let andOfOrs = test.members(of: ["join": "AND", "groups": [group("OR", "a", "b"), group("OR", "c", "d")]])
        #expect(andOfOrs == ["uabc", "uabcd", "uabd", "uac", "uacd", "uad", "ubc", "ubcd", "ubd"])
        let excluded = test.members(of: [
            "groups": [group("AND", "a")], "exclude": [group("AND", "b", "c"), group("AND", "d")],
        ])
        #expect(excluded == ["ua", "uab", "uac"])
    }

    @Test("app scope: users from no apps are API-only users")
    func apps() throws {
        let test = try TestSandbox()
        var event = test.event("app-user", "Opened").object ?? JSONObject()
        event["app_id"] = "ios"
        test.track(
            attributes: [["external_id": "api-user", "x": true], ["external_id": "app-user", "x": true]],
            events: [.object(event)])
        func members(_ apps: JSONValue) -> [String]? {
            test.members(of: ["apps": apps, "groups": [["filters": [filter("x", "is_true")]]]])
        }
        #expect(members("all") == ["api-user", "app-user"])
        #expect(members("none") == ["api-user"])
        #expect(members(["ios"]) == ["app-user"])
        #expect(members(["web"]) == [])
    }

    @Test("79: a segment with Segment Membership cannot be nested; membership follows the inner segment")
    func nesting() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": true, "y": true], ["external_id": "u2", "x": true]])
        try test.segment("inner", [filter("x", "is_true")])
        try test.segment("outer", [["kind": "segment", "id": "inner"], filter("y", "is_not_blank")])
        #expect(test.segmentMembers("outer") == ["u1"])
        #expect(test.members([["kind": "segment", "id": "inner", "include": false]]) == [])
        let third = test.api(
            "POST", "/segments", ["name": "third", "groups": [["filters": [["kind": "segment", "id": "outer"]]]]])
        #expect(third.status == 400)
        let cycle = test.api(
            "PUT", "/segments/inner", ["name": "inner", "groups": [["filters": [["kind": "segment", "id": "inner"]]]]])
        #expect(cycle.status == 400)
        try test.segment("other", [filter("y", "is_true")])
        let deepened = test.api(
            "PUT", "/segments/inner", ["name": "inner", "groups": [["filters": [["kind": "segment", "id": "other"]]]]])
        #expect(deepened.status == 400)
    }

    @Test("80: a changed attribute moves the user within the delay, without any rebuild")
    func liveness() throws {
        let test = try TestSandbox { $0.applyDelayMilliseconds = 50 }
        test.track(attributes: [["external_id": "u1", "dormant_shopper": true]])
        test.advance(50)
        try test.segment("s", [filter("dormant_shopper", "is_true")])
        #expect(test.segmentMembers("s") == ["u1"])
        test.track(attributes: [["external_id": "u1", "dormant_shopper": false]])
        #expect(test.segmentMembers("s") == ["u1"])
        test.advance(50)
        #expect(test.segmentMembers("s") == [])
    }

    @Test("81: archiving leaves the list and archives what depends on the segment")
    func archiving() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": true]])
        try test.segment("inner", [filter("x", "is_true")])
        try test.segment("outer", [["kind": "segment", "id": "inner"]])
        let campaign = test.api("POST", "/campaigns", ["name": "c", "segments": ["outer"]]).json["id"]?.string ?? ""
        #expect(test.get("/segments/list").json["segments"]?.array?.count == 2)
        #expect(test.api("POST", "/segments/inner/archive", ["archived": true]).status == 200)
        #expect(test.get("/segments/list").json["segments"] == [])
        #expect(test.get("/campaigns/list").json["campaigns"] == [])
        #expect(
            test.get("/campaigns/list", query: "include_archived=true").json["campaigns"]?[0]?["id"]?.string == campaign
        )
        _ = test.api("POST", "/segments/inner/archive", ["archived": false])
        #expect(
            test.get("/segments/list").json["segments"]?.array?.count == 1, "unarchiving does not revive the others")
    }

    @Test("82: limits of filters and patterns")
    func limits() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": "Sweater"]])
        let long = JSONValue.array((0..<200).map { .string("\($0)" + String(repeating: "v", count: 60)) })
        #expect(test.members([filter("x", "is_any_of", long)]) == nil)
        #expect(test.members([filter("x", "is_any_of", .array((0..<257).map { .string("\($0)") }))]) == nil)
        #expect(test.members([filter("x", "is_any_of", .array((0..<256).map { .string("\($0)") }))]) == [])
        #expect(test.members([filter("x", "matches_regex", .string(String(repeating: "a", count: 32_765)))]) == nil)
        #expect(test.members([filter("x", "matches_regex", .string(String(repeating: "a", count: 32_764)))]) == [])
        #expect(test.members([filter("x", "matches_regex", "(unclosed")]) == nil)
        #expect(test.members([["kind": "event_x_in_y", "name": "e", "op": "exactly", "n": 51, "days": 1]]) == nil)
        #expect(test.members([["kind": "event_x_in_y", "name": "e", "op": "exactly", "n": 1, "days": 31]]) == nil)
        #expect(test.members([filter("unheard", "is_blank")]) == nil, "a name can be chosen once a value has arrived")
        #expect(test.members(of: ["groups": []]) == nil)
    }

    @Test("a pattern that backtracks without end is reported instead of giving a wrong number")
    func slowPattern() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": .string(String(repeating: "a", count: 60) + "b")]])
        let answer = test.api(
            "POST", "/segments/preview", ["groups": [["filters": [filter("x", "matches_regex", "(a+)+$")]]]])
        #expect(answer.status == 400)
        #expect(answer.message?.contains("takes too long") == true)
    }

    @Test("two negative filters on one attribute joined by OR are warned about")
    func warnings() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "x": "Sweater"]])
        let filters: JSONValue = [filter("x", "is_none_of", ["a"]), filter("x", "is_none_of", ["b"])]
        func warnings(_ join: String) -> Int? {
            test.api("POST", "/segments/preview", ["groups": [["join": .string(join), "filters": filters]]]).json[
                "warnings"]?.array?.count
        }
        #expect(warnings("OR") == 1)
        #expect(warnings("AND") == 0)
    }
}

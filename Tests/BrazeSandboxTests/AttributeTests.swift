import JSON
import Testing

@testable import BrazeSandbox

/// Custom attributes: items 45–56 of the checklist (spec braze §8).
@Suite struct AttributeTests {
    /// Sends one attributes object for u1 and gives its attribute `x` back.
    private func set(_ test: TestSandbox, _ value: JSONValue, merge: Bool = false) -> JSONValue? {
        var object: JSONObject = ["external_id": "u1", "x": value]
        if merge { object["_merge_objects"] = true }
        #expect(test.track(attributes: [.object(object)]).status == 201)
        return test.attribute("u1", "x")
    }

    @Test("45: null removes; IS BLANK matches then")
    func null() throws {
        let test = try TestSandbox()
        #expect(set(test, "Sweater") == "Sweater")
        let blank: JSONValue = ["kind": "attribute", "name": "x", "op": "is_blank"]
        #expect(test.members([blank]) == [])
        #expect(set(test, nil) == nil)
        #expect(test.members([blank]) == ["u1"])
    }

    @Test("46: inc from missing counts up; on a string it is ignored")
    func increment() throws {
        let test = try TestSandbox()
        #expect(set(test, ["inc": 2]) == 2)
        #expect(set(test, ["inc": 2]) == 4)
        #expect(set(test, ["inc": -5]) == -1)
        #expect(set(test, "Sweater") == "Sweater")
        #expect(set(test, ["inc": 2]) == "Sweater")
    }

    @Test("47: arrays drop duplicates, evict the oldest over the cap, add and remove")
    func arrays() throws {
        let test = try TestSandbox { $0.arrayCap = 25 }
        #expect(set(test, ["a", "b", "a", "c"]) == ["b", "a", "c"])
        #expect(set(test, ["add": ["b", "d"]]) == ["a", "c", "b", "d"])
        #expect(set(test, ["remove": ["a", "zz"]]) == ["c", "b", "d"])
        let many = JSONValue.array((0..<24).map { .string("v\($0)") })
        #expect(set(test, ["add": many])?.array?.count == 25)
        #expect(set(test, ["add": ["last"]])?.array?.first == "v0", "the oldest element, d, fell off")
        #expect(set(test, "text") == "text")
        #expect(set(test, ["add": ["x"]]) == "text")
    }

    @Test("48: an object replaces; with _merge_objects it merges deeply")
    func objects() throws {
        let test = try TestSandbox()
        #expect(
            set(test, ["city": "Berlin", "geo": ["lat": 1, "lon": 2]]) == [
                "city": "Berlin", "geo": ["lat": 1, "lon": 2],
            ])
        #expect(
            set(test, ["geo": ["lat": 9], "zip": "1"], merge: true) == [
                "city": "Berlin", "geo": ["lat": 9, "lon": 2], "zip": "1",
            ])
        #expect(set(test, ["zip": "2"]) == ["zip": "2"])
    }

    @Test("49: $add and $remove of one element in one call leave it absent")
    func addRemove() throws {
        let test = try TestSandbox()
        #expect(set(test, [["id": 1], ["id": 2]]) == [["id": 1], ["id": 2]])
        let both: JSONValue = ["$remove": [["$identifier_key": "id", "$identifier_value": 3]], "$add": [["id": 3]]]
        #expect(set(test, both) == [["id": 1], ["id": 2]])
        #expect(set(test, ["$remove": [["$identifier_key": "id", "$identifier_value": 1]]]) == [["id": 2]])
    }

    @Test("50: $update overwrites the element, or keeps its siblings with _merge_objects")
    func updateElement() throws {
        let test = try TestSandbox()
        _ = set(test, [["id": 1, "name": "Rex", "age": 3]])
        let update: JSONValue = [
            "$update": [["$identifier_key": "id", "$identifier_value": 1, "$new_object": ["age": 4]]]
        ]
        #expect(set(test, update, merge: true) == [["id": 1, "name": "Rex", "age": 4]])
        #expect(set(test, update) == [["age": 4]])
    }

    @Test("51: one null inside discards that attribute's update, not its neighbours'")
    func nestedNull() throws {
        let test = try TestSandbox()
        _ = set(test, ["city": "Berlin"])
        test.track(attributes: [["external_id": "u1", "x": ["city": "Rome", "zip": nil], "y": "kept"]])
        #expect(test.attribute("u1", "x") == ["city": "Berlin"])
        #expect(test.attribute("u1", "y") == "kept")
        for bad: JSONValue in [["a b": 1], ["a.b": 1], ["$a": 1], [["id": 1], ["id": nil]]] {
            test.track(attributes: [["external_id": "u1", "x": bad]])
            #expect(test.attribute("u1", "x") == ["city": "Berlin"])
        }
    }

    @Test(
        "52: date-like strings become times, others stay",
        arguments: [
            ("2024-01-31", "2024-01-31T00:00:00.000Z"), ("Sweater", nil), ("12/1/2021", "2021-12-01T00:00:00.000Z"),
            ("12-1-2021", "2021-12-01T00:00:00.000Z"), ("2024-01-31T10:20:30+02:00", "2024-01-31T08:20:30.000Z"),
            ("2024-01-31 10:20:30", "2024-01-31T10:20:30.000Z"),
            ("2024-01-31T10:20:30:250Z", "2024-01-31T10:20:30.250Z"),
            ("Wed Jan 31 10:20:30.UTC 2024", "2024-01-31T10:20:30.000Z"), ("2024-02-30", nil), ("3001-01-01", nil),
            ("20240131", nil), ("2024", nil), ("1.2.2024", nil), ("2024-13-01", nil), ("2024-01-31x", nil),
        ])
    func dates(text: String, time: String?) throws {
        let test = try TestSandbox()
        #expect(set(test, .string(text)) == .string(time ?? text))
        #expect(test.type("x") == (time == nil ? .string : .time))
    }

    @Test("53: 256 characters leave the value as it is, with success")
    func longString() throws {
        let test = try TestSandbox()
        let longest = String(repeating: "é", count: 255)
        #expect(set(test, .string(longest)) == .string(longest))
        #expect(set(test, .string(longest + "x")) == .string(longest))
        let note = test.sandbox.withState { $0.log.all.last { $0.path == "/users/track" }?.outcomes.first?.notes.first }
        #expect(note == "x: longer than 255 characters", "what is dropped can be seen in the request log")
    }

    @Test("54: reserved names are no custom attributes; names are case-sensitive")
    func names() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            [
                "external_id": "u1", "first_name": "Ann", "bio": "x", "alias_name": "y", "country": "Germany",
                "gender": "f",
                "language": "de", "time_zone": "Mars/Base", "dob": "1990-05-17", "Dormant_Shopper": true,
                "dormant_shopper": false,
            ]
        ])
        let user = try #require(test.user("u1"))
        #expect(user["custom_attributes"] == ["Dormant_Shopper": true, "dormant_shopper": false])
        #expect(user["first_name"] == "Ann")
        #expect(user["country"] == "DE")
        #expect(user["gender"] == "F")
        #expect(user["time_zone"] == nil)
        #expect(user["dob"] == "1990-05-17")
    }

    @Test("55: a blocklisted attribute: success, no change, listed with its status, absent from the builder")
    func blocklist() throws {
        let test = try TestSandbox()
        _ = set(test, "before")
        try test.segment("s", [["kind": "attribute", "name": "x", "op": "is_not_blank"]])
        #expect(test.api("POST", "/attributes", ["name": "x", "blocklisted": true]).status == 200)
        #expect(test.track(attributes: [["external_id": "u1", "x": "after"]]).json["attributes_processed"] == 1)
        #expect(test.attribute("u1", "x") == nil)
        #expect(test.get("/custom_attributes").json["attributes"]?[0]?["status"] == "Blocklisted")
        #expect(
            test.api(
                "POST", "/segments/preview",
                ["groups": [["filters": [["kind": "attribute", "name": "x", "op": "is_blank"]]]]]
            ).status == 400)
        #expect(test.get("/segments/list").json["segments"] == [], "a segment that uses it is archived")
        _ = test.api("POST", "/attributes", ["name": "x", "blocklisted": false])
        #expect(test.attribute("u1", "x") == "before")
    }

    @Test("56: a forced type converts what it can and ignores the rest")
    func forcedType() throws {
        let test = try TestSandbox()
        #expect(test.api("POST", "/attributes", ["name": "x", "type": "boolean"]).status == 200)
        #expect(set(test, "t") == true)
        #expect(set(test, "maybe") == true)
        #expect(set(test, 0) == false)
        _ = test.api("POST", "/attributes", ["name": "x", "type": "number"])
        #expect(set(test, "4.5") == 4.5)
        #expect(set(test, true) == 4.5)
        _ = test.api("POST", "/attributes", ["name": "x", "type": "string"])
        #expect(set(test, "2024-01-31") == "2024-01-31")
        #expect(test.api("POST", "/attributes", ["name": "x", "type": "colour"]).status == 400)
    }

    @Test("the registered type follows the data; a value of the older type drops out of filters")
    func typeFlip() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "old", "x": true], ["external_id": "u1", "x": true]])
        let saved: JSONValue = ["kind": "attribute", "name": "x", "op": "is_true", "type": "boolean"]
        #expect(test.members([saved]) == ["old", "u1"])
        #expect(set(test, "true") == "true")
        #expect(test.type("x") == .string)
        #expect(test.members([saved]) == ["old"])
        #expect(test.members([["kind": "attribute", "name": "x", "op": "is_any_of", "value": ["true"]]]) == ["u1"])
    }

    @Test("an attribute of 100 KB and more is not stored")
    func largeObject() throws {
        let test = try TestSandbox()
        _ = set(test, ["a": 1])
        let members = (0..<600).map { (key: "key\($0)", value: JSONValue.string(String(repeating: "v", count: 200))) }
        #expect(set(test, .object(JSONObject(members))) == ["a": 1])
    }

    @Test(
        "attribute values survive the snapshot's spelling",
        arguments: [
            .boolean(true), .number(JSONNumber(1.5)), .string("x"), .time(1_767_625_200_000), .array(["a", 1]),
            .array([]),
            .object(["a": ["b": 1]]), .objects([["a": 1], ["b": 2]]),
        ] as [AttributeValue])
    func stored(value: AttributeValue) {
        #expect(AttributeValue(stored: value.stored) == value)
    }
}

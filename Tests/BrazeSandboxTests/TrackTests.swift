import JSON
import Testing

@testable import BrazeSandbox

/// Replies of `/users/track`, identity resolution, attributes and events: items 22–28, 31–37, 45–56, 60–64.
@Suite struct TrackReplyTests {
    @Test("22: an attributes call counts attributes only")
    func counts() throws {
        let answer = try TestSandbox().track(attributes: [["external_id": "u1", "plan": "pro"]])
        #expect(answer.json == ["message": "success", "attributes_processed": 1])
    }

    @Test("23: one bad event of three: 201, its index in errors, the others applied")
    func partial() throws {
        let test = try TestSandbox()
        let answer = test.track(events: [
            test.event("u1", "Opened"), ["name": "Opened", "time": test.time()], test.event("u2", "Opened"),
        ])
        #expect(answer.status == 201)
        #expect(answer.json["events_processed"] == 2)
        #expect(
            answer.json["errors"] == [
                [
                    "type": "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required",
                    "input_array": "events", "index": 1,
                ]
            ])
        #expect(test.event("u1", named: "Opened")?["count"] == 1)
        #expect(test.event("u2", named: "Opened")?["count"] == 1)
    }

    @Test("24: nothing valid: 400 with errors, none applied")
    func allInvalid() throws {
        let test = try TestSandbox()
        let answer = test.track(attributes: [["plan": "pro"], ["braze_id": ""]])
        #expect(answer.status == 400)
        #expect(answer.message == "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.")
        #expect(answer.json["errors"]?.array?.count == 2)
        #expect(test.userCount == 0)
        for body: JSONValue in [[:], ["attributes": []], ["attributes": "x"], [1, 2]] {
            let empty = test.post("/users/track", body)
            #expect(empty.status == 400)
            #expect(empty.json["errors"] == nil)
        }
    }

    @Test("25: errors is absent on full success")
    func noErrors() throws {
        #expect(try TestSandbox().track(attributes: [["external_id": "u1"]]).json["errors"] == nil)
    }

    @Test("26: events need a name and a time")
    func eventFields() throws {
        let test = try TestSandbox()
        let answer = test.track(events: [
            ["external_id": "u1", "time": test.time()], ["external_id": "u1", "name": "Opened"],
            ["external_id": "u1", "name": "Opened", "time": "yesterday"], test.event("u1", "Opened"),
        ])
        #expect(answer.status == 201)
        #expect(
            answer.json["errors"]?.array?.map { $0["type"] } == [
                "'name' is required", "'time' is required", "'time' is not valid",
            ])
    }

    @Test("27: an external id of 988 bytes is too large, 987 are accepted; bytes, not characters")
    func idLength() throws {
        let test = try TestSandbox()
        let longest = String(repeating: "é", count: 493) + "x"
        #expect(longest.utf8.count == 987)
        #expect(test.track(attributes: [["external_id": .string(longest)]]).status == 201)
        let answer = test.track(attributes: [["external_id": .string(longest + "x")], ["external_id": "u1"]])
        #expect(answer.json["errors"]?[0]?["type"] == "'external_id' must be fewer than 988 bytes")
        let codes = try TestSandbox { $0.errorStrings = .codes }.track(attributes: [
            ["external_id": .string(longest + "x")]
        ])
        #expect(codes.json["errors"]?[0]?["type"] == "EXTERNAL_USER_ID_TOO_LARGE")
    }

    @Test("28: a bad email refuses its object, not the batch")
    func email() throws {
        let test = try TestSandbox()
        let answer = test.track(attributes: [
            ["external_id": "u1", "email": "no at sign"], ["external_id": "u2", "email": "Ann@Example.com"],
        ])
        #expect(answer.json["attributes_processed"] == 1)
        #expect(answer.json["errors"]?[0]?["type"] == "The value provided for the 'email' field is not a valid email.")
        #expect(test.user("u1") == nil)
        #expect(test.user("u2")?["email"] == "ann@example.com")
    }

    @Test(
        "field checks give Braze's codes",
        arguments: [
            (["email_subscribe": "maybe"], "BAD_EMAIL_SUBSCRIPTION_STATE"),
            (["push_subscribe": 1], "BAD_PUSH_SUBSCRIPTION_STATE"),
            (["current_location": ["longitude": 1]], "BAD_LOCATION_UPDATE"),
            (["push_tokens": "x"], "BAD_PUSH_TOKEN_VALUE"),
            (["push_tokens": [["app_id": "a"]]], "BAD_PUSH_TOKEN_STRING"),
            (["push_tokens": [["token": "t"]]], "BAD_PUSH_TOKEN_APP_ID"),
            (["push_tokens": [["app_id": "a", "token": "t", "device_id": "short"]]], "BAD_DEVICE_ID"),
            (["push_token_import": true], "BAD_PUSH_TOKEN_IMPORT"),
            (["subscription_groups": [:]], "BAD_SUBSCRIPTION_GROUP_ARRAY"),
            (["subscription_groups": [1]], "BAD_SUBSCRIPTION_GROUP_HASH"),
            (["subscription_groups": [["subscription_group_id": "x"]]], "BAD_SUBSCRIPTION_GROUP_ID"),
            (
                ["subscription_groups": [["subscription_group_id": "0f1e2d3c-0000-4000-8000-0123456789ab"]]],
                "BAD_SUBSCRIPTION_GROUP_STATE"
            ),
            (["email_subscription_info": [:]], "INVALID_ATTRIBUTE_EMAIL_SUBSCRIPTION_INFO"),
        ] as [(JSONObject, String)])
    func fieldCodes(fields: JSONObject, code: String) throws {
        var object = fields
        object["external_id"] = "u1"
        let answer = try TestSandbox().track(attributes: [.object(object)])
        #expect(answer.status == 400)
        #expect(answer.json["errors"]?[0]?["type"]?.string == code)
    }

    @Test("purchases: checks, counts and revenue")
    func purchases() throws {
        let test = try TestSandbox()
        func purchase(_ changes: JSONObject) -> JSONValue {
            var object: JSONObject = [
                "external_id": "u1", "product_id": "sweater", "currency": "USD", "price": 19.99, "time": test.time(),
            ]
            for (key, value) in changes.members { object[key] = value }
            return .object(object)
        }
        let answer = test.track(purchases: [
            purchase([:]), purchase(["quantity": 2]), purchase(["quantity": 0]), purchase(["quantity": 101]),
            purchase(["currency": "XQQ"]), purchase(["price": "dear"]), purchase(["properties": ["currency": "USD"]]),
        ])
        #expect(answer.json["purchases_processed"] == 2)
        #expect(
            answer.json["errors"]?.array?.map { $0["type"] } == [
                "'quantity' is not valid", "'quantity' is not valid", "'currency' is not valid", "'price' is not valid",
                "Invalid 'properties' field",
            ])
        #expect(test.user("u1")?["purchases"]?[0]?["count"] == 3)
        #expect(test.user("u1")?["total_revenue"] == 59.97)
    }

    @Test("a blocked external id is refused, others are not")
    func blocked() throws {
        let test = try TestSandbox()
        test.set(.block, ["external_id": "spam"])
        let answer = test.track(attributes: [["external_id": "spam"], ["external_id": "u1"]])
        #expect(answer.json["errors"]?[0]?["type"] == "provided external_id is blacklisted and disallowed")
        #expect(test.user("u1") != nil)
    }
}

@Suite struct IdentityResolutionTests {
    @Test("31: an unknown external id creates a profile, unless only existing ones may be updated")
    func externalID() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "_update_existing_only": true, "plan": "pro"]])
        #expect(test.userCount == 0)
        test.track(attributes: [["external_id": "u1", "plan": "pro"]])
        #expect(test.attribute("u1", "plan") == "pro")
    }

    @Test("32: an unknown alias does nothing, unless creation is asked for")
    func alias() throws {
        let test = try TestSandbox()
        let alias: JSONValue = ["alias_name": "anon-7", "alias_label": "device"]
        test.track(attributes: [["user_alias": alias, "plan": "pro"]])
        #expect(test.userCount == 0)
        test.track(attributes: [["user_alias": alias, "plan": "pro", "_update_existing_only": false]])
        #expect(test.userCount == 1)
        let users = test.post(
            "/users/export/ids", ["user_aliases": [alias], "fields_to_export": ["custom_attributes", "external_id"]])
        #expect(users.json["users"] == [["custom_attributes": ["plan": "pro"]]])
    }

    @Test("33: two primary identifiers refuse the object")
    func twoPrimaries() throws {
        let answer = try TestSandbox().track(attributes: [
            ["external_id": "u1", "user_alias": ["alias_name": "a", "alias_label": "b"]]
        ])
        #expect(answer.status == 400)
        #expect(
            answer.json["errors"]?[0]?["type"]
                == "Only one of 'external_id', 'braze_id', or 'user_alias' may be provided")
    }

    @Test("34: beside an external id the email is a field, never a key")
    func emailBesideID() throws {
        let test = try TestSandbox()
        test.track(attributes: [["external_id": "u1", "email": "ann@example.com"]])
        test.track(attributes: [["external_id": "u2", "email": "ann@example.com"]])
        #expect(test.userCount == 2)
        #expect(test.user("u2")?["email"] == "ann@example.com")
    }

    @Test("35: email alone: creates without a match, prefers identified and then newest")
    func emailOnly() throws {
        let test = try TestSandbox()
        test.track(attributes: [["email": "ann@example.com", "plan": "first"]])
        #expect(test.userCount == 1)
        test.track(attributes: [["external_id": "old", "email": "ann@example.com"]])
        test.advance(1000)
        test.track(attributes: [["external_id": "new", "email": "ann@example.com"]])
        test.advance(1000)
        test.track(attributes: [["email": "ANN@example.com", "plan": "pro"]])
        #expect(test.userCount == 3)
        #expect(test.attribute("new", "plan") == "pro")
        #expect(test.attribute("old", "plan") == nil)
    }

    @Test("36: email goes before phone")
    func emailBeforePhone() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            ["external_id": "mail", "email": "ann@example.com"], ["external_id": "tel", "phone": "+15551234567"],
        ])
        test.track(attributes: [["email": "ann@example.com", "phone": "+15551234567", "plan": "pro"]])
        #expect(test.attribute("mail", "plan") == "pro")
        #expect(test.attribute("tel", "plan") == nil)
    }

    @Test("37: an unknown external id with a known email makes a second profile")
    func duplicateTrap() throws {
        let test = try TestSandbox()
        test.track(attributes: [["email": "ann@example.com"]])
        test.track(attributes: [["external_id": "u1", "email": "ann@example.com"]])
        #expect(test.userCount == 2)
    }

    @Test("an unknown braze_id is accepted without effect; a known one addresses its profile")
    func brazeID() throws {
        let test = try TestSandbox()
        #expect(test.track(attributes: [["braze_id": "0123456789abcdef01234567", "plan": "pro"]]).status == 201)
        #expect(test.userCount == 0)
        test.track(attributes: [["external_id": "u1"]])
        let id = try #require(test.user("u1")?["braze_id"])
        test.track(attributes: [["braze_id": id, "plan": "pro"]])
        #expect(test.attribute("u1", "plan") == "pro")
    }
}

import Delivery
import JSON
import Model
import Testing

@testable import BrazeDestination

@Suite("braze-destination §4: Update User Profile") struct UserProfileTests {
    func values(_ fields: JSONObject) throws -> JSONValue { .object(try UserProfileMapping.values(fields: fields)) }

    func sent(_ call: JSONValue, _ settings: JSONObject = [:]) throws -> JSONValue {
        try objects(braze(settings).map(emission(.identify, call))).first?.object ?? .null
    }

    @Test func defaultMapping() throws {
        let call: JSONValue = [
            "userId": "u1", "anonymousId": "a1",
            "traits": [
                "firstName": "Kim", "lastName": "Lee", "email": " Kim@Example.org ", "gender": "Woman",
                "phone": 4_912_345, "avatar": "https://example.org/k.png", "address": ["city": "Köln", "zip": "50667"],
                "birthday": "1990-05-17", "plan": "pro", "tags": ["a", "b"], "nested": ["deep": [1, nil, ""]],
                "empty": "", "gone": nil,
            ],
            "context": ["location": ["country": "Germany", "latitude": "50.9", "longitude": 6.9]],
        ]
        #expect(
            try sent(call) == [
                "external_id": "u1", "email": "Kim@Example.org", "first_name": "Kim", "last_name": "Lee",
                "gender": "F", "phone": "4912345", "image_url": "https://example.org/k.png", "home_city": "Köln",
                "country": "Germany", "current_location": ["latitude": 50.9, "longitude": 6.9],
                "address": ["city": "Köln", "zip": "50667"], "birthday": "1990-05-17", "plan": "pro",
                "tags": ["a", "b"], "nested": ["deep": [1, nil, ""]], "empty": "", "gone": nil,
                "_update_existing_only": false,
            ])
    }

    @Test("rules 1–3: names that do not arrive as custom attributes") func reservedNames() throws {
        let names = [
            "firstName", "lastName", "avatar", "external_id", "user_alias", "braze_id", "time", "products",
            "properties", "_update_existing_only", "enable_batching", "batch_size", "language", "country", "dob",
            "first_name", "time_zone", "push_tokens", "email_subscribe", "facebook", "marked_email_as_spam_at",
        ]
        var traits: JSONObject = ["name": "Kim", "title": "Dr", "company": ["id": 1], "subscription_groups": ["x"]]
        for name in names where !["firstName", "lastName", "avatar"].contains(name) { traits[name] = "x" }
        let object = try sent(["userId": "u1", "traits": .object(traits)])
        #expect(
            object == [
                "external_id": "u1", "name": "Kim", "title": "Dr", "company": ["id": 1], "subscription_groups": ["x"],
                "_update_existing_only": false,
            ])
    }

    @Test func aComputedKeyThatBrazeKeepsForItselfIsRefusedInWords() throws {
        let call: JSONValue = [
            "userId": "u1", "traits": ["language": "de"], "context": ["personas": ["computation_key": "language"]],
        ]
        let reason = refusal(try braze().map(emission(.identify, call)))
        #expect(reason?.contains("'language'") == true)
    }

    @Test func nullsAreKeptOrRemovedByField() throws {
        let fields: JSONObject = [
            "country": nil, "first_name": nil, "last_name": nil, "gender": nil, "dob": nil, "phone": nil,
            "time_zone": nil, "email_subscribe": nil, "push_tokens": nil, "image_url": nil, "email": nil,
        ]
        #expect(
            try values(fields) == [
                "country": nil, "first_name": nil, "gender": nil, "dob": nil, "phone": nil, "image_url": nil,
                "email": nil,
            ])
    }

    @Test func emptyTextsAreRemovedFromFields() throws {
        #expect(try values(["first_name": "", "image_url": "", "dob": "", "email_open_tracking_disabled": ""]) == [:])
    }

    @Test func dates() throws {
        #expect(
            try values([
                "dob": "1990-05-17T23:30:00-05:00", "date_of_first_session": "2021-08-03T10:40:04-07:00",
                "date_of_last_session": 1_628_012_404_000, "marked_email_as_spam_at": "2021-08-03T10:40:04",
            ]) == [
                "dob": "1990-05-18", "date_of_first_session": "2021-08-03T17:40:04.000Z",
                "date_of_last_session": "2021-08-03T17:40:04.000Z",
                "marked_email_as_spam_at": "2021-08-03T10:40:04.000Z",
            ])
        #expect(try values(["dob": "1990-05-17"]) == ["dob": "1990-05-17"])
    }

    @Test func listsOfObjects() throws {
        #expect(
            try values([
                "push_tokens": ["app_id": "a", "token": 5, "other": 1],
                "subscription_groups": [["subscription_group_id": "g", "subscription_state": "subscribed"]],
                "current_location": ["latitude": 1],
            ]) == [
                "push_tokens": [["app_id": "a", "token": "5"]],
                "subscription_groups": [["subscription_group_id": "g", "subscription_state": "subscribed"]],
                "current_location": ["latitude": 1],
            ])
        #expect(try values(["current_location": [:], "subscription_groups": []]) == [:])
    }

    static let misfits: [(String, JSONValue)] = [
        ("image_url", JSONValue.string("no address")), ("dob", "soon"), ("first_name", ["a", "b"]),
        ("country", ["a": 1]), ("email_open_tracking_disabled", "yes"), ("push_tokens", [["app_id": "a"]]),
        ("subscription_groups", [["subscription_group_id": "g", "subscription_state": "maybe"]]),
        ("current_location", ["latitude": "north"]),
    ]

    @Test(
        "a value that does not fit its field refuses the call and names the field",
        arguments: misfits)
    func refusesMisfits(field: String, value: JSONValue) {
        let error = #expect(throws: MappingError.self) { try values([field: value]) }
        #expect(error?.field?.hasPrefix(field) == true)
    }

    @Test(arguments: [
        ("man", "M"), ("MALE", "M"), ("m", "M"), ("Woman", "F"), ("female", "F"), ("w", "F"), ("f", "F"),
        ("other", "O"), ("o", "O"), ("Not Applicable", "N"), ("n", "N"), ("prefer not to say", "P"), ("p", "P"),
        ("unknown", "unknown"),
    ])
    func gender(word: String, letter: String) throws {
        #expect(try values(["gender": .string(word)]) == ["gender": .string(letter)])
    }

    @Test("§3.1: one primary identifier") func identifiers() throws {
        #expect(
            try sent(["userId": "u1", "properties": ["braze_id": "b1"], "traits": ["k": 1]])["braze_id"] == nil)
        #expect(
            try sent(["traits": ["k": 1], "integrations": ["Braze": ["braze_id": "b1"]]])
                == ["braze_id": "b1", "k": 1, "_update_existing_only": false])
        #expect(
            try sent(["anonymousId": "eml_0123", "traits": ["k": 1, "email": "a@example.org"]])
                == ["email": "a@example.org", "k": 1, "_update_existing_only": false])
        #expect(
            try sent(["userId": 17, "traits": ["k": 1]]) == [
                "external_id": "17", "k": 1, "_update_existing_only": false,
            ])
    }

    @Test("§18: a bad field that goes along does not keep a membership from arriving; a source's call is refused whole")
    func badCompany() throws {
        let call: JSONValue = [
            "type": "identify", "userId": "u1",
            "traits": ["big_spenders": true, "email": "not an address", "avatar": "no address", "phone": ["x": 1]],
            "context": ["personas": ["computation_class": "audience", "computation_key": "big_spenders"]],
        ]
        let destination = try braze()
        guard case .update("external_id:u1", let update) = destination.map(emission(.identify, call)) else {
            Issue.record("the membership is an update")
            return
        }
        #expect(update.values == ["big_spenders": true])
        for words in ["'not an address'", "image_url: ", "phone: is an object"] {
            #expect(update.note?.contains(words) == true, "\(update.note ?? "")")
        }
        // The call of a source: the whole event, with the field (braze-destination §18).
        var passedOn = emission(.identify, call)
        passedOn.origin = .source
        #expect(refusal(destination.map(passedOn))?.hasPrefix("image_url: ") == true)
        // The value itself is never left out.
        let own: JSONValue = [
            "type": "identify", "userId": "u1", "traits": ["phone": ["x": 1]],
            "context": ["personas": ["computation_class": "trait", "computation_key": "phone"]],
        ]
        #expect(refusal(destination.map(emission(.identify, own)))?.hasPrefix("phone: ") == true)
        // Where the address alone says who it is, it goes as it is: Braze's words tell what is wrong.
        let alone: JSONValue = [
            "type": "identify", "traits": ["big_spenders": true, "email": "not an address"],
            "context": ["personas": ["computation_class": "audience", "computation_key": "big_spenders"]],
        ]
        #expect(try objects(destination.map(emission(.identify, alone)))[0].object["email"] == "not an address")
        let event: JSONValue = [
            "type": "track", "userId": "u1", "event": "Audience Entered", "receivedAt": "2026-02-03T04:05:07Z",
            "context": [
                "traits": ["email": "@"],
                "personas": ["computation_class": "audience", "computation_key": "big_spenders"],
            ],
        ]
        guard case .occurrence(_, let occurrence) = destination.map(emission(.track, event)) else {
            Issue.record("an event is an occurrence")
            return
        }
        #expect(occurrence.note?.contains("'@'") == true)
        #expect(!String(decoding: occurrence.objects[0].json, as: UTF8.self).contains("\"email\""))
    }

    @Test(arguments: [
        ("kim@example.org", true), ("k.i+m@sub.example.org", true), ("kim", false), ("kim@", false), ("@x.org", false),
        ("kim@example", false), ("a@b@c.org", false), ("a b@c.org", false), (".a@c.org", false), ("a@c..org", false),
    ])
    func addresses(text: String, isOne: Bool) { #expect(BrazeIdentity.isAddress(text) == isOne) }

    @Test("TX 44: anonymous persons are refused unless the alias is on") func anonymous() throws {
        let call: JSONValue = ["anonymousId": "a1", "traits": ["k": 1]]
        #expect(refusal(try braze().map(emission(.identify, call)))?.contains("anonymous_alias_label") == true)
        #expect(
            try sent(call, ["anonymous_alias_label": "muster"]) == [
                "user_alias": ["alias_name": "a1", "alias_label": "muster"], "k": 1, "_update_existing_only": false,
            ])
    }

    @Test func tooLongAUserIDIsRefused() throws {
        let long = String(repeating: "é", count: 494)
        let reason = refusal(try braze().map(emission(.identify, ["userId": .string(long), "traits": ["k": 1]])))
        #expect(reason == "external_id: the user id has 988 bytes; Braze takes 987")
    }

    @Test func personsAndCompanions() throws {
        guard
            case .update(let person, let update) = try braze().map(
                emission(.identify, ["userId": "u1", "traits": ["k": 1, "email": "a@example.org"]])),
            case .update(let byAddress, let other) = try braze().map(
                emission(.identify, ["traits": ["k": 1, "email": "a@example.org"]]))
        else {
            Issue.record("an identify is an update")
            return
        }
        #expect(person == "external_id:u1")
        #expect(update.identity == ["external_id": "u1", "_update_existing_only": false])
        #expect(update.values == ["k": 1, "email": "a@example.org"])
        #expect(byAddress == "email:a@example.org")
        #expect(other.values == ["k": 1])
    }

    @Test("§3.2: operators pass untouched and are told once") func operators() throws {
        for value: JSONValue in [["inc": 2], ["add": ["x"]], ["$add": [["id": 1]]]] {
            let mapping = try braze().map(emission(.identify, ["userId": "u1", "traits": ["score": value]]))
            guard case .occurrence(_, let occurrence) = mapping else {
                Issue.record("\(value) is no state")
                continue
            }
            #expect(occurrence.touchedNames == ["score"])
            #expect(try objects(mapping).map(\.object["score"]) == [value])
        }
    }
}

@Suite("braze-destination §5, §6: events and purchases") struct EventTests {
    func sent(_ call: JSONValue) throws -> [JSONValue] {
        try objects(braze().map(emission(.track, call))).map(\.object)
    }

    @Test func addressesOfEvents() throws {
        let base: JSONObject = ["event": "E", "receivedAt": "2026-01-01T00:00:00Z"]
        func event(_ changes: JSONObject) throws -> JSONValue {
            var call = base
            for (name, value) in changes.members { call[name] = value }
            return try sent(.object(call))[0]
        }
        let both = try event(["context": ["traits": ["email": "c@x.org"]], "properties": ["email": "p@x.org"]])
        #expect(both["email"] == "c@x.org")
        #expect(both["properties"] == ["email": "p@x.org"])
        #expect(
            try event(["context": ["traits": ["email": nil]], "properties": ["email": "p@x.org"]])["email"] == "p@x.org"
        )
    }

    @Test func propertiesGoAsTheyAre() throws {
        let properties: JSONValue = ["time": 1, "price": "2", "nested": [["a": nil]], "": ""]
        let call: JSONValue = [
            "userId": "u", "event": "E", "receivedAt": "2026-01-01T00:00:00Z", "properties": properties,
        ]
        #expect(try sent(call)[0]["properties"] == properties)
        #expect(
            try sent(["userId": "u", "event": "E", "receivedAt": "2026-01-01T00:00:00Z", "properties": nil])[0][
                "properties"] == nil)
        #expect(
            try sent(["userId": "u", "event": "E", "receivedAt": "2026-01-01T00:00:00Z", "properties": [:]])[0][
                "properties"] == [:])
    }

    static let refusedEvents: [(JSONValue, String)] = [
        (["userId": "u", "receivedAt": "2026-01-01T00:00:00Z"], "name"),
        (["userId": "u", "event": "E"], "time"), (["userId": "u", "event": "E", "receivedAt": "then"], "time"),
        (["userId": "u", "event": "E", "receivedAt": "2026-01-01", "properties": [1]], "properties"),
        (["event": "E", "receivedAt": "2026-01-01"], "Braze can't know who"),
    ]

    @Test(arguments: refusedEvents)
    func refusals(call: JSONValue, start: String) throws {
        #expect(refusal(try braze().map(emission(.track, call)))?.hasPrefix(start) == true)
    }

    @Test func anEnterEventNamedLikeAnOrderIsStillAnEvent() throws {
        let call: JSONValue = [
            "userId": "u", "event": "Order Completed", "receivedAt": "2026-01-01T00:00:00Z",
            "properties": ["audience_key": "k", "k": true],
        ]
        #expect(try sent(call)[0]["name"] == "Order Completed")
    }

    @Test func oneProductIsAListOfOne() throws {
        let call: JSONValue = [
            "userId": "u", "event": "Order Completed", "receivedAt": 1_767_225_600_000,
            "properties": ["products": ["product_id": 5, "price": true]],
        ]
        #expect(
            try sent(call) == [
                [
                    "external_id": "u", "app_id": "app", "time": "2026-01-01T00:00:00.000Z", "product_id": "5",
                    "currency": "USD", "price": 1, "properties": [:], "_update_existing_only": false,
                ]
            ])
    }

    static let badProducts: [(JSONValue, String)] = [
        (["sku": "s", "price": 1], "products.0.product_id"), (["product_id": "p"], "products.0.price"),
        (["product_id": "p", "price": "cheap"], "products.0.price"),
        (["product_id": "p", "price": 1, "quantity": 1.5], "products.0.quantity"), ("p", "products.0"),
    ]

    @Test(arguments: badProducts)
    func oneBadProductRefusesTheOrder(product: JSONValue, field: String) throws {
        let call: JSONValue = [
            "userId": "u", "event": "Order Completed", "receivedAt": "2026-01-01",
            "properties": ["products": [product, ["product_id": "q", "price": 1]]],
        ]
        #expect(refusal(try braze().map(emission(.track, call)))?.hasPrefix(field + ":") == true)
    }

    @Test func groupsAndDamagedPayloadsAreRefused() throws {
        #expect(refusal(try braze().map(emission(.group, [:])))?.contains("identify or track") == true)
        var broken = emission(.identify, [:])
        broken.payload = Array("{".utf8)
        #expect(refusal(try braze().map(broken))?.contains("not valid JSON") == true)
    }
}

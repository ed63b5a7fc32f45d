import JSON
import Model
import Testing

@testable import Identity

@Suite struct SettingsTests {
    @Test("The defaults of the spec")
    func defaults() throws {
        let settings = IdentitySettings.standard
        try settings.validate()
        #expect(settings.rules.count == 11)
        #expect(settings.rules.filter { $0.limit == 1 }.map(\.type) == ["user_id"])
        #expect(settings.rules.allSatisfy { $0.window == .ever && $0.blocked.count == 4 })
        #expect(settings.ranked(.accounts).map(\.type) == ["group_id"])
    }

    @Test("Settings survive JSON")
    func roundTrip() throws {
        var settings = IdentitySettings.standard("email", 3, .annually)
        settings.rules.append(
            .init(type: "app_id", window: .daily, blocked: [.exact("x"), .pattern("^t")], readsTraits: false))
        settings.order = ["app_id", "user_id"]
        settings.promotesPropertiesEmail = false
        settings.createsTraitsFromContext = true
        #expect(try IdentitySettings(json: settings.json) == settings)
        #expect(try IdentitySettings(json: JSONValue(parsing: settings.json.description)) == settings)
        #expect(try IdentitySettings(json: [:]) == .standard)
    }

    @Test(
        "What is wrong is named",
        arguments: [
            ("[]", "must be an object"), (#"{"rules": [{}]}"#, "lacks its 'type'"),
            (#"{"rules": [{"type": "a:b"}]}"#, "'a:b' is no name"), (#"{"rules": [{"type": "Phone"}]}"#, "no name"),
            (#"{"rules": [{"type": "a"}, {"type": "a"}]}"#, "listed twice"),
            (#"{"rules": [{"type": "a", "limit": 0}]}"#, "at least 1"),
            (#"{"rules": [{"type": "a", "window": "hourly"}]}"#, "daily, weekly"),
            (#"{"rules": [{"type": "a", "collection": "cats"}]}"#, "users or accounts"),
            (#"{"rules": [{"type": "group_id"}]}"#, "belongs to accounts"),
            (#"{"rules": [{"type": "a", "blocked": [{"pattern": "(a"}]}]}"#, "a ')' is missing"),
            (#"{"rules": [{"type": "a", "blocked": ["x"]}]}"#, "blocked value must be"),
        ])
    func errors(json: String, message: String) throws {
        let error = try #require(throws: IdentitySettingsError.self) {
            try IdentitySettings(json: JSONValue(parsing: json))
        }
        #expect(error.description.contains(message), "\(error)")
    }
}

@Suite struct SegmentIDTests {
    @Test("A segment id is a prefix and 27 characters, and reads back")
    func roundTrip() {
        for (offset, seconds) in [(Int64(0), Int64(0)), (1, 1_700_000_000), (.max / 2, 4_000_000_000), (77, -5)] {
            for collection in Identifier.Collection.allCases {
                let createdAt = Instant(milliseconds: seconds * 1000 + 999)
                let id = SegmentID(offset: offset, collection: collection, messageID: "m\(offset)")
                let text = id.text(collection: collection, createdAt: createdAt)
                #expect(text.utf8.count == 31)
                #expect(SegmentID(text, collection: collection, createdAt: createdAt) == id)
            }
        }
    }

    @Test("Ids ascend with the second, then with the Log")
    func order() {
        var previous = ""
        for step in 0..<200 {
            let id = SegmentID(offset: Int64(step), collection: .users, messageID: "same")
            let text = id.text(
                collection: .users, createdAt: Instant(milliseconds: 1_700_000_000_000 + Int64(step / 3) * 1000))
            #expect(text.utf8.elementsEqual(previous.utf8) == false)
            #expect(previous.utf8.lexicographicallyPrecedes(text.utf8))
            previous = text
        }
    }

    @Test(
        "Other texts are no segment ids",
        arguments: [
            "", "use_", "use_1", "use_" + String(repeating: "z", count: 27), "acc_" + String(repeating: "0", count: 27),
            "use_" + String(repeating: "-", count: 27),
        ])
    func rejects(text: String) {
        #expect(SegmentID(text, collection: .users, createdAt: .epoch) == nil)
    }
}

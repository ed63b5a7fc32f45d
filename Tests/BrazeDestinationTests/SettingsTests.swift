import Delivery
import JSON
import Testing

@testable import BrazeDestination

@Suite("TX 9, 10: settings") struct SettingsTests {
    @Test(arguments: [
        ("US-01", "https://rest.iad-01.braze.com"), ("us-3", "https://rest.iad-03.braze.com"),
        (" US-08 ", "https://rest.iad-08.braze.com"), ("US-10", "https://rest.us-10.braze.com"),
        ("US-09", "https://rest.us-09.braze.com"), ("EU-02", "https://rest.fra-02.braze.eu"),
        ("AU-01", "https://rest.au-01.braze.com"), ("ID-01", "https://rest.id-01.braze.com"),
        ("JP-01", "https://rest.jp-01.braze.com"), ("KR-01", "https://rest.kr-01.braze.com"),
        ("https://rest.iad-01.braze.com", "https://rest.iad-01.braze.com"),
        ("HTTPS://REST.FRA-01.BRAZE.EU//", "https://rest.fra-01.braze.eu"),
        ("rest.iad-10.braze.com/", "https://rest.iad-10.braze.com"),
        ("http://localhost:8090/", "http://localhost:8090"), ("localhost:8090", "http://localhost:8090"),
        ("http://127.0.0.1:8090/braze", "http://127.0.0.1:8090/braze"), ("http://[::1]:8090", "http://[::1]:8090"),
    ])
    func findsTheAddress(typed: String, address: String) throws {
        #expect(try braze(["endpoint": .string(typed)]).settings.endpoint == address)
    }

    @Test(arguments: [
        ("", "missing"), ("sdk.iad-03.braze.com", "SDK"), ("https://sdk.fra-01.braze.eu", "SDK"),
        ("https://dashboard-03.braze.com", "dashboard"), ("example.com", "neither"),
        ("http://rest.iad-01.braze.com", "not a Braze REST address"), ("US-100", "neither"), ("MARS-01", "neither"),
        ("https://rest.iad-01.braze.com.example.org", "neither"),
        ("https://rest.iad-01.braze.com/users/track", "not a"),
        ("https://127.0.0.1.example.org", "neither"),
    ])
    func refusesOtherAddresses(typed: String, word: String) {
        let error = #expect(throws: SettingsError.self) { try braze(["endpoint": .string(typed)]) }
        #expect(error?.field == "endpoint")
        #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
        #expect(error?.remedy.isEmpty == false)
    }

    @Test func tellsTheRESTAddressOfWhatWasMeant() {
        let sdk = #expect(throws: SettingsError.self) { try braze(["endpoint": "sdk.iad-03.braze.com"]) }
        #expect(sdk?.remedy == "Use https://rest.iad-03.braze.com")
        for (typed, address) in [
            "https://dashboard-03.braze.com": "Use https://rest.iad-03.braze.com",
            "dashboard.us-10.braze.com": "Use https://rest.us-10.braze.com",
            "dashboard-01.braze.eu": "Use https://rest.fra-01.braze.eu",
        ] {
            let error = #expect(throws: SettingsError.self) { try braze(["endpoint": .string(typed)]) }
            #expect(error?.remedy == address)
        }
    }

    @Test func takesAnyAddressWithTheOverride() throws {
        let destination = try braze(["endpoint": "http://sandbox:8090", "allow_custom_host": true])
        #expect(destination.settings.endpoint == "http://sandbox:8090")
        let error = #expect(throws: SettingsError.self) {
            try braze(["endpoint": "ftp://sandbox", "allow_custom_host": true])
        }
        #expect(error?.message == "is not an HTTP address")
    }

    @Test(arguments: ["", "   ", "\"abc\"", "'abc'", "“abc”", "a b", "a\nb", "schlüssel"])
    func refusesWhatIsNoKey(key: String) {
        let error = #expect(throws: SettingsError.self) { try braze(["api_key": .string(key)]) }
        #expect(error?.field == "api_key")
        #expect(!(error?.description.contains("abc") ?? true))
    }

    @Test func trimsTheKey() throws {
        let probe = try braze(["api_key": " key \n"]).probe
        #expect(probe?.headers.contains(.init("Authorization", "Bearer key")) == true)
    }

    @Test func theKeyStandsInOneHeaderAndNowhereElse() throws {
        let destination = try braze()
        let request = destination.request(for: [OutgoingObject(array: "attributes", ["external_id": "u1"])])
        #expect(request.headers.filter { $0.value.contains("secret-key") }.map(\.name) == ["Authorization"])
        #expect(!String(decoding: request.body, as: UTF8.self).contains("secret-key"))
        #expect(!"\(destination.settings)".contains("secret-key"))
        #expect(!String(reflecting: destination.settings).contains("secret-key"))
        #expect(!destination.ledgerScope.contains("secret"))
        for status in [401, 403, 404, 500] {
            let verdict = destination.interpret(DestinationResponse(status: status), to: [])
            #expect(!"\(verdict)".contains("secret-key"))
        }
        #expect(BrazeDestination.secretSettings == ["api_key"])
    }

    @Test func namesItselfAsAPartner() throws {
        let request = try braze().request(for: [OutgoingObject(array: "attributes", ["external_id": "u1"])])
        #expect(request.url == "https://rest.iad-01.braze.com/users/track")
        #expect(request.headers.contains(.init("User-Agent", "partner-Muster-Muster/\(BrazeDestination.version)")))
        #expect(!request.headers.contains { $0.name == "X-Braze-Batch" })
    }

    @Test func anotherKeyOrHostIsAnotherWorkspace() throws {
        let one = try braze().ledgerScope
        #expect(try braze().ledgerScope == one)
        #expect(try braze(["app_id": "other"]).ledgerScope == one)
        #expect(try braze(["api_key": "other"]).ledgerScope != one)
        #expect(try braze(["endpoint": "US-02"]).ledgerScope != one)
    }

    @Test("TX 9: the probe is an empty request, and 400 means that the key works") func probes() throws {
        let destination = try braze()
        let probe = try #require(destination.probe)
        #expect(String(decoding: probe.body, as: UTF8.self) == #"{"attributes":[]}"#)
        func verdict(_ status: Int, _ text: String = "{}") -> ProbeVerdict {
            destination.interpretProbe(DestinationResponse(status: status, body: Array(text.utf8)))
        }
        #expect(verdict(400) == .working)
        #expect(verdict(429) == .working)
        #expect(verdict(503) == .unavailable(reason: "https://rest.iad-01.braze.com answered 503"))
        guard case .misconfigured(let wrongKey) = verdict(401, #"{"message":"Invalid API Key"}"#),
            case .misconfigured(let noPermission) = verdict(403), case .misconfigured(let noBraze) = verdict(404)
        else {
            Issue.record("401, 403 and 404 are for people to mend")
            return
        }
        #expect(wrongKey.contains("Invalid API Key") && wrongKey.contains("data centre"))
        #expect(noPermission.contains("users.track"))
        #expect(noBraze.contains("does not answer like Braze"))
    }
}

@Suite("economy of Braze") struct BrazeEconomyTests {
    private func braze(_ settings: JSONObject = [:]) throws -> BrazeDestination {
        var all: JSONObject = ["endpoint": "US-03", "api_key": "k-1234567890"]
        for (name, value) in settings.members { all[name] = value }
        return try BrazeDestination(settings: all)
    }

    @Test("braze §7.1: what costs a data point") func dataPoints() throws {
        let value = try braze().pricing.value
        #expect(value("vip", true) == 1)
        #expect(value("vip", .null) == 1)
        #expect(value("colours", ["red", "blue", "green"]) == 1)
        #expect(value("colours", ["add": ["red", "blue"]]) == 2)
        #expect(value("address", ["city": "Rome", "geo": ["lat": 1, "lon": 2]]) == 3)
        #expect(value("address", [:]) == 1)
        #expect(value("email_subscribe", "opted_in") == 0)
        #expect(try braze().pricing.occurrence(OutgoingObject(array: "events", [:])) == 1)
    }

    @Test("limits follow the settings, which may be texts from a form") func limits() throws {
        #expect(try braze().limits.requestsPerSecond == 100)
        #expect(try braze(["requests_per_second": "250"]).limits.requestsPerSecond == 250)
        #expect(try braze(["requests_per_second": 1000, "object_limit": "per_array"]).limits.objectsPerArray == 75)
        #expect(try braze(["object_limit": "combined"]).limits.objectsPerArray == nil)
        #expect(throws: SettingsError.self) { try braze(["requests_per_second": "fast"]) }
        #expect(throws: SettingsError.self) { try braze(["object_limit": "many"]) }
    }

    @Test("every other data centre can be asked, and only Braze's own") func alternatives() throws {
        let names = try braze().alternatives.map(\.name)
        #expect(names.count == 14 && names.contains("KR-01") && !names.contains("US-03"))
        #expect(try braze().alternatives.allSatisfy { $0.probe.url.hasSuffix("/users/track") })
        #expect(try braze(["endpoint": "http://localhost:7701"]).alternatives.isEmpty)
        #expect(try braze(["endpoint": "https://x.example", "allow_custom_host": true]).alternatives.isEmpty)
    }

    @Test("a lookup asks by external id and reads custom attributes") func lookup() throws {
        let lookup = try #require(try braze().lookup)
        #expect(lookup.personsPerRequest == 50 && lookup.requestsPerMinute == 250)
        #expect(lookup.canFind("external_id:u1") && !lookup.canFind("email:a@example.org"))
        #expect(lookup.covers("vip") && !lookup.covers("email"))
        let body = try JSONValue(parsing: lookup.request(["external_id:u:1"]).body)
        #expect(body["external_ids"] == ["u:1"])
        func verdict(_ status: Int, _ body: JSONValue) -> LookupVerdict {
            lookup.interpret(DestinationResponse(status: status, body: body.utf8))
        }
        #expect(
            verdict(
                201, ["users": [["external_id": "u:1", "custom_attributes": ["vip": true]], ["external_id": "u2"]]])
                == .found(["external_id:u:1": ["vip": true], "external_id:u2": [:]]))
        guard case .misconfigured(let reason) = verdict(403, ["message": "Access Denied"]) else {
            Issue.record("a missing permission is for a person to mend")
            return
        }
        #expect(reason.contains("users.export.ids"))
        #expect(verdict(429, ["message": "slow"]) == .throttled(message: "429 slow"))
    }

    @Test(
        "spaces of any kind are trimmed at both ends, and nothing else",
        arguments: [
            ("", ""), (" ", ""), ("a", "a"), (" a b ", "a b"), ("\u{A0}a\u{2003}", "a"), ("\r\na\n", "a"),
            ("\u{E9} ", "\u{E9}"),
            (" \u{E9}", "\u{E9}"), ("a\t", "a"), ("\u{1F468}\u{200D}\u{1F469}", "\u{1F468}\u{200D}\u{1F469}"),
        ])
    func trimsSpaces(text: String, trimmed: String) { #expect(text.trimmingSpaces == trimmed) }
}

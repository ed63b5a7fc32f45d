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

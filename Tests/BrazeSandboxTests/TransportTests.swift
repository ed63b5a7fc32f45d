import JSON
import Testing

@testable import BrazeSandbox

/// Auth, transport, limits and headers: items 1–8 and 12–18 of the checklist (spec braze §8).
@Suite struct TransportTests {
    let probe: JSONValue = ["attributes": [["external_id": "u1", "plan": "pro"]]]

    @Test("1: no Authorization: 401 with a message, nothing stored")
    func noKey() throws {
        let test = try TestSandbox()
        let answer = test.post("/users/track", probe, key: nil)
        #expect(answer.status == 401)
        #expect(answer.message == "Invalid API Key")
        #expect(test.userCount == 0)
    }

    @Test("2: unknown, quoted and revoked keys: 401; a key sees its own workspace only")
    func keys() throws {
        let other = SandboxConfiguration.Key(name: "Other", secret: "other-key", workspace: "second")
        let test = try TestSandbox(keys: [.init(secret: TestSandbox.key), other])
        #expect(test.post("/users/track", probe, key: "from another instance").status == 401)
        #expect(test.post("/users/track", probe, key: "\"\(TestSandbox.key)\"").status == 401)
        #expect(test.post("/users/track", probe).status == 201)
        #expect(test.user("u1", key: "other-key") == nil)
        test.post("/users/track", ["attributes": [["external_id": "u1", "plan": "free"]]], key: "other-key")
        #expect(test.user("u1", key: "other-key")?["custom_attributes"]?["plan"] == "free")
        #expect(test.attribute("u1", "plan") == "pro")
        let key = try #require(test.sandbox.withState { $0.keys.first { $0.secret == TestSandbox.key } })
        var revoked = try #require(key.json.object)
        revoked["revoked"] = true
        test.set(.key, revoked)
        #expect(test.post("/users/track", probe).status == 401)
    }

    @Test("3: a key without users.track: 403; with it: 201")
    func permissions() throws {
        let weak = SandboxConfiguration.Key(secret: "weak", permissions: ["users.export.ids"])
        let sender = SandboxConfiguration.Key(secret: "sender", permissions: ["users.track"])
        let test = try TestSandbox(keys: [weak, sender])
        let answer = test.post("/users/track", probe, key: "weak")
        #expect(answer.status == 403)
        #expect(answer.message == "Access Denied")
        #expect(test.userCount == 0)
        #expect(test.post("/users/track", probe, key: "sender").status == 201)
        #expect(test.post("/users/export/ids", ["external_ids": ["u1"]], key: "sender").status == 403)
    }

    @Test("4: a source address outside the allowlist is refused")
    func allowlist() throws {
        let fenced = SandboxConfiguration.Key(secret: "fenced", allowlist: ["10.1.0.0/16", "192.0.2.7"])
        let test = try TestSandbox(keys: [fenced, .init(secret: TestSandbox.key)])
        #expect(test.post("/users/track", probe, key: "fenced", remote: "10.2.0.1").status == 403)
        #expect(test.post("/users/track", probe, key: "fenced").status == 403)
        #expect(test.post("/users/track", probe, key: "fenced", remote: "10.1.255.1").status == 201)
        #expect(test.post("/users/track", probe, key: "fenced", remote: "192.0.2.7").status == 201)
        #expect(test.post("/users/track", probe, remote: "10.2.0.1").status == 201)
    }

    @Test("5: another content type: 415", arguments: ["text/plain", nil, "application/x-www-form-urlencoded"])
    func contentType(type: String?) throws {
        let test = try TestSandbox()
        #expect(test.post("/users/track", probe, contentType: type).status == 415)
        #expect(test.post("/users/track", probe, contentType: "application/json; charset=utf-8").status == 201)
    }

    @Test("6: a trailing comma: 400 with parse wording")
    func syntax() throws {
        let test = try TestSandbox()
        let answer = test.post("/users/track", bytes: Array(#"{"attributes":[{"external_id":"u1"},]}"#.utf8))
        #expect(answer.status == 400)
        #expect(answer.message == "Error while parsing request body. Please check your syntax.")
    }

    @Test("7: 4 MB and one byte: 413; exactly 4 MB: accepted")
    func size() throws {
        let test = try TestSandbox()
        var body = probe.utf8
        body += [UInt8](repeating: UInt8(ascii: " "), count: SandboxRequest.maximumBodyBytes - body.count)
        #expect(body.count == 4_194_304)
        #expect(test.post("/users/track", bytes: body).status == 201)
        #expect(test.post("/users/track", bytes: body + [0x20]).status == 413)
        #expect(test.post("/users/track", bytes: nil).status == 413)
    }

    @Test("8: unknown path: 404; trailing slash: 403, never applied")
    func paths() throws {
        let test = try TestSandbox()
        #expect(test.post("/users/tracks", probe).status == 404)
        #expect(test.get("/users/track").status == 404)
        let answer = test.post("/users/track/", probe)
        #expect(answer.status == 403)
        #expect(answer.message == "Access Denied")
        #expect(test.userCount == 0)
        #expect(test.post("/users/tracks", probe, key: "unknown").status == 401, "the key is checked before the path")
    }

    @Test("12: 76 attributes: 400, none applied; 75: 201")
    func objectLimit() throws {
        let test = try TestSandbox()
        let objects = (0..<76).map { JSONValue.object(["external_id": .string("u\($0)"), "plan": "pro"]) }
        let answer = test.track(attributes: objects)
        #expect(answer.status == 400)
        #expect(answer.message == "Max input length exceeded")
        #expect(test.userCount == 0)
        #expect(test.track(attributes: Array(objects.prefix(75))).status == 201)
        #expect(test.userCount == 75)
    }

    @Test("13: 40 attributes and 36 events: 400 combined, 201 per array")
    func combinedLimit() throws {
        for (limit, status) in [(SandboxSwitches.ObjectLimit.combined75, 400), (.perArray75, 201)] {
            let test = try TestSandbox { $0.objectLimit = limit }
            let attributes = (0..<40).map { JSONValue.object(["external_id": .string("u\($0)"), "plan": "pro"]) }
            let events = (0..<36).map { test.event("u\($0)", "Opened") }
            #expect(test.track(attributes: attributes, events: events).status == status)
        }
    }

    @Test("14: the 3,001st call within 3 s: 429; after the window: 201")
    func burst() throws {
        let test = try TestSandbox()
        for _ in 0..<3000 { #expect(test.post("/users/track", ["attributes": []]).status == 400) }
        test.advance(2_999)
        let refused = test.post("/users/track", probe)
        #expect(refused.status == 429)
        #expect(refused.message == "Rate limit exceeded")
        #expect(test.userCount == 0)
        test.advance(1)
        #expect(test.post("/users/track", probe).status == 201)
    }

    @Test("15: all but 429 carry the three headers; under MAU contracts a 429 carries whole seconds to wait alone")
    func headers() throws {
        let names = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
        for mode in [SandboxSwitches.RateMode.burst, .hourlyAndBurst] {
            let test = try TestSandbox {
                $0.rateMode = mode
                $0.hourlyLimit = 2
            }
            let answers = [
                test.post("/users/track", probe), test.post("/users/track", probe, key: "wrong"),
                test.post("/nowhere", probe),
                test.post("/users/track", probe, contentType: nil),
            ]
            #expect(answers.map(\.status) == [201, 401, 404, 415])
            for answer in answers { #expect(names.allSatisfy { Int(answer.header($0) ?? "") != nil }) }
            guard mode == .hourlyAndBurst else { continue }
            test.advance(1_800_500)
            let refused = test.post("/users/track", probe)
            #expect(refused.status == 429)
            #expect(names.allSatisfy { refused.header($0) == nil })
            #expect(refused.header("x-ratelimit-retry-after") == "1800")
        }
    }

    @Test("16: Reset is epoch seconds in burst, seconds left in hourly+burst")
    func reset() throws {
        let burst = try TestSandbox(at: TestSandbox.start + 1000)
        #expect(burst.post("/users/track", probe).header("x-ratelimit-reset") == String(TestSandbox.start / 1000 + 3))
        #expect(burst.post("/users/track", probe).header("x-ratelimit-remaining") == "2998")
        let hourly = try TestSandbox(at: TestSandbox.start + 1000) { $0.rateMode = .hourlyAndBurst }
        #expect(hourly.post("/users/track", probe).header("x-ratelimit-reset") == "3599")
    }

    @Test("17: the hourly window ends on the clock hour")
    func clockHour() throws {
        let test = try TestSandbox(at: TestSandbox.start + 59 * 60_000) {
            $0.rateMode = .hourlyAndBurst
            $0.hourlyLimit = 1
        }
        #expect(test.post("/users/track", probe).status == 201)
        #expect(test.post("/users/track", probe).status == 429)
        test.advance(60_000)
        #expect(test.post("/users/track", probe).status == 201)
    }

    @Test("the tiny mode allows a few calls per 3 s")
    func tiny() throws {
        let test = try TestSandbox { $0.rateMode = .tiny }
        let statuses = (0..<6).map { _ in test.post("/users/track", probe).status }
        #expect(statuses == [201, 201, 201, 201, 201, 429])
    }

    @Test("a key in the body counts only with the legacy switch")
    func legacyKey() throws {
        let body: JSONValue = ["api_key": .string(TestSandbox.key), "attributes": [["external_id": "u1"]]]
        #expect(try TestSandbox().post("/users/track", body, key: nil).status == 401)
        #expect(try TestSandbox { $0.legacyKey = true }.post("/users/track", body, key: nil).status == 201)
    }

    @Test("switches refuse unknown names and values, and say what is possible")
    func switches() throws {
        var switches = SandboxSwitches()
        try switches.set(["apply_delay_ms": 0, "rate_mode": "tiny"])
        #expect(switches.applyDelayMilliseconds == 0)
        #expect(switches.rateMode == .tiny)
        #expect(throws: SwitchError.self) { try switches.set(["apply_delay_ms": 5, "array_cap": 501]) }
        #expect(switches.applyDelayMilliseconds == 0, "nothing changes when one value is wrong")
        #expect(throws: SwitchError.self) { try switches.set(["speed": 5]) }
    }
}

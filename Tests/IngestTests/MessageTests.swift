// The message model, numbered as in collection §8.

import HTTPTypes
import Hummingbird
import JSON
import Model
import NIOCore
import Synchronization
import Testing

@testable import Ingest

@Suite struct MessageTests {
    let rig: Rig

    init() throws { rig = try Rig() }

    /// Sends one message in a batch and returns its call, or the code it was rejected with.
    private func outcome(_ message: String, envelope: String = "") async throws -> (call: Call?, code: IngestCode?) {
        let count = try rig.calls.count
        let reply = try await rig.post("/v1/batch", "{\"batch\":[\(message)]\(envelope)}", headers: authorized)
        #expect(reply.isSuccess)
        let calls = try rig.calls
        if calls.count > count { return (calls[count], nil) }
        #expect(rig.counters().requestCodes[.emptyBatchResult] ?? 0 > 0)
        let entry = try #require(rig.journal.entries(sourceID: "src_1").first)
        return (nil, entry.code)
    }

    private func call(_ message: String, envelope: String = "") async throws -> Call {
        try #require(try await outcome(message, envelope: envelope).call)
    }

    @Test("41 An id is needed")
    func noID() async throws {
        for ids in ["", #""userId":null,"#, #""userId":"","anonymousId":null,"#] {
            #expect(try await outcome(#"{\#(ids)"type":"track","event":"E"}"#).code == .noUserAnonID)
        }
        #expect(try await rig.post("/v1/identify", #"{"traits":{}}"#, headers: authorized).isSuccess)
        #expect(rig.counters().rejected == [.noUserAnonID: 4] && rig.counters().accepted == 0)
    }

    @Test(
        "42 Numbers as ids become text, other types are rejected",
        arguments: [
            ("123", "123"), ("-7", "-7"), ("12345678901234567890", "12345678901234567890"), ("1.50", "1.5"),
            ("1e3", "1000"),
        ])
    func coercedIDs(literal: String, text: String) async throws {
        let call = try await call(
            #"{"type":"group","userId":\#(literal),"anonymousId":\#(literal),"groupId":\#(literal),"messageId":\#(literal)}"#
        )
        #expect(call.userID == text && call.anonymousID == text && call.groupID == text && call.messageID == text)
        #expect(call.json["userId"]?.string == text && call.json["groupId"]?.string == text)
        #expect(call.warnings == ["id_coerced"] && rig.counters().warnings == ["id_coerced": 1])
    }

    @Test("42 Ids of other types", arguments: ["{}", "[]", "true", #"["u"]"#])
    func oddIDs(literal: String) async throws {
        for key in ["userId", "anonymousId", "groupId", "previousId", "messageId"] {
            let others = key == "userId" ? #""anonymousId":"a""# : #""userId":"u""#
            #expect(
                try await outcome(#"{"type":"track","event":"E",\#(others),"\#(key)":\#(literal)}"#).code
                    == .idNotString)
        }
    }

    @Test("43 Null and empty ids are absent")
    func absentIDs() async throws {
        for id in ["null", #""""#] {
            let call = try await call(#"{"type":"track","event":"E","userId":\#(id),"anonymousId":"a"}"#)
            #expect(call.userID == nil && call.anonymousID == "a" && call.json["userId"] == nil && call.warnings == [])
        }
        // Python sends a null beside every user id.
        let python = try await call(#"{"type":"track","event":"E","userId":" U ","anonymousId":null}"#)
        #expect(python.userID == " U " && python.anonymousID == nil && python.json["anonymousId"] == nil)
    }

    @Test(
        "44 Track calls",
        arguments: [
            ("", .eventNotDefined), (#","event":null"#, .eventNotDefined), (#","event":"""#, .eventNotDefined),
            (#","event":5"#, .eventNotString), (#","event":["E"]"#, .eventNotString),
            (#","event":"E","properties":[]"#, .propertiesNotObject),
            (#","event":"E","properties":"p""#, .propertiesNotObject),
        ] as [(String, IngestCode)])
    func trackErrors(members: String, code: IngestCode) async throws {
        #expect(try await outcome(#"{"type":"track","userId":"u"\#(members)}"#).code == code)
    }

    @Test("44 Null properties, traits, context and integrations are empty objects")
    func nullObjects() async throws {
        let call = try await call(
            #"{"type":"track","userId":"u","event":"E","properties":null,"context":null,"integrations":null,"traits":null}"#
        )
        for key in ["properties", "context", "integrations", "traits"] { #expect(call.json[key] == [:]) }
    }

    @Test("45 Traits must be an object", arguments: [#""x""#, "[]", "1"])
    func oddTraits(traits: String) async throws {
        #expect(try await outcome(#"{"type":"identify","userId":"u","traits":\#(traits)}"#).code == .traitsNotObject)
        #expect(
            try await outcome(#"{"type":"group","userId":"u","groupId":"g","traits":\#(traits)}"#).code
                == .traitsNotObject)
        // Ancient clients put traits on track calls; nobody reads them there.
        #expect(try await outcome(#"{"type":"track","event":"E","userId":"u","traits":\#(traits)}"#).call != nil)
    }

    @Test("46 Pages and screens without a name", arguments: ["page", "screen"])
    func names(type: String) async throws {
        for members in [
            #""category":null,"name":"""#, #""category":"","name":null"#, #""x":1"#, #""name":"N","category":"C""#,
        ] {
            #expect(try await outcome(#"{"type":"\#(type)","anonymousId":"a",\#(members)}"#).call != nil)
        }
        #expect(try await outcome(#"{"type":"\#(type)","anonymousId":"a","name":5}"#).code == .nameNotString)
        #expect(try await outcome(#"{"type":"\#(type)","anonymousId":"a","category":{}}"#).code == .categoryNotString)
        #expect(
            try await outcome(#"{"type":"\#(type)","anonymousId":"a","properties":[1]}"#).code == .propertiesNotObject)
    }

    @Test("46 Groups and aliases need their ids")
    func groupsAndAliases() async throws {
        #expect(try await outcome(#"{"type":"group","userId":"u"}"#).code == .groupIDRequired)
        #expect(try await outcome(#"{"type":"group","userId":"u","groupId":null}"#).code == .groupIDRequired)
        #expect(try await outcome(#"{"type":"alias","userId":"u"}"#).code == .previousIDRequired)
        #expect(try await outcome(#"{"type":"alias","anonymousId":"a","previousId":"p"}"#).code == .idRequired)
        let alias = try await call(#"{"type":"alias","userId":"u","previousId":"p"}"#)
        #expect(alias.kind == .alias && alias.previousID == "p" && alias.event == nil)
    }

    @Test("47 A bad message does not take the good ones along")
    func mixedBatch() async throws {
        let good = (0..<3).map { #"{"type":"track","userId":"u","event":"E","messageId":"\#($0)"}"# }
        let body =
            "{\"batch\":[\(good[0]),{\"type\":\"track\",\"userId\":\"u\",\"writeKey\":\"k\"},\(good[1]),\(good[2])]}"
        #expect(try await rig.post("/v1/batch", body, headers: authorized).isSuccess)
        #expect(try rig.calls.map(\.messageID) == ["0", "1", "2"])
        #expect(rig.counters().rejected == [.eventNotDefined: 1] && rig.counters().requestCodes == [.multiUserError: 1])
        let entries = rig.journal.entries(sourceID: "src_1")
        #expect(entries.count == 4 && entries.filter { $0.code == nil }.count == 3)
        let failure = try #require(entries.first { $0.code != nil })
        #expect(failure.userID == "u" && !failure.isCut)
        #expect(try JSONValue(parsing: failure.raw) == ["type": "track", "userId": "u"])
    }

    @Test("48 Messages without a known type", arguments: [#""type":"foo","#, "", #""type":"Track","#, #""type":5,"#])
    func unknownTypes(type: String) async throws {
        let body = #"{"batch":[{\#(type)"userId":"u","event":"E"},{"type":"track","userId":"u","event":"E"},7]}"#
        #expect(try await rig.post("/v1/batch", body, headers: authorized).isSuccess)
        #expect(try rig.calls.count == 1 && rig.counters().rejected == [.unknownType: 1, .badRequest: 1])
    }

    @Test("49 The path says the type of a single message")
    func typeFromPath() async throws {
        _ = try await rig.post("/v1/identify", #"{"type":"track","userId":"u"}"#, headers: authorized)
        let call = try #require(try rig.calls.first)
        #expect(call.kind == .identify && call.json["type"] == "identify")
    }

    @Test("50 Missing message ids are made up")
    func messageIDs() async throws {
        let messages = Array(repeating: #"{"type":"track","userId":"u","event":"E","messageId":null}"#, count: 100)
        _ = try await rig.post(
            "/v1/b", #"{"messageId":"envelope","batch":[\#(messages.joined(separator: ","))]}"#, headers: authorized)
        let calls = try rig.calls
        #expect(calls.count == 100 && Set(calls.map(\.messageID)).count == 100)
        for call in calls {
            #expect(
                call.messageID.wholeMatch(of: /api-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/)
                    != nil)
            #expect(call.json["messageId"]?.string == call.messageID)
        }
    }

    @Test("52 Equal content with different ids stays two messages; what ids repeat is the engine's to see")
    func repetition() async throws {
        for id in ["a", "b", "b"] {
            _ = try await call(#"{"type":"track","userId":"u","event":"E","messageId":"\#(id)"}"#)
        }
        #expect(try rig.calls.map(\.messageID) == ["a", "b", "b"])
    }

    @Test(
        "54 64 65 Calls that are kept but stay out of profiles",
        arguments: [
            (
                #"{"type":"track","userId":"u","event":"E","messageId":"\#(String(repeating: "m", count: 101))"}"#,
                "message_id_too_long"
            ),
            (#"{"type":"identify","userId":"u","traits":\#(members(301))}"#, "too_many_traits"),
            (#"{"type":"identify","userId":"u","traits":\#(members(300))}"#, "too_many_traits"),
            (#"{"type":"group","userId":"u","groupId":"g","traits":\#(members(301))}"#, "too_many_traits"),
            (#"{"type":"track","userId":"u","event":"E","properties":\#(members(301))}"#, "too_many_properties"),
            (#"{"type":"group","userId":"u","groupId":""}"#, "group_id_empty"),
            (#"{"type":"group","userId":"u","groupId":"\#(String(repeating: "é", count: 501))"}"#, "group_id_too_long"),
            (#"{"type":"track","userId":"u","event":"E","context":{"groupId":""}}"#, "group_id_empty"),
            (
                #"{"type":"track","userId":"u","event":"E","timestamp":"1969-12-31T23:59:59.999Z"}"#,
                "timestamp_before_1970"
            ),
            (#"{"type":"track","userId":"u","event":"E","timestamp":"0001-01-01T00:00:00Z"}"#, "timestamp_before_1970"),
        ])
    func excluded(message: String, reason: String) async throws {
        let call = try await call(message)
        #expect(call.warnings == ["excluded_from_profiles:\(reason)"] && call.profileExclusion?.rawValue == reason)
        #expect(rig.counters().accepted == 1 && rig.counters().warnings == ["excluded_from_profiles:\(reason)": 1])
    }

    @Test(
        "54 64 65 At the limits calls count",
        arguments: [
            #"{"type":"track","userId":"u","event":"E","messageId":"\#(String(repeating: "é", count: 100))"}"#,
            #"{"type":"identify","userId":"u","traits":\#(members(299))}"#,
            #"{"type":"track","userId":"u","event":"E","properties":\#(members(300))}"#,
            #"{"type":"group","userId":"u","groupId":"\#(String(repeating: "g", count: 500))"}"#,
            #"{"type":"track","userId":"u","event":"E","timestamp":"1970-01-01T00:00:00Z"}"#,
            #"{"type":"page","userId":"u","context":{"groupId":""}}"#,
        ])
    func notExcluded(message: String) async throws {
        #expect(try await call(message).profileExclusion == nil)
    }

    @Test("60 37 The envelope's context and integrations reach every message, the message winning")
    func merging() async throws {
        let envelope = #"""
            ,"context":{"library":{"name":"analytics-go","version":"3.0.0"},"locale":"en","a":1},
            "integrations":{"All":true,"Braze":{"x":1}},"messageId":"noise","timestamp":"noise","sequence":7
            """#
        let merged = try await call(
            #"{"type":"track","userId":"u","event":"E","context":{"ip":"1.2.3.4","locale":"de","a":{"b":1},"library":{"version":"9","extra":true}},"integrations":{"Braze":false}}"#,
            envelope: envelope)
        #expect(
            merged.json["context"] == [
                "ip": "1.2.3.4", "locale": "de", "a": ["b": 1],
                "library": ["name": "analytics-go", "version": "9", "extra": true],
            ])
        #expect(merged.json["integrations"] == ["All": true, "Braze": false])
        #expect(merged.messageID.hasPrefix("api-") && merged.json["sequence"] == nil && merged.warnings == [])
        for own in ["", #","context":null"#, #","context":{}"#] {
            let plain = try await call(#"{"type":"track","userId":"u","event":"E"\#(own)}"#, envelope: envelope)
            #expect(plain.json["context"]?["library"]?["name"] == "analytics-go" && plain.json["context"]?["a"] == 1)
            #expect(plain.json["integrations"] == ["All": true, "Braze": ["x": 1]])
        }
    }

    @Test("61 The address is filled in for people's devices only")
    func addresses() async throws {
        func ip(_ context: String, envelope: String = "") async throws -> JSONValue? {
            try await call(#"{"type":"track","userId":"u","event":"E","context":\#(context)}"#, envelope: envelope)
                .json["context"]?["ip"]
        }
        #expect(try await ip(#"{"library":{"name":"analytics-go"}}"#) == nil)
        #expect(try await ip("{}") == nil)
        for library in [
            "analytics.js", "analytics-swift", "analytics-kotlin", "analytics-react-native", "Analytics-CSharp",
        ] {
            #expect(try await ip(#"{"library":{"name":"\#(library)"}}"#) == "203.0.113.9")
        }
        #expect(try await ip(#"{"library":{"name":"analytics.js"},"ip":"0.0.0.0"}"#) == "0.0.0.0")
        #expect(try await ip(#"{"direct":true}"#) == "203.0.113.9")
        #expect(try await ip(#"{"direct":false}"#) == nil)
        #expect(try await ip("{}", envelope: #","context":{"library":{"name":"analytics.js"}}"#) == "203.0.113.9")
        #expect(try await ip("{}", envelope: #","context":{"ip":"9.9.9.9","direct":true}"#) == "9.9.9.9")
    }

    @Test("61 The address of a batch is looked for once, and only if a message asks for it")
    func addressOfBatch() async throws {
        func asked(_ context: String) async throws -> Int {
            let message = #"{"type":"track","userId":"u","event":"E","context":\#(context)}"#
            let body = #"{"batch":[\#([message, message, message].joined(separator: ","))]}"#
            let asked = Mutex(0)
            let request = Request(
                head: HTTPRequest(
                    method: .post, scheme: "http", authority: "localhost", path: "/v1/b", headerFields: authorized),
                body: RequestBody(buffer: ByteBuffer(string: body)))
            let answer = try await rig.ingest.receive(request, as: .batch) {
                asked.withLock { $0 += 1 }
                return "192.0.2.1"
            }
            #expect(answer.status == .ok)
            return asked.withLock { $0 }
        }
        #expect(try await asked(#"{"direct":true}"#) == 1)
        #expect(try await asked("{}") == 0)
        #expect(try rig.calls.filter { $0.json["context"]?["ip"] == "192.0.2.1" }.count == 3)
    }

    @Test("61 Behind proxies, the address is what the outermost trusted one saw")
    func proxies() async throws {
        var configuration = IngestConfiguration()
        configuration.proxyCount = 2
        let rig = try Rig(configuration: configuration)
        var headers = authorized
        headers[Header.forwardedFor] = "6.6.6.6, 198.51.100.7, 10.0.0.1"
        let body = #"{"userId":"u","event":"E","context":{"direct":true}}"#
        _ = try await rig.post("/v1/t", body, headers: headers)
        _ = try await self.rig.post("/v1/t", body, headers: headers)
        #expect(try rig.calls.first?.json["context"]?["ip"] == "198.51.100.7")
        #expect(try self.rig.calls.first?.json["context"]?["ip"] == "203.0.113.9")
    }

    @Test("62 What Ingest does not know survives verbatim")
    func verbatim() async throws {
        let properties =
            #"{ "price" : 19.99, "big":12345678901234567890,"z":1.10,"$k.e y":"\u00e9\/","🙂":[1,{"a":null}],"e":1E5 }"#
        let call = try await call(
            #"{"type":"track","userId":"u","event":"E","properties":\#(properties),"custom":{"x":[1.0]},"_metadata":{"bundled":[]},"version":"1.1","context":{"weird key":0.10}}"#
        )
        let text = String(decoding: call.body, as: UTF8.self)
        #expect(text.contains(#""properties":\#(properties)"#))
        #expect(text.contains(#""custom":{"x":[1.0]}"#) && text.contains(#""_metadata":{"bundled":[]}"#))
        #expect(text.contains(#""version":"1.1""#) && text.contains(#""context":{"weird key":0.10}"#))
        #expect(call.json["properties"]?["big"]?.description == "12345678901234567890")
    }

    @Test("62 The server's own members stand in the stored message")
    func serverMembers() async throws {
        let call = try await call(
            #"{"type":"track","userId":"u","event":"E","receivedAt":"1999-01-01T00:00:00Z","originalTimestamp":"1999-01-01T00:00:00Z"}"#
        )
        #expect(call.json["receivedAt"] == "2026-11-24T10:00:01.000Z" && call.json["version"] == 2)
        #expect(call.json["originalTimestamp"] == "2026-11-24T10:00:01.000Z")
        #expect(call.json["timestamp"] == "2026-11-24T10:00:01.000Z")
    }

    @Test("62 Repeated and escaped member names: the last one counts")
    func repeatedNames() async throws {
        let call = try await call(
            #"{"type":"page","type":"track","\u0075serId":"u1","userId":"u2","event":"E","\u0065vent":"F","writeKe\u0079":"secret"}"#
        )
        #expect(call.kind == .track && call.userID == "u2" && call.event == "F")
        #expect(call.json["userId"] == "u2" && call.json["event"] == "F")
        #expect(!String(decoding: call.body, as: UTF8.self).contains("secret"))
    }

    @Test("63 Bare NaN and Infinity read as null, and only their message is warned about")
    func nonFinite() async throws {
        let body = #"""
            {"batch":[{"type":"track","userId":"u","event":"E","properties":{"a":NaN,"b":[Infinity,-Infinity,1.5],"c":"NaN"}},
            {"type":"track","userId":"u","event":"F","properties":{"a":1}}]}
            """#
        #expect(try await rig.post("/v1/batch", body, headers: authorized).isSuccess)
        let calls = try rig.calls
        #expect(calls.map(\.warnings) == [["non_finite_number"], []])
        #expect(calls[0].json["properties"] == ["a": nil, "b": [nil, nil, 1.5], "c": "NaN"])
        #expect(try await rig.post("/v1/batch", #"{"batch":[{"a":NaN}"#, headers: authorized).refusal == "invalid_json")
    }

    @Test("63 Lone surrogates and zero characters are not stored")
    func unstorableText() async throws {
        let call = try await call(
            #"{"type":"track","userId":"u\u0000","event":"E\ud800","properties":{"a\u0000":"b\udc00\u0000","k":"\\u0000"}}"#
        )
        #expect(call.userID == "u" && call.event == "E\u{FFFD}" && call.json["userId"] == "u")
        #expect(call.json["properties"] == ["a": "b\u{FFFD}", "k": "\\u0000"])
    }

    @Test("66 Integrations are kept as they are")
    func integrations() async throws {
        let call = try await call(#"{"type":"track","userId":"u","event":"E","integrations":{"All":false,"X":{}}}"#)
        #expect(call.json["integrations"] == ["All": false, "X": [:]])
        let odd = try await self.call(#"{"type":"track","userId":"u","event":"E","integrations":5,"context":"c"}"#)
        #expect(odd.warnings == ["context_not_object", "integrations_not_object"] && odd.json["context"] == "c")
    }

    @Test(
        "Consent events must be well formed",
        arguments: [
            ("{}", .consentMissing), (#"{"consent":{}}"#, .consentMissing),
            (#"{"consent":{"categoryPreferences":[]}}"#, .consentNotObject),
            (#"{"consent":{"categoryPreferences":{"a":"yes"}}}"#, .consentNotBool),
            (#"{"consent":{"categoryPreferences":{"a":true},"version":"1"}}"#, .consentVersionNotNumber),
            (#"{"consent":{"categoryPreferences":{}},"device":{"advertisingId":5}}"#, .advertisingIDNotString),
            (
                #"{"consent":{"categoryPreferences":{"a":true,"b":false},"version":2},"device":{"advertisingId":"x"}}"#,
                nil
            ),
        ] as [(String, IngestCode?)])
    func consent(context: String, code: IngestCode?) async throws {
        let message =
            #"{"type":"track","userId":"u","event":"Segment Consent Preference Updated","context":\#(context)}"#
        #expect(try await outcome(message).code == code)
    }
}

private func members(_ count: Int) -> String {
    "{\((0..<count).map { "\"k\($0)\":\($0)" }.joined(separator: ","))}"
}

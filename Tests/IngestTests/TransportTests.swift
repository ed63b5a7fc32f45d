// Conformance of the transport, numbered as in collection §8.

import EventLog
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import JSON
import Model
import Testing

@testable import Ingest

@Suite struct TransportTests {
    let rig: Rig
    let track = #"{"userId":"u","event":"E","messageId":"m1"}"#
    let batch =
        #"{"batch":[{"type":"track","userId":"u","event":"E","messageId":"m1"}],"sentAt":"2026-11-24T10:00:00Z"}"#

    init() throws { rig = try Rig() }

    @Test("1 A track call with Basic authorization is stored")
    func basicAuthorization() async throws {
        #expect(try await rig.post("/v1/track", track, headers: authorized).isSuccess)
        let call = try #require(try rig.calls.first)
        #expect(call.kind == .track && call.sourceID == "src_1" && call.event == "E" && call.userID == "u")
        #expect(call.json["type"] == "track" && call.json["messageId"] == "m1")
    }

    @Test("2 The write key may stand in the body, and never reaches the Log")
    func keyInBody() async throws {
        let body = #"{"userId":"u","event":"E","writeKey":"\#(Rig.key)"}"#
        #expect(try await rig.post("/v1/track", body).isSuccess)
        let call = try #require(try rig.calls.first)
        #expect(call.sourceID == "src_1" && call.json["writeKey"] == nil)
        #expect(!String(decoding: call.body, as: UTF8.self).contains(Rig.key))
    }

    @Test("3 Basic without a colon")
    func basicWithoutColon() async throws {
        #expect(try await rig.post("/v1/track", track, headers: basic(Rig.key)).isSuccess)
        #expect(try rig.calls.map(\.sourceID) == ["src_1"])
    }

    @Test("4 Basic wins over the body's key")
    func basicWins() async throws {
        let body = #"{"userId":"u","event":"E","writeKey":"\#(Rig.otherKey)"}"#
        _ = try await rig.post("/v1/track", body, headers: authorized)
        // A Basic header without a user name says nothing.
        _ = try await rig.post("/v1/track", body, headers: basic(":"))
        _ = try await rig.post("/v1/track", body, headers: [.authorization: "Bearer abc"])
        #expect(try rig.calls.map(\.sourceID) == ["src_1", "src_2", "src_2"])
    }

    @Test("4 The first message's key is the last resort")
    func keyInFirstMessage() async throws {
        let body = #"{"batch":[{"type":"track","userId":"u","event":"E","writeKey":"\#(Rig.otherKey)"}]}"#
        #expect(try await rig.post("/v1/b", body).isSuccess)
        #expect(try rig.calls.map(\.sourceID) == ["src_2"])
    }

    @Test("5 Short paths are the long ones", arguments: Call.Kind.allCases)
    func shortPaths(kind: Call.Kind) async throws {
        let body = #"{"userId":"u","event":"E","groupId":"g","previousId":"p"}"#
        for path in [kind.name, String(kind.name.prefix(1))] {
            #expect(try await rig.post("/v1/\(path)", body, headers: authorized).isSuccess)
            #expect(try await rig.post("/v1/\(path)/", body, headers: authorized).isSuccess)
        }
        #expect(try rig.calls.map(\.kind) == [kind, kind, kind, kind])
    }

    @Test(
        "6 All batch paths",
        arguments: ["/v1/batch", "/v1/b", "/v1/import", "/v1/import/", "//v1/batch", "/v1//batch/"])
    func batchPaths(path: String) async throws {
        #expect(try await rig.post(path, batch, headers: authorized).isSuccess)
        #expect(try rig.calls.map(\.messageID) == ["m1"])
    }

    @Test(
        "7 The content type does not matter",
        arguments: ["text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded", nil])
    func contentTypes(type: String?) async throws {
        var headers = authorized
        headers[.contentType] = type
        #expect(try await rig.post("/v1/track", track, headers: headers).isSuccess)
        #expect(try rig.calls.map(\.messageID) == ["m1"])
    }

    @Test("8 gzip", arguments: ["/v1/b", "/v1/batch"])
    func compressed(path: String) async throws {
        var headers = authorized
        headers[.contentEncoding] = "gzip"
        headers[.contentType] = "text/plain"
        #expect(try await rig.send(.post, path, gzip(Array(batch.utf8)), headers: headers).isSuccess)
        _ = try await rig.post(path, batch, headers: authorized)
        let calls = try rig.calls
        #expect(calls.count == 2 && calls[0] == calls[1])
    }

    @Test("8 Other encodings are refused")
    func otherEncodings() async throws {
        var headers = authorized
        headers[.contentEncoding] = "br"
        #expect(try await rig.post("/v1/track", track, headers: headers).refusal == "bad_request")
        headers[.contentEncoding] = "identity"
        #expect(try await rig.post("/v1/track", track, headers: headers).isSuccess)
    }

    @Test("9 A chunked gzip body without a length, on a connection that stays open (Kotlin, Android)")
    func chunked() async throws {
        let body = gzip(Array(#"{"writeKey":"\#(Rig.key)",\#(batch.dropFirst())"#.utf8))
        var request = Array(
            "POST /v1/b HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                .utf8)
        for start in stride(from: 0, to: body.count, by: 7) {
            let part = body[start..<min(start + 7, body.count)]
            request += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + Array("\r\n".utf8)
        }
        request += Array("0\r\n\r\n".utf8)
        let plain = "POST /v1/track HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: \(track.utf8.count)\r\n"
        let authorization = authorized[.authorization] ?? ""
        request += Array("\(plain)Authorization: \(authorization)\r\n\r\n\(track)".utf8)
        let bytes = request
        let answer = try await rig.application.test(.live) { client in
            await exchange(port: try #require(client.port), bytes)
        }
        #expect(answer.components(separatedBy: "HTTP/1.1 200 OK").count == 3, "\(answer)")
        #expect(answer.components(separatedBy: #"{"success":true}"#).count == 3)
        #expect(try rig.calls.map(\.messageID) == ["m1", "m1"])
    }

    @Test(
        "10 11 12 What is no JSON object",
        arguments: [
            ("{", "invalid_json"), ("[]", "bad_request"), (#""x""#, "bad_request"), ("", "invalid_json"),
            ("  ", "invalid_json"),
            (#"{"batch":[,,,]}"#, "invalid_json"), ("{\"a\":\"\u{1}\"}", "invalid_json"), ("null", "bad_request"),
            ("nan", "invalid_json"), (#"{"userId":"u"}{}"#, "invalid_json"),
        ])
    func noObject(body: String, code: String) async throws {
        for path in ["/v1/track", "/v1/batch"] {
            let reply = try await rig.post(path, body, headers: authorized)
            #expect(reply.refusal == code, "\(reply.text)")
        }
        #expect(rig.counters().requestCodes == [try #require(IngestCode(rawValue: code)): 2])
        #expect(try rig.calls.isEmpty)
    }

    @Test("10 A byte order mark and space around the body are fine")
    func byteOrderMark() async throws {
        #expect(try await rig.post("/v1/track", "\u{FEFF} \r\n\(track)\n ", headers: authorized).isSuccess)
        #expect(try rig.calls.map(\.messageID) == ["m1"])
    }

    @Test("13 Broken and exploding gzip")
    func brokenCompression() async throws {
        var headers = authorized
        headers[.contentEncoding] = "gzip"
        var corrupt = gzip(Array(batch.utf8))
        corrupt[20] ^= 0x55
        #expect(try await rig.send(.post, "/v1/b", corrupt, headers: headers).refusal != nil)
        #expect(try await rig.send(.post, "/v1/b", Array(batch.utf8), headers: headers).refusal == "bad_request")
        #expect(
            try await rig.send(.post, "/v1/b", gzip(Array(batch.utf8)).dropLast(9), headers: headers).refusal
                == "bad_request")
        #expect(try await rig.send(.post, "/v1/b", [], headers: headers).refusal == "bad_request")
        let bomb = gzip([UInt8](repeating: 0x20, count: 50_000_000))
        #expect(bomb.count < 100_000)
        #expect(try await rig.send(.post, "/v1/b", bomb, headers: headers).refusal == "payload_too_large")
        #expect(try await rig.send(.post, "/v1/t", bomb, headers: headers).refusal == "payload_too_large")
        #expect(try rig.calls.isEmpty)
    }

    @Test("14 No write key")
    func noKey() async throws {
        #expect(try await rig.post("/v1/track", track).refusal == "missing_write_key")
        #expect(try await rig.post("/v1/batch", batch).refusal == "missing_write_key")
        #expect(
            try await rig.post("/v1/track", #"{"userId":"u","event":"E","writeKey":""}"#).refusal == "missing_write_key"
        )
        #expect(try await rig.post("/v1/track", track, headers: basic("abc:")).refusal == "missing_write_key")
        #expect(rig.counters(nil).requestCodes == [.missingWriteKey: 4])
    }

    @Test("15 An unknown key is accepted, stored nowhere and counted")
    func unknownKey() async throws {
        #expect(try await rig.post("/v1/track", track, headers: basic("a-key-nobody-has:")).isSuccess)
        #expect(try await rig.post("/v1/batch", batch, headers: basic(Rig.key.uppercased() + ":")).isSuccess)
        #expect(try rig.calls.isEmpty)
        #expect(rig.counters(nil).rejected == [.unknownSource: 2])
        let entry = try #require(rig.journal.entries(sourceID: nil).last)
        #expect(entry.writeKey == "a-key-nobody-has" && entry.code == .unknownSource && entry.event == "E")
    }

    @Test("15 A switched-off source is answered 200, and its messages are dropped visibly")
    func disabledSource() async throws {
        #expect(try await rig.post("/v1/track", track, headers: basic(Rig.disabledKey + ":")).isSuccess)
        #expect(try rig.calls.isEmpty)
        #expect(rig.counters("src_off").rejected == [.sourceDisabled: 1])
    }

    @Test("25 X-Retry-Count changes nothing but a counter")
    func retryCount() async throws {
        var headers = authorized
        headers[Header.retryCount] = "3"
        #expect(try await rig.post("/v1/track", track, headers: headers).isSuccess)
        _ = try await rig.post("/v1/track", track, headers: authorized)
        #expect(try rig.calls.count == 2)
        #expect(rig.counters().retriedRequests == 1 && rig.counters().requests == 2)
    }

    @Test("29 Telemetry is taken and forgotten")
    func telemetry() async throws {
        let series = #"{"series":[{"type":"Counter","metric":"analytics_js.x","value":1,"tags":{}}]}"#
        #expect(try await rig.post("/v1/m", series).isSuccess)
        #expect(try rig.calls.isEmpty && rig.journal.counters.isEmpty)
    }
}

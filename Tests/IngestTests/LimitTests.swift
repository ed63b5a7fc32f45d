// Limits, refusals, overload and CORS, numbered as in collection §8.

import EventLog
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import JSON
import Model
import Testing

@testable import Ingest

@Suite struct LimitTests {
    let rig: Rig

    init() throws { rig = try Rig() }

    @Test("16 A message may have 32 KB")
    func messageSize() async throws {
        #expect(try await rig.post("/v1/track", track(bytes: 32_768), headers: authorized).isSuccess)
        for size in [32_769, 40_000] {
            let reply = try await rig.post("/v1/track", track(bytes: size), headers: authorized)
            #expect(reply.refusal == "payload_too_large" && reply.json?["message"] == "Exceed payload limit")
        }
        var headers = authorized
        headers[.contentEncoding] = "gzip"
        #expect(
            try await rig.send(.post, "/v1/track", gzip(Array(track(bytes: 32_768).utf8)), headers: headers).isSuccess)
        #expect(
            try await rig.send(.post, "/v1/track", gzip(Array(track(bytes: 32_769).utf8)), headers: headers).refusal
                != nil)
        #expect(try rig.calls.count == 2)
        #expect(rig.counters().requestCodes == [.payloadTooLarge: 3])
    }

    /// A batch of exactly `bytes` bytes, made of messages of 30,000 bytes and a filling one.
    private func batch(bytes: Int) -> String {
        let frame = #"{"batch":[]}"#.utf8.count
        var messages: [String] = []
        var left = bytes - frame
        while left > 62_000 {
            messages.append(track(bytes: 30_000, id: "m\(messages.count)"))
            left -= 30_001
        }
        messages.append(track(bytes: left / 2, id: "m\(messages.count)"))
        messages.append(track(bytes: left - left / 2 - 1, id: "m\(messages.count)"))
        let text = "{\"batch\":[\(messages.joined(separator: ","))]}"
        precondition(text.utf8.count == bytes)
        return text
    }

    @Test("17 A batch may have 512,000 bytes, and those between are accepted", arguments: [512_000, 520_000, 524_288])
    func batchSizeAccepted(bytes: Int) async throws {
        let text = batch(bytes: bytes)
        #expect(try await rig.post("/v1/batch", text, headers: authorized).isSuccess)
        #expect(try rig.calls.count > 15 && rig.counters().rejectedTotal == 0)
    }

    @Test("17 35 A larger batch is refused once and for all", arguments: [524_289, 600_000, 2_000_000])
    func batchSizeRefused(bytes: Int) async throws {
        #expect(
            try await rig.post("/v1/batch", batch(bytes: bytes), headers: authorized).refusal == "payload_too_large")
        #expect(try rig.calls.isEmpty)
    }

    @Test("18 A large message in a batch goes alone")
    func largeItem() async throws {
        let body =
            "{\"batch\":[\(track(bytes: 200, id: "a")),\(track(bytes: 40_000, id: "b")),\(track(bytes: 32_768, id: "c"))]}"
        #expect(try await rig.post("/v1/batch", body, headers: authorized).isSuccess)
        #expect(try rig.calls.map(\.messageID) == ["a", "c"])
        #expect(rig.counters().rejected == [.eventTooLarge: 1] && rig.counters().requestCodes == [.multiUserError: 1])
        let entry = try #require(rig.journal.entries(sourceID: "src_1").first { $0.code == .eventTooLarge })
        #expect(entry.isCut && entry.messageID == "b" && entry.raw.count == 1024)
    }

    @Test("19 The first 2,500 messages of a batch are kept")
    func longBatch() async throws {
        let messages = (0..<2501).map { #"{"type":"track","event":"E","userId":"u","messageId":"\#($0)"}"# }
        let body = "{\"batch\":[\(messages.joined(separator: ","))]}"
        #expect(try await rig.post("/v1/batch", body, headers: authorized).isSuccess)
        #expect(try rig.calls.map(\.messageID) == (0..<2500).map { "\($0)" })
        #expect(rig.counters().rejected == [.batchTooLong: 1])
    }

    @Test("20 An empty batch is fine, an envelope without one is not")
    func emptyBatch() async throws {
        #expect(try await rig.post("/v1/batch", #"{"batch": []}"#, headers: authorized).isSuccess)
        #expect(rig.counters().requestCodes == [.emptyBatch: 1])
        for body in ["{}", #"{"batch":null}"#, #"{"batch":{}}"#] {
            #expect(try await rig.post("/v1/batch", body, headers: authorized).refusal == "bad_request")
        }
    }

    @Test("21 Whatever is sent, the status is one that clients stop at or wait after")
    func statuses() async throws {
        let bodies = [
            "", "{", "{}", "[]", "[[[[[[", track(bytes: 33_000), batch(bytes: 600_000), #"{"batch":[1,null,"x",[]]}"#,
            #"{"batch":[{"type":"track"}]}"#, String(repeating: "[", count: 5000), "\u{0}",
        ]
        let credentials = [authorized, [:], basic("x:"), basic("nobody-knows-this:"), [.authorization: "Basic ###"]]
        for body in bodies {
            for headers in credentials {
                for path in ["/v1/t", "/v1/identify", "/v1/batch", "/v1/import/"] {
                    let reply = try await rig.post(path, body, headers: headers)
                    #expect(
                        [200, 400].contains(reply.status) && reply.json?.object != nil, "\(path) \(body.prefix(30))")
                }
            }
        }
        for method in [HTTPRequest.Method.get, .put, .delete, .patch] {
            let reply = try await rig.send(method, "/v1/track")
            #expect(reply.status == 405 && reply.json?["code"] == "method_not_allowed")
        }
        #expect(try await rig.send(.head, "/v1/batch").status == 405)
    }

    @Test("22 Overload asks to come back later")
    func overload() async throws {
        let rig = try Rig(limits: .init(waitingBytesMax: 0, retryAfterSeconds: 9))
        let reply = try await rig.post("/v1/track", track(bytes: 200), headers: authorized)
        #expect(reply.status == 429 && reply.json?["code"] == "rate_limited" && reply.json?["success"] == false)
        #expect(reply.json?["message"]?.string != nil && reply.json?["error"]?.string != nil)
        let seconds = try #require(reply.headers[.retryAfter].flatMap { Int($0) })
        #expect((9...300).contains(seconds) && reply.headers[Header.rateLimitReset] == String(seconds))
        #expect(reply.headers[.accessControlAllowOrigin] == "*")
        #expect(rig.counters().accepted == 0 && rig.counters().requestCodes == [.rateLimited: 1])
    }

    @Test("22 More at a time than may be held asks to come back later, and holds nothing afterwards")
    func heldBytes() async throws {
        var configuration = IngestConfiguration()
        configuration.heldBytesMax = 2_000
        let rig = try Rig(configuration: configuration)
        for _ in 0..<50 {
            let large = try await rig.post("/v1/track", track(bytes: 3_000), headers: authorized)
            #expect(large.status == 429 && large.json?["code"] == "rate_limited")
            #expect(large.headers[.retryAfter].flatMap { Int($0) } != nil)
            #expect(try await rig.post("/v1/track", track(bytes: 1_500), headers: authorized).status == 200)
            #expect(try await rig.post("/v1/track", "{", headers: authorized).status == 400)
        }
        #expect(rig.counters().accepted == 50 && rig.counters().requestCodes[.rateLimited] == 50)
    }

    @Test("22 A disk that does not take the messages asks to come back later, and nothing is half kept")
    func brokenDisk() async throws {
        try rig.log.close()
        let reply = try await rig.post("/v1/track", track(bytes: 200), headers: authorized)
        #expect(reply.status == 503 && reply.json?["code"] == "storage_unavailable")
        #expect(reply.headers[.retryAfter].flatMap { Int($0) } != nil)
        #expect(rig.counters().accepted == 0 && rig.counters().requestCodes == [.storageUnavailable: 1])
    }

    @Test("What is read and waits for the Log is bounded, what an envelope adds to messages included")
    func processedBytes() async throws {
        var configuration = IngestConfiguration()
        configuration.processedBytesMax = 20_000
        let rig = try Rig(configuration: configuration)
        let filler = String(repeating: "x", count: 5_000)
        let message = #"{"type":"track","event":"E","userId":"u"}"#
        let grown =
            #"{"context":{"f":"\#(filler)"},"batch":[\#(Array(repeating: message, count: 9).joined(separator: ","))]}"#
        let large = #"{"batch":[\#(Array(repeating: track(bytes: 5_000), count: 5).joined(separator: ","))]}"#
        for body in [grown, large] {
            let reply = try await rig.post("/v1/batch", body, headers: authorized)
            #expect(reply.status == 429 && reply.headers[.retryAfter].flatMap { Int($0) } ?? 0 > 0)
        }
        // Nothing stays reserved.
        #expect(try await rig.post("/v1/batch", #"{"batch":[\#(message)]}"#, headers: authorized).isSuccess)
        #expect(try rig.calls.count == 1)
    }

    @Test("22 The limit per source, when there is one")
    func rateLimit() async throws {
        var configuration = IngestConfiguration()
        configuration.messagesPerSecondMax = 2
        let rig = try Rig(configuration: configuration)
        let headers = authorized
        func post(_ headers: HTTPFields) async throws -> Int {
            try await rig.post("/v1/track", track(bytes: 100), headers: headers).status
        }
        #expect(try await [post(headers), post(headers), post(headers)] == [200, 200, 429])
        #expect(try await post(basic(Rig.otherKey + ":")) == 200)
        rig.clock.advance(.seconds(1))
        #expect(try await [post(headers), post(headers), post(headers)] == [200, 200, 429])
        #expect(rig.counters().accepted == 4 && rig.counters().requestCodes == [.rateLimited: 2])
    }

    @Test("23 Preflights", arguments: ["/v1/t", "/v1/batch", "/v1/import/", "/v1/m", "/v1/projects/x/settings"])
    func preflight(path: String) async throws {
        let wanted = "authorization,content-type,x-retry-count,x-api-key"
        let reply = try await rig.send(
            .options, path, headers: [.accessControlRequestHeaders: wanted, .origin: "https://a.example"])
        #expect(reply.status == 200 && reply.bytes.isEmpty)
        #expect(reply.headers[.accessControlAllowHeaders] == wanted && reply.headers[.accessControlMaxAge] == "86400")
        #expect(reply.headers[.accessControlAllowMethods]?.contains("POST") == true)
        #expect(reply.headers[.accessControlAllowOrigin] == "*")
        let plain = try await rig.send(.options, path)
        #expect(plain.headers[.accessControlAllowHeaders] == "authorization, content-type, x-retry-count")
    }

    @Test("24 CORS headers stand on successes and errors")
    func crossOrigin() async throws {
        var headers = authorized
        headers[.origin] = "https://a.example"
        for body in [track(bytes: 100), "{", track(bytes: 50_000)] {
            let reply = try await rig.post("/v1/t", body, headers: headers)
            #expect(reply.headers[.accessControlAllowOrigin] == "*")
            #expect(reply.headers[.accessControlExposeHeaders] == "Retry-After, X-RateLimit-Reset")
        }
        var configuration = IngestConfiguration()
        configuration.allowsCredentials = true
        let reply = try await Rig(configuration: configuration).post("/v1/t", track(bytes: 100), headers: headers)
        #expect(reply.headers[.accessControlAllowOrigin] == "https://a.example" && reply.headers[.vary] == "Origin")
        #expect(reply.headers[.accessControlAllowCredentials] == "true")
    }

    @Test("An envelope can't blow a small request up")
    func amplification() async throws {
        let filler = String(repeating: "x", count: 30_000)
        let messages = (0..<1000).map { #"{"type":"track","event":"E","userId":"u","messageId":"\#($0)"}"# }
        let list = messages.joined(separator: ",")
        let body = #"{"context":{"f":"\#(filler)"},"batch":[\#(list)]}"#
        #expect(try await rig.post("/v1/batch", body, headers: authorized).isSuccess)
        let calls = try rig.calls
        let bytes = calls.reduce(0) { $0 + $1.body.count }
        #expect(bytes < 9 << 20 && calls.count > 200)
        #expect(rig.counters().rejected == [.eventTooLarge: 1000 - calls.count])
        let large = #"{"context":{"f":"\#(filler)\#(filler)"},"batch":[\#(list)]}"#
        #expect(try await rig.post("/v1/batch", large, headers: authorized).refusal == "payload_too_large")
    }

    @Test("A body that is far too large is read to its end, so that the client sees the answer")
    func hugeBody() async throws {
        let length = 20_000_000
        let head = "POST /v1/batch HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: \(length)\r\n\r\n"
        let request = Array(head.utf8) + [UInt8](repeating: 0x20, count: length)
        let answer = try await rig.application.test(.live) { client in
            await exchange(port: try #require(client.port), request)
        }
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request") && answer.contains("payload_too_large"), "\(answer)")
    }

    @Test("Many requests at once over real connections are stored once each")
    func concurrency() async throws {
        let rig = rig
        try await rig.application.test(.live) { client in
            let port = try #require(client.port)
            await withTaskGroup(of: Void.self) { group in
                for connection in 0..<8 {
                    group.addTask {
                        var request: [UInt8] = []
                        for number in 0..<25 {
                            let body =
                                #"{"userId":"u","event":"E","messageId":"\#(connection).\#(number)","writeKey":"\#(Rig.key)"}"#
                            let last = number == 24 ? "Connection: close\r\n" : ""
                            request += Array(
                                "POST /v1/t HTTP/1.1\r\nHost: h\r\n\(last)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                                    .utf8)
                        }
                        let answer = await exchange(port: port, request)
                        #expect(answer.components(separatedBy: #"{"success":true}"#).count == 26)
                    }
                }
            }
        }
        let ids = try rig.calls.map(\.messageID)
        #expect(ids.count == 200 && Set(ids).count == 200)
        for connection in 0..<8 {
            #expect(ids.filter { $0.hasPrefix("\(connection).") } == (0..<25).map { "\(connection).\($0)" })
        }
    }
}

// Pixels and settings, numbered as in collection §8.

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import JSON
import Model
import Testing

@testable import Ingest

@Suite struct PixelAndSettingsTests {
    let rig: Rig

    init() throws { rig = try Rig() }

    private func pixel(_ query: String, type: String = "track", agent: String = "Mail/1.0") async throws {
        let reply = try await rig.send(.get, "/v1/pixel/\(type)?\(query)", headers: [.userAgent: agent])
        #expect(
            reply.status == 200 && reply.headers[.contentType] == "image/gif"
                && reply.headers[.cacheControl] == "no-store")
        #expect(reply.bytes.starts(with: Array("GIF89a".utf8)) && reply.bytes.last == 0x3B)
    }

    @Test("26 A pixel with base64 data, in every spelling of base64")
    func data() async throws {
        let json = #"{"writeKey":"\#(Rig.key)","userId":"u?>~é","event":"Email Opened","properties":{"n":1.10}}"#
        let base64 = Data(json.utf8).base64EncodedString()
        let safe = base64.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        let percent = try #require(base64.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        for data in [base64, safe, safe.replacingOccurrences(of: "=", with: ""), percent] {
            try await pixel("data=\(data)")
        }
        let calls = try rig.calls
        #expect(calls.count == 4)
        for call in calls {
            #expect(call.kind == .track && call.userID == "u?>~é" && call.event == "Email Opened")
            #expect(call.json["properties"] == ["n": 1.1] && call.json["writeKey"] == nil)
            #expect(call.json["context"] == ["userAgent": "Mail/1.0", "ip": "203.0.113.9"])
        }
    }

    @Test("26 The key may stand beside the data, and the context of the data is kept")
    func keyBesideData() async throws {
        let json = #"{"anonymousId":"a","type":"page","context":{"ip":"1.1.1.1","userAgent":"X"}}"#
        try await pixel("writeKey=\(Rig.key)&data=\(Data(json.utf8).base64EncodedString())", type: "identify")
        let call = try #require(try rig.calls.first)
        #expect(call.kind == .identify && call.json["context"] == ["ip": "1.1.1.1", "userAgent": "X"])
    }

    @Test(
        "27 A pixel is an image whatever happens",
        arguments: [
            "data=%%%", "data=####", "", "userId=u", "userId=u&event=E&writeKey=nobody-has-this-key",
            "writeKey=\(Rig.key)&event=E",
            "writeKey=\(Rig.disabledKey)&userId=u&event=E", "data=eyJh", "data=W10=", "=&&=a&.=b&a..b=c",
        ])
    func garbage(query: String) async throws {
        try await pixel(query)
        #expect(try rig.calls.isEmpty)
        let counters = rig.journal.counters.values
        #expect(counters.reduce(0) { $0 + $1.requestCodes.count + $1.rejectedTotal } >= 1)
    }

    @Test("27 An unknown type of pixel")
    func unknownType() async throws {
        try await pixel("writeKey=\(Rig.key)&userId=u&event=E", type: "foo")
        #expect(try rig.calls.isEmpty && rig.counters(nil).requestCodes == [.unknownType: 1])
    }

    @Test("28 A pixel with plain parameters: dots nest, all values are text")
    func parameters() async throws {
        try await pixel(
            "userId=u&event=E+F&properties.subject=S%26T&properties.a.b=1&properties.a.c=true&context.campaign.name=n&writeKey=\(Rig.key)"
        )
        let call = try #require(try rig.calls.first)
        #expect(call.event == "E F" && call.json["properties"] == ["subject": "S&T", "a": ["b": "1", "c": "true"]])
        #expect(call.json["context"]?["campaign"] == ["name": "n"] && call.json["context"]?["userAgent"] == "Mail/1.0")
    }

    @Test("30 The settings send clients to us and nowhere else")
    func settings() async throws {
        var configuration = IngestConfiguration()
        configuration.publicHost = "cdp.example.com:8080"
        let rig = try Rig(configuration: configuration)
        let reply = try await rig.send(.get, "/v1/projects/\(Rig.key)/settings")
        #expect(reply.status == 200 && reply.headers[.contentType] == "application/json")
        #expect(
            reply.headers[.cacheControl] == "public, max-age=120" && reply.headers[.accessControlAllowOrigin] == "*")
        let json = try #require(reply.json?.object)
        #expect(json["integrations"]?.object?.keys == ["Segment.io"])
        let segment = try #require(json["integrations"]?["Segment.io"])
        #expect(segment["apiKey"]?.string == Rig.key && segment["apiHost"] == "cdp.example.com:8080/v1")
        #expect(json["metrics"]?["sampleRate"] == 0 && json["remotePlugins"] == [])
        #expect(!json.members.contains { $0.value.isNull })
        let text = String(decoding: reply.bytes, as: UTF8.self)
        #expect(text.contains(#""maxRetryCount":100,"#) && text.contains(#""sampleRate":0}"#))
    }

    @Test("30 Without a configured host, the request's own is given")
    func requestHost() async throws {
        let rig = rig
        let answer = try await rig.application.test(.live) { client in
            let request =
                "GET /v1/projects/\(Rig.key)/settings HTTP/1.1\r\nHost: my.host:99\r\nConnection: close\r\n\r\n"
            return await exchange(port: try #require(client.port), Array(request.utf8))
        }
        #expect(answer.contains(#""apiHost":"my.host:99/v1""#), "\(answer)")
    }

    @Test("31 Settings of an unknown key")
    func unknownSettings() async throws {
        let reply = try await rig.send(.get, "/v1/projects/nobody-has-this-key/settings")
        #expect(reply.status == 404 && reply.json?["code"] == "not_found")
        #expect(reply.headers[.accessControlAllowOrigin] == "*")
    }
}

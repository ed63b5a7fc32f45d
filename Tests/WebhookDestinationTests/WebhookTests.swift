import Delivery
import JSON
import Model
import Testing

@testable import WebhookDestination

@Suite("signed webhooks") struct WebhookTests {
    private static let secret: JSONValue = "a secret of 24 characters"

    private func webhook(_ changes: JSONObject = [:]) throws -> WebhookDestination {
        var settings: JSONObject = ["url": "https://example.org/in", "secret": Self.secret]
        for (name, value) in changes.members { settings[name] = value.isNull ? nil : value }
        return try WebhookDestination(settings: settings)
    }

    private func refused(_ changes: JSONObject) -> String? {
        do {
            _ = try webhook(changes)
            return nil
        } catch let error as SettingsError {
            return error.field
        } catch { return "\(error)" }
    }

    @Test("2: settings that can't work are refused, each at its field") func settings() throws {
        #expect(try webhook().settings.batchSize == 50)
        #expect(try webhook(["batch_size": "7"]).limits.objectsPerRequest == 7)
        #expect(try webhook(["url": "http://127.0.0.1:8000/x"]).settings.url == "http://127.0.0.1:8000/x")
        #expect(try webhook(["url": "http://[::1]:8000/x"]).settings.url == "http://[::1]:8000/x")
        #expect(
            try webhook(["url": "http://intranet/x", "allow_custom_host": true]).settings.url == "http://intranet/x")
        let wrong: [(JSONObject, String)] = [
            (["url": nil], "url"), (["url": "example.org"], "url"), (["url": "http://example.org"], "url"),
            (["url": "https://user:word@example.org"], "url"), (["url": "https:///x"], "url"),
            (["url": "ftp://example.org"], "url"), (["url": "https://exa mple.org"], "url"), (["url": 1], "url"),
            (["secret": nil], "secret"), (["secret": "too short"], "secret"), (["old_secret": "short"], "old_secret"),
            (["batch_size": 0], "batch_size"), (["batch_size": 501], "batch_size"), (["batch_size": "x"], "batch_size"),
        ]
        for (changes, field) in wrong { #expect(refused(changes) == field, "\(changes)") }
        #expect(!"\(try webhook().settings)".contains("24 characters"))
    }

    /// The codes were computed with Python's hmac module.
    @Test("3: the signature is the HMAC-SHA256 of time, full stop and body, once per secret") func signature() throws {
        let destination = try webhook(["old_secret": "the secret before this one"])
        let probe = try #require(destination.probe)
        #expect(String(decoding: probe.body, as: UTF8.self) == #"{"batch":[]}"#)
        let sealed = destination.seal(probe, at: Instant(milliseconds: 1_767_225_600_999))
        #expect(
            sealed.headers.first { $0.name == "Muster-Signature" }?.value == "t=1767225600"
                + ",v1=21774f45c4b2a197922d5ad8b5e7229370e21194706140a16651842a84d259b1"
                + ",v1=ba59ba222f36e3709e2f7b05c672b6e24c675942526febab4c1bd004b9b429c5")
        #expect(sealed.body == probe.body)
        #expect(!"\(sealed)".contains("24 characters"))
    }

    @Test("4: calls travel as they are, several at a time, without what is meant for mappings") func payload() throws {
        let destination = try webhook()
        let big = try JSONValue(parsing: Array("12345678901234567890".utf8))
        let calls: [JSONValue] = [
            ["type": "identify", "messageId": "m1", "userId": "u1", "traits": ["big": big]],
            ["type": "track", "messageId": "m2", "mapping": ["action": "track"], "properties": ["a": nil]],
        ]
        let objects = calls.enumerated().flatMap { index, call -> [OutgoingObject] in
            let emission = Emission(
                sequence: Int64(index), destinationID: "d", computationID: "aud_1", computationKey: "k",
                profile: ProfileOrdinal(7), kind: .track, messageID: "m", timestamp: .epoch, payload: call.utf8)
            guard case .occurrence(let person, let occurrence) = destination.map(emission) else { return [] }
            #expect(person == "profile:7")
            return occurrence.objects
        }
        #expect(
            String(decoding: destination.request(for: objects).body, as: UTF8.self)
                == #"{"batch":[{"type":"identify","messageId":"m1","userId":"u1","traits":{"big":12345678901234567890}},"#
                + #"{"type":"track","messageId":"m2","properties":{"a":null}}]}"#)
    }

    @Test("5: answers become verdicts") func verdicts() throws {
        let destination = try webhook()
        let two = [OutgoingObject(array: "batch", json: []), OutgoingObject(array: "batch", json: [])]
        func verdict(_ status: Int, _ body: String = "") -> Verdict {
            destination.interpret(DestinationResponse(status: status, body: Array(body.utf8)), to: two)
        }
        #expect(verdict(204) == .taken(rejected: [:], unplaced: []))
        #expect(
            verdict(200, #"{"errors":[{"index":1,"message":"no such user"},{"index":9,"message":"x"}]}"#)
                == .taken(rejected: [1: "no such user"], unplaced: []))
        #expect(verdict(400, "bad\nmore") == .refused(message: "400 bad"))
        #expect(verdict(413) == .tooLarge(message: "413"))
        #expect(verdict(429) == .throttled(message: "429"))
        #expect(verdict(503, #"{"message":"busy"}"#) == .unavailable(message: "503 busy"))
        for (status, words) in [(401, "signature"), (302, "redirect"), (404, "address"), (410, "address")] {
            guard case .misconfigured(let reason) = verdict(status) else {
                Issue.record("\(status) is a matter of settings")
                continue
            }
            #expect(reason.contains(words))
        }
        func probed(_ status: Int) -> ProbeVerdict {
            destination.interpretProbe(DestinationResponse(status: status))
        }
        #expect(probed(200) == .working)
        #expect(probed(500) == .unavailable(reason: "https://example.org/in answered 500"))
    }
}

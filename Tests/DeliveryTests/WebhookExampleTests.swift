import JSON
import Model
import Testing

@testable import Delivery

/// The example of docs/destinations.md, word for word.
struct Webhook: DestinationAdapter {
    static let kind = "webhook"
    let url: String

    init(settings: JSONObject) throws(SettingsError) {
        guard let url = settings["url"]?.string, url.hasPrefix("https://") else {
            throw SettingsError(
                field: "url", message: "is not an https address", remedy: "Write it like https://example.org/in")
        }
        self.url = url
    }

    var limits: DestinationLimits {
        DestinationLimits(
            objectsPerRequest: 1, bytesPerRequest: 600_000, bytesPerObject: 500_000, requestsPerSecond: 50)
    }

    var ledgerScope: String { url }

    func map(_ emission: Emission) -> Mapping {
        let call = OutgoingObject(array: "calls", json: emission.payload)
        return .occurrence(person: "profile:\(emission.profile.rawValue)", Occurrence(objects: [call]))
    }

    func request(for objects: [OutgoingObject]) -> DestinationRequest {
        DestinationRequest(url: url, headers: [], body: objects[0].json)
    }

    func interpret(_ response: DestinationResponse, to objects: [OutgoingObject]) -> Verdict {
        switch response.status {
        case 200..<300: .taken(rejected: [:], unplaced: [])
        case 401, 403, 404: .misconfigured(reason: "\(url) answered \(response.status): check the address")
        case 429: .throttled(message: "429")
        case 408, 500...: .unavailable(message: "\(response.status)")
        default: .refused(message: "\(response.status)")
        }
    }
}

@Suite("docs/destinations.md: the example") struct WebhookExampleTests {
    @Test func settings() throws {
        #expect(try Webhook(settings: ["url": "https://example.org/in"]).url == "https://example.org/in")
        let error = #expect(throws: SettingsError.self) { try Webhook(settings: ["url": "example.org"]) }
        #expect(error?.description == "url: is not an https address. Write it like https://example.org/in")
    }

    @Test func eachCallIsARequestAndEachProfileKeepsItsOrder() throws {
        let webhook = try Webhook(settings: ["url": "https://example.org/in"])
        var script = Script(limits: webhook.limits)
        for (sequence, profile) in [(1, 1), (2, 1), (3, 2)] as [(Int64, UInt32)] {
            let emission = Emission(
                sequence: sequence, destinationID: "d", computationID: "aud_1", computationKey: "k",
                profile: ProfileOrdinal(profile), kind: .track, messageID: "m\(sequence)",
                timestamp: Instant(milliseconds: sequence), payload: Array("{\"n\":\(sequence)}".utf8))
            script.queue.enqueue(
                try #require(EmissionReference(emission)), webhook.map(emission), known: [:], now: script.now)
        }
        let first = script.after(1000)
        #expect(
            first.map { String(decoding: webhook.request(for: $0.outgoing).body, as: UTF8.self) } == [
                "{\"n\":1}", "{\"n\":3}",
            ])
        for request in first {
            script.answer(
                request, webhook.interpret(DestinationResponse(status: 204), to: request.outgoing), status: 204)
        }
        let second = script.after(1000)
        #expect(second.map { $0.items.map(\.emission.sequence) } == [[2]])
        script.answer(
            second[0], webhook.interpret(DestinationResponse(status: 410), to: second[0].outgoing), status: 410)
        #expect(script.settled == [1: .delivered, 2: .parked, 3: .delivered])
    }
}

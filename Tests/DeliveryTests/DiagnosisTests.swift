import AsyncHTTPClient
import HTTPTypes
import Hummingbird
import JSON
import Logging
import Model
import NIOCore
import Testing

@testable import Delivery

/// A destination with three addresses, each a path of one server; each accepts one key.
private struct ManyPlaces: DestinationAdapter {
    static let kind = "many"
    let base: String
    let place: String
    let key: String

    init(settings: JSONObject) throws(SettingsError) {
        base = settings["base"]?.string ?? ""
        place = settings["place"]?.string ?? ""
        key = settings["key"]?.string ?? ""
    }

    var limits: DestinationLimits {
        DestinationLimits(objectsPerRequest: 1, bytesPerRequest: 10_000, bytesPerObject: 1000, requestsPerSecond: 50)
    }

    var ledgerScope: String { place }
    func map(_ emission: Emission) -> Mapping { .refused(reason: "nothing is sent here") }

    func request(for objects: [OutgoingObject]) -> DestinationRequest {
        DestinationRequest(
            url: "\(base)/\(place)", headers: [DestinationRequest.Header("authorization", key)], body: Array("{}".utf8))
    }

    func interpret(_ response: DestinationResponse, to objects: [OutgoingObject]) -> Verdict {
        .taken(rejected: [:], unplaced: [])
    }

    var probe: DestinationRequest? { request(for: []) }

    func interpretProbe(_ response: DestinationResponse) -> ProbeVerdict {
        response.status == 400 ? .working : .misconfigured(reason: "\(place) answered \(response.status)")
    }

    var alternatives: [Alternative] {
        ["US-01", "EU-01", "KR-01"].filter { $0 != place }.map { name in
            var probe = request(for: [])
            probe.url = "\(base)/\(name)"
            return Alternative(name: name, probe: probe)
        }
    }
}

@Suite("issue 5: a wrong data centre is told from a wrong key") struct DiagnosisTests {
    private static func withPlaces(_ body: @escaping @Sendable (String, HTTPSender) async throws -> Void) async throws {
        let router = Router()
        router.post(":place") { request, context -> Response in
            let place = context.parameters.get("place") ?? ""
            let key = request.headers[.authorization] ?? ""
            let status: HTTPResponse.Status =
                key == "may not write" ? .forbidden : key == "key of \(place)" ? .badRequest : .unauthorized
            return Response(status: status)
        }
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in running.yield(channel.localAddress?.port ?? 0) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let server = Task { try await application.run() }
        var port = 0
        for await bound in ports {
            port = bound
            break
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .delivery)
        let result: Result<Void, any Error>
        do {
            try await body("http://127.0.0.1:\(port)", HTTPSender(client: client, answerTimeout: .seconds(20)))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        server.cancel()
        _ = await server.result
        try result.get()
    }

    private static func explain(_ key: String, _ base: String, _ sender: HTTPSender) async throws -> String {
        let adapter = try ManyPlaces(settings: ["base": .string(base), "place": "US-01", "key": .string(key)])
        return await Diagnosis(sender: sender).explain("US-01 answered 401", adapter.alternatives, adapter)
    }

    @Test("the place that knows the key is named; where none does it is the key; other refusals ask nobody")
    func places() async throws {
        try await Self.withPlaces { base, sender in
            #expect(
                try await Self.explain("key of KR-01", base, sender)
                    == "The key belongs to KR-01: choose that data centre in the settings. (US-01 answered 401)")
            #expect(
                try await Self.explain("no key", base, sender).hasPrefix(
                    "No data centre accepts this key, so it is the key"))
            // The key is right and lacks a permission: that is no matter of the place.
            #expect(try await Self.explain("may not write", base, sender) == "US-01 answered 401")
            // Others can't be reached: nothing is claimed.
            let adapter = try ManyPlaces(settings: ["base": .string(base), "place": "US-01", "key": "no key"])
            let nowhere = adapter.alternatives.map { alternative in
                var changed = alternative
                changed.probe.url = "http://127.0.0.1:1/"
                return changed
            }
            #expect(
                await Diagnosis(sender: sender).explain("US-01 answered 401", nowhere, adapter) == "US-01 answered 401")
        }
    }
}

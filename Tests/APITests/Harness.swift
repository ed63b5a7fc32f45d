import AsyncHTTPClient
import BrazeDestination
import Console
import Delivery
import Engine
import EventLog
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Ingest
import JSON
import Logging
import Model
import NIOCore
import Store
import Synchronization
import Testing
import WebhookDestination

@testable import API

/// A clock that tests move.
final class HandClock: InstantSource {
    private let instant: Mutex<Instant>

    init(_ start: Instant) { instant = Mutex(start) }

    func now() -> Instant { instant.withLock { $0 } }
    func advance(_ span: Instant.Span) { instant.withLock { $0 = $0 + span } }
}

/// A whole installation in a directory of its own, without a socket: log, state, engine and API, as the program has them.
final class Installation: Sendable {
    let directory: URL
    let clock = HandClock(Instant(milliseconds: 1_767_225_600_000))
    let log: EventLog
    let engine: EngineService
    let journal = IngestJournal()
    let sources = SourceDirectory()
    let ingest: Ingest
    let delivery: DeliveryService
    let api: API
    private let gate: ReceiptGate
    /// One for all, never shut down: tests end with the process.
    private static let httpClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .delivery)

    /// - Parameter directory: Of an installation whose engine was stopped; a new one if `nil`.
    init(
        password: String? = nil, testClock: Bool = false, in directory: URL? = nil,
        configuration: EngineService.Configuration = .init(), isStarted: Bool = true
    ) throws {
        self.directory =
            directory
            ?? FileManager.default.temporaryDirectory.appendingPathComponent("api-\(UUID().uuidString)")
        let directory = self.directory
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        gate = ReceiptGate(clock: clock)
        log = try EventLog(path: directory.appendingPathComponent("log.sqlite").path)
        let store = try StateStore(path: directory.appendingPathComponent("state.sqlite").path)
        engine = try EngineService(
            configuration: configuration, store: store, log: log, gate: gate, logger: logger)
        ingest = Ingest(log: log, sources: sources, journal: journal, clock: clock, gate: gate)
        delivery = DeliveryService(
            store: store, clock: clock, client: Installation.httpClient,
            adapters: [BrazeDestination.self, WebhookDestination.self],
            facts: { [engine] id in
                engine.readState { $0.computation(id: id) }.map {
                    ComputationFacts(members: $0.size, createdAt: $0.definition.createdAt)
                }
            }, logger: logger)
        let (clock, engine) = (clock, engine)
        let control = TestClockControl { span in
            clock.advance(span)
            try await engine.waitUntilTime(clock.now())
        }
        api = API(
            configuration: API.Configuration(
                access: AccessPolicy(password: password), clock: clock, testClock: testClock ? control : nil,
                version: "test", destinationKinds: [.braze, .webhook]),
            engine: engine, log: log, journal: journal, delivery: delivery)
        let sources = sources
        engine.addListener { event in
            if case .definitions = event { sources.replace(with: engine.readState { Array($0.sources.values) }) }
        }
        if isStarted { engine.start() }
    }

    deinit {
        engine.stop()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Puts calls into the Log, as Ingest does, and waits until they are applied.
    func send(_ calls: Call...) async throws {
        let ticket = gate.enter()
        _ = try await log.append(
            calls.map { call in
                var call = call
                call.receivedAt = ticket.receivedAt
                return .call(call)
            })
        gate.leave(ticket)
        try await engine.waitUntilCaughtUp()
    }

    func track(
        _ event: String, user: String, _ properties: JSONObject = [:], at instant: Instant? = nil, id: String? = nil
    ) -> Call {
        let body: JSONValue = [
            "type": "track", "event": .string(event), "userId": .string(user), "properties": .object(properties),
            "context": ["page": ["url": "https://shop.example/"]],
        ]
        return Call(
            kind: .track, sourceID: "src_web", messageID: id ?? UUID().uuidString, userID: user, event: event,
            timestamp: instant ?? clock.now(), receivedAt: clock.now(), body: body.utf8)
    }

    func identify(_ user: String, _ traits: JSONObject, anonymousID: String? = nil) -> Call {
        var body: JSONObject = ["type": "identify", "userId": .string(user), "traits": .object(traits)]
        if let anonymousID { body["anonymousId"] = .string(anonymousID) }
        return Call(
            kind: .identify, sourceID: "src_web", messageID: UUID().uuidString, userID: user, anonymousID: anonymousID,
            timestamp: clock.now(), receivedAt: clock.now(), body: JSONValue.object(body).utf8)
    }

    func group(_ user: String, _ account: String, _ traits: JSONObject = [:]) -> Call {
        let body: JSONValue = [
            "type": "group", "userId": .string(user), "groupId": .string(account), "traits": .object(traits),
        ]
        return Call(
            kind: .group, sourceID: "src_web", messageID: UUID().uuidString, userID: user, groupID: account,
            timestamp: clock.now(), receivedAt: clock.now(), body: body.utf8)
    }

    /// Runs a test against the router.
    func test(_ body: @Sendable @escaping (Client) async throws -> Void) async throws {
        let router = Router()
        router.add(middleware: UnknownPathMiddleware())
        ingest.addRoutes(to: router)
        let pages = router.group().add(middleware: AccessMiddleware(policy: api.configuration.access))
        Console.addRoutes(to: pages)
        api.addRoutes(to: router)
        try await Application(router: router).test(.router) { client in
            try await body(Client(client: client))
        }
    }
}

/// Asks the API in JSON.
struct Client: Sendable {
    let client: any TestClientProtocol
    var headers: HTTPFields = [:]

    struct Answer {
        let status: Int
        let headers: HTTPFields
        let text: String

        var json: JSONValue { (try? JSONValue(parsing: text)) ?? .null }
        /// The member `data`.
        var data: JSONValue { json["data"] ?? .null }
        /// The first of the errors.
        var error: JSONValue { json["errors"]?[0] ?? .null }
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, headers extra: HTTPFields = [:]
    ) async throws -> Answer {
        var fields = headers
        if body != nil { fields[.contentType] = "application/json" }
        for field in extra { fields[field.name] = field.value }
        return try await client.execute(
            uri: path, method: method, headers: fields, body: body.map { ByteBuffer(string: $0) }
        ) { response in
            Answer(
                status: response.status.code, headers: response.headers, text: String(buffer: response.body))
        }
    }

    func get(_ path: String, headers: HTTPFields = [:]) async throws -> Answer {
        try await send(.get, path, headers: headers)
    }

    func post(_ path: String, _ body: JSONValue = [:]) async throws -> Answer {
        try await send(.post, path, body.description)
    }

    func put(_ path: String, _ body: JSONValue) async throws -> Answer {
        try await send(.put, path, body.description)
    }

    func patch(_ path: String, _ body: JSONValue) async throws -> Answer {
        try await send(.patch, path, body.description)
    }

    func delete(_ path: String) async throws -> Answer { try await send(.delete, path, "{}") }

    /// Creates an audience and gives its id.
    func audience(_ name: String, _ query: String, options: JSONObject = [:]) async throws -> String {
        let answer = try await post(
            "/spaces/spa_muster/audiences",
            ["name": .string(name), "definition": ["query": .string(query)], "options": .object(options)])
        return try #require(answer.data["audience"]?["id"]?.string, "\(answer.text)")
    }

    func destination() async throws -> String {
        let answer = try await post(
            "/destinations",
            [
                "kind": "braze", "name": "Braze",
                "settings": ["endpoint": "http://127.0.0.1:1", "api_key": "12345678-key-9f3c"],
            ])
        return try #require(answer.data["destination"]?["id"]?.string, "\(answer.text)")
    }

    /// Asks until the audience has left its backfill.
    func settled(_ id: String) async throws -> JSONValue {
        for _ in 0..<500 {
            let answer = try await get("/spaces/spa_muster/audiences/\(id)")
            if let audience = answer.data["audience"], audience["status"] == "Live" { return audience }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw SettlingError()
    }
}

struct SettlingError: Error {}

extension EngineService {
    /// Waits until the engine's time has reached an instant.
    func waitUntilTime(_ instant: Instant) async throws {
        while read({ $0.now }) < instant { try await Task.sleep(for: .milliseconds(2)) }
    }
}

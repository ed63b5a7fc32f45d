import AsyncHTTPClient
import Delivery
import HTTPTypes
import Hummingbird
import JSON
import Logging
import Model
import NIOCore
import ServiceLifecycle
import Store
import Synchronization
import Testing

@testable import BrazeDestination

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Answers like Braze, or as the script says.
final class ScriptedBraze: Sendable {
    struct Answer: Sendable {
        var status = 201
        var headers: [(String, String)] = []
        var body: JSONValue = ["message": "success"]
        /// Closes the connection instead of answering.
        var isLost = false
        /// Waits before it answers.
        var delay = Duration.zero

        static let success = Answer()
        static func status(_ status: Int, _ message: String = "", headers: [(String, String)] = []) -> Answer {
            Answer(status: status, headers: headers, body: ["message": .string(message)])
        }
    }

    struct Call: Sendable {
        var body: JSONValue
        var authorization: String
        var at: ContinuousClock.Instant

        var attributes: [JSONValue] { body["attributes"]?.array ?? [] }
        var events: [JSONValue] { body["events"]?.array ?? [] }
        var isProbe: Bool { body == ["attributes": []] }
    }

    private struct State {
        var answers: [Answer] = []
        var afterwards = Answer.success
        var calls: [Call] = []
    }

    private let state = Mutex(State())

    /// All calls but probes, in the order of arrival.
    var calls: [Call] { state.withLock { $0.calls.filter { !$0.isProbe } } }
    var probeCount: Int { state.withLock { $0.calls.count { $0.isProbe } } }

    /// The next answers to calls, and what comes after them.
    func script(_ answers: [Answer], then afterwards: Answer = .success) {
        state.withLock { state in
            state.answers = answers
            state.afterwards = afterwards
        }
    }

    fileprivate func receive(_ call: Call, key: String) -> Answer {
        state.withLock { state in
            state.calls.append(call)
            guard call.authorization == "Bearer \(key)" else { return .status(401, "Invalid API Key") }
            if call.isProbe { return .status(400, "No data parsed") }
            return state.answers.isEmpty ? state.afterwards : state.answers.removeFirst()
        }
    }
}

private struct DeskContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// A store in a directory of its own, a scripted Braze on a real port, and delivery between them.
final class Desk: Sendable {
    static let key = "right-key"

    let store: StateStore
    let braze = ScriptedBraze()
    let client: HTTPClient
    let port: Int
    private let directory: String
    private let count = Mutex(0)

    /// Delivery at work.
    struct Running {
        let service: DeliveryService
        let group: ServiceGroup
        let task: Task<Void, any Error>

        /// As on SIGTERM.
        func stop() async throws {
            await group.triggerGracefulShutdown()
            try await task.value
        }
    }

    private init(port: Int, client: HTTPClient) throws {
        var template = Array("/tmp/muster-delivery-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template).map({ String(cString: $0) }) else {
            preconditionFailure("no temporary directory")
        }
        directory = path
        self.port = port
        self.client = client
        store = try StateStore(path: path + "/state.sqlite")
    }

    static func with(_ body: @escaping @Sendable (Desk) async throws -> Void) async throws {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .delivery)
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let receiver = Mutex<ScriptedBraze?>(nil)
        let router = Router(context: DeskContext.self)
        router.post("users/track") { request, context -> Response in
            let buffer = try await request.body.collect(upTo: 8_000_000)
            let call = ScriptedBraze.Call(
                body: try JSONValue(parsing: buffer.readableBytesView),
                authorization: request.headers[.authorization] ?? "", at: .now)
            guard let braze = receiver.withLock({ $0 }) else { throw HTTPError(.notFound) }
            let answer = braze.receive(call, key: Desk.key)
            try await Task.sleep(for: answer.delay)
            if answer.isLost { try await context.channel.close() }
            var fields: HTTPFields = [.contentType: "application/json"]
            for (name, value) in answer.headers {
                guard let name = HTTPField.Name(name) else { continue }
                fields[name] = value
            }
            return Response(
                status: HTTPResponse.Status(code: answer.status), headers: fields,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body.utf8)))
        }
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in running.yield(channel.localAddress?.port ?? 0) }, logger: .quiet)
        let server = Task { try await application.run() }
        var port = 0
        for await bound in ports {
            port = bound
            break
        }
        let desk = try Desk(port: port, client: client)
        receiver.withLock { $0 = desk.braze }
        let result: Result<Void, any Error>
        do { result = .success(try await body(desk)) } catch { result = .failure(error) }
        server.cancel()
        _ = await server.result
        try await client.shutdown()
        try desk.store.close()
        for suffix in ["", "-wal", "-shm"] { unlink("\(desk.directory)/state.sqlite\(suffix)") }
        rmdir(desk.directory)
        try result.get()
    }

    func destination(
        _ id: String = "dst", endpoint: String? = nil, key: String = Desk.key, enabled: Bool = true
    ) -> Destination {
        Destination(
            id: id, kind: "braze", name: id,
            settings: [
                "endpoint": .string(endpoint ?? "http://127.0.0.1:\(port)"), "api_key": .string(key),
            ], enabled: enabled, createdAt: .epoch)
    }

    static func configuration(_ change: (inout DeliveryConfiguration) -> Void = { _ in }) -> DeliveryConfiguration {
        var configuration = DeliveryConfiguration()
        configuration.idleWait = Instant.Span(milliseconds: 10)
        configuration.maximumWait = Instant.Span(milliseconds: 50)
        configuration.firstBackoff = Instant.Span(milliseconds: 20)
        configuration.longestBackoff = Instant.Span(milliseconds: 100)
        configuration.probeInterval = Instant.Span(milliseconds: 50)
        configuration.answerTimeout = .seconds(300)
        change(&configuration)
        return configuration
    }

    func start(_ destinations: [Destination], _ configuration: DeliveryConfiguration = configuration()) throws
        -> Running
    {
        var changes = StateChanges()
        changes.destinations = destinations
        try store.commit(changes)
        let service = DeliveryService(
            store: store, clock: WallClock(), client: client, adapters: [BrazeDestination.self, BrazeCohorts.self],
            configuration: configuration, seed: 1, logger: .quiet)
        service.destinationsChanged(destinations)
        let group = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: .quiet))
        return Running(service: service, group: group, task: Task { try await group.run() })
    }

    // MARK: Emissions

    /// Puts emissions into the outbox as the engine does.
    func emit(_ emissions: [Emission], to running: Running? = nil) throws {
        var changes = StateChanges()
        changes.emissions = emissions
        try store.commit(changes)
        running?.service.notifyOutbox()
    }

    func identify(
        _ person: String, _ traits: JSONObject, destination: String = "dst", at: Instant? = nil
    ) -> Emission {
        emission(.identify, destination, at, ["userId": .string(person), "traits": .object(traits)])
    }

    func track(
        _ person: String, _ event: String, _ properties: JSONObject = [:], destination: String = "dst",
        at: Instant? = nil
    ) -> Emission {
        emission(
            .track, destination, at,
            [
                "userId": .string(person), "event": .string(event), "receivedAt": "2026-02-03T04:05:07Z",
                "properties": .object(properties),
            ])
    }

    private func emission(_ kind: Emission.Kind, _ destination: String, _ at: Instant?, _ call: JSONValue) -> Emission {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return Emission(
            destinationID: destination, computationID: "aud_1", computationKey: "k", profile: ProfileOrdinal(1),
            kind: kind, messageID: "personas_\(number)", timestamp: at ?? Instant(milliseconds: Int64(number)),
            payload: call.utf8)
    }

    var waiting: Int { get throws { try store.counts(destinationID: "dst").waiting } }
}

/// Runs like a clock on the wall, from an instant near the times of the events here.
struct WallClock: InstantSource {
    private static let start = ContinuousClock.now

    func now() -> Instant {
        let elapsed = (ContinuousClock.now - Self.start) / .milliseconds(1)
        return Instant(milliseconds: 1_770_091_508_000 + Int64(elapsed))
    }
}

extension Logger {
    static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

/// Waits for what other threads bring about. The limit ends a test that hangs and says nothing of speed: all tests share the cores.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(600), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

import API
import AsyncHTTPClient
import BrazeDestination
import Console
import Delivery
import Engine
import EventLog
import Foundation
import Hummingbird
import Ingest
import Logging
import Model
import NIOCore
import ServiceLifecycle
import Store
import WebhookDestination

/// How a Muster server is run.
struct ServerOptions: Sendable {
    var host = "127.0.0.1"
    /// 0 lets the system choose.
    var port = 7700
    /// One directory is one installation.
    var dataDirectory = "data"
    /// Asked for on everything but the tracking API. Needed for any address but loopback.
    var adminPassword: String?
    /// Lets tests move time over HTTP.
    var allowsTestClock = false
    /// Whether nothing is served before the history is complete, however long that takes.
    var waitsForHistory = false
    /// Whether SIGTERM and SIGINT end the server.
    var handlesSignals = true
}

/// Why a server can't start.
struct ServerError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// One installation, opened: the two databases, the engine, delivery and the HTTP server over them.
struct Server {
    let options: ServerOptions
    let directoryLock: DirectoryLock
    let clock: any InstantSource
    let testClock: TestClock?
    let log: EventLog
    let store: StateStore
    let engine: EngineService
    let delivery: DeliveryService
    let sources = SourceDirectory()
    let journal = IngestJournal()
    let ingest: Ingest
    let api: API
    let access: AccessPolicy
    let gate: ReceiptGate
    let client: HTTPClient
    let logger: Logger
    let erasure: ErasureRun
    let retention: RetentionRun

    /// Opens the data directory, creating it if needed, and rebuilds the history.
    init(options: ServerOptions, logger: Logger) throws {
        try Self.checkAddress(options)
        self.options = options
        self.logger = logger
        testClock = options.allowsTestClock ? TestClock() : nil
        clock = testClock ?? WallClock()
        gate = ReceiptGate(clock: clock)
        let directory = URL(fileURLWithPath: options.dataDirectory, isDirectory: true)
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        directoryLock = try DirectoryLock(directory)
        log = try EventLog(path: directory.appendingPathComponent("log.sqlite").path)
        store = try StateStore(path: directory.appendingPathComponent("state.sqlite").path)
        let progress = ProgressLine(what: "history", unit: "records")
        var configuration = EngineService.Configuration()
        if options.waitsForHistory { configuration.recordsReadAtOpening = .max }
        let environment = ProcessInfo.processInfo.environment
        if environment["MUSTER_HISTORY"] != "memory" {
            configuration.engine.historyDirectory = directory.appendingPathComponent("history").path
        }
        if let rows = environment["MUSTER_HISTORY_FLUSH_ROWS"].flatMap({ Int($0) }), rows > 0 {
            configuration.engine.historyFlushRows = rows
        }
        engine = try EngineService(configuration: configuration, store: store, log: log, gate: gate, logger: logger) {
            progress.show(done: $0, total: $1)
        }
        progress.end()
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .delivery)
        delivery = DeliveryService(
            store: store, clock: clock, client: client,
            adapters: [BrazeDestination.self, BrazeCohorts.self, WebhookDestination.self],
            facts: { [engine] id in
                engine.readState { $0.computation(id: id) }.map {
                    ComputationFacts(members: $0.size, createdAt: $0.definition.createdAt)
                }
            },
            logger: logger)
        let engine = engine
        let keeper = RetentionKeeper(engine: engine, log: log, clock: clock, logger: logger)
        access = AccessPolicy(password: options.adminPassword)
        ingest = Ingest(log: log, sources: sources, journal: journal, clock: clock, gate: gate)
        api = API(
            configuration: .init(
                access: access, clock: clock,
                testClock: testClock.map { testClock in
                    TestClockControl { span in
                        testClock.advance(milliseconds: span.milliseconds)
                        await keeper.expireIfDue()
                        try await engine.waitUntilCaughtUp(with: testClock.now())
                    }
                },
                version: Version.current, destinationKinds: [.braze, .brazeCohorts, .webhook]),
            engine: engine, log: log, journal: journal, delivery: delivery)
        erasure = ErasureRun(eraser: LogEraser(engine: engine, log: log, logger: logger))
        retention = RetentionRun(keeper: keeper)
        connect()
    }

    /// The engine tells delivery of new emissions and everybody of new definitions.
    private func connect() {
        let (engine, delivery, sources, journal) = (engine, delivery, sources, journal)
        let (erasure, retention) = (erasure, retention)
        let publish: @Sendable () -> Void = {
            let (current, destinations, suppressed) = engine.readState { engine in
                (
                    Array(engine.sources.values), engine.destinations.values.sorted { $0.id < $1.id },
                    engine.suppressedUserIDs
                )
            }
            sources.replace(with: current)
            sources.replaceSuppressed(with: suppressed)
            delivery.destinationsChanged(destinations)
        }
        engine.addListener { event in
            switch event {
            case .emissions: delivery.notifyOutbox()
            case .definitions:
                publish()
                retention.woken.yield()
            case .deleted(let people):
                delivery.profilesDeleted(people.profiles)
                journal.forget(userIDs: Set(people.userIDs))
                erasure.ordered.yield()
            case .failed: break
            }
        }
        publish()
    }

    /// Loopback is for the person at the machine; anything else needs a password.
    private static func checkAddress(_ options: ServerOptions) throws {
        let loopback = options.host == "localhost" || options.host == "::1" || options.host.hasPrefix("127.")
        guard loopback || options.adminPassword?.isEmpty == false else {
            throw ServerError(
                "refusing to listen on \(options.host) without an admin password, because the console and the API would "
                    + "be open to everyone who can reach it: set MUSTER_ADMIN_PASSWORD, or listen on 127.0.0.1")
        }
    }
}

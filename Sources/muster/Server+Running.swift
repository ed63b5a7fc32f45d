import API
import AsyncHTTPClient
import BrazeDestination
import Console
import Delivery
import Engine
import EventLog
import Hummingbird
import Ingest
import Logging
import Model
import NIOCore
import ServiceLifecycle
import Store
import UnixSignals

extension Server {
    /// Serves until the process is told to end (or the task is cancelled), then stops in order: no new requests, the
    /// requests to destinations that are under way, the engine's batch. `onRunning` hears the port.
    func run(onRunning: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let application = application(onRunning: onRunning)
        let engineService = EngineRun(engine: engine)
        let activity = ActivityRun(api: api)
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(service: engineService, failureTerminationBehavior: .gracefullyShutdownGroup),
                .init(service: delivery, failureTerminationBehavior: .gracefullyShutdownGroup),
                .init(service: activity),
                .init(service: erasure),
                .init(service: retention),
                .init(service: MemoryRun()),
                .init(service: application),
            ],
            gracefulShutdownSignals: options.handlesSignals ? [.sigterm, .sigint] : [],
            logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(20)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch {
            try await close()
            throw error
        }
        try await close()
    }

    private func close() async throws {
        try await client.shutdown()
        try log.close()
        do {
            try engine.store.close()
        } catch {
            // Nothing is lost by it: what its write-ahead log holds is read at the next start.
            logger.warning("the state file could not be closed", metadata: ["error": "\(error)"])
        }
        if let failure = engine.failure { throw ServerError("the engine stopped: \(failure)") }
    }

    /// One port for everything: tracking API, people's API, console.
    private func application(onRunning: @escaping @Sendable (Int) async -> Void) -> some ApplicationProtocol {
        let router = Router(context: ServerContext.self)
        router.add(middleware: UnknownPathMiddleware())
        ingest.addRoutes(to: router)
        api.addRoutes(to: router)
        Console.addRoutes(to: router.group().add(middleware: AccessMiddleware(policy: access)))
        router.get("/health") { [engine] _, _ in
            if let failure = engine.failure {
                return Response(
                    status: .serviceUnavailable, headers: [.contentType: "text/plain; charset=utf-8"],
                    body: .init(byteBuffer: .init(string: "the engine stopped: \(failure)\n")))
            }
            return Response(
                status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
                body: .init(byteBuffer: .init(string: "ok\n")))
        }
        return Application(
            router: router, server: .lean,
            configuration: .init(
                address: .hostname(options.host, port: options.port), serverName: "muster", backlog: 1024),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? options.port
                logger.notice("listening", metadata: ["address": "http://\(options.host):\(port)"])
                await onRunning(port)
            },
            logger: quiet)
    }

    /// The framework's own lines at `info` are of no use to people who run this.
    private var quiet: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}

/// Knows the client's address, for `context.ip` of browsers' calls.
struct ServerContext: RequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}

/// The engine's thread as a service.
private struct EngineRun: Service {
    let engine: EngineService

    func run() async throws {
        let (stopped, stop) = AsyncStream.makeStream(of: Void.self)
        engine.addListener { event in
            if case .failed = event { stop.finish() }
        }
        engine.start()
        await withGracefulShutdownHandler {
            for await _ in stopped {}
        } onGracefulShutdown: {
            stop.finish()
        }
        engine.stop()
        if let failure = engine.failure { throw ServerError("the engine stopped: \(failure)") }
    }
}

/// Rewrites the Log after deletions: at the start what was left open, then whenever something is ordered.
struct ErasureRun: Service {
    let eraser: LogEraser
    let ordered: AsyncStream<Void>.Continuation
    private let orders: AsyncStream<Void>

    init(eraser: LogEraser) {
        self.eraser = eraser
        (orders, ordered) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        ordered.yield()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in orders { await eraser.eraseOpen() }
        }
    }
}

/// Lets go of events that are too old: looks every minute whether it is time, and after every command.
struct RetentionRun: Service {
    let keeper: RetentionKeeper
    let woken: AsyncStream<Void>.Continuation
    private let wakings: AsyncStream<Void>

    init(keeper: RetentionKeeper) {
        self.keeper = keeper
        (wakings, woken) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        woken.yield()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        woken.yield()
                        try? await Task.sleep(for: .seconds(60))
                    }
                }
                for await _ in wakings {
                    await keeper.expireIfDue()
                    await keeper.eraseExpired()
                }
                group.cancelAll()
            }
        }
    }
}

/// Gives memory that a busy hour left behind back to the system, as long as there is enough of it to be worth a look.
private struct MemoryRun: Service {
    private static let worthwhileBytes = 128 << 20

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(30))
                if Usage().anonymousBytes > Self.worthwhileBytes { Memory.giveBack() }
            }
        }
    }
}

private struct ActivityRun: Service {
    let api: API

    func run() async throws { await cancelWhenGracefulShutdown { await api.recordActivity() } }
}

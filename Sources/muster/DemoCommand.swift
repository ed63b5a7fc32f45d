import ArgumentParser
import BrazeSandbox
import DemoShop
import Foundation
import Hummingbird
import Logging
import ServiceLifecycle
import UnixSignals

/// `muster demo`: Muster, a Braze sandbox, and a shop with half a year of customers, in one process and one directory.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run Muster and a Braze sandbox with a demo shop in them.",
        discussion: """
            The first start loads the shop through the tracking API, creates audiences and computed traits, and connects \
            them to the sandbox. A later start goes on with what is there. Ctrl-C ends it.
            """)

    @Option(help: "Address to listen on. Any address but loopback needs MUSTER_ADMIN_PASSWORD.")
    var host = "127.0.0.1"

    @Option(help: "Port of Muster: tracking API, API and console.")
    var port = 7700

    @Option(help: "Port of the Braze sandbox, always on the loopback address.")
    var sandboxPort = 7701

    @Option(name: .customLong("data"), help: "Directory of the demo.")
    var dataDirectory = "demo-data"

    @Option(help: "Customers of the shop, for another size than usual.")
    var customers = ShopPlan.usualCustomers

    @Option(help: "Seed of the shop; another one loads another shop beside the first.")
    var seed: UInt64 = ShopPlan.usualSeed

    @Option(help: "Live events a second after loading.")
    var liveRate = 3

    @Flag(help: "End when everything is loaded and delivered, and print figures as JSON.")
    var exitWhenReady = false

    func validate() throws {
        guard (100...10_000_000).contains(customers) else {
            throw ValidationError("--customers takes a number from 100 to 10000000")
        }
        guard (0...1000).contains(liveRate) else { throw ValidationError("--live-rate takes a number from 0 to 1000") }
    }

    func run() async throws {
        var logger = Logger(label: "muster") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning

        var options = ServerOptions()
        options.waitsForHistory = true
        options.host = host
        options.port = port
        options.dataDirectory = dataDirectory + "/muster"
        options.handlesSignals = false
        let password = ProcessInfo.processInfo.environment["MUSTER_ADMIN_PASSWORD"]
        options.adminPassword = password?.isEmpty == false ? password : nil
        let server = try Server(options: options, logger: logger)

        var configuration = SandboxConfiguration()
        configuration.port = sandboxPort
        configuration.dataDirectory = dataDirectory + "/sandbox"
        let sandbox = try BrazeSandboxServer(configuration)
        let usualSandboxPort = sandboxPort

        let (musterPorts, musterStarted) = AsyncStream.makeStream(of: Int.self)
        let (sandboxPorts, sandboxStarted) = AsyncStream.makeStream(of: Int.self)
        let demo = DemoRun(
            host: host, password: options.adminPassword, directory: dataDirectory, seed: seed, customers: customers,
            liveRate: liveRate, exitsWhenReady: exitWhenReady, musterPorts: musterPorts, sandboxPorts: sandboxPorts)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: sandbox.application(logger: logger) { port in
                            sandboxStarted.yield(port ?? usualSandboxPort)
                        }),
                    .init(service: ServerRun(server: server) { musterStarted.yield($0) }),
                    .init(service: demo, successTerminationBehavior: .gracefullyShutdownGroup),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}

/// The server as a service of the demo's group.
private struct ServerRun: Service {
    let server: Server
    let onRunning: @Sendable (Int) async -> Void

    func run() async throws { try await server.run(onRunning: onRunning) }
}

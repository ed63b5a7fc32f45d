import ArgumentParser
import BrazeSandbox
import Logging

struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Run a local Braze: REST API, profiles, segments, targeting. Needs nothing else.")

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Port to listen on; 0 lets the system choose.")
    var port = 7701

    @Option(name: .customLong("data"), help: "Directory that keeps profiles and segments; without it nothing is kept.")
    var dataDirectory: String?

    func run() async throws {
        var configuration = SandboxConfiguration()
        configuration.host = host
        configuration.port = port
        configuration.dataDirectory = dataDirectory
        var logger = Logger(label: "sandbox") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        let server = try BrazeSandboxServer(configuration)
        try await server.run(logger: logger)
    }
}

import ArgumentParser
import Foundation
import Logging

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the server: tracking API, engine, delivery, API and console.")

    @OptionGroup var options: ServeArguments

    func run() async throws {
        Memory.configure()
        let logger = options.logger
        let server = try Server(options: try options.server(), logger: logger)
        try await server.run()
    }
}

/// What `serve` can be told; `demo` takes the same.
struct ServeArguments: ParsableArguments {
    @Option(help: "Address to listen on. Any address but loopback needs MUSTER_ADMIN_PASSWORD.")
    var host = "127.0.0.1"

    @Option(help: "Port to listen on; 0 lets the system choose.")
    var port = 7700

    @Option(name: .customLong("data"), help: "Data directory. One directory is one installation.")
    var dataDirectory = "data"

    @Flag(help: "Lets POST /test/clock move the server's time forward. For tests only.")
    var testClock = false

    @Option(help: "Least severe log level: trace, debug, info, notice, warning, error, critical.")
    var logLevel: String = "notice"

    var logger: Logger {
        var logger = Logger(label: "muster") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .notice
        return logger
    }

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level takes trace, debug, info, notice, warning, error or critical")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("--port takes a number from 0 to 65535") }
    }

    /// The password is read from the environment only: arguments can be seen in the process list.
    func server() throws -> ServerOptions {
        var options = ServerOptions()
        options.host = host
        options.port = port
        options.dataDirectory = dataDirectory
        options.allowsTestClock = testClock
        let password = ProcessInfo.processInfo.environment["MUSTER_ADMIN_PASSWORD"]
        options.adminPassword = password?.isEmpty == false ? password : nil
        return options
    }
}

import ArgumentParser
import Foundation

extension BenchCommand {
    /// The whole way of an event: over HTTP onto the disk, through the engine, until it can be seen.
    struct PathCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "path",
            abstract: "Measure the way of an event from HTTP until its effect can be seen.",
            discussion: """
                Starts a server as a process of its own with live computations, and sends it batches of 100 calls of \
                1 KB: as fast as it takes them, then at a rate at which it is measured how soon a person is seen in an \
                audience, then far more than it can hold. Everything that was acknowledged must have been counted once \
                before a figure is printed.
                """)

        @Option(help: "Which part: throughput, latency, overload, limits or all.")
        var part = Part.all

        @Option(help: "Live computations, half a dozen kinds over ten events.")
        var computations = 50

        @Option(help: "People who send events.")
        var people = 100_000

        @Option(help: "Seconds of each part.")
        var seconds = 15.0

        @Option(help: "Connections that send as fast as they can.")
        var connections = 4

        @Option(help: "Calls per second while it is measured how soon a change is seen.")
        var rate = 5_000

        @Option(help: "Connections that overload the server, each with a batch under way.")
        var crowd = 1_200

        @Option(help: "Where the server keeps its files meanwhile.")
        var directory = "bench-path"

        enum Part: String, ExpressibleByArgument {
            case all
            case throughput
            case latency
            case overload
            /// What each stage could do alone, and how close to that the whole is.
            case limits
        }

        func validate() throws {
            guard computations >= 10, people > 0, seconds > 0, connections > 0, rate >= 100, crowd >= 8 else {
                throw ValidationError(
                    "--computations must be at least 10, --rate 100, --crowd 8, the others more than 0")
            }
        }

        func run() async throws {
            let place = URL(filePath: directory)
            try? FileManager.default.removeItem(at: place)
            defer { try? FileManager.default.removeItem(at: place) }
            let server = try ChildProcess(.server(directory: place.path))
            defer { server.stop() }
            try await server.waitUntilAnswering("/status")
            var bench = PathBench(server: server, people: people, seconds: seconds)
            try await bench.prepare(computations: computations)
            if [.all, .throughput].contains(part) { try await bench.throughput(connections: connections) }
            if [.all, .latency].contains(part) { try await bench.latency(rate: rate) }
            if [.all, .overload].contains(part) { try await bench.overload(connections: crowd) }
            if part == .limits {
                let whole = try await bench.throughput(connections: connections)
                server.stop()
                try await PathLimits(whole: whole, directory: place, people: people, connections: connections)
                    .measure(seconds: min(seconds, 5))
            }
        }
    }
}

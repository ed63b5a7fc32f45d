import ArgumentParser
import EngineBench
import Foundation

extension BenchCommand {
    struct EvaluateCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "evaluate",
            abstract: "Measure the evaluator, and how punctual wake-ups are.",
            discussion: """
                Prints what an event costs on profiles with 10 to 100,000 past events, how many evaluations a core does \
                with 500 live computations, and how late people leave a window when a million wake-ups are armed.
                """)

        @Option(help: "Which part: curve, throughput, ingest, wakeups or all.")
        var part = "all"

        @Option(help: "Events for the throughput.")
        var events = 100_000

        @Option(help: "People for the throughput.")
        var profiles = 5_000

        @Option(help: "People with an armed wake-up.")
        var people = 1_000_000

        @Option(help: "Seconds to take them in.")
        var lead = 120

        @Option(help: "Seconds over which the wake-ups are spread.")
        var spread = 60

        @Option(help: "Calls per second that keep coming meanwhile.")
        var calls = 2_000

        @Option(help: "Where the history stands: memory or disk.")
        var history = EngineBench.Place.disk.rawValue

        @Option(help: "Rows of the history that are written together in the throughput.")
        var flushRows = 100_000

        @Option(help: "Where files may be made; they are removed afterwards.")
        var directory = FileManager.default.temporaryDirectory.path

        func validate() throws {
            guard ["all", "curve", "throughput", "ingest", "wakeups"].contains(part) else {
                throw ValidationError("--part is curve, throughput, ingest, wakeups or all")
            }
            guard EngineBench.Place(rawValue: history) != nil, flushRows > 0 else {
                throw ValidationError("--history is memory or disk, --flush-rows at least 1")
            }
            guard events >= 5_000, profiles > 0, people > 1, lead > 0, spread > 0, calls >= 50 else {
                throw ValidationError("--events must be at least 5000, --calls 50, --people 2, the others 1")
            }
        }

        func run() async throws {
            let bench = EngineBench(directory: URL(filePath: directory))
            let place = EngineBench.Place(rawValue: history) ?? .disk
            if part == "all" || part == "curve" { try await bench.costCurve(place) { print($0) } }
            if part == "ingest" { try bench.ingestion(events: events, profiles: profiles) { print($0) } }
            if part == "all" || part == "throughput" {
                try await bench.throughput(place, events: events, profiles: profiles, flushRows: flushRows) {
                    print($0)
                }
            }
            if part == "all" || part == "wakeups" {
                var options = EngineBench.PunctualityOptions()
                options.people = people
                options.leadSeconds = lead
                options.spreadSeconds = spread
                options.callsPerSecond = calls
                try await bench.punctuality(options) { print($0) }
            }
        }
    }
}

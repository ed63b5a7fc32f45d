import ArgumentParser
import Foundation
import HistoryBench

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure Muster on this machine.",
        subcommands: [
            HistoryCommand.self, PathCommand.self, PlainCommand.self, DeliveryCommand.self, EvaluateCommand.self,
        ])

    struct HistoryCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "history",
            abstract: "Measure scans over invented events.",
            discussion: """
                Leaves the events and the answers in a directory, where Benchmarks/rivals.py asks DuckDB and chDB the \
                same, compares the answers and prints how many times faster or slower each is.
                """)

        @Option(help: "How many events.")
        var events = 1_000_000

        @Option(help: "How many profiles.")
        var profiles: UInt32 = 50_000

        @Option(help: "The same seed makes the same events.")
        var seed: UInt64 = 1

        @Option(help: "How often each is measured, after one time to warm up.")
        var rounds = 5

        @Option(help: "How many threads may scan.")
        var threads = 2

        @Option(help: "Where to leave the events and answers.")
        var directory = "bench-history"

        @Flag(help: "Ask the files that an earlier run left in the directory, and compare nothing.")
        var reuse = false

        @Option(help: "Ask only questions whose name has this in it; 'retention' lets go of old events instead.")
        var question = ""

        func validate() throws {
            guard events > 0, profiles > 0, rounds > 0, threads > 0 else {
                throw ValidationError("--events, --profiles, --rounds and --threads must be at least 1")
            }
        }

        func run() async throws {
            try await HistoryBench(
                events: events, profiles: profiles, seed: seed, directory: URL(filePath: directory), rounds: rounds,
                threads: threads, reusesFiles: reuse, question: question
            ).run { print($0) }
        }
    }
}

import ArgumentParser
import AsyncHTTPClient
import BrazeDestination
import Delivery
import Foundation
import JSON
import Logging
import Model
import NIOCore
import Store

extension BenchCommand {
    /// An audience of many people to the sandbox: how long it takes, what paces it, and whether memory stays flat.
    struct DeliveryCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delivery",
            abstract: "Measure the first sync of a large audience to the Braze sandbox.",
            discussion: """
                Fills an outbox, starts a sandbox as a process of its own, and empties the outbox into it. The sandbox \
                takes its share of the machine; the sender's own is told apart.
                """)

        @Option(help: "How many people the audience has.")
        var people = 1_000_000

        @Option(help: "Requests per second that the destination allows.")
        var rate = 1000

        @Flag(help: "Send an event for each person besides the attribute.")
        var events = false

        @Option(help: "Where to keep the outbox meanwhile.")
        var directory = "bench-delivery"

        func validate() throws {
            guard people > 0, (1...1000).contains(rate) else {
                throw ValidationError("--people must be at least 1 and --rate from 1 to 1000")
            }
        }

        func run() async throws {
            let place = URL(filePath: directory)
            try? FileManager.default.removeItem(at: place)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: place) }
            let store = try StateStore(path: place.appending(path: "state.sqlite").path)
            let sandbox = try ChildProcess(.sandbox)
            defer { sandbox.stop() }
            let destination = Destination(
                id: "dst", kind: BrazeDestination.kind, name: "Sandbox",
                settings: [
                    "endpoint": .string(sandbox.address), "api_key": "sandbox-rest-api-key",
                    "requests_per_second": .number(rate),
                ], createdAt: WallClock().now())
            try fill(store, destination)
            try await sandbox.waitUntilAnswering("/sandbox/api/state")
            try await measure(store, destination, sandbox)
            try store.close()
        }

        private func fill(_ store: StateStore, _ destination: Destination) throws {
            var changes = StateChanges()
            changes.destinations = [destination]
            try store.commit(changes)
            let now = WallClock().now()
            let started = ContinuousClock.now
            for start in stride(from: 0, to: people, by: 10_000) {
                var changes = StateChanges()
                for number in start..<min(start + 10_000, people) { changes.emissions += emissions(number, now) }
                try store.commit(changes)
            }
            print("outbox filled in \(tenths(secondsPassed(since: started))) s")
        }

        private func emissions(_ number: Int, _ now: Instant) -> [Emission] {
            let user = "user_\(number)"
            let context: JSONValue = ["personas": ["computation_key": "big_spenders"]]
            let identify: JSONValue = [
                "type": "identify", "userId": .string(user), "traits": ["big_spenders": true], "context": context,
            ]
            let track: JSONValue = [
                "type": "track", "userId": .string(user), "event": "Audience Entered",
                "properties": ["audience_key": "big_spenders", "big_spenders": true], "context": context,
                "receivedAt": .string(now.description),
            ]
            let calls: [(Emission.Kind, JSONValue)] =
                events ? [(.identify, identify), (.track, track)] : [(.identify, identify)]
            return calls.map { kind, call in
                Emission(
                    destinationID: "dst", computationID: "aud_bench", computationKey: "big_spenders",
                    profile: ProfileOrdinal(UInt32(number)), kind: kind, messageID: "personas_\(number)",
                    timestamp: now,
                    payload: call.utf8, origin: .firstSync)
            }
        }

        private func measure(_ store: StateStore, _ destination: Destination, _ sandbox: ChildProcess) async throws {
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .delivery)
            let service = DeliveryService(
                store: store, clock: WallClock(), client: client, adapters: [BrazeDestination.self],
                logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
            service.destinationsChanged([destination])
            let (memoryBefore, cpuBefore) = (Usage().residentBytes, Usage().cpuSeconds)
            let started = ContinuousClock.now
            let sending = Task { try await service.run() }
            var peak = memoryBefore
            // Whether anything waits is quickly asked, how much is not.
            repeat {
                try await Task.sleep(for: .milliseconds(250))
                peak = max(peak, Usage().residentBytes)
            } while try !store.pending(destinationID: "dst", limit: 1).isEmpty
            let elapsed = tenths(secondsPassed(since: started))
            let cpu = Usage().cpuSeconds - cpuBefore
            sending.cancel()
            _ = await sending.result
            try await client.shutdown()
            let counts = try store.counts(destinationID: "dst")
            let objects = people * (events ? 2 : 1)
            let paced = (Double(objects) / 75).rounded(.up) / Double(rate)
            print(
                """
                \(people) people, \(objects) objects, \(counts.attempts) requests in \(elapsed) s: \
                \(Int(Double(objects) / elapsed)) objects/s, \(Int(Double(counts.attempts) / elapsed)) requests/s
                the limit of \(rate) requests/s alone would take \(tenths(paced)) s
                sender: \(tenths(cpu)) s of CPU, \(tenths(cpu * 1_000_000 / Double(objects))) s per million objects; \
                sandbox: \(tenths(sandbox.usage.cpuSeconds)) s of CPU
                memory: \(memoryBefore >> 20) MB before, at most \(peak >> 20) MB
                parked \(counts.parked), failed requests \(counts.failedAttempts), in the sandbox \
                \(try await users(sandbox)) people
                """)
        }

        private func users(_ sandbox: ChildProcess) async throws -> Int {
            guard let users = try await sandbox.get("/sandbox/api/state")["users"]?.integer else {
                throw ValidationError("the sandbox's state has no users")
            }
            return users
        }

    }
}

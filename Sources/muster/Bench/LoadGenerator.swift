import Foundation
import Model
import Synchronization

/// Sends batches from several threads, in a closed loop or at a rate, and counts what became of them.
final class LoadGenerator: Sendable {
    struct Counts {
        var acceptedBatches = 0
        /// Answers by status other than 200.
        var refusals: [Int: Int] = [:]
        /// Refusals that did not say when to come back.
        var withoutRetryAfter = 0
        var failure: String?

        var acceptedCalls: Int { acceptedBatches * LoadBatch.calls }
    }

    struct Plan {
        /// Threads, each of which sends on all of its connections before it reads the answers.
        var threads = 4
        var connectionsPerThread = 1
        var seconds = 10.0
        /// Calls per second of all threads; `nil`: as many as are taken.
        var callsPerSecond: Int?
        var people = 100_000
        /// Whether person after person does each event, so that it is known when all have been seen.
        var isInTurn = false
        /// Batches of all threads, after which the run ends even if there is time left.
        var batchesMax = Int.max
    }

    private let counts = Mutex(Counts())
    /// Numbers message ids: unique over all runs of one generator.
    private let next = Atomic(0)
    /// Batches that have been sent.
    private let batches = Atomic(0)
    private let port: Int
    private let writeKey: String

    init(port: Int, writeKey: String) {
        self.port = port
        self.writeKey = writeKey
    }

    /// Runs to the end of the plan. Returns the counts of this run.
    func run(_ plan: Plan) async throws -> Counts {
        counts.withLock { $0 = Counts() }
        batches.store(0, ordering: .relaxed)
        let interval = plan.callsPerSecond.map { Double(LoadBatch.calls * plan.threads) / Double($0) }
        await withTaskGroup { group in
            for number in 0..<plan.threads {
                group.addTask { [self] in
                    await withCheckedContinuation { continuation in
                        let thread = Thread { [self] in
                            do {
                                try send(plan, every: interval, seed: UInt64(number))
                            } catch {
                                counts.withLock { $0.failure = "\(error)" }
                            }
                            continuation.resume()
                        }
                        thread.start()
                    }
                }
            }
        }
        return counts.withLock { $0 }
    }

    private func send(_ plan: Plan, every interval: Double?, seed: UInt64) throws {
        let connections = try (0..<plan.connectionsPerThread).map { _ in try LoadConnection(port: port) }
        let template = LoadBatch(writeKey: writeKey)
        var bodies = connections.map { _ in template }
        var random = SplitMix64(seed: seed)
        let start = ContinuousClock.now
        var round = 0
        while ContinuousClock.now - start < .seconds(plan.seconds),
            batches.load(ordering: .relaxed) < plan.batchesMax
        {
            if let interval {
                // By the plan's clock, so that a slow answer does not slow what comes after it.
                let due = start + .seconds(interval * Double(round))
                let wait = (due - ContinuousClock.now) / .microseconds(1)
                if wait > 0 { usleep(UInt32(wait)) }
            }
            round += 1
            for (index, connection) in connections.enumerated() {
                let first = next.wrappingAdd(LoadBatch.calls, ordering: .relaxed).oldValue
                batches.wrappingAdd(1, ordering: .relaxed)
                bodies[index].renew(first: first, people: plan.people, inTurn: plan.isInTurn, &random)
                try connection.send(bodies[index].bytes)
            }
            for connection in connections {
                let answer = try connection.receive()
                counts.withLock { counts in
                    if answer.status == 200 {
                        counts.acceptedBatches += 1
                    } else {
                        counts.refusals[answer.status, default: 0] += 1
                        if !answer.hasRetryAfter { counts.withoutRetryAfter += 1 }
                    }
                }
            }
        }
    }
}

import Engine
import EventLog
import Foundation
import JSON
import Logging
import Model
import Store
import Synchronization

/// The machine's clock.
private struct MachineClock: InstantSource {
    func now() -> Instant { Instant(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))) }
}

/// Calls of people that keep coming.
private final class Feeder: Sendable {
    let isOver = Atomic<Bool>(false)

    /// How many calls were taken in, and of some batches how long it took until they were applied, in milliseconds.
    func run(
        _ service: EngineService, _ log: EventLog, _ gate: ReceiptGate, _ clock: MachineClock,
        _ options: EngineBench.PunctualityOptions
    ) async throws -> (Int, [Int64]) {
        var calls = 0
        var delays: [Int64] = []
        let interval = 20
        let size = options.callsPerSecond * interval / 1000
        while !isOver.load(ordering: .relaxed) {
            let receipt = gate.enter()
            var entries: [LogEntry] = []
            for _ in 0..<size {
                calls += 1
                entries.append(
                    EngineBench.track(
                        "B", user: "u\(calls % options.people)", number: options.people + calls,
                        at: receipt.receivedAt, received: receipt.receivedAt))
            }
            let range = try await log.append(entries)
            gate.leave(receipt)
            if calls % (size * 10) == 0 {
                while service.read({ $0.position < range.upperBound }) { try await Task.sleep(for: .milliseconds(2)) }
                delays.append((clock.now() - receipt.receivedAt).milliseconds)
            }
            let rest = Int64(interval) - (clock.now() - receipt.receivedAt).milliseconds
            if rest > 0 { try await Task.sleep(for: .milliseconds(rest)) }
        }
        return (calls, delays)
    }
}

extension EngineBench {
    public struct PunctualityOptions: Sendable {
        /// People, each with one armed wake-up.
        public var people = 1_000_000
        /// From the start to the first exit: the time to take everybody in.
        public var leadSeconds = 120
        /// The exits are spread evenly over this time.
        public var spreadSeconds = 60
        /// Calls of others that keep coming while people leave, per second.
        public var callsPerSecond = 2_000

        public init() {}
    }

    /// A running engine with the machine's clock: how late everybody leaves, and that nobody leaves early.
    public func punctuality(_ options: PunctualityOptions, say: (String) -> Void) async throws {
        try await withFiles { log, store in
            let clock = MachineClock()
            let gate = ReceiptGate(clock: clock)
            let service = try EngineService(store: store, log: log, gate: gate, logger: Logger(label: "bench"))
            service.start()
            defer { service.stop() }
            let began = clock.now()
            try await service.submit(
                .putComputation(
                    Computation(
                        id: "aud_recent", kind: .audience, key: "recent", name: "recent",
                        query: "event('A').within(1 days).count() >= 1", createdAt: began)))
            try await service.submit(
                .putComputation(
                    Computation(
                        id: "tra_n", kind: .trait, key: "n", name: "n", query: "event('B').count()", createdAt: began)))

            // Everybody's event happened almost a day ago, so that its window ends when it is to.
            let first = began + .seconds(Int64(options.leadSeconds))
            let spread = Double(options.spreadSeconds) * 1000
            let dues = (0..<options.people).map { number in
                first + Instant.Span(milliseconds: Int64(Double(number) / Double(options.people) * spread))
            }
            // In an order that has nothing to do with that of the exits.
            let step = Self.coprime(to: options.people)
            var position = 0
            for start in stride(from: 0, to: options.people, by: 2_000) {
                let receipt = gate.enter()
                let calls = (start..<min(start + 2_000, options.people)).map { _ in
                    position = (position + step) % options.people
                    return Self.track(
                        "A", user: "u\(position)", number: position,
                        at: dues[position] - .days(1) - Instant.Span(milliseconds: 1), received: receipt.receivedAt)
                }
                _ = try await log.append(calls)
                gate.leave(receipt)
            }
            try await service.waitUntilCaughtUp()
            let members = service.read { engine in engine.computations.first { $0.definition.id == "aud_recent" }?.size
            }
            let ready = clock.now()
            guard members == options.people, ready < first else {
                throw WrongAnswer(
                    description:
                        "\(members ?? 0) of \(options.people) had come in \((ready - began).milliseconds) ms; a longer "
                        + "lead is needed")
            }
            say(
                "\(options.people) people taken in and armed in "
                    + "\(Self.text(Double((ready - began).milliseconds) / 1000)) s; they leave within "
                    + "\(options.spreadSeconds) s while \(options.callsPerSecond) calls/s come in")
            let outcome = try await watch(service, log, gate, clock, dues, options)
            try report(outcome, options, say)
        }
    }

    private struct Outcome {
        /// Upper bounds of how late each exit was in force, in milliseconds; in the order of the exits.
        var lateness: [Int64] = []
        var early = 0
        var calls = 0
        /// How long it took from a call's receipt until it was applied, worst of each batch, in milliseconds.
        var callDelays: [Int64] = []
    }

    /// Looks at the engine every few milliseconds while calls of others come in.
    private func watch(
        _ service: EngineService, _ log: EventLog, _ gate: ReceiptGate, _ clock: MachineClock, _ dues: [Instant],
        _ options: PunctualityOptions
    ) async throws -> Outcome {
        let feeder = Feeder()
        return try await withThrowingTaskGroup(of: (Int, [Int64]).self) { group in
            group.addTask { try await feeder.run(service, log, gate, clock, options) }
            var outcome = Outcome()
            let fired = { service.read { $0.statistics.wakeUpsFired } }
            let standing = fired()
            let deadline = (dues.last ?? .epoch) + .seconds(30)
            while outcome.lateness.count < dues.count {
                let count = fired() - standing
                let now = clock.now()
                // Wake-ups fire in the order of their instants: these are the first ones. The answer was true at some
                // instant before `now`.
                outcome.early += dues[..<min(count, dues.count)].reversed().prefix { $0 > now }.count
                while outcome.lateness.count < min(count, dues.count) {
                    outcome.lateness.append((now - dues[outcome.lateness.count]).milliseconds)
                }
                guard now < deadline else {
                    throw WrongAnswer(description: "only \(outcome.lateness.count) have left")
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            feeder.isOver.store(true, ordering: .relaxed)
            for try await (calls, delays) in group {
                outcome.calls = calls
                outcome.callDelays = delays
            }
            try await service.waitUntilCaughtUp()
            let left = service.read { engine in engine.computations.first { $0.definition.id == "aud_recent" }?.size }
            guard left == 0 else { throw WrongAnswer(description: "\(left ?? -1) are still there") }
            return outcome
        }
    }

    private func report(_ outcome: Outcome, _ options: PunctualityOptions, _ say: (String) -> Void) throws {
        let sorted = outcome.lateness.sorted()
        func share(_ part: Double) -> Int64 { sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))] }
        let delays = outcome.callDelays.sorted()
        say(
            "  lateness, up to 5 ms of looking included: half within \(share(0.5)) ms, 99 % within \(share(0.99)) ms, all "
                + "within \(sorted.last ?? 0) ms; \(outcome.early) early")
        say(
            "  meanwhile \(outcome.calls) calls were taken in, applied after \(delays.isEmpty ? 0 : delays[delays.count / 2]) "
                + "ms (half of the samples), at most \(delays.last ?? 0) ms")
        guard outcome.early == 0 else { throw WrongAnswer(description: "\(outcome.early) left early") }
    }

    /// A step that comes by every number below a count.
    private static func coprime(to count: Int) -> Int {
        func divisor(_ left: Int, _ right: Int) -> Int { right == 0 ? left : divisor(right, left % right) }
        var step = count / 2 + 1
        while divisor(step, count) != 1 { step += 1 }
        return step
    }
}

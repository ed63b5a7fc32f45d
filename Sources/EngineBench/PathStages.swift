import Engine
public import EventLog
import Foundation
import History
import JSON
import Model
import Store
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

// The stages of an event's way alone: each does what the server does with the same calls, without the others beside it.
extension EngineBench {
    /// What a stage has taken.
    public struct Stage: Sendable {
        public let name: String
        public var calls = 0
        /// Seconds that passed.
        public var seconds = 0.0
        /// Seconds of processors, all threads of the process together.
        public var cpuSeconds = 0.0

        public init(_ name: String) { self.name = name }

        public var callsPerSecond: Double { Double(calls) / seconds }
        /// Microseconds of processors.
        public var cpuPerCall: Double { cpuSeconds / Double(calls) * 1e6 }

        /// Adds what something takes.
        public mutating func measure<Value>(calls: Int, _ body: () throws -> Value) rethrows -> Value {
            let (start, cpu) = (ContinuousClock.now, Stage.processorSeconds)
            let value = try body()
            seconds += (ContinuousClock.now - start) / .seconds(1)
            cpuSeconds += Stage.processorSeconds - cpu
            self.calls += calls
            return value
        }

        public mutating func measure<Value>(calls: Int, _ body: () async throws -> Value) async rethrows -> Value {
            let (start, cpu) = (ContinuousClock.now, Stage.processorSeconds)
            let value = try await body()
            seconds += (ContinuousClock.now - start) / .seconds(1)
            cpuSeconds += Stage.processorSeconds - cpu
            self.calls += calls
            return value
        }

        /// Used by this process so far.
        public static var processorSeconds: Double {
            var time = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }

    /// Numbers from 0 on, each given to one of several tasks.
    public final class Turns: Sendable {
        private let given = Atomic(0)

        public init() {}

        public func next(below bound: Int) -> Int? {
            let number = given.wrappingAdd(1, ordering: .relaxed).oldValue
            return number < bound ? number : nil
        }
    }

    /// Reads the bodies of requests as JSON, without doing anything with it.
    public static func parsing(_ bodies: [[UInt8]], callsInEach: Int, seconds: Double) throws -> Stage {
        var stage = Stage("JSON parsed")
        while stage.seconds < seconds {
            for body in bodies {
                let count = try stage.measure(calls: callsInEach) {
                    try JSONDocument(parsing: body).root["batch"]?.count ?? 0
                }
                guard count == callsInEach else { throw WrongAnswer(description: "\(count) calls in a body") }
            }
        }
        return stage
    }

    /// Appends what a Log holds to another, a hundred records at a time from several writers, each acknowledged after
    /// its fsync.
    public func appending(from log: EventLog, limit: Int64, writers: Int) async throws -> Stage {
        var stage = Stage("Log: encoded, compressed, fsynced")
        let end = min(limit, log.endOffset)
        try await withFiles { other, _ in
            var offset: Int64 = 0
            while offset < end {
                let records = try log.read(from: offset, limit: 8_000)
                let batches = stride(from: 0, to: records.count, by: 100).map { start in
                    records[start..<min(start + 100, records.count)].map(\.entry)
                }
                let turns = Turns()
                try await stage.measure(calls: records.count) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<writers {
                            group.addTask {
                                while let number = turns.next(below: batches.count) {
                                    _ = try await other.append(batches[number])
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                offset += Int64(records.count)
            }
            guard other.endOffset == offset else {
                throw WrongAnswer(description: "\(other.endOffset) of \(offset) records are in the Log")
            }
        }
        return stage
    }

    /// What applying a Log has taken, by what the engine's thread does; and what came of it.
    public struct Applying: Sendable {
        public var reading = Stage("Log read and decoded")
        public var applying = Stage("engine, nothing stored")
        public var committing = Stage("committed, history written")
        /// By the name of the event.
        public var events: [String: Int] = [:]
        public var evaluations = 0
        public var transitions = 0
    }

    /// Applies a Log from its beginning to a new engine, definitions included, as the server's engine does when it is
    /// behind; the history's files are written beside.
    public func applying(from log: EventLog, limit: Int64, batch: Int) async throws -> Applying {
        var result = Applying()
        let files = directory.appending(path: "path-bench-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: files) }
        try await withFiles { empty, store in
            var settings = Engine.Settings()
            settings.historyDirectory = files.path
            let engine = try Engine(settings: settings, store: store, log: empty)
            let background = HistoryBackground()
            let end = min(limit, log.endOffset)
            while engine.position < end {
                let from = engine.position
                let records = try result.reading.measure(calls: 0) { try log.read(from: from, limit: batch) }
                let calls = records.count
                result.reading.calls += calls
                result.applying.measure(calls: calls) { engine.apply(records) }
                while engine.hasBackfill { engine.continueBackfill(limit: 10_000) }
                try result.committing.measure(calls: calls) {
                    try engine.commit()
                    try background.turn(engine.history, rows: settings.historyFlushRows, position: engine.position)
                    while engine.history.freshRowCount > 2 * settings.historyFlushRows {
                        background.wait()
                        try background.turn(engine.history, rows: settings.historyFlushRows, position: engine.position)
                    }
                }
            }
            for entry in engine.history.eventCatalogue { result.events[entry.name] = entry.count }
            result.evaluations = engine.statistics.evaluations
            result.transitions = engine.statistics.transitions
            try background.end(engine.history, position: engine.position)
            try store.close()
        }
        return result
    }
}

import Engine
import EventLog
import Foundation
import History
import JSON
public import Model
import Store

extension EngineBench {
    /// Live computations of the usual kinds, for ten events `E0` to `E9` with the properties `k` (`k0` to `k4`) and `n`
    /// (a number below 100).
    public static func computations(perEvent count: Int) -> [(kind: Computation.Kind, query: String)] {
        (0..<10).flatMap { event in
            (0..<count).map { number in
                let name = "E\(event)"
                let days = 1 + number * 7 % 60
                let other = "E\((event + 1) % 10)"
                switch (event * count + number) % 10 {
                case 0, 1: return (.audience, "event('\(name)').within(\(days) days).count() >= \(1 + number % 4)")
                case 2: return (.trait, "event('\(name)').within(\(days) days).count()")
                case 3:
                    return (
                        .audience,
                        "event('\(name)').where(property('k') = 'k\(number % 5)').count() >= \(1 + number % 3)"
                    )
                case 4: return (.trait, "event('\(name)').within(\(days) days).sum(property('n'))")
                case 5: return (.trait, "event('\(name)').last(property('k'))")
                case 6: return (.trait, "event('\(name)').mode(property('k'), 2)")
                case 7:
                    return (.audience, "event('\(name)').between(1 days, \(1 + days) days).count() >= 2")
                case 8:
                    return (
                        .audience,
                        "event('\(name)').where(property('n') > 50).within(\(days) days).count() >= 1 "
                            + "AND NOT trait('plan') = 'free'"
                    )
                default:
                    // Read by the event alone: 50 per event is what is measured.
                    return (
                        .audience,
                        "event('\(name)').where(NOT event('\(name)').within(parent: \(days) hours).count() >= 1)"
                            + ".within(\(days) days).count() >= 1 OR trait('\(other)') = 'x'"
                    )
                }
            }
        }
    }

    /// Evaluations per second of one core, with all that follows from them; commits apart.
    public func throughput(
        _ place: Place = .memory, events: Int, profiles: Int, flushRows: Int = 100_000, say: (String) -> Void
    ) async throws {
        let files = directory.appending(path: "throughput-bench-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: files) }
        try await withFiles { log, store in
            var settings = Engine.Settings()
            if place == .disk { settings.historyDirectory = files.path }
            let engine = try Engine(settings: settings, store: store, log: log)
            let background = HistoryBackground()
            let start = Instant(milliseconds: 1_767_225_600_000)
            var offset: Int64 = 0
            func records(_ entries: [LogEntry]) -> [LogRecord] {
                entries.map { entry in
                    defer { offset += 1 }
                    return LogRecord(offset: offset, entry: entry)
                }
            }
            let computations = Self.computations(perEvent: 50)
            engine.apply(
                records(
                    computations.enumerated().map { number, made in
                        Self.create(made.kind, "c\(number)", made.query, at: start)
                    }))
            while engine.hasBackfill { engine.continueBackfill(limit: 10_000) }
            try engine.commit()
            guard engine.computations.count == 500 else {
                throw WrongAnswer(description: "\(engine.computations.count) of 500 computations were accepted")
            }
            var random = SplitMix64(seed: 1)
            var applying = 0.0
            var committing = 0.0
            var done = 0
            let before = engine.statistics
            var measuredFrom = before
            // The first fifth warms up and gives everybody a past.
            let warm = events / 5
            while done < events {
                let batch = records(
                    (0..<1_000).map { number in
                        let at = start + .seconds(Int64(done + number))
                        return Self.track(
                            "E\(random.below(10))", user: "u\(random.below(profiles))", number: done + number, at: at,
                            received: at, ["k": .string("k\(random.below(5))"), "n": .number(random.below(100))])
                    })
                if done <= warm {
                    measuredFrom = engine.statistics
                    applying = 0
                    committing = 0
                }
                applying += Self.seconds { engine.apply(batch) }
                committing += try Self.seconds {
                    try engine.commit()
                    try background.turn(engine.history, rows: flushRows, position: engine.position)
                }
                done += batch.count
            }
            let measured = done - warm
            let evaluations = engine.statistics.evaluations - measuredFrom.evaluations
            let transitions = engine.statistics.transitions - measuredFrom.transitions
            say(
                "500 live computations, 50 read each event; history in \(place.rawValue); \(measured) events of \(profiles) people after \(warm) before"
            )
            say(
                "  \(evaluations) evaluations (\(Self.text(Double(evaluations) / Double(measured))) per event), "
                    + "\(transitions) changed a value")
            say(
                "  \(Self.text(Double(evaluations) / applying, 0)) evaluations/s of one core while applying "
                    + "(identity, history, dispatch and wake-ups included)")
            say(
                "  \(Self.text(Double(evaluations) / (applying + committing), 0)) evaluations/s, "
                    + "\(Self.text(Double(measured) / (applying + committing), 0)) events/s with the commits")
        }
    }
}

extension SplitMix64 {
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}

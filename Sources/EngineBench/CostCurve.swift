import Engine
import Evaluation
import EventLog
import Foundation
import History
import JSON
import Model
import Query

extension EngineBench {
    /// What is asked of a profile that does one more of what it did often before.
    static let curveQueries: [(name: String, kind: Computation.Kind, query: String)] = [
        ("counter", .trait, "event('A').count()"),
        ("windowed count", .trait, "event('A').within(30 days).count()"),
        ("windowed count >= 5", .audience, "event('A').within(30 days).count() >= 5"),
        ("did not", .audience, "event('A').count() >= 1 AND event('B').within(7 days).count() = 0"),
        (
            "filtered count >= 5", .audience,
            "event('A').where(property('k') = 'k1').within(30 days).count() >= 5"
        ),
        ("last value", .trait, "event('A').last(property('k'))"),
        ("first value", .trait, "event('A').first(property('k'))"),
        ("filtered counter", .trait, "event('A').where(property('k') = 'k1').count()"),
        ("windowed sum", .trait, "event('A').within(30 days).sum(property('n'))"),
    ]

    /// What one more event costs on a profile with 10 to 100,000 past events of its name: in the evaluator, per
    /// query, and in the engine as a whole with a counter and a windowed count.
    public func costCurve(_ place: Place = .memory, say: (String) -> Void) async throws {
        let files = directory.appending(path: "curve-bench-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: files) }
        let lengths = [10, 100, 1_000, 10_000, 100_000]
        say("One more event on a profile with so many of the same name, all within the window: ns per evaluation")
        say(Self.padded("", 22) + lengths.map { Self.padded("\($0)", 12) }.joined())
        var rows = Self.curveQueries.map { _ in [Double]() }
        var merged: [Double] = []
        for length in lengths {
            try? FileManager.default.removeItem(at: files)
            let history = place == .disk ? try History(directory: files.path) : History()
            let start = Instant(milliseconds: 1_767_225_600_000)
            for number in 0..<length {
                let body: JSONValue = ["properties": ["k": .string("k\(number % 7)"), "n": .number(number % 100)]]
                let at = start + .seconds(Int64(number))
                let call = Call(
                    kind: .track, sourceID: "bench", messageID: "m\(number)", event: "A", timestamp: at, receivedAt: at,
                    body: body.utf8)
                // One event in ten is of a profile that was merged with the first.
                _ = history.insertEvent(call, body: body, offset: Int64(number), profile: ProfileOrdinal(0))
                _ = history.insertEvent(
                    call, body: body, offset: Int64(number), profile: ProfileOrdinal(number % 10 == 0 ? 1 : 2))
                // On disk: two runs, and the last tenth in memory.
                if place == .disk, number == length * 6 / 10 || number == length * 9 / 10,
                    let flush = history.beginFlush(position: Int64(number + 1))
                {
                    try history.finish(flush.run())
                }
            }
            func cost(_ kind: Computation.Kind, _ text: String, _ ordinals: [ProfileOrdinal]) throws -> Double {
                let query = CompiledQuery(try Definition.compile(text, kind: kind))
                let subject = Subject.user(ProfileView(ordinals))
                var now = start + .seconds(Int64(length))
                var best = Double.infinity
                for _ in 0..<5 {
                    let rounds = max(20, min(20_000, 2_000_000 / length))
                    var changes = 0
                    let seconds = Self.seconds {
                        for _ in 0..<rounds {
                            now = now + Instant.Span(milliseconds: 1)
                            if query.evaluate(subject, in: history, at: now).changesAt != nil { changes += 1 }
                        }
                    }
                    if changes != 0, changes != rounds { throw WrongAnswer(description: "\(text) changed meanwhile") }
                    best = min(best, seconds / Double(rounds))
                }
                return best * 1e9
            }
            for (index, definition) in Self.curveQueries.enumerated() {
                rows[index].append(try cost(definition.kind, definition.query, [ProfileOrdinal(0)]))
            }
            merged.append(
                try cost(.trait, Self.curveQueries[1].query, [ProfileOrdinal(1), ProfileOrdinal(2)]))
        }
        for (definition, row) in zip(Self.curveQueries, rows) {
            say(Self.padded(definition.name, 22) + row.map { Self.padded(Self.text($0, 0), 12) }.joined())
        }
        say(
            Self.padded("merged, windowed", 22) + merged.map { Self.padded(Self.text($0, 0), 12) }.joined())
        var whole: [Double] = []
        for length in lengths { whole.append(try await engineCost(of: length) * 1e6) }
        say("The same in the engine, a counter and a windowed count live: µs per event, log position to outbox rows")
        say(Self.padded("", 22) + whole.map { Self.padded(Self.text($0, 2), 12) }.joined())
    }

    /// Seconds per event of an engine that applies and commits batches of 1,000, all of one person with so many before.
    private func engineCost(of length: Int) async throws -> Double {
        try await withFiles { log, store in
            let engine = try Engine(store: store, log: log)
            let start = Instant(milliseconds: 1_767_225_600_000)
            var entries = [
                Self.create(.trait, "n", "event('A').count()", at: start),
                Self.create(.audience, "w", "event('A').within(30 days).count() >= 5", at: start),
            ]
            for number in 0..<length + 5_000 {
                let at = start + .seconds(Int64(number))
                entries.append(
                    Self.track("A", user: "u", number: number, at: at, received: at, ["n": .number(number % 100)]))
            }
            var offset: Int64 = 0
            func apply(_ part: ArraySlice<LogEntry>) throws {
                let records = part.map { entry in
                    defer { offset += 1 }
                    return LogRecord(offset: offset, entry: entry)
                }
                engine.apply(records)
                try engine.commit()
            }
            let measured = entries.count - 5_000
            try apply(entries[..<measured])
            let seconds = try Self.seconds {
                for first in stride(from: measured, to: entries.count, by: 1_000) {
                    try apply(entries[first..<first + 1_000])
                }
            }
            let user = engine.profile(for: Identifier(type: "user_id", value: "u"))
            let values = user.map { engine.computedValues(of: $0) } ?? []
            guard values.contains(where: { $0.value == .number(length + 5_000) }) else {
                throw WrongAnswer(description: "the counter is not \(length + 5_000)")
            }
            return seconds / 5_000
        }
    }
}

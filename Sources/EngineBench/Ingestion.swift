import Dispatch
import Foundation
import History
import JSON
import Model
import Synchronization

extension EngineBench {
    /// Where a measured history stands.
    public enum Place: String, Sendable, CaseIterable {
        case memory
        case disk
    }

    /// Events per second that a history takes in from memory, parsed before, with what is written and merged meanwhile
    /// on other threads; and what opening it takes.
    public func ingestion(events: Int, profiles: Int, say: (String) -> Void) throws {
        let place = directory.appending(path: "history-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        say("\(events) events of \(profiles) people with five properties into a history, by one thread")
        for kind in Place.allCases {
            let history = kind == .disk ? try History(directory: place.path) : History()
            let background = HistoryBackground()
            var random = SplitMix64(seed: 1)
            var inserting = 0.0
            let bodies = try (0..<4_096).map { number in
                try JSONDocument(
                    parsing: JSONValue.object([
                        "properties": [
                            "price": .number(Double(random.below(50_000)) / 100),
                            "category": .string("category \(random.below(40))"), "quantity": .number(random.below(9)),
                            "gift": .bool(random.below(10) == 0), "order": .string("o-\(number)"),
                        ]
                    ]).utf8)
            }
            let start = Instant(milliseconds: 1_767_225_600_000)
            var done = 0
            let whole = try Self.seconds {
                while done < events {
                    let calls = (0..<2_000).map { number in
                        let at = start + Instant.Span(milliseconds: Int64(done + number) * 10)
                        let id = UUID().uuidString.lowercased()
                        return Call(
                            kind: .track, sourceID: "bench", messageID: id, event: "E\(random.below(20))",
                            timestamp: at, receivedAt: at, body: [])
                    }
                    inserting += try Self.seconds {
                        for (number, call) in calls.enumerated() {
                            _ = history.insertEvent(
                                call, body: bodies[(done + number) % bodies.count].root, offset: Int64(done + number),
                                profile: ProfileOrdinal(UInt32(random.below(profiles))))
                        }
                        done += calls.count
                        try background.turn(history, rows: 100_000, position: Int64(done))
                        // As the engine does: it waits rather than grow.
                        while kind == .disk, history.freshRowCount > 1_000_000 {
                            background.wait()
                            try background.turn(history, rows: 100_000, position: Int64(done))
                        }
                    }
                }
                try background.end(history, position: Int64(done))
            }
            say(
                "  \(kind.rawValue): \(Self.text(Double(events) / inserting, 0)) events/s while inserting, waits included; "
                    + "\(Self.text(whole)) s until everything was written")
            guard kind == .disk else { continue }
            let bytes = try FileManager.default.contentsOfDirectory(atPath: place.path).reduce(0) { sum, name in
                let attributes = try FileManager.default.attributesOfItem(atPath: place.appending(path: name).path)
                return sum + (attributes[.size] as? Int ?? 0)
            }
            var rows = 0
            let opening = try Self.seconds { rows = try History(directory: place.path).diskStatistics?.storedRows ?? 0 }
            guard rows == events else { throw WrongAnswer(description: "\(rows) rows of \(events) were stored") }
            say(
                "  \(Self.text(Double(bytes) / Double(events))) bytes per event on disk; opened in "
                    + "\(Self.text(opening * 1000)) ms")
        }
    }
}

/// Flushes and merges beside one thread that inserts.
final class HistoryBackground {
    private struct Done {
        var flushed: Result<HistoryFlush.Result, any Error>?
        var merged: Result<HistoryMerge.Result, any Error>?
    }

    private final class Shared: Sendable {
        let done = Mutex(Done())
    }

    private let shared = Shared()
    private let flushing = DispatchQueue(label: "bench.flush")
    private let merging = DispatchQueue(label: "bench.merge")
    private var looksForMerges = true

    func turn(_ history: History, rows: Int, position: Int64) throws {
        let taken = shared.done.withLock { done in
            defer { done = Done() }
            return done
        }
        if let flushed = taken.flushed {
            try history.finish(flushed.get())
            looksForMerges = true
        }
        if let merged = taken.merged {
            try history.finish(merged.get())
            looksForMerges = true
        }
        if history.freshRowCount >= rows, let flush = history.beginFlush(position: position) {
            flushing.async { [shared] in
                let result = Result { try flush.run() as HistoryFlush.Result }
                shared.done.withLock { $0.flushed = result }
            }
        }
        if looksForMerges {
            if let merge = history.beginMerge(unit: max(rows, 1)) {
                merging.async { [shared] in
                    let result = Result { try merge.run() as HistoryMerge.Result }
                    shared.done.withLock { $0.merged = result }
                }
            }
            looksForMerges = false
        }
    }

    func wait() { flushing.sync {} }

    /// Writes everything and merges what there is to merge.
    func end(_ history: History, position: Int64) throws {
        guard history.diskStatistics != nil else { return }
        repeat {
            flushing.sync {}
            merging.sync {}
            try turn(history, rows: 1, position: position)
            let statistics = history.diskStatistics
            if statistics?.isFlushing != true, statistics?.isMerging != true { break }
        } while true
    }
}

import Foundation
import History
import JSON
import Model

/// The invented events as a History on disk: taken in by the order of time, call by call, written and merged as a server
/// does it, and opened again from the files.
struct StoredHistory {
    let history: History
    /// Members of the report's JSON.
    let report: String

    /// Fresh rows that are written together: the server's default.
    private static let flushRows = 100_000

    init(_ data: BenchData, in directory: URL, say: (String) -> Void) throws {
        try? FileManager.default.removeItem(at: directory)
        var seconds = 0.0
        let whole = try StoredHistory.seconds {
            seconds = try StoredHistory.fill(try History(directory: directory.path), data)
        }
        let bytes = try FileManager.default.contentsOfDirectory(atPath: directory.path).reduce(0) { sum, name in
            let attributes = try FileManager.default.attributesOfItem(
                atPath: directory.appending(path: name).path)
            return sum + (attributes[.size] as? Int ?? 0)
        }
        var opened: History?
        let opening = try StoredHistory.seconds { opened = try History(directory: directory.path) }
        guard let opened else { throw BenchFailure(description: "the history was not opened") }
        let rows = data.events + data.planOwners.count
        let perSecond = Double(rows) / seconds
        let perEvent = Double(bytes) / Double(rows)
        say(
            String(
                format: "History on disk: %.0f events/s taken in, %.1f s until all was written and merged, "
                    + "%.1f bytes per event, opened in %.1f ms",
                perSecond, whole, perEvent, opening * 1000))
        history = opened
        report =
            ",\"ingestPerSecond\":\(perSecond),\"bytes\":\(bytes),\"bytesPerEvent\":\(perEvent),\"openSeconds\":\(opening)"
    }

    /// Seconds in which calls were inserted, without making, writing and merging them.
    private static func fill(_ history: History, _ data: BenchData) throws -> Double {
        var offset: Int64 = 0
        var inserting = 0.0
        var ids = SplitMix64(seed: 0x1D5)
        func call(_ kind: Call.Kind, _ name: String?, _ time: Int64) -> Call {
            let at = Instant(milliseconds: time)
            return Call(
                kind: kind, sourceID: "bench", messageID: uuid(&ids), event: name, timestamp: at, receivedAt: at,
                body: [])
        }
        for start in stride(from: 0, to: data.planOwners.count, by: 2000) {
            let range = start..<min(start + 2000, data.planOwners.count)
            let plans = try BenchData.plans.map { plan in
                try JSONDocument(parsing: Array("{\"traits\":{\"plan\":\"\(plan)\"}}".utf8))
            }
            let calls = range.map { _ in call(.identify, nil, BenchData.end - BenchData.year) }
            inserting += seconds {
                for (number, call) in zip(range, calls) {
                    _ = history.insertTraits(
                        call, body: plans[Int(data.planValues[number])].root, offset: offset,
                        profile: ProfileOrdinal(data.planOwners[number]))
                    offset += 1
                }
            }
            try tend(history, offset)
        }
        // By time: milliseconds of a year take 35 bits, which leaves 29 for the row.
        let firsts = data.tables.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.profiles.count) }
        precondition(data.events < 1 << 29, "more events than row numbers")
        var order: [UInt64] = []
        order.reserveCapacity(data.events)
        for (table, columns) in data.tables.enumerated() {
            for row in columns.timestamps.indices {
                order.append(
                    UInt64(columns.timestamps[row] - BenchData.end + BenchData.year) << 29 | UInt64(firsts[table] + row)
                )
            }
        }
        order.sort()
        for start in stride(from: 0, to: order.count, by: 2000) {
            let rows = order[start..<min(start + 2000, order.count)].map { entry -> (Int, Int) in
                let row = Int(entry & (1 << 29 - 1))
                let table = (firsts.firstIndex { $0 > row } ?? firsts.count) - 1
                return (table, row - firsts[table])
            }
            let calls = rows.map { call(.track, BenchData.names[$0], data.tables[$0].timestamps[$1]) }
            let bodies = try rows.map { try JSONDocument(parsing: body(data.tables[$0], $1)) }
            inserting += seconds {
                for (number, (table, row)) in rows.enumerated() {
                    _ = history.insertEvent(
                        calls[number], body: bodies[number].root, offset: offset,
                        profile: ProfileOrdinal(data.tables[table].profiles[row]))
                    offset += 1
                }
            }
            try tend(history, offset)
        }
        try tend(history, offset, isLast: true)
        return inserting
    }

    private static func tend(_ history: History, _ offset: Int64, isLast: Bool = false) throws {
        guard isLast || history.freshRowCount >= flushRows else { return }
        if let flush = history.beginFlush(position: offset) { try history.finish(try flush.run()) }
        while let merge = history.beginMerge(unit: flushRows) { try history.finish(try merge.run()) }
    }

    /// As text, because that is how calls come; put together byte by byte, because a hundred million are.
    private static func body(_ columns: BenchData.Columns, _ row: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(160)
        text += "{\"properties\":{\"price\":".utf8
        let cents = Int((columns.price[row] * 100).rounded())
        append(cents / 100, to: &text)
        text += [UInt8(ascii: "."), 0x30 + UInt8(cents / 10 % 10), 0x30 + UInt8(cents % 10)]
        text += ",\"category\":\"".utf8
        text += BenchData.categories[Int(columns.category[row])].utf8
        text += "\",\"quantity\":".utf8
        append(Int(columns.quantity[row]), to: &text)
        text += (columns.gift[row] == 1 ? ",\"gift\":true" : ",\"gift\":false").utf8
        if columns.coupon[row] > 0 {
            text += ",\"coupon\":\"C".utf8
            append(Int(columns.coupon[row] - 1), to: &text)
            text.append(UInt8(ascii: "\""))
        }
        text += "}}".utf8
        return text
    }

    private static func append(_ number: Int, to text: inout [UInt8]) {
        if number >= 10 { append(number / 10, to: &text) }
        text.append(0x30 + UInt8(number % 10))
    }

    private static func uuid(_ random: inout SplitMix64) -> String {
        String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for (number, isFirst) in [(random.next(), true), (random.next(), false)] {
                for digit in 0..<16 {
                    if isFirst ? digit == 8 || digit == 12 : digit == 0 || digit == 4 {
                        text[place] = UInt8(ascii: "-")
                        place += 1
                    }
                    let value = UInt8(truncatingIfNeeded: number >> UInt64(60 - digit * 4) & 15)
                    text[place] = value < 10 ? 0x30 + value : 0x57 + value
                    place += 1
                }
            }
            return place
        }
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        try ContinuousClock().measure(body) / .seconds(1)
    }
}

/// What keeps a measurement from being one.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}

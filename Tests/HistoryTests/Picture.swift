import JSON
import Model
import TestSupport

@testable import History

// What the tests of files share: random deeds, and everything that a History answers as text.

/// Something that happened, at its place in the Log.
struct Deed {
    enum What {
        case call(Call, body: JSONValue, profile: UInt32)
        case removal(UInt32)
    }

    var offset: Int64
    var what: What

    func apply(to history: History) {
        switch what {
        case .removal(let profile): history.remove(ProfileOrdinal(profile))
        case .call(let call, let body, let profile):
            let profile = ProfileOrdinal(profile)
            _ =
                call.eventName == nil
                ? history.insertTraits(call, body: body, offset: offset, profile: profile)
                : history.insertEvent(call, body: body, offset: offset, profile: profile)
        }
    }

    static let profiles: UInt32 = 9

    /// A log of few people with much in common: equal times, late calls, all kinds of values.
    static func log(_ count: Int, removals: Bool, _ random: inout SeededRandom) -> [Deed] {
        var at = 1_700_000_000_000 as Int64
        return (0..<Int64(count)).map { offset in
            at += Int64(random.pick([0, 0, 1, 60_000, 3_600_000]))
            let profile = UInt32(random.chance(50) ? random.below(2) : random.below(Int(profiles)))
            if removals, random.chance(2) { return Deed(offset: offset, what: .removal(profile)) }
            let late = random.chance(25) ? Int64(random.below(90_000_000)) : 0
            let isTrait = random.chance(30)
            let id =
                random.chance(60)
                ? uuid(&random) : "\(random.pick(["m", "ajs-next-", ""]))\(random.below(1000))"
            let kind = isTrait ? Call.Kind.identify : random.pick([.track, .track, .track, .page, .screen])
            let call = Call(
                kind: kind, sourceID: random.pick(["web", "app", "till"]), messageID: id,
                event: kind == .track ? random.pick(["Bought", "Looked", "Café", "Rare \(random.below(40))"]) : nil,
                timestamp: Instant(
                    milliseconds: random.chance(1) ? -5 : at - late + (random.chance(2) ? 200_000_000 : 0)),
                receivedAt: Instant(milliseconds: at), body: [])
            let body: JSONValue =
                isTrait
                ? ["traits": object(&random, depth: 2, names: ["plan", "age", "email", "address", "tags"])]
                : [
                    "properties": object(
                        &random, depth: 3, names: ["price", "sku", "count", "ok", "products", "note", "a.b", "deep"]),
                    "context": object(&random, depth: 1, names: ["ip", "page", "locale"]),
                    "name": random.chance(20) ? "Home" : .null,
                ]
            return Deed(offset: offset, what: .call(call, body: body, profile: profile))
        }
    }

    private static func uuid(_ random: inout SeededRandom) -> String {
        StoredID.uuid(random.next(), random.next() % 4).string
    }

    private static func object(_ random: inout SeededRandom, depth: Int, names: [String]) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        for name in names where random.chance(60) { members.append((name, value(&random, depth: depth))) }
        return .object(JSONObject(members))
    }

    private static func value(_ random: inout SeededRandom, depth: Int) -> JSONValue {
        switch random.below(depth > 0 ? 12 : 9) {
        case 0: return .null
        case 1: return .bool(random.chance(50))
        case 2: return .number(random.below(5))
        case 3: return .number(random.below(1 << 40))
        case 4: return .number(Double(random.below(10_000)) / 100)
        case 5: return (try? JSONValue(parsing: Array("0.1234567890123456789\(random.below(3))".utf8))) ?? .null
        case 6: return .string(random.pick(["red", "green", "", "ä", "a\u{308}", "10"]))
        case 7: return .string("text \(random.below(100_000))")
        case 8: return .number(-random.below(300))
        case 9: return object(&random, depth: depth - 1, names: ["x", "y"])
        default: return .array((0..<random.below(4)).map { _ in value(&random, depth: depth - 1) })
        }
    }
}

extension History {
    /// Everything that can be asked, as lines. Codes and numbers of tables, which may differ, do not occur.
    func picture(samples: Bool = true) -> [String] {
        var lines: [String] = []
        let everybody = (0..<Deed.profiles).map { ProfileOrdinal($0) }
        let people =
            everybody.map { [$0] } + [[everybody[0], everybody[3]], [everybody[5], everybody[1], everybody[2]]]
        for entry in eventCatalogue {
            lines.append("event \(entry.name) ×\(entry.count) \(entry.firstSeen)…\(entry.lastSeen)")
            lines += (entry.properties + entry.context).map { describe($0, samples) }
            for person in people { lines += rows(entry.id, of: person).lines("\(entry.name) of \(person)") }
            lines += snapshotLines(snapshot(of: entry.id).runs(), table(entry.id), "\(entry.name)")
        }
        for entry in traitCatalogue {
            lines.append("trait \(entry.key) ×\(entry.count) \(entry.firstSeen)…\(entry.lastSeen)")
            lines += entry.paths.map { describe($0, samples) }
            for person in people { lines += rows(entry.id, of: person).lines("\(entry.key) of \(person)") }
            lines += snapshotLines(snapshot(of: entry.id).runs(), table(entry.id), "\(entry.key)")
        }
        for person in people {
            var last: TimelineEntry?
            while true {
                let page = timeline(of: person, after: last, limit: 7)
                lines += page.map {
                    "\(person): \($0.name) \($0.timestamp) \($0.messageID) \($0.offset) \($0.sourceID)"
                }
                last = page.last
                if page.count < 7 { break }
            }
            for instant in [1_700_000_000_000, 1_700_003_600_000, 1_800_000_000_000] as [Int64] {
                lines += traits(of: person, at: Instant(milliseconds: instant))
                    .map {
                        "\(person) at \(instant): \($0.key) = \($0.value) \($0.timestamp) \($0.messageID) \($0.sourceID)"
                    }
            }
        }
        lines.append("\(statistics)")
        return lines
    }

    private func describe(_ path: PathCatalogueEntry, _ samples: Bool) -> String {
        "  \(path.path) ×\(path.count) \(path.types)\(samples ? " \(path.samples)" : "")"
    }

    /// The rows of a snapshot, put in order, by column.
    private func snapshotLines(_ runs: [Run], _ table: Table, _ name: String) -> [String] {
        var lines: [String] = []
        for run in runs where run.isSound {
            for (place, profile) in run.profiles.enumerated() where !run.removed.contains(profile) {
                let rows = Int(run.starts[place])..<Int(run.starts[place + 1])
                for root in [Table.Root.value, .context] {
                    let tree = root == .value ? table.values : table.context
                    for number in tree.columns.indices {
                        guard let column = run.column(root, number), column.isSound else { continue }
                        let path = "\(name) \(profile) \(root) \(tree.path(number, in: store.values.strings))"
                        var copied = [UInt64](repeating: 0, count: rows.count)
                        copied.withUnsafeMutableBufferPointer { buffer in
                            if let base = buffer.baseAddress { column.copy(rows, to: base) }
                        }
                        for row in rows {
                            let cell = column.cell(row)
                            if copied[row - rows.lowerBound] != cell.bits { lines.append("copy differs") }
                            if cell == .missing { continue }
                            if column.kinds & 1 << UInt16(cell.kind.rawValue) == 0 { lines.append("kind not told") }
                            lines.append("\(path) \(run.timestamps[row]) \(cell.kind) \(store.json(cell))")
                        }
                    }
                }
            }
        }
        return lines.sorted()
    }
}

extension RowSequence {
    func lines(_ name: String) -> [String] {
        (0..<count).map { index in
            let row = self[index]
            var line =
                "\(name) \(timestamp(index)) \(table.receivedAt(row)) \(table.messageID(row)) \(table.offset(row))"
            line += " \(table.profile(row)) \(table.store.text(table.source(row))) \(table.kind(row)?.name ?? "?")"
            for root in [Table.Root.value, .context] {
                let tree = root == .value ? table.values : table.context
                var cells: [String] = []
                for column in tree.columns.indices {
                    let cell = table.cells(root, column: column, of: self)[row]
                    if cell != table.cell(root, column: column, row: row) { cells.append("cells differ") }
                    guard cell != .missing else { continue }
                    let path = tree.path(column, in: table.store.values.strings)
                    cells.append("\(path):\(cell.kind)=\(table.json(root, column: column, row: row))")
                }
                line += " \(cells.sorted())"
            }
            return line
        }
    }
}

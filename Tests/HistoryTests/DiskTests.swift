import Foundation
import JSON
import Model
import TestSupport
import Testing

@testable import History

/// A directory that goes with its owner.
final class TestDirectory {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("history-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    var files: [String: Data] {
        var files: [String: Data] = [:]
        for name in HistoryFile.names(in: path) {
            files[name] = FileManager.default.contents(atPath: "\(path)/\(name)")
        }
        return files
    }

    func replace(with files: [String: Data]) throws {
        for name in HistoryFile.names(in: path) { HistoryFile.remove("\(path)/\(name)") }
        for (name, data) in files { try data.write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
    }
}

let isLong = ProcessInfo.processInfo.environment["MUSTER_LONG"] == "1"

extension History {
    static func replaying(_ log: some Sequence<Deed>) -> History {
        let history = History()
        for deed in log { deed.apply(to: history) }
        return history
    }

    func flush(position: Int64, ids: [SeenID] = []) throws {
        guard let flush = beginFlush(position: position, ids: ids) else { return }
        try finish(flush.run())
    }

    /// Takes removed profiles out of the files; the last step may find that it has to be done again.
    func clean(position: Int64) throws {
        if needsFlushBeforeCleaning { try flush(position: position) }
        while let rewrite = beginRewrite() { try finish(rewrite.run()) }
        if let sweep = beginTextSweep() { try finish(sweep.run()) }
    }

    func merge(everything: Bool = false) throws {
        guard let merge = beginMerge(unit: 10, everything: everything) else { return }
        try finish(merge.run())
    }
}

/// A flush and a merge that go on while rows come.
struct BackgroundWork {
    var flush: HistoryFlush?
    var merge: HistoryMerge?

    /// How many numbers `take` knows.
    static let steps = 8

    var isIdle: Bool { flush == nil && merge == nil }

    /// Begins or ends one of the two, as the number says, where that is possible.
    mutating func take(_ step: Int, _ history: History, position: Int64, _ random: inout SeededRandom) throws {
        switch step {
        case 0...3: if flush == nil { flush = history.beginFlush(position: position) }
        case 4...5:
            if let going = flush {
                try history.finish(going.run())
                flush = nil
            }
        case 6: if merge == nil { merge = history.beginMerge(unit: 10, everything: random.chance(30)) }
        case 7:
            if let going = merge {
                if random.chance(80) { try history.finish(going.run()) } else { history.abandon(going) }
                merge = nil
            }
        default: preconditionFailure("there is no step \(step)")
        }
    }

    func finish(_ history: History) throws {
        if let merge { try history.finish(merge.run()) }
        if let flush { try history.finish(flush.run()) }
    }
}

/// Goal: a History on disk answers what one in memory answers, whatever was flushed, merged, reopened and removed, and in
/// whatever order these came.
@Suite struct DiskTests {
    @Test(arguments: isLong ? Array(1...400) : Array(1...12) as [UInt64])
    func `Files answer like memory, through flushes, merges, restarts and removals`(seed: UInt64) throws {
        print("history on disk, seed \(seed)")
        var random = SeededRandom(seed: seed)
        let removals = seed % 2 == 0
        let log = Deed.log(150 + random.below(300), removals: removals, &random)
        let directory = try TestDirectory()
        // Of every other log what is put together is kept however little it is.
        func open() throws -> History {
            let history = try History(directory: directory.path)
            if seed % 4 > 1 { history.unions.minimumRows = 1 }
            return history
        }
        var history = try open()
        var work = BackgroundWork()
        var next = 0
        var rounds = 0
        while next < log.count {
            for _ in 0..<random.below(25) where next < log.count {
                log[next].apply(to: history)
                next += 1
            }
            switch random.below(10) {
            case let step where step < BackgroundWork.steps:
                try work.take(step, history, position: Int64(next), &random)
            case 8:
                // A stop without notice: what was begun is lost.
                if random.chance(40) {
                    history = try open()
                    work = BackgroundWork()
                    let position = history.storedPosition
                    for deed in log[Int(position)..<next] { deed.apply(to: history) }
                }
            case 9 where removals && work.isIdle && random.chance(50):
                try history.clean(position: Int64(next))
                // A sweep under way while rows come that may need what it drops.
                if random.chance(50), history.needsCleaning || next < log.count, let sweep = history.beginTextSweep() {
                    for _ in 0..<random.below(9) where next < log.count {
                        log[next].apply(to: history)
                        next += 1
                    }
                    if random.chance(50) { try history.flush(position: Int64(next)) }
                    try history.finish(sweep.run())
                }
            default:
                rounds += 1
                let plain = History.replaying(log[..<next])
                let (found, expected) = (history.picture(samples: !removals), plain.picture(samples: !removals))
                #expect(difference(found, expected) == [], "seed \(seed) after \(next) deeds")
                if found != expected { return }
            }
        }
        try work.finish(history)
        try history.flush(position: Int64(next))
        try history.clean(position: Int64(next))
        #expect(!history.needsCleaning)
        try history.merge(everything: true)
        let plain = History.replaying(log)
        #expect(difference(history.picture(samples: !removals), plain.picture(samples: !removals)) == [])
        let reopened = try History(directory: directory.path)
        #expect(reopened.storedPosition == Int64(log.count))
        #expect(difference(reopened.picture(samples: !removals), plain.picture(samples: !removals)) == [])
        reopened.verify()
        #expect(reopened.damage == nil)
        #expect(rounds > 0)
    }

    private func difference(_ found: [String], _ expected: [String]) -> [String] {
        let differences = found.difference(from: expected)
        return differences.prefix(6).map { change in
            switch change {
            case .insert(_, let line, _): "+ \(line)"
            case .remove(_, let line, _): "- \(line)"
            }
        }
    }

    @Test func `Message ids are found in all files, the last receipt first, until they are too old`() throws {
        let seed: UInt64 = 77
        var random = SeededRandom(seed: seed)
        let directory = try TestDirectory()
        var history = try History(directory: directory.path)
        var latest: [SeenID: Int64] = [:]
        func key(_ id: SeenID) -> SeenID { SeenID(high: id.high, low: id.low, receivedAt: 0) }
        for round in 0..<40 as Range<Int64> {
            var batch: [SeenID] = []
            for number in 0..<Int64(random.below(400)) {
                let old = random.chance(20) ? latest.keys.min { $0.low < $1.low } : nil
                let id = SeenID(
                    high: old?.high ?? (random.chance(10) ? 7 : random.next()), low: old?.low ?? random.next(),
                    receivedAt: round * 1000 + number)
                batch.append(id)
                latest[key(id)] = id.receivedAt
            }
            try history.flush(position: round + 1, ids: batch)
            if random.chance(30), let merge = history.beginMerge(unit: 50) { try history.finish(merge.run()) }
            if random.chance(20) { history = try History(directory: directory.path) }
            for (id, receivedAt) in latest {
                let found = history.seenIDs.reversed().lazy.compactMap { $0.find(high: id.high, low: id.low) }.first
                #expect(found == receivedAt, "seed \(seed), round \(round)")
            }
            #expect(history.seenIDs.allSatisfy { $0.find(high: random.next(), low: 1) == nil })
        }
        if let merge = history.beginMerge(unit: 50, everything: true, idsSince: 30_000) {
            try history.finish(merge.run())
        }
        history = try History(directory: directory.path)
        #expect(history.seenIDs.count == 1)
        #expect(history.seenIDs.first?.count == latest.values.count { $0 >= 30_000 })
        if let merge = history.beginMerge(unit: 50, everything: true, idsSince: 90_000) {
            try history.finish(merge.run())
        }
        try history.flush(position: 50, ids: [SeenID(high: 1, low: 1, receivedAt: 100_000)])
        if let merge = history.beginMerge(unit: 50, everything: true, idsSince: 90_000) {
            try history.finish(merge.run())
        }
        #expect(history.seenIDs.map(\.count) == [1])
        history.verify()
        #expect(history.damage == nil)
    }

    private func track(_ history: History, _ properties: JSONValue, of profile: UInt32, _ offset: Int64) {
        let call = Call(
            kind: .track, sourceID: "web", messageID: "m\(offset)", event: "A",
            timestamp: Instant(milliseconds: offset),
            receivedAt: Instant(milliseconds: offset), body: [])
        _ = history.insertEvent(
            call, body: ["properties": properties], offset: offset, profile: ProfileOrdinal(profile))
    }

    private func occurs(_ text: String, in directory: TestDirectory) -> [String] {
        directory.files.filter { $0.value.range(of: Data(text.utf8)) != nil }.map(\.key)
    }

    @Test func `Nothing of a removed profile is left in any file, and what others share stays`() throws {
        let directory = try TestDirectory()
        var history = try History(directory: directory.path)
        for number in 0..<60 as Range<Int64> {
            track(
                history,
                [
                    "own": .string("secret \(number)"), "shared": "everybody", "list": [.string("inner \(number)")],
                    "exact": try JSONValue(parsing: Array("0.12345678901234567890\(number)".utf8)),
                ],
                of: UInt32(number % 3), number)
            if number % 20 == 19 { try history.flush(position: number + 1, ids: []) }
        }
        track(history, ["own": "secret fresh", "shared": "everybody"], of: 1, 60)
        #expect(!occurs("secret 40", in: directory).isEmpty && !occurs("inner 40", in: directory).isEmpty)
        let pinned = history.store.intern("secret 43")
        history.remove(ProfileOrdinal(1))
        history.storeRemovals()
        #expect(try Manifest.read(in: directory.path).holdsRemoved)
        try history.clean(position: 61)
        #expect(!history.needsCleaning)
        for secret in ["secret 40", "inner 40", "0.1234567890123456789040", "secret fresh"] {
            #expect(occurs(secret, in: directory) == [], "\(secret)")
        }
        #expect(!occurs("secret 41", in: directory).isEmpty && !occurs("inner 41", in: directory).isEmpty)
        #expect(history.store.text(pinned) == "secret 43", "a query may know it by its code")
        let picture = history.picture(samples: false)
        history = try History(directory: directory.path)
        #expect(history.picture(samples: false) == picture)
        // What comes again gets a code of its own, also after the segments were merged.
        track(history, ["own": "secret 40"], of: 0, 61)
        try history.flush(position: 62)
        try history.merge(everything: true)
        history = try History(directory: directory.path)
        #expect(history.picture(samples: false).contains { $0.contains("secret 40") })
        let code = history.store.intern("secret 40")
        #expect(history.store.text(code) == "secret 40")
        history.verify()
        #expect(history.damage == nil)
    }

    @Test func `A text that comes again while it is being dropped is kept`() throws {
        let directory = try TestDirectory()
        let history = try History(directory: directory.path)
        track(history, ["own": "once"], of: 0, 0)
        track(history, ["own": "other"], of: 1, 1)
        try history.flush(position: 2)
        history.remove(ProfileOrdinal(0))
        while let rewrite = history.beginRewrite() { try history.finish(rewrite.run()) }
        let sweep = try #require(history.beginTextSweep())
        let swept = try sweep.run()
        track(history, ["own": "once"], of: 1, 2)
        try history.finish(swept)
        #expect(history.needsCleaning)
        try history.clean(position: 3)
        #expect(history.picture().contains { $0.contains("once") })
        try history.flush(position: 3)
        #expect(try History(directory: directory.path).picture() == history.picture())
    }

    @Test func `Every form of column gives its cells back`() throws {
        let count = 70_000
        let forms: [(RunColumn.Encoding, (Int) -> JSONValue)] = [
            (.constant, { _ in "x" }), (.codes8, { .string("s\($0 % 200)") }), (.codes16, { .string("s\($0 % 2000)") }),
            (.codes32, { $0 % 7 == 0 ? .null : .string("s\($0)") }), (.integers, { .number($0 - 100) }),
            (.cells, { .number(Double($0) / 7) }), (.sparse, { $0 % 5000 == 3 ? .number(Double($0) / 3) : .null }),
        ]
        let directory = try TestDirectory()
        var history = try History(directory: directory.path)
        for row in 0..<count {
            var members: [(key: String, value: JSONValue)] = []
            for (number, form) in forms.enumerated() {
                let value = form.1(row)
                if form.0 != .sparse || value != .null { members.append(("c\(number)", value)) }
            }
            let call = Call(
                kind: .track, sourceID: "web", messageID: "m\(row)", event: "A",
                timestamp: Instant(milliseconds: Int64(row)), receivedAt: Instant(milliseconds: Int64(row) * 2),
                body: [])
            _ = history.insertEvent(
                call, body: ["properties": .object(JSONObject(members))], offset: Int64(row), profile: ProfileOrdinal(0)
            )
        }
        try history.flush(position: Int64(count))
        history = try History(directory: directory.path)
        let rows = history.rows(history.eventID("A"), of: [ProfileOrdinal(0)])
        #expect(rows.count == count)
        for (number, form) in forms.enumerated() {
            let column = try #require(rows.table.column(.value, ColumnPath([.key("c\(number)")])))
            #expect(rows.table.runs[0].column(.value, column)?.encoding == form.0)
            let cells = rows.table.cells(.value, column: column, of: rows)
            var wrong = 0
            for index in stride(from: 0, to: count, by: 13)
            where history.store.json(cells[rows[index]]) != form.1(index) {
                wrong += 1
            }
            #expect(wrong == 0, "\(form.0)")
        }
        #expect(rows.table.messageID(rows[69_999]) == "m69999")
        #expect(rows.table.receivedAt(rows[69_999]) == 139_998)
    }

    @Test func `Neighbours of one size are merged, and no row many times`() {
        var sizes: [Int] = []
        var written = 0
        for _ in 0..<1000 {
            sizes.append(100)
            while let range = MergePolicy.pick(sizes, fanIn: 8, unit: 100, limit: 1 << 40) {
                let sum = sizes[range].reduce(0, +)
                written += sum
                sizes.replaceSubrange(range, with: [sum])
            }
        }
        #expect(sizes.count < 30)
        #expect(written <= 100_000 * 4)
        #expect(MergePolicy.pick([100, 100], fanIn: 8, unit: 100, limit: 1 << 40) == nil)
    }
}

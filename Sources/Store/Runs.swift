import GRDB

/// Sorted runs of entries in the file, and what of the journal is in them.
///
/// A commit adds one row to `journal`, which costs the same wherever its entries belong. Once 32 MB of rows have gathered,
/// they are sorted into a run of each kind. Runs of the present are merged into one when the younger ones hold as much as the
/// oldest, those of the past eight of a size at a time. So each byte is written a few times in order, where a row of a
/// B-tree would write a page of 4 KB at a random place, once for each index.
///
/// A run is chunks of about 64 KiB that are written in many short transactions; the last one makes it live and takes the
/// place of what it was made from. What is not needed any more is deleted in short transactions as well.
enum Runs {
    static let schema = """
        CREATE TABLE journal (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, state INTEGER NOT NULL,
            upto INTEGER NOT NULL, level INTEGER NOT NULL, bytes INTEGER NOT NULL);
        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
            bytes BLOB NOT NULL);
        CREATE INDEX chunks_of_run ON chunks (run, last);
        """

    enum State: Int64 {
        case building = 0
        case live = 1
        /// Replaced; its chunks are being deleted.
        case dead = 2
    }

    struct Run {
        let number: Int64
        /// The last row of the journal whose entries it holds.
        let upTo: Int64
        /// How often its entries have been merged.
        let level: Int64
        let bytes: Int64
    }

    /// Live runs, oldest first.
    static func live(_ db: Database, _ kind: EntryKind) throws -> [Run] {
        let statement = try RawStatement(
            db, "SELECT number, upto, level, bytes FROM runs WHERE kind = ? AND state = 1 ORDER BY upto, number")
        statement.bind(1, kind.rawValue)
        return try statement.all { Run(number: $0.int64(0), upTo: $0.int64(1), level: $0.int64(2), bytes: $0.int64(3)) }
    }

    /// The last row of the journal that is in runs. Rows up to it are leavings.
    static func sealed(_ db: Database) throws -> Int64 {
        try RawStatement(db, "SELECT max(upto) FROM runs WHERE state = 1").first { $0.int64(0) } ?? 0
    }

    /// The rows of the journal that are in no run.
    static func openRows(_ db: Database) throws -> [JournalTail.Row] {
        let statement = try RawStatement(db, "SELECT number, bytes FROM journal WHERE number > ? ORDER BY number")
        statement.bind(1, try sealed(db))
        return try statement.all { JournalTail.Row(number: $0.int64(0), bytes: $0.bytes(1)) }
    }

    static func chunkIDs(_ db: Database, of run: Run) throws -> [Int64] {
        let statement = try RawStatement(db, "SELECT id FROM chunks WHERE run = ? ORDER BY last, id")
        statement.bind(1, run.number)
        return try statement.all { $0.int64(0) }
    }

    static func chunk(_ db: Database, _ id: Int64) throws -> [UInt8] {
        let statement = try RawStatement(db, "SELECT bytes FROM chunks WHERE id = ?")
        statement.bind(1, id)
        guard let bytes = try statement.first({ $0.bytes(0) }) else { throw RunReplaced() }
        return bytes
    }

    /// All entries of a kind that count, in their order, as of the transaction.
    static func forEach(
        _ db: Database, _ kind: EntryKind, _ body: (PackedEntry, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var sources = try live(db, kind).map { run in
            var ids = try chunkIDs(db, of: run)[...]
            return try EntrySource(kind) { try ids.popFirst().map { try chunk(db, $0) } }
        }
        sources.append(try EntrySource(kind, chunks: try Journal.sorted(try openRows(db), kind)))
        try EntryMerge(kind, sources).forEach(body)
    }

    /// The entries of some profiles in one run, in their order.
    /// - Parameter ordinals: Ascending.
    static func forEach(
        _ db: Database, in run: Run, _ kind: EntryKind, of ordinals: [UInt32],
        _ body: (PackedEntry, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var index = 0
        // From each place where the next of them may be; neighbours follow without another search.
        while index < ordinals.count {
            let statement = try RawStatement(
                db, "SELECT first, last, bytes FROM chunks WHERE run = ? AND last >= ? ORDER BY last, id")
            statement.bind(1, run.number)
            statement.bind(2, ordinals[index])
            var isThrough = true
            try statement.walk { row in
                let (first, last) = (row.uint32(0), row.uint32(1))
                while index < ordinals.count, ordinals[index] < first { index += 1 }
                guard index < ordinals.count else { return false }
                guard ordinals[index] <= last else {
                    isThrough = false
                    return false
                }
                try row.withBytes(2) { bytes in
                    var walk = EntryWalk(bytes, kind)
                    while let entry = try walk.next() {
                        while index < ordinals.count, ordinals[index] < entry.ordinal { index += 1 }
                        guard index < ordinals.count else { return }
                        if ordinals[index] == entry.ordinal { try body(entry, bytes) }
                    }
                }
                // The last one's entries may go on in the next chunk.
                return index < ordinals.count
            }
            if isThrough { return }
        }
    }
}

/// A run was replaced or cut while it was read: begin again, or give up.
struct RunReplaced: Error {}

extension Runs {
    /// Takes the entries of some profiles out of the journal and the live runs, and whatever else may hold some out of the
    /// file. Returns the rows of the journal that changed.
    static func erase(_ db: Database, _ ordinals: Set<UInt32>) throws -> [Int64: [UInt8]] {
        let sealed = try sealed(db)
        // Runs that are being built, too: their builders notice and begin again.
        try RawStatement(db, "DELETE FROM chunks WHERE run IN (SELECT number FROM runs WHERE state <> 1)").run()
        try RawStatement(db, "DELETE FROM runs WHERE state <> 1").run()
        let leavings = try RawStatement(db, "DELETE FROM journal WHERE number <= ?")
        leavings.bind(1, sealed)
        try leavings.run()

        var changed: [Int64: [UInt8]] = [:]
        for row in try openRows(db) { changed[row.number] = try Journal.row(row.bytes, without: ordinals) }
        let update = try RawStatement(db, "UPDATE journal SET bytes = ? WHERE number = ?")
        for (number, bytes) in changed {
            bytes.withUnsafeBytes { update.bind(1, blob: $0) }
            update.bind(2, number)
            try update.run()
        }
        for kind in EntryKind.allCases {
            for run in try live(db, kind) { try erase(db, ordinals, in: run, kind) }
        }
        return changed
    }

    private static func erase(_ db: Database, _ ordinals: Set<UInt32>, in run: Run, _ kind: EntryKind) throws {
        var ids: Set<Int64> = []
        let find = try RawStatement(
            db, "SELECT id, first FROM chunks WHERE run = ? AND last >= ? ORDER BY last, id")
        for ordinal in ordinals {
            find.bind(1, run.number)
            find.bind(2, ordinal)
            try find.walk {
                guard $0.uint32(1) <= ordinal else { return false }
                ids.insert($0.int64(0))
                return true
            }
        }
        for id in ids {
            let bytes = try chunk(db, id)
            let writer = PackWriter(capacity: bytes.count)
            try bytes.withUnsafeBytes { bytes in
                var walk = EntryWalk(bytes, kind)
                while let entry = try walk.next() {
                    if ordinals.contains(entry.ordinal) { continue }
                    writer.put(UnsafeRawBufferPointer(rebasing: bytes[entry.whole]))
                }
            }
            // Its bounds stay: they only say where to look.
            let update = try RawStatement(
                db,
                writer.count == 0 ? "DELETE FROM chunks WHERE id = ?1" : "UPDATE chunks SET bytes = ?2 WHERE id = ?1")
            update.bind(1, id)
            if writer.count > 0 { writer.bytes.withUnsafeBytes { update.bind(2, blob: $0) } }
            try update.run()
        }
    }
}

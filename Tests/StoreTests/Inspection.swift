import GRDB

@testable import Store

extension StateStore {
    /// What `PRAGMA synchronous` reads on the connection that writes: 2 is FULL.
    func synchronousMode() throws -> Int? {
        try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
    }

    func rowCount(_ table: String, where condition: String = "true") throws -> Int? {
        try pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table) WHERE \(condition)") }
    }

    /// How many entries of a kind count, of everybody or of one profile.
    func entryCount(_ kind: EntryKind, of ordinal: UInt32? = nil) throws -> Int {
        try pool.read { db in
            var count = 0
            try Runs.forEach(db, kind) { entry, _ in
                if ordinal == nil || entry.ordinal == ordinal { count += 1 }
            }
            return count
        }
    }

    /// Everything that stands in chunks and rows of the journal, whether it counts or not.
    func storedBytes() throws -> [[UInt8]] {
        try pool.read { db in
            try RawStatement(db, "SELECT bytes FROM chunks UNION ALL SELECT bytes FROM journal").all { $0.bytes(0) }
        }
    }
}

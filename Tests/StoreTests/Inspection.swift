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
}

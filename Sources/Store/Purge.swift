import GRDB

extension StateStore {
    /// Deletes up to about `limit` rows that deleted computations and destinations left behind, in one short
    /// transaction. True while more are left; call it between other work until it is false.
    public func purge(limit: Int = 10_000) throws -> Bool {
        try pool.write { db in
            var rest = limit
            for (marks, column, tables) in [
                ("deleted_computations", "computation", ["wakeups", "computed_values", "transitions", "backfills"]),
                (
                    "deleted_destinations", "destination",
                    ["outbox", "ledger", "attempt_emissions", "attempts", "destination_status", "destination_counts"]
                ),
            ] {
                let numbers = try RawStatement(db, "SELECT number FROM \(marks)").all { $0.int64(0) }
                for number in numbers {
                    for table in tables where rest > 0 {
                        rest -= try delete(from: table, where: column, is: number, limit: rest, db)
                    }
                    guard rest > 0 else { return true }
                    let done = try RawStatement(db, "DELETE FROM \(marks) WHERE number = ?")
                    done.bind(1, number)
                    try done.run()
                }
            }
            return false
        }
    }

    private func delete(from table: String, where column: String, is number: Int64, limit: Int, _ db: Database)
        throws -> Int
    {
        // Tables without rowid are addressed by the rest of their primary key.
        let key =
            switch table {
            case "wakeups", "computed_values": "computation, ordinal"
            case "ledger": "destination, external_id, attribute"
            default: "rowid"
            }
        let statement = try RawStatement(
            db,
            "DELETE FROM \(table) WHERE (\(key)) IN (SELECT \(key) FROM \(table) WHERE \(column) = ?1 LIMIT ?2)")
        statement.bind(1, number)
        statement.bind(2, limit)
        return try statement.run()
    }
}

import GRDB

extension StateStore {
    /// Deletes up to about `limit` rows that deleted computations and destinations left behind, in one short
    /// transaction. True while more are left; call it between other work until it is false.
    public func purge(limit: Int = 10_000) throws -> Bool {
        try pool.write { db in
            var rest = limit
            for (marks, leftovers) in [
                ("deleted_computations", Self.leftoversOfComputations),
                ("deleted_destinations", Self.leftoversOfDestinations),
            ] {
                let numbers = try RawStatement(db, "SELECT number FROM \(marks)").all { $0.int64(0) }
                for number in numbers {
                    for (table, key, condition) in leftovers where rest > 0 {
                        let statement = try RawStatement(
                            db,
                            """
                            DELETE FROM \(table) WHERE (\(key)) IN
                                (SELECT \(key) FROM \(table) WHERE \(condition) LIMIT ?2)
                            """)
                        statement.bind(1, number)
                        statement.bind(2, rest)
                        rest -= try statement.run()
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

    // Values, wake-ups and transitions of computations that are gone fall out of runs when those are merged.
    // Tables without rowid are addressed by their primary key. Each condition can use an index.
    private static let leftoversOfComputations = [
        ("backfills", "rowid", "computation = ?1")
    ]
    private static let leftoversOfDestinations = [
        ("outbox", "rowid", "destination = ?1 AND parked_reason IS NULL"),
        ("outbox", "rowid", "destination = ?1 AND parked_reason IS NOT NULL"),
        ("ledger", "destination, external_id, attribute", "destination = ?1"),
        ("attempt_records", "rowid", "attempt IN (SELECT id FROM attempts WHERE destination = ?1)"),
        ("attempts", "rowid", "destination = ?1"), ("destination_status", "rowid", "destination = ?1"),
        ("destination_counts", "rowid", "destination = ?1"),
        ("data_points", "destination, computation_id, day", "destination = ?1"),
        ("change_counts", "destination, computation_id, hour", "destination = ?1"),
        ("spikes", "destination, computation_id", "destination = ?1"),
    ]
}

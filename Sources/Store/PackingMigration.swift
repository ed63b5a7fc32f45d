import GRDB
import JSON
import Model

/// Brings values, wake-ups, activity and transitions of files of earlier versions, a row each, into runs.
struct PackingMigration {
    let db: Database

    func run() throws {
        try db.execute(sql: Runs.schema)
        try pack(
            .present,
            """
            SELECT ordinal, 2 * computation AS slot, value, changed_at AS a, transition_number AS b, emitted_ids AS c,
                NULL AS d FROM computed_values
            UNION ALL SELECT ordinal, 2 * computation + 1, NULL, due, NULL, NULL, NULL FROM wakeups
            UNION ALL SELECT ordinal, 0, NULL, updated_at, last_message_id, last_source_id, NULL FROM activity
            ORDER BY 1, 2
            """
        ) { writer, row in
            let ordinal = row.ordinal(0)
            let slot = row.uint32(1)
            switch Slot.computation(slot) {
            case nil:
                writer.put(
                    ProfileActivity(
                        ordinal: ordinal, updatedAt: row.instant(3), lastMessageID: row.string(4),
                        lastSourceID: row.string(5)))
            case let computation? where Slot.isWakeup(slot):
                writer.put(
                    WakeupRow(computationID: "", ordinal: ordinal, due: row.instant(3)), computation: computation)
            case let computation?:
                writer.put(
                    ComputedValueRow(
                        computationID: "", ordinal: ordinal, value: try row.json(2), changedAt: row.instant(3),
                        transition: row.int64(4), emittedIDs: UInt64(bitPattern: row.int64(5))),
                    computation: computation)
            }
        }
        try pack(
            .past, "SELECT ordinal, id, computation, value, at, log_offset, cause FROM transitions ORDER BY ordinal, id"
        ) { writer, row in
            writer.put(
                TransitionRow(
                    id: row.int64(1), computationID: "", ordinal: row.ordinal(0), value: try row.json(3),
                    at: row.instant(4), offset: row.int64(5), cause: row.string(6)), computation: row.int64(2))
        }
        for table in ["computed_values", "wakeups", "activity", "transitions"] {
            try db.execute(sql: "DROP TABLE \(table)")
        }
    }

    private func pack(_ kind: EntryKind, _ sql: String, _ put: (PackWriter, RawRow) throws -> Void) throws {
        let run = try RawStatement(
            db, "INSERT INTO runs (kind, state, upto, level, bytes) VALUES (?, 1, 0, 1, 0)")
        run.bind(1, kind.rawValue)
        var made: Int64?
        let insert = try RawStatement(db, "INSERT INTO chunks (run, first, last, bytes) VALUES (?, ?, ?, ?)")
        let collector = ChunkCollector()
        func store() throws {
            for chunk in collector.take() {
                if made == nil {
                    try run.run()
                    made = db.lastInsertedRowID
                }
                insert.bind(1, made)
                insert.bind(2, chunk.first)
                insert.bind(3, chunk.last)
                chunk.bytes.withUnsafeBytes { insert.bind(4, blob: $0) }
                try insert.run()
            }
        }
        let writer = PackWriter()
        try RawStatement(uncached: sql, db).forEach { row in
            writer.removeAll()
            try put(writer, row)
            try writer.bytes.withUnsafeBytes { bytes in
                var walk = EntryWalk(bytes, kind)
                if let entry = try walk.next() { collector.append(entry, bytes) }
            }
            try store()
        }
        collector.close()
        try store()
        guard let made else { return }
        let size = try RawStatement(
            db,
            "UPDATE runs SET bytes = (SELECT coalesce(sum(length(bytes)), 0) FROM chunks WHERE run = ?1) WHERE number = ?1"
        )
        size.bind(1, made)
        try size.run()
    }
}

import GRDB
import JSON
public import Model

/// Orders about people's data, and whose calls are turned away.
struct RegulationWriter {
    let db: Database

    func write(_ changes: StateChanges) throws {
        for regulation in changes.regulations {
            let statement = try RawStatement(
                db,
                """
                INSERT INTO regulations (id, json, is_finished) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET json = excluded.json, is_finished = excluded.is_finished
                """)
            statement.bind(1, regulation.id)
            statement.bind(2, regulation.json)
            statement.bind(3, Int64(regulation.finishedAt == nil ? 0 : 1))
            try statement.run()
        }
        for (ids, sql) in [
            (changes.suppressed, "INSERT OR IGNORE INTO suppressions VALUES (?)"),
            (changes.unsuppressed, "DELETE FROM suppressions WHERE user_id = ?"),
        ] {
            for id in ids {
                let statement = try RawStatement(db, sql)
                statement.bind(1, id)
                try statement.run()
            }
        }
    }

    /// Those that are not finished, oldest first.
    func open() throws -> [Regulation] {
        try RawStatement(db, "SELECT json FROM regulations WHERE is_finished = 0 ORDER BY number").all {
            try Regulation(json: try $0.json(0))
        }
    }
}

extension StateStore {
    /// Regulations, newest first. `number` of the last one is where the next page begins.
    public func regulations(before number: Int64? = nil, limit: Int) throws -> [(number: Int64, regulation: Regulation)]
    {
        try read { db in
            let statement = try RawStatement(
                db, "SELECT number, json FROM regulations WHERE number < ? ORDER BY number DESC LIMIT ?")
            statement.bind(1, number ?? .max)
            statement.bind(2, Int64(limit))
            return try statement.all { ($0.int64(0), try Regulation(json: try $0.json(1))) }
        }
    }

    public func regulation(id: String) throws -> Regulation? {
        try read { db in
            let statement = try RawStatement(db, "SELECT json FROM regulations WHERE id = ?")
            statement.bind(1, id)
            return try statement.first { try Regulation(json: try $0.json(0)) }
        }
    }
}

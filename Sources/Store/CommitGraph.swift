import GRDB
import Model

/// Writes the rows of the identity graph.
struct GraphWriter {
    private let db: Database

    init(_ db: Database) { self.db = db }

    func write(_ changes: StateChanges) throws {
        try write(profiles: changes.profiles)
        try write(identifiers: changes.identifiers)
        try write(merges: changes.merges)
        try write(links: changes.links)
        try remove(identifiers: changes.removedIdentifiers)
    }

    private func write(profiles: [ProfileRow]) throws {
        guard !profiles.isEmpty else { return }
        let statement = try RawStatement(db, "INSERT INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?)")
        for row in profiles {
            statement.bind(1, row.ordinal)
            statement.bind(2, row.collection.rawValue)
            statement.bind(3, row.segmentID)
            statement.bind(4, row.createdAt)
            statement.bind(5, row.firstMessageID)
            statement.bind(6, row.firstSourceID)
            statement.bind(7, row.mergedInto.map { Int64($0.rawValue) })
            try statement.run()
        }
    }

    private func write(identifiers: [IdentifierRow]) throws {
        guard !identifiers.isEmpty else { return }
        let statement = try RawStatement(db, "INSERT INTO identifiers VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        for row in identifiers {
            statement.bind(1, row.sequence)
            statement.bind(2, row.identifier.collection.rawValue)
            statement.bind(3, row.identifier.type)
            statement.bind(4, row.identifier.value)
            statement.bind(5, row.owner)
            statement.bind(6, row.createdAt)
            statement.bind(7, row.sourceID)
            statement.bind(8, row.firstMessageID)
            try statement.run()
        }
    }

    private func write(merges: [MergeRow]) throws {
        guard !merges.isEmpty else { return }
        let record = try RawStatement(db, "INSERT INTO merges VALUES (?, ?, ?, ?, ?)")
        let point = try RawStatement(db, "UPDATE profiles SET merged_into = ?2 WHERE ordinal = ?1")
        // What was merged into the absorbed profile before now stands for the survivor too (spec §4.6).
        let repoint = try RawStatement(db, "UPDATE profiles SET merged_into = ?2 WHERE merged_into = ?1")
        for row in merges {
            record.bind(1, row.absorbed)
            record.bind(2, row.survivor)
            record.bind(3, row.at)
            record.bind(4, row.offset)
            record.bind(5, row.messageID)
            try record.run()
            for statement in [repoint, point] {
                statement.bind(1, row.absorbed)
                statement.bind(2, row.survivor)
                try statement.run()
            }
        }
    }

    private func write(links: [LinkRow]) throws {
        guard !links.isEmpty else { return }
        let statement = try RawStatement(db, "INSERT OR IGNORE INTO links VALUES (?, ?, ?)")
        for row in links {
            statement.bind(1, row.user)
            statement.bind(2, row.account)
            statement.bind(3, row.createdAt)
            try statement.run()
        }
    }

    private func remove(identifiers: [Identifier]) throws {
        for identifier in identifiers {
            for sql in [
                "DELETE FROM identifiers WHERE collection = ? AND type = ? AND value = ?",
                "DELETE FROM identity_issues WHERE collection = ? AND type = ? AND value = ?",
            ] {
                let statement = try RawStatement(db, sql)
                statement.bind(1, identifier.collection.rawValue)
                statement.bind(2, identifier.type)
                statement.bind(3, identifier.value)
                try statement.run()
            }
        }
    }
}

/// Erases profiles with every row kept under their numbers (spec: collection §6.4). `Runs.erase` takes out entries.
struct ProfileEraser {
    private let db: Database

    init(_ db: Database) { self.db = db }

    func erase(_ profiles: [ProfileOrdinal]) throws {
        guard !profiles.isEmpty else { return }
        try eraseAttempts(profiles)
        for profile in profiles {
            // Issues may name ids that never reached the profile: those go by value, before the mappings do.
            try run(
                """
                DELETE FROM identity_issues WHERE ordinal = ?1 OR (collection, type, value) IN
                    (SELECT collection, type, value FROM identifiers WHERE owner = ?1)
                """, profile)
            for sql in [
                "DELETE FROM outbox WHERE ordinal = ?1",
                "DELETE FROM identifiers WHERE owner = ?1", "DELETE FROM links WHERE user = ?1",
                "DELETE FROM links WHERE account = ?1", "DELETE FROM merges WHERE absorbed = ?1",
                "DELETE FROM merges WHERE survivor = ?1", "DELETE FROM profiles WHERE ordinal = ?1",
            ] { try run(sql, profile) }
        }
    }

    /// The bodies of requests that were about these people, and what attempts meant for them.
    private func eraseAttempts(_ profiles: [ProfileOrdinal]) throws {
        let ordinals = Set(profiles.map(\.rawValue))
        var concerned: [(attempt: Int64, rest: [AttemptEmissionRow])] = []
        try RawStatement(db, "SELECT attempt, emissions FROM attempt_records").forEach { row in
            row.withBytes(1) { blob in
                guard AttemptRecord.holds(ordinals, blob) else { return }
                let rows = AttemptRecord.decode(blob, attempt: row.int64(0), destinationID: "")
                concerned.append((row.int64(0), rows.filter { !ordinals.contains($0.profile.rawValue) }))
            }
        }
        let clear = try RawStatement(db, "UPDATE attempts SET request = NULL, response = NULL WHERE id = ?")
        let shorten = try RawStatement(db, "UPDATE attempt_records SET emissions = ? WHERE attempt = ?")
        for (attempt, rest) in concerned {
            clear.bind(1, attempt)
            try clear.run()
            AttemptRecord.encode(rest).withUnsafeBytes { shorten.bind(1, blob: $0) }
            shorten.bind(2, attempt)
            try shorten.run()
        }
    }

    private func run(_ sql: String, _ profile: ProfileOrdinal) throws {
        let statement = try RawStatement(db, sql)
        statement.bind(1, profile)
        try statement.run()
    }
}

import GRDB
import JSON
import Model
import Synchronization

extension StateStore {
    /// Writes the changes in one transaction, all or nothing. Returns after they are on disk.
    ///
    /// Rows that stand for the present (values, wake-ups, backfills, definitions, activity) replace what was there;
    /// rows that stand for something that happened (profiles, mappings, merges, transitions, applied) must be new.
    public func commit(_ changes: StateChanges) throws {
        let touchesNumbers =
            !(changes.computations.isEmpty && changes.destinations.isEmpty && changes.deletedComputations.isEmpty
            && changes.deletedDestinations.isEmpty)
        let removed = Set(changes.deletedProfiles.map(\.rawValue))
        let number = tail.withLock(\.next)
        let (row, erased) = try transaction(definitions: { db in
            try DefinitionWriter(db).write(changes)
            return touchesNumbers
        }) { db, numbers -> ([UInt8]?, [Int64: [UInt8]]) in
            try GraphWriter(db).write(changes)
            try write(backfills: changes.backfills, db, numbers)
            var row = try Journal.encode(changes, numbers)
            if !removed.isEmpty, let complete = row { row = try Journal.row(complete, without: removed) ?? complete }
            try write(journal: row, number, db)
            try EmissionWriter(db: db, numbers: numbers).write(changes.emissions)
            try ProgressWriter(db: db, issuesKept: retention.issues).write(changes)
            try DefinitionWriter(db).delete(changes)
            try ProfileEraser(db).erase(changes.deletedProfiles)
            try RegulationWriter(db: db).write(changes)
            // The deletions came after the numbers were read.
            if touchesNumbers { self.numbers.withLock { $0 = nil } }
            return (row, removed.isEmpty ? [:] : try Runs.erase(db, removed))
        }
        let waiting = tail.withLock { tail in
            if let row { tail.append(row) }
            if !erased.isEmpty { tail.replace(erased) }
            return tail.byteCount
        }
        guard waiting >= retention.journalBytes else { return }
        upkeep.schedule(self)
        // Memory must not grow when changes come faster than they can be sorted.
        guard waiting >= 4 * retention.journalBytes else { return }
        upkeep.drain()
        if let failure = upkeep.failure { throw StoreError.runsNotWritten(failure) }
    }

    private func write(journal row: [UInt8]?, _ number: Int64, _ db: Database) throws {
        guard let row else { return }
        let statement = try RawStatement(db, "INSERT INTO journal VALUES (?, ?)")
        statement.bind(1, number)
        row.withUnsafeBytes { statement.bind(2, blob: $0) }
        try statement.run()
    }

    private func write(backfills: [BackfillRow], _ db: Database, _ numbers: Numbers) throws {
        guard !backfills.isEmpty else { return }
        let statement = try RawStatement(db, "INSERT OR REPLACE INTO backfills VALUES (?, ?, ?, ?, ?)")
        for row in backfills {
            statement.bind(1, try numbers.computation(row.computationID))
            statement.bind(2, row.asOf)
            statement.bind(3, row.nextOrdinal)
            statement.bind(4, row.endOrdinal)
            statement.bind(5, row.isFinished)
            try statement.run()
        }
    }
}

private struct DefinitionWriter {
    let db: Database

    init(_ db: Database) { self.db = db }

    func write(_ changes: StateChanges) throws {
        try put(changes.sources.map { ($0.id, $0.json) }, into: "sources")
        try put(changes.destinations.map { ($0.id, $0.json) }, into: "destinations")
        try put(changes.computations.map { ($0.id, $0.json) }, into: "computations")
    }

    private func put(_ rows: [(id: String, json: JSONValue)], into table: String) throws {
        guard !rows.isEmpty else { return }
        let statement = try RawStatement(
            db, "INSERT INTO \(table) (id, json) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json")
        for row in rows {
            statement.bind(1, row.id)
            statement.bind(2, row.json)
            try statement.run()
        }
    }

    func delete(_ changes: StateChanges) throws {
        try delete(changes.deletedSources, from: "sources", leavingRows: false)
        try delete(changes.deletedDestinations, from: "destinations", leavingRows: true)
        try delete(changes.deletedComputations, from: "computations", leavingRows: true)
    }

    private func delete(_ ids: [String], from table: String, leavingRows: Bool) throws {
        for id in ids {
            if leavingRows {
                let mark = try RawStatement(
                    db, "INSERT INTO deleted_\(table) (number) SELECT number FROM \(table) WHERE id = ?")
                mark.bind(1, id)
                try mark.run()
            }
            let statement = try RawStatement(db, "DELETE FROM \(table) WHERE id = ?")
            statement.bind(1, id)
            try statement.run()
        }
    }
}

struct EmissionWriter {
    let db: Database
    let numbers: Numbers

    func write(_ emissions: [Emission]) throws {
        guard !emissions.isEmpty else { return }
        let statement = try RawStatement(
            db,
            """
            INSERT INTO outbox (
                destination, ordinal, computation_id, computation_key, kind, message_id, at, payload, origin)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id, destination, kind) DO NOTHING
            """)
        for emission in emissions {
            statement.bind(1, try numbers.destination(emission.destinationID))
            statement.bind(2, emission.profile)
            statement.bind(3, emission.computationID)
            statement.bind(4, emission.computationKey)
            statement.bind(5, emission.kind.rawValue)
            statement.bind(6, emission.messageID)
            statement.bind(7, emission.timestamp)
            statement.bind(8, utf8: emission.payload)
            statement.bind(9, emission.origin.rawValue)
            try statement.run()
        }
    }
}

private struct ProgressWriter {
    let db: Database
    let issuesKept: Int

    func write(_ changes: StateChanges) throws {
        try write(position: changes.position, engineNow: changes.engineNow)
        for (key, value) in changes.meta {
            let statement = try RawStatement(db, "INSERT OR REPLACE INTO meta VALUES (?, ?)")
            statement.bind(1, key)
            statement.bind(2, value)
            try statement.run()
        }
        for (name, increment) in changes.counters {
            let statement = try RawStatement(
                db,
                "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value")
            statement.bind(1, name)
            statement.bind(2, increment)
            try statement.run()
        }
        try write(applied: changes.applied)
        try write(issues: changes.issues)
    }

    private func write(position: Int64?, engineNow: Instant?) throws {
        guard position != nil || engineNow != nil else { return }
        let statement = try RawStatement(
            db, "UPDATE progress SET position = coalesce(?, position), engine_now = coalesce(?, engine_now)")
        statement.bind(1, position)
        statement.bind(2, engineNow)
        try statement.run()
    }

    private func write(applied: [AppliedRow]) throws {
        guard !applied.isEmpty else { return }
        let statement = try RawStatement(db, "INSERT INTO applied VALUES (?, ?, ?, ?, ?)")
        for row in applied where row.count > 0 {
            statement.bind(1, row.firstOffset)
            statement.bind(2, row.count)
            statement.bind(3, row.receivedAt)
            PackedNumbers.bind(row.messageHashes, to: statement, at: 4)
            PackedNumbers.bind(row.ordinals, to: statement, at: 5)
            try statement.run()
        }
    }

    private func write(issues: [IdentityIssue]) throws {
        guard !issues.isEmpty else { return }
        let statement = try RawStatement(
            db,
            """
            INSERT INTO identity_issues (
                kind, collection, type, value, ordinal, at, log_offset, message_id, source_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        for issue in issues.suffix(issuesKept) {
            statement.bind(1, issue.kind.rawValue)
            statement.bind(2, issue.identifier?.collection.rawValue)
            statement.bind(3, issue.identifier?.type)
            statement.bind(4, issue.identifier?.value)
            statement.bind(5, issue.profile.map { Int64($0.rawValue) })
            statement.bind(6, issue.at)
            statement.bind(7, issue.offset)
            statement.bind(8, issue.messageID)
            statement.bind(9, issue.sourceID)
            try statement.run()
        }
        let trim = try RawStatement(
            db, "DELETE FROM identity_issues WHERE id <= (SELECT max(id) FROM identity_issues) - ?")
        trim.bind(1, issuesKept)
        try trim.run()
    }
}

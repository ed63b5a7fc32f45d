import GRDB
public import JSON
import Model

// Delivery's side: the outbox, the record of attempts, the ledger of acknowledged values.

extension StateStore {
    /// Emissions that wait for a destination and are neither parked nor held, in their order, beginning after a sequence.
    public func pending(destinationID: String, after sequence: Int64 = 0, limit: Int) throws -> [OutboxRow] {
        try read { db in
            guard let destination = try Self.number(db, destinationID) else { return [] }
            let held = try RawStatement(
                db, "SELECT 1 FROM spikes WHERE destination = ? AND state = 'held' LIMIT 1")
            held.bind(1, destination)
            let isAnyHeld = try held.first { _ in true } != nil
            let statement = try RawStatement(
                db,
                """
                SELECT sequence, ordinal, computation_id, computation_key, kind, message_id, at, payload, attempts, origin
                FROM outbox WHERE destination = ?1 AND parked_reason IS NULL AND sequence > ?2
                """
                    + (isAnyHeld
                        ? """
                        AND computation_id NOT IN
                            (SELECT computation_id FROM spikes WHERE destination = ?1 AND state = 'held')
                        """ : "") + " ORDER BY sequence LIMIT ?3")
            statement.bind(1, destination)
            statement.bind(2, sequence)
            statement.bind(3, limit)
            var rows: [OutboxRow] = []
            rows.reserveCapacity(min(limit, 10_000))
            // Neighbours mostly share these.
            var (computationID, computationKey) = ("", "")
            try statement.forEach { row in
                if !row.isText(2, computationID) { computationID = row.string(2) }
                if !row.isText(3, computationKey) { computationKey = row.string(3) }
                rows.append(
                    OutboxRow(
                        emission: Emission(
                            sequence: row.int64(0), destinationID: destinationID, computationID: computationID,
                            computationKey: computationKey, profile: row.ordinal(1),
                            kind: try row.case(4, of: Emission.Kind.self), messageID: row.string(5),
                            timestamp: row.instant(6), payload: row.bytes(7),
                            origin: Emission.Origin(rawValue: row.int(9)) ?? .change), attempts: row.int(8)))
            }
            return rows
        }
    }

    private static func number(_ db: Database, _ destinationID: String) throws -> Int64? {
        let number = try RawStatement(db, "SELECT number FROM destinations WHERE id = ?")
        number.bind(1, destinationID)
        return try number.first { $0.int64(0) }
    }

    /// Writes one step of delivery in one transaction; returns the id of its attempt, if it had one. Does nothing
    /// where the destination was deleted meanwhile.
    @discardableResult
    public func record(_ changes: DeliveryChanges) throws -> Int64? {
        try transaction { db, numbers in try write([changes], db, numbers) }
    }

    /// Writes several steps of one destination, in their order, in one transaction.
    public func record(_ steps: [DeliveryChanges]) throws {
        precondition(steps.allSatisfy { $0.destinationID == steps[0].destinationID }, "the steps of one destination")
        try transaction { db, numbers in _ = try write(steps, db, numbers) }
    }

    /// Returns the id of the newest attempt.
    private func write(_ steps: [DeliveryChanges], _ db: Database, _ numbers: Numbers) throws -> Int64? {
        guard let id = steps.first?.destinationID, let destination = try? numbers.destination(id) else { return nil }
        let writer = DeliveryWriter(db: db, destination: destination, retention: retention)
        var newest: Int64?
        for changes in steps {
            newest = try writer.write(attempt: changes.attempt, emissions: changes.emissions) ?? newest
            try writer.park(changes.parked, at: changes.at)
            try writer.acknowledge(changes)
            try writer.tally(changes)
        }
        try writer.settle(steps)
        if let newest { try writer.trim(newest: newest) }
        return newest
    }

    /// The acknowledged values among the keys.
    public func acknowledgedValues(destinationID: String, _ keys: some Collection<LedgerKey>) throws
        -> [LedgerKey: JSONValue]
    {
        var values: [LedgerKey: JSONValue] = [:]
        try readLedger(destinationID: destinationID) { ledger in
            for key in keys {
                if let value = try ledger.value(of: key.externalID, key.attribute) { values[key] = value }
            }
        }
        return values
    }

    /// Lets look up what a destination has acknowledged, in one reading.
    public func readLedger(destinationID: String, _ body: (LedgerReader) throws -> Void) throws {
        try read { db in
            guard let destination = try Self.number(db, destinationID) else { return }
            try body(
                LedgerReader(
                    destination: destination,
                    statement: RawStatement(
                        db, "SELECT value FROM ledger WHERE destination = ? AND external_id = ? AND attribute = ?")))
        }
    }

    /// Forgets what a destination has acknowledged, of all its users or of those named, so that it is sent again.
    public func forgetAcknowledgedValues(destinationID: String, externalIDs: [String]? = nil) throws {
        try transaction { db, numbers in
            let all = "DELETE FROM ledger WHERE destination = ?1"
            let statement = try RawStatement(db, externalIDs == nil ? all : all + " AND external_id = ?2")
            statement.bind(1, try numbers.destination(destinationID))
            guard let externalIDs else {
                try statement.run()
                return
            }
            for externalID in externalIDs {
                statement.bind(2, externalID)
                try statement.run()
            }
        }
    }

    /// Forgets what a destination has acknowledged of people, whatever it names them by: their ids stand behind a colon of
    /// the name (`external_id:u1`, `email:…` in any case, `user_alias:label:a1`). Whose name happens to end like one of
    /// them is merely told once more. Reads all names of the destination.
    public func forgetAcknowledgedValues(destinationID: String, ofIDs ids: Set<String>) throws {
        var names: [String] = []
        try read { db in
            guard let destination = try Self.number(db, destinationID) else { return }
            let statement = try RawStatement(db, "SELECT DISTINCT external_id FROM ledger WHERE destination = ?")
            statement.bind(1, destination)
            try statement.forEach {
                let name = $0.string(0)
                let isTheirs = name.indices.contains { index in
                    guard name[index] == ":" else { return false }
                    let id = String(name[name.index(after: index)...])
                    return ids.contains(id) || ids.contains(id.lowercased())
                }
                if isTheirs { names.append(name) }
            }
        }
        if !names.isEmpty { try forgetAcknowledgedValues(destinationID: destinationID, externalIDs: names) }
    }

    /// Pauses a destination with a reason in words, or resumes it with `nil`. Does nothing where it was deleted.
    public func setPause(_ pause: DestinationPause?, destinationID: String) throws {
        try transaction { db, numbers in
            guard let destination = try? numbers.destination(destinationID) else { return }
            let statement = try RawStatement(
                db,
                pause == nil
                    ? "DELETE FROM destination_status WHERE destination = ?"
                    : "INSERT OR REPLACE INTO destination_status VALUES (?, ?, ?)")
            statement.bind(1, destination)
            if let pause {
                statement.bind(2, pause.reason)
                statement.bind(3, pause.since)
            }
            try statement.run()
        }
    }

    /// The paused destinations by id.
    public func pauses() throws -> [String: DestinationPause] {
        try read { db in
            var pauses: [String: DestinationPause] = [:]
            try RawStatement(
                db, "SELECT id, paused_reason, since FROM destination_status JOIN destinations ON number = destination"
            ).forEach {
                pauses[$0.string(0)] = DestinationPause(reason: $0.string(1), since: $0.instant(2))
            }
            return pauses
        }
    }

    /// What waits for a destination and what became of the rest. Counts what waits: O(waiting).
    public func counts(destinationID: String) throws -> DestinationCounts {
        try read { db in
            var counts = DestinationCounts()
            let number = "(SELECT number FROM destinations WHERE id = ?)"
            let waiting = try RawStatement(
                db, "SELECT count(*) FROM outbox WHERE parked_reason IS NULL AND destination = \(number)")
            waiting.bind(1, destinationID)
            counts.waiting = try waiting.first { $0.int(0) } ?? 0
            let parked = try RawStatement(
                db, "SELECT count(*) FROM outbox WHERE parked_reason IS NOT NULL AND destination = \(number)")
            parked.bind(1, destinationID)
            counts.parked = try parked.first { $0.int(0) } ?? 0
            let totals = try RawStatement(
                db,
                """
                SELECT delivered, coalesced, unchanged, discarded, attempts, failed_attempts, unknown_outcomes,
                    possible_duplicates
                FROM destination_counts WHERE destination = \(number)
                """)
            totals.bind(1, destinationID)
            try totals.forEach {
                counts.delivered = $0.int64(0)
                counts.coalesced = $0.int64(1)
                counts.unchanged = $0.int64(2)
                counts.discarded = $0.int64(3)
                counts.attempts = $0.int64(4)
                counts.failedAttempts = $0.int64(5)
                counts.unknownOutcomes = $0.int64(6)
                counts.possibleDuplicates = $0.int64(7)
            }
            return counts
        }
    }
}

/// Looks up values in the ledger of one destination.
public struct LedgerReader {
    fileprivate let destination: Int64
    fileprivate let statement: RawStatement

    /// The value acknowledged for a person; `nil` where there is none.
    public func value(of person: String, _ name: String) throws -> JSONValue? {
        statement.bind(1, destination)
        statement.bind(2, person)
        statement.bind(3, name)
        return try statement.first { try $0.json(0) }
    }
}

extension Columns {
    static let outbox = """
        sequence, destinations.id, ordinal, computation_id, computation_key, kind, message_id, at, payload, attempts,
        parked_reason, parked_at, origin
        """
}

extension RawRow {
    func outboxRow() throws -> OutboxRow {
        OutboxRow(
            emission: Emission(
                sequence: int64(0), destinationID: string(1), computationID: string(3), computationKey: string(4),
                profile: ordinal(2), kind: try self.case(5, of: Emission.Kind.self), messageID: string(6),
                timestamp: instant(7), payload: bytes(8), origin: Emission.Origin(rawValue: int(12)) ?? .change),
            attempts: int(9), parkedReason: optionalString(10), parkedAt: optionalInstant(11))
    }
}

import GRDB
public import JSON
import Model

// Delivery's side: the outbox, the record of attempts, the ledger of acknowledged values.

extension StateStore {
    /// Emissions that wait for a destination and are neither parked nor held, in their order, beginning after a sequence.
    public func pending(destinationID: String, after sequence: Int64 = 0, limit: Int) throws -> [OutboxRow] {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT \(Columns.outbox) FROM outbox JOIN destinations ON number = destination
                WHERE destination = (SELECT number FROM destinations WHERE id = ?) AND parked_reason IS NULL
                    AND sequence > ? AND NOT EXISTS (
                        SELECT 1 FROM spikes WHERE spikes.destination = outbox.destination
                            AND spikes.computation_id = outbox.computation_id AND state = 'held')
                ORDER BY sequence LIMIT ?
                """)
            statement.bind(1, destinationID)
            statement.bind(2, sequence)
            statement.bind(3, limit)
            return try statement.all { try $0.outboxRow() }
        }
    }

    /// Writes one step of delivery in one transaction; returns the id of its attempt, if it had one. Does nothing
    /// where the destination was deleted meanwhile.
    @discardableResult
    public func record(_ changes: DeliveryChanges) throws -> Int64? {
        try transaction { db, numbers in try write(changes, db, numbers) }
    }

    /// Writes several steps, in their order, in one transaction.
    public func record(_ steps: [DeliveryChanges]) throws {
        try transaction { db, numbers in
            for changes in steps { try write(changes, db, numbers) }
        }
    }

    @discardableResult
    private func write(_ changes: DeliveryChanges, _ db: Database, _ numbers: Numbers) throws -> Int64? {
        guard let destination = try? numbers.destination(changes.destinationID) else { return nil }
        let writer = DeliveryWriter(db: db, destination: destination, retention: retention)
        let attemptID = try writer.write(attempt: changes.attempt, emissions: changes.emissions)
        try writer.settle(changes)
        try writer.park(changes.parked, at: changes.at)
        try writer.acknowledge(changes.acknowledgedValues)
        try writer.tally(changes)
        return attemptID
    }

    /// The acknowledged values among the keys.
    public func acknowledgedValues(destinationID: String, _ keys: some Collection<LedgerKey>) throws
        -> [LedgerKey: JSONValue]
    {
        try read { db in
            let numbers = try RawStatement(db, "SELECT number FROM destinations WHERE id = ?")
            numbers.bind(1, destinationID)
            guard let destination = try numbers.first({ $0.int64(0) }) else { return [:] }
            let statement = try RawStatement(
                db, "SELECT value FROM ledger WHERE destination = ? AND external_id = ? AND attribute = ?")
            var values: [LedgerKey: JSONValue] = [:]
            for key in keys {
                statement.bind(1, destination)
                statement.bind(2, key.externalID)
                statement.bind(3, key.attribute)
                if let value = try statement.first({ try $0.json(0) }) { values[key] = value }
            }
            return values
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

import GRDB
public import Model

// What delivery costs, and what was held back because it would have cost too much.

/// What a destination billed for one computation on one day of UTC.
public struct DataPointRow: Sendable, Hashable {
    public var computationID: String
    /// Days since the epoch.
    public var day: Int64
    public var points: Int
}

extension StateStore {
    /// Data points from a day on, oldest first.
    public func dataPoints(destinationID: String, fromDay day: Int64) throws -> [DataPointRow] {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT computation_id, day, points FROM data_points
                WHERE destination = (SELECT number FROM destinations WHERE id = ?) AND day >= ?
                ORDER BY day, computation_id
                """)
            statement.bind(1, destinationID)
            statement.bind(2, day)
            return try statement.all {
                DataPointRow(computationID: $0.string(0), day: $0.int64(1), points: $0.int(2))
            }
        }
    }

    /// Changes that were read from the outbox, from an hour on.
    public func changeCounts(destinationID: String, fromHour hour: Int64) throws -> [ChangeHour: Int] {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT computation_id, hour, changes FROM change_counts
                WHERE destination = (SELECT number FROM destinations WHERE id = ?) AND hour >= ?
                """)
            statement.bind(1, destinationID)
            statement.bind(2, hour)
            var counts: [ChangeHour: Int] = [:]
            try statement.forEach {
                counts[ChangeHour(computationID: $0.string(0), hour: $0.int64(1))] = $0.int(2)
            }
            return counts
        }
    }

    /// Spikes, held ones first.
    public func spikes(destinationID: String) throws -> [SpikeRow] {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT computation_id, state, reason, since FROM spikes
                WHERE destination = (SELECT number FROM destinations WHERE id = ?) ORDER BY state, since, computation_id
                """)
            statement.bind(1, destinationID)
            return try statement.all {
                SpikeRow(
                    computationID: $0.string(0), state: try $0.case(1, of: SpikeRow.State.self),
                    reason: $0.string(2), since: $0.instant(3))
            }
        }
    }

    /// How many emissions of a computation wait for a destination, held or not.
    public func waitingCount(destinationID: String, computationID: String) throws -> Int {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT count(*) FROM outbox WHERE destination = (SELECT number FROM destinations WHERE id = ?)
                    AND parked_reason IS NULL AND computation_id = ?
                """)
            statement.bind(1, destinationID)
            statement.bind(2, computationID)
            return try statement.first { $0.int(0) } ?? 0
        }
    }

    /// Ends a spike: what was held goes on, or with `discarding` is dropped. Returns how many emissions were dropped.
    @discardableResult
    public func endSpike(
        destinationID: String, computationID: String, discarding: Bool, at instant: Instant
    ) throws -> Int {
        try transaction { db, numbers in
            let destination = try numbers.destination(destinationID)
            let update = try RawStatement(
                db,
                "UPDATE spikes SET state = 'released', since = ? WHERE destination = ? AND computation_id = ?")
            update.bind(1, instant)
            update.bind(2, destination)
            update.bind(3, computationID)
            guard try update.run() > 0, discarding else { return 0 }
            let delete = try RawStatement(
                db, "DELETE FROM outbox WHERE destination = ? AND parked_reason IS NULL AND computation_id = ?")
            delete.bind(1, destination)
            delete.bind(2, computationID)
            let count = try delete.run()
            try DeliveryWriter(db: db, destination: destination, retention: retention).count("discarded", count)
            return count
        }
    }

    /// Puts emissions into the outbox beside the engine's, and forgets what the destination acknowledged of the values
    /// that they repeat. The engine must be at rest meanwhile, or an older value could end up behind a newer one.
    public func enqueueRepairs(_ emissions: [Emission], forgetting keys: [LedgerKey], destinationID: String) throws {
        try transaction { db, numbers in
            let destination = try numbers.destination(destinationID)
            try EmissionWriter(db: db, numbers: numbers).write(emissions)
            let forget = try RawStatement(
                db, "DELETE FROM ledger WHERE destination = ? AND external_id = ? AND attribute = ?")
            for key in keys {
                forget.bind(1, destination)
                forget.bind(2, key.externalID)
                forget.bind(3, key.attribute)
                try forget.run()
            }
        }
    }

    /// Which of some profiles have anything waiting for a destination.
    public func profilesWithWaiting(_ profiles: some Collection<ProfileOrdinal>, destinationID: String) throws
        -> Set<ProfileOrdinal>
    {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT 1 FROM outbox WHERE ordinal = ? AND parked_reason IS NULL
                    AND destination = (SELECT number FROM destinations WHERE id = ?) LIMIT 1
                """)
            var found: Set<ProfileOrdinal> = []
            for profile in profiles {
                statement.bind(1, profile)
                statement.bind(2, destinationID)
                if try statement.first({ _ in true }) != nil { found.insert(profile) }
            }
            return found
        }
    }
}

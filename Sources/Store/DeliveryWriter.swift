import GRDB
import JSON
public import Model

/// Writes one step of delivery within a transaction.
struct DeliveryWriter {
    let db: Database
    let destination: Int64
    let retention: StateStore.Retention

    func write(attempt: AttemptRow?, emissions: [AttemptEmissionRow]) throws -> Int64? {
        guard let attempt else { return nil }
        let statement = try RawStatement(
            db,
            """
            INSERT INTO attempts (
                destination, at, endpoint, request, status, response, duration_ms, object_count, outcome)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        statement.bind(1, destination)
        statement.bind(2, attempt.at)
        statement.bind(3, attempt.endpoint)
        if let request = attempt.request { statement.bind(4, utf8: request) } else { statement.bindNull(4) }
        statement.bind(5, attempt.status.map { Int64($0) })
        statement.bind(6, attempt.response)
        statement.bind(7, attempt.durationMilliseconds)
        statement.bind(8, attempt.objectCount)
        statement.bind(9, attempt.outcome.rawValue)
        try statement.run()
        let id = db.lastInsertedRowID
        try write(emissions, attemptID: id)
        try count("attempts", 1)
        if attempt.outcome != .delivered { try count("failed_attempts", 1) }
        return id
    }

    private func write(_ emissions: [AttemptEmissionRow], attemptID: Int64) throws {
        guard !emissions.isEmpty else { return }
        let statement = try RawStatement(db, "INSERT INTO attempt_records VALUES (?, ?, ?)")
        statement.bind(1, attemptID)
        statement.bind(2, destination)
        AttemptRecord.encode(Array(emissions.prefix(AttemptRecord.capacity))).withUnsafeBytes {
            statement.bind(3, blob: $0)
        }
        try statement.run()
        // A delivered emission leaves the outbox anyway.
        let others = emissions.filter { $0.outcome != .delivered }
        guard !others.isEmpty else { return }
        let tried = try RawStatement(
            db, "UPDATE outbox SET attempts = attempts + 1 WHERE message_id = ? AND destination = ? AND kind = ?")
        for row in others {
            tried.bind(1, row.messageID)
            tried.bind(2, destination)
            tried.bind(3, row.kind.rawValue)
            try tried.run()
        }
    }

    /// Forgets the oldest attempts, so that as many are left as are to be kept.
    func trim(newest id: Int64) throws {
        for (sql, kept) in [
            ("DELETE FROM attempts WHERE id <= ?", retention.attempts),
            ("DELETE FROM attempt_records WHERE attempt <= ?", retention.attempts),
            (
                """
                UPDATE attempts SET request = NULL, response = NULL
                WHERE id <= ? AND (request IS NOT NULL OR response IS NOT NULL)
                """, retention.attemptBodies
            ),
        ] {
            let statement = try RawStatement(db, sql)
            statement.bind(1, id - Int64(kept))
            try statement.run()
        }
    }

    /// Takes out of the outbox what the steps have settled. Neighbours go in one statement: requests hold them.
    func settle(_ steps: [DeliveryChanges]) throws {
        let remove = try RawStatement(db, "DELETE FROM outbox WHERE sequence BETWEEN ? AND ? AND destination = ?")
        for (column, settled) in [
            ("delivered", \DeliveryChanges.delivered), ("coalesced", \.coalesced), ("unchanged", \.unchanged),
            ("discarded", \.discarded),
        ] {
            let sequences = steps.flatMap { $0[keyPath: settled] }.sorted()
            guard var first = sequences.first else { continue }
            var removed = 0
            for (place, last) in sequences.enumerated() {
                let next = place + 1 < sequences.count ? sequences[place + 1] : nil
                guard next != last + 1 else { continue }
                remove.bind(1, first)
                remove.bind(2, last)
                remove.bind(3, destination)
                removed += try remove.run()
                first = next ?? last
            }
            try count(column, removed)
        }
    }

    func tally(_ changes: DeliveryChanges) throws {
        try count("unknown_outcomes", changes.unknownOutcomes)
        try count("possible_duplicates", changes.possibleDuplicates)
        if !changes.dataPoints.isEmpty {
            let day = changes.at.daysSinceEpoch
            try add(
                changes.dataPoints.map { ($0.key, day, $0.value) }, to: "data_points", span: "day", amount: "points",
                keepingFrom: day - 400)
        }
        if let newest = changes.changeCounts.keys.map(\.hour).max() {
            try add(
                changes.changeCounts.map { ($0.key.computationID, $0.key.hour, $0.value) }, to: "change_counts",
                span: "hour", amount: "changes", keepingFrom: newest - 24 * 30)
        }
        for spike in changes.spikes { try put(spike) }
    }

    private func add(
        _ rows: [(computationID: String, span: Int64, amount: Int)], to table: String, span: String, amount: String,
        keepingFrom oldest: Int64
    ) throws {
        let statement = try RawStatement(
            db,
            """
            INSERT INTO \(table) VALUES (?, ?, ?, ?)
            ON CONFLICT (destination, computation_id, \(span)) DO UPDATE SET \(amount) = \(amount) + excluded.\(amount)
            """)
        let trim = try RawStatement(
            db, "DELETE FROM \(table) WHERE destination = ? AND computation_id = ? AND \(span) < ?")
        for row in rows where row.amount > 0 {
            statement.bind(1, destination)
            statement.bind(2, row.computationID)
            statement.bind(3, row.span)
            statement.bind(4, row.amount)
            try statement.run()
            trim.bind(1, destination)
            trim.bind(2, row.computationID)
            trim.bind(3, oldest)
            try trim.run()
        }
    }

    func put(_ spike: SpikeRow) throws {
        let statement = try RawStatement(db, "INSERT OR REPLACE INTO spikes VALUES (?, ?, ?, ?, ?)")
        statement.bind(1, destination)
        statement.bind(2, spike.computationID)
        statement.bind(3, spike.state.rawValue)
        statement.bind(4, spike.reason)
        statement.bind(5, spike.since)
        try statement.run()
    }

    func park(_ parked: [(sequence: Int64, reason: String)], at instant: Instant) throws {
        guard !parked.isEmpty else { return }
        let statement = try RawStatement(
            db, "UPDATE outbox SET parked_reason = ?, parked_at = ? WHERE sequence = ? AND destination = ?")
        for (sequence, reason) in parked {
            statement.bind(1, reason)
            statement.bind(2, instant)
            statement.bind(3, sequence)
            statement.bind(4, destination)
            try statement.run()
        }
    }

    func acknowledge(_ changes: DeliveryChanges) throws {
        guard !(changes.acknowledgedValues.isEmpty && changes.ledger.isEmpty) else { return }
        let put = try RawStatement(db, "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?)")
        let forget = try RawStatement(
            db, "DELETE FROM ledger WHERE destination = ? AND external_id = ? AND attribute = ?")
        func write(_ key: LedgerKey, _ json: [UInt8]?) throws {
            let statement = json == nil ? forget : put
            statement.bind(1, destination)
            statement.bind(2, key.externalID)
            statement.bind(3, key.attribute)
            if let json { statement.bind(4, utf8: json) }
            try statement.run()
        }
        for (key, value) in changes.acknowledgedValues { try write(key, value.isNull ? nil : value.utf8) }
        for index in changes.ledger.indices { try write(changes.ledger[index].key, changes.ledger[index].json) }
    }

    func count(_ column: String, _ increment: Int) throws {
        guard increment > 0 else { return }
        let statement = try RawStatement(
            db,
            """
            INSERT INTO destination_counts (destination, \(column)) VALUES (?, ?)
            ON CONFLICT (destination) DO UPDATE SET \(column) = \(column) + excluded.\(column)
            """)
        statement.bind(1, destination)
        statement.bind(2, increment)
        try statement.run()
    }
}

extension Instant {
    /// Whole days of UTC since the epoch.
    public var daysSinceEpoch: Int64 { Int64((Double(milliseconds) / 86_400_000).rounded(.down)) }
    /// Whole hours since the epoch.
    public var hoursSinceEpoch: Int64 { Int64((Double(milliseconds) / 3_600_000).rounded(.down)) }
}

import GRDB
import Model

// What people look at of deliveries: newest first, paged by the id of the last row seen.

extension StateStore {
    /// Attempts. With a criterion about emissions: those that contained at least one such emission.
    public func attempts(_ filter: DeliveryFilter = DeliveryFilter(), before id: Int64? = nil, limit: Int) throws
        -> [AttemptRow]
    {
        var conditions = Conditions()
        conditions.add("attempts.destination = \(destinationNumber)", filter.destinationID)
        conditions.add("outcome = ?", filter.attemptOutcome?.rawValue)
        conditions.add("attempts.id < ?", id)
        let wanted = EmissionCriteria(filter)
        return try read { db in
            guard !wanted.isEmpty else {
                return try conditions.fetch(db, Columns.selectAttempts, "ORDER BY attempts.id DESC", limit: limit) {
                    try $0.attempt()
                }
            }
            var found: [AttemptRow] = []
            guard limit > 0 else { return found }
            try conditions.walk(db, Columns.selectAttemptsWithRecord, "ORDER BY attempts.id DESC") { row in
                if row.withBytes(10, { wanted.isMet(by: $0) }) { found.append(try row.attempt()) }
                return found.count < limit
            }
            return found
        }
    }

    public func attempt(id: Int64) throws -> AttemptRow? {
        var conditions = Conditions()
        conditions.add("attempts.id = ?", id)
        return try read { db in
            try conditions.fetch(db, Columns.selectAttempts, "", limit: 1) { try $0.attempt() }.first
        }
    }

    /// The emissions of one attempt, in the order in which they were recorded.
    public func emissions(attemptID: Int64) throws -> [AttemptEmissionRow] {
        var conditions = Conditions()
        conditions.add("attempt = ?", attemptID)
        return try read { db in
            try conditions.fetch(db, Columns.selectRecords, "", limit: 1) { $0.attemptEmissions() }.first ?? []
        }
    }

    /// What attempts meant for emissions, beginning below the id of an `AttemptEmissionRow`. Criteria about emissions are
    /// looked for in all attempts that are kept: some milliseconds.
    public func attemptEmissions(_ filter: DeliveryFilter = DeliveryFilter(), before id: Int64? = nil, limit: Int)
        throws -> [AttemptEmissionRow]
    {
        var conditions = Conditions()
        conditions.add("attempt_records.destination = \(destinationNumber)", filter.destinationID)
        conditions.add("attempt IN (SELECT id FROM attempts WHERE outcome = ?)", filter.attemptOutcome?.rawValue)
        conditions.add("attempt <= ?", id.map { $0 >> AttemptRecord.placeBits })
        let wanted = EmissionCriteria(filter)
        var found: [AttemptEmissionRow] = []
        guard limit > 0 else { return found }
        try read { db in
            try conditions.walk(db, Columns.selectRecords, "ORDER BY attempt DESC") { row in
                guard row.withBytes(2, { wanted.mayBeMet(by: $0) }) else { return true }
                for emission in row.attemptEmissions().reversed() {
                    if let id, (emission.id ?? 0) >= id { continue }
                    guard wanted.areMet(by: emission) else { continue }
                    found.append(emission)
                    if found.count == limit { return false }
                }
                return true
            }
        }
        return found
    }
}

/// What is asked of single emissions.
private struct EmissionCriteria {
    private let ordinals: Set<UInt32>?
    private let computationID: String?
    private let outcome: AttemptEmissionRow.Outcome?

    init(_ filter: DeliveryFilter) {
        ordinals = filter.profiles.map { Set($0.map(\.rawValue)) }
        computationID = filter.computationID
        outcome = filter.emissionOutcome
    }

    var isEmpty: Bool { ordinals == nil && computationID == nil && outcome == nil }

    func mayBeMet(by blob: UnsafeRawBufferPointer) -> Bool {
        ordinals.map { AttemptRecord.holds($0, blob) } ?? true
    }

    func isMet(by blob: UnsafeRawBufferPointer) -> Bool {
        guard mayBeMet(by: blob) else { return false }
        return AttemptRecord.decode(blob, attempt: 0, destinationID: "").contains(where: areMet)
    }

    func areMet(by emission: AttemptEmissionRow) -> Bool {
        ordinals?.contains(emission.profile.rawValue) ?? true
            && computationID ?? emission.computationID == emission.computationID
            && outcome ?? emission.outcome == emission.outcome
    }
}

extension Columns {
    private static let attempts = """
        SELECT attempts.id, destinations.id, at, endpoint, request, status, response, duration_ms, object_count, outcome
        """
    fileprivate static let selectAttempts =
        attempts + " FROM attempts JOIN destinations ON number = attempts.destination"
    fileprivate static let selectAttemptsWithRecord =
        attempts + ", emissions FROM attempts JOIN destinations ON number = attempts.destination"
        + " JOIN attempt_records ON attempt = attempts.id"
    fileprivate static let selectRecords = """
        SELECT attempt, destinations.id, emissions FROM attempt_records JOIN destinations ON number = destination
        """
}

extension RawRow {
    fileprivate func attempt() throws -> AttemptRow {
        AttemptRow(
            id: int64(0), destinationID: string(1), at: instant(2), endpoint: string(3),
            request: isNull(4) ? nil : bytes(4), status: isNull(5) ? nil : int(5), response: optionalString(6),
            durationMilliseconds: int(7), objectCount: int(8),
            outcome: try self.case(9, of: AttemptRow.Outcome.self))
    }

    fileprivate func attemptEmissions() -> [AttemptEmissionRow] {
        withBytes(2) { AttemptRecord.decode($0, attempt: int64(0), destinationID: string(1)) }
    }
}

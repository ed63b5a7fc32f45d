import GRDB
import Model

// Emissions that a destination rejected, set aside until somebody redrives them.

extension StateStore {
    /// Lets parked emissions wait again. Returns how many.
    @discardableResult
    public func redrive(destinationID: String, _ filter: ParkedFilter = ParkedFilter()) throws -> Int {
        try transaction { db, numbers in
            let destination = try numbers.destination(destinationID)
            return try forEachPart(of: filter) { conditions in
                try conditions.run(
                    db, "UPDATE outbox SET parked_reason = NULL, parked_at = NULL", destination: destination)
            }
        }
    }

    /// How many parked emissions a filter means.
    public func parkedCount(destinationID: String, _ filter: ParkedFilter = ParkedFilter()) throws -> Int {
        try read { db in
            let destination = try Numbers(db).destination(destinationID)
            return try forEachPart(of: filter) { try $0.count(db, destination: destination) }
        }
    }

    /// Parked emissions by the destination's words, the most frequent first.
    public func parkedGroups(destinationID: String, limit: Int = 100) throws -> [ParkedGroup] {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT parked_reason, computation_id, kind, count(*), min(parked_at), max(parked_at) FROM outbox
                WHERE destination = (SELECT number FROM destinations WHERE id = ?) AND parked_reason IS NOT NULL
                GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT ?
                """)
            statement.bind(1, destinationID)
            statement.bind(2, limit)
            return try statement.all {
                ParkedGroup(
                    reason: $0.string(0), computationID: $0.string(1),
                    kind: try $0.case(2, of: Emission.Kind.self), count: $0.int(3), firstAt: $0.instant(4),
                    lastAt: $0.instant(5))
            }
        }
    }

    /// Sequences are given one by one: a statement takes a limited number of values.
    private func forEachPart(of filter: ParkedFilter, _ body: (ParkedConditions) throws -> Int) rethrows -> Int {
        guard let sequences = filter.sequences else { return try body(ParkedConditions(filter, sequence: nil)) }
        return try Set(sequences).sorted().reduce(0) { try $0 + body(ParkedConditions(filter, sequence: $1)) }
    }
}

/// The WHERE clause of a filter, for one of its sequences.
private struct ParkedConditions {
    private let filter: ParkedFilter
    private let sequence: Int64?

    init(_ filter: ParkedFilter, sequence: Int64?) {
        self.filter = filter
        self.sequence = sequence
    }

    private var clause: String {
        var text = " WHERE destination = ?1 AND parked_reason IS NOT NULL"
        if sequence != nil { text += " AND sequence = ?2" }
        if filter.reason != nil { text += " AND parked_reason = ?3" }
        if filter.computationID != nil { text += " AND computation_id = ?4" }
        if filter.kind != nil { text += " AND kind = ?5" }
        if let profiles = filter.profiles {
            // Numbers, so nothing has to be quoted.
            text += " AND ordinal IN (\(profiles.map { String($0.rawValue) }.joined(separator: ",")))"
        }
        return text
    }

    private func statement(_ db: Database, _ head: String, destination: Int64) throws -> RawStatement {
        let statement = try RawStatement(uncached: head + clause, db)
        statement.bind(1, destination)
        if let sequence { statement.bind(2, sequence) }
        if let reason = filter.reason { statement.bind(3, reason) }
        if let computationID = filter.computationID { statement.bind(4, computationID) }
        if let kind = filter.kind { statement.bind(5, kind.rawValue) }
        return statement
    }

    func run(_ db: Database, _ head: String, destination: Int64) throws -> Int {
        try statement(db, head, destination: destination).run()
    }

    func count(_ db: Database, destination: Int64) throws -> Int {
        try statement(db, "SELECT count(*) FROM outbox", destination: destination).first { $0.int(0) } ?? 0
    }
}

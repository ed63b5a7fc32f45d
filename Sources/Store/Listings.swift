import GRDB
public import Model

// What people look at. Lists are newest first and paged by the id of the last row seen, unless they say otherwise.

/// A WHERE clause put together from the criteria that are set. Values are always bound.
struct Conditions {
    private var clauses: [String] = []
    private var values: [Value] = []

    private enum Value {
        case text(String)
        case number(Int64)
    }

    mutating func add(_ clause: String, _ text: String?) {
        guard let text else { return }
        clauses.append(clause)
        values.append(.text(text))
    }

    mutating func add(_ clause: String, _ number: Int64?) {
        guard let number else { return }
        clauses.append(clause)
        values.append(.number(number))
    }

    mutating func add(_ clause: String, texts: [String]) {
        clauses.append(clause)
        values += texts.map { .text($0) }
    }

    /// `column` is one of the profiles. Numbers can stand in the SQL as they are.
    mutating func add(_ column: String, in profiles: [ProfileOrdinal]?) {
        guard let profiles else { return }
        clauses.append("\(column) IN (\(profiles.map { String($0.rawValue) }.joined(separator: ",")))")
    }

    /// Runs `select … WHERE … tail LIMIT limit`.
    func fetch<Row>(
        _ db: Database, _ select: String, _ tail: String, limit: Int, _ row: (RawRow) throws -> Row
    ) throws -> [Row] {
        try statement(db, select, "\(tail) LIMIT \(max(0, limit))").all(row)
    }

    /// Runs `select … WHERE … tail` until the body says false.
    func walk(_ db: Database, _ select: String, _ tail: String, _ body: (RawRow) throws -> Bool) throws {
        try statement(db, select, tail).walk(body)
    }

    private func statement(_ db: Database, _ select: String, _ tail: String) throws -> RawStatement {
        let filter = clauses.isEmpty ? "" : " WHERE " + clauses.joined(separator: " AND ")
        let statement = try RawStatement(uncached: "\(select)\(filter) \(tail)", db)
        for (index, value) in values.enumerated() {
            switch value {
            case .text(let text): statement.bind(Int32(index + 1), text)
            case .number(let number): statement.bind(Int32(index + 1), number)
            }
        }
        return statement
    }
}

let destinationNumber = "(SELECT number FROM destinations WHERE id = ?)"

extension StateStore {
    /// Waiting or parked emissions.
    public func outbox(
        destinationID: String? = nil, profiles: [ProfileOrdinal]? = nil, computationID: String? = nil,
        parked: Bool? = nil, before sequence: Int64? = nil, limit: Int
    ) throws -> [OutboxRow] {
        var conditions = Conditions()
        conditions.add("destination = \(destinationNumber)", destinationID)
        conditions.add("ordinal", in: profiles)
        conditions.add("computation_id = ?", computationID)
        conditions.add("sequence < ?", sequence)
        if let parked { conditions.add("parked_reason IS \(parked ? "NOT NULL" : "NULL")", texts: []) }
        return try read { db in
            try conditions.fetch(
                db, "SELECT \(Columns.outbox) FROM outbox JOIN destinations ON number = destination",
                "ORDER BY sequence DESC", limit: limit
            ) { try $0.outboxRow() }
        }
    }

    public func counters() throws -> [String: Int64] {
        try read { db in
            var counters: [String: Int64] = [:]
            try RawStatement(db, "SELECT name, value FROM counters").forEach { counters[$0.string(0)] = $0.int64(1) }
            return counters
        }
    }

    // MARK: Identity

    public func profile(_ ordinal: ProfileOrdinal) throws -> ProfileRow? {
        var conditions = Conditions()
        conditions.add("ordinal = ?", Int64(ordinal.rawValue))
        return try read { db in
            try conditions.fetch(db, "SELECT \(Columns.profile) FROM profiles", "", limit: 1) { try $0.profile() }.first
        }
    }

    public func profile(segmentID: String) throws -> ProfileRow? {
        var conditions = Conditions()
        conditions.add("segment_id = ?", segmentID)
        return try read { db in
            try conditions.fetch(db, "SELECT \(Columns.profile) FROM profiles", "", limit: 1) { try $0.profile() }.first
        }
    }

    /// The ids mapped to these numbers, in the order of mapping.
    public func identifiers(of profiles: [ProfileOrdinal]) throws -> [IdentifierRow] {
        var conditions = Conditions()
        conditions.add("owner", in: profiles)
        return try read { db in
            try conditions.fetch(
                db, "SELECT \(Columns.identifier) FROM identifiers", "ORDER BY sequence", limit: .max
            ) { try $0.identifier() }
        }
    }

    /// The mapping of one id.
    public func identifier(_ identifier: Identifier) throws -> IdentifierRow? {
        var conditions = Conditions()
        conditions.add("collection = ?", identifier.collection.rawValue)
        conditions.add("type = ?", identifier.type)
        conditions.add("value = ?", identifier.value)
        return try read { db in
            try conditions.fetch(db, "SELECT \(Columns.identifier) FROM identifiers", "", limit: 1) {
                try $0.identifier()
            }.first
        }
    }

    /// Merges in which any of these numbers was absorbed, oldest first.
    public func merges(of profiles: [ProfileOrdinal]) throws -> [MergeRow] {
        var conditions = Conditions()
        conditions.add("absorbed", in: profiles)
        return try read { db in
            try conditions.fetch(
                db, "SELECT absorbed, survivor, at, log_offset, message_id FROM merges",
                "ORDER BY log_offset, absorbed",
                limit: .max
            ) {
                MergeRow(
                    absorbed: $0.ordinal(0), survivor: $0.ordinal(1), at: $0.instant(2), offset: $0.int64(3),
                    messageID: $0.string(4))
            }
        }
    }

    /// The links of these accounts as they were made, by user.
    public func links(ofAccounts accounts: [ProfileOrdinal]) throws -> [LinkRow] {
        var conditions = Conditions()
        conditions.add("account", in: accounts)
        return try read { db in
            try conditions.fetch(
                db, "SELECT user, account, created_at FROM links", "ORDER BY user, account", limit: .max
            ) { LinkRow(user: $0.ordinal(0), account: $0.ordinal(1), createdAt: $0.instant(2)) }
        }
    }

    /// Identity issues, all or those of one kind or about one value.
    public func issues(kind: IdentityIssue.Kind? = nil, value: String? = nil, limit: Int = 500) throws
        -> [IdentityIssue]
    {
        var conditions = Conditions()
        conditions.add("kind = ?", kind?.rawValue)
        conditions.add("value = ?", value)
        return try read { db in
            try conditions.fetch(
                db,
                """
                SELECT kind, collection, type, value, ordinal, at, log_offset, message_id, source_id
                FROM identity_issues
                """, "ORDER BY id DESC", limit: limit
            ) { row in
                let identifier: Identifier? =
                    row.isNull(1)
                    ? nil : Identifier(collection: try row.collection(1), type: row.string(2), value: row.string(3))
                return IdentityIssue(
                    kind: try row.case(0, of: IdentityIssue.Kind.self), identifier: identifier,
                    profile: row.isNull(4) ? nil : row.ordinal(4), at: row.instant(5), offset: row.int64(6),
                    messageID: row.string(7), sourceID: row.string(8))
            }
        }
    }
}

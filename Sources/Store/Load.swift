import GRDB
import JSON
public import Model

extension StateStore {
    /// Reads what the engine starts from, as of one instant.
    /// - Parameter values: Whether with values and wake-ups, which are as many as people times computations;
    ///   `forEachValue` reads them one by one.
    public func load(values: Bool = true) throws -> LoadedState {
        try read { db in
            var state = LoadedState()
            try RawStatement(db, "SELECT position, engine_now FROM progress").forEach {
                state.position = $0.int64(0)
                state.engineNow = $0.optionalInstant(1)
            }
            try RawStatement(db, "SELECT key, value FROM meta").forEach { state.meta[$0.string(0)] = try $0.json(1) }
            try RawStatement(db, "SELECT json FROM sources ORDER BY number").forEach {
                state.sources.append(try Source(json: try $0.json(0)))
            }
            try RawStatement(db, "SELECT json FROM destinations ORDER BY number").forEach {
                state.destinations.append(try Destination(json: try $0.json(0)))
            }
            let (computations, ids) = try loadComputations(db)
            state.computations = computations
            try RawStatement(
                db, "SELECT computation, as_of, next_ordinal, end_ordinal, finished FROM backfills ORDER BY computation"
            ).forEach {
                guard let id = ids[$0.int64(0)] else { return }
                state.backfills.append(
                    BackfillRow(
                        computationID: id, asOf: $0.instant(1), nextOrdinal: $0.uint32(2), endOrdinal: $0.uint32(3),
                        isFinished: $0.int64(4) != 0))
            }
            state.regulations = try RegulationWriter(db: db).open()
            try RawStatement(db, "SELECT user_id FROM suppressions ORDER BY user_id").forEach {
                state.suppressed.append($0.string(0))
            }
            try loadGraph(db, into: &state)
            if values {
                try loadValues(db, ids: ids) {
                    state.values.append($0)
                } wakeup: {
                    state.wakeups.append($0)
                }
            }
            return state
        }
    }

    private func loadGraph(_ db: Database, into state: inout LoadedState) throws {
        try RawStatement(db, "SELECT \(Columns.profile) FROM profiles ORDER BY ordinal").forEach {
            state.profiles.append(try $0.profile())
        }
        try RawStatement(db, "SELECT \(Columns.identifier) FROM identifiers ORDER BY sequence").forEach {
            state.identifiers.append(try $0.identifier())
        }
        try RawStatement(db, "SELECT absorbed, survivor, at, log_offset, message_id FROM merges ORDER BY absorbed")
            .forEach {
                state.merges.append(
                    MergeRow(
                        absorbed: $0.ordinal(0), survivor: $0.ordinal(1), at: $0.instant(2), offset: $0.int64(3),
                        messageID: $0.string(4)))
            }
        try RawStatement(db, "SELECT user, account, created_at FROM links ORDER BY user, account").forEach {
            state.links.append(LinkRow(user: $0.ordinal(0), account: $0.ordinal(1), createdAt: $0.instant(2)))
        }
    }

    private func loadComputations(_ db: Database) throws -> ([Computation], ids: [Int64: String]) {
        var computations: [Computation] = []
        var ids: [Int64: String] = [:]
        try RawStatement(db, "SELECT json, number FROM computations ORDER BY number").forEach {
            let computation = try Computation(json: try $0.json(0))
            ids[$0.int64(1)] = computation.id
            computations.append(computation)
        }
        return (computations, ids)
    }

    /// Hands over the values and wake-ups of all people, as of one instant, by ordinal, then computation.
    public func forEachValue(_ value: (ComputedValueRow) -> Void, wakeup: (WakeupRow) -> Void) throws {
        try read { db in try loadValues(db, ids: try loadComputations(db).ids, value, wakeup: wakeup) }
    }

    private func loadValues(
        _ db: Database, ids: [Int64: String], _ value: (ComputedValueRow) -> Void, wakeup: (WakeupRow) -> Void
    ) throws {
        try Runs.forEach(db, .present) { entry, bytes in
            let slot = UInt32(truncatingIfNeeded: entry.minor)
            // Nothing, or of a deleted computation.
            guard !entry.payload.isEmpty, let id = Slot.computation(slot).flatMap({ ids[$0] }) else { return }
            if Slot.isWakeup(slot) {
                let due = try entry.due(in: bytes)
                wakeup(WakeupRow(computationID: id, ordinal: ProfileOrdinal(entry.ordinal), due: due))
            } else {
                value(try entry.value(in: bytes, computationID: id))
            }
        }
    }

    /// The placements with the record at an offset, if they are kept.
    public func firstApplied(holding offset: Int64, _ body: (AppliedRow) -> Void) throws {
        var isFirst = true
        struct Enough: Error {}
        do {
            try forEachApplied(from: offset) { row in
                if isFirst, row.firstOffset <= offset { body(row) }
                isFirst = false
                throw Enough()
            }
        } catch is Enough {}
    }

    /// The first offset of the oldest placements that are not older than an instant; `nil` if all are.
    public func firstAppliedOffset(receivedFrom instant: Instant) throws -> Int64? {
        try read { db in
            var first: Int64?
            let statement = try RawStatement(
                db, "SELECT first_offset, received_at FROM applied ORDER BY first_offset DESC")
            struct Enough: Error {}
            do {
                try statement.forEach {
                    if $0.instant(1) < instant { throw Enough() }
                    first = $0.int64(0)
                }
            } catch is Enough {}
            return first
        }
    }

    /// Streams the placements of the Log's records in order, beginning with the row that holds `offset`.
    /// All of them are as of one instant.
    public func forEachApplied(from offset: Int64 = 0, _ body: (AppliedRow) throws -> Void) throws {
        try read { db in
            let statement = try RawStatement(
                db,
                """
                SELECT first_offset, received_at, message_hashes, ordinals FROM applied
                WHERE first_offset >= coalesce(
                    (SELECT max(first_offset) FROM applied WHERE first_offset <= ?1), ?1)
                ORDER BY first_offset
                """)
            statement.bind(1, offset)
            try statement.forEach { row in
                let hashes = row.withBytes(2) { PackedNumbers.read($0, as: UInt128.self) }
                let ordinals = row.withBytes(3) { PackedNumbers.read($0, as: UInt32.self) }
                guard hashes.count == ordinals.count else {
                    throw StoreError.corrupt("the placements from offset \(row.int64(0)) on are incomplete")
                }
                guard row.int64(0) + Int64(ordinals.count) > offset else { return }
                try body(
                    AppliedRow(
                        firstOffset: row.int64(0), receivedAt: row.instant(1), messageHashes: hashes,
                        ordinals: ordinals))
            }
        }
    }
}

/// Columns in the order in which rows are read.
enum Columns {
    static let profile =
        "ordinal, collection, segment_id, created_at, first_message_id, first_source_id, merged_into"
    static let identifier = "collection, type, value, owner, sequence, created_at, source_id, first_message_id"
}

extension RawRow {
    func collection(_ column: Int32) throws -> Identifier.Collection {
        try self.case(column, of: Identifier.Collection.self)
    }

    func profile() throws -> ProfileRow {
        ProfileRow(
            ordinal: ordinal(0), collection: try collection(1), segmentID: string(2), createdAt: instant(3),
            firstMessageID: string(4), firstSourceID: string(5), mergedInto: isNull(6) ? nil : ordinal(6))
    }

    func identifier() throws -> IdentifierRow {
        IdentifierRow(
            identifier: Identifier(collection: try collection(0), type: string(1), value: string(2)),
            owner: ordinal(3), sequence: int64(4), createdAt: instant(5), sourceID: string(6),
            firstMessageID: string(7))
    }
}

/// What everybody did and which traits everybody had, in columns.
///
/// Promises: derived from the Log and nothing else; rows of a profile are ordered by (timestamp, receivedAt, message id)
/// whatever the order of arrival; a value that was sent can be read back as it was sent; nothing is dropped without
/// being counted in `statistics`; what is found damaged on disk is told by `damage` before an answer can leave.
///
/// Fresh rows stand in memory. A History with a directory writes them to runs now and then and merges these in the
/// background (docs/history.md); without one everything stays in memory.
///
/// Not thread-safe: readers and the writer share one isolation, the engine's.
public import Model

public final class History {
    /// What cells of all tables point to.
    public let store = ValueStore()

    var events = NamedTables(keepsObjects: false)
    var traits = NamedTables(keepsObjects: true)
    /// By ordinal; may be shorter than the number of profiles.
    var profiles: [ProfileIndex] = []
    var unions = RowUnions()
    private var memo = RowMemo()
    /// The same of the rows that are being written.
    var frozenProfiles: [ProfileIndex] = []
    /// Rows that are neither on disk nor on their way.
    var freshRows = 0
    /// Ordinals of rows on disk are below.
    var storedBound: UInt32 = 0
    /// Files, if there are any.
    var disk: HistoryDisk?
    /// What was found wrong with them.
    let report = DamageReport()
    var tooOld = 0
    var movedToReceipt = 0
    var unreadable = 0

    public init() {}

    // MARK: Names

    /// The number of an event name, given when it is first asked for; valid as long as this History.
    public func eventID(_ name: String) -> EventID { EventID(events.number(name, store)) }
    /// The number of a trait key, given when it is first asked for; valid as long as this History.
    public func traitID(_ key: String) -> TraitID { TraitID(traits.number(key, store)) }
    public func eventName(_ id: EventID) -> String { store.text(events.tables[Int(id.rawValue)].name) }
    public func traitKey(_ id: TraitID) -> String { store.text(traits.tables[Int(id.rawValue)].name) }

    /// All rows of an event name.
    public func table(_ id: EventID) -> Table { events.tables[Int(id.rawValue)] }
    /// All rows of a trait key; the value is at `ColumnPath([])` of the root `value`.
    public func table(_ id: TraitID) -> Table { traits.tables[Int(id.rawValue)] }

    // MARK: Rows of profiles

    /// The events of one name of a profile, oldest first.
    public func rows(_ id: EventID, of profile: [ProfileOrdinal]) -> RowSequence {
        rows(in: events.tables[Int(id.rawValue)], of: profile)
    }

    /// The settings and removals of one trait of a profile, oldest first.
    public func rows(_ id: TraitID, of profile: [ProfileOrdinal]) -> RowSequence {
        rows(in: traits.tables[Int(id.rawValue)], of: profile)
    }

    private func rows(in table: Table, of profile: [ProfileOrdinal]) -> RowSequence {
        if profile.count == 1, table.isInMemoryOnly, let only = profile.first {
            return RowSequence(table, number: table.number, entries: History.entries(of: only, table, in: profiles))
        }
        if let known = memo.rows(of: profile, in: table) { return known }
        let rows = unions.rows(of: profile, in: table) ?? gather(table, of: profile)
        memo.keep(rows, of: profile)
        return rows
    }

    /// Before rows are added or move.
    func forgetMemo() { memo.forget() }

    private func gather(_ table: Table, of profile: [ProfileOrdinal]) -> RowSequence {
        var parts: [RowPart] = []
        for ordinal in profile {
            for (number, run) in table.runs.enumerated() {
                let rows = run.rows(of: ordinal.rawValue)
                if !rows.isEmpty { parts.append(RowPart(run, rows, base: Table.place(ofRun: number))) }
            }
            if table.frozen != nil, !table.removedFromFrozen.contains(ordinal.rawValue) {
                let entries = History.entries(of: ordinal, table, in: frozenProfiles)
                let range = ProfileIndex.range(of: table.number, in: entries)
                if !range.isEmpty {
                    parts.append(RowPart(entries[range].map { $0 & 0xFFFF_FFFF | UInt64(Table.frozenPlace) }))
                }
            }
            let entries = History.entries(of: ordinal, table, in: profiles)
            let range = ProfileIndex.range(of: table.number, in: entries)
            if !range.isEmpty { parts.append(RowPart(fresh: entries, range)) }
        }
        var rows = RowSequence(table, merging: parts)
        if rows.isCopied && rows.listCount >= unions.minimumRows
            || profile.count * (table.runs.count + 2) >= RowUnions.minimumPlaces
        {
            rows.ownList()
            unions.keep(rows, of: profile)
        }
        return rows
    }

    private static func entries(of ordinal: ProfileOrdinal, _ table: Table, in profiles: [ProfileIndex]) -> [UInt64] {
        guard ordinal.rawValue < profiles.count else { return [] }
        return table.isTrait ? profiles[Int(ordinal.rawValue)].traits : profiles[Int(ordinal.rawValue)].events
    }

    /// One more than the greatest ordinal that has or had rows.
    public var profileBound: UInt32 { max(storedBound, UInt32(max(profiles.count, frozenProfiles.count))) }
}

/// Tables by the bytes of their names, numbered in order of appearance.
struct NamedTables {
    let keepsObjects: Bool
    private(set) var tables: [Table] = []
    private var numbers: [UInt32: UInt32] = [:]
    /// Also of names that have no table yet.
    private(set) var floors = EventFloors.none

    init(keepsObjects: Bool) {
        self.keepsObjects = keepsObjects
    }

    mutating func number(_ name: String, _ store: ValueStore) -> UInt32 {
        number(store.intern(name), store)
    }

    mutating func number(_ code: UInt32, _ store: ValueStore) -> UInt32 {
        if let number = numbers[code] { return number }
        let number = UInt32(tables.count)
        let table = Table(name: code, number: number, store: store, isTrait: keepsObjects)
        if floors != .none { table.floor = NamedTables.milliseconds(floors[store.text(code)]) }
        tables.append(table)
        numbers[code] = number
        return number
    }

    /// Tells every table its floor. Rows that stand in memory stay.
    mutating func raiseFloors(to floors: EventFloors, _ store: ValueStore) {
        self.floors = floors
        for table in tables { table.floor = NamedTables.milliseconds(floors[store.text(table.name)]) }
    }

    private static func milliseconds(_ floor: Instant) -> Int64 { floor == .distantPast ? .min : floor.milliseconds }

    /// Takes over tables as they were kept; `nil` if two have one name.
    init?(keepsObjects: Bool, _ kept: [TableMetadata], _ store: ValueStore) {
        self.keepsObjects = keepsObjects
        for table in kept {
            guard numbers[table.name] == nil, Int(table.name) < store.values.strings.count,
                let values = ColumnTree(keepsObjects: keepsObjects, table.values),
                let context = ColumnTree(keepsObjects: false, table.context)
            else { return nil }
            let made = tables[Int(number(table.name, store))]
            made.values = values
            made.context = context
            made.firstSeen = table.firstSeen
            made.lastSeen = table.lastSeen
            made.liveCount = table.liveCount
            made.valuesOverPathLimit = table.valuesOverPathLimit
        }
    }

    var metadata: [TableMetadata] {
        tables.map {
            TableMetadata(
                name: $0.name, firstSeen: $0.firstSeen, lastSeen: $0.lastSeen, liveCount: $0.liveCount,
                valuesOverPathLimit: $0.valuesOverPathLimit, values: $0.values.metadata, context: $0.context.metadata)
        }
    }
}

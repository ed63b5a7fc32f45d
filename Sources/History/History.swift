/// What everybody did and which traits everybody had, in columns.
///
/// Promises: derived from the Log and nothing else; rows of a profile are ordered by (timestamp, receivedAt, message id)
/// whatever the order of arrival; a value that was sent can be read back as it was sent; nothing is dropped without
/// being counted in `statistics`. Held in memory and rebuilt from the Log at start; the interface is the one that runs
/// on disk will have (design §5).
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
    var unions = EventUnions()
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
        let table = events.tables[Int(id.rawValue)]
        if profile.count == 1, let only = profile.first {
            return RowSequence(table, number: id.rawValue, entries: index(only)?.events ?? [])
        }
        if let union = unions[profile] { return RowSequence(table, number: id.rawValue, entries: union) }
        let parts = profile.compactMap { index($0)?.events }
        guard parts.reduce(0, { $0 + $1.count }) >= EventUnions.minimumEntries else {
            return RowSequence(table, number: id.rawValue, merging: parts)
        }
        let union = parts.flatMap(\.self).sorted { left, right in
            let (number, other) = (ProfileIndex.table(left), ProfileIndex.table(right))
            if number != other { return number < other }
            return events.tables[Int(number)].precedes(ProfileIndex.row(left), ProfileIndex.row(right))
        }
        unions.keep(union, of: profile)
        return RowSequence(table, number: id.rawValue, entries: union)
    }

    /// The settings and removals of one trait of a profile, oldest first.
    public func rows(_ id: TraitID, of profile: [ProfileOrdinal]) -> RowSequence {
        let table = traits.tables[Int(id.rawValue)]
        if profile.count == 1, let only = profile.first {
            return RowSequence(table, number: id.rawValue, entries: index(only)?.traits ?? [])
        }
        let parts = profile.compactMap { index($0)?.traits }
        return RowSequence(table, number: id.rawValue, merging: parts)
    }

    private func index(_ ordinal: ProfileOrdinal) -> ProfileIndex? {
        ordinal.rawValue < profiles.count ? profiles[Int(ordinal.rawValue)] : nil
    }

    /// One more than the greatest ordinal that has or had rows.
    public var profileBound: UInt32 { UInt32(profiles.count) }
}

/// Tables by the bytes of their names, numbered in order of appearance.
struct NamedTables {
    let keepsObjects: Bool
    private(set) var tables: [Table] = []
    private var numbers: [UInt32: UInt32] = [:]

    init(keepsObjects: Bool) {
        self.keepsObjects = keepsObjects
    }

    mutating func number(_ name: String, _ store: ValueStore) -> UInt32 {
        number(store.intern(name), store)
    }

    mutating func number(_ code: UInt32, _ store: ValueStore) -> UInt32 {
        if let number = numbers[code] { return number }
        let number = UInt32(tables.count)
        tables.append(Table(name: code, store: store, keepsObjects: keepsObjects))
        numbers[code] = number
        return number
    }
}

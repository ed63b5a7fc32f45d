import Model

/// The events of merged profiles and of accounts, put in order once and kept in order: they are asked for at every event,
/// and merging what 100,000 events were each time would cost more than the question.
///
/// A union has the form of one profile's own entries. It takes the memory of those once more (8 bytes an event), so only
/// groups that are large enough to matter have one.
struct EventUnions {
    /// Entries below which merging anew is as good.
    static let minimumEntries = 64
    /// When there are more, all are forgotten: each comes back with the next question.
    static let maximumGroups = 100_000

    private var entries: [[ProfileOrdinal]: [UInt64]] = [:]
    private var groups: [ProfileOrdinal: [[ProfileOrdinal]]] = [:]

    subscript(group: [ProfileOrdinal]) -> [UInt64]? { entries[group] }

    mutating func keep(_ union: [UInt64], of group: [ProfileOrdinal]) {
        if entries.count >= EventUnions.maximumGroups { self = EventUnions() }
        entries[group] = union
        for profile in Set(group) { groups[profile, default: []].append(group) }
    }

    mutating func insert(row: Table.Row, of number: UInt32, _ table: Table, profile: ProfileOrdinal) {
        guard !groups.isEmpty, let concerned = groups[profile] else { return }
        for group in concerned {
            ProfileIndex.insert(row: row, of: number, table, into: &entries[group, default: []])
        }
    }

    /// After rows of the profile were removed.
    mutating func forget(_ profile: ProfileOrdinal) {
        for group in groups[profile] ?? [] {
            entries[group] = nil
            for other in Set(group) { groups[other]?.removeAll { $0 == group } }
        }
    }
}

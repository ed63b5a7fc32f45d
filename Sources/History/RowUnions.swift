import Model

/// Rows of one person or account that lie in several places, put in order once and kept in order: they are asked for at
/// every event, and merging what 100,000 events were each time would cost more than the question.
///
/// It takes 8 bytes a row, so only what is dear enough to put together is kept. What is kept holds until rows move to
/// another place (a flush or merge): then all is forgotten, and each comes back with the next question.
struct RowUnions {
    /// Rows below which merging anew is as good.
    var minimumRows = 64
    /// Places to look at below which looking anew is as good.
    static let minimumPlaces = 64
    /// When there are more, all are forgotten.
    static let maximumGroups = 100_000
    static let maximumRows = 8 << 20

    private var sequences: [[ProfileOrdinal]: [UInt64: RowSequence]] = [:]
    private var groups: [ProfileOrdinal: [[ProfileOrdinal]]] = [:]
    private var rowCount = 0

    func rows(of group: [ProfileOrdinal], in table: Table) -> RowSequence? {
        sequences.isEmpty ? nil : sequences[group]?[RowUnions.key(table)]
    }

    private static func key(_ table: Table) -> UInt64 { UInt64(table.number) << 1 | (table.isTrait ? 1 : 0) }

    mutating func keep(_ rows: RowSequence, of group: [ProfileOrdinal]) {
        if sequences.count >= RowUnions.maximumGroups || rowCount >= RowUnions.maximumRows { forgetAll() }
        rowCount += rows.listCount
        if sequences[group] == nil { for profile in Set(group) { groups[profile, default: []].append(group) } }
        sequences[group, default: [:]][RowUnions.key(rows.table)] = rows
    }

    /// After a row was added to the table.
    mutating func insert(row: Table.Row, _ table: Table, profile: ProfileOrdinal) {
        guard !groups.isEmpty, let concerned = groups[profile] else { return }
        for group in concerned { sequences[group]?[RowUnions.key(table)]?.insert(row) }
    }

    /// After rows of the profile were removed.
    mutating func forget(_ profile: ProfileOrdinal) {
        for group in groups[profile] ?? [] {
            sequences[group] = nil
            for other in Set(group) { groups[other]?.removeAll { $0 == group } }
        }
    }

    /// After rows moved.
    mutating func forgetAll() {
        sequences = [:]
        groups = [:]
        rowCount = 0
    }
}

/// What was asked last: all that one event wakes asks for the same rows of the same profile.
struct RowMemo {
    private static let places = 8

    private var profile: [ProfileOrdinal] = []
    private var sequences: [RowSequence?] = []

    private static func place(_ table: Table) -> Int {
        Int(table.number) << 1 & (places - 1) | (table.isTrait ? 1 : 0)
    }

    func rows(of profile: [ProfileOrdinal], in table: Table) -> RowSequence? {
        guard !sequences.isEmpty, self.profile == profile, let rows = sequences[RowMemo.place(table)],
            rows.table === table
        else { return nil }
        return rows
    }

    mutating func keep(_ rows: RowSequence, of profile: [ProfileOrdinal]) {
        if sequences.isEmpty || self.profile != profile {
            self.profile = profile
            sequences.removeAll(keepingCapacity: true)
            for _ in 0..<RowMemo.places { sequences.append(nil) }
        }
        sequences[RowMemo.place(rows.table)] = rows
    }

    mutating func forget() {
        if !sequences.isEmpty { sequences.removeAll(keepingCapacity: true) }
    }
}

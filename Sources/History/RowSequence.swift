/// The rows of one event name or trait key that belong to a profile, in the order of time.
///
/// For a profile that was never merged it is a view into what History keeps; for several ordinals it is merged once, when
/// it is made. Don't keep it across insertions.
public struct RowSequence {
    public let table: Table
    /// Row numbers in the low 32 bits.
    @usableFromInline let entries: [UInt64]
    @usableFromInline let range: Range<Int>

    init(table: Table, entries: [UInt64], range: Range<Int>) {
        self.table = table
        self.entries = entries
        self.range = range
    }

    init(_ table: Table, number: UInt32, entries: [UInt64]) {
        self.init(table: table, entries: entries, range: ProfileIndex.range(of: number, in: entries))
    }

    init(_ table: Table, number: UInt32, merging parts: [[UInt64]]) {
        var merged: [UInt64] = []
        var isSorted = true
        for part in parts {
            let range = ProfileIndex.range(of: number, in: part)
            guard !range.isEmpty else { continue }
            isSorted = merged.isEmpty
            merged.append(contentsOf: part[range])
        }
        if !isSorted { merged.sort { table.precedes(ProfileIndex.row($0), ProfileIndex.row($1)) } }
        self.init(table: table, entries: merged, range: 0..<merged.count)
    }

    @inlinable
    public var count: Int { range.count }

    @inlinable
    public subscript(index: Int) -> Table.Row {
        Int(truncatingIfNeeded: entries[range.lowerBound + index] & 0xFFFF_FFFF)
    }

    @inlinable
    public func timestamp(_ index: Int) -> Int64 { table.timestamp(self[index]) }

    /// The index of the first row at or after a time.
    @inlinable
    public func firstIndex(from milliseconds: Int64) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if timestamp(middle) < milliseconds { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// What belongs to one profile: for events and for traits, entries of table number and row, sorted by table and then by
/// time.
struct ProfileIndex {
    var events: [UInt64] = []
    var traits: [UInt64] = []

    static func entry(table: UInt32, row: Table.Row) -> UInt64 { UInt64(table) << 32 | UInt64(row) }
    static func table(_ entry: UInt64) -> UInt32 { UInt32(entry >> 32) }
    static func row(_ entry: UInt64) -> Table.Row { Int(entry & 0xFFFF_FFFF) }

    /// Where the entries of a table stand.
    static func range(of table: UInt32, in entries: [UInt64]) -> Range<Int> {
        guard !entries.isEmpty else { return 0..<0 }
        let start = lowerBound(entries, from: UInt64(table) << 32)
        return start..<lowerBound(entries, from: (UInt64(table) + 1) << 32)
    }

    private static func lowerBound(_ entries: [UInt64], from bound: UInt64) -> Int {
        // Rows of one table are sorted by time, so only the table numbers may be compared.
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle] >> 32 < bound >> 32 { low = middle + 1 } else { high = middle }
        }
        return low
    }

    static func insert(row: Table.Row, of number: UInt32, _ table: Table, into entries: inout [UInt64]) {
        let range = range(of: number, in: entries)
        var low = range.lowerBound
        var high = range.upperBound
        // Most rows are the newest of their profile.
        if high > low, table.precedes(ProfileIndex.row(entries[high - 1]), row) { low = high }
        while low < high {
            let middle = (low + high) / 2
            if table.precedes(ProfileIndex.row(entries[middle]), row) { low = middle + 1 } else { high = middle }
        }
        entries.insert(entry(table: number, row: row), at: low)
    }
}

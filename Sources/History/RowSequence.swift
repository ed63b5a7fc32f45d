/// The rows of one event name or trait key that belong to a profile, in the order of time.
///
/// First a stretch of one run, whose rows follow each other, then a list of rows. A profile whose rows are all fresh has
/// only the list, which is a view into what History keeps; one whose rows are all in one run has only the stretch. Where
/// rows from several places come one after the other the list is put together when the sequence is made; only those
/// that overlap in time must be sorted. Don't keep it across insertions.
public struct RowSequence {
    public let table: Table
    @usableFromInline private(set) var leadingCount: Int
    @usableFromInline private(set) var leadingBase: Int
    @usableFromInline private(set) var leadingTimes: UnsafePointer<Int64>?
    @usableFromInline private(set) var entries: [UInt64]
    @usableFromInline private(set) var range: Range<Int>
    /// The bits of an entry that are the row.
    @usableFromInline private(set) var mask: UInt64
    /// Whether the list was put together for this sequence.
    private(set) var isCopied = false

    /// Fresh rows as the index of a profile has them.
    init(table: Table, entries: [UInt64], range: Range<Int>) {
        self.table = table
        leadingCount = 0
        leadingBase = 0
        leadingTimes = nil
        self.entries = entries
        self.range = range
        mask = 0xFFFF_FFFF
    }

    init(_ table: Table, number: UInt32, entries: [UInt64]) {
        self.init(table: table, entries: entries, range: ProfileIndex.range(of: number, in: entries))
    }

    /// Rows of several places, each part in the order of time.
    init(_ table: Table, merging parts: [RowPart]) {
        self.table = table
        var parts = parts
        if parts.count > 1 {
            parts.sort { table.precedes($0.first, $1.first) }
            let isOrdered = zip(parts, parts.dropFirst()).allSatisfy { table.precedes($0.last, $1.first) }
            if !isOrdered {
                var rows = parts.flatMap(\.rows)
                rows.sort { table.precedes(Int($0), Int($1)) }
                parts = [RowPart(rows)]
                isCopied = true
            }
        }
        var rest = parts[...]
        if case .stretch(let run, let rows, let base)? = parts.first?.form {
            rest = rest.dropFirst()
            leadingCount = rows.count
            leadingBase = base + rows.lowerBound
            leadingTimes = run.timestamps.baseAddress.map { $0 + rows.lowerBound }
        } else {
            leadingCount = 0
            leadingBase = 0
            leadingTimes = nil
        }
        if rest.count == 1, case .entries(let entries, let range, let mask)? = rest.first?.form {
            (self.entries, self.range, self.mask) = (entries, range, mask)
        } else {
            entries = rest.flatMap(\.rows)
            range = 0..<entries.count
            mask = .max
            isCopied = !entries.isEmpty
        }
    }

    // MARK: Keeping

    var listCount: Int { range.count }

    /// Lets go of what others keep, so that rows can be inserted.
    mutating func ownList() {
        guard mask != .max || range != 0..<entries.count else { return }
        entries = entries[range].map { $0 & mask }
        (range, mask) = (0..<entries.count, .max)
    }

    /// Puts a new row of the table to its place. The list must be owned.
    mutating func insert(_ row: Table.Row) {
        if leadingCount > 0, table.precedes(row, self[leadingCount - 1]) {
            entries = (0..<count).map { UInt64(self[$0]) }
            (leadingCount, leadingBase, leadingTimes) = (0, 0, nil)
        }
        var low = 0
        var high = entries.count
        // Most rows are the newest.
        if high > low, table.precedes(Int(entries[high - 1]), row) { low = high }
        while low < high {
            let middle = (low + high) / 2
            if table.precedes(Int(entries[middle]), row) { low = middle + 1 } else { high = middle }
        }
        entries.insert(UInt64(row), at: low)
        range = 0..<entries.count
    }

    @inlinable
    public var count: Int { leadingCount + range.count }

    @inlinable
    public subscript(index: Int) -> Table.Row {
        index < leadingCount
            ? leadingBase + index
            : Int(truncatingIfNeeded: entries[range.lowerBound + index - leadingCount] & mask)
    }

    @inlinable
    public func timestamp(_ index: Int) -> Int64 {
        if index < leadingCount, let leadingTimes { return leadingTimes[index] }
        return table.timestamp(self[index])
    }

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

/// Rows of one profile in one place, in the order of time; never empty.
struct RowPart {
    enum Form {
        /// Rows of a run, and what makes row numbers of them.
        case stretch(Run, Range<Int>, base: Int)
        /// Row numbers in the bits of the mask.
        case entries([UInt64], Range<Int>, mask: UInt64)
    }

    let form: Form

    init(_ run: Run, _ rows: Range<Int>, base: Int) { form = .stretch(run, rows, base: base) }
    init(_ rows: [UInt64]) { form = .entries(rows, 0..<rows.count, mask: .max) }
    init(fresh entries: [UInt64], _ range: Range<Int>) { form = .entries(entries, range, mask: 0xFFFF_FFFF) }

    var first: Table.Row {
        switch form {
        case .stretch(_, let rows, let base): base + rows.lowerBound
        case .entries(let entries, let range, let mask): Int(entries[range.lowerBound] & mask)
        }
    }

    var last: Table.Row {
        switch form {
        case .stretch(_, let rows, let base): base + rows.upperBound - 1
        case .entries(let entries, let range, let mask): Int(entries[range.upperBound - 1] & mask)
        }
    }

    var rows: [UInt64] {
        switch form {
        case .stretch(_, let rows, let base): rows.map { UInt64(base + $0) }
        case .entries(let entries, let range, let mask): entries[range].map { $0 & mask }
        }
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

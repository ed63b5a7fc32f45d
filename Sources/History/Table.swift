public import JSON
public import Model

/// The rows of one event name or one trait key: the envelope of each, and its columns.
///
/// Rows stand in order of arrival; `History` keeps per profile the order in time.
public final class Table {
    public typealias Row = Int

    /// What a path starts from.
    public enum Root: Sendable, Hashable {
        /// The properties of an event, or the value of a trait.
        case value
        case context
    }

    let store: ValueStore
    /// Code of the event name or trait key.
    let name: UInt32

    @usableFromInline var timestamps: ContiguousArray<Int64> = []
    @usableFromInline var receipts: ContiguousArray<Int64> = []
    private var offsets: ContiguousArray<Int64> = []
    private var profiles: ContiguousArray<UInt32> = []
    private var kinds: ContiguousArray<UInt8> = []
    @usableFromInline var sources: ContiguousArray<UInt32> = []
    private var messageIDs: ContiguousArray<UInt64> = []

    private(set) var values: ColumnTree
    private(set) var context = ColumnTree(keepsObjects: false)
    private(set) var valuesOverPathLimit = 0
    private(set) var removed = 0
    private(set) var firstSeen = Int64.max
    private(set) var lastSeen = Int64.min

    init(name: UInt32, store: ValueStore, keepsObjects: Bool) {
        self.name = name
        self.store = store
        values = ColumnTree(keepsObjects: keepsObjects)
    }

    // MARK: Reading

    public var rowCount: Int { timestamps.count }
    var liveCount: Int { timestamps.count - removed }

    /// Milliseconds since the epoch.
    @inlinable
    public func timestamp(_ row: Row) -> Int64 { timestamps[row] }
    /// Milliseconds since the epoch.
    @inlinable
    public func receivedAt(_ row: Row) -> Int64 { receipts[row] }
    /// The source's code in the pool of texts.
    @inlinable
    public func source(_ row: Row) -> UInt32 { sources[row] }
    public func kind(_ row: Row) -> Call.Kind? { Call.Kind(rawValue: kinds[row]) }
    public func offset(_ row: Row) -> Int64 { offsets[row] }
    public func profile(_ row: Row) -> ProfileOrdinal { ProfileOrdinal(profiles[row]) }
    public func messageID(_ row: Row) -> String { store.messageIDs.string(messageIDs[row]) }

    /// Grows when a path appears: a lookup that failed may succeed then.
    public var pathVersion: Int { values.version + context.version }

    /// The number of the column at a path.
    public func column(_ root: Root, _ path: ColumnPath) -> Int? {
        root == .value ? values.column(path, in: store.values.strings) : context.column(path, in: store.values.strings)
    }

    public func cell(_ root: Root, column: Int, row: Row) -> Cell {
        root == .value ? values.cell(column, row) : context.cell(column, row)
    }

    /// The cells of a column by row; rows beyond have none. Don't keep it across insertions.
    public func cells(_ root: Root, column: Int) -> ContiguousArray<Cell> {
        root == .value ? values.columns[column].cells : context.columns[column].cells
    }

    /// The value at a path; null where there is none. Of an event's object the members stand in the order of their names.
    public func json(_ root: Root, column: Int, row: Row) -> JSONValue {
        root == .value ? values.json(column, row: row, store) : context.json(column, row: row, store)
    }

    /// The order of time: timestamp, then receipt, then message id (spec: engage §1.3).
    func precedes(_ left: Row, _ right: Row) -> Bool {
        if timestamps[left] != timestamps[right] { return timestamps[left] < timestamps[right] }
        return precedesAtSameTime(left, self, right)
    }

    func precedes(_ left: Row, _ table: Table, _ right: Row) -> Bool {
        if timestamps[left] != table.timestamps[right] { return timestamps[left] < table.timestamps[right] }
        return precedesAtSameTime(left, table, right)
    }

    private func precedesAtSameTime(_ left: Row, _ table: Table, _ right: Row) -> Bool {
        if receipts[left] != table.receipts[right] { return receipts[left] < table.receipts[right] }
        switch store.messageIDs.compare(messageIDs[left], table.messageIDs[right]) {
        case ..<0: return true
        case 0: return offsets[left] < table.offsets[right]
        default: return false
        }
    }

    // MARK: Writing

    struct Envelope {
        var timestamp: Int64
        var receivedAt: Int64
        var offset: Int64
        var profile: ProfileOrdinal
        var kind: Call.Kind
        var source: UInt32
        var messageID: UInt64
    }

    func append(_ envelope: Envelope) -> Row {
        precondition(timestamps.count < Int(UInt32.max), "more than four thousand million rows of one name")
        timestamps.append(envelope.timestamp)
        receipts.append(envelope.receivedAt)
        offsets.append(envelope.offset)
        profiles.append(envelope.profile.rawValue)
        kinds.append(envelope.kind.rawValue)
        sources.append(envelope.source)
        messageIDs.append(envelope.messageID)
        firstSeen = min(firstSeen, envelope.timestamp)
        lastSeen = max(lastSeen, envelope.timestamp)
        return timestamps.count - 1
    }

    /// Adds what a call says below a root to the columns; a root is written at most once per row.
    func write(_ root: Root, row: Row, _ body: (inout ColumnTree, inout ColumnTree.Findings) -> Void) {
        var findings = ColumnTree.Findings()
        switch root {
        case .value: body(&values, &findings)
        case .context: body(&context, &findings)
        }
        valuesOverPathLimit += findings.dropped
    }

    func scrub(row: Row) {
        values.scrub(row: row)
        context.scrub(row: row)
        messageIDs[row] = 0
        removed += 1
    }
}

/// Message ids, one after the other: they are too many and too different to look each other up.
struct MessageIDs {
    private var bytes: [UInt8] = []

    /// A reference: where the id starts, and in the low 16 bits how long it is. 0 is the empty id.
    mutating func append(_ id: String) -> UInt64 {
        let start = bytes.count
        bytes.append(contentsOf: id.utf8.prefix(Int(UInt16.max)))
        return UInt64(start) << 16 | UInt64(bytes.count - start)
    }

    private func range(_ reference: UInt64) -> Range<Int> {
        let start = Int(reference >> 16)
        return start..<start + Int(reference & 0xFFFF)
    }

    func string(_ reference: UInt64) -> String { String(decoding: bytes[range(reference)], as: UTF8.self) }

    /// Below, at or above 0 as the left id is less than, equal to or greater than the right one, byte by byte.
    func compare(_ left: UInt64, _ right: UInt64) -> Int {
        let (leftRange, rightRange) = (range(left), range(right))
        for (leftByte, rightByte) in zip(bytes[leftRange], bytes[rightRange]) where leftByte != rightByte {
            return leftByte < rightByte ? -1 : 1
        }
        return leftRange.count - rightRange.count
    }
}

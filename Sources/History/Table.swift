public import JSON
public import Model

/// The rows of one event name or one trait key: the envelope of each, and its columns.
///
/// Rows stand in three places: fresh ones in memory in the order of arrival; those that are being written to disk, the
/// same but unchanging; and runs. A row's number tells the place in its high half, so it is valid until the next
/// insertion, flush or merge only. `History` knows which rows a profile has and in which order.
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
    let number: UInt32
    let isTrait: Bool

    @usableFromInline var timestamps: ContiguousArray<Int64> = []
    @usableFromInline var receipts: ContiguousArray<Int64> = []
    var offsets: ContiguousArray<Int64> = []
    var profiles: ContiguousArray<UInt32> = []
    var kinds: ContiguousArray<UInt8> = []
    @usableFromInline var sources: ContiguousArray<UInt32> = []
    var messageIDs: ContiguousArray<UInt64> = []
    /// Fresh rows that count no more.
    var scrubbed: Set<UInt32> = []

    /// Rows that are being written.
    private(set) var frozen: RowBatch?
    /// Profiles whose rows in `frozen` count no more.
    private(set) var removedFromFrozen: Set<UInt32> = []
    /// What is on disk, oldest first.
    private(set) var runs: [Run] = []
    var freshRun = FreshRun()
    /// Rows before it have expired, and nothing shows them; milliseconds. Only of events.
    public internal(set) var floor = Int64.min

    var values: ColumnTree
    var context = ColumnTree(keepsObjects: false)
    var valuesOverPathLimit = 0
    /// Rows in all places that count; those that have expired among them as long as they are on disk.
    var liveCount = 0
    var firstSeen = Int64.max
    var lastSeen = Int64.min

    init(name: UInt32, number: UInt32, store: ValueStore, isTrait: Bool) {
        self.name = name
        self.number = number
        self.store = store
        self.isTrait = isTrait
        values = ColumnTree(keepsObjects: isTrait)
    }

    // MARK: Places

    static let placeShift = 32
    static let frozenPlace = 1 << placeShift
    static func place(ofRun index: Int) -> Int { (index + 2) << placeShift }
    @inline(__always)
    private static func local(_ row: Row) -> Int { row & 0xFFFF_FFFF }

    /// The codes of the sources of fresh rows.
    var freshSources: Set<UInt32> { Set(sources) }

    var isInMemoryOnly: Bool { runs.isEmpty && frozen == nil }
    var freshCount: Int { timestamps.count }
    /// Rows in all places, also those that count no more.
    public var rowCount: Int {
        freshCount + (frozen?.rowCount ?? 0) + runs.reduce(0) { $0 + $1.rowCount }
    }

    private func run(_ row: Row) -> Run { runs[row >> Table.placeShift - 2] }

    // MARK: Reading

    /// Milliseconds since the epoch.
    @inlinable
    public func timestamp(_ row: Row) -> Int64 {
        row < timestamps.count ? timestamps[row] : olderTimestamp(row)
    }

    @usableFromInline
    func olderTimestamp(_ row: Row) -> Int64 {
        if let frozen, row >> Table.placeShift == 1 { return frozen.timestamps[Table.local(row)] }
        return run(row).timestamps[Table.local(row)]
    }

    /// Milliseconds since the epoch.
    @inlinable
    public func receivedAt(_ row: Row) -> Int64 {
        row < receipts.count ? receipts[row] : olderReceipt(row)
    }

    @usableFromInline
    func olderReceipt(_ row: Row) -> Int64 {
        if let frozen, row >> Table.placeShift == 1 { return frozen.receipts[Table.local(row)] }
        return run(row).receivedAt(Table.local(row))
    }

    /// The source's code in the pool of texts.
    @inlinable
    public func source(_ row: Row) -> UInt32 {
        row < sources.count ? sources[row] : olderSource(row)
    }

    @usableFromInline
    func olderSource(_ row: Row) -> UInt32 {
        if let frozen, row >> Table.placeShift == 1 { return frozen.sources[Table.local(row)] }
        return run(row).source(Table.local(row))
    }

    public func kind(_ row: Row) -> Call.Kind? {
        if row < kinds.count { return Call.Kind(rawValue: kinds[row]) }
        if let frozen, row >> Table.placeShift == 1 { return Call.Kind(rawValue: frozen.kinds[Table.local(row)]) }
        return Call.Kind(rawValue: run(row).kind(Table.local(row)))
    }

    public func offset(_ row: Row) -> Int64 {
        if row < offsets.count { return offsets[row] }
        if let frozen, row >> Table.placeShift == 1 { return frozen.offsets[Table.local(row)] }
        return run(row).offset(Table.local(row))
    }

    public func profile(_ row: Row) -> ProfileOrdinal {
        if row < profiles.count { return ProfileOrdinal(profiles[row]) }
        if let frozen, row >> Table.placeShift == 1 { return ProfileOrdinal(frozen.profiles[Table.local(row)]) }
        return ProfileOrdinal(run(row).profile(Table.local(row)))
    }

    public func messageID(_ row: Row) -> String { withMessageID(row) { $0.string } }

    private func withMessageID<Result>(_ row: Row, _ body: (StoredID) -> Result) -> Result {
        if row < messageIDs.count { return store.messageIDs.withStored(messageIDs[row], body) }
        if let frozen, row >> Table.placeShift == 1 {
            return frozen.ids.withStored(frozen.messageIDs[Table.local(row)], body)
        }
        return body(run(row).messageID(Table.local(row)))
    }

    /// Grows when a path appears: a lookup that failed may succeed then.
    public var pathVersion: Int { values.version + context.version }

    /// The number of the column at a path.
    public func column(_ root: Root, _ path: ColumnPath) -> Int? {
        root == .value ? values.column(path, in: store.values.strings) : context.column(path, in: store.values.strings)
    }

    public func cell(_ root: Root, column: Int, row: Row) -> Cell {
        if row < timestamps.count { return root == .value ? values.cell(column, row) : context.cell(column, row) }
        return olderCell(root, column: column, row: row)
    }

    private func olderCell(_ root: Root, column: Int, row: Row) -> Cell {
        if let frozen, row >> Table.placeShift == 1 { return frozen.cell(root, column, Table.local(row)) }
        guard let column = run(row).column(root, column), column.isSound else { return .missing }
        return column.cell(Table.local(row))
    }

    /// A column of this table, to be read row by row. `rows` are those that will mostly be asked for. Don't keep it across
    /// insertions.
    public func cells(_ root: Root, column: Int, of rows: RowSequence) -> ColumnCells {
        let leading = rows.leadingCount > 0 ? runs[rows.leadingBase >> Table.placeShift - 2].column(root, column) : nil
        return ColumnCells(
            table: self, root: root, column: column,
            fresh: root == .value ? values.columns[column].cells : context.columns[column].cells,
            leading: leading?.isSound == true ? leading : nil,
            leadingBase: rows.leadingBase & ~0xFFFF_FFFF, hasLeading: rows.leadingCount > 0)
    }

    /// The value at a path; null where there is none. Of an event's object the members stand in the order of their names.
    public func json(_ root: Root, column: Int, row: Row) -> JSONValue {
        let cell = cell(root, column: column, row: row)
        guard cell.isInColumns else { return store.json(cell) }
        let tree = root == .value ? values : context
        let members = tree.columns[column].children.filter {
            tree.columns[$0].key != ColumnTree.elements && self.cell(root, column: $0, row: row) != .missing
        }
        .map { (key: store.text(tree.columns[$0].key), value: json(root, column: $0, row: row)) }
        return .object(JSONObject(members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }))
    }

    /// The order of time: timestamp, then receipt, then message id (spec: engage §1.3).
    func precedes(_ left: Row, _ right: Row) -> Bool { precedes(left, self, right) }

    func precedes(_ left: Row, _ table: Table, _ right: Row) -> Bool {
        let (leftTime, rightTime) = (timestamp(left), table.timestamp(right))
        return leftTime != rightTime ? leftTime < rightTime : precedesAtSameTime(left, table, right)
    }

    private func precedesAtSameTime(_ left: Row, _ table: Table, _ right: Row) -> Bool {
        let (leftReceipt, rightReceipt) = (receivedAt(left), table.receivedAt(right))
        if leftReceipt != rightReceipt { return leftReceipt < rightReceipt }
        let comparison =
            if left < messageIDs.count, right < table.messageIDs.count {
                store.messageIDs.compare(messageIDs[left], table.messageIDs[right])
            } else {
                withMessageID(left) { left in table.withMessageID(right) { StoredID.compare(left, $0) } }
            }
        return comparison != 0 ? comparison < 0 : offset(left) < table.offset(right)
    }

    // MARK: Runs

    private func batch() -> RowBatch {
        RowBatch(
            timestamps: timestamps, receipts: receipts, offsets: offsets, profiles: profiles, kinds: kinds,
            sources: sources, messageIDs: messageIDs, ids: store.messageIDs, values: values.columns.map(\.cells),
            context: context.columns.map(\.cells), scrubbed: scrubbed)
    }

    /// Everything as it is now. Nothing is copied before the next row comes, and then only arrays.
    func snapshot() -> TableSnapshot {
        TableSnapshot(
            isTrait: isTrait, number: number, floor: floor, written: runs, frozen: frozen,
            removedFromFrozen: removedFromFrozen, fresh: freshCount > 0 ? batch() : nil, freshRun: freshRun)
    }

    /// Hands over the fresh rows to be written; new ones are collected apart. There is nothing frozen before.
    func freeze() {
        freshRun = FreshRun()
        guard freshCount > 0 else { return }
        let batch = batch()
        timestamps = []
        receipts = []
        offsets = []
        profiles = []
        kinds = []
        sources = []
        messageIDs = []
        scrubbed = []
        values.dropCells()
        context.dropCells()
        frozen = batch
    }

    /// What was frozen is on disk now.
    func thaw() {
        frozen = nil
        removedFromFrozen = []
    }

    func setRuns(_ runs: [Run]) { self.runs = floor == .min ? runs : runs.map { $0.hiding(below: floor) } }

    /// A cell that counts no more.
    struct Forgotten {
        /// Whether it stands in a run.
        var isStored: Bool
        var root: Root
        var column: Int
        var cell: Cell
    }

    /// Marks a frozen or written profile's rows as such that count no more, and tells their cells and number.
    func removeOlder(_ profile: UInt32) -> (cells: [Forgotten], stored: Int, frozen: Int) {
        var forgotten: [Forgotten] = []
        var counts = (stored: 0, frozen: 0)
        if let frozen, !removedFromFrozen.contains(profile) {
            for row in frozen.profiles.indices
            where frozen.profiles[row] == profile && !frozen.scrubbed.contains(UInt32(row)) {
                counts.frozen += 1
                forget(row | Table.frozenPlace, isStored: false, &forgotten)
            }
            if counts.frozen > 0 { removedFromFrozen.insert(profile) }
        }
        for index in runs.indices {
            let rows = runs[index].storedRows(of: profile)
            guard !rows.isEmpty else { continue }
            counts.stored += rows.count
            for row in rows { forget(row | Table.place(ofRun: index), isStored: true, &forgotten) }
            runs[index] = runs[index].removing([profile])
        }
        liveCount -= counts.stored + counts.frozen
        return (forgotten, counts.stored, counts.frozen)
    }

    private func forget(_ row: Row, isStored: Bool, _ forgotten: inout [Forgotten]) {
        for column in values.columns.indices {
            let cell = cell(.value, column: column, row: row)
            guard cell != .missing else { continue }
            values.forget(cell, column)
            forgotten.append(Forgotten(isStored: isStored, root: .value, column: column, cell: cell))
        }
        for column in context.columns.indices {
            let cell = cell(.context, column: column, row: row)
            guard cell != .missing else { continue }
            context.forget(cell, column)
            forgotten.append(Forgotten(isStored: isStored, root: .context, column: column, cell: cell))
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
        liveCount += 1
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
        scrubbed.insert(UInt32(row))
        liveCount -= 1
    }
}

/// Message ids, one after the other: they are too many and too different to look each other up.
struct MessageIDs {
    private(set) var bytes: [UInt8] = []

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

    func withStored<Result>(_ reference: UInt64, _ body: (StoredID) -> Result) -> Result {
        let range = range(reference)
        return bytes.withUnsafeBufferPointer { bytes in
            let text = UnsafeBufferPointer(rebasing: bytes[range])
            if let (high, low) = StoredID.parse(text) { return body(.uuid(high, low)) }
            return body(.text(text))
        }
    }

    /// Below, at or above 0 as the left id is less than, equal to or greater than the right one, byte by byte.
    func compare(_ left: UInt64, _ right: UInt64) -> Int {
        let (leftRange, rightRange) = (range(left), range(right))
        for (leftByte, rightByte) in zip(bytes[leftRange], bytes[rightRange]) where leftByte != rightByte {
            return leftByte < rightByte ? -1 : 1
        }
        return leftRange.count - rightRange.count
    }
}

/// Rows of a table in the order of arrival that will not be added to any more: what a flush writes, and what is read in
/// the meantime.
///
/// Sendable because nothing changes after `init`.
final class RowBatch: Sendable {
    let timestamps: ContiguousArray<Int64>
    let receipts: ContiguousArray<Int64>
    let offsets: ContiguousArray<Int64>
    let profiles: ContiguousArray<UInt32>
    let kinds: ContiguousArray<UInt8>
    let sources: ContiguousArray<UInt32>
    let messageIDs: ContiguousArray<UInt64>
    let ids: MessageIDs
    /// By column number; each may be shorter than the rows.
    let values: [ContiguousArray<Cell>]
    let context: [ContiguousArray<Cell>]
    /// Rows that count no more.
    let scrubbed: Set<UInt32>

    init(
        timestamps: ContiguousArray<Int64>, receipts: ContiguousArray<Int64>, offsets: ContiguousArray<Int64>,
        profiles: ContiguousArray<UInt32>, kinds: ContiguousArray<UInt8>, sources: ContiguousArray<UInt32>,
        messageIDs: ContiguousArray<UInt64>, ids: MessageIDs, values: [ContiguousArray<Cell>],
        context: [ContiguousArray<Cell>], scrubbed: Set<UInt32>
    ) {
        self.timestamps = timestamps
        self.receipts = receipts
        self.offsets = offsets
        self.profiles = profiles
        self.kinds = kinds
        self.sources = sources
        self.messageIDs = messageIDs
        self.ids = ids
        self.values = values
        self.context = context
        self.scrubbed = scrubbed
    }

    var rowCount: Int { timestamps.count }

    func cell(_ root: Table.Root, _ column: Int, _ row: Int) -> Cell {
        let columns = root == .value ? values : context
        guard column < columns.count, row < columns[column].count else { return .missing }
        return columns[column][row]
    }

    /// The rows that count, by profile and in the order of time.
    func sortedRows() -> [UInt32] {
        var order: [UInt32] = []
        order.reserveCapacity(rowCount)
        for row in 0..<UInt32(rowCount) where scrubbed.isEmpty || !scrubbed.contains(row) { order.append(row) }
        order.sort { left, right in
            let (left, right) = (Int(left), Int(right))
            if profiles[left] != profiles[right] { return profiles[left] < profiles[right] }
            if timestamps[left] != timestamps[right] { return timestamps[left] < timestamps[right] }
            if receipts[left] != receipts[right] { return receipts[left] < receipts[right] }
            let comparison = ids.compare(messageIDs[left], messageIDs[right])
            return comparison != 0 ? comparison < 0 : offsets[left] < offsets[right]
        }
        return order
    }
}

/// The rows of a batch in the order of a run.
struct BatchInput: RunInput {
    private let batch: RowBatch
    private let order: [UInt32]

    init(_ batch: RowBatch) {
        self.batch = batch
        order = batch.sortedRows()
    }

    var rowCount: Int { order.count }

    func forEachProfile(_ body: (UInt32, Int) -> Void) {
        var start = 0
        while start < order.count {
            let profile = batch.profiles[Int(order[start])]
            var end = start + 1
            while end < order.count, batch.profiles[Int(order[end])] == profile { end += 1 }
            body(profile, end - start)
            start = end
        }
    }

    func forEachTimestamp(_ body: (Int64) -> Void) {
        for row in order { body(batch.timestamps[Int(row)]) }
    }

    func forEachInteger(_ field: EnvelopeField, _ body: (Int64) -> Void) {
        switch field {
        case .receipt: for row in order { body(batch.receipts[Int(row)] &- batch.timestamps[Int(row)]) }
        case .offset: for row in order { body(batch.offsets[Int(row)]) }
        case .kind: for row in order { body(Int64(batch.kinds[Int(row)])) }
        case .source: for row in order { body(Int64(batch.sources[Int(row)])) }
        }
    }

    func forEachID(_ body: (StoredID) -> Void) {
        for row in order { batch.ids.withStored(batch.messageIDs[Int(row)], body) }
    }

    func columnNumbers(_ root: Table.Root) -> [Int] {
        let columns = root == .value ? batch.values : batch.context
        return columns.indices.filter { !columns[$0].isEmpty }
    }

    func forEachCell(_ root: Table.Root, _ column: Int, _ body: (Cell) -> Void) {
        let cells = (root == .value ? batch.values : batch.context)[column]
        for row in order {
            let row = Int(row)
            body(row < cells.count ? cells[row] : .missing)
        }
    }
}

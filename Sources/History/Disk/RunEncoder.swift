/// Where the rows of a new run come from, in their order: the fresh rows of a table, or older runs that are merged.
protocol RunInput {
    var rowCount: Int { get }
    /// Each profile once, ascending, with its number of rows.
    func forEachProfile(_ body: (UInt32, Int) -> Void)
    func forEachTimestamp(_ body: (Int64) -> Void)
    func forEachInteger(_ field: EnvelopeField, _ body: (Int64) -> Void)
    func forEachID(_ body: (StoredID) -> Void)
    func columnNumbers(_ root: Table.Root) -> [Int]
    func forEachCell(_ root: Table.Root, _ column: Int, _ body: (Cell) -> Void)
}

enum EnvelopeField: CaseIterable {
    /// Receipt less timestamp.
    case receipt
    case offset
    case kind
    case source
}

/// Writes runs. What it writes depends on the rows and their order alone.
enum RunEncoder {
    static func encode<Input: RunInput>(
        _ input: Input, isTrait: Bool, table: UInt32, to sink: ByteSink
    ) throws(HistoryFileError) -> RunDescriptor {
        var run = RunDescriptor()
        run.isTrait = isTrait
        run.table = table
        run.rowCount = input.rowCount
        try writeCore(input, &run, sink)
        try writeEnvelope(input, &run, sink)
        try writeIdentifiers(input, &run, sink)
        for root in [Table.Root.value, .context] {
            for number in input.columnNumbers(root) {
                guard var column = try write(input, root, number, sink) else { continue }
                column.root = root == .value ? 0 : 1
                column.number = number
                run.columns.append(column)
            }
        }
        return run
    }

    private static func writeCore<Input: RunInput>(
        _ input: Input, _ run: inout RunDescriptor, _ sink: ByteSink
    ) throws(HistoryFileError) {
        sink.begin()
        var starts: [UInt32] = [0]
        var total: UInt32 = 0
        input.forEachProfile { profile, count in
            sink.append(profile)
            total += UInt32(count)
            starts.append(total)
        }
        run.profileCount = starts.count - 1
        sink.pad()
        starts.withUnsafeBytes { sink.append($0) }
        sink.pad()
        var earliest = Int64.max
        var latest = Int64.min
        input.forEachTimestamp {
            earliest = min(earliest, $0)
            latest = max(latest, $0)
            sink.append($0)
        }
        (run.earliest, run.latest) = (earliest, latest)
        run.core = try sink.end()
    }

    private static func writeEnvelope<Input: RunInput>(
        _ input: Input, _ run: inout RunDescriptor, _ sink: ByteSink
    ) throws(HistoryFileError) {
        sink.begin()
        for field in EnvelopeField.allCases {
            var least = Int64.max
            var greatest = Int64.min
            input.forEachInteger(field) {
                least = min(least, $0)
                greatest = max(greatest, $0)
            }
            // Wraps only where 8 bytes are needed anyway.
            let span = UInt64(bitPattern: greatest &- least)
            let width = span == 0 ? 0 : span <= 0xFF ? 1 : span <= 0xFFFF ? 2 : span <= 0xFFFF_FFFF ? 4 : 8
            let form = RunDescriptor.Integers(width: width, base: width == 8 ? 0 : least)
            switch width {
            case 1: input.forEachInteger(field) { sink.append(UInt8(truncatingIfNeeded: $0 &- least)) }
            case 2: input.forEachInteger(field) { sink.append(UInt16(truncatingIfNeeded: $0 &- least)) }
            case 4: input.forEachInteger(field) { sink.append(UInt32(truncatingIfNeeded: $0 &- least)) }
            case 8: input.forEachInteger(field) { sink.append($0) }
            default: break
            }
            sink.pad()
            run.integers.append(form)
        }
        // A section is never empty, so that it has an address.
        if run.integers.allSatisfy({ $0.width == 0 }) {
            run.integers[3].width = 1
            input.forEachInteger(.source) { _ in sink.append(UInt8(0)) }
        }
        run.envelope = try sink.end()
    }

    private static func writeIdentifiers<Input: RunInput>(
        _ input: Input, _ run: inout RunDescriptor, _ sink: ByteSink
    ) throws(HistoryFileError) {
        sink.begin()
        var bitmap = [UInt64](repeating: 0, count: (input.rowCount + 63) / 64)
        var row = 0
        var length: UInt64 = 0
        input.forEachID { id in
            switch id {
            case .uuid(let high, let low):
                sink.append(high)
                sink.append(low)
            case .text(let text):
                bitmap[row / 64] |= 1 << UInt64(row % 64)
                sink.append(length)
                sink.append(UInt64(text.count))
                length += UInt64(text.count)
                run.hasTextIDs = true
            }
            row += 1
        }
        if run.hasTextIDs {
            bitmap.withUnsafeBytes { sink.append($0) }
            input.forEachID { id in
                if case .text(let text) = id { sink.append(UnsafeRawBufferPointer(text)) }
            }
        }
        run.identifiers = try sink.end()
    }

    // MARK: Columns

    /// The smallest form that the cells fit into; `nil` where all are missing.
    private static func write<Input: RunInput>(
        _ input: Input, _ root: Table.Root, _ number: Int, _ sink: ByteSink
    ) throws(HistoryFileError) -> RunDescriptor.Column? {
        var survey = ColumnSurvey()
        input.forEachCell(root, number) { survey.add($0) }
        guard survey.present > 0 else { return nil }
        var column = RunDescriptor.Column()
        column.kinds = survey.kinds
        column.codedKind = survey.codedKind ?? .missing
        column.encoding = survey.encoding
        column.valueCount = column.encoding == .constant ? 0 : survey.count
        sink.begin()
        switch column.encoding {
        case .constant, .codes8, .codes16:
            survey.sort()
            survey.distinct.withUnsafeBytes { sink.append($0) }
            column.dictionaryCount = survey.distinct.count
            if column.encoding == .codes8 {
                input.forEachCell(root, number) { sink.append(UInt8(truncatingIfNeeded: survey.index(of: $0))) }
            } else if column.encoding == .codes16 {
                input.forEachCell(root, number) { sink.append(UInt16(truncatingIfNeeded: survey.index(of: $0))) }
            }
        case .integers:
            input.forEachCell(root, number) { cell in
                let value: Int32 =
                    cell == .missing ? .min : cell == .null ? .min + 1 : Int32(exactly: cell.number) ?? .min
                sink.append(value)
            }
        case .codes32:
            input.forEachCell(root, number) { cell in
                let value: UInt32 = cell == .missing ? 0 : cell == .null ? 1 : cell.code &+ 2
                sink.append(value)
            }
        case .cells: input.forEachCell(root, number) { sink.append($0.bits) }
        case .sparse:
            input.forEachCell(root, number) { if $0 != .missing { sink.append($0.bits) } }
            var row: UInt32 = 0
            input.forEachCell(root, number) {
                if $0 != .missing { sink.append(row) }
                row += 1
            }
            column.valueCount = survey.present
            column.dictionaryCount = survey.present
        }
        column.place = try sink.end()
        return column
    }
}

/// What kinds of cells a column has, and up to 65,536 distinct ones.
struct ColumnSurvey {
    private static let maximumDistinct = 1 << 16

    private(set) var count = 0
    private(set) var present = 0
    private(set) var kinds: UInt16 = 0
    private(set) var distinct: [UInt64] = []
    private var areIntegers = true
    private var greatestCode: UInt32 = 0
    private var hasTooMany = false
    /// Open addressing: index + 1, or 0; its size is a power of two.
    private var slots = [UInt32](repeating: 0, count: 256)
    private var last: (bits: UInt64, index: Int) = (0, -1)

    mutating func add(_ cell: Cell) {
        count += 1
        if cell.bits == last.bits, last.index >= 0 {
            if cell != .missing { present += 1 }
            return
        }
        let kind = cell.kind
        kinds |= 1 << UInt16(kind.rawValue)
        if kind != .missing { present += 1 }
        switch kind {
        case .missing, .null: break
        case .number:
            if areIntegers { areIntegers = Int32(exactly: cell.number).map { $0 > Int32.min + 1 } ?? false }
        default: greatestCode = max(greatestCode, cell.code)
        }
        guard !hasTooMany else { return }
        last = (cell.bits, insert(cell.bits))
    }

    private static func hash(_ bits: UInt64) -> Int {
        let product = (bits ^ bits >> 32) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: product >> 32)
    }

    private mutating func insert(_ bits: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = ColumnSurvey.hash(bits) & mask
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            if distinct[index] == bits { return index }
            slot = (slot + 1) & mask
        }
        guard distinct.count < ColumnSurvey.maximumDistinct else {
            hasTooMany = true
            return -1
        }
        distinct.append(bits)
        slots[slot] = UInt32(distinct.count)
        if distinct.count * 2 > slots.count {
            slots = [UInt32](repeating: 0, count: slots.count * 4)
            place()
        }
        return distinct.count - 1
    }

    /// Puts the distinct cells in the order of numbers, then of bits: what an ordering accepts is then a range of codes,
    /// and the same cells are written the same way whatever row came first.
    mutating func sort() {
        func key(_ bits: UInt64) -> (Bool, UInt64) {
            let isNumber = Cell(bits: bits).kind == .number
            return (!isNumber, isNumber ? (bits >> 63 == 1 ? ~bits : bits | 1 << 63) : bits)
        }
        let sorted = distinct.map { (key: key($0), bits: $0) }.sorted {
            $0.key.0 == $1.key.0 ? $0.key.1 < $1.key.1 : !$0.key.0
        }
        distinct = sorted.map(\.bits)
        place()
    }

    /// Enters all distinct cells into the slots.
    private mutating func place() {
        for slot in slots.indices { slots[slot] = 0 }
        let mask = slots.count - 1
        for (index, bits) in distinct.enumerated() {
            var slot = ColumnSurvey.hash(bits) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(index) + 1
        }
    }

    /// The place of a cell that was added among the distinct ones.
    func index(of cell: Cell) -> Int {
        let mask = slots.count - 1
        var slot = ColumnSurvey.hash(cell.bits) & mask
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            if distinct[index] == cell.bits { return index }
            slot = (slot + 1) & mask
        }
        return 0
    }

    /// The one kind of cells with codes, if there is one beside missing and null.
    var codedKind: Cell.Kind? {
        let nothing: UInt16 = 1 << UInt16(Cell.Kind.missing.rawValue) | 1 << UInt16(Cell.Kind.null.rawValue)
        let rest = kinds & ~nothing
        guard rest.nonzeroBitCount == 1, let kind = Cell.Kind(rawValue: UInt8(rest.trailingZeroBitCount)),
            kind != .number, greatestCode < UInt32.max - 2
        else { return nil }
        return kind
    }

    var encoding: RunColumn.Encoding {
        let nothing: UInt16 =
            1 << UInt16(Cell.Kind.missing.rawValue) | 1 << UInt16(Cell.Kind.null.rawValue)
            | 1 << UInt16(Cell.Kind.number.rawValue)
        var best: (encoding: RunColumn.Encoding, size: Int) = (.cells, count * 8)
        func consider(_ encoding: RunColumn.Encoding, _ size: Int) {
            if size < best.size { best = (encoding, size) }
        }
        if kinds & ~nothing == 0, areIntegers { consider(.integers, count * 4) }
        if codedKind != nil { consider(.codes32, count * 4) }
        if !hasTooMany {
            if distinct.count == 1 { return .constant }
            if distinct.count <= 256 { consider(.codes8, count + distinct.count * 8) }
            if distinct.count <= 65536 { consider(.codes16, count * 2 + distinct.count * 8) }
        }
        // Sparse reads are searches, so they must save much.
        consider(.sparse, present * 12 * 4)
        return best.encoding
    }
}

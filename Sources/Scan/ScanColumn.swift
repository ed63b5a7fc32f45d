import History

/// The cells of one column of a run. All forms are random access and none has null masks: missing and null are values
/// like others, because that makes every form one load without a branch. Valid as long as the run lives.
struct ScanColumn {
    enum Form {
        /// The same in every row.
        case constant(UInt64)
        /// Places in the dictionary.
        case codes8(UnsafePointer<UInt8>)
        case codes16(UnsafePointer<UInt16>)
        /// Whole numbers; the least is missing and the one above it null.
        case integers(UnsafePointer<Int32>)
        /// Codes of one kind of cell, plus 2; 0 is missing and 1 null.
        case codes32(UnsafePointer<UInt32>, kind: UInt64)
        case cells(UnsafePointer<UInt64>)
        /// The rows that have something, ascending, and in the dictionary what.
        case sparse(UnsafePointer<UInt32>)
    }

    var form: Form
    var dictionary: UnsafeBufferPointer<UInt64>
    var kinds: CellKinds

    init(form: Form, dictionary: UnsafeBufferPointer<UInt64>, kinds: CellKinds) {
        self.form = form
        self.dictionary = dictionary
        self.kinds = kinds
    }

    /// A column of the History as it lies there: the encodings are the same.
    init(_ column: RunColumn) {
        dictionary = column.dictionary
        kinds = CellKinds(rawValue: column.kinds)
        func values<Element>(_ type: Element.Type) -> UnsafePointer<Element> {
            column.values.assumingMemoryBound(to: type)
        }
        form =
            switch column.encoding {
            case .constant: .constant(column.dictionary.first ?? Bits.missing)
            case .codes8: .codes8(values(UInt8.self))
            case .codes16: .codes16(values(UInt16.self))
            case .integers: .integers(values(Int32.self))
            case .codes32: .codes32(values(UInt32.self), kind: Bits.boxed | UInt64(column.codedKind.rawValue) << 32)
            case .cells: .cells(values(UInt64.self))
            case .sparse: .sparse(values(UInt32.self))
            }
    }

    @inline(__always)
    static func bits(integer value: Int32) -> UInt64 {
        value > Int32.min &+ 1 ? Bits.number(Int(value)) : value == Int32.min ? Bits.missing : Bits.null
    }

    @inline(__always)
    static func bits(code value: UInt32, kind: UInt64) -> UInt64 {
        value > 1 ? kind | UInt64(value &- 2) : value == 0 ? Bits.missing : Bits.null
    }

    /// Writes the bits of some rows one after the other.
    func copy(_ rows: Range<Int>, to target: UnsafeMutablePointer<UInt64>) {
        let (start, count) = (rows.lowerBound, rows.count)
        switch form {
        case .constant(let bits): target.update(repeating: bits, count: count)
        case .codes8(let codes): for index in 0..<count { target[index] = dictionary[Int(codes[start + index])] }
        case .codes16(let codes): for index in 0..<count { target[index] = dictionary[Int(codes[start + index])] }
        case .integers(let values):
            for index in 0..<count { target[index] = ScanColumn.bits(integer: values[start + index]) }
        case .codes32(let codes, let kind):
            for index in 0..<count { target[index] = ScanColumn.bits(code: codes[start + index], kind: kind) }
        case .cells(let bits): target.update(from: bits + start, count: count)
        case .sparse(let places):
            target.update(repeating: Bits.missing, count: count)
            let places = UnsafeBufferPointer(start: places, count: dictionary.count)
            var index = places.firstIndex(from: UInt32(start), near: 0)
            while index < places.count, Int(places[index]) < rows.upperBound {
                target[Int(places[index]) - start] = dictionary[index]
                index += 1
            }
        }
    }
}

/// The kinds of cells that a column has.
struct CellKinds: OptionSet, Sendable {
    let rawValue: UInt16

    init(rawValue: UInt16) { self.rawValue = rawValue }
    init(_ kind: Cell.Kind) { rawValue = 1 << UInt16(kind.rawValue) }

    static let nulls = CellKinds(.missing).union(CellKinds(.null))
    static let booleans = CellKinds(.boolean)
    static let numbers = CellKinds(.number)
    static let strings = CellKinds(.string)
    /// Those that a kernel leaves to the evaluator.
    static let others: CellKinds = [
        CellKinds(.exactNumber), CellKinds(.array), CellKinds(.object), CellKinds(.list),
    ]
}

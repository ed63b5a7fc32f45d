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

    let form: Form
    let dictionary: UnsafeBufferPointer<UInt64>
    let kinds: CellKinds
    private let column: RunColumn

    /// A column of the History as it lies there: the encodings are the same.
    init(_ column: RunColumn) {
        self.column = column
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
    func copy(_ rows: Range<Int>, to target: UnsafeMutablePointer<UInt64>) { column.copy(rows, to: target) }
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
    /// Those that are numbers or certainly none: `BlockScan.isNumberless` says the same of one cell.
    static let summable: CellKinds = [.nulls, .booleans, .numbers, CellKinds(.array), CellKinds(.object)]
    /// Those that a kernel leaves to the evaluator.
    static let others: CellKinds = [
        CellKinds(.exactNumber), CellKinds(.array), CellKinds(.object), CellKinds(.list),
    ]
}

public import History

/// The rows of one table in one run, as kernels walk them: sorted by (profile, time), one column after the other.
///
/// Immutable from the moment it is made. It owns its memory, or keeps alive whoever does.
public final class ScanRun: @unchecked Sendable {
    // Sendable although it holds pointers: what they point to is written before `init` returns and never after, and
    // `owner` or `deinit` keeps it in place as long as this object lives.

    /// The profiles that have rows here, ascending, each once.
    let profiles: UnsafeBufferPointer<UInt32>
    /// Where each profile's rows start, and one more: the number of rows.
    let starts: UnsafeBufferPointer<UInt32>
    /// Milliseconds since the epoch; ascending within a profile.
    let timestamps: UnsafeBufferPointer<Int64>
    /// By column; shorter than the rows where the rest have nothing.
    private let columns: [ColumnName: Column]
    private let owner: AnyObject?
    private let owned: [UnsafeRawPointer]

    /// The first and the last time; the other way round without rows.
    let earliest: Int64
    let latest: Int64

    var rowCount: Int { timestamps.count }

    struct Column {
        /// The bits of cells.
        var bits: UnsafeBufferPointer<UInt64>
        var kinds: CellKinds
    }

    struct ColumnName: Hashable {
        var root: Table.Root
        var path: ColumnPath
    }

    /// Copies.
    /// - Parameters:
    ///   - starts: One more than profiles.
    ///   - columns: The bits of cells, as many as rows.
    public init(
        profiles: [UInt32], starts: [UInt32], timestamps: [Int64],
        columns: [(root: Table.Root, path: ColumnPath, bits: [UInt64])]
    ) {
        precondition(starts.count == profiles.count + 1 && Int(starts.last ?? 0) == timestamps.count)
        var owned: [UnsafeRawPointer] = []
        func copy<Element>(_ elements: [Element]) -> UnsafeBufferPointer<Element> {
            let copy = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
            _ = copy.initialize(from: elements)
            if let base = copy.baseAddress { owned.append(UnsafeRawPointer(base)) }
            return UnsafeBufferPointer(copy)
        }
        self.profiles = copy(profiles)
        self.starts = copy(starts)
        self.timestamps = copy(timestamps)
        earliest = timestamps.min() ?? .max
        latest = timestamps.max() ?? .min
        var named: [ColumnName: Column] = [:]
        for column in columns {
            precondition(column.bits.count == timestamps.count, "a column has a cell for every row")
            var kinds: CellKinds = []
            for bits in column.bits { kinds.formUnion(CellKinds(Cell(rawBits: bits).kind)) }
            named[ColumnName(root: column.root, path: column.path)] = Column(bits: copy(column.bits), kinds: kinds)
        }
        self.columns = named
        self.owned = owned
        owner = nil
    }

    deinit { for pointer in owned { pointer.deallocate() } }

    func column(_ name: ColumnName) -> Column? { columns[name] }
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

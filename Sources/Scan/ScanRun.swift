public import History

/// The rows of one table in one run, as kernels walk them: sorted by (profile, time), one column after the other. Nothing
/// is copied of a run of the History: pointers lead into its mapped file.
///
/// Sendable although it holds pointers: what they point to is written before `init` returns and never after, and it
/// stays in place as long as this object, which keeps its owner, lives.
public final class ScanRun: @unchecked Sendable {
    /// The profiles that have rows here, ascending, each once.
    let profiles: UnsafeBufferPointer<UInt32>
    /// Where each profile's rows start, and one more: the number of rows.
    let starts: UnsafeBufferPointer<UInt32>
    /// Milliseconds since the epoch; ascending within a profile.
    let timestamps: UnsafeBufferPointer<Int64>
    /// The first and the last time; the other way round without rows.
    let earliest: Int64
    let latest: Int64
    /// Profiles of `profiles` whose rows here count no more.
    let removed: Set<UInt32>
    private let columns: [ColumnName: ScanColumn]
    private let owner: Owner

    private enum Owner {
        case run(Run)
        case memory(OwnedMemory)
    }

    var rowCount: Int { timestamps.count }

    struct ColumnName: Hashable, Sendable {
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
        let memory = OwnedMemory()
        self.profiles = memory.copy(profiles)
        self.starts = memory.copy(starts)
        self.timestamps = memory.copy(timestamps)
        earliest = timestamps.min() ?? .max
        latest = timestamps.max() ?? .min
        var named: [ColumnName: ScanColumn] = [:]
        for column in columns {
            precondition(column.bits.count == timestamps.count, "a column has a cell for every row")
            named[ColumnName(root: column.root, path: column.path)] = memory.column(column.bits)
        }
        self.columns = named
        removed = []
        owner = .memory(memory)
    }

    /// Takes a run of the History as it lies there. `nil` if a part of it that will be read is damaged: then the History
    /// tells what.
    /// - Parameter columns: Those that will be read, with their numbers in the table.
    init?(_ run: Run, columns: [(name: ColumnName, number: Int)]) {
        guard run.isSound else { return nil }
        var named: [ColumnName: ScanColumn] = [:]
        for (name, number) in columns {
            guard let column = run.column(name.root, number) else { continue }
            guard column.isSound else { return nil }
            named[name] = ScanColumn(column)
        }
        self.columns = named
        profiles = run.profiles
        starts = run.starts
        timestamps = run.timestamps
        earliest = run.earliest
        latest = run.latest
        removed = run.removed
        owner = .run(run)
    }

    func column(_ name: ColumnName) -> ScanColumn? { columns[name] }

    /// How much memory the run takes that was made for it alone.
    var byteCount: Int { if case .memory(let memory) = owner { memory.byteCount } else { 0 } }
}

/// Copies of arrays in one place as long as it lives, columns in the smallest form that holds them.
private final class OwnedMemory {
    private var pointers: [UnsafeRawPointer] = []
    private(set) var byteCount = 0

    deinit { for pointer in pointers { pointer.deallocate() } }

    func copy<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeBufferPointer<Element> {
        let copy = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
        _ = copy.initialize(from: elements)
        if let base = copy.baseAddress { pointers.append(UnsafeRawPointer(base)) }
        byteCount += elements.count * MemoryLayout<Element>.stride
        return UnsafeBufferPointer(copy)
    }

    /// The same choice of forms as that of runs on disk.
    func column(_ bits: [UInt64]) -> ScanColumn {
        var kinds: CellKinds = []
        var areIntegers = true
        var dictionary: [UInt64] = []
        var places: [UInt64: Int] = [:]
        var missing = 0
        for bits in bits {
            if Bits.isNumber(bits) {
                let number = Double(bitPattern: bits)
                areIntegers = areIntegers && Int32(exactly: number).map { $0 > Int32.min + 1 } ?? false
                kinds.formUnion(.numbers)
            } else {
                kinds.formUnion(CellKinds(Cell(rawBits: bits).kind))
                areIntegers = areIntegers && Bits.isNull(bits)
                missing += bits == Bits.missing ? 1 : 0
            }
            if dictionary.count <= 256, places[bits] == nil {
                places[bits] = dictionary.count
                dictionary.append(bits)
            }
        }
        let none = UnsafeBufferPointer<UInt64>(start: nil, count: 0)
        func made(_ form: ScanColumn.Form?, _ dictionary: UnsafeBufferPointer<UInt64>) -> ScanColumn {
            ScanColumn(form: form ?? .constant(Bits.missing), dictionary: dictionary, kinds: kinds)
        }
        let single = kinds.subtracting(.nulls)
        if dictionary.count <= 1 {
            return made(.constant(dictionary.first ?? Bits.missing), none)
        } else if missing > bits.count / 16 * 15 {
            let rows = bits.indices.filter { bits[$0] != Bits.missing }
            return made(copy(rows.map { UInt32($0) }).baseAddress.map { .sparse($0) }, copy(rows.map { bits[$0] }))
        } else if dictionary.count <= 256 {
            return made(copy(bits.map { UInt8(places[$0] ?? 0) }).baseAddress.map { .codes8($0) }, copy(dictionary))
        } else if areIntegers {
            let values = bits.map { bits -> Int32 in
                Bits.isNumber(bits) ? Int32(Double(bitPattern: bits)) : bits == Bits.missing ? .min : .min + 1
            }
            return made(copy(values).baseAddress.map { .integers($0) }, none)
        } else if single == .strings {
            let codes = bits.map { bits -> UInt32 in
                Bits.isNull(bits) ? (bits == Bits.missing ? 0 : 1) : UInt32(truncatingIfNeeded: bits) + 2
            }
            return made(copy(codes).baseAddress.map { .codes32($0, kind: Bits.string) }, none)
        }
        return made(copy(bits).baseAddress.map { .cells($0) }, none)
    }
}

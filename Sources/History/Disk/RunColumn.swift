/// The cells of one column in one run, one per row of the run.
///
/// How they stand is told by `encoding`; all forms are random access and say the same as `cell(_:)`. There are no null
/// masks: missing and null are values like others, because that makes every form one load without a branch.
///
/// | encoding | `values` | cell of a row |
/// |---|---|---|
/// | `constant` | nothing | `dictionary[0]` |
/// | `codes8` | `UInt8` per row | `dictionary[values[row]]` |
/// | `codes16` | `UInt16` per row | `dictionary[values[row]]` |
/// | `integers` | `Int32` per row | the number; `Int32.min` is missing, `Int32.min + 1` null |
/// | `codes32` | `UInt32` per row | a cell of `codedKind` with the code `value - 2`; 0 is missing, 1 null |
/// | `cells` | `UInt64` per row | the bits themselves: doubles are doubles, the rest is boxed (see `Cell`) |
/// | `sparse` | `UInt32` row numbers, ascending | `dictionary[i]` where `values[i]` is the row, else missing |
///
/// Sendable although it holds pointers: the memory is immutable and the section keeps it in place.
public final class RunColumn: @unchecked Sendable {
    public enum Encoding: UInt8, Sendable {
        case constant
        case codes8
        case codes16
        case integers
        case codes32
        case cells
        case sparse
    }

    public let encoding: Encoding
    public let rowCount: Int
    /// Bit `n` is set if a cell of the kind with raw value `n` occurs.
    public let kinds: UInt16
    /// What `codes32` are codes of.
    public let codedKind: Cell.Kind
    /// Aligned to 8 bytes; see the table.
    public let values: UnsafeRawPointer
    /// How many elements `values` has: as many as rows, but 0 if constant and fewer if sparse.
    public let valueCount: Int
    /// Bits of cells; see the table.
    public let dictionary: UnsafeBufferPointer<UInt64>
    private let section: CheckedSection

    static func width(_ encoding: Encoding) -> Int {
        switch encoding {
        case .constant: 0
        case .codes8: 1
        case .codes16: 2
        case .integers, .codes32, .sparse: 4
        case .cells: 8
        }
    }

    static func byteCount(_ encoding: Encoding, values: Int, dictionary: Int) -> Int {
        dictionary * 8 + (width(encoding) * values + 7) & ~7
    }

    /// `nil` if the section can't hold what is said to be in it.
    init?(
        _ section: CheckedSection, encoding: Encoding, codedKind: Cell.Kind, kinds: UInt16, rowCount: Int,
        valueCount: Int, dictionaryCount: Int
    ) {
        guard let base = section.bytes.baseAddress,
            section.bytes.count == RunColumn.byteCount(encoding, values: valueCount, dictionary: dictionaryCount)
        else { return nil }
        switch encoding {
        case .constant: guard dictionaryCount == 1, valueCount == 0 else { return nil }
        case .sparse: guard dictionaryCount == valueCount else { return nil }
        default: guard valueCount == rowCount else { return nil }
        }
        self.section = section
        self.encoding = encoding
        self.codedKind = codedKind
        self.kinds = kinds
        self.rowCount = rowCount
        self.valueCount = valueCount
        dictionary = UnsafeBufferPointer(
            start: base.assumingMemoryBound(to: UInt64.self), count: dictionaryCount)
        values = base + dictionaryCount * 8
    }

    /// Whether the bytes are what was written; looks when it is first asked. Ask it before anything else.
    public var isSound: Bool { section.isSound }

    /// The bits of the cells, where they stand as such.
    public var bits: UnsafeBufferPointer<UInt64>? {
        guard encoding == .cells else { return nil }
        return UnsafeBufferPointer(start: values.assumingMemoryBound(to: UInt64.self), count: rowCount)
    }

    @inlinable
    public func cell(_ row: Int) -> Cell { Cell(bits: cellBits(row)) }

    @inlinable
    public func cellBits(_ row: Int) -> UInt64 {
        switch encoding {
        case .constant: dictionary[0]
        case .codes8: dictionary[Int(values.load(fromByteOffset: row, as: UInt8.self))]
        case .codes16: dictionary[Int(values.load(fromByteOffset: row &* 2, as: UInt16.self))]
        case .integers: RunColumn.integer(values.load(fromByteOffset: row &* 4, as: Int32.self))
        case .codes32: RunColumn.coded(values.load(fromByteOffset: row &* 4, as: UInt32.self), codedKind)
        case .cells: values.load(fromByteOffset: row &* 8, as: UInt64.self)
        case .sparse: sparse(row)
        }
    }

    @inlinable
    static func integer(_ value: Int32) -> UInt64 {
        if value > Int32.min &+ 1 { return value == 0 ? 0 : Double(value).bitPattern }
        return value == Int32.min ? Cell.missing.bits : Cell.null.bits
    }

    @inlinable
    static func coded(_ value: UInt32, _ kind: Cell.Kind) -> UInt64 {
        if value > 1 { return Cell(kind, code: value &- 2).bits }
        return value == 0 ? Cell.missing.bits : Cell.null.bits
    }

    @usableFromInline
    func sparse(_ row: Int) -> UInt64 {
        let index = firstSparse(from: row)
        guard index < valueCount, values.load(fromByteOffset: index * 4, as: UInt32.self) == row else {
            return Cell.missing.bits
        }
        return dictionary[index]
    }

    /// The place of the first row of a sparse column that is not before `row`.
    private func firstSparse(from row: Int) -> Int {
        var low = 0
        var high = valueCount
        while low < high {
            let middle = (low + high) / 2
            if Int(values.load(fromByteOffset: middle * 4, as: UInt32.self)) < row {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// Writes the bits of the cells of some rows one after the other.
    public func copy(_ rows: Range<Int>, to target: UnsafeMutablePointer<UInt64>) {
        let count = rows.count
        guard count > 0 else { return }
        switch encoding {
        case .constant: target.update(repeating: dictionary[0], count: count)
        case .codes8:
            let codes = values.assumingMemoryBound(to: UInt8.self) + rows.lowerBound
            for index in 0..<count { target[index] = dictionary[Int(codes[index])] }
        case .codes16:
            let codes = values.assumingMemoryBound(to: UInt16.self) + rows.lowerBound
            for index in 0..<count { target[index] = dictionary[Int(codes[index])] }
        case .integers:
            let numbers = values.assumingMemoryBound(to: Int32.self) + rows.lowerBound
            for index in 0..<count { target[index] = RunColumn.integer(numbers[index]) }
        case .codes32:
            let codes = values.assumingMemoryBound(to: UInt32.self) + rows.lowerBound
            for index in 0..<count { target[index] = RunColumn.coded(codes[index], codedKind) }
        case .cells:
            target.update(from: values.assumingMemoryBound(to: UInt64.self) + rows.lowerBound, count: count)
        case .sparse:
            target.update(repeating: Cell.missing.bits, count: count)
            var index = firstSparse(from: rows.lowerBound)
            while index < valueCount {
                let row = Int(values.load(fromByteOffset: index * 4, as: UInt32.self))
                guard row < rows.upperBound else { break }
                target[row - rows.lowerBound] = dictionary[index]
                index += 1
            }
        }
    }
}

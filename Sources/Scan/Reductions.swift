import Evaluation
import History

/// Rows of one profile, with those among them that count: all where `mask` is nil.
struct CountedRows {
    var rows: Range<Int>
    var mask: RowMask?

    @inline(__always)
    var first: Int { mask?.next(from: rows.lowerBound, before: rows.upperBound) ?? rows.lowerBound }

    @inline(__always)
    func after(_ row: Int) -> Int { mask?.next(from: row + 1, before: rows.upperBound) ?? row + 1 }

    @inline(__always)
    var count: Int { mask?.count(rows) ?? rows.count }
}

/// What a reducer makes of one profile's rows: the bits of a cell, or `Bits.doubtful` where the evaluator must look.
extension BlockScan {
    @inline(__always)
    static func reduce(
        _ reduction: ScanPlan.Reduction, _ cells: UnsafePointer<UInt64>?, _ counted: CountedRows, _ tally: Tally
    ) -> UInt64 {
        switch reduction {
        case .count: return Bits.number(counted.count)
        case .sum: return cells.map { BlockScan.sum($0, counted, isMean: false) } ?? Bits.null
        case .average: return cells.map { BlockScan.sum($0, counted, isMean: true) } ?? Bits.null
        case .minimum: return cells.map { BlockScan.extreme($0, counted) { $0 < $1 } } ?? Bits.null
        case .maximum: return cells.map { BlockScan.extreme($0, counted) { $0 > $1 } } ?? Bits.null
        case .first: return cells.map { BlockScan.edge($0, counted, last: false) } ?? Bits.null
        case .last: return cells.map { BlockScan.edge($0, counted, last: true) } ?? Bits.null
        case .mode(_, let minimum): return cells.map { tally.mostFrequent($0, counted, minimum) } ?? Bits.null
        case .uniqueCount: return cells.map { tally.distinct($0, counted) } ?? Bits.number(0)
        }
    }

    /// In the order of time, as the evaluator adds.
    @inline(__always)
    private static func sum(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows, isMean: Bool) -> UInt64 {
        var sum = 0.0
        var count = 0
        var row = counted.first
        while row < counted.rows.upperBound {
            let bits = cells[row]
            if Bits.isNumber(bits) {
                sum += Double(bitPattern: bits)
                count += 1
            } else if !isNumberless(bits) {
                return Bits.doubtful
            }
            row = counted.after(row)
        }
        return BlockScan.sum(sum, of: count, isMean: isMean)
    }

    /// What becomes of a sum of some numbers.
    @inline(__always)
    static func sum(_ sum: Double, of count: Int, isMean: Bool) -> UInt64 {
        guard count > 0 else { return Bits.null }
        let value = isMean ? sum / Double(count) : sum
        let rounded = NumericText.rounded(value)
        return rounded.isFinite ? Bits.number(rounded) : Bits.null
    }

    /// Whether a value that is no number is certainly none for reducers of numbers.
    @inline(__always)
    static func isNumberless(_ bits: UInt64) -> Bool {
        if Bits.isNull(bits) { return true }
        switch Cell(rawBits: bits).kind {
        case .boolean, .array, .object: return true
        default: return false
        }
    }

    @inline(__always)
    private static func extreme(
        _ cells: UnsafePointer<UInt64>, _ counted: CountedRows, _ isBetter: (Double, Double) -> Bool
    ) -> UInt64 {
        var best: Double?
        var row = counted.first
        while row < counted.rows.upperBound {
            let bits = cells[row]
            if Bits.isNumber(bits) {
                let value = Double(bitPattern: bits)
                if best.map({ isBetter(value, $0) }) ?? true { best = value }
            } else if !isNumberless(bits) {
                return Bits.doubtful
            }
            row = counted.after(row)
        }
        return best.map { Bits.number($0) } ?? Bits.null
    }

    private static func edge(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows, last: Bool) -> UInt64 {
        var found = Bits.null
        var row = counted.first
        while row < counted.rows.upperBound {
            if !Bits.isNull(cells[row]) {
                found = cells[row]
                if !last { break }
            }
            row = counted.after(row)
        }
        switch Cell(rawBits: found).kind {
        case .list, .object, .array, .exactNumber: return Bits.doubtful
        case .missing, .null, .boolean, .number, .string: return found
        }
    }
}

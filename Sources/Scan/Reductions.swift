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

/// What a reducer makes of one profile's rows: the bits of a cell, or nothing where the evaluator must look.
extension BlockScan {
    @inline(__always)
    func reduce(_ reduction: ScanPlan.Reduction, _ view: TableView, _ counted: CountedRows) -> UInt64? {
        switch reduction {
        case .count: return Cell.number(Double(counted.count)).rawBits
        case .sum(let column):
            guard let cells = view.columns[column] else { return Cell.null.rawBits }
            return BlockScan.total(cells, counted).flatMap { total in
                guard total.count > 0 else { return Cell.null.rawBits }
                return BlockScan.bits(NumericText.rounded(total.sum))
            }
        case .average(let column):
            guard let cells = view.columns[column] else { return Cell.null.rawBits }
            return BlockScan.total(cells, counted).flatMap { total in
                guard total.count > 0 else { return Cell.null.rawBits }
                return BlockScan.bits(NumericText.rounded(total.sum / Double(total.count)))
            }
        case .minimum(let column):
            guard let cells = view.columns[column] else { return Cell.null.rawBits }
            return BlockScan.extreme(cells, counted) { $0 < $1 }
        case .maximum(let column):
            guard let cells = view.columns[column] else { return Cell.null.rawBits }
            return BlockScan.extreme(cells, counted) { $0 > $1 }
        case .first(let column):
            guard let cells = view.columns[column] else { return Cell.null.rawBits }
            return BlockScan.edge(cells, counted, last: false)
        case .last(let column):
            guard let cells = view.columns[column] else { return Cell.null.rawBits }
            return BlockScan.edge(cells, counted, last: true)
        case .mode(let column, let minimum):
            guard let cells = view.columns[column] else { return Cell.null.rawBits }
            guard let bits = distinct(cells, counted) else { return nil }
            return mostFrequent(bits, minimum)
        case .uniqueCount(let column):
            guard let cells = view.columns[column] else { return Cell.number(0).rawBits }
            guard let bits = distinct(cells, counted) else { return nil }
            var count = 0
            var last: UInt64?
            for value in bits where value != last {
                count += 1
                last = value
            }
            return Cell.number(Double(count)).rawBits
        }
    }

    private static func bits(_ number: Double) -> UInt64 {
        number.isFinite ? Cell.number(number).rawBits : Cell.null.rawBits
    }

    /// In the order of time, as the evaluator adds.
    @inline(__always)
    private static func total(
        _ cells: UnsafePointer<UInt64>, _ counted: CountedRows
    ) -> (sum: Double, count: Int)? {
        var sum = 0.0
        var count = 0
        var row = counted.first
        while row < counted.rows.upperBound {
            let cell = Cell(rawBits: cells[row])
            switch cell.kind {
            case .number:
                sum += cell.number
                count += 1
            case .missing, .null, .boolean, .array, .object: break
            case .string, .exactNumber, .list: return nil
            }
            row = counted.after(row)
        }
        return (sum, count)
    }

    @inline(__always)
    private static func extreme(
        _ cells: UnsafePointer<UInt64>, _ counted: CountedRows, _ isBetter: (Double, Double) -> Bool
    ) -> UInt64? {
        var best: Double?
        var row = counted.first
        while row < counted.rows.upperBound {
            let cell = Cell(rawBits: cells[row])
            switch cell.kind {
            case .number: if best.map({ isBetter(cell.number, $0) }) ?? true { best = cell.number }
            case .missing, .null, .boolean, .array, .object: break
            case .string, .exactNumber, .list: return nil
            }
            row = counted.after(row)
        }
        return best.map { Cell.number($0).rawBits } ?? Cell.null.rawBits
    }

    private static func edge(
        _ cells: UnsafePointer<UInt64>, _ counted: CountedRows, last: Bool
    ) -> UInt64? {
        var found = Cell.null
        var row = counted.first
        while row < counted.rows.upperBound {
            let cell = Cell(rawBits: cells[row])
            if !cell.isNull {
                found = cell
                if !last { break }
            }
            row = counted.after(row)
        }
        switch found.kind {
        case .list, .object, .array, .exactNumber: return nil
        case .missing, .null, .boolean, .number, .string: return found.rawBits
        }
    }

    /// The values that are there, sorted by their bits; `nil` where equal texts may have different bits, or where
    /// there are so many that the evaluator would stop counting.
    private func distinct(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows) -> ArraySlice<UInt64>? {
        values.removeAll(keepingCapacity: true)
        var kinds: CellKinds = []
        var row = counted.first
        while row < counted.rows.upperBound {
            let cell = Cell(rawBits: cells[row])
            if !cell.isNull {
                kinds.formUnion(CellKinds(cell.kind))
                values.append(cell.rawBits)
            }
            row = counted.after(row)
        }
        guard kinds.isSubset(of: .strings) || kinds.isSubset(of: .numbers), values.count <= 10_000 else { return nil }
        if values.count > 1 { values.sort() }
        return values[...]
    }

    /// Of sorted values; `nil` where only the texts decide.
    private func mostFrequent(_ values: ArraySlice<UInt64>, _ minimum: Int) -> UInt64? {
        var best = Cell.null.rawBits
        var bestCount = 0
        var isTie = false
        var start = values.startIndex
        while start < values.endIndex {
            var end = start + 1
            while end < values.endIndex, values[end] == values[start] { end += 1 }
            if end - start > bestCount {
                (best, bestCount, isTie) = (values[start], end - start, false)
            } else if end - start == bestCount {
                switch precedes(values[start], best) {
                case true?: best = values[start]
                case false?: break
                case nil: isTie = true
                }
            }
            start = end
        }
        guard bestCount >= minimum else { return Cell.null.rawBits }
        return isTie ? nil : best
    }

    /// Whether a string comes before another in the order of bytes; `nil` where that is not known here.
    private func precedes(_ left: UInt64, _ right: UInt64) -> Bool? {
        let (left, right) = (Cell(rawBits: left), Cell(rawBits: right))
        guard left.kind == .string, right.kind == .string, Int(left.code) < ranks.count,
            Int(right.code) < ranks.count
        else { return nil }
        let (leftRank, rightRank) = (ranks[Int(left.code)], ranks[Int(right.code)])
        guard leftRank != .max, rightRank != .max else { return nil }
        return leftRank < rightRank
    }
}

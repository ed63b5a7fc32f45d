import History

/// Counts how often each value occurs among the rows of one profile. Strings only, or numbers only: where equal texts may
/// have different bits, or so many values occur that the evaluator would stop counting, it is left to the evaluator.
final class Tally {
    /// Counts by code, for strings with small codes; all zero between profiles.
    private let counts: UnsafeMutablePointer<UInt32>
    private let codes: UInt64
    /// The values that occur, once each.
    private let values = UnsafeMutablePointer<UInt64>.allocate(capacity: Tally.maximum)
    /// For other values.
    private var sorted: [UInt64] = []

    /// By code of a string: its place in the order of bytes, or `.max`.
    private let ranks: [UInt32]

    private static var maximum: Int { 10_000 }

    /// - Parameter codes: Below which codes are counted rather than sorted; costs four bytes each.
    init(ranks: [UInt32], codes: Int = 1 << 17) {
        self.ranks = ranks
        self.codes = UInt64(codes)
        counts = .allocate(capacity: codes)
        counts.initialize(repeating: 0, count: codes)
    }

    deinit {
        counts.deallocate()
        values.deallocate()
    }

    /// How many values differ.
    func distinct(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows) -> UInt64 {
        if let found = count(cells, counted) {
            for index in 0..<found { counts[code(values[index])] = 0 }
            return Bits.number(found)
        }
        guard sort(cells, counted) else { return Bits.doubtful }
        var found = 0
        for index in sorted.indices where index == 0 || sorted[index] != sorted[index - 1] { found += 1 }
        return Bits.number(found)
    }

    /// The value that occurs most often and often enough; of several the first in the order of bytes.
    func mostFrequent(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows, _ minimum: Int) -> UInt64 {
        if let only = only(cells, counted), minimum <= 1 { return only }
        if let found = count(cells, counted) {
            var best = Bits.null
            var bestCount: UInt32 = 0
            var isTie = false
            for index in 0..<found {
                let value = values[index]
                let count = counts[code(value)]
                counts[code(value)] = 0
                if count > bestCount {
                    (best, bestCount, isTie) = (value, count, false)
                } else if count == bestCount {
                    prefer(value, to: &best, &isTie)
                }
            }
            return Int(bestCount) < minimum ? Bits.null : isTie ? Bits.doubtful : best
        }
        guard sort(cells, counted) else { return Bits.doubtful }
        var best = Bits.null
        var bestCount = 0
        var isTie = false
        var start = 0
        while start < sorted.count {
            var end = start + 1
            while end < sorted.count, sorted[end] == sorted[start] { end += 1 }
            if end - start > bestCount {
                (best, bestCount, isTie) = (sorted[start], end - start, false)
            } else if end - start == bestCount {
                prefer(sorted[start], to: &best, &isTie)
            }
            start = end
        }
        return bestCount < minimum ? Bits.null : isTie ? Bits.doubtful : best
    }

    /// The string or number of the one row that counts, where there is but one.
    @inline(__always)
    private func only(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows) -> UInt64? {
        let row = counted.first
        guard row < counted.rows.upperBound, counted.after(row) >= counted.rows.upperBound else { return nil }
        return Bits.isString(cells[row]) || Bits.isNumber(cells[row]) ? cells[row] : nil
    }

    @inline(__always)
    private func code(_ bits: UInt64) -> Int { Int(truncatingIfNeeded: bits & 0xFFFF_FFFF) }

    /// Counts strings by their codes; `nil`, and nothing counted, where that can't be done.
    @inline(__always)
    private func count(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows) -> Int? {
        var found = 0
        var row = counted.first
        while row < counted.rows.upperBound {
            let bits = cells[row]
            if bits &- Bits.string < codes {
                let place = code(bits)
                if counts[place] == 0 {
                    guard found < Tally.maximum else { return forget(found) }
                    values[found] = bits
                    found += 1
                }
                counts[place] += 1
            } else if !Bits.isNull(bits) {
                return forget(found)
            }
            row = counted.after(row)
        }
        return found
    }

    private func forget(_ found: Int) -> Int? {
        for index in 0..<found { counts[code(values[index])] = 0 }
        return nil
    }

    /// Sorts the values that are there by their bits.
    private func sort(_ cells: UnsafePointer<UInt64>, _ counted: CountedRows) -> Bool {
        sorted.removeAll(keepingCapacity: true)
        var kinds: CellKinds = []
        var row = counted.first
        while row < counted.rows.upperBound {
            if !Bits.isNull(cells[row]) {
                kinds.formUnion(CellKinds(Cell(rawBits: cells[row]).kind))
                sorted.append(cells[row])
            }
            row = counted.after(row)
        }
        guard kinds.isSubset(of: .strings) || kinds.isSubset(of: .numbers), sorted.count <= Tally.maximum else {
            return false
        }
        sorted.sort()
        return true
    }

    /// Takes the string that comes first; a tie where their order is not known.
    private func prefer(_ value: UInt64, to best: inout UInt64, _ isTie: inout Bool) {
        guard Bits.isString(value), Bits.isString(best), code(value) < ranks.count, code(best) < ranks.count else {
            return isTie = true
        }
        let (rank, bestRank) = (ranks[code(value)], ranks[code(best)])
        guard rank != .max, bestRank != .max else { return isTie = true }
        if rank < bestRank { best = value }
    }
}

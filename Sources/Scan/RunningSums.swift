import Evaluation
import History

// Sums and means of rows in several runs, added up where they lie instead of being put together first: possible as long as
// what each profile has in one run comes after what it has in the runs before, because the evaluator adds in the order of
// time.
extension BlockScan {
    /// `nil` where rows of a profile overlap in time.
    func sums(_ parts: [Part], _ field: ScanPlan.Field, isMean: Bool) -> Values? {
        let sums = Sums(scratch)
        for part in parts where !add(part, field, sums) { return nil }
        var values = room(BlockScan.size)
        for word in 0..<BlockScan.words {
            var bits = sums.known[word]
            while bits != 0 {
                let bit = word << 6 + bits.trailingZeroBitCount
                bits &= bits - 1
                let isDoubtful = sums.doubts[word] &>> UInt64(bit & 63) & 1 == 1
                values.append(
                    low + UInt32(bit),
                    isDoubtful
                        ? Bits.doubtful : BlockScan.sum(sums.sums[bit], of: Int(sums.counts[bit]), isMean: isMean))
            }
        }
        return values
    }

    /// By profile of the block.
    private struct Sums {
        let sums: UnsafeMutablePointer<Double>
        /// How many numbers were added.
        let counts: UnsafeMutablePointer<UInt32>
        let latest: UnsafeMutablePointer<Int64>
        /// Who has rows that count, or that may.
        let known: UnsafeMutablePointer<UInt64>
        let doubts: UnsafeMutablePointer<UInt64>

        init(_ scratch: Scratch) {
            sums = scratch.elements(of: Double.self, BlockScan.size)
            sums.update(repeating: 0, count: BlockScan.size)
            counts = scratch.zeroCounts(BlockScan.size)
            latest = scratch.elements(of: Int64.self, BlockScan.size)
            known = scratch.zeros(BlockScan.words)
            doubts = scratch.zeros(BlockScan.words)
        }
    }

    /// False where a row is not later than those before.
    private func add(_ part: Part, _ field: ScanPlan.Field, _ sums: Sums) -> Bool {
        let (slice, low) = (part.slice, low)
        let mask = part.selection.mask
        let hasDoubts = mask?.hasDoubts == true
        let cells = cells(field, slice, part.active)
        var isInOrder = true
        part.active.forEachEntry(slice) { entry in
            let rows = slice.rows(entry)
            let bit = Int(slice.profiles[entry] &- low)
            if hasDoubts, let mask, mask.doubts(rows) {
                BlockScan.set(sums.doubts, UInt32(bit))
                BlockScan.set(sums.known, UInt32(bit))
            }
            let first = mask?.next(from: rows.lowerBound, before: rows.upperBound) ?? rows.lowerBound
            guard first < rows.upperBound else { return }
            let isKnown = sums.known[bit >> 6] &>> UInt64(bit & 63) & 1 == 1
            if isKnown, slice.timestamps[first] <= sums.latest[bit] { isInOrder = false }
            BlockScan.set(sums.known, UInt32(bit))
            var last = first
            var (sum, count) = (sums.sums[bit], sums.counts[bit])
            func add(_ row: Int) {
                let bits = cells?[row] ?? Bits.missing
                if Bits.isNumber(bits) {
                    sum += Double(bitPattern: bits)
                    count &+= 1
                } else if !BlockScan.isNumberless(bits) {
                    BlockScan.set(sums.doubts, UInt32(bit))
                }
            }
            if let mask {
                var row = first
                while row < rows.upperBound {
                    last = row
                    add(row)
                    row = mask.next(from: row + 1, before: rows.upperBound)
                }
            } else {
                for row in rows { add(row) }
                last = rows.upperBound - 1
            }
            (sums.sums[bit], sums.counts[bit]) = (sum, count)
            sums.latest[bit] = slice.timestamps[last]
        }
        return isInOrder
    }
}

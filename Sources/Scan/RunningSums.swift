import Evaluation
import History

// Sums and means, added up where the rows lie instead of being put together first: possible as long as what each profile
// has in one run comes after what it has in the runs before, because the evaluator adds in the order of time.
extension BlockScan {
    /// Of whoever has a number that counts, and `Bits.doubtful` where the evaluator must look. `nil` where rows of a
    /// profile overlap in time.
    func sums(_ parts: [Part], _ field: ScanPlan.Field, isMean: Bool) -> Values? {
        guard followInTime(parts) else { return nil }
        let sums = Sums(scratch)
        for part in parts {
            noteDoubts(part, sums)
            guard let column = cursors[field.table].runs[part.slice.run].columns[field.column] else { continue }
            if part.active.isAll, column.kinds.isSubset(of: .summable) {
                addRows(part, column, field, sums)
            } else {
                addEntries(part, field, sums)
            }
        }
        return sums.values(isMean: isMean, of: self)
    }

    /// By profile of the block.
    private struct Sums {
        let sums: UnsafeMutablePointer<Double>
        /// How many numbers were added.
        let counts: UnsafeMutablePointer<UInt32>
        let doubts: UnsafeMutablePointer<UInt64>

        init(_ scratch: Scratch) {
            sums = scratch.elements(of: Double.self, BlockScan.size)
            sums.update(repeating: 0, count: BlockScan.size)
            counts = scratch.zeroCounts(BlockScan.size)
            doubts = scratch.zeros(BlockScan.words)
        }

        /// Adds what a cell has to the sum of a profile: nothing where it is no number. A branch would be guessed wrong
        /// often; and adding zero changes no sum, because none is ever −0.
        @inline(__always)
        func add(_ bits: UInt64, _ bit: Int) {
            let isNumber = Bits.isNumber(bits)
            sums[bit] += Double(bitPattern: isNumber ? bits : 0)
            counts[bit] &+= isNumber ? 1 : 0
        }

        func values(isMean: Bool, of scan: BlockScan) -> Values {
            NumericText.powersOfTen.withUnsafeBufferPointer { values(isMean: isMean, $0, of: scan) }
        }

        private func values(isMean: Bool, _ powers: UnsafeBufferPointer<Double>, of scan: BlockScan) -> Values {
            var values = scan.room(BlockScan.size)
            for word in 0..<BlockScan.words {
                let counts = counts + word << 6
                let doubtful = doubts[word]
                var bits = FieldKernel.gather(64) { counts[$0] > 0 } | doubtful
                while bits != 0 {
                    let place = bits.trailingZeroBitCount
                    let bit = word << 6 + place
                    bits &= bits &- 1
                    let sum = isMean ? sums[bit] / Double(counts[place]) : sums[bit]
                    let rounded = NumericText.rounded(sum, powers)
                    let isDoubtful = doubtful &>> UInt64(place) & 1 == 1
                    values.append(
                        scan.low + UInt32(bit),
                        isDoubtful ? Bits.doubtful : rounded.isFinite ? Bits.number(rounded) : Bits.null)
                }
            }
            return values
        }
    }

    /// Whether each profile's rows in a part are later than those in the parts before.
    private func followInTime(_ parts: [Part]) -> Bool {
        var latest = Int64.min
        var times: LatestTimes?
        for (number, part) in parts.enumerated() {
            if number > 0, part.slice.earliest <= latest {
                // Only rows that are as early as this can come before others.
                var known = times ?? LatestTimes(scratch)
                for before in parts[known.partCount..<number] { known.add(before, low) }
                guard known.precede(part, latest, low) else { return false }
                times = known
            }
            latest = max(latest, part.slice.latest)
        }
        return true
    }

    /// By profile of the block: the time of the last row that counts in some parts, or the least there is.
    private struct LatestTimes {
        let times: UnsafeMutablePointer<Int64>
        var partCount = 0

        init(_ scratch: Scratch) {
            times = scratch.elements(of: Int64.self, BlockScan.size)
            times.update(repeating: .min, count: BlockScan.size)
        }

        mutating func add(_ part: Part, _ low: UInt32) {
            partCount += 1
            let (slice, times) = (part.slice, times)
            let mask = part.selection.mask
            part.active.forEachEntry(slice) { entry in
                let rows = slice.rows(entry)
                let last = mask?.last(rows) ?? rows.upperBound - 1
                guard last >= rows.lowerBound else { return }
                times[Int(slice.profiles[entry] &- low)] = slice.timestamps[last]
            }
        }

        /// Whether nobody's first row that counts in a part comes before, or with, the last one in those.
        /// - Parameter latest: No row in those is later.
        func precede(_ part: Part, _ latest: Int64, _ low: UInt32) -> Bool {
            let slice = part.slice
            let mask = part.selection.mask
            var isInOrder = true
            part.active.forEachEntry(slice) { entry in
                let rows = slice.rows(entry)
                guard slice.timestamps[rows.lowerBound] <= latest else { return }
                let first = mask?.next(from: rows.lowerBound, before: rows.upperBound) ?? rows.lowerBound
                guard first < rows.upperBound else { return }
                let before = times[Int(slice.profiles[entry] &- low)]
                if before > .min, slice.timestamps[first] <= before { isInOrder = false }
            }
            return isInOrder
        }
    }

    private func noteDoubts(_ part: Part, _ sums: Sums) {
        guard let mask = part.selection.mask, mask.hasDoubts else { return }
        let (slice, low) = (part.slice, low)
        part.active.forEachEntry(slice) { entry in
            if mask.doubts(slice.rows(entry)) { BlockScan.set(sums.doubts, slice.profiles[entry] &- low) }
        }
    }

    /// Adds the rows of a part one after the other, without a look at where each profile's begin: most have one or two,
    /// and a loop for each would cost more than the adding.
    private func addRows(_ part: Part, _ column: ScanColumn, _ field: ScanPlan.Field, _ sums: Sums) {
        let dictionary = column.dictionary
        let first = part.slice.firstRow
        switch column.form {
        case .codes8(let codes):
            let codes = codes + first
            addRows(part, sums) { dictionary[Int(codes[$0])] }
        case .codes16(let codes):
            let codes = codes + first
            addRows(part, sums) { dictionary[Int(codes[$0])] }
        case .integers(let values):
            let values = values + first
            addRows(part, sums) { ScanColumn.bits(integer: values[$0]) }
        case .cells(let cells):
            let cells = cells + first
            addRows(part, sums) { cells[$0] }
        case .constant, .codes32, .sparse:
            guard let cells = cells(field, part.slice, part.active) else { return }
            addRows(part, sums) { cells[$0] }
        }
    }

    @inline(__always)
    private func addRows(_ part: Part, _ sums: Sums, _ cell: (Int) -> UInt64) {
        let owners = owners(part.slice)
        let rowCount = part.slice.rowCount
        switch part.selection {
        case .none: return
        case .all: for row in 0..<rowCount { sums.add(cell(row), Int(owners[row])) }
        case .some(let mask):
            for word in 0..<part.slice.wordCount {
                var bits = mask.words[word]
                let first = word << 6
                if rowCount - first < 64 { bits &= ~(UInt64.max &<< UInt64(rowCount & 63)) }
                while bits != 0 {
                    let row = first + bits.trailingZeroBitCount
                    bits &= bits &- 1
                    sums.add(cell(row), Int(owners[row]))
                }
            }
        }
    }

    /// By row of a slice: whose it is, counted in the block.
    private func owners(_ slice: RowSlice) -> UnsafeMutablePointer<UInt16> {
        // Four rows are written at a time, those too many again for the next profile.
        let owners = scratch.elements(of: UInt16.self, slice.rowCount + 4)
        let bytes = UnsafeMutableRawPointer(owners)
        for entry in 0..<slice.entryCount {
            let rows = slice.rows(entry)
            let fourTimes = UInt64(slice.profiles[entry] &- low) &* 0x0001_0001_0001_0001
            var row = rows.lowerBound
            repeat {
                bytes.storeBytes(of: fourTimes, toByteOffset: row << 1, as: UInt64.self)
                row += 4
            } while row < rows.upperBound
        }
        return owners
    }

    /// Adds the rows of those who are asked about, and looks at values of all kinds.
    private func addEntries(_ part: Part, _ field: ScanPlan.Field, _ sums: Sums) {
        let (slice, low) = (part.slice, low)
        guard let cells = cells(field, slice, part.active) else { return }
        let mask = part.selection.mask
        part.active.forEachEntry(slice) { entry in
            let rows = slice.rows(entry)
            let bit = slice.profiles[entry] &- low
            var row = mask?.next(from: rows.lowerBound, before: rows.upperBound) ?? rows.lowerBound
            while row < rows.upperBound {
                let bits = cells[row]
                sums.add(bits, Int(bit))
                if !Bits.isNumber(bits), !BlockScan.isNumberless(bits) { BlockScan.set(sums.doubts, bit) }
                row = mask?.next(from: row + 1, before: rows.upperBound) ?? row + 1
            }
        }
    }
}

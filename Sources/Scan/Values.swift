import Evaluation
import History
import Model

// Traits: a value for each profile.
extension BlockScan {
    /// What a reducer makes of each profile that has rows.
    struct Values {
        var profiles: UnsafeMutablePointer<UInt32>
        /// Of cells, or `Bits.doubtful`.
        var bits: UnsafeMutablePointer<UInt64>
        var count = 0

        @inline(__always)
        mutating func append(_ profile: UInt32, _ value: UInt64) {
            profiles[count] = profile
            bits[count] = value
            count += 1
        }
    }

    func collect(
        _ answer: inout QueryAnswer, _ number: Int, _ reduction: ScanPlan.Reduction, _ words: UnsafePointer<UInt64>
    ) {
        let some = asked(words)
        let found = values(number, reduction, among: asksEverybody(some, isShared: false) ? nil : some)
        let doubts = scratch.zeros(BlockScan.words)
        let nothing = reduction.valueOfNothing.rawBits
        var kept = 0
        for index in 0..<found.count {
            let (profile, bits) = (found.profiles[index], found.bits[index])
            let bit = profile &- low
            if bits == Bits.doubtful {
                BlockScan.set(doubts, bit)
            } else {
                // Written over what was read, and kept only if it is a value of somebody who is asked about.
                found.profiles[kept] = profile
                found.bits[kept] = bits
                kept += some.contains(bit) && bits != nothing ? 1 : 0
            }
        }
        answer.profiles.append(contentsOf: UnsafeBufferPointer(start: found.profiles, count: kept))
        answer.values.append(contentsOf: UnsafeBufferPointer(start: found.bits, count: kept))
        for word in 0..<BlockScan.words { answer.doubts.append(doubts[word] & words[word]) }
    }

    func collect(_ answer: inout QueryAnswer, _ field: ScanPlan.Field, _ words: UnsafePointer<UInt64>) {
        let some = asked(words)
        let doubts = scratch.zeros(BlockScan.words)
        forEachTrait(field, among: asksEverybody(some, isShared: false) ? nil : some) { profile, bits in
            let bit = profile &- low
            guard some.contains(bit) else { return }
            if bits == Bits.doubtful { return BlockScan.set(doubts, bit) }
            switch Cell(rawBits: bits).kind {
            case .missing, .null: break
            case .boolean, .number, .string: answer.append(profile, bits)
            case .exactNumber, .array, .object, .list: BlockScan.set(doubts, bit)
            }
        }
        for word in 0..<BlockScan.words { answer.doubts.append(doubts[word] & words[word]) }
    }

    /// Of each profile that has rows that count, if its value differs from that of nothing, and of no other more than once.
    func values(_ number: Int, _ reduction: ScanPlan.Reduction, among asked: Asked?) -> Values {
        let stream = plan.streams[number]
        let parts = parts(number, among: asked)
        if reduction == .count, stream.sessionGap == nil { return counts(parts) }
        let field = reduction.column.map { ScanPlan.Field(table: stream.table, column: $0) }
        if let field, stream.sessionGap == nil {
            switch reduction {
            case .sum: if let sums = sums(parts, field, isMean: false) { return sums }
            case .average: if let sums = sums(parts, field, isMean: true) { return sums }
            default: break
            }
        }
        if parts.count == 1 { return values(parts[0], reduction, field, stream.sessionGap) }
        let order: JoinedRows.Order = stream.sessionGap != nil || reduction.needsOrder ? .exact : .any
        let joined = join(parts, field, order)
        let slice = joined.slice
        var values = room(BlockScan.size)
        let (tally, low) = (tally, low)
        for entry in 0..<slice.entryCount {
            let profile = slice.profiles[entry]
            if let doubts = joined.doubts, doubts[Int((profile &- low) >> 6)] >> UInt64((profile &- low) & 63) & 1 == 1
            {
                continue
            }
            let counted = counted(CountedRows(rows: slice.rows(entry), mask: nil), slice, stream.sessionGap)
            values.append(profile, BlockScan.reduce(reduction, joined.cells, counted, tally))
        }
        if let doubts = joined.doubts { append(doubts, to: &values) }
        return values
    }

    func room(_ count: Int) -> Values {
        Values(profiles: scratch.elements(of: UInt32.self, count), bits: scratch.elements(of: UInt64.self, count))
    }

    private func append(_ doubts: UnsafeMutablePointer<UInt64>, to values: inout Values) {
        for word in 0..<BlockScan.words {
            var bits = doubts[word]
            while bits != 0 {
                values.append(low + UInt32(word << 6 + bits.trailingZeroBitCount), Bits.doubtful)
                bits &= bits - 1
            }
        }
    }

    /// The rows of one run, where they lie.
    private func values(
        _ part: Part, _ reduction: ScanPlan.Reduction, _ field: ScanPlan.Field?, _ sessionGap: Int64?
    ) -> Values {
        let slice = part.slice
        let mask = part.selection.mask
        let hasDoubts = mask?.hasDoubts == true
        var values = room(part.active.entries?.count ?? slice.entryCount)
        let cells = field.flatMap { self.cells($0, slice, part.active) }
        let tally = tally
        part.active.forEachEntry(slice) { entry in
            let rows = slice.rows(entry)
            if hasDoubts, let mask, mask.doubts(rows) {
                values.append(slice.profiles[entry], Bits.doubtful)
            } else {
                let counted = counted(CountedRows(rows: rows, mask: mask), slice, sessionGap)
                values.append(slice.profiles[entry], BlockScan.reduce(reduction, cells, counted, tally))
            }
        }
        return values
    }

    /// How many rows each profile has that has any.
    private func counts(_ parts: [Part]) -> Values {
        if parts.count == 1 { return values(parts[0], .count, nil, nil) }
        var values = room(BlockScan.size)
        guard !parts.isEmpty else { return values }
        let counts = scratch.zeroCounts(BlockScan.size)
        var doubts: UnsafeMutablePointer<UInt64>?
        for part in parts { count(part, into: counts, &doubts) }
        for word in 0..<BlockScan.words {
            let first = word << 6
            var bits = FieldKernel.gather(64) { counts[first + $0] > 0 }
            if let doubts { bits &= ~doubts[word] }
            while bits != 0 {
                let bit = first + bits.trailingZeroBitCount
                bits &= bits - 1
                values.append(low + UInt32(bit), Bits.number(Int(counts[bit])))
            }
        }
        if let doubts { append(doubts, to: &values) }
        return values
    }

    /// The slices of a trait that may have rows by now.
    func traitSlices(_ field: ScanPlan.Field) -> [RowSlice] {
        slices[field.table].filter { $0.earliest <= plan.now.milliseconds }
    }

    /// The last row of an entry by now, if any.
    @inline(__always)
    func lastRow(_ slice: RowSlice, _ entry: Int) -> Int? {
        let rows = slice.rows(entry)
        var last = rows.upperBound - 1
        if slice.latest <= plan.now.milliseconds { return last }
        while last >= rows.lowerBound, slice.timestamps[last] > plan.now.milliseconds { last -= 1 }
        return last >= rows.lowerBound ? last : nil
    }

    /// The value of each profile that has a row of the trait by now: that of the last one. `Bits.doubtful` where several
    /// runs have one of the same time.
    @inline(__always)
    func forEachTrait(_ field: ScanPlan.Field, among asked: Asked?, _ body: (UInt32, UInt64) -> Void) {
        let slices = traitSlices(field)
        if slices.count == 1 {
            let slice = slices[0]
            let active = active(slice, among: asked)
            let cells = cells(field, slice, active)
            return active.forEachEntry(slice) { entry in
                guard let row = lastRow(slice, entry) else { return }
                body(slice.profiles[entry], cells?[row] ?? Bits.missing)
            }
        }
        let times = scratch.elements(of: Int64.self, BlockScan.size)
        let values = scratch.words(BlockScan.size)
        let known = scratch.zeros(BlockScan.words)
        for slice in slices {
            let active = active(slice, among: asked)
            let cells = cells(field, slice, active)
            active.forEachEntry(slice) { entry in
                guard let row = lastRow(slice, entry) else { return }
                let bit = Int(slice.profiles[entry] &- low)
                let time = slice.timestamps[row]
                let isKnown = known[bit >> 6] &>> UInt64(bit & 63) & 1 == 1
                if isKnown, times[bit] > time { return }
                values[bit] = isKnown && times[bit] == time ? Bits.doubtful : cells?[row] ?? Bits.missing
                times[bit] = time
                BlockScan.set(known, UInt32(bit))
            }
        }
        for word in 0..<BlockScan.words {
            var bits = known[word]
            while bits != 0 {
                let bit = word << 6 + bits.trailingZeroBitCount
                bits &= bits - 1
                body(low + UInt32(bit), values[bit])
            }
        }
    }

    /// Cuts off what came before the latest session.
    @inline(__always)
    private func counted(_ counted: CountedRows, _ slice: RowSlice, _ sessionGap: Int64?) -> CountedRows {
        guard let sessionGap else { return counted }
        let rows = counted.rows
        var start = rows.lowerBound
        var previous: Int64?
        var row = counted.first
        while row < rows.upperBound {
            if let previous, slice.timestamps[row] - previous > sessionGap { start = row }
            previous = slice.timestamps[row]
            row = counted.after(row)
        }
        return CountedRows(rows: start..<rows.upperBound, mask: counted.mask)
    }
}

extension ScanPlan.Reduction {
    var column: Int? {
        switch self {
        case .count: nil
        case .sum(let column), .average(let column), .minimum(let column), .maximum(let column), .first(let column),
            .last(let column), .mode(let column, _), .uniqueCount(let column):
            column
        }
    }

    var valueOfNothing: Cell {
        switch self {
        case .count, .uniqueCount: .number(0)
        case .sum, .average, .minimum, .maximum, .first, .last, .mode: .null
        }
    }

    /// Whether it matters in which order the rows come: also of sums, whose rounding depends on it.
    var needsOrder: Bool {
        switch self {
        case .count, .minimum, .maximum, .mode, .uniqueCount: false
        case .sum, .average, .first, .last: true
        }
    }
}

import Evaluation

/// One bit per row of a slice: those that count, and those of which only the evaluator can tell.
struct RowMask {
    var words: UnsafeMutablePointer<UInt64>
    /// None of them stands in `words`; zero unless `hasDoubts`.
    var doubts: UnsafeMutablePointer<UInt64>
    var hasDoubts = false

    /// Not initialised.
    init(_ slice: RowSlice, _ scratch: Scratch) {
        words = scratch.words(slice.wordCount + 1)
        words[slice.wordCount] = 0
        doubts = scratch.words(slice.wordCount)
    }

    /// How many bits of a range are set.
    @inline(__always)
    func count(_ rows: Range<Int>) -> Int { RowMask.count(words, rows) }

    @inline(__always)
    func doubts(_ rows: Range<Int>) -> Bool { hasDoubts && RowMask.count(doubts, rows) > 0 }

    /// Whether at least a few bits of a range are set. Taking bits away is faster than counting where the processor that
    /// one compiles for has no instruction to count them.
    @inline(__always)
    func has(_ few: Int, _ rows: Range<Int>) -> Bool {
        guard !rows.isEmpty else { return false }
        let first = rows.lowerBound >> 6
        let last = (rows.upperBound - 1) >> 6
        let head = UInt64.max &<< UInt64(rows.lowerBound & 63)
        let tail = UInt64.max &>> UInt64(63 - (rows.upperBound - 1) & 63)
        guard first == last else { return count(rows) >= few }
        var bits = words[first] & head & tail
        for _ in 1..<few { bits &= bits &- 1 }
        return bits != 0
    }

    @inline(__always)
    static func count(_ words: UnsafeMutablePointer<UInt64>, _ rows: Range<Int>) -> Int {
        guard !rows.isEmpty else { return 0 }
        let first = rows.lowerBound >> 6
        let last = (rows.upperBound - 1) >> 6
        let head = UInt64.max &<< UInt64(rows.lowerBound & 63)
        let tail = UInt64.max &>> UInt64(63 - (rows.upperBound - 1) & 63)
        if first == last { return (words[first] & head & tail).nonzeroBitCount }
        var count = (words[first] & head).nonzeroBitCount + (words[last] & tail).nonzeroBitCount
        for word in first + 1..<last { count += words[word].nonzeroBitCount }
        return count
    }

    @inline(__always)
    subscript(row: Int) -> Bool { words[row >> 6] &>> UInt64(row & 63) & 1 == 1 }

    /// By word, and one more: how many bits are set before it. Then the bits before a row are `before`, and counting those
    /// of rows that follow each other takes one look at each boundary.
    func sums(_ wordCount: Int, _ scratch: Scratch) -> UnsafeMutablePointer<UInt32> {
        let sums = scratch.elements(of: UInt32.self, wordCount + 1)
        var sum: UInt32 = 0
        for word in 0..<wordCount {
            sums[word] = sum
            sum &+= UInt32(truncatingIfNeeded: words[word].nonzeroBitCount)
        }
        sums[wordCount] = sum
        return sums
    }

    /// How many bits are set before a row, which may be one after the last. Masks have a word more than they need.
    @inline(__always)
    func before(_ row: UInt32, _ sums: UnsafeMutablePointer<UInt32>) -> UInt32 {
        let word = Int(row >> 6)
        let bits = words[word] & ~(UInt64.max &<< UInt64(row & 63))
        return sums[word] &+ UInt32(truncatingIfNeeded: bits.nonzeroBitCount)
    }

    /// The first set bit from `row` on, or `end`.
    @inline(__always)
    func next(from row: Int, before end: Int) -> Int {
        guard row < end else { return end }
        var word = row >> 6
        var bits = words[word] & (UInt64.max &<< UInt64(row & 63))
        while bits == 0 {
            word += 1
            if word << 6 >= end { return end }
            bits = words[word]
        }
        return min(end, word << 6 + bits.trailingZeroBitCount)
    }

    /// The last set bit of a range, or one before its first.
    @inline(__always)
    func last(_ rows: Range<Int>) -> Int {
        var row = rows.upperBound - 1
        while row >= rows.lowerBound {
            let bits = words[row >> 6] &<< UInt64(63 - row & 63)
            if bits != 0 { return max(rows.lowerBound - 1, row - bits.leadingZeroBitCount) }
            row = row & ~63 - 1
        }
        return rows.lowerBound - 1
    }
}

/// Which rows of a slice count.
enum RowSelection {
    case none
    case all
    case some(RowMask)

    /// `nil` also where all rows count.
    var mask: RowMask? { if case .some(let mask) = self { mask } else { nil } }
}

extension BlockScan {
    /// The rows of a slice that a stream counts, at least among the active ones.
    func selection(_ number: Int, _ slice: RowSlice, _ active: ActiveRows) -> RowSelection {
        let stream = plan.streams[number]
        guard BlockScan.overlaps(slice, stream) else { return .none }
        let coversAll = stream.earliest <= slice.earliest && slice.latest <= stream.latest
        if coversAll, stream.conditions.isEmpty { return .all }
        if let known = streamMasks[number][slice.run] { return .some(known) }
        var mask = RowMask(slice, scratch)
        if coversAll {
            active.forEachWord(slice) { mask.words[$0] = .max }
        } else {
            fillWindow(&mask, stream, slice, active)
        }
        for condition in stream.conditions { narrow(&mask, shared: condition, stream.table, slice, active) }
        if plan.streamUses[number] > 1, active.isAll { streamMasks[number][slice.run] = mask }
        return .some(mask)
    }

    /// Whether rows of a slice may be in a stream's window.
    @inline(__always)
    static func overlaps(_ slice: RowSlice, _ stream: ScanPlan.Stream) -> Bool {
        slice.latest >= stream.earliest && slice.earliest <= stream.latest && stream.earliest <= stream.latest
    }

    private func fillWindow(
        _ mask: inout RowMask, _ stream: ScanPlan.Stream, _ slice: RowSlice, _ active: ActiveRows
    ) {
        let words = mask.words
        // One comparison instead of two: what is too early wraps around.
        let earliest = stream.earliest
        let length = UInt64(bitPattern: stream.latest &- earliest)
        active.forEachWord(slice) { word in
            let times = slice.timestamps + word << 6
            words[word] = FieldKernel.gather(min(64, slice.rowCount - word << 6)) {
                UInt64(bitPattern: times[$0] &- earliest) <= length
            }
        }
    }

    /// Narrows by a condition of the plan, worked out once for all streams that share it.
    private func narrow(
        _ mask: inout RowMask, shared number: Int, _ table: Int, _ slice: RowSlice, _ active: ActiveRows
    ) {
        let condition = plan.conditions[number].condition
        guard plan.conditionUses[number] > 1, active.isAll || conditionMasks[number][slice.run] != nil else {
            return narrow(&mask, condition, table, slice, active)
        }
        let shared: RowMask
        if let known = conditionMasks[number][slice.run] {
            shared = known
        } else {
            var all = RowMask(slice, scratch)
            all.words.update(repeating: .max, count: slice.wordCount)
            narrow(&all, condition, table, slice, .all)
            conditionMasks[number][slice.run] = all
            shared = all
        }
        combine(&mask, shared, slice, active)
    }

    /// Keeps what also stands in another mask.
    private func combine(_ mask: inout RowMask, _ other: RowMask, _ slice: RowSlice, _ active: ActiveRows) {
        let words = mask.words
        if !mask.hasDoubts, !other.hasDoubts {
            active.forEachWord(slice) { words[$0] &= other.words[$0] }
            return
        }
        let doubts = mask.doubts
        let had = mask.hasDoubts
        active.forEachWord(slice) { word in
            let possible = words[word] | (had ? doubts[word] : 0)
            words[word] &= other.words[word]
            let others = other.words[word] | (other.hasDoubts ? other.doubts[word] : 0)
            doubts[word] = possible & others & ~words[word]
        }
        mask.hasDoubts = true
    }

    private func narrow(
        _ mask: inout RowMask, _ condition: ScanPlan.RowCondition, _ table: Int, _ slice: RowSlice, _ active: ActiveRows
    ) {
        switch condition {
        case .field(let test): narrow(&mask, test: test, slice, active)
        case .and(let operands):
            for operand in operands { narrow(&mask, operand, table, slice, active) }
        case .or(let operands):
            let any = blank(slice, active)
            var hasDoubts = false
            for operand in operands {
                var part = copy(mask, slice, active)
                narrow(&part, operand, table, slice, active)
                active.forEachWord(slice) { word in
                    any.words[word] |= part.words[word]
                    if part.hasDoubts { any.doubts[word] |= part.doubts[word] }
                }
                hasDoubts = hasDoubts || part.hasDoubts
            }
            if hasDoubts { active.forEachWord(slice) { any.doubts[$0] &= ~any.words[$0] } }
            mask = any
            mask.hasDoubts = hasDoubts
        case .not(let operand):
            var part = copy(mask, slice, active)
            narrow(&part, operand, table, slice, active)
            let (words, doubts) = (mask.words, mask.doubts)
            let had = mask.hasDoubts
            active.forEachWord(slice) { word in
                let doubtful = part.hasDoubts ? part.doubts[word] : 0
                if had || part.hasDoubts { doubts[word] = (had ? doubts[word] : 0) | (words[word] & doubtful) }
                words[word] &= ~(part.words[word] | doubtful)
            }
            mask.hasDoubts = had || part.hasDoubts
        case .followed(let stream, let from, let to, let test):
            follow(&mask, table, slice, stream, from, to, test, active)
        }
    }

    private func blank(_ slice: RowSlice, _ active: ActiveRows) -> RowMask {
        let mask = RowMask(slice, scratch)
        active.forEachWord(slice) {
            mask.words[$0] = 0
            mask.doubts[$0] = 0
        }
        return mask
    }

    private func copy(_ mask: RowMask, _ slice: RowSlice, _ active: ActiveRows) -> RowMask {
        var copy = RowMask(slice, scratch)
        copy.hasDoubts = mask.hasDoubts
        active.forEachWord(slice) {
            copy.words[$0] = mask.words[$0]
            if mask.hasDoubts { copy.doubts[$0] = mask.doubts[$0] }
        }
        return copy
    }

    private func narrow(_ mask: inout RowMask, test number: Int, _ slice: RowSlice, _ active: ActiveRows) {
        let test = plan.fieldTests[number]
        narrow(&mask, kernel(number, slice), test.field, ofNothing: test.test.null, slice, active)
    }

    /// - Parameter kernel: `nil` where the rows have nothing in the field's column.
    func narrow(
        _ mask: inout RowMask, _ kernel: FieldKernel?, _ field: ScanPlan.Field, ofNothing null: Bool,
        _ slice: RowSlice, _ active: ActiveRows
    ) {
        let words = mask.words
        let doubts = mask.doubts
        let had = mask.hasDoubts
        guard let kernel else {
            if !null {
                active.forEachWord(slice) {
                    words[$0] = 0
                    if had { doubts[$0] = 0 }
                }
            }
            return
        }
        if !had, active.words == nil, kernel.narrow(words, slice.rowCount, from: slice.firstRow) { return }
        let decoded = kernel.needsCells ? cells(field, slice, active) : nil
        let firstRow = slice.firstRow
        var newDoubts: UInt64 = 0
        active.forEachWord(slice) { word in
            let count = min(64, slice.rowCount - word << 6)
            // Bits beyond the last row mean nothing, and there is nothing to read for them.
            let possible = (words[word] | (had ? doubts[word] : 0)) & (.max &>> UInt64(64 - count))
            guard possible != 0 else { return }
            let (passing, doubtful) = kernel.accepted(
                from: firstRow + word << 6, count, decoded.map { $0 + word << 6 },
                among: possible)
            let certain = words[word] & passing
            if had || doubtful != 0 {
                if !had, newDoubts == 0 { clear(doubts, slice, active) }
                doubts[word] = possible & (passing | doubtful) & ~certain
                newDoubts |= doubts[word]
            }
            words[word] = certain
        }
        mask.hasDoubts = had || newDoubts != 0
    }

    func clear(_ words: UnsafeMutablePointer<UInt64>, _ slice: RowSlice, _ active: ActiveRows) {
        active.forEachWord(slice) { words[$0] = 0 }
    }
}

extension CountTest {
    @inline(__always)
    func accepts(_ count: Int) -> Bool {
        switch self {
        case .atLeast(let number): count >= number
        case .exactly(let number): count == number
        case .never: false
        }
    }
}

import Evaluation

/// One bit per row of a view: those that count, and those of which only the evaluator can tell.
struct RowMask {
    var words: UnsafeMutablePointer<UInt64>
    /// None of them stands in `words`; zero unless `hasDoubts`.
    var doubts: UnsafeMutablePointer<UInt64>
    var hasDoubts = false

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
}

/// The part of a view that matters: all of it, or the rows of some profiles.
struct ActiveRows {
    /// Entries of the view; `nil` for all.
    var entries: UnsafeMutableBufferPointer<Int32>?
    /// The words of masks that their rows touch; `nil` for all.
    var words: UnsafeMutableBufferPointer<Int32>?

    static var all: ActiveRows { ActiveRows() }

    var isAll: Bool { entries == nil }

    @inline(__always)
    func forEachWord(_ view: TableView, _ body: (Int) -> Void) {
        if let words {
            for word in words { body(Int(word)) }
        } else {
            for word in 0..<view.wordCount { body(word) }
        }
    }

    @inline(__always)
    func forEachEntry(_ view: TableView, _ body: (Int) -> Void) {
        if let entries {
            for entry in entries { body(Int(entry)) }
        } else {
            for entry in 0..<view.entryCount { body(entry) }
        }
    }
}

extension BlockScan {
    /// The rows of a stream that count, at least among the active ones.
    func mask(_ number: Int, _ active: ActiveRows) -> RowMask {
        if let known = streamMasks[number] { return known }
        let stream = plan.streams[number]
        let view = views[stream.table]
        var mask = RowMask(words: scratch.words(view.wordCount), doubts: scratch.words(view.wordCount))
        fillWindow(&mask, stream, view, active)
        for condition in stream.conditions { narrow(&mask, shared: condition, stream.table, active) }
        if plan.streamUses[number] > 1, active.isAll { streamMasks[number] = mask }
        return mask
    }

    private func fillWindow(
        _ mask: inout RowMask, _ stream: ScanPlan.Stream, _ view: TableView, _ active: ActiveRows
    ) {
        let words = mask.words
        if coversAll(stream) {
            active.forEachWord(view) { words[$0] = .max }
            return
        }
        guard stream.earliest <= stream.latest else {
            active.forEachWord(view) { words[$0] = 0 }
            return
        }
        // One comparison instead of two: what is too early wraps around.
        let earliest = stream.earliest
        let length = UInt64(bitPattern: stream.latest &- earliest)
        active.forEachWord(view) { word in
            let times = view.timestamps + word << 6
            words[word] = FieldKernel.gather(min(64, view.rowCount - word << 6)) {
                UInt64(bitPattern: times[$0] &- earliest) <= length
            }
        }
    }

    /// Whether no row of a stream's table is too early or too late.
    func coversAll(_ stream: ScanPlan.Stream) -> Bool {
        stream.earliest <= cursors[stream.table].earliest && cursors[stream.table].latest <= stream.latest
    }

    /// Narrows by a condition of the plan, worked out once for all streams that share it.
    private func narrow(_ mask: inout RowMask, shared number: Int, _ table: Int, _ active: ActiveRows) {
        let condition = plan.conditions[number].condition
        guard plan.conditionUses[number] > 1, active.isAll || conditionMasks[number] != nil else {
            return narrow(&mask, condition, table, active)
        }
        let view = views[table]
        let shared: RowMask
        if let known = conditionMasks[number] {
            shared = known
        } else {
            var all = RowMask(words: scratch.words(view.wordCount), doubts: scratch.words(view.wordCount))
            all.words.update(repeating: .max, count: view.wordCount)
            narrow(&all, condition, table, .all)
            conditionMasks[number] = all
            shared = all
        }
        combine(&mask, shared, view, active)
    }

    /// Keeps what also stands in another mask.
    private func combine(_ mask: inout RowMask, _ other: RowMask, _ view: TableView, _ active: ActiveRows) {
        let words = mask.words
        if !mask.hasDoubts, !other.hasDoubts {
            active.forEachWord(view) { words[$0] &= other.words[$0] }
            return
        }
        let doubts = mask.doubts
        let had = mask.hasDoubts
        active.forEachWord(view) { word in
            let possible = words[word] | (had ? doubts[word] : 0)
            words[word] &= other.words[word]
            let others = other.words[word] | (other.hasDoubts ? other.doubts[word] : 0)
            doubts[word] = possible & others & ~words[word]
        }
        mask.hasDoubts = true
    }

    private func narrow(
        _ mask: inout RowMask, _ condition: ScanPlan.RowCondition, _ table: Int, _ active: ActiveRows
    ) {
        let view = views[table]
        switch condition {
        case .field(let test): narrow(&mask, test: test, view, active)
        case .and(let operands):
            for operand in operands { narrow(&mask, operand, table, active) }
        case .or(let operands):
            let any = blank(view, active)
            var hasDoubts = false
            for operand in operands {
                var part = copy(mask, view, active)
                narrow(&part, operand, table, active)
                active.forEachWord(view) { word in
                    any.words[word] |= part.words[word]
                    if part.hasDoubts { any.doubts[word] |= part.doubts[word] }
                }
                hasDoubts = hasDoubts || part.hasDoubts
            }
            if hasDoubts { active.forEachWord(view) { any.doubts[$0] &= ~any.words[$0] } }
            mask = any
            mask.hasDoubts = hasDoubts
        case .not(let operand):
            var part = copy(mask, view, active)
            narrow(&part, operand, table, active)
            let (words, doubts) = (mask.words, mask.doubts)
            let had = mask.hasDoubts
            active.forEachWord(view) { word in
                let doubtful = part.hasDoubts ? part.doubts[word] : 0
                if had || part.hasDoubts { doubts[word] = (had ? doubts[word] : 0) | (words[word] & doubtful) }
                words[word] &= ~(part.words[word] | doubtful)
            }
            mask.hasDoubts = had || part.hasDoubts
        case .followed(let stream, let from, let to, let test):
            follow(&mask, table, stream, from, to, test, active)
        }
    }

    private func blank(_ view: TableView, _ active: ActiveRows) -> RowMask {
        let mask = RowMask(words: scratch.words(view.wordCount), doubts: scratch.words(view.wordCount))
        active.forEachWord(view) {
            mask.words[$0] = 0
            mask.doubts[$0] = 0
        }
        return mask
    }

    private func copy(_ mask: RowMask, _ view: TableView, _ active: ActiveRows) -> RowMask {
        var copy = RowMask(words: scratch.words(view.wordCount), doubts: scratch.words(view.wordCount))
        copy.hasDoubts = mask.hasDoubts
        active.forEachWord(view) {
            copy.words[$0] = mask.words[$0]
            if mask.hasDoubts { copy.doubts[$0] = mask.doubts[$0] }
        }
        return copy
    }

    private func narrow(_ mask: inout RowMask, test number: Int, _ view: TableView, _ active: ActiveRows) {
        let field = plan.fieldTests[number].field
        let words = mask.words
        let doubts = mask.doubts
        let had = mask.hasDoubts
        guard let kernel = kernel(number, view) else {
            if !plan.fieldTests[number].test.null {
                active.forEachWord(view) {
                    words[$0] = 0
                    if had { doubts[$0] = 0 }
                }
            }
            return
        }
        let decoded = kernel.needsCells ? cells(field, active) : nil
        var firstRow = 0
        if case .run(_, let row) = view.source { firstRow = row }
        var newDoubts: UInt64 = 0
        active.forEachWord(view) { word in
            let count = min(64, view.rowCount - word << 6)
            // Bits beyond the last row mean nothing, and there is nothing to read for them.
            let possible = (words[word] | (had ? doubts[word] : 0)) & (.max &>> UInt64(64 - count))
            guard possible != 0 else { return }
            let (passing, doubtful) = kernel.accepted(
                from: firstRow + word << 6, count, decoded.map { $0 + word << 6 },
                among: possible)
            let certain = words[word] & passing
            if had || doubtful != 0 {
                if !had, newDoubts == 0 { clear(doubts, view, active) }
                doubts[word] = possible & (passing | doubtful) & ~certain
                newDoubts |= doubts[word]
            }
            words[word] = certain
        }
        mask.hasDoubts = had || newDoubts != 0
    }

    private func clear(_ words: UnsafeMutablePointer<UInt64>, _ view: TableView, _ active: ActiveRows) {
        active.forEachWord(view) { words[$0] = 0 }
    }

    // MARK: Funnels

    /// Keeps the rows that are followed by as many rows of another stream as the test wants. Both tables are walked
    /// profile by profile; within a profile both are in the order of time, so two places move forward only.
    private func follow(
        _ mask: inout RowMask, _ table: Int, _ number: Int, _ from: Int64, _ to: Int64, _ test: CountTest,
        _ active: ActiveRows
    ) {
        let view = views[table]
        let stream = plan.streams[number]
        let other = views[stream.table]
        let following = followers(number, for: view, active)
        let (words, doubts) = (mask.words, mask.doubts)
        if !mask.hasDoubts, following.hasDoubts { clear(doubts, view, active) }
        mask.hasDoubts = mask.hasDoubts || following.hasDoubts
        let hasDoubts = mask.hasDoubts
        let holdsOfNone = test.accepts(0)
        var entry = 0
        active.forEachEntry(view) { place in
            let profile = view.profiles[place]
            while entry < other.entryCount, other.profiles[entry] < profile { entry += 1 }
            let rows = view.rows(place)
            guard entry < other.entryCount, other.profiles[entry] == profile else {
                if !holdsOfNone { for row in rows { words[row >> 6] &= ~(1 &<< UInt64(row & 63)) } }
                if !holdsOfNone, hasDoubts { for row in rows { doubts[row >> 6] &= ~(1 &<< UInt64(row & 63)) } }
                return
            }
            let later = other.rows(entry)
            let isDoubtful = following.doubts(later)
            var start = later.lowerBound
            var row = mask.next(from: rows.lowerBound, before: rows.upperBound)
            while row < rows.upperBound {
                let time = view.timestamps[row]
                let earliest = time + from
                while start < later.upperBound, other.timestamps[start] < earliest { start += 1 }
                let holds: Bool
                if from > to {
                    holds = holdsOfNone
                } else {
                    let latest = to == never ? Int64.max : time + to
                    holds = follow(test, following, other, start..<later.upperBound, latest)
                }
                if isDoubtful {
                    words[row >> 6] &= ~(1 &<< UInt64(row & 63))
                    doubts[row >> 6] |= 1 &<< UInt64(row & 63)
                } else if !holds {
                    words[row >> 6] &= ~(1 &<< UInt64(row & 63))
                }
                row = mask.next(from: row + 1, before: rows.upperBound)
            }
        }
    }

    @inline(__always)
    private func follow(
        _ test: CountTest, _ mask: RowMask, _ view: TableView, _ rows: Range<Int>, _ latest: Int64
    ) -> Bool {
        let enough =
            switch test {
            case .never: 0
            case .atLeast(let number): number
            case .exactly(let number): number + 1
            }
        var count = 0
        var row = mask.next(from: rows.lowerBound, before: rows.upperBound)
        while row < rows.upperBound, count < enough, view.timestamps[row] <= latest {
            count += 1
            row = mask.next(from: row + 1, before: rows.upperBound)
        }
        return test.accepts(count)
    }

    /// The mask of the stream that must follow, among the profiles that are active in another view.
    private func followers(_ number: Int, for view: TableView, _ active: ActiveRows) -> RowMask {
        if active.isAll { return mask(number, .all) }
        let other = views[plan.streams[number].table]
        let entries = scratch.elements(of: Int32.self, other.entryCount)
        var count = 0
        var entry = 0
        active.forEachEntry(view) { place in
            let profile = view.profiles[place]
            while entry < other.entryCount, other.profiles[entry] < profile { entry += 1 }
            if entry < other.entryCount, other.profiles[entry] == profile {
                entries[count] = Int32(entry)
                count += 1
            }
        }
        return mask(number, self.active(other, entries, count))
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

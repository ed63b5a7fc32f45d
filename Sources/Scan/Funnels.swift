import Evaluation

/// The rows that others are to be followed by, of a block's profiles, in the order of time.
struct Followers {
    var timestamps: UnsafePointer<Int64>
    /// By profile of the block, and one more: where its rows start.
    var starts: UnsafeMutablePointer<UInt32>
    /// `nil` where all count.
    var mask: RowMask?
    /// By profile: of whom only the evaluator can tell.
    var doubts: UnsafeMutablePointer<UInt64>?
    /// For whom, and after which table's rows, this was worked out.
    var askedID: Int
    var table: Int

    @inline(__always)
    func rows(_ bit: UInt32) -> Range<Int> { Int(starts[Int(bit)])..<Int(starts[Int(bit) + 1]) }

    @inline(__always)
    func areDoubtful(_ bit: UInt32) -> Bool {
        doubts.map { $0[Int(bit >> 6)] &>> UInt64(bit & 63) & 1 == 1 } ?? false
    }
}

extension BlockScan {
    /// Keeps the rows that are followed by as many rows of another stream as the test wants. Both are walked profile by
    /// profile; within a profile both are in the order of time, so two places move forward only.
    func follow(
        _ mask: inout RowMask, _ table: Int, _ slice: RowSlice, _ number: Int, _ from: Int64, _ to: Int64,
        _ test: CountTest, _ active: ActiveRows
    ) {
        let following = followers(number, of: table, among: active.asked)
        let times = following.timestamps
        let (words, doubts) = (mask.words, mask.doubts)
        if !mask.hasDoubts, following.doubts != nil { clear(doubts, slice, active) }
        mask.hasDoubts = mask.hasDoubts || following.doubts != nil
        let hasDoubts = mask.hasDoubts
        let holdsOfNone = test.accepts(0)
        // Where it is enough to know whether there is one.
        let firstDecides: Bool? =
            switch test {
            case .atLeast(1): true
            case .exactly(0): false
            default: nil
            }
        let (isEmpty, isEndless) = (from > to, to == never)
        let low = low
        active.forEachEntry(slice) { place in
            let bit = slice.profiles[place] &- low
            let rows = slice.rows(place)
            let isDoubtful = following.areDoubtful(bit)
            let later = following.rows(bit)
            guard !later.isEmpty || isDoubtful else {
                if !holdsOfNone { for row in rows { words[row >> 6] &= ~(1 &<< UInt64(row & 63)) } }
                if !holdsOfNone, hasDoubts { for row in rows { doubts[row >> 6] &= ~(1 &<< UInt64(row & 63)) } }
                return
            }
            var start = later.lowerBound
            for row in rows where words[row >> 6] &>> UInt64(row & 63) & 1 == 1 {
                let time = slice.timestamps[row]
                let earliest = time + from
                while start < later.upperBound, times[start] < earliest { start += 1 }
                let latest = isEndless ? Int64.max : time + to
                let holds: Bool
                if isEmpty {
                    holds = holdsOfNone
                } else if let isWanted = firstDecides, following.mask == nil {
                    holds = (start < later.upperBound && times[start] <= latest) == isWanted
                } else {
                    holds = follow(test, following.mask, times, start..<later.upperBound, latest)
                }
                if isDoubtful {
                    words[row >> 6] &= ~(1 &<< UInt64(row & 63))
                    doubts[row >> 6] |= 1 &<< UInt64(row & 63)
                } else if !holds {
                    words[row >> 6] &= ~(1 &<< UInt64(row & 63))
                }
            }
        }
    }

    @inline(__always)
    private func follow(
        _ test: CountTest, _ mask: RowMask?, _ times: UnsafePointer<Int64>, _ rows: Range<Int>, _ latest: Int64
    ) -> Bool {
        let enough =
            switch test {
            case .never: 0
            case .atLeast(let number): number
            case .exactly(let number): number + 1
            }
        let counted = CountedRows(rows: rows, mask: mask)
        var count = 0
        var row = counted.first
        while row < rows.upperBound, count < enough, times[row] <= latest {
            count += 1
            row = counted.after(row)
        }
        return test.accepts(count)
    }

    /// What must follow, of those who are asked about and have rows in a table.
    private func followers(_ number: Int, of table: Int, among asked: Asked?) -> Followers {
        if let known = followers[number], known.askedID == asked?.id ?? 0, known.table == table { return known }
        let owners = scratch.zeros(BlockScan.words)
        for slice in slices[table] {
            for entry in 0..<slice.entryCount { BlockScan.set(owners, slice.profiles[entry] &- low) }
        }
        if let asked { for word in 0..<BlockScan.words { owners[word] &= asked.words[word] } }
        let some = self.asked(owners)
        let parts = parts(number, among: asksEverybody(some, isShared: plan.streamUses[number] > 1) ? nil : some)
        var found: Followers
        if parts.count == 1 {
            var doubts: UnsafeMutablePointer<UInt64>?
            if parts[0].selection.mask?.hasDoubts == true {
                count(parts[0], into: scratch.zeroCounts(BlockScan.size), &doubts)
            }
            found = Followers(
                timestamps: parts[0].slice.timestamps, starts: starts(of: parts[0].slice),
                mask: parts[0].selection.mask, doubts: doubts, askedID: 0, table: table)
        } else {
            let joined = join(parts, nil, .byTime)
            found = Followers(
                timestamps: joined.slice.timestamps, starts: joined.starts, mask: nil, doubts: joined.doubts,
                askedID: 0, table: table)
        }
        found.askedID = asked?.id ?? 0
        followers[number] = found
        return found
    }

    /// By profile of the block, and one more: where its rows start in a slice.
    private func starts(of slice: RowSlice) -> UnsafeMutablePointer<UInt32> {
        let starts = scratch.elements(of: UInt32.self, BlockScan.size + 1)
        var next = 0
        for entry in 0..<slice.entryCount {
            let bit = Int(slice.profiles[entry] &- low)
            while next <= bit {
                starts[next] = slice.starts[entry] &- slice.base
                next += 1
            }
        }
        (starts + next).update(repeating: UInt32(slice.rowCount), count: BlockScan.size + 1 - next)
        return starts
    }
}

import Evaluation

/// The rows that others are to be followed by, of a block's profiles, in the order of time.
struct Followers {
    var slice: RowSlice
    /// `nil` where all count.
    var mask: RowMask?
    /// By profile: of whom only the evaluator can tell.
    var doubts: UnsafeMutablePointer<UInt64>?
    /// For whom, and after which table's rows, this was worked out.
    var askedID: Int
    var table: Int

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
        let other = following.slice
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
        var entry = 0
        active.forEachEntry(slice) { place in
            let profile = slice.profiles[place]
            while entry < other.entryCount, other.profiles[entry] < profile { entry += 1 }
            let rows = slice.rows(place)
            let isDoubtful = following.areDoubtful(profile &- low)
            let isThere = entry < other.entryCount && other.profiles[entry] == profile
            guard isThere || isDoubtful else {
                if !holdsOfNone { for row in rows { words[row >> 6] &= ~(1 &<< UInt64(row & 63)) } }
                if !holdsOfNone, hasDoubts { for row in rows { doubts[row >> 6] &= ~(1 &<< UInt64(row & 63)) } }
                return
            }
            let later = isThere ? other.rows(entry) : 0..<0
            var start = later.lowerBound
            for row in rows where words[row >> 6] &>> UInt64(row & 63) & 1 == 1 {
                let time = slice.timestamps[row]
                let earliest = time + from
                while start < later.upperBound, other.timestamps[start] < earliest { start += 1 }
                let latest = isEndless ? Int64.max : time + to
                let holds: Bool
                if isEmpty {
                    holds = holdsOfNone
                } else if let isWanted = firstDecides, following.mask == nil {
                    holds = (start < later.upperBound && other.timestamps[start] <= latest) == isWanted
                } else {
                    holds = follow(test, following.mask, other, start..<later.upperBound, latest)
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
        _ test: CountTest, _ mask: RowMask?, _ slice: RowSlice, _ rows: Range<Int>, _ latest: Int64
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
        while row < rows.upperBound, count < enough, slice.timestamps[row] <= latest {
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
                slice: parts[0].slice, mask: parts[0].selection.mask, doubts: doubts, askedID: 0, table: table)
        } else {
            let joined = join(parts, nil, .byTime)
            found = Followers(slice: joined.slice, mask: nil, doubts: joined.doubts, askedID: 0, table: table)
        }
        found.askedID = asked?.id ?? 0
        followers[number] = found
        return found
    }
}

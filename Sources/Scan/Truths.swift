import Evaluation
import History
import Model

/// What is known of the profiles of a block: one bit each.
struct Truth {
    var holds: UnsafeMutablePointer<UInt64>
    /// Only the evaluator can tell; none of them stands in `holds`.
    var doubts: UnsafeMutablePointer<UInt64>
}

// Audiences: truths about profiles, put together by AND, OR and NOT.
extension BlockScan {
    func truth(_ node: ScanPlan.Node, among asked: UnsafePointer<UInt64>) -> Truth {
        switch node {
        case .leaf(let number): return truth(leaf: number, among: asked)
        case .not(let operand):
            let truth = truth(operand, among: asked)
            let holds = scratch.words(BlockScan.words)
            for word in 0..<BlockScan.words { holds[word] = ~(truth.holds[word] | truth.doubts[word]) }
            return Truth(holds: holds, doubts: truth.doubts)
        case .and(let operands):
            let holds = scratch.words(BlockScan.words)
            let possible = scratch.words(BlockScan.words)
            for word in 0..<BlockScan.words { (holds[word], possible[word]) = (.max, asked[word]) }
            for operand in operands.sorted(by: { cost($0) < cost($1) }) {
                let truth = truth(operand, among: possible)
                for word in 0..<BlockScan.words {
                    holds[word] &= truth.holds[word]
                    possible[word] &= truth.holds[word] | truth.doubts[word]
                }
            }
            for word in 0..<BlockScan.words { possible[word] &= ~holds[word] }
            return Truth(holds: holds, doubts: possible)
        case .or(let operands):
            let holds = scratch.zeros(BlockScan.words)
            let doubts = scratch.zeros(BlockScan.words)
            let open = scratch.words(BlockScan.words)
            for operand in operands.sorted(by: { cost($0) < cost($1) }) {
                for word in 0..<BlockScan.words { open[word] = asked[word] & ~holds[word] }
                let truth = truth(operand, among: open)
                for word in 0..<BlockScan.words {
                    holds[word] |= truth.holds[word] & open[word]
                    doubts[word] |= truth.doubts[word] & open[word]
                }
            }
            for word in 0..<BlockScan.words { doubts[word] &= ~holds[word] }
            return Truth(holds: holds, doubts: doubts)
        case .unknown:
            let doubts = scratch.words(BlockScan.words)
            doubts.update(repeating: .max, count: BlockScan.words)
            return Truth(holds: scratch.zeros(BlockScan.words), doubts: doubts)
        }
    }

    /// How much is to be read of this block: what reads little is asked first, and decides whom the rest must look at.
    private func cost(_ node: ScanPlan.Node) -> Int {
        switch node {
        case .leaf(let number):
            if leafTruths[number] != nil { return 0 }
            switch plan.leaves[number] {
            case .count(let stream, _): return cost(stream: stream)
            case .value(let stream, _, _): return cost(stream: stream) + rowCount(plan.streams[stream])
            case .trait(let field, _): return slices[field.table].reduce(0) { $0 + $1.rowCount }
            }
        case .not(let operand): return cost(operand)
        case .and(let operands): return operands.map { cost($0) }.min() ?? 0
        case .or(let operands): return operands.reduce(0) { $0 + cost($1) }
        case .unknown: return .max / 4
        }
    }

    private func cost(stream number: Int) -> Int {
        let stream = plan.streams[number]
        return rowCount(stream) * (1 + stream.conditions.count)
    }

    /// Rows in runs that may have some in the window.
    private func rowCount(_ stream: ScanPlan.Stream) -> Int {
        slices[stream.table].reduce(0) { $0 + (BlockScan.overlaps($1, stream) ? $1.rowCount : 0) }
    }

    private func truth(leaf number: Int, among asked: UnsafePointer<UInt64>) -> Truth {
        if let known = leafTruths[number] { return known }
        let some = self.asked(asked)
        let truth: Truth
        let isComplete: Bool
        switch plan.leaves[number] {
        case .count(let stream, let test):
            isComplete = asksEverybody(some, isShared: plan.streamUses[stream] > 1)
            truth = self.truth(stream, test, among: isComplete ? nil : some)
        case .value(let stream, let reduction, let test):
            isComplete = asksEverybody(some, isShared: plan.streamUses[stream] > 1)
            truth = self.truth(stream, reduction, test, among: isComplete ? nil : some)
        case .trait(let field, let test):
            isComplete = asksEverybody(some, isShared: false)
            truth = self.truth(number, field, test, among: isComplete ? nil : some)
        }
        if isComplete, plan.leafUses[number] > 1 { leafTruths[number] = truth }
        return truth
    }

    private func start(_ holds: Bool?) -> Truth {
        let truth = Truth(holds: scratch.words(BlockScan.words), doubts: scratch.words(BlockScan.words))
        truth.holds.update(repeating: holds == true ? .max : 0, count: BlockScan.words)
        truth.doubts.update(repeating: holds == nil ? .max : 0, count: BlockScan.words)
        return truth
    }

    private func truth(_ number: Int, _ test: CountTest, among asked: Asked?) -> Truth {
        let stream = plan.streams[number]
        if stream.sessionGap != nil {
            return truth(number, .count, asked, valueOfNothing: test.accepts(0)) { bits in
                test.accepts(Int(Double(bitPattern: bits)))
            }
        }
        let truth = start(test.accepts(0))
        let parts = parts(number, among: asked)
        if case .atLeast(let least) = test, least == 1 || parts.count == 1 && (1...4).contains(least) {
            for part in parts { find(least, part, truth) }
            for word in 0..<BlockScan.words { truth.holds[word] &= ~truth.doubts[word] }
            return truth
        }
        if parts.isEmpty { return truth }
        let counts = scratch.zeroCounts(BlockScan.size)
        var doubts: UnsafeMutablePointer<UInt64>?
        for part in parts { count(part, into: counts, &doubts) }
        for word in 0..<BlockScan.words {
            let counts = counts + word << 6
            let holds =
                switch test {
                case .atLeast(let number):
                    FieldKernel.gather(64) { Int(counts[$0]) >= number }
                case .exactly(let number): FieldKernel.gather(64) { Int(counts[$0]) == number }
                case .never: UInt64(0)
                }
            let doubtful = doubts?[word] ?? 0
            (truth.holds[word], truth.doubts[word]) = (holds & ~doubtful, doubtful)
        }
        return truth
    }

    /// Sets the bits of the profiles that have at least so many rows in a part.
    private func find(_ least: Int, _ part: Part, _ truth: Truth) {
        let (slice, low) = (part.slice, low)
        switch part.selection {
        case .none: return
        case .all:
            part.active.forEachEntry(slice) { entry in
                BlockScan.raise(slice.rows(entry).count >= least, slice.profiles[entry] &- low, truth.holds)
            }
        case .some(let mask) where part.active.isAll:
            let sums = mask.sums(slice.wordCount, scratch)
            var before: UInt32 = 0
            for entry in 0..<slice.entryCount {
                let next = mask.before(slice.starts[entry + 1] &- slice.base, sums)
                BlockScan.raise(Int(next &- before) >= least, slice.profiles[entry] &- low, truth.holds)
                before = next
            }
            noteDoubts(mask, part, truth)
        case .some(let mask):
            part.active.forEachEntry(slice) { entry in
                BlockScan.raise(mask.has(least, slice.rows(entry)), slice.profiles[entry] &- low, truth.holds)
            }
            noteDoubts(mask, part, truth)
        }
    }

    private func noteDoubts(_ mask: RowMask, _ part: Part, _ truth: Truth) {
        guard mask.hasDoubts else { return }
        part.active.forEachEntry(part.slice) { entry in
            BlockScan.raise(mask.doubts(part.slice.rows(entry)), part.slice.profiles[entry] &- low, truth.doubts)
        }
    }

    private func truth(
        _ number: Int, _ reduction: ScanPlan.Reduction, _ test: CellTest, among asked: Asked?
    ) -> Truth {
        truth(number, reduction, asked, valueOfNothing: test.accepts(reduction.valueOfNothing)) { bits in
            test.accepts(Cell(rawBits: bits))
        }
    }

    private func truth(
        _ number: Int, _ reduction: ScanPlan.Reduction, _ asked: Asked?, valueOfNothing: Bool?,
        _ test: (UInt64) -> Bool?
    ) -> Truth {
        let truth = start(valueOfNothing)
        let found = values(number, reduction, among: asked)
        for index in 0..<found.count {
            let bits = found.bits[index]
            BlockScan.settle(truth, found.profiles[index] &- low, bits == Bits.doubtful ? nil : test(bits))
        }
        return truth
    }

    /// About the value of a trait: that of the last row by now.
    private func truth(_ leaf: Int, _ field: ScanPlan.Field, _ test: CellTest, among asked: Asked?) -> Truth {
        let truth = start(test.null)
        let slices = traitSlices(field)
        let times = slices.count > 1 ? scratch.elements(of: Int64.self, BlockScan.size) : nil
        if let times { times.update(repeating: .min, count: BlockScan.size) }
        for slice in slices {
            let active = active(slice, among: asked)
            var mask = RowMask(slice, scratch)
            active.forEachWord(slice) { mask.words[$0] = .max }
            narrow(&mask, traitKernel(leaf, field, test, slice), field, ofNothing: test.null, slice, active)
            active.forEachEntry(slice) { entry in
                guard let row = lastRow(slice, entry) else { return }
                let bit = slice.profiles[entry] &- low
                var isDoubtful = mask.hasDoubts && mask.doubts[row >> 6] &>> UInt64(row & 63) & 1 == 1
                if let times {
                    let time = slice.timestamps[row]
                    guard time >= times[Int(bit)] else { return }
                    // What comes first of one time in several runs is for the evaluator to tell.
                    if time == times[Int(bit)], time > .min { isDoubtful = true }
                    times[Int(bit)] = time
                }
                BlockScan.settle(truth, bit, isDoubtful ? nil : mask[row])
            }
        }
        return truth
    }

    private func traitKernel(
        _ leaf: Int, _ field: ScanPlan.Field, _ test: CellTest, _ slice: RowSlice
    ) -> FieldKernel? {
        if let known = traitKernels[leaf]?[slice.run] { return known }
        guard let column = cursors[field.table].runs[slice.run].columns[field.column] else { return nil }
        let kernel = FieldKernel(test, column)
        traitKernels[leaf, default: [:]][slice.run] = kernel
        return kernel
    }

    @inline(__always)
    private static func raise(_ holds: Bool, _ bit: UInt32, _ words: UnsafeMutablePointer<UInt64>) {
        words[Int(bit >> 6)] |= (holds ? 1 : 0) &<< UInt64(bit & 63)
    }

    @inline(__always)
    private static func settle(_ truth: Truth, _ bit: UInt32, _ holds: Bool?) {
        let (word, mask) = (Int(bit >> 6), UInt64(1) << UInt64(bit & 63))
        truth.holds[word] = holds == true ? truth.holds[word] | mask : truth.holds[word] & ~mask
        truth.doubts[word] = holds == nil ? truth.doubts[word] | mask : truth.doubts[word] & ~mask
    }
}

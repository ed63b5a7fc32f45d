import History

/// The rows that one run has of a block of profiles, where they lie; or rows of several runs, put together. Pointers are
/// valid for the block.
struct RowSlice {
    /// Of the cursor's runs, or one more than there are for rows that were put together.
    var run = 0
    /// The run's row that is the slice's first.
    var firstRow = 0
    /// The profiles that have rows, ascending.
    var profiles: UnsafePointer<UInt32>
    var entryCount = 0
    /// Where each one's rows start, and one more; `base` is to be taken off.
    var starts: UnsafePointer<UInt32>
    var base: UInt32 = 0
    var timestamps: UnsafePointer<Int64>
    var rowCount = 0
    /// Nothing in the run is earlier or later.
    var earliest = Int64.min
    var latest = Int64.max

    var wordCount: Int { (rowCount + 63) >> 6 }

    @inline(__always)
    func rows(_ entry: Int) -> Range<Int> { Int(starts[entry] &- base)..<Int(starts[entry + 1] &- base) }
}

/// A table as a plan reads it: its runs in the order of time, with the columns that are named, and where in each the next
/// block begins.
struct TableCursor {
    struct RunCursor {
        let run: ScanRun
        /// By number of the plan's columns.
        let columns: [ScanColumn?]
        var entry = 0
        /// How many entries the last block had: the next has about as many.
        var width = 0
    }

    private(set) var runs: [RunCursor]

    init(_ runs: [ScanRun], columns: [ScanRun.ColumnName]) {
        self.runs = runs.sorted { ($0.earliest, $0.latest) < ($1.earliest, $1.latest) }
            .map { run in RunCursor(run: run, columns: columns.map { run.column($0) }) }
    }

    /// Adds the slices of the profiles from `low` to below `high`; blocks are asked for in ascending order.
    mutating func slice(from low: UInt32, to high: UInt32, into slices: inout [RowSlice]) {
        for index in runs.indices {
            let run = runs[index].run
            let start = run.profiles.firstIndex(from: low, near: runs[index].entry)
            let end = run.profiles.firstIndex(from: high, near: start, likely: start + runs[index].width)
            runs[index].entry = end
            runs[index].width = end - start
            guard start < end, let profiles = run.profiles.baseAddress, let starts = run.starts.baseAddress,
                let timestamps = run.timestamps.baseAddress
            else { continue }
            let base = starts[start]
            slices.append(
                RowSlice(
                    run: index, firstRow: Int(base), profiles: profiles + start, entryCount: end - start,
                    starts: starts + start, base: base, timestamps: timestamps + Int(base),
                    rowCount: Int(starts[end] - base), earliest: run.earliest, latest: run.latest))
        }
    }
}

extension UnsafeBufferPointer<UInt32> {
    /// The same as `firstIndex(from:near:)`, looked for around another place where it probably is.
    func firstIndex(from value: UInt32, near start: Int, likely place: Int) -> Int {
        guard start < place, place < count else { return firstIndex(from: value, near: start) }
        if self[place] < value { return firstIndex(from: value, near: place + 1) }
        var high = place
        var step = 1
        while high - step > start, self[high - step] >= value {
            high -= step
            step *= 2
        }
        return firstIndex(from: value, Swift.max(start, high - step), high)
    }

    /// The index of the first element that is at least `value`, found from a place that is not after it by ever longer
    /// steps.
    func firstIndex(from value: UInt32, near start: Int) -> Int {
        var low = start
        var step = 1
        var high = start
        while high < count, self[high] < value {
            low = high + 1
            high += step
            step *= 2
        }
        return firstIndex(from: value, low, Swift.min(high, count))
    }

    /// The same between two places.
    private func firstIndex(from value: UInt32, _ low: Int, _ high: Int) -> Int {
        var (low, high) = (low, high)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

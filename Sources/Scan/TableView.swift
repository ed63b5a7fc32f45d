import History

/// The rows of one table that belong to a block of profiles, wherever they are kept. Pointers are valid for the block.
struct TableView {
    enum Source {
        /// Rows of one run, from a row on.
        case run(Int, firstRow: Int)
        /// Copied together from several runs: cells by number of the plan's columns.
        case gathered([UnsafePointer<UInt64>])
        case nothing
    }

    /// The profiles that have rows, ascending.
    var profiles: UnsafePointer<UInt32>
    var entryCount = 0
    /// Where each one's rows start, and one more; `base` is to be taken off.
    var starts: UnsafePointer<UInt32>
    var base: UInt32 = 0
    var timestamps: UnsafePointer<Int64>
    var rowCount = 0
    var source = Source.nothing
    /// Profiles whose rows stand in several runs that overlap in time: the evaluator must look at these.
    var tangled: [UInt32] = []

    var wordCount: Int { (rowCount + 63) >> 6 }

    @inline(__always)
    func rows(_ entry: Int) -> Range<Int> { Int(starts[entry] &- base)..<Int(starts[entry + 1] &- base) }
}

/// A table as a plan reads it: its runs, with the columns that are named, and where in each the next block begins.
struct TableCursor {
    struct RunCursor {
        let run: ScanRun
        /// By number of the plan's columns.
        let columns: [ScanColumn?]
        var entry = 0
    }

    private(set) var runs: [RunCursor]
    /// By number of the plan's columns: what may occur in any run.
    let kinds: [CellKinds]
    let earliest: Int64
    let latest: Int64

    init(_ runs: [ScanRun], columns: [ScanRun.ColumnName]) {
        self.runs = runs.map { run in RunCursor(run: run, columns: columns.map { run.column($0) }) }
        kinds = columns.map { name in
            runs.reduce(into: CellKinds()) { $0.formUnion($1.column(name)?.kinds ?? .nulls) }
        }
        earliest = runs.map(\.earliest).min() ?? .max
        latest = runs.map(\.latest).max() ?? .min
    }

    /// The rows of the profiles from `low` to below `high`.
    mutating func view(from low: UInt32, to high: UInt32, _ scratch: Scratch) -> TableView {
        var parts: [(run: Int, entries: Range<Int>)] = []
        for index in runs.indices {
            let profiles = runs[index].run.profiles
            let start = profiles.firstIndex(from: low, near: runs[index].entry)
            let end = profiles.firstIndex(from: high, near: start)
            runs[index].entry = end
            if start < end { parts.append((index, start..<end)) }
        }
        guard let first = parts.first else { return empty(scratch) }
        return parts.count == 1 ? whole(first.run, first.entries, scratch) : gather(parts, scratch)
    }

    private func empty(_ scratch: Scratch) -> TableView {
        TableView(
            profiles: scratch.elements(of: UInt32.self, 1), starts: scratch.elements(of: UInt32.self, 1),
            timestamps: scratch.elements(of: Int64.self, 1))
    }

    /// One run has it all: nothing is copied.
    private func whole(_ index: Int, _ entries: Range<Int>, _ scratch: Scratch) -> TableView {
        let run = runs[index].run
        guard let profiles = run.profiles.baseAddress, let starts = run.starts.baseAddress,
            let timestamps = run.timestamps.baseAddress
        else { return empty(scratch) }
        let base = starts[entries.lowerBound]
        return TableView(
            profiles: profiles + entries.lowerBound, entryCount: entries.count, starts: starts + entries.lowerBound,
            base: base, timestamps: timestamps + Int(base), rowCount: Int(starts[entries.upperBound] - base),
            source: .run(index, firstRow: Int(base)))
    }

    /// Several runs have some: their rows are copied together, profile by profile.
    private func gather(_ parts: [(run: Int, entries: Range<Int>)], _ scratch: Scratch) -> TableView {
        var positions = parts.map(\.entries.lowerBound)
        let entryCount = parts.reduce(0) { $0 + $1.entries.count }
        let rowCount = parts.reduce(0) { total, part in
            let starts = runs[part.run].run.starts
            return total + Int(starts[part.entries.upperBound] - starts[part.entries.lowerBound])
        }
        let profiles = scratch.elements(of: UInt32.self, entryCount + 1)
        let starts = scratch.elements(of: UInt32.self, entryCount + 1)
        let timestamps = scratch.elements(of: Int64.self, rowCount)
        let columns = kinds.indices.map { _ in scratch.words(rowCount) }
        var tangled: [UInt32] = []
        var entry = 0
        var row = 0
        var slices: [(run: Int, rows: Range<Int>)] = []
        while true {
            var lowest = UInt32.max
            for (part, position) in zip(parts, positions) where position < part.entries.upperBound {
                lowest = min(lowest, runs[part.run].run.profiles[position])
            }
            guard lowest < .max else { break }
            slices.removeAll(keepingCapacity: true)
            for index in parts.indices where positions[index] < parts[index].entries.upperBound {
                let run = runs[parts[index].run].run
                guard run.profiles[positions[index]] == lowest else { continue }
                let place = positions[index]
                slices.append((parts[index].run, Int(run.starts[place])..<Int(run.starts[place + 1])))
                positions[index] += 1
            }
            if slices.count > 1, !untangle(&slices) { tangled.append(lowest) }
            profiles[entry] = lowest
            starts[entry] = UInt32(row)
            for (index, rows) in slices {
                guard let times = runs[index].run.timestamps.baseAddress else { continue }
                (timestamps + row).update(from: times + rows.lowerBound, count: rows.count)
                for (number, target) in columns.enumerated() {
                    if let column = runs[index].columns[number] {
                        column.copy(rows, to: target + row)
                    } else {
                        (target + row).update(repeating: Bits.missing, count: rows.count)
                    }
                }
                row += rows.count
            }
            entry += 1
        }
        starts[entry] = UInt32(row)
        return TableView(
            profiles: UnsafePointer(profiles), entryCount: entry, starts: UnsafePointer(starts), base: 0,
            timestamps: UnsafePointer(timestamps), rowCount: row,
            source: .gathered(columns.map { UnsafePointer($0) }), tangled: tangled)
    }

    /// Puts what several runs have of a profile in the order of time; false if they overlap.
    private func untangle(_ slices: inout [(run: Int, rows: Range<Int>)]) -> Bool {
        func first(_ slice: (run: Int, rows: Range<Int>)) -> Int64 {
            runs[slice.run].run.timestamps[slice.rows.lowerBound]
        }
        slices.sort { first($0) < first($1) }
        return zip(slices, slices.dropFirst()).allSatisfy { left, right in
            runs[left.run].run.timestamps[left.rows.upperBound - 1] < first(right)
        }
    }
}

extension UnsafeBufferPointer<UInt32> {
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
        high = Swift.min(high, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

import History

/// The rows of one table that belong to a block of profiles, wherever they are kept. Pointers are valid for the block.
struct TableView {
    /// The profiles that have rows, ascending.
    var profiles: UnsafePointer<UInt32>
    var entryCount = 0
    /// Where each one's rows start, and one more; `base` is to be taken off.
    var starts: UnsafePointer<UInt32>
    var base: UInt32 = 0
    var timestamps: UnsafePointer<Int64>
    var rowCount = 0
    /// By number of the plan's columns; `nil` where nobody has anything.
    var columns: [UnsafePointer<UInt64>?] = []
    /// Profiles whose rows stand in several runs that overlap in time: the evaluator must look at these.
    var tangled: [UInt32] = []

    var wordCount: Int { (rowCount + 63) >> 6 }

    @inline(__always)
    func rows(_ entry: Int) -> Range<Int> { Int(starts[entry] &- base)..<Int(starts[entry + 1] &- base) }
}

/// A table as a plan reads it: its runs, with the columns that are named, and where in each the next block begins.
struct TableCursor {
    private struct RunCursor {
        let run: ScanRun
        let columns: [UnsafeBufferPointer<UInt64>?]
        var entry = 0
    }

    private var runs: [RunCursor]
    /// By number of the plan's columns: what may occur in any run.
    let kinds: [CellKinds]
    let earliest: Int64
    let latest: Int64
    let rowCount: Int

    init(_ runs: [ScanRun], columns: [ScanRun.ColumnName]) {
        self.runs = runs.map { run in
            RunCursor(run: run, columns: columns.map { run.column($0)?.bits })
        }
        kinds = columns.map { name in
            runs.reduce(into: CellKinds()) { kinds, run in
                kinds.formUnion(run.column(name)?.kinds ?? .nulls)
            }
        }
        earliest = runs.map(\.earliest).min() ?? .max
        latest = runs.map(\.latest).max() ?? .min
        rowCount = runs.reduce(0) { $0 + $1.rowCount }
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
        let words = scratch.words(1)
        return TableView(
            profiles: UnsafeRawPointer(words).assumingMemoryBound(to: UInt32.self),
            starts: UnsafeRawPointer(words).assumingMemoryBound(to: UInt32.self),
            timestamps: UnsafeRawPointer(words).assumingMemoryBound(to: Int64.self),
            columns: Array(repeating: nil, count: kinds.count))
    }

    /// One run has it all: nothing is copied.
    private func whole(_ index: Int, _ entries: Range<Int>, _ scratch: Scratch) -> TableView {
        let cursor = runs[index]
        guard let profiles = cursor.run.profiles.baseAddress, let starts = cursor.run.starts.baseAddress,
            let timestamps = cursor.run.timestamps.baseAddress
        else { return empty(scratch) }
        let base = starts[entries.lowerBound]
        return TableView(
            profiles: profiles + entries.lowerBound, entryCount: entries.count, starts: starts + entries.lowerBound,
            base: base, timestamps: timestamps + Int(base),
            rowCount: Int(starts[entries.upperBound] - base),
            columns: cursor.columns.map { $0?.baseAddress.map { $0 + Int(base) } })
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
        let timestamps = scratch.elements(of: Int64.self, rowCount + 1)
        let columns = kinds.indices.map { _ in scratch.elements(of: UInt64.self, rowCount + 1) }
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
            if slices.count > 1 {
                slices.sort {
                    runs[$0.run].run.timestamps[$0.rows.lowerBound] < runs[$1.run].run.timestamps[$1.rows.lowerBound]
                }
                for (left, right) in zip(slices, slices.dropFirst())
                where runs[left.run].run.timestamps[left.rows.upperBound - 1]
                    >= runs[right.run].run.timestamps[right.rows.lowerBound]
                {
                    tangled.append(lowest)
                    break
                }
            }
            profiles[entry] = lowest
            starts[entry] = UInt32(row)
            for (index, rows) in slices {
                let cursor = runs[index]
                for (offset, source) in rows.enumerated() {
                    timestamps[row + offset] = cursor.run.timestamps[source]
                }
                for (number, target) in columns.enumerated() {
                    if let bits = cursor.columns[number] {
                        for (offset, source) in rows.enumerated() { target[row + offset] = bits[source] }
                    } else {
                        for offset in 0..<rows.count { target[row + offset] = Cell.missing.rawBits }
                    }
                }
                row += rows.count
            }
            entry += 1
        }
        starts[entry] = UInt32(row)
        return TableView(
            profiles: UnsafePointer(profiles), entryCount: entry, starts: UnsafePointer(starts), base: 0,
            timestamps: UnsafePointer(timestamps), rowCount: row, columns: columns.map { UnsafePointer($0) },
            tangled: tangled)
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

/// Memory for one block at a time, taken piece by piece and given back at once.
final class Scratch {
    private var chunks: [UnsafeMutableRawBufferPointer] = []
    private var chunk = 0
    private var used = 0

    deinit { for chunk in chunks { chunk.deallocate() } }

    func reset() {
        chunk = 0
        used = 0
    }

    /// Not initialised; aligned to 64 bytes.
    func elements<Element: BitwiseCopyable>(of type: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element> {
        let bytes = (max(count, 1) * MemoryLayout<Element>.stride + 63) & ~63
        while chunk < chunks.count, used + bytes > chunks[chunk].count {
            chunk += 1
            used = 0
        }
        if chunk == chunks.count {
            chunks.append(.allocate(byteCount: max(bytes, 1 << 20), alignment: 64))
        }
        defer { used += bytes }
        return
            (chunks[chunk].baseAddress.map { $0 + used }
            ?? UnsafeMutableRawPointer.allocate(byteCount: 0, alignment: 64))
            .bindMemory(to: Element.self, capacity: count)
    }

    func words(_ count: Int) -> UnsafeMutablePointer<UInt64> { elements(of: UInt64.self, count) }

    func zeros(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        let words = words(count)
        words.update(repeating: 0, count: count)
        return words
    }
}

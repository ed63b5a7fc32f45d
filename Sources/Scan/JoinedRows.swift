import History

/// The rows of a stream that count, of a block's profiles, put together from several runs: only those, and of each only
/// what is asked for.
struct JoinedRows {
    /// All of its rows count. It has no run.
    var slice: RowSlice
    /// By profile of the block, and one more: where its rows start.
    var starts: UnsafeMutablePointer<UInt32>
    /// Of the column that was asked for.
    var cells: UnsafePointer<UInt64>?
    /// By profile of the block: of whom only the evaluator can tell; `nil` for nobody. They may have entries or not.
    var doubts: UnsafeMutablePointer<UInt64>?

    enum Order {
        /// Rows of a profile may stand in any order, and there are no times.
        case any
        /// By time.
        case byTime
        /// By time, and of profiles with rows of one time in several runs the evaluator must tell what comes first.
        case exact
    }
}

extension BlockScan {
    /// A slice with the rows of it that count.
    struct Part {
        var slice: RowSlice
        var active: ActiveRows
        var selection: RowSelection
    }

    /// The parts of a stream that may have rows which count, in the order of time.
    func parts(_ number: Int, among asked: Asked?) -> [Part] {
        let stream = plan.streams[number]
        var parts: [Part] = []
        for slice in slices[stream.table] where BlockScan.overlaps(slice, stream) {
            let active = active(slice, among: asked)
            guard active.isAll || active.entries?.isEmpty == false else { continue }
            parts.append(Part(slice: slice, active: active, selection: selection(number, slice, active)))
        }
        return parts
    }

    /// Puts the rows of several parts together.
    func join(_ parts: [Part], _ field: ScanPlan.Field?, _ order: JoinedRows.Order) -> JoinedRows {
        let counts = scratch.zeroCounts(BlockScan.size)
        var doubts: UnsafeMutablePointer<UInt64>?
        for part in parts { count(part, into: counts, &doubts) }
        let profiles = scratch.elements(of: UInt32.self, BlockScan.size)
        let starts = scratch.elements(of: UInt32.self, BlockScan.size + 1)
        let firsts = scratch.elements(of: UInt32.self, BlockScan.size + 1)
        var (entries, rows) = (0, UInt32(0))
        for bit in 0..<BlockScan.size {
            firsts[bit] = rows
            guard counts[bit] > 0 else { continue }
            profiles[entries] = low + UInt32(bit)
            starts[entries] = rows
            entries += 1
            rows += counts[bit]
        }
        starts[entries] = rows
        firsts[BlockScan.size] = rows
        // From here on `counts` tells where the next row of a profile goes.
        let places = counts
        let times = scratch.elements(of: Int64.self, order == .any ? 0 : Int(rows))
        var mixed: UnsafeMutablePointer<UInt64>?
        if order != .any {
            places.update(from: firsts, count: BlockScan.size)
            let found = scratch.zeros(BlockScan.words)
            for part in parts { placeTimes(part, firsts, places, times, found) }
            if (0..<BlockScan.words).contains(where: { found[$0] != 0 }) { mixed = found }
        }
        var cells: UnsafeMutablePointer<UInt64>?
        if let field {
            places.update(from: firsts, count: BlockScan.size)
            let target = scratch.words(Int(rows))
            for part in parts { placeCells(part, field, places, target) }
            cells = target
        }
        let slice = RowSlice(
            profiles: profiles, entryCount: entries, starts: starts, timestamps: times, rowCount: Int(rows))
        if let mixed {
            for entry in 0..<entries {
                let bit = profiles[entry] - low
                guard mixed[Int(bit >> 6)] >> UInt64(bit & 63) & 1 == 1 else { continue }
                if !straighten(slice.rows(entry), times, cells), order == .exact {
                    let known = doubts ?? scratch.zeros(BlockScan.words)
                    BlockScan.set(known, bit)
                    doubts = known
                }
            }
        }
        return JoinedRows(slice: slice, starts: firsts, cells: cells.map { UnsafePointer($0) }, doubts: doubts)
    }

    /// Adds how many rows each profile has in a part, and notes who has rows of which only the evaluator can tell.
    func count(
        _ part: Part, into counts: UnsafeMutablePointer<UInt32>, _ doubts: inout UnsafeMutablePointer<UInt64>?
    ) {
        let (slice, low) = (part.slice, low)
        switch part.selection {
        case .none: return
        case .all:
            part.active.forEachEntry(slice) { entry in
                counts[Int(slice.profiles[entry] &- low)] &+= UInt32(truncatingIfNeeded: slice.rows(entry).count)
            }
        case .some(let mask):
            if part.active.isAll {
                let sums = mask.sums(slice.wordCount, scratch)
                var before: UInt32 = 0
                for entry in 0..<slice.entryCount {
                    let after = mask.before(slice.starts[entry + 1] &- slice.base, sums)
                    counts[Int(slice.profiles[entry] &- low)] &+= after &- before
                    before = after
                }
            } else {
                part.active.forEachEntry(slice) { entry in
                    counts[Int(slice.profiles[entry] &- low)] &+= UInt32(
                        truncatingIfNeeded: mask.count(slice.rows(entry)))
                }
            }
            guard mask.hasDoubts else { return }
            let known = doubts ?? scratch.zeros(BlockScan.words)
            doubts = known
            part.active.forEachEntry(slice) { entry in
                if mask.doubts(slice.rows(entry)) { BlockScan.set(known, slice.profiles[entry] &- low) }
            }
        }
    }

    /// Hands over the rows of a part that count, with the place that each takes, and after each profile where it began.
    @inline(__always)
    private func place(
        _ part: Part, _ places: UnsafeMutablePointer<UInt32>, _ body: (_ row: Int, _ place: Int) -> Void,
        after: (_ bit: Int, _ began: Int, _ ended: Int) -> Void = { _, _, _ in }
    ) {
        let (slice, low) = (part.slice, low)
        let mask = part.selection.mask
        if case .none = part.selection { return }
        part.active.forEachEntry(slice) { entry in
            let bit = Int(slice.profiles[entry] &- low)
            let began = Int(places[bit])
            var place = began
            let rows = slice.rows(entry)
            if let mask {
                var row = mask.next(from: rows.lowerBound, before: rows.upperBound)
                while row < rows.upperBound {
                    body(row, place)
                    place &+= 1
                    row = mask.next(from: row + 1, before: rows.upperBound)
                }
            } else {
                for row in rows {
                    body(row, place)
                    place &+= 1
                }
            }
            places[bit] = UInt32(truncatingIfNeeded: place)
            after(bit, began, place)
        }
    }

    /// Writes times, and notes whose rows in this part are not all later than those in the parts before.
    private func placeTimes(
        _ part: Part, _ firsts: UnsafeMutablePointer<UInt32>, _ places: UnsafeMutablePointer<UInt32>,
        _ times: UnsafeMutablePointer<Int64>, _ mixed: UnsafeMutablePointer<UInt64>
    ) {
        let source = part.slice.timestamps
        place(part, places) { row, place in
            times[place] = source[row]
        } after: { bit, began, ended in
            if began < ended, began > Int(firsts[bit]), times[began - 1] >= times[began] {
                BlockScan.set(mixed, UInt32(bit))
            }
        }
    }

    private func placeCells(
        _ part: Part, _ field: ScanPlan.Field, _ places: UnsafeMutablePointer<UInt32>,
        _ target: UnsafeMutablePointer<UInt64>
    ) {
        guard let column = cursors[field.table].runs[part.slice.run].columns[field.column] else {
            return place(part, places) { _, place in target[place] = Bits.missing }
        }
        let first = part.slice.firstRow
        let dictionary = column.dictionary
        switch column.form {
        case .constant(let bits): place(part, places) { _, place in target[place] = bits }
        case .codes8(let codes):
            place(part, places) { row, place in target[place] = dictionary[Int(codes[first + row])] }
        case .codes16(let codes):
            place(part, places) { row, place in target[place] = dictionary[Int(codes[first + row])] }
        case .integers(let values):
            place(part, places) { row, place in target[place] = ScanColumn.bits(integer: values[first + row]) }
        case .codes32(let codes, let kind):
            place(part, places) { row, place in target[place] = ScanColumn.bits(code: codes[first + row], kind: kind) }
        case .cells(let cells): place(part, places) { row, place in target[place] = cells[first + row] }
        case .sparse:
            guard let cells = cells(field, part.slice, part.active) else { return }
            place(part, places) { row, place in target[place] = cells[row] }
        }
    }

    /// Sorts a profile's rows by time; false if two have the same.
    private func straighten(
        _ rows: Range<Int>, _ times: UnsafeMutablePointer<Int64>, _ cells: UnsafeMutablePointer<UInt64>?
    ) -> Bool {
        var sorted = rows.map { (time: times[$0], bits: cells?[$0] ?? 0) }
        sorted.sort { $0.time < $1.time }
        for (row, entry) in zip(rows, sorted) {
            times[row] = entry.time
            cells?[row] = entry.bits
        }
        return zip(sorted, sorted.dropFirst()).allSatisfy { $0.time < $1.time }
    }
}

/// The rows of several runs of one table in the order of one.
struct MergeInput: RunInput {
    /// Rows that follow each other both in a run and in the whole.
    private struct Stretch {
        var run: UInt32
        var start: UInt32
        var count: UInt32
    }

    private let runs: [Run]
    private var stretches: [Stretch] = []
    private var profiles: [(profile: UInt32, count: Int)] = []
    private var expired: [Stretch] = []
    private(set) var rowCount = 0

    init(_ runs: [Run]) {
        self.runs = runs
        var places = runs.map { _ in 0 }
        while true {
            var lowest: UInt32?
            for (run, place) in zip(runs, places) where place < run.profiles.count {
                lowest = min(lowest ?? .max, run.profiles[place])
            }
            guard let profile = lowest else { break }
            var parts: [(run: Int, rows: Range<Int>)] = []
            for index in runs.indices {
                let run = runs[index]
                guard places[index] < run.profiles.count, run.profiles[places[index]] == profile else { continue }
                let rows = Int(run.starts[places[index]])..<Int(run.starts[places[index] + 1])
                places[index] += 1
                guard !run.removed.contains(profile) else { continue }
                let kept = run.keptRows(rows)
                if kept.lowerBound > rows.lowerBound {
                    MergeInput.append(index, rows.lowerBound..<kept.lowerBound, to: &expired)
                }
                if !kept.isEmpty { parts.append((index, kept)) }
            }
            let count = parts.reduce(0) { $0 + $1.rows.count }
            guard count > 0 else { continue }
            profiles.append((profile, count))
            rowCount += count
            merge(&parts)
        }
    }

    private mutating func merge(_ parts: inout [(run: Int, rows: Range<Int>)]) {
        while parts.count > 1 {
            // The one that begins first goes on until another one comes before its next row.
            var least = 0
            for index in 1..<parts.count where precedes(parts[index], parts[least]) { least = index }
            let start = parts[least].rows.lowerBound
            var end = start + 1
            while end < parts[least].rows.upperBound {
                let next = (run: parts[least].run, rows: end..<parts[least].rows.upperBound)
                guard parts.indices.allSatisfy({ $0 == least || precedes(next, parts[$0]) }) else { break }
                end += 1
            }
            MergeInput.append(parts[least].run, start..<end, to: &stretches)
            parts[least].rows = end..<parts[least].rows.upperBound
            if parts[least].rows.isEmpty { parts.remove(at: least) }
        }
        if let last = parts.first { MergeInput.append(last.run, last.rows, to: &stretches) }
    }

    private static func append(_ run: Int, _ rows: Range<Int>, to stretches: inout [Stretch]) {
        if let last = stretches.indices.last, stretches[last].run == run,
            Int(stretches[last].start + stretches[last].count) == rows.lowerBound
        {
            stretches[last].count += UInt32(rows.count)
        } else {
            stretches.append(Stretch(run: UInt32(run), start: UInt32(rows.lowerBound), count: UInt32(rows.count)))
        }
    }

    private func precedes(_ left: (run: Int, rows: Range<Int>), _ right: (run: Int, rows: Range<Int>)) -> Bool {
        let (leftRun, rightRun) = (runs[left.run], runs[right.run])
        let (leftRow, rightRow) = (left.rows.lowerBound, right.rows.lowerBound)
        let (leftTime, rightTime) = (leftRun.timestamps[leftRow], rightRun.timestamps[rightRow])
        if leftTime != rightTime { return leftTime < rightTime }
        let (leftReceipt, rightReceipt) = (leftRun.receivedAt(leftRow), rightRun.receivedAt(rightRow))
        if leftReceipt != rightReceipt { return leftReceipt < rightReceipt }
        let comparison = StoredID.compare(leftRun.messageID(leftRow), rightRun.messageID(rightRow))
        return comparison != 0 ? comparison < 0 : leftRun.offset(leftRow) < rightRun.offset(rightRow)
    }

    private func forEachStretch(_ body: (Run, Range<Int>) -> Void) {
        for stretch in stretches {
            body(runs[Int(stretch.run)], Int(stretch.start)..<Int(stretch.start + stretch.count))
        }
    }

    func forEachProfile(_ body: (UInt32, Int) -> Void) {
        for (profile, count) in profiles { body(profile, count) }
    }

    func forEachTimestamp(_ body: (Int64) -> Void) {
        forEachStretch { run, rows in for row in rows { body(run.timestamps[row]) } }
    }

    func forEachInteger(_ field: EnvelopeField, _ body: (Int64) -> Void) {
        forEachStretch { run, rows in
            switch field {
            case .receipt: for row in rows { body(run.receivedAt(row) &- run.timestamps[row]) }
            case .offset: for row in rows { body(run.offset(row)) }
            case .kind: for row in rows { body(Int64(run.kind(row))) }
            case .source: for row in rows { body(Int64(run.source(row))) }
            }
        }
    }

    func forEachID(_ body: (StoredID) -> Void) {
        forEachStretch { run, rows in for row in rows { body(run.messageID(row)) } }
    }

    func columnNumbers(_ root: Table.Root) -> [Int] {
        Set(runs.flatMap { $0.columnNumbers(root) }).sorted()
    }

    func forEachCell(_ root: Table.Root, _ column: Int, _ body: (Cell) -> Void) {
        let columns = runs.map { $0.column(root, column) }
        for stretch in stretches {
            if let column = columns[Int(stretch.run)] {
                for row in Int(stretch.start)..<Int(stretch.start + stretch.count) { body(column.cell(row)) }
            } else {
                for _ in 0..<stretch.count { body(.missing) }
            }
        }
    }

    /// What is left out because it has expired.
    var expiredRows: ExpiredRows {
        var rows = ExpiredRows()
        for stretch in expired {
            rows.add(runs[Int(stretch.run)], Int(stretch.start)..<Int(stretch.start + stretch.count))
        }
        return rows
    }
}

/// Rows of one table that expired and went out of the files: how many, and how many values each column had of them.
struct ExpiredRows: Sendable, Equatable {
    var count = 0
    /// By number of the column.
    var values: [Int] = []
    var context: [Int] = []

    /// Counts rows of a run.
    mutating func add(_ run: Run, _ rows: Range<Int>) { count(run, rows, 1) }
    /// Takes rows of a run out again.
    mutating func subtract(_ run: Run, _ rows: Range<Int>) { count(run, rows, -1) }

    private mutating func count(_ run: Run, _ rows: Range<Int>, _ sign: Int) {
        count += sign * rows.count
        for number in run.columnNumbers(.value) { ExpiredRows.count(run, .value, number, rows, sign, &values) }
        for number in run.columnNumbers(.context) { ExpiredRows.count(run, .context, number, rows, sign, &context) }
    }

    private static func count(
        _ run: Run, _ root: Table.Root, _ number: Int, _ rows: Range<Int>, _ sign: Int, _ counts: inout [Int]
    ) {
        guard let column = run.column(root, number), column.isSound else { return }
        while counts.count <= number { counts.append(0) }
        for row in rows where column.cell(row) != .missing { counts[number] += sign }
    }
}

extension HistoryMerge.Result {
    /// What was left out, less what profiles had that were removed meanwhile: those have been forgotten already.
    func expired(late: Set<UInt32>) -> [(table: UInt32, rows: ExpiredRows)] {
        guard !late.isEmpty else { return expired }
        return expired.map { table, rows in
            var rows = rows
            for input in merge.inputs where !input.isTrait && input.table == table {
                for run in input.runs where run.holdsExpired {
                    for profile in late {
                        let stored = run.storedRows(of: profile)
                        rows.subtract(run, stored.lowerBound..<run.keptRows(stored).lowerBound)
                    }
                }
            }
            return (table, rows)
        }
    }
}

extension TableMetadata {
    mutating func forget(_ expired: ExpiredRows) {
        liveCount -= expired.count
        for (number, count) in expired.values.enumerated() where number < values.count { values[number].count -= count }
        for (number, count) in expired.context.enumerated() where number < context.count {
            context[number].count -= count
        }
    }

    mutating func forgetSamples() {
        for column in values.indices { values[column].samples = [] }
        for column in context.indices { context[column].samples = [] }
    }
}

extension History {
    /// Takes rows that went out of the files out of the catalogue.
    func forget(_ expired: [(table: UInt32, rows: ExpiredRows)], in disk: inout HistoryDisk) {
        for (number, rows) in expired where rows.count > 0 {
            let table = events.tables[Int(number)]
            table.liveCount -= rows.count
            table.values.forget(counts: rows.values)
            table.context.forget(counts: rows.context)
            disk.frozen?.events[Int(number)].forget(rows)
            disk.manifest.metadata.events[Int(number)].forget(rows)
            disk.manifest.unsweptRows += rows.count
        }
    }
}

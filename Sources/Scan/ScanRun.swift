import History

/// The rows of one table in one run, as kernels walk them: sorted by (profile, time), one column after the other. Nothing
/// is copied of a run of the History: pointers lead into its mapped file.
///
/// Sendable although it holds pointers: what they point to is written before `init` returns and never after, and it
/// stays in place as long as this object, which keeps its owner, lives.
final class ScanRun: @unchecked Sendable {
    /// The profiles that have rows here, ascending, each once.
    let profiles: UnsafeBufferPointer<UInt32>
    /// Where each profile's rows start, and one more: the number of rows.
    let starts: UnsafeBufferPointer<UInt32>
    /// Milliseconds since the epoch; ascending within a profile.
    let timestamps: UnsafeBufferPointer<Int64>
    /// The first and the last time; the other way round without rows.
    let earliest: Int64
    let latest: Int64
    /// Profiles of `profiles` whose rows here count no more.
    let removed: Set<UInt32>
    private let columns: [ColumnName: ScanColumn]
    private let owner: Run

    var rowCount: Int { timestamps.count }

    struct ColumnName: Hashable, Sendable {
        var root: Table.Root
        var path: ColumnPath
    }

    /// Takes a run of the History as it lies there. `nil` if a part of it that will be read is damaged: then the History
    /// tells what.
    /// - Parameter columns: Those that will be read, with their numbers in the table.
    init?(_ run: Run, columns: [(name: ColumnName, number: Int)]) {
        guard run.isSound else { return nil }
        var named: [ColumnName: ScanColumn] = [:]
        for (name, number) in columns {
            guard let column = run.column(name.root, number) else { continue }
            guard column.isSound else { return nil }
            named[name] = ScanColumn(column)
        }
        self.columns = named
        profiles = run.profiles
        starts = run.starts
        timestamps = run.timestamps
        earliest = run.earliest
        latest = run.latest
        removed = run.removed
        owner = run
    }

    func column(_ name: ColumnName) -> ScanColumn? { columns[name] }
}

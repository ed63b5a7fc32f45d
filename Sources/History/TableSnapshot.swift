public import Model
import Synchronization

/// The rows of one event name or trait key as they were at one moment. Reading them disturbs no one.
public struct TableSnapshot: Sendable {
    let isTrait: Bool
    let number: UInt32
    /// Rows before it have expired.
    let floor: Int64
    /// On disk, oldest first.
    let written: [Run]
    let frozen: RowBatch?
    let removedFromFrozen: Set<UInt32>
    let fresh: RowBatch?
    let freshRun: FreshRun

    /// Everything as runs: those on disk, then what is in memory put together the same way, which takes up to a microsecond
    /// per row and column. A profile's rows may be spread over several runs and overlap in time.
    public func runs() -> [Run] {
        var all = written
        if let frozen, let run = FreshRun.run(of: frozen, isTrait: isTrait, number) {
            let shown = run.hiding(below: floor)
            all.append(removedFromFrozen.isEmpty ? shown : shown.removing(removedFromFrozen))
        }
        if let fresh, let run = freshRun.run(of: fresh, isTrait: isTrait, number) { all.append(run) }
        return all
    }

    /// Hands over the profiles that have rows, some more than once or removed since. False if a file is damaged.
    public func forEachProfile(_ body: (ProfileOrdinal) -> Void) -> Bool {
        for run in written {
            guard run.isSound else { return false }
            for profile in run.profiles { body(ProfileOrdinal(profile)) }
        }
        for profile in frozen?.profiles ?? [] { body(ProfileOrdinal(profile)) }
        for profile in fresh?.profiles ?? [] { body(ProfileOrdinal(profile)) }
        return true
    }

    /// The codes of the strings that a column has, as far as they are soon found: in dictionaries of runs, and in memory.
    public func stringCodes(_ root: Table.Root, _ column: Int) -> Set<UInt32> {
        var codes: Set<UInt32> = []
        func add(_ bits: UInt64) {
            let cell = Cell(bits: bits)
            if cell.kind == .string { codes.insert(cell.code) }
        }
        for run in written {
            guard let column = run.column(root, column), column.isSound else { continue }
            switch column.encoding {
            case .constant, .codes8, .codes16: for bits in column.dictionary { add(bits) }
            case .integers, .codes32, .cells, .sparse: continue
            }
        }
        for batch in [frozen, fresh] {
            let columns = (root == .value ? batch?.values : batch?.context) ?? []
            guard column < columns.count else { continue }
            for cell in columns[column] { add(cell.bits) }
        }
        return codes
    }
}

/// The fresh rows of a table as a run, kept for whoever asks before the next row comes.
final class FreshRun: Sendable {
    private let made = Mutex<(run: Run?, rows: Int, removals: Int)?>(nil)

    func run(of batch: RowBatch, isTrait: Bool, _ number: UInt32) -> Run? {
        if let known = made.withLock({ $0 }), known.rows == batch.rowCount, known.removals == batch.scrubbed.count {
            return known.run
        }
        let run = FreshRun.run(of: batch, isTrait: isTrait, number)
        made.withLock { $0 = (run, batch.rowCount, batch.scrubbed.count) }
        return run
    }

    static func run(of batch: RowBatch, isTrait: Bool, _ number: UInt32) -> Run? {
        let input = BatchInput(batch)
        guard input.rowCount > 0 else { return nil }
        let sink = ByteSink()
        guard let descriptor = try? RunEncoder.encode(input, isTrait: isTrait, table: number, to: sink) else {
            return nil
        }
        return Run(descriptor, in: sink.takeMemory(name: "memory"), file: 0, DamageReport())
    }
}

extension History {
    /// Every row of an event name.
    public func snapshot(of id: EventID) -> TableSnapshot { table(id).snapshot() }

    /// Every row of a trait key.
    public func snapshot(of id: TraitID) -> TableSnapshot { table(id).snapshot() }
}

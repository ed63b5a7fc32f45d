import Evaluation
public import History
import Model

/// What a scan reads: the runs of each table, as they were at one moment. Reading it disturbs no one.
public struct ScanSnapshot: Sendable {
    private var tables: [ScanPlan.TableKey: [ScanRun]] = [:]
    /// By code of a string: its place in the order of bytes, or `.max` where it is not known.
    var ranks: [UInt32] = []

    public init() {}

    /// Profiles some of whose rows count no more: only the evaluator can tell of them.
    private(set) var removed: Set<UInt32> = []

    /// Adds a run of a table.
    mutating func add(_ run: ScanRun, to table: ScanPlan.TableKey) {
        tables[table, default: []].append(run)
        removed.formUnion(run.removed)
    }

    /// Whom kernels may answer for, and whom only the evaluator can, of those who are asked about.
    func split(_ asked: ProfileSet) -> (ProfileSet, [ProfileOrdinal]) {
        guard !removed.isEmpty else { return (asked, []) }
        var rest = asked
        let others = removed.map { ProfileOrdinal($0) }.filter { asked.contains($0) }
        for profile in others { rest.remove(profile) }
        return (rest, others)
    }

    func runs(_ table: ScanPlan.TableKey) -> [ScanRun] { tables[table] ?? [] }

    /// Tells the order of strings, so that rankings need no evaluator where several are equally frequent.
    /// - Parameter codes: Of strings in the store.
    public mutating func rank(_ codes: some Sequence<UInt32>, in store: ValueStore) {
        let sorted = Set(codes).map { (code: $0, text: Array(store.text($0).utf8)) }
            .sorted { $0.text.lexicographicallyPrecedes($1.text) }
        ranks = Array(repeating: .max, count: Int((sorted.map(\.code).max()).map { $0 + 1 } ?? 0))
        for (place, entry) in sorted.enumerated() { ranks[Int(entry.code)] = UInt32(place) }
    }
}

/// What a plan reads of a History, as it was at one moment. Taking it copies nothing; making runs of fresh rows and looking
/// whether files are sound, which may read them whole, is left for later and for another thread.
public struct ScanSource: Sendable {
    private struct Part: Sendable {
        var table: ScanPlan.TableKey
        var columns: [(name: ScanRun.ColumnName, number: Int)]
        var rows: TableSnapshot
    }

    private let parts: [Part]
    private let ranks: [UInt32]

    public init(_ history: History, for plan: ScanPlan) {
        let parts = zip(plan.tables, plan.columns).map { key, columns in
            let (table, rows) =
                switch key {
                case .event(let id): (history.table(id), history.snapshot(of: id))
                case .trait(let id): (history.table(id), history.snapshot(of: id))
                }
            let numbered = columns.compactMap { name in
                table.column(name.root, name.path).map { (name: name, number: $0) }
            }
            return Part(table: key, columns: numbered, rows: rows)
        }
        self.parts = parts
        // Where rankings compare strings, the order of those that are soon found.
        var codes: Set<UInt32> = []
        for field in plan.rankedFields {
            let (name, part) = (plan.columns[field.table][field.column], parts[field.table])
            guard let number = part.columns.first(where: { $0.name == name })?.number else { continue }
            codes.formUnion(part.rows.stringCodes(name.root, number))
        }
        var snapshot = ScanSnapshot()
        snapshot.rank(codes.filter { $0 < ScanSource.maximumRankedCode }, in: history.store)
        ranks = snapshot.ranks
    }

    /// Ranks stand in an array by code: it must not get large for a few late strings.
    private static let maximumRankedCode: UInt32 = 1 << 22

    /// The runs made ready; `nil` if one is damaged.
    public func snapshot() -> ScanSnapshot? {
        var snapshot = ScanSnapshot()
        snapshot.ranks = ranks
        for part in parts {
            for run in part.rows.runs() {
                guard let run = ScanRun(run, columns: part.columns) else { return nil }
                snapshot.add(run, to: part.table)
            }
        }
        return snapshot
    }
}

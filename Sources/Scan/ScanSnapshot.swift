import Evaluation
public import History
public import Model

/// What a scan reads: the runs of each table, as they were at one moment. Reading it disturbs no one.
public struct ScanSnapshot: Sendable {
    private var tables: [ScanPlan.TableKey: [ScanRun]] = [:]
    /// By code of a string: its place in the order of bytes, or `.max` where it is not known.
    var ranks: [UInt32] = []

    public init() {}

    /// Adds a run of a table.
    public mutating func add(_ run: ScanRun, to table: ScanPlan.TableKey) { tables[table, default: []].append(run) }

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

extension ScanSnapshot {
    /// Copies what a plan reads out of a History.
    /// - Parameter run: Which run a row goes to, by profile and by its place among the profile's rows of the table.
    public init(
        copying history: History, for plan: ScanPlan, profiles: Range<UInt32>,
        run: (ProfileOrdinal, Int) -> Int = { _, _ in 0 }
    ) {
        var codes: Set<UInt32> = []
        for (key, columns) in zip(plan.tables, plan.columns) {
            let table: Table
            switch key {
            case .event(let id): table = history.table(id)
            case .trait(let id): table = history.table(id)
            }
            let numbers = columns.map { table.column($0.root, $0.path) }
            var builders: [Int: RunBuilder] = [:]
            for number in profiles {
                let profile = ProfileOrdinal(number)
                let rows: RowSequence
                switch key {
                case .event(let id): rows = history.rows(id, of: [profile])
                case .trait(let id): rows = history.rows(id, of: [profile])
                }
                for index in 0..<rows.count {
                    let row = rows[index]
                    let cells = zip(columns, numbers).map { column, number in
                        number.map { table.cell(column.root, column: $0, row: row) } ?? .missing
                    }
                    for cell in cells where cell.kind == .string { codes.insert(cell.code) }
                    builders[run(profile, index), default: RunBuilder(columns: columns.count)]
                        .add(number, table.timestamp(row), cells)
                }
            }
            for (_, builder) in builders.sorted(by: { $0.key < $1.key }) { add(builder.run(columns), to: key) }
        }
        rank(codes, in: history.store)
    }
}

/// Collects rows in the order of (profile, time).
private struct RunBuilder {
    private var profiles: [UInt32] = []
    private var starts: [UInt32] = []
    private var timestamps: [Int64] = []
    private var columns: [[UInt64]]

    init(columns: Int) { self.columns = Array(repeating: [], count: columns) }

    mutating func add(_ profile: UInt32, _ timestamp: Int64, _ cells: [Cell]) {
        if profiles.last != profile {
            profiles.append(profile)
            starts.append(UInt32(timestamps.count))
        }
        timestamps.append(timestamp)
        for (number, cell) in cells.enumerated() { columns[number].append(cell.rawBits) }
    }

    func run(_ names: [ScanRun.ColumnName]) -> ScanRun {
        ScanRun(
            profiles: profiles, starts: starts + [UInt32(timestamps.count)], timestamps: timestamps,
            columns: zip(names, columns).map { ($0.root, $0.path, $1) })
    }
}

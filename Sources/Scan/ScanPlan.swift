public import Evaluation
public import History
public import Model

/// What several definitions come down to over columns at one instant. Parts that are the same occur once: definitions
/// that read the same share the work.
public struct ScanPlan: Sendable {
    /// An event name or a trait key.
    public enum TableKey: Hashable, Sendable {
        case event(EventID)
        case trait(TraitID)
    }

    /// A column: a table's number and the number of the column among those that are read of it.
    struct Field: Hashable, Sendable {
        var table: Int
        var column: Int
    }

    /// A condition on the rows of a table.
    indirect enum RowCondition: Hashable, Sendable {
        /// A test of the plan.
        case field(Int)
        case and([RowCondition])
        case or([RowCondition])
        case not(RowCondition)
        /// How many rows of another stream come after, in milliseconds, ends included.
        case followed(stream: Int, from: Int64, to: Int64, CountTest)
    }

    struct FieldTest: Hashable, Sendable {
        var field: Field
        var test: CellTest
    }

    /// A condition of a table's rows that streams share.
    struct TableCondition: Hashable, Sendable {
        var table: Int
        var condition: RowCondition
    }

    /// The rows of a table that count: between two times, ends included, and by conditions that all must hold.
    struct Stream: Hashable, Sendable {
        var table: Int
        var earliest: Int64
        var latest: Int64
        /// Numbers of the plan's conditions.
        var conditions: [Int]
        /// Only the latest session counts.
        var sessionGap: Int64?
    }

    /// What becomes of the rows of a profile; numbers are those of columns.
    enum Reduction: Hashable, Sendable {
        case count
        case sum(Int)
        case average(Int)
        case minimum(Int)
        case maximum(Int)
        case first(Int)
        case last(Int)
        case mode(Int, minimumFrequency: Int)
        case uniqueCount(Int)
    }

    /// A truth about a profile.
    enum Leaf: Hashable, Sendable {
        case count(stream: Int, CountTest)
        case value(stream: Int, Reduction, CellTest)
        /// About the value of a trait as of the instant.
        case trait(Field, CellTest)
    }

    indirect enum Node: Sendable {
        case leaf(Int)
        case and([Node])
        case or([Node])
        case not(Node)
        /// Only the evaluator can tell.
        case unknown
    }

    enum Query: Sendable {
        case audience(Node)
        case reduction(stream: Int, Reduction)
        case trait(Field)
        case unknown
    }

    public let now: Instant
    public internal(set) var tables: [TableKey] = []
    /// Of each table the columns that are read.
    var columns: [[ScanRun.ColumnName]] = []
    var fieldTests: [FieldTest] = []
    var conditions: [TableCondition] = []
    /// How many streams have a condition.
    var conditionUses: [Int] = []
    var streams: [Stream] = []
    /// How many places read a stream.
    var streamUses: [Int] = []
    var leaves: [Leaf] = []
    /// How many places ask for a leaf.
    var leafUses: [Int] = []
    var queries: [Query] = []

    /// - Parameters:
    ///   - queries: Definitions about persons, each with the events it may read.
    ///   - isComputed: Whether a trait key is a computation's: the evaluator looks then.
    public init(
        _ queries: [(query: CompiledQuery, evidence: Evidence)], for history: History, at now: Instant,
        isComputed: (String) -> Bool = { _ in false }
    ) {
        self.now = now
        withoutActuallyEscaping(isComputed) { isComputed in
            var compiler = ScanCompiler(
                store: history.store, now: now.milliseconds, isComputed: isComputed,
                floor: { history.table($0).floor })
            for (query, evidence) in queries { compiler.add(query.plan(for: history), evidence) }
            tables = compiler.tables
            columns = compiler.columns
            fieldTests = compiler.fieldTests
            conditions = compiler.conditions
            conditionUses = compiler.conditionUses
            streams = compiler.streams
            streamUses = compiler.streamUses
            leaves = compiler.leaves
            leafUses = compiler.leafUses
            self.queries = compiler.queries
        }
    }

    /// Columns whose values are compared where several are equally frequent.
    var rankedFields: Set<Field> {
        var fields: Set<Field> = []
        for (stream, reduction) in reductions {
            if case .mode(let column, _) = reduction {
                fields.insert(Field(table: streams[stream].table, column: column))
            }
        }
        return fields
    }

    /// Whether a reducer counts how often each value occurs.
    var countsValues: Bool {
        reductions.contains { _, reduction in
            switch reduction {
            case .mode, .uniqueCount: true
            default: false
            }
        }
    }

    /// All that are asked for, with their streams.
    private var reductions: [(stream: Int, Reduction)] {
        leaves.compactMap { if case .value(let stream, let reduction, _) = $0 { (stream, reduction) } else { nil } }
            + queries.compactMap {
                if case .reduction(let stream, let reduction) = $0 { (stream, reduction) } else { nil }
            }
    }
}

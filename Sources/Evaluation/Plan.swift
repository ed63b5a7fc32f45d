package import History
import JSON
import Model
import Query

// What a definition becomes for one History: the same tree with names turned into tables and columns, comparators into
// predicates, filters into one window per stream.

package indirect enum ConditionPlan {
    case or([ConditionPlan])
    case and([ConditionPlan])
    case not(ConditionPlan)
    case any(ConditionPlan)
    case all(ConditionPlan)
    /// A comparison of a count with a number, which is known before everything is counted.
    case count(StreamPlan, CountTest)
    case test(ScalarPlan, Predicate)
    case relation(ScalarPlan, Relation, ScalarPlan)
}

/// What a count is compared with, in whole numbers.
package enum CountTest: Hashable, Sendable {
    case atLeast(Int)
    case exactly(Int)
    /// Compared with a fraction: no count equals it.
    case never
}

/// A comparison of two values of which neither is a literal on the right.
package enum Relation {
    case equals
    case differs
    case ordering(Ordering)

    func holds(_ left: Operand, _ right: Operand, _ store: ValueStore) -> Bool {
        switch self {
        case .equals: Operand.equal(left, right, store)
        case .differs: !left.isNull && !right.isNull && !Operand.equal(left, right, store)
        case .ordering(let ordering): ordering.accepts(Comparison.order(left.atom(store), right.atom(store)))
        }
    }
}

package indirect enum ScalarPlan {
    case literal(Atom)
    case trait(TraitPlan)
    case field(FieldPlan)
    case reduction(StreamPlan, ReducerPlan)
}

/// `trait('key.member')`.
package final class TraitPlan {
    /// Where a scope keeps the value of this trait, so that it is looked up once per evaluation.
    package let slot: Int
    package let key: String
    package let id: TraitID
    /// What follows the key.
    package let path: ColumnPath
    package let column: ColumnLookup

    init(slot: Int, key: String, id: TraitID, path: ColumnPath, column: ColumnLookup) {
        self.slot = slot
        self.key = key
        self.id = id
        self.path = path
        self.column = column
    }
}

/// `property(…)` or `context(…)` of an occurrence.
package final class FieldPlan {
    package enum Envelope {
        case timestamp
        case receivedAt
        case messageID
        case sourceID
        case type
    }

    package enum Place {
        case column(ColumnLookup)
        case envelope(Envelope)
        /// Outside of any occurrence: always null.
        case nowhere
    }

    package let table: Table?
    package let place: Place
    /// Whether it is the parent occurrence's.
    package let ofParent: Bool

    init(table: Table?, place: Place, ofParent: Bool) {
        self.table = table
        self.place = place
        self.ofParent = ofParent
    }
}

/// A column that may not exist yet.
package final class ColumnLookup {
    package let table: Table
    package let root: Table.Root
    package let path: ColumnPath
    private var column: Int?
    private var version = -1

    init(_ table: Table, _ root: Table.Root, _ path: ColumnPath) {
        self.table = table
        self.root = root
        self.path = path
    }

    func cell(_ row: Table.Row) -> Cell {
        resolve()
        guard let column else { return .missing }
        return table.cell(root, column: column, row: row)
    }

    /// The cells by row, `nil` where there is no such column; mostly those of `rows` will be asked for.
    func cells(of rows: RowSequence) -> ColumnCells? {
        resolve()
        return column.map { table.cells(root, column: $0, of: rows) }
    }

    private func resolve() {
        guard column == nil, version != table.pathVersion else { return }
        column = table.column(root, path)
        version = table.pathVersion
    }

    /// The value where `cell` found something.
    func json(_ row: Table.Row) -> JSONValue {
        column.map { table.json(root, column: $0, row: row) } ?? .null
    }
}

/// An event's occurrences with all filters: order has no meaning, so they are intersected (spec: engage §3.3).
package final class StreamPlan {
    /// Where a scope keeps the rows of this stream.
    package let slot: Int
    package let event: EventID
    package let table: Table
    /// The table of the occurrence inside of whose `where` this stands. Then only what comes strictly after it counts.
    package let parent: Table?
    /// Filters on one column against literals.
    package var fieldTests: [FieldTest] = []
    /// All other filters.
    package var conditions: [ConditionPlan] = []
    /// Sources left out.
    package var excludedSources: Set<UInt32> = []
    /// How long ago an occurrence must be at least and may be at most, in milliseconds, ends included.
    package var fromAge: Int64 = 0
    package var toAge: Int64 = never
    /// How long after the parent it must be at least and may be at most.
    package var fromParent: Int64 = 1
    package var toParent: Int64 = never
    /// The session's gap, if only the latest session counts.
    package var sessionGap: Int64?
    /// Whether `conditions` answer the same about a row at every instant.
    package var isTimeless = true

    init(slot: Int, event: EventID, table: Table, parent: Table?) {
        self.slot = slot
        self.event = event
        self.table = table
        self.parent = parent
    }
}

package enum ReducerPlan {
    case count
    case sum(FieldPlan)
    case average(FieldPlan)
    case minimum(FieldPlan, asText: Bool)
    case maximum(FieldPlan, asText: Bool)
    case first(FieldPlan)
    case last(FieldPlan)
    case mode(FieldPlan, wholeLists: Bool, minimumFrequency: Int)
    case unique(FieldPlan)
    case uniqueCount(FieldPlan)
}

/// The whole of a definition.
package struct QueryPlan {
    package enum Root {
        case audience(ConditionPlan)
        case trait(ScalarPlan)
    }

    package var root: Root
    package var streamCount: Int
    package var traitCount: Int
}

import Evaluation
import History
import Model

/// Turns plans of the evaluator into a plan for a scan, and says where only the evaluator can tell.
struct ScanCompiler {
    let store: ValueStore
    let now: Int64
    let isComputed: (String) -> Bool
    /// Before which time events of a name have expired; milliseconds.
    let floor: (EventID) -> Int64

    private(set) var tables: [ScanPlan.TableKey] = []
    private(set) var columns: [[ScanRun.ColumnName]] = []
    private(set) var fieldTests: [ScanPlan.FieldTest] = []
    private(set) var conditions: [ScanPlan.TableCondition] = []
    private(set) var conditionUses: [Int] = []
    private(set) var streams: [ScanPlan.Stream] = []
    private(set) var streamUses: [Int] = []
    private(set) var leaves: [ScanPlan.Leaf] = []
    private(set) var leafUses: [Int] = []
    private(set) var queries: [ScanPlan.Query] = []
    private var tableNumbers: [ScanPlan.TableKey: Int] = [:]
    private var fieldTestNumbers: [ScanPlan.FieldTest: Int] = [:]
    private var conditionNumbers: [ScanPlan.TableCondition: Int] = [:]
    private var streamNumbers: [ScanPlan.Stream: Int] = [:]
    private var leafNumbers: [ScanPlan.Leaf: Int] = [:]
    private var evidence = Evidence.everything

    init(
        store: ValueStore, now: Int64, isComputed: @escaping (String) -> Bool, floor: @escaping (EventID) -> Int64
    ) {
        self.store = store
        self.now = now
        self.isComputed = isComputed
        self.floor = floor
    }

    mutating func add(_ plan: QueryPlan, _ evidence: Evidence) {
        self.evidence = evidence
        queries.append(query(plan.root))
    }

    private mutating func query(_ root: QueryPlan.Root) -> ScanPlan.Query {
        switch root {
        case .audience(let condition): return .audience(node(condition))
        case .trait(.reduction(let stream, let reducer)):
            guard let stream = self.stream(stream), let reduction = reduction(reducer, of: stream) else {
                return .unknown
            }
            return .reduction(stream: stream, reduction)
        case .trait(.trait(let trait)): return field(trait).map { .trait($0) } ?? .unknown
        case .trait: return .unknown
        }
    }

    // MARK: Conditions about a profile

    private mutating func node(_ plan: ConditionPlan) -> ScanPlan.Node {
        switch plan {
        case .or(let operands): return .or(nodes(operands))
        case .and(let operands): return .and(nodes(operands))
        case .not(let operand): return .not(node(operand))
        // Of a person they ask about the person.
        case .any(let operand), .all(let operand): return node(operand)
        case .count(let stream, let test):
            return self.stream(stream).map { leaf(.count(stream: $0, test)) } ?? .unknown
        case .test(.reduction(let stream, let reducer), let predicate):
            guard let stream = self.stream(stream), let reduction = reduction(reducer, of: stream) else {
                return .unknown
            }
            return leaf(.value(stream: stream, reduction, CellTest(predicate, store, at: now)))
        case .test(.trait(let trait), let predicate):
            return field(trait).map { leaf(.trait($0, CellTest(predicate, store, at: now))) } ?? .unknown
        case .test, .relation: return .unknown
        }
    }

    private mutating func nodes(_ plans: [ConditionPlan]) -> [ScanPlan.Node] {
        var nodes: [ScanPlan.Node] = []
        for plan in plans { nodes.append(node(plan)) }
        return nodes
    }

    private mutating func leaf(_ leaf: ScanPlan.Leaf) -> ScanPlan.Node {
        let number = leafNumbers[leaf, default: leaves.count]
        if number == leaves.count {
            leaves.append(leaf)
            leafUses.append(0)
            leafNumbers[leaf] = number
        }
        leafUses[number] += 1
        return .leaf(number)
    }

    // MARK: Streams

    private mutating func stream(_ plan: StreamPlan) -> Int? {
        guard evidence.receivedFrom == nil, plan.excludedSources.isEmpty, plan.parent == nil || plan.sessionGap == nil
        else { return nil }
        let table = table(.event(plan.event))
        var conditions: [ScanPlan.RowCondition] = []
        for test in plan.fieldTests { conditions.append(self.test(table, test.lookup, test.predicate)) }
        for condition in plan.conditions {
            guard let condition = rowCondition(condition, table) else { return nil }
            conditions.append(condition)
        }
        // A window that begins after it ends holds nothing.
        let isEmpty = plan.fromAge > plan.toAge
        let oldest = max(plan.toAge == never ? .min : now - plan.toAge, floor(plan.event))
        let stream = ScanPlan.Stream(
            table: table, earliest: isEmpty ? 1 : max(oldest, evidence.timestampFrom?.milliseconds ?? .min),
            latest: isEmpty ? 0 : now - plan.fromAge,
            conditions: conditions.map { self.condition(table, $0) }, sessionGap: plan.sessionGap)
        let number = streamNumbers[stream, default: streams.count]
        if number == streams.count {
            streams.append(stream)
            streamUses.append(0)
            streamNumbers[stream] = number
            for condition in stream.conditions { conditionUses[condition] += 1 }
        }
        streamUses[number] += 1
        return number
    }

    private mutating func condition(_ table: Int, _ condition: ScanPlan.RowCondition) -> Int {
        let condition = ScanPlan.TableCondition(table: table, condition: condition)
        if let number = conditionNumbers[condition] { return number }
        conditions.append(condition)
        conditionUses.append(0)
        conditionNumbers[condition] = conditions.count - 1
        return conditions.count - 1
    }

    private mutating func rowCondition(_ plan: ConditionPlan, _ table: Int) -> ScanPlan.RowCondition? {
        switch plan {
        case .or(let operands): return rowConditions(operands, table).map { .or($0) }
        case .and(let operands): return rowConditions(operands, table).map { .and($0) }
        case .not(let operand): return rowCondition(operand, table).map { .not($0) }
        case .any(let operand), .all(let operand): return rowCondition(operand, table)
        case .count(let stream, let test):
            guard let number = self.stream(stream) else { return nil }
            return .followed(stream: number, from: stream.fromParent, to: stream.toParent, test)
        case .test(.field(let field), let predicate):
            guard !field.ofParent, case .column(let lookup) = field.place else { return nil }
            return test(table, lookup, predicate)
        case .test, .relation: return nil
        }
    }

    private mutating func test(_ table: Int, _ lookup: ColumnLookup, _ predicate: Predicate) -> ScanPlan.RowCondition {
        let test = ScanPlan.FieldTest(
            field: field(table, lookup.root, lookup.path), test: CellTest(predicate, store, at: now))
        if let number = fieldTestNumbers[test] { return .field(number) }
        fieldTests.append(test)
        fieldTestNumbers[test] = fieldTests.count - 1
        return .field(fieldTests.count - 1)
    }

    private mutating func rowConditions(_ plans: [ConditionPlan], _ table: Int) -> [ScanPlan.RowCondition]? {
        var conditions: [ScanPlan.RowCondition] = []
        for plan in plans {
            guard let condition = rowCondition(plan, table) else { return nil }
            conditions.append(condition)
        }
        return conditions
    }

    private mutating func reduction(_ plan: ReducerPlan, of stream: Int) -> ScanPlan.Reduction? {
        let table = streams[stream].table
        switch plan {
        case .count: return .count
        case .sum(let field): return column(field, table).map { .sum($0) }
        case .average(let field): return column(field, table).map { .average($0) }
        case .minimum(let field, asText: false): return column(field, table).map { .minimum($0) }
        case .maximum(let field, asText: false): return column(field, table).map { .maximum($0) }
        case .first(let field): return column(field, table).map { .first($0) }
        case .last(let field): return column(field, table).map { .last($0) }
        case .mode(let field, wholeLists: false, let minimum):
            return column(field, table).map { .mode($0, minimumFrequency: minimum) }
        case .uniqueCount(let field): return column(field, table).map { .uniqueCount($0) }
        case .minimum, .maximum, .mode, .unique: return nil
        }
    }

    private mutating func column(_ field: FieldPlan, _ table: Int) -> Int? {
        guard case .column(let lookup) = field.place else { return nil }
        return self.field(table, lookup.root, lookup.path).column
    }

    // MARK: Tables and columns

    private mutating func table(_ key: ScanPlan.TableKey) -> Int {
        if let number = tableNumbers[key] { return number }
        tables.append(key)
        columns.append([])
        tableNumbers[key] = tables.count - 1
        return tables.count - 1
    }

    private mutating func field(_ trait: TraitPlan) -> ScanPlan.Field? {
        guard !isComputed(trait.key) else { return nil }
        return field(table(.trait(trait.id)), .value, trait.path)
    }

    private mutating func field(_ table: Int, _ root: Table.Root, _ path: ColumnPath) -> ScanPlan.Field {
        let name = ScanRun.ColumnName(root: root, path: path)
        if let number = columns[table].firstIndex(of: name) { return ScanPlan.Field(table: table, column: number) }
        columns[table].append(name)
        return ScanPlan.Field(table: table, column: columns[table].count - 1)
    }
}

import History
import JSON
import Model
import Query

/// Turns a syntax tree into a plan for one History.
struct Compiler {
    let history: History
    private var streamCount = 0
    private var traitCount = 0

    init(_ history: History) {
        self.history = history
    }

    /// What `property` and `property(parent:)` mean at a place in the tree.
    private struct Frame {
        var current: Table?
        var parent: Table?
    }

    static func compile(_ definition: Definition, for history: History) -> QueryPlan {
        var compiler = Compiler(history)
        let root: QueryPlan.Root =
            switch definition {
            case .audience(let condition): .audience(compiler.condition(condition, Frame()).plan)
            case .trait(let scalar): .trait(compiler.scalar(scalar, Frame()).plan)
            }
        return QueryPlan(root: root, streamCount: compiler.streamCount, traitCount: compiler.traitCount)
    }

    /// A part of a plan, and whether it answers the same about the same occurrence at every instant.
    private typealias Condition = (plan: ConditionPlan, isTimeless: Bool)

    // MARK: Conditions

    private mutating func condition(_ tree: Query.Condition, _ frame: Frame) -> Condition {
        switch tree {
        case .or(let operands):
            let parts = conditions(operands, frame)
            return (.or(parts.map(\.plan)), parts.allSatisfy(\.isTimeless))
        case .and(let operands):
            let parts = conditions(operands, frame)
            return (.and(parts.map(\.plan)), parts.allSatisfy(\.isTimeless))
        case .not(let operand):
            let part = condition(operand, frame)
            return (.not(part.plan), part.isTimeless)
        case .any(let operand):
            return (.any(condition(operand, frame).plan), false)
        case .all(let operand):
            return (.all(condition(operand, frame).plan), false)
        case .comparison(let left, let comparator):
            return comparison(left, comparator, frame)
        }
    }

    private mutating func conditions(_ trees: [Query.Condition], _ frame: Frame) -> [Condition] {
        var parts: [Condition] = []
        for tree in trees { parts.append(condition(tree, frame)) }
        return parts
    }

    private mutating func comparison(_ left: Scalar, _ comparator: Comparator, _ frame: Frame) -> Condition {
        if case .reduction(let stream, .count) = left, let (test, isNegated) = CountTest.make(comparator) {
            let plan = ConditionPlan.count(self.stream(stream, frame), test)
            return (isNegated ? .not(plan) : plan, false)
        }
        let (scalar, isTimeless) = scalar(left, frame)
        if let test = Self.predicate(comparator) {
            let predicate = Predicate(test, history.store)
            return (.test(scalar, predicate), isTimeless && !predicate.dependsOnNow)
        }
        guard let (relation, right) = Self.relation(comparator) else {
            preconditionFailure("comparator without a plan")
        }
        let other = self.scalar(right, frame)
        return (.relation(scalar, relation, other.plan), isTimeless && other.isTimeless)
    }

    /// The comparator as a predicate; `nil` where the right side is no literal.
    static func predicate(_ comparator: Comparator) -> Predicate.Test? {
        func texts(_ literals: [Literal]) -> [[UInt8]] { literals.map { Array((Atom($0).text ?? "").utf8) } }
        func date(_ literal: Literal) -> Int64? { Atom(literal).instant }
        switch comparator {
        case .equals(.literal(let literal)): return .equals([Atom(literal)])
        case .differs(.literal(let literal)): return .equalsNone([Atom(literal)])
        case .lessThan(.literal(let literal)): return .ordering(.less, Atom(literal))
        case .lessThanOrEqual(.literal(let literal)): return .ordering(.lessOrSame, Atom(literal))
        case .greaterThan(.literal(let literal)): return .ordering(.greater, Atom(literal))
        case .greaterThanOrEqual(.literal(let literal)): return .ordering(.greaterOrSame, Atom(literal))
        case .equals, .differs, .lessThan, .lessThanOrEqual, .greaterThan, .greaterThanOrEqual: return nil
        case .oneOf(let literals): return .equals(literals.map { Atom($0) })
        case .noneOf(let literals): return .equalsNone(literals.map { Atom($0) })
        case .contains(let literals): return .contains(texts(literals))
        case .omits(let literals): return .omits(texts(literals))
        case .startsWith(let literal): return .startsWith(texts([literal])[0])
        case .endsWith(let literal): return .endsWith(texts([literal])[0])
        case .exists: return .exists
        case .absent: return .absent
        case .beforeDate(let literal): return .beforeDate(date(literal))
        case .afterDate(let literal): return .afterDate(date(literal))
        case .withinLast(let duration): return .withinLast(duration.boundedMilliseconds)
        case .withinNext(let duration): return .withinNext(duration.boundedMilliseconds)
        case .beforeLast(let duration): return .beforeLast(duration.boundedMilliseconds)
        case .afterNext(let duration): return .afterNext(duration.boundedMilliseconds)
        }
    }

    /// The comparator with a right side that may be any value.
    static func relation(_ comparator: Comparator) -> (Relation, Scalar)? {
        switch comparator {
        case .equals(let right): (.equals, right)
        case .differs(let right): (.differs, right)
        case .lessThan(let right): (.ordering(.less), right)
        case .lessThanOrEqual(let right): (.ordering(.lessOrSame), right)
        case .greaterThan(let right): (.ordering(.greater), right)
        case .greaterThanOrEqual(let right): (.ordering(.greaterOrSame), right)
        default: nil
        }
    }

    // MARK: Scalars

    private mutating func scalar(_ tree: Scalar, _ frame: Frame) -> (plan: ScalarPlan, isTimeless: Bool) {
        switch tree {
        case .literal(let literal): return (.literal(Atom(literal)), true)
        case .trait(let path): return (trait(path), false)
        case .property(let path): return (.field(property(path, frame.current, ofParent: false)), true)
        case .parentProperty(let path): return (.field(property(path, frame.parent, ofParent: true)), true)
        case .context(let path): return (.field(context(path, frame.current)), true)
        case .reduction(let stream, let reducer):
            let plan = self.stream(stream, frame)
            return (.reduction(plan, self.reducer(reducer, plan.table)), false)
        }
    }

    private mutating func trait(_ path: PropertyPath) -> ScalarPlan {
        guard case .key(let key)? = path.components.first else { return .literal(.null) }
        let id = history.traitID(key)
        let rest = ColumnPath(Array(path.columnPath.components.dropFirst()))
        defer { traitCount += 1 }
        return .trait(
            TraitPlan(
                slot: traitCount, key: key, id: id, path: rest, column: ColumnLookup(history.table(id), .value, rest)))
    }

    private func property(_ path: PropertyPath, _ table: Table?, ofParent: Bool) -> FieldPlan {
        guard let table else { return FieldPlan(table: nil, place: .nowhere, ofParent: ofParent) }
        return FieldPlan(
            table: table, place: .column(ColumnLookup(table, .value, path.columnPath)), ofParent: ofParent)
    }

    private func context(_ path: PropertyPath, _ table: Table?) -> FieldPlan {
        guard let table else { return FieldPlan(table: nil, place: .nowhere, ofParent: false) }
        let envelope: FieldPlan.Envelope? =
            switch path.components {
            case [.key("timestamp")]: .timestamp
            case [.key("receivedAt")]: .receivedAt
            case [.key("messageId")]: .messageID
            case [.key("sourceId")]: .sourceID
            case [.key("type")]: .type
            default: nil
            }
        let place =
            envelope.map { FieldPlan.Place.envelope($0) } ?? .column(ColumnLookup(table, .context, path.columnPath))
        return FieldPlan(table: table, place: place, ofParent: false)
    }

    private func field(_ field: Field, _ table: Table) -> FieldPlan {
        switch field {
        case .property(let path): property(path, table, ofParent: false)
        case .context(let path): context(path, table)
        }
    }

    // MARK: Streams

    private mutating func stream(_ tree: EventStream, _ frame: Frame) -> StreamPlan {
        let event = history.eventID(tree.event)
        let plan = StreamPlan(slot: streamCount, event: event, table: history.table(event), parent: frame.current)
        streamCount += 1
        let inner = Frame(current: plan.table, parent: frame.current)
        for filter in tree.filters {
            switch filter {
            case .where(let tree):
                var parts = [tree]
                if case .and(let operands) = tree { parts = operands }
                for part in parts { add(condition(part, inner), to: plan) }
            case .excludingSources(let ids):
                for id in ids { plan.excludedSources.insert(history.store.intern(id)) }
            case .within(let span): plan.toAge = min(plan.toAge, span.boundedMilliseconds)
            case .between(let from, let to):
                plan.fromAge = max(plan.fromAge, from.boundedMilliseconds)
                plan.toAge = min(plan.toAge, to.boundedMilliseconds)
            case .withinParent(let span): plan.toParent = min(plan.toParent, span.boundedMilliseconds)
            case .betweenParent(let from, let to):
                plan.fromParent = max(plan.fromParent, from.boundedMilliseconds)
                plan.toParent = min(plan.toParent, to.boundedMilliseconds)
            case .expiresAfter(let gap):
                plan.sessionGap = min(plan.sessionGap ?? never, gap.boundedMilliseconds)
            }
        }
        return plan
    }

    private func add(_ condition: Condition, to plan: StreamPlan) {
        if case .test(.field(let field), let predicate) = condition.plan, !predicate.dependsOnNow, !field.ofParent,
            case .column(let lookup) = field.place
        {
            plan.fieldTests.append(FieldTest(lookup, predicate, history.store))
        } else {
            plan.conditions.append(condition.plan)
            plan.isTimeless = plan.isTimeless && condition.isTimeless
        }
    }

    private func reducer(_ tree: Reducer, _ table: Table) -> ReducerPlan {
        switch tree {
        case .count: .count
        case .sum(let field): .sum(self.field(field, table))
        case .average(let field): .average(self.field(field, table))
        case .minimum(let field, let type): .minimum(self.field(field, table), asText: type?.isText ?? false)
        case .maximum(let field, let type): .maximum(self.field(field, table), asText: type?.isText ?? false)
        case .first(let field): .first(self.field(field, table))
        case .last(let field): .last(self.field(field, table))
        case .mode(let field, let type, let minimumFrequency):
            .mode(self.field(field, table), wholeLists: type == .array, minimumFrequency: minimumFrequency)
        case .unique(let field): .unique(self.field(field, table))
        case .uniqueCount(let field): .uniqueCount(self.field(field, table))
        }
    }
}

extension CountTest {
    /// The test that a comparator with a number makes of a count, and whether it is to be negated; `nil` where the right
    /// side is no number.
    static func make(_ comparator: Comparator) -> (CountTest, isNegated: Bool)? {
        func number(_ scalar: Scalar) -> Double? {
            guard case .literal(let literal) = scalar, let number = Atom(literal).number, abs(number) < 1e15 else {
                return nil
            }
            return number
        }
        func exactly(_ number: Double) -> CountTest { Int(exactly: number).map { .exactly($0) } ?? .never }
        switch comparator {
        case .greaterThanOrEqual(let right): return number(right).map { (.atLeast(Int($0.rounded(.up))), false) }
        case .greaterThan(let right): return number(right).map { (.atLeast(Int($0.rounded(.down)) + 1), false) }
        case .lessThan(let right): return number(right).map { (.atLeast(Int($0.rounded(.up))), true) }
        case .lessThanOrEqual(let right): return number(right).map { (.atLeast(Int($0.rounded(.down)) + 1), true) }
        case .equals(let right): return number(right).map { (exactly($0), false) }
        case .differs(let right): return number(right).map { (exactly($0), true) }
        default: return nil
        }
    }
}

extension ValueType {
    var isText: Bool { self != .number }
}

extension PropertyPath {
    var columnPath: ColumnPath {
        ColumnPath(
            components.map {
                switch $0 {
                case .key(let key): .key(key)
                case .elements: .elements
                }
            })
    }
}

extension Query.Duration {
    /// Bounded to some 36,000 years, so that adding it to an instant can't overflow.
    var boundedMilliseconds: Int64 {
        let unit: Int64 =
            switch self.unit {
            case .second: 1000
            case .minute: 60_000
            case .hour: 3_600_000
            case .day: 86_400_000
            case .week: 604_800_000
            }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow ? 1 << 50 : min(max(product, 0), 1 << 50)
    }
}

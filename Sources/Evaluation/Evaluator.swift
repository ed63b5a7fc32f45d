import History
import JSON
import Model

/// Where an expression stands: the occurrence whose `where` it is in, and that one's parent.
struct Frame {
    var row: Table.Row
    var parentRow: Table.Row

    static let none = Frame(row: -1, parentRow: -1)

    func inside(_ row: Table.Row) -> Frame { Frame(row: row, parentRow: self.row) }
}

/// A truth and the first later instant at which it could differ.
typealias Outcome = (holds: Bool, changesAt: Int64)

/// One evaluation at one instant.
struct Evaluator {
    let history: History
    let store: ValueStore
    let now: Int64
    let receivedFrom: Int64
    /// `never` where everything counts that was received.
    let receivedUpTo: Int64
    let timestampFrom: Int64
    var isTruncated = false

    init(_ history: History, _ evidence: Evidence, now: Instant) {
        self.history = history
        store = history.store
        self.now = now.milliseconds
        receivedFrom = evidence.receivedFrom?.milliseconds ?? .min
        receivedUpTo = evidence.receivedUpTo?.milliseconds ?? never
        timestampFrom = evidence.timestampFrom?.milliseconds ?? .min
    }

    // MARK: Conditions

    mutating func condition(_ plan: ConditionPlan, _ frame: Frame, _ scope: Scope) -> Outcome {
        switch plan {
        case .or(let operands): return decide(operands, by: true, frame, scope)
        case .and(let operands): return decide(operands, by: false, frame, scope)
        case .not(let operand):
            let outcome = condition(operand, frame, scope)
            return (!outcome.holds, outcome.changesAt)
        case .any(let operand): return decide(operand, by: true, frame, scope.users)
        case .all(let operand): return decide(operand, by: false, frame, scope.users)
        case .count(let stream, let test): return count(stream, test, frame, scope)
        case .test(let scalar, let predicate): return test(scalar, predicate, frame, scope)
        case .relation(let left, let relation, let right): return relate(left, relation, right, frame, scope)
        }
    }

    /// `OR` is decided by one that is true, `AND` by one that is false. While the decisive one stays, so does the whole:
    /// it changes with the last of the decisive ones, or, if none decides, with the first of all.
    private mutating func decide(
        _ operands: [ConditionPlan], by decisive: Bool, _ frame: Frame, _ scope: Scope
    ) -> Outcome {
        var decision = Decision(decisive)
        for operand in operands where !decision.isFinal { decision.add(condition(operand, frame, scope)) }
        return decision.outcome
    }

    private mutating func decide(
        _ operand: ConditionPlan, by decisive: Bool, _ frame: Frame, _ users: [Scope]
    ) -> Outcome {
        var decision = Decision(decisive)
        for user in users where !decision.isFinal { decision.add(condition(operand, frame, user)) }
        return decision.outcome
    }

    struct Decision {
        private let decisive: Bool
        private var firstChange = never
        private var lastDecisiveChange: Int64?

        init(_ decisive: Bool) { self.decisive = decisive }

        /// Decided for good: nothing else can matter.
        var isFinal: Bool { lastDecisiveChange == never }

        mutating func add(_ outcome: Outcome) {
            if outcome.holds == decisive {
                lastDecisiveChange = max(lastDecisiveChange ?? .min, outcome.changesAt)
            } else {
                firstChange = min(firstChange, outcome.changesAt)
            }
        }

        var outcome: Outcome {
            if let lastDecisiveChange { (decisive, lastDecisiveChange) } else { (!decisive, firstChange) }
        }
    }

    // MARK: Comparisons

    private mutating func test(
        _ plan: ScalarPlan, _ predicate: Predicate, _ frame: Frame, _ scope: Scope
    ) -> Outcome {
        let (values, valueChange) = scalar(plan, frame, scope)
        var changesAt = valueChange
        if predicate.dependsOnNow {
            values.forEach(store) { changesAt = min(changesAt, predicate.changesAt($0, after: now)) }
        }
        return (values.contains(store) { predicate.accepts($0, at: now) }, changesAt)
    }

    private mutating func relate(
        _ leftPlan: ScalarPlan, _ relation: Relation, _ rightPlan: ScalarPlan, _ frame: Frame, _ scope: Scope
    ) -> Outcome {
        let (left, leftChange) = scalar(leftPlan, frame, scope)
        let (right, rightChange) = scalar(rightPlan, frame, scope)
        let store = store
        let holds = left.contains(store) { left in
            right.contains(store) { right in relation.holds(left, right, store) }
        }
        return (holds, min(leftChange, rightChange))
    }

    // MARK: Scalars

    mutating func scalar(
        _ plan: ScalarPlan, _ frame: Frame, _ scope: Scope
    ) -> (values: Operands, changesAt: Int64) {
        switch plan {
        case .literal(let atom): return (.one(.literal(atom)), never)
        case .trait(let trait): return self.trait(trait, scope)
        case .field(let field): return (self.field(field, field.ofParent ? frame.parentRow : frame.row), never)
        case .reduction(let stream, let reducer):
            let (value, changesAt) = reduce(stream, reducer, frame, scope)
            return (.one(value), changesAt)
        }
    }

    /// The value of an occurrence's field.
    func field(_ plan: FieldPlan, _ row: Table.Row) -> Operands {
        guard row >= 0, let table = plan.table else { return .one(.null) }
        switch plan.place {
        case .nowhere: return .one(.null)
        case .column(let lookup):
            let cell = lookup.cell(row)
            if cell.kind == .list { return .list(cell) }
            return .one(cell.isInColumns ? .json(lookup.json(row)) : .cell(cell))
        case .envelope(let part):
            switch part {
            case .timestamp: return .one(.instant(table.timestamp(row)))
            case .receivedAt: return .one(.instant(table.receivedAt(row)))
            case .messageID: return .one(.json(.string(table.messageID(row))))
            case .sourceID: return .one(.json(.string(store.text(table.source(row)))))
            case .type: return .one(.json(.string(orNull: table.kind(row)?.name)))
            }
        }
    }

    /// A trait as of now, also in the `where` of an older occurrence. Values of computations stand before traits that were
    /// sent (spec: engage §2.6).
    private func trait(_ plan: TraitPlan, _ scope: Scope) -> (values: Operands, changesAt: Int64) {
        if let known = scope.traits[plan.slot] { return known }
        let found: (values: Operands, changesAt: Int64)
        switch scope.profile.computed(plan.key, Instant(milliseconds: now)) {
        case .value(let value): found = (Operands(value, at: plan.path.components[...]), never)
        case .workedOut(let value, let until):
            found = (Operands(value, at: plan.path.components[...]), until?.milliseconds ?? never)
        case .absent: found = (.one(.null), never)
        case .notComputed:
            let rows = history.rows(plan.id, of: scope.profile.ordinals)
            var end = rows.firstIndex(from: now + 1)
            var next = end
            if receivedUpTo != never {
                while end > 0, rows.table.receivedAt(rows[end - 1]) > receivedUpTo { end -= 1 }
                while next < rows.count, rows.table.receivedAt(rows[next]) > receivedUpTo { next += 1 }
            }
            let changesAt = next < rows.count ? rows.timestamp(next) : never
            let cell = end > 0 ? plan.column.cell(rows[end - 1]) : .missing
            found = (cell.kind == .list ? .list(cell) : .one(.cell(cell)), changesAt)
        }
        scope.traits[plan.slot] = found
        return found
    }

    /// A scalar as the value of a computed trait: `$` makes a list of what is not null, if anything is.
    func json(_ values: Operands) -> JSONValue {
        if case .one(let operand) = values { return operand.json(store) }
        var elements: [JSONValue] = []
        values.forEach(store) { if !$0.isNull { elements.append($0.json(store)) } }
        return elements.isEmpty ? .null : .array(elements)
    }
}

import History
import Model
import Query

/// The events that stand behind an answer: those that count, and of those looked for inside of `where` what each of them
/// needs to count, or not to. With nothing but these the evaluator comes to the same answer.
struct Citations {
    struct Event: Hashable {
        let event: EventID
        let row: Table.Row
    }

    /// Where a part of a query is asked.
    struct Root {
        let scalar: ScalarPlan
        let scope: Scope
    }

    private let limit: Int
    private var evaluator: Evaluator
    private var cited: Set<Event> = []
    /// What was looked for inside of `where`, in the order in which it was found.
    private(set) var inner: [(stream: StreamPlan, row: Table.Row, leavesAt: Int64)] = []
    /// Whether there are more than `limit`.
    private(set) var areCut = false

    /// Of inner events at most `limit` are collected.
    init(limit: Int, evaluator: Evaluator) {
        self.limit = limit
        self.evaluator = evaluator
    }

    /// Notes an event that counts by itself.
    mutating func add(_ stream: StreamPlan, _ row: Table.Row) {
        cited.insert(Event(event: stream.event, row: row))
    }

    /// Adds what the noted events need inside of `where`, and what that needs in turn.
    ///
    /// An event that one part cites can be seen by another, which must find there what it found before: hence all roots
    /// together, and again until nothing is new.
    mutating func complete(_ roots: [Root]) {
        var known = -1
        while known < cited.count, !areCut {
            known = cited.count
            for root in roots { visit(root.scalar, .none, root.scope) }
        }
    }

    private mutating func visit(_ scalar: ScalarPlan, _ frame: Frame, _ scope: Scope) {
        if case .reduction(let stream, _) = scalar { visit(stream, frame, scope) }
    }

    private mutating func visit(_ condition: ConditionPlan, _ frame: Frame, _ scope: Scope) {
        switch condition {
        case .or(let operands), .and(let operands): for operand in operands { visit(operand, frame, scope) }
        case .not(let operand): visit(operand, frame, scope)
        case .any(let operand), .all(let operand): for user in scope.users { visit(operand, frame, user) }
        case .count(let stream, _): visit(stream, frame, scope)
        case .test(let scalar, _): visit(scalar, frame, scope)
        case .relation(let left, _, let right):
            visit(left, frame, scope)
            visit(right, frame, scope)
        }
    }

    private mutating func visit(_ stream: StreamPlan, _ frame: Frame, _ scope: Scope) {
        let window = evaluator.window(stream, frame, scope)
        if frame.row >= 0 {
            for index in evaluator.matches(stream, window, frame, scope).indices {
                let row = window.rows[index]
                guard !cited.contains(Event(event: stream.event, row: row)) else { continue }
                guard inner.count < limit else {
                    areCut = true
                    return
                }
                add(stream, row)
                inner.append((stream, row, window.leavesAt(index)))
            }
        }
        if stream.conditions.isEmpty { return }
        for index in window.inside {
            let row = window.rows[index]
            guard cited.contains(Event(event: stream.event, row: row)) else { continue }
            for condition in stream.conditions where !areCut { visit(condition, frame.inside(row), scope) }
        }
    }
}

import Model

/// One walk over a definition's tree, shared by all that looks at trees: checker, linter, dependencies, classification.
/// Nodes come before their parts, left before right; so their indices fit the places that the parser notes.
struct TreeWalk {
    enum Node {
        case condition(Condition)
        case scalar(Scalar)
        case filter(StreamFilter, of: EventStream)
        case reducer(Reducer, of: EventStream)
        case comparator(Comparator, of: Scalar)
    }

    /// Where in the tree a node stands.
    struct Scope {
        /// The streams in whose `where` it stands, innermost last. With two or more there is a parent occurrence.
        var streams: [EventStream] = []
        /// Whether `ANY` or `ALL` surrounds it.
        var isQuantified = false
        /// Whether it is part of the trait's own value rather than of a condition.
        var isRoot = false

        /// The event whose property `property(…)` reads.
        var event: String? { streams.last?.event }
        /// The event whose property `property(parent: …)` reads.
        var parentEvent: String? { streams.count >= 2 ? streams[streams.count - 2].event : nil }
    }

    private let visit: (_ index: Int, Node, Scope) -> Void
    private var count = 0

    static func walk(_ definition: Definition, _ visit: (_ index: Int, Node, Scope) -> Void) {
        withoutActuallyEscaping(visit) { visit in
            var walk = TreeWalk(visit: visit)
            switch definition {
            case .audience(let condition): walk.walk(condition, Scope())
            case .trait(let scalar): walk.walk(scalar, Scope(isRoot: true))
            }
        }
    }

    /// Walks over a condition as it would stand in a stream's `where`.
    static func walk(
        _ condition: Condition, inside stream: EventStream, _ visit: (_ index: Int, Node, Scope) -> Void
    ) {
        withoutActuallyEscaping(visit) { visit in
            var walk = TreeWalk(visit: visit)
            walk.walk(condition, Scope(streams: [stream]))
        }
    }

    private mutating func meet(_ node: Node, _ scope: Scope) {
        visit(count, node, scope)
        count += 1
    }

    private mutating func walk(_ condition: Condition, _ scope: Scope) {
        meet(.condition(condition), scope)
        switch condition {
        case .or(let operands), .and(let operands):
            for operand in operands { walk(operand, scope) }
        case .not(let operand): walk(operand, scope)
        case .any(let operand), .all(let operand):
            var inner = scope
            inner.isQuantified = true
            walk(operand, inner)
        case .comparison(let left, let comparator):
            walk(left, scope)
            meet(.comparator(comparator, of: left), scope)
            if let right = comparator.scalar { walk(right, scope) }
        }
    }

    private mutating func walk(_ scalar: Scalar, _ scope: Scope) {
        meet(.scalar(scalar), scope)
        guard case .reduction(let stream, let reducer) = scalar else { return }
        var inner = scope
        inner.isRoot = false
        inner.streams.append(stream)
        for filter in stream.filters {
            meet(.filter(filter, of: stream), scope)
            if case .where(let condition) = filter { walk(condition, inner) }
        }
        meet(.reducer(reducer, of: stream), scope)
    }
}

extension Comparator {
    /// The right side where it may be any value.
    var scalar: Scalar? {
        switch self {
        case .equals(let scalar), .differs(let scalar), .lessThan(let scalar), .lessThanOrEqual(let scalar),
            .greaterThan(let scalar), .greaterThanOrEqual(let scalar):
            scalar
        default: nil
        }
    }

    /// The constants on the right side.
    var literals: [Literal] {
        switch self {
        case .oneOf(let values), .noneOf(let values), .contains(let values), .omits(let values): values
        case .startsWith(let value), .endsWith(let value), .beforeDate(let value), .afterDate(let value): [value]
        default: if case .literal(let value)? = scalar { [value] } else { [] }
        }
    }

    /// The length of time that a date comparison names.
    var duration: Duration? {
        switch self {
        case .withinLast(let span), .withinNext(let span), .beforeLast(let span), .afterNext(let span): span
        default: nil
        }
    }

    /// How the comparison is written.
    var name: String {
        switch self {
        case .equals: "="
        case .differs: "!="
        case .lessThan: "<"
        case .lessThanOrEqual: "<="
        case .greaterThan: ">"
        case .greaterThanOrEqual: ">="
        case .oneOf: "one_of"
        case .noneOf: "none_of"
        case .contains: "contains"
        case .omits: "omits"
        case .startsWith: "starts_with"
        case .endsWith: "ends_with"
        case .exists: "exists"
        case .absent: "absent"
        case .beforeDate: "before_date"
        case .afterDate: "after_date"
        case .withinLast: "within_last"
        case .withinNext: "within_next"
        case .beforeLast: "before_last"
        case .afterNext: "after_next"
        }
    }

    var isOrdering: Bool {
        switch self {
        case .lessThan, .lessThanOrEqual, .greaterThan, .greaterThanOrEqual: true
        default: false
        }
    }

    var isAboutText: Bool {
        switch self {
        case .contains, .omits, .startsWith, .endsWith: true
        default: false
        }
    }

    var isAboutDates: Bool {
        switch self {
        case .beforeDate, .afterDate, .withinLast, .withinNext, .beforeLast, .afterNext: true
        default: false
        }
    }
}

extension Reducer {
    /// What is read of each occurrence; nothing for `count()`.
    var field: Field? {
        switch self {
        case .count: nil
        case .sum(let field), .average(let field), .first(let field), .last(let field), .unique(let field),
            .uniqueCount(let field), .minimum(let field, _), .maximum(let field, _), .mode(let field, _, _):
            field
        }
    }

    /// Whether the value is a number, or missing, whatever the events hold.
    var isNumeric: Bool {
        switch self {
        case .count, .uniqueCount, .sum, .average: true
        case .minimum(_, let type), .maximum(_, let type): type != .string
        case .first, .last, .mode, .unique: false
        }
    }

    /// The function's name.
    var name: String {
        switch self {
        case .count: "count"
        case .sum: "sum"
        case .average: "avg"
        case .minimum: "min"
        case .maximum: "max"
        case .first: "first"
        case .last: "last"
        case .mode: "mode"
        case .unique, .uniqueCount: "unique"
        }
    }
}

extension StreamFilter {
    /// How long ago occurrences must be, both ends included; `nil` for filters that say nothing about that.
    var age: (from: Instant.Span, to: Instant.Span)? {
        switch self {
        case .within(let span): (Instant.Span(milliseconds: 0), span.span)
        case .between(let from, let to): (from.span, to.span)
        default: nil
        }
    }

    var durations: [Duration] {
        switch self {
        case .within(let span), .withinParent(let span), .expiresAfter(let span): [span]
        case .between(let from, let to), .betweenParent(let from, let to): [from, to]
        case .where, .excludingSources: []
        }
    }

    var isRelativeToParent: Bool {
        switch self {
        case .withinParent, .betweenParent: true
        default: false
        }
    }
}

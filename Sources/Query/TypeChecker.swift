public import Model

// Which trees mean something (spec: engage §3.2–3.5, §1.5, §2.10). The shape of the tree rules out most wrong chains;
// what is left to check is where things stand and what they are compared with.

extension ParsedQuery {
    /// What is wrong with the definition at this level, ordered by place; nothing means that it can be evaluated.
    public func check(level: Computation.Level = .users) -> [QueryError] {
        var checker = TypeChecker(query: self, level: level)
        TreeWalk.walk(definition) { checker.check($1, at: $0, $2) }
        checker.checkRoot()
        return checker.diagnostics.errors
    }

    /// What is wrong with the definition as a condition over one event by itself (`Condition.ofOneEvent`).
    func checkOfOneEvent() -> [QueryError] {
        guard case .audience(let condition) = definition else { preconditionFailure("a value is no condition") }
        var checker = TypeChecker(query: self, level: .users)
        TreeWalk.walk(condition, inside: EventStream(event: "Event")) {
            checker.checkStandsAlone($1, at: $0)
            checker.check($1, at: $0, $2)
        }
        return checker.diagnostics.errors
    }

    /// The place of a node of `TreeWalk`.
    func place(_ index: Int) -> Range<Int> { spans.indices.contains(index) ? spans[index] : 0..<0 }

    func error(atNode index: Int, _ message: String, suggestion: String? = nil) -> QueryError {
        source.error(at: place(index), message, suggestion: suggestion)
    }
}

extension Definition {
    /// What is wrong with the definition at this level; places refer to its canonical print.
    public func check(level: Computation.Level = .users) -> [QueryError] {
        ParsedQuery(printing: self).check(level: level)
    }
}

private struct TypeChecker {
    let query: ParsedQuery
    let level: Computation.Level
    var diagnostics = Diagnostics()
    private var primaryExpressions = 0

    init(query: ParsedQuery, level: Computation.Level) {
        self.query = query
        self.level = level
        if case .trait = query.definition { primaryExpressions = 1 }
    }

    private mutating func report(_ index: Int, _ message: String, _ suggestion: String? = nil) {
        diagnostics.add(query.source, query.place(index), message, suggestion)
    }

    mutating func checkRoot() {
        guard case .trait(let scalar) = query.definition else { return }
        switch scalar {
        case .reduction: break
        case .literal: report(0, "a computed trait is computed from events, not a constant", "write event('…').count()")
        case .trait: report(0, "a computed trait can't be a function of other traits", "write event('…').count()")
        case .property, .parentProperty, .context: break  // Already refused: there is no occurrence to read them from.
        }
    }

    /// Nothing is known of the person here, nor of other events.
    mutating func checkStandsAlone(_ node: TreeWalk.Node, at index: Int) {
        let advice = "write property('…') or context('…')"
        switch node {
        case .scalar(.trait):
            report(index, "only the event itself is looked at here: trait(…) is of the profile", advice)
        case .scalar(.reduction):
            report(index, "only the event itself is looked at here: event(…) tells of others", advice)
        default: break
        }
    }

    mutating func check(_ node: TreeWalk.Node, at index: Int, _ scope: TreeWalk.Scope) {
        switch node {
        case .condition(let condition): check(condition, index, scope)
        case .scalar(let scalar): check(scalar, index, scope)
        case .filter(let filter, let stream): check(filter, of: stream, index, scope)
        case .reducer(let reducer, _): check(reducer, index)
        case .comparator(let comparator, let left): check(comparator, of: left, index)
        }
    }

    private mutating func check(_ condition: Condition, _ index: Int, _ scope: TreeWalk.Scope) {
        switch condition {
        case .or(let operands), .and(let operands):
            if operands.isEmpty { report(index, "AND and OR need operands") }
        case .not: break
        case .any, .all:
            let name = if case .any = condition { "ANY" } else { "ALL" }
            if !scope.streams.isEmpty {
                report(index, "\(name) ranges over an account's users and can't stand inside where(…)")
            } else if scope.isQuantified {
                report(index, "\(name) can't stand inside another ANY or ALL")
            } else if level == .users {
                report(
                    index, "\(name) is for account audiences: a user audience looks at one user at a time",
                    "remove \(name), or create the audience at account level")
            }
        case .comparison:
            primaryExpressions += 1
            if primaryExpressions == query.limits.primaryExpressions + 1 {
                report(
                    index, "a definition has at most \(query.limits.primaryExpressions) conditions",
                    "split it into several audiences and combine these with trait('key') = 'true'")
            }
        }
    }

    private mutating func check(_ scalar: Scalar, _ index: Int, _ scope: TreeWalk.Scope) {
        switch scalar {
        case .literal(.number(let number)):
            if !number.isFinite { report(index, "a number must be finite") }
        case .literal: break
        case .trait(let path): check(path, index, "trait")
        case .property(let path):
            if scope.streams.isEmpty {
                report(
                    index, "property(…) has meaning only inside where(…) or as a reducer's argument",
                    "write event('…').where(\(scalar.text) …).count(), or trait(…) for a trait of the profile")
            }
            check(path, index, "property")
        case .parentProperty(let path):
            if scope.streams.count < 2 {
                report(
                    index, "property(parent: …) has meaning only in an event inside another event's where(…)",
                    scope.streams.isEmpty ? nil : "write \(Scalar.property(path).text)")
            }
            check(path, index, "property")
        case .context(let path):
            if scope.streams.isEmpty {
                report(index, "context(…) has meaning only inside where(…) or as a reducer's argument")
            }
            check(path, index, "context path")
        case .reduction(let stream, _): check(stream, index, scope)
        }
    }

    private mutating func check(_ path: PropertyPath, _ index: Int, _ what: String) {
        if path.components.isEmpty || path.components.contains(.key("")) {
            report(index, "a part of this \(what)'s name is empty", "a dot that belongs to a name is written \\\\.")
        } else if path.components.first == .elements {
            report(index, "'$' stands for the elements of a list: expected a name before it")
        }
    }

    private mutating func check(_ stream: EventStream, _ index: Int, _ scope: TreeWalk.Scope) {
        if stream.event.isEmpty { report(index, "the event's name is empty") }
        let sessions = stream.filters.count { if case .expiresAfter = $0 { true } else { false } }
        if sessions > 1 { report(index, "a stream has at most one expires_after(…)") }
    }

    private mutating func check(
        _ filter: StreamFilter, of stream: EventStream, _ index: Int, _ scope: TreeWalk.Scope
    ) {
        if filter.isRelativeToParent, scope.streams.isEmpty {
            report(
                index, "a window with 'parent:' has meaning only for an event inside another event's where(…)",
                "remove 'parent:'")
        }
        for duration in filter.durations where duration.count < 0 || duration.span > Duration.maximum {
            report(index, "a length of time must lie between 0 and 36500 days, found \(duration)")
        }
        switch filter {
        case .where: break
        case .excludingSources(let sources):
            if sources.isEmpty { report(index, "expected at least one source", "remove .sources(…)") }
        case .within(let span), .withinParent(let span):
            if span.count == 0 { report(index, "a window of \(span) is empty", "write for example within(30 days)") }
        case .between(let from, let to), .betweenParent(let from, let to):
            if from.span > to.span {
                report(
                    index, "between(…) expects the shorter length of time first, found \(from) and \(to)",
                    "write between(\(to), \(from))")
            }
        case .expiresAfter(let gap):
            if !scope.isRoot {
                report(
                    index, "expires_after(…) is for the value of a computed trait",
                    "write within(\(gap)) for a window that ends now")
            } else if gap.span < .minutes(30) || gap.span > .days(90) {
                report(index, "a session's gap lies between 30 minutes and 90 days, found \(gap)")
            }
        }
    }

    private mutating func check(_ reducer: Reducer, _ index: Int) {
        switch reducer.field {
        case .property(let path): check(path, index, "property")
        case .context(let path): check(path, index, "context path")
        case nil: break
        }
        switch reducer {
        case .minimum(_, .array), .maximum(_, .array):
            report(index, "\(reducer.name) compares as number or as string, not as array")
        case .mode(_, _, let frequency) where frequency < 1:
            report(index, "the least frequency is at least 1, found \(frequency)")
        default: break
        }
    }

    // MARK: Comparisons

    private mutating func check(_ comparator: Comparator, of left: Scalar, _ index: Int) {
        for side in [left, comparator.scalar] {
            if case .reduction(_, .unique)? = side {
                report(index, "a list can't be compared", "write .unique(…).count()")
                return
            }
        }
        checkConstants(comparator, index)
        if let duration = comparator.duration, duration.count < 0 || duration.span > Duration.maximum {
            report(index, "a length of time must lie between 0 and 36500 days, found \(duration)")
        }
        if comparator.isOrdering { checkOrder(left, comparator, index) }
        if case .reduction(_, let reducer) = left, reducer.isNumeric {
            if comparator.isAboutText {
                report(index, "\(reducer.name)(…) is a number, and \(comparator.name)(…) is for text", "use = < > …")
            } else if comparator.isAboutDates {
                report(index, "\(reducer.name)(…) is a number, and \(comparator.name)(…) is for dates", "use = < > …")
            }
        }
    }

    private mutating func checkConstants(_ comparator: Comparator, _ index: Int) {
        switch comparator {
        case .oneOf(let values), .noneOf(let values), .contains(let values), .omits(let values):
            if values.isEmpty { report(index, "\(comparator.name)(…) expects at least one value") }
        case .beforeDate(let value), .afterDate(let value):
            if !value.isDate {
                report(
                    index, "\(comparator.name)(…) expects a date, found \(shortened(value.text))",
                    "write \(comparator.name)(2025-03-01) or \(comparator.name)(2025-03-01T09:30:00Z)")
            }
        default: break
        }
        for case .number(let number) in comparator.literals where !number.isFinite {
            report(index, "a number must be finite")
        }
        if comparator.isAboutText,
            comparator.literals.contains(where: { if case .boolean = $0 { true } else { false } })
        {
            report(index, "\(comparator.name)(…) expects text", "put the value in quotes")
        }
    }

    private mutating func checkOrder(_ left: Scalar, _ comparator: Comparator, _ index: Int) {
        guard let right = comparator.scalar else { return }
        for side in [left, right] {
            if case .literal(.boolean) = side {
                report(index, "true and false have no order", "use = or !=")
                return
            }
        }
        for (side, other) in [(left, right), (right, left)] {
            guard case .reduction(_, let reducer) = side, reducer.isNumeric, case .literal(let value) = other,
                value.number == nil
            else { continue }
            report(index, "\(reducer.name)(…) is a number and can't be compared in order with \(shortened(value.text))")
            return
        }
    }
}

extension Literal {
    /// The number that this is, written as a number or as text.
    var number: Double? {
        switch self {
        case .number(let number): number
        case .string(let text): DecimalText.double(text)
        case .instant, .boolean: nil
        }
    }

    /// Whether this is a date or reads as one.
    var isDate: Bool {
        switch self {
        case .instant: true
        case .string(let text): Instant(iso8601: text) != nil
        case .number, .boolean: false
        }
    }
}

/// Which texts count as numbers: decimal, with an optional exponent; no `inf`, `nan` or hexadecimal.
private enum DecimalText {
    static func double(_ text: String) -> Double? {
        let isDecimal = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E")
        }
        guard isDecimal, let number = Double(text), number.isFinite else { return nil }
        return number
    }
}

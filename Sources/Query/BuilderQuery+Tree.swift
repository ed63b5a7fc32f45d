// Builder ⇄ tree. A definition that can be shown comes back equal but for the order of filters, which has no meaning
// (spec: engage §3.3). A builder comes back equal, too, but that "is not part of" alone in a group becomes a negated group.

// MARK: Builder to tree

extension BuilderQuery {
    /// The definition that the builder shows. Not yet type-checked.
    public func definition() throws(BuilderError) -> Definition {
        if groups.isEmpty { throw BuilderError("the audience has no condition yet") }
        var conditions: [Condition] = []
        for group in groups {
            if group.rows.isEmpty { throw BuilderError("a group has no condition yet") }
            let rows = Condition.joined(group.rows.map(\.condition), Condition.or)
            conditions.append(group.isNegated ? .not(rows) : rows)
        }
        return .audience(Condition.joined(conditions, Condition.and))
    }
}

extension BuilderTrait {
    public var definition: Definition {
        var stream = EventStream(event: event)
        if !filters.isEmpty { stream.filters.append(.where(Condition.joined(filters.map(\.condition), Condition.and))) }
        switch window {
        case .anyTime: break
        case .sliding(let span): stream.filters.append(.within(span))
        case .session(let gap): stream.filters.append(.expiresAfter(gap))
        }
        return .trait(.reduction(stream, reducer))
    }
}

extension Condition {
    /// One operand stands for itself, several are joined. Builder rows are never junctions of the same kind.
    fileprivate static func joined(_ operands: [Condition], _ join: ([Condition]) -> Condition) -> Condition {
        operands.count == 1 ? operands[0] : join(operands)
    }
}

extension BuilderQuery.Row {
    fileprivate var condition: Condition {
        let condition: Condition =
            switch kind {
            case .event(let event): event.condition
            case .audience(let key, isMember: true): .isMember(key)
            case .audience(let key, isMember: false): .not(.isMember(key))
            case .trait(let path, let comparator): .comparison(.trait(path), comparator)
            }
        switch quantifier {
        case nil: return condition
        case .any: return .any(condition)
        case .all: return .all(condition)
        case .none?: return .all(.not(condition))
        }
    }
}

extension Condition {
    /// Membership as the query language writes it (spec: engage §2.6).
    fileprivate static func isMember(_ key: String) -> Condition {
        .comparison(.trait(PropertyPath(key: key)), .equals(.literal(.string("true"))))
    }
}

extension BuilderQuery.Event {
    fileprivate var condition: Condition {
        var stream = EventStream(event: name)
        let inner = filters.map(\.condition) + children.map(\.condition)
        if !inner.isEmpty { stream.filters.append(.where(Condition.joined(inner, Condition.and))) }
        switch window {
        case .anyTime: break
        case .within(let span): stream.filters.append(.within(span))
        case .between(let from, let to): stream.filters.append(.between(from, to))
        }
        return .comparison(.reduction(stream, .count), frequency.comparator)
    }
}

extension BuilderQuery.Child {
    fileprivate var condition: Condition {
        var stream = EventStream(event: name)
        if !filters.isEmpty { stream.filters.append(.where(Condition.joined(filters.map(\.condition), Condition.and))) }
        switch window {
        case .anyTime: break
        case .within(let span): stream.filters.append(.withinParent(span))
        case .between(let from, let to): stream.filters.append(.betweenParent(from, to))
        }
        let performed = Condition.comparison(.reduction(stream, .count), frequency.comparator)
        return isPerformed ? performed : .not(performed)
    }
}

extension BuilderQuery.Frequency {
    fileprivate var comparator: Comparator {
        let count = Scalar.literal(.number(Double(count)))
        return switch bound {
        case .atLeast: .greaterThanOrEqual(count)
        case .exactly: .equals(count)
        case .atMost: .lessThanOrEqual(count)
        }
    }

    fileprivate init(_ comparator: Comparator) throws(BuilderError) {
        let bound: Bound
        switch comparator {
        case .greaterThanOrEqual: bound = .atLeast
        case .equals: bound = .exactly
        case .lessThanOrEqual: bound = .atMost
        default: throw BuilderError("the builder counts with at least, exactly and at most (>=, = and <=)")
        }
        guard case .literal(.number(let number))? = comparator.scalar, let count = Int(exactly: number), count >= 0
        else {
            throw BuilderError("the builder compares a count with a whole number only")
        }
        self.init(bound, count)
    }
}

extension BuilderQuery.Filter {
    fileprivate var condition: Condition {
        switch field {
        case .property(let path): .comparison(.property(path), comparator)
        case .context(let path): .comparison(.context(path), comparator)
        }
    }
}

// MARK: Tree to builder

extension BuilderQuery {
    /// Shows a definition in the builder; throws why that is impossible. `isAudience` tells which trait keys are audiences:
    /// conditions on these become "part of an audience" rows.
    public init(_ definition: Definition, isAudience: (String) -> Bool) throws(BuilderError) {
        guard case .audience(let condition) = definition else {
            throw BuilderError("this is a computed trait, not an audience")
        }
        var groups: [Group] = []
        for condition in condition.conjuncts {
            let (isNegated, inner): (Bool, Condition) =
                if case .not(let inner) = condition { (true, inner) } else {
                    (false, condition)
                }
            let alternatives: [Condition] = if case .or(let operands) = inner { operands } else { [inner] }
            var rows: [Row] = []
            for alternative in alternatives { rows.append(try Row(alternative, isAudience)) }
            groups.append(Group(isNegated: isNegated, rows))
        }
        self.init(groups)
    }
}

extension BuilderTrait {
    /// Shows a definition in the builder; throws why that is impossible.
    public init(_ definition: Definition) throws(BuilderError) {
        guard case .trait(.reduction(let stream, let reducer)) = definition else {
            throw BuilderError("this is not computed from events")
        }
        var window = Window.anyTime
        for filter in stream.filters {
            switch filter {
            case .within(let span) where window == .anyTime: window = .sliding(span)
            case .expiresAfter(let gap) where window == .anyTime: window = .session(gap)
            case .within, .expiresAfter: throw BuilderError("the builder shows one time window only")
            case .between: throw BuilderError("the trait builder has no window between two times")
            case .withinParent, .betweenParent, .excludingSources, .where: break
            }
        }
        var filters: [BuilderQuery.Filter] = []
        for condition in try stream.innerConditions() {
            filters.append(try BuilderQuery.Filter(condition, inChild: false))
        }
        self.init(event: stream.event, filters: filters, reducer: reducer, window: window)
    }
}

extension Condition {
    fileprivate var conjuncts: [Condition] { if case .and(let operands) = self { operands } else { [self] } }
}

extension EventStream {
    /// The conditions of all `where`s, which hold together.
    fileprivate func innerConditions() throws(BuilderError) -> [Condition] {
        var conditions: [Condition] = []
        for filter in filters {
            switch filter {
            case .where(let condition): conditions += condition.conjuncts
            case .excludingSources: throw BuilderError("the builder can't leave out sources")
            default: break
            }
        }
        return conditions
    }

    /// The one window of the stream, as the builder shows it.
    fileprivate func window(ofParent isOfParent: Bool) throws(BuilderError) -> BuilderQuery.Window {
        var window = BuilderQuery.Window.anyTime
        for filter in filters where !filter.durations.isEmpty {
            if window != .anyTime { throw BuilderError("the builder shows one time window per event only") }
            if isOfParent, !filter.isRelativeToParent {
                throw BuilderError("in the builder the window of a following event counts from the first event")
            }
            if !isOfParent, filter.isRelativeToParent {
                throw BuilderError("a window with 'parent:' needs an event before it")
            }
            switch filter {
            case .within(let span), .withinParent(let span): window = .within(span)
            case .between(let from, let to), .betweenParent(let from, let to): window = .between(from, to)
            default: throw BuilderError("the audience builder has no session window")
            }
        }
        return window
    }
}

extension BuilderQuery.Row {
    fileprivate init(_ condition: Condition, _ isAudience: (String) -> Bool) throws(BuilderError) {
        let (quantifier, inner): (BuilderQuery.Quantifier?, Condition) =
            switch condition {
            case .any(let inner): (.any, inner)
            case .all(.not(let inner)): (BuilderQuery.Quantifier.none, inner)
            case .all(let inner): (.all, inner)
            default: (nil, condition)
            }
        switch inner {
        case .not(.comparison(.trait(let path), .equals(.literal(.string("true"))))):
            guard let key = path.onlyKey, isAudience(key) else {
                throw BuilderError("the builder can negate whole groups only, not one of several conditions")
            }
            self.init(quantifier: quantifier, .audience(key: key, isMember: false))
        case .comparison(.trait(let path), let comparator):
            if comparator == .equals(.literal(.string("true"))), let key = path.onlyKey, isAudience(key) {
                self.init(quantifier: quantifier, .audience(key: key, isMember: true))
            } else {
                try comparator.checkOperand(inChild: false)
                self.init(quantifier: quantifier, .trait(path, comparator))
            }
        case .comparison(.reduction(let stream, .count), let comparator):
            self.init(quantifier: quantifier, .event(try BuilderQuery.Event(stream, comparator)))
        case .comparison(.reduction(_, let reducer), _):
            throw BuilderError(
                "the builder counts events only; for .\(reducer.name)(…) make a computed trait and use that")
        case .comparison: throw BuilderError("the builder's conditions begin with an event or a trait")
        case .and: throw BuilderError("the builder joins groups by AND, but can't put AND inside OR")
        case .or: throw BuilderError("the builder can't put a choice inside ANY, ALL or another choice")
        case .not: throw BuilderError("the builder can negate whole groups only, not one of several conditions")
        case .any, .all: throw BuilderError("the builder shows one of any, all, none per condition")
        }
    }
}

extension BuilderQuery.Event {
    fileprivate init(_ stream: EventStream, _ comparator: Comparator) throws(BuilderError) {
        self.init(
            stream.event, try BuilderQuery.Frequency(comparator), window: try stream.window(ofParent: false))
        for condition in try stream.innerConditions() {
            switch condition {
            case .comparison(.reduction(let child, .count), let comparator):
                children.append(try BuilderQuery.Child(isPerformed: true, child, comparator))
            case .not(.comparison(.reduction(let child, .count), let comparator)):
                children.append(try BuilderQuery.Child(isPerformed: false, child, comparator))
            default: filters.append(try BuilderQuery.Filter(condition, inChild: false))
            }
        }
    }
}

extension BuilderQuery.Child {
    fileprivate init(isPerformed: Bool, _ stream: EventStream, _ comparator: Comparator) throws(BuilderError) {
        self.init(
            isPerformed: isPerformed, stream.event, try BuilderQuery.Frequency(comparator),
            window: try stream.window(ofParent: true))
        for condition in try stream.innerConditions() {
            filters.append(try BuilderQuery.Filter(condition, inChild: true))
        }
    }
}

extension BuilderQuery.Filter {
    fileprivate init(_ condition: Condition, inChild: Bool) throws(BuilderError) {
        switch condition {
        case .comparison(.property(let path), let comparator):
            try comparator.checkOperand(inChild: inChild)
            self.init(.property(path), comparator)
        case .comparison(.context(let path), let comparator):
            try comparator.checkOperand(inChild: inChild)
            self.init(.context(path), comparator)
        case .comparison(.reduction, _), .not(.comparison(.reduction, _)):
            throw BuilderError("the builder shows one event after another, no longer sequences")
        case .comparison: throw BuilderError("the builder's filters begin with a property of the event")
        case .or: throw BuilderError("the builder joins an event's filters by AND only")
        case .not: throw BuilderError("the builder can't negate a filter; use a negative operator such as != or omits")
        case .and, .any, .all: throw BuilderError("the builder can't nest an event's filters")
        }
    }
}

extension Comparator {
    fileprivate func checkOperand(inChild: Bool) throws(BuilderError) {
        switch scalar {
        case nil, .literal, .trait: return
        case .parentProperty where inChild: return
        case .parentProperty, .property, .context, .reduction:
            throw BuilderError(
                "the builder compares with a constant, a trait or, in a following event, a property of the first event")
        }
    }
}

extension PropertyPath {
    fileprivate var onlyKey: String? { components.count == 1 ? firstKey : nil }
}

public import JSON
public import Model

/// Advice about a query that is allowed but may not mean what its author thinks.
public struct QueryHint: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case unknownEvent = "unknown_event"
        case unknownProperty = "unknown_property"
        case unknownTrait = "unknown_trait"
        /// The property or trait is known, but has never had a value of the kind it is compared with.
        case kindNeverSeen = "kind_never_seen"
        case neverTrue = "never_true"
        case alwaysTrue = "always_true"
        case windowBeyondHistory = "window_beyond_history"
        /// The definition looks farther back than an event is kept.
        case windowBeyondRetention = "window_beyond_retention"
        /// In an account audience: events of all users are counted together.
        case collectiveCount = "collective_count"
    }

    public let kind: Kind
    /// The advice and its place, in the form of an error.
    public let finding: QueryError

    public var description: String { finding.description }

    public var json: JSONValue {
        var members = finding.json.object ?? [:]
        members["kind"] = .string(kind.rawValue)
        return .object(members)
    }
}

extension ParsedQuery {
    /// Advice about the definition in the light of what has been seen, ordered by place. None of it forbids the query.
    public func hints(_ catalogue: Catalogue, level: Computation.Level = .users) -> [QueryHint] {
        var linter = Linter(query: self, catalogue: catalogue, level: level, events: definition.dependencies.events)
        TreeWalk.walk(definition) { linter.visit($1, at: $0, $2) }
        return linter.hints.enumerated()
            .sorted { ($0.element.start, $0.offset) < ($1.element.start, $1.offset) }
            .map(\.element.hint)
    }
}

extension Definition {
    /// Advice about the definition; places refer to its canonical print.
    public func hints(_ catalogue: Catalogue, level: Computation.Level = .users) -> [QueryHint] {
        ParsedQuery(printing: self).hints(catalogue, level: level)
    }
}

private struct Linter {
    let query: ParsedQuery
    let catalogue: Catalogue
    let level: Computation.Level
    /// Those of which nothing has been said about how long they are kept.
    var events: [String: Dependencies.EventUse]
    var hints: [(start: Int, hint: QueryHint)] = []

    private mutating func add(_ kind: QueryHint.Kind, _ index: Int, _ message: String, _ suggestion: String? = nil) {
        let finding = query.error(atNode: index, message, suggestion: suggestion)
        hints.append((query.place(index).lowerBound, QueryHint(kind: kind, finding: finding)))
    }

    mutating func visit(_ node: TreeWalk.Node, at index: Int, _ scope: TreeWalk.Scope) {
        switch node {
        case .condition(.and(let operands)): lintContradiction(operands, index)
        case .condition(.comparison(let left, let comparator)):
            if let verdict = Verdict(left, comparator) {
                add(
                    verdict.truth ? .alwaysTrue : .neverTrue, index,
                    "\(verdict.reason): this is \(verdict.truth ? "always" : "never") true")
            }
        case .condition: break
        case .scalar(let scalar): lint(scalar, index, scope)
        case .filter(let filter, _): lint(filter, index)
        case .reducer(let reducer, let stream): lint(reducer, of: stream, index)
        case .comparator(let comparator, let left): lint(comparator, of: left, index, scope)
        }
    }

    // MARK: Names

    private mutating func lint(_ scalar: Scalar, _ index: Int, _ scope: TreeWalk.Scope) {
        switch scalar {
        case .literal, .context: break
        case .trait(let path): lint(trait: path, index)
        case .property(let path): if let event = scope.event { lint(property: path, of: event, index) }
        case .parentProperty(let path): if let event = scope.parentEvent { lint(property: path, of: event, index) }
        case .reduction(let stream, _):
            if catalogue.events[stream.event] == nil {
                let nearest = catalogue.nearestEvent(to: stream.event)
                add(
                    .unknownEvent, index, "no event '\(shortened(stream.event))' has been seen so far",
                    nearest.map { "did you mean '\($0)'?" })
            }
            lintWindows(of: stream, index)
            lintRetention(of: stream.event, index)
            if level == .accounts, scope.streams.isEmpty, !scope.isQuantified, case .audience = query.definition {
                add(
                    .collectiveCount, index, "this counts the events of all users of the account together",
                    "write ANY … if one user is to do it")
            }
        }
    }

    private mutating func lint(trait path: PropertyPath, _ index: Int) {
        if let key = path.firstKey, catalogue.audienceKeys.contains(key) { return }
        guard Catalogue.kinds(path, in: catalogue.traits) == nil else { return }
        let nearest = catalogue.nearestTrait(to: path.text)
        add(
            .unknownTrait, index,
            "no profile has a trait '\(shortened(path.text))' so far, and no audience has this key",
            nearest.map { "did you mean '\($0)'?" })
    }

    private mutating func lint(property path: PropertyPath, of event: String, _ index: Int) {
        guard let seen = catalogue.events[event], Catalogue.kinds(path, in: seen) == nil else { return }
        let nearest = catalogue.nearestProperty(to: path.text, of: event)
        add(
            .unknownProperty, index, "no '\(shortened(event))' has had a property '\(shortened(path.text))' so far",
            nearest.map { "did you mean '\($0)'?" })
    }

    // MARK: Kinds of values

    private func kinds(_ scalar: Scalar, _ scope: TreeWalk.Scope) -> Set<Catalogue.ValueKind>? {
        switch scalar {
        case .trait(let path):
            if let key = path.firstKey, catalogue.audienceKeys.contains(key) { return [.boolean] }
            return Catalogue.kinds(path, in: catalogue.traits)
        case .property(let path): return kinds(path, of: scope.event)
        case .parentProperty(let path): return kinds(path, of: scope.parentEvent)
        case .literal, .context, .reduction: return nil
        }
    }

    private func kinds(_ path: PropertyPath, of event: String?) -> Set<Catalogue.ValueKind>? {
        event.flatMap { catalogue.events[$0] }.flatMap { Catalogue.kinds(path, in: $0) }
    }

    private mutating func lint(_ comparator: Comparator, of left: Scalar, _ index: Int, _ scope: TreeWalk.Scope) {
        guard let seen = kinds(left, scope), !seen.isEmpty else { return }
        let expected: Set<Catalogue.ValueKind>
        if comparator.isAboutDates {
            expected = [.date]
        } else if comparator.isAboutText {
            expected = [.string, .date, .list]
        } else if let first = comparator.literals.first {
            expected = comparator.literals.dropFirst().reduce(first.kinds) { $0.union($1.kinds) }
        } else {
            return
        }
        guard seen.isDisjoint(with: expected) else { return }
        let had = seen.map(\.text).sorted().joined(separator: " or ")
        let isList = seen == [.list] && !comparator.isAboutDates
        add(
            .kindNeverSeen, index,
            "\(left.text) has been \(had) so far, and is compared as \(expected.map(\.text).sorted().joined(separator: " or "))",
            isList ? "write .contains(…), or end the path in .$ to look at each element" : nil)
    }

    private mutating func lint(_ reducer: Reducer, of stream: EventStream, _ index: Int) {
        guard case .property(let path) = reducer.field else { return }
        lint(property: path, of: stream.event, index)
        guard reducer.isNumeric, reducer != .uniqueCount(.property(path)), let seen = kinds(path, of: stream.event),
            !seen.isEmpty, !seen.contains(.number)
        else { return }
        let had = seen.map(\.text).sorted().joined(separator: " or ")
        add(
            .kindNeverSeen, index,
            "property '\(shortened(path.text))' has been \(had) so far; \(reducer.name)(…) skips what is no number")
    }

    // MARK: Windows

    private mutating func lint(_ filter: StreamFilter, _ index: Int) {
        guard let history = catalogue.history, let age = filter.age else { return }
        let days = history.milliseconds / 86_400_000
        if age.from > history {
            add(.windowBeyondHistory, index, "stored events reach back \(days) days only: nothing is this old")
        } else if age.to > history {
            add(.windowBeyondHistory, index, "stored events reach back \(days) days only, less than this window")
        }
    }

    /// Tells once, where the event is named first. An event inside another's `where` counts with all that it reaches back.
    private mutating func lintRetention(of event: String, _ index: Int) {
        guard let use = events.removeValue(forKey: event),
            let days = catalogue.retention.daysKept(of: event, shortOf: use.horizon)
        else { return }
        let name = "'\(shortened(event))'"
        let kept = "\(name) is kept for \(days) day\(days == 1 ? "" : "s")"
        let remedy = "look back \(days) days at most, or keep \(name) longer (Settings, Retention)"
        let reach = use.horizon.map { "\($0.startedDays) days" } ?? "without limit"
        add(.windowBeyondRetention, index, "\(kept), and this looks back \(reach): what is older is gone", remedy)
    }

    private mutating func lintWindows(of stream: EventStream, _ index: Int) {
        let ages = stream.filters.compactMap(\.age)
        guard let from = ages.map(\.from).max(), let to = ages.map(\.to).min(), from > to else { return }
        add(.neverTrue, index, "the windows of this event don't overlap: nothing is ever counted")
    }

    private mutating func lintContradiction(_ operands: [Condition], _ index: Int) {
        var required: [Scalar: Literal] = [:]
        for case .comparison(let left, .equals(.literal(let value))) in operands where !left.hasElements {
            if let other = required[left], other.comparable != value.comparable {
                add(
                    .neverTrue, index, "\(shortened(left.text)) can't be \(other.text) and \(value.text) at once",
                    "write \(left.text).one_of(\(other.text), \(value.text))")
                return
            }
            required[left] = value
        }
    }
}

/// A comparison whose outcome is known without looking at anybody.
private struct Verdict {
    let truth: Bool
    let reason: String

    init?(_ left: Scalar, _ comparator: Comparator) {
        switch left {
        case .literal:
            guard let right = comparator.scalar, case .literal(let value) = right, case .literal(let first) = left
            else {
                return nil
            }
            switch comparator {
            case .equals: truth = first.comparable == value.comparable
            case .differs: truth = first.comparable != value.comparable
            default: return nil
            }
            reason = "both sides are constants"
        case .reduction(_, .count), .reduction(_, .uniqueCount):
            guard let outcome = Verdict.ofCount(comparator) else { return nil }
            truth = outcome
            reason = "a count is a whole number and never negative"
        default: return nil
        }
    }

    private static func ofCount(_ comparator: Comparator) -> Bool? {
        func isPossible(_ value: Literal) -> Bool {
            guard let number = value.number else { return false }
            return number >= 0 && number == number.rounded()
        }
        switch comparator {
        case .exists: return true
        case .absent: return false
        case .oneOf(let values): return values.contains(where: isPossible) ? nil : false
        case .noneOf(let values): return values.contains(where: isPossible) ? nil : true
        default: break
        }
        guard case .literal(let value)? = comparator.scalar else { return nil }
        switch comparator {
        case .equals: return isPossible(value) ? nil : false
        case .differs: return isPossible(value) ? nil : true
        default: break
        }
        guard let number = value.number else { return nil }
        switch comparator {
        case .lessThan: return number <= 0 ? false : nil
        case .lessThanOrEqual: return number < 0 ? false : nil
        case .greaterThan: return number < 0 ? true : nil
        case .greaterThanOrEqual: return number <= 0 ? true : nil
        default: return nil
        }
    }
}

extension Literal {
    /// The kinds of values that can be equal to this one.
    fileprivate var kinds: Set<Catalogue.ValueKind> {
        switch self {
        case .number: return [.number]
        case .boolean: return [.boolean]
        case .instant: return [.date]
        case .string(let text):
            var kinds: Set<Catalogue.ValueKind> = [.string]
            if number != nil { kinds.insert(.number) }
            if text == "true" || text == "false" { kinds.insert(.boolean) }
            if isDate { kinds.insert(.date) }
            return kinds
        }
    }

    /// Equal for literals that the same value can equal: `5` and `'5'`, `true` and `'true'`.
    fileprivate var comparable: String {
        switch self {
        case .number(let number): Literal.number(number).text
        case .string(let text): number.map { Literal.number($0).text } ?? text
        case .instant(_, let text): text
        case .boolean(let boolean): boolean ? "true" : "false"
        }
    }
}

extension Scalar {
    /// Whether the path looks at each element of a list, so that it may equal several values.
    fileprivate var hasElements: Bool {
        switch self {
        case .trait(let path), .property(let path), .parentProperty(let path), .context(let path):
            path.components.contains(.elements)
        case .literal, .reduction: false
        }
    }
}

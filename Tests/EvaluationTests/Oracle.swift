import EvaluationSupport
import Foundation
import JSON
import Model
import Query

@testable import Evaluation

// The specification once more, as simply as it can be said: every question rereads the whole list of calls. It shares
// the syntax tree and the types of the model with the evaluator, and no line of its code.

struct Oracle {
    /// All that counts at some time, in the order of engage §4.7.
    private let deeds: [Deed]
    let evidence: Evidence
    var now: Instant

    init(deeds: [Deed], evidence: Evidence = .everything, now: Instant) {
        self.deeds = deeds.filter { $0.call.timestamp >= .epoch }.sorted { left, right in
            if left.at != right.at { return left.at < right.at }
            if left.call.receivedAt != right.call.receivedAt { return left.call.receivedAt < right.call.receivedAt }
            return left.call.messageID.bytes.lexicographicallyPrecedes(right.call.messageID.bytes)
        }
        self.evidence = evidence
        self.now = now
    }

    func answer(_ definition: Definition, _ asked: Asked) -> JSONValue {
        let place: Place
        switch asked {
        case .user(let person): place = Place(owner: person, actors: person.ordinals, users: nil)
        case .account(let account, let users):
            place = Place(owner: account, actors: users.flatMap(\.ordinals), users: users)
        }
        switch definition {
        case .audience(let condition): return .bool(holds(condition, place))
        case .trait(let scalar):
            let values = self.values(scalar, place).map(\.json)
            guard scalar.isPlural else { return values[0] }
            let found = values.filter { $0 != .null }
            return found.isEmpty ? .null : .array(found)
        }
    }

    /// Where an expression stands.
    struct Place {
        var owner: Person
        var actors: [ProfileOrdinal]
        var users: [Person]?
        var current: Deed?
        var parent: Deed?

        func of(_ user: Person) -> Place {
            Place(owner: user, actors: user.ordinals, users: nil, current: current, parent: parent)
        }
    }

    // MARK: Conditions

    func holds(_ condition: Condition, _ place: Place) -> Bool {
        switch condition {
        case .or(let operands): return operands.contains { holds($0, place) }
        case .and(let operands): return operands.allSatisfy { holds($0, place) }
        case .not(let operand): return !holds(operand, place)
        case .any(let operand): return (place.users ?? [place.owner]).contains { holds(operand, place.of($0)) }
        case .all(let operand): return (place.users ?? [place.owner]).allSatisfy { holds(operand, place.of($0)) }
        case .comparison(let left, let comparator):
            return values(left, place).contains { compare($0, comparator, place) }
        }
    }

    private func compare(_ value: Value, _ comparator: Query.Comparator, _ place: Place) -> Bool {
        func some(_ right: Scalar, _ test: (Value, Value) -> Bool) -> Bool {
            values(right, place).contains { test(value, $0) }
        }
        func strings(_ literals: [Literal]) -> [String] { literals.compactMap { Value($0).string } }
        func ordered(_ right: Scalar, _ accepted: [Int]) -> Bool {
            some(right) { left, right in Value.order(left, right).map(accepted.contains) ?? false }
        }
        let age = value.date.map { now - $0 }
        switch comparator {
        case .equals(let right): return some(right, Value.equal)
        case .differs(let right): return some(right) { !$0.isNull && !$1.isNull && !Value.equal($0, $1) }
        case .lessThan(let right): return ordered(right, [-1])
        case .lessThanOrEqual(let right): return ordered(right, [-1, 0])
        case .greaterThan(let right): return ordered(right, [1])
        case .greaterThanOrEqual(let right): return ordered(right, [0, 1])
        case .oneOf(let literals): return literals.contains { Value.equal(value, Value($0)) }
        case .noneOf(let literals): return !value.isNull && !literals.contains { Value.equal(value, Value($0)) }
        case .contains(let literals):
            return value.string.map { text in strings(literals).contains { text.has($0) } } ?? false
        case .omits(let literals):
            return value.string.map { text in !strings(literals).contains { text.has($0) } } ?? true
        case .startsWith(let literal):
            return value.string.map { $0.utf8.starts(with: (Value(literal).string ?? "").utf8) } ?? false
        case .endsWith(let literal):
            return value.string.map { $0.utf8.reversed().starts(with: (Value(literal).string ?? "").utf8.reversed()) }
                ?? false
        case .exists: return !value.isNull
        case .absent: return value.isNull
        case .beforeDate(let literal): return both(value.date, Value(literal).date) { $0 < $1 }
        case .afterDate(let literal): return both(value.date, Value(literal).date) { $0 > $1 }
        case .withinLast(let span): return age.map { $0 >= .zero && $0 <= span.span } ?? false
        case .withinNext(let span):
            return age.map { $0 <= .zero && -$0.milliseconds <= span.span.milliseconds } ?? false
        case .beforeLast(let span): return age.map { $0 >= span.span } ?? false
        case .afterNext(let span): return age.map { -$0.milliseconds >= span.span.milliseconds } ?? false
        }
    }

    private func both(_ left: Instant?, _ right: Instant?, _ test: (Instant, Instant) -> Bool) -> Bool {
        if let left, let right { test(left, right) } else { false }
    }

    // MARK: Scalars

    /// All values of a scalar: several only where its path has a `$`.
    func values(_ scalar: Scalar, _ place: Place) -> [Value] {
        switch scalar {
        case .literal(let literal): return [Value(literal)]
        case .property(let path): return property(path, place.current)
        case .parentProperty(let path): return property(path, place.parent)
        case .context(let path): return context(path, place.current)
        case .trait(let path):
            guard case .key(let key)? = path.components.first else { return [.json(.null)] }
            return resolve(trait(key, place.owner), path.components.dropFirst()).map { .json($0) }
        case .reduction(let stream, let reducer): return [reduce(occurrences(stream, place), reducer)]
        }
    }

    private func trait(_ key: String, _ owner: Person) -> JSONValue {
        switch owner.computed[key] ?? .notComputed {
        case .value(let value), .workedOut(let value, _): return value
        case .absent: return .null
        case .notComputed: break
        }
        let setting = deeds.last {
            if let upTo = evidence.receivedUpTo, $0.call.receivedAt > upTo { return false }
            return $0.at <= now && owner.ordinals.contains($0.profile) && [.identify, .group].contains($0.call.kind)
                && $0.body["traits"]?[key] != nil
        }
        return setting?.body["traits"]?[key] ?? .null
    }

    private func property(_ path: PropertyPath, _ deed: Deed?) -> [Value] {
        guard let deed else { return [.json(.null)] }
        var properties = deed.body["properties"] ?? .null
        if [.page, .screen].contains(deed.call.kind), let name = deed.body["name"]?.string {
            var object = properties.object ?? [:]
            for key in ["name", deed.call.kind == .page ? "page_name" : "screen_name"] where object[key] == nil {
                object[key] = .string(name)
            }
            properties = .object(object)
        }
        return resolve(properties.byName, path.components[...]).map { .json($0) }
    }

    private func context(_ path: PropertyPath, _ deed: Deed?) -> [Value] {
        guard let deed else { return [.json(.null)] }
        switch path.components {
        case [.key("timestamp")]: return [.date(deed.at, deed.at.description)]
        case [.key("receivedAt")]: return [.date(deed.call.receivedAt, deed.call.receivedAt.description)]
        case [.key("messageId")]: return [.json(.string(deed.call.messageID))]
        case [.key("sourceId")]: return [.json(.string(deed.call.sourceID))]
        case [.key("type")]: return [.json(.string(deed.call.kind.name))]
        default: return resolve((deed.body["context"] ?? .null).byName, path.components[...]).map { .json($0) }
        }
    }

    /// What a path leads to; a step that leads nowhere leads to null.
    private func resolve(_ value: JSONValue, _ path: ArraySlice<PropertyPath.Component>) -> [JSONValue] {
        switch path.first {
        case nil: return [value]
        case .key(let key)?: return resolve(value[key] ?? .null, path.dropFirst())
        case .elements?:
            let elements = value.array ?? []
            return elements.isEmpty ? [.null] : elements.flatMap { resolve($0, path.dropFirst()) }
        }
    }

    // MARK: Streams

    func occurrences(_ stream: EventStream, _ place: Place) -> [Deed] {
        var gaps: [Instant.Span] = []
        let passing = deeds.filter { deed in
            guard deed.at <= now, deed.call.eventName == stream.event, place.actors.contains(deed.profile) else {
                return false
            }
            if let from = evidence.receivedFrom, deed.call.receivedAt < from { return false }
            if let upTo = evidence.receivedUpTo, deed.call.receivedAt > upTo { return false }
            if let from = evidence.timestampFrom, deed.at < from { return false }
            if let parent = place.current, deed.at <= parent.at { return false }
            return stream.filters.allSatisfy { filter in
                let age = now - deed.at
                let delay = place.current.map { deed.at - $0.at }
                switch filter {
                case .where(let condition):
                    var inner = place
                    (inner.parent, inner.current) = (place.current, deed)
                    return holds(condition, inner)
                case .excludingSources(let sources): return !sources.contains(deed.call.sourceID)
                case .within(let span): return age >= .zero && age <= span.span
                case .between(let from, let to): return age >= from.span && age <= to.span
                case .withinParent(let span): return delay.map { $0 <= span.span } ?? true
                case .betweenParent(let from, let to): return delay.map { $0 >= from.span && $0 <= to.span } ?? true
                case .expiresAfter: return true
                }
            }
        }
        for case .expiresAfter(let gap) in stream.filters { gaps.append(gap.span) }
        guard let gap = gaps.min() else { return passing }
        var session: [Deed] = []
        for deed in passing {
            if let last = session.last, deed.at - last.at > gap { session = [] }
            session.append(deed)
        }
        return session
    }

    // MARK: Reducers

    private func reduce(_ deeds: [Deed], _ reducer: Reducer) -> Value {
        func found(_ field: Field) -> [[Value]] {
            deeds.map { deed in
                let values: [Value]
                switch field {
                case .property(let path): values = property(path, deed)
                case .context(let path): values = context(path, deed)
                }
                return values.filter { !$0.isNull }
            }
        }
        func numbers(_ field: Field) -> [(JSONValue, Double)] {
            found(field).joined().compactMap { value in
                guard let number = value.number else { return nil }
                if case .json(.number) = value { return (value.json, number) }
                return (.number(number), number)
            }
        }
        switch reducer {
        case .count: return .json(.number(deeds.count))
        case .sum(let field):
            let numbers = numbers(field)
            return .json(numbers.isEmpty ? .null : .number(rounded(numbers.reduce(0) { $0 + $1.1 })))
        case .average(let field):
            let numbers = numbers(field)
            let mean = numbers.reduce(0) { $0 + $1.1 } / Double(max(numbers.count, 1))
            return .json(numbers.isEmpty ? .null : .number(rounded(mean)))
        case .minimum(let field, let type) where type == nil || type == .number:
            return .json(numbers(field).min { $0.1 < $1.1 }?.0 ?? .null)
        case .maximum(let field, let type) where type == nil || type == .number:
            // `max` gives the last of equal ones; the first is wanted.
            return .json(numbers(field).reversed().max { $0.1 < $1.1 }?.0 ?? .null)
        case .minimum(let field, _):
            return .json(.string(orNull: found(field).joined().compactMap(\.string).min(by: precedes)))
        case .maximum(let field, _):
            return .json(.string(orNull: found(field).joined().compactMap(\.string).max(by: precedes)))
        case .first(let field): return found(field).joined().first ?? .json(.null)
        case .last(let field): return Array(found(field).joined()).last ?? .json(.null)
        case .mode(let field, let type, let minimumFrequency):
            let isPlural = Scalar.field(field).isPlural
            let values: [Value] =
                type == .array && isPlural
                ? found(field).filter { !$0.isEmpty }.map { .json(.array($0.map(\.json))) }
                : Array(found(field).joined())
            // In alphabetical order, so that the first of equally frequent ones stays.
            var best: (value: Value, count: Int)?
            for value in distinct(values) {
                let count = values.count { $0.string?.bytes == value.string?.bytes }
                if count >= minimumFrequency, count > best?.count ?? 0 { best = (value, count) }
            }
            return best?.value ?? .json(.null)
        case .unique(let field):
            let distinct = distinct(Array(found(field).joined()))
            return .json(distinct.isEmpty ? .null : .array(distinct.map(\.json)))
        case .uniqueCount(let field): return .json(.number(distinct(Array(found(field).joined())).count))
        }
    }

    private func distinct(_ values: [Value]) -> [Value] {
        var first: [Bytes: Value] = [:]
        for value in values where first[Bytes(value.string ?? "")] == nil { first[Bytes(value.string ?? "")] = value }
        return first.values.sorted { precedes($0.string ?? "", $1.string ?? "") }
    }

    private func precedes(_ left: String, _ right: String) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }

    /// 15 significant digits, where sums of money can lie.
    private func rounded(_ number: Double) -> Double {
        guard abs(number) >= 1e-7, abs(number) < 1e15 else { return number }
        return Double(String(format: "%.15g", number)) ?? number
    }
}

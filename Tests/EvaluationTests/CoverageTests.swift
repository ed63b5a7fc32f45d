import Evaluation
import EvaluationSupport
import Model
import Query
import Testing

/// Random tests prove nothing about what the generator never makes: every construct of the grammar must come up, and
/// often. A construct added to the syntax tree does not compile here until it is counted.
@Suite struct GeneratorCoverageTests {
    @Test func `The generator makes every construct of the grammar`() {
        var census = Census()
        for seed in 0..<3_000 {
            var generator = Generator(seed: UInt64(seed))
            census.count(generator.definition())
        }
        for construct in Census.Construct.allCases {
            #expect(census.counts[construct, default: 0] >= 10, "\(construct) is too rare among 3,000 definitions")
        }
    }

    @Test func `The generator makes every kind of history`() {
        var counts: [String: Int] = [:]
        func note(_ what: String, _ isSo: Bool = true) { counts[what, default: 0] += isSo ? 1 : 0 }
        for seed in 0..<1_000 {
            var generator = Generator(seed: UInt64(seed))
            let world = generator.world()
            switch world.asked {
            case .user(let person): note("a user with merged profiles", person.ordinals.count > 1)
            case .account(_, let users):
                note("an account without users", users.isEmpty)
                note("an account with several users", users.count > 1)
            }
            note("no events", world.deeds.isEmpty)
            note("evidence from a receipt on", world.evidence.receivedFrom != nil)
            note("evidence up to a receipt", world.evidence.receivedUpTo != nil)
            note("evidence from a time on", world.evidence.timestampFrom != nil)
            note("two at the same millisecond", Set(world.deeds.map(\.at)).count < world.deeds.count)
            for deed in world.deeds {
                note("\(deed.call.kind)")
                note("late", deed.call.timestamp < deed.call.receivedAt)
                note("in the future", deed.call.timestamp > deed.call.receivedAt && deed.at == deed.call.timestamp)
                note("too far in the future", deed.at == deed.call.receivedAt && deed.call.timestamp > deed.at)
                note("before 1970", deed.call.timestamp < .epoch)
            }
        }
        for what in [
            "a user with merged profiles", "an account without users", "an account with several users", "no events",
            "evidence from a receipt on", "evidence up to a receipt", "evidence from a time on",
            "two at the same millisecond", "track", "page", "screen", "identify", "group", "late", "in the future",
            "too far in the future", "before 1970",
        ] {
            #expect(counts[what, default: 0] >= 10, "\(what) is too rare")
        }
    }
}

/// Counts what definitions are made of.
struct Census {
    enum Construct: CaseIterable {
        case audience, traitDefinition
        case or, and, not, any, all, comparison
        case literal, trait, property, parentProperty, context, reduction
        case number, string, instant, boolean
        case `where`, excludingSources, within, withinParent, between, betweenParent, expiresAfter
        case second, minute, hour, day, week
        case count, sum, average, minimum, maximum, first, last, mode, unique, uniqueCount
        case asNothing, asNumber, asString, asArray, ofProperty, ofContext
        case equals, differs, lessThan, lessThanOrEqual, greaterThan, greaterThanOrEqual, oneOf, noneOf, contains
        case omits, startsWith, endsWith, exists, absent, beforeDate, afterDate
        case withinLast, withinNext, beforeLast, afterNext
        // What matters beyond single nodes of the tree.
        case dottedPath, elements, dotInName, dollarInName, unicodeName, severalLiterals, relationOfTwoValues
        case funnel, funnelInFunnel, parentPropertyInRelation, severalFilters
    }

    var counts: [Construct: Int] = [:]

    private mutating func note(_ construct: Construct) { counts[construct, default: 0] += 1 }

    mutating func count(_ definition: Definition) {
        switch definition {
        case .audience(let condition):
            note(.audience)
            count(condition, depth: 0)
        case .trait(let scalar):
            note(.traitDefinition)
            count(scalar, depth: 0)
        }
    }

    private mutating func count(_ condition: Condition, depth: Int) {
        switch condition {
        case .or(let operands):
            note(.or)
            for operand in operands { count(operand, depth: depth) }
        case .and(let operands):
            note(.and)
            for operand in operands { count(operand, depth: depth) }
        case .not(let operand):
            note(.not)
            count(operand, depth: depth)
        case .any(let operand):
            note(.any)
            count(operand, depth: depth)
        case .all(let operand):
            note(.all)
            count(operand, depth: depth)
        case .comparison(let left, let comparator):
            note(.comparison)
            count(left, depth: depth)
            count(comparator, depth: depth)
        }
    }

    private mutating func count(_ scalar: Scalar, depth: Int) {
        switch scalar {
        case .literal(let literal):
            note(.literal)
            count(literal)
        case .trait(let path):
            note(.trait)
            count(path)
        case .property(let path):
            note(.property)
            count(path)
        case .parentProperty(let path):
            note(.parentProperty)
            count(path)
        case .context(let path):
            note(.context)
            count(path)
        case .reduction(let stream, let reducer):
            note(.reduction)
            if depth == 1 { note(.funnel) }
            if depth == 2 { note(.funnelInFunnel) }
            count(stream, depth: depth)
            count(reducer)
        }
    }

    private mutating func count(_ stream: EventStream, depth: Int) {
        if stream.event.utf8.contains(where: { $0 > 127 }) { note(.unicodeName) }
        if stream.filters.count > 1 { note(.severalFilters) }
        for filter in stream.filters {
            switch filter {
            case .where(let condition):
                note(.where)
                count(condition, depth: depth + 1)
            case .excludingSources: note(.excludingSources)
            case .within(let span):
                note(.within)
                count(span)
            case .withinParent(let span):
                note(.withinParent)
                count(span)
            case .between(let from, let to):
                note(.between)
                count(from)
                count(to)
            case .betweenParent(let from, let to):
                note(.betweenParent)
                count(from)
                count(to)
            case .expiresAfter(let gap):
                note(.expiresAfter)
                count(gap)
            }
        }
    }

    private mutating func count(_ reducer: Reducer) {
        switch reducer {
        case .count: note(.count)
        case .sum(let field):
            note(.sum)
            count(field)
        case .average(let field):
            note(.average)
            count(field)
        case .minimum(let field, let type):
            note(.minimum)
            count(field, type)
        case .maximum(let field, let type):
            note(.maximum)
            count(field, type)
        case .first(let field):
            note(.first)
            count(field)
        case .last(let field):
            note(.last)
            count(field)
        case .mode(let field, let type, _):
            note(.mode)
            count(field, type)
        case .unique(let field):
            note(.unique)
            count(field)
        case .uniqueCount(let field):
            note(.uniqueCount)
            count(field)
        }
    }

    private mutating func count(_ field: Field, _ type: ValueType? = nil) {
        switch field {
        case .property(let path):
            note(.ofProperty)
            count(path)
        case .context(let path):
            note(.ofContext)
            count(path)
        }
        switch type {
        case nil: note(.asNothing)
        case .number: note(.asNumber)
        case .string: note(.asString)
        case .array: note(.asArray)
        }
    }

    private mutating func count(_ path: PropertyPath) {
        if path.components.count > 1 { note(.dottedPath) }
        for component in path.components {
            switch component {
            case .elements: note(.elements)
            case .key("$"): note(.dollarInName)
            case .key(let key): if key.contains(".") { note(.dotInName) }
            }
        }
    }

    private mutating func count(_ literal: Literal) {
        switch literal {
        case .number: note(.number)
        case .string: note(.string)
        case .instant: note(.instant)
        case .boolean: note(.boolean)
        }
    }

    private mutating func count(_ span: Duration) {
        switch span.unit {
        case .second: note(.second)
        case .minute: note(.minute)
        case .hour: note(.hour)
        case .day: note(.day)
        case .week: note(.week)
        }
    }

    private mutating func count(_ comparator: Query.Comparator, depth: Int) {
        func construct() -> Construct {
            switch comparator {
            case .equals: .equals
            case .differs: .differs
            case .lessThan: .lessThan
            case .lessThanOrEqual: .lessThanOrEqual
            case .greaterThan: .greaterThan
            case .greaterThanOrEqual: .greaterThanOrEqual
            case .oneOf: .oneOf
            case .noneOf: .noneOf
            case .contains: .contains
            case .omits: .omits
            case .startsWith: .startsWith
            case .endsWith: .endsWith
            case .exists: .exists
            case .absent: .absent
            case .beforeDate: .beforeDate
            case .afterDate: .afterDate
            case .withinLast: .withinLast
            case .withinNext: .withinNext
            case .beforeLast: .beforeLast
            case .afterNext: .afterNext
            }
        }
        note(construct())
        switch comparator {
        case .equals(let right), .differs(let right), .lessThan(let right), .lessThanOrEqual(let right),
            .greaterThan(let right), .greaterThanOrEqual(let right):
            if case .literal = right {} else { note(.relationOfTwoValues) }
            if case .parentProperty = right { note(.parentPropertyInRelation) }
            count(right, depth: depth)
        case .oneOf(let literals), .noneOf(let literals), .contains(let literals), .omits(let literals):
            if literals.count > 1 { note(.severalLiterals) }
            for literal in literals { count(literal) }
        case .startsWith(let literal), .endsWith(let literal), .beforeDate(let literal), .afterDate(let literal):
            count(literal)
        case .withinLast(let span), .withinNext(let span), .beforeLast(let span), .afterNext(let span): count(span)
        case .exists, .absent: break
        }
    }
}

import Model
import Query
import TestSupport

extension SeededRandom {
    mutating func many<Element>(_ counts: ClosedRange<Int>, _ make: (inout SeededRandom) -> Element) -> [Element] {
        (0..<Int.random(in: counts, using: &self)).map { _ in make(&self) }
    }
}

/// Random normalised trees: every shape that the grammar can write, whether or not the type checker likes it.
struct TreeGenerator {
    var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func definition() -> Definition {
        random.chance(70) ? .audience(condition(depth: 4)) : .trait(scalar(depth: 3))
    }

    mutating func condition(depth: Int) -> Condition {
        guard depth > 0 else { return comparison(depth: 0) }
        switch random.below(9) {
        case 0: return .or(operands(depth) { if case .or = $0 { true } else { false } })
        case 1: return .and(operands(depth) { if case .and = $0 { true } else { false } })
        case 2: return .not(condition(depth: depth - 1))
        case 3: return .any(condition(depth: depth - 1))
        case 4: return .all(condition(depth: depth - 1))
        default: return comparison(depth: depth)
        }
    }

    private mutating func operands(_ depth: Int, without excluded: (Condition) -> Bool) -> [Condition] {
        var operands: [Condition] = []
        while operands.count < 2 + random.below(2) {
            let operand = condition(depth: depth - 1)
            if !excluded(operand) { operands.append(operand) }
        }
        return operands
    }

    private mutating func comparison(depth: Int) -> Condition {
        .comparison(scalar(depth: depth), comparator(depth: depth))
    }

    mutating func scalar(depth: Int) -> Scalar {
        switch random.below(depth > 0 ? 9 : 5) {
        case 0: .literal(literal())
        case 1: .trait(path())
        case 2: .property(path())
        case 3: .parentProperty(path())
        case 4: .context(path())
        default: .reduction(stream(depth: depth - 1), reducer())
        }
    }

    mutating func stream(depth: Int) -> EventStream {
        let count = random.below(4)
        var filters: [StreamFilter] = []
        for _ in 0..<count { filters.append(filter(depth: depth)) }
        return EventStream(event: text(), filters: filters)
    }

    private mutating func filter(depth: Int) -> StreamFilter {
        switch random.below(8) {
        case 0: .excludingSources(random.many(0...3) { TreeGenerator.text(&$0) })
        case 1: .within(duration())
        case 2: .withinParent(duration())
        case 3: .between(duration(), duration())
        case 4: .betweenParent(duration(), duration())
        case 5: .expiresAfter(duration())
        default: .where(condition(depth: max(0, depth - 1)))
        }
    }

    mutating func duration() -> Duration {
        let unit = random.pick(Duration.Unit.allCases)
        return Duration(Int64(random.pick([0, 1, 2, 7, 30, 90, 1000])), unit)
    }

    private mutating func reducer() -> Reducer {
        switch random.below(10) {
        case 0: .count
        case 1: .sum(field())
        case 2: .average(field())
        case 3: .minimum(field(), valueType())
        case 4: .maximum(field(), valueType())
        case 5: .first(field())
        case 6: .last(field())
        case 7: .mode(field(), valueType(), minimumFrequency: random.below(20) - 2)
        case 8: .unique(field())
        default: .uniqueCount(field())
        }
    }

    private mutating func field() -> Field { random.chance(70) ? .property(path()) : .context(path()) }

    private mutating func valueType() -> ValueType? {
        random.chance(50) ? nil : random.pick(ValueType.allCases)
    }

    private mutating func comparator(depth: Int) -> Comparator {
        switch random.below(20) {
        case 0: .equals(scalar(depth: depth - 1))
        case 1: .differs(scalar(depth: depth - 1))
        case 2: .lessThan(scalar(depth: depth - 1))
        case 3: .lessThanOrEqual(scalar(depth: depth - 1))
        case 4: .greaterThan(scalar(depth: depth - 1))
        case 5: .greaterThanOrEqual(scalar(depth: depth - 1))
        case 6: .oneOf(literals())
        case 7: .noneOf(literals())
        case 8: .contains(literals())
        case 9: .omits(literals())
        case 10: .startsWith(literal())
        case 11: .endsWith(literal())
        case 12: .exists
        case 13: .absent
        case 14: .beforeDate(literal())
        case 15: .afterDate(literal())
        case 16: .withinLast(duration())
        case 17: .withinNext(duration())
        case 18: .beforeLast(duration())
        default: .afterNext(duration())
        }
    }

    private mutating func literals() -> [Literal] {
        var values: [Literal] = []
        for _ in 0..<random.below(4) { values.append(literal()) }
        return values
    }

    mutating func literal() -> Literal {
        switch random.below(6) {
        case 0: return .number(Double(random.below(2000) - 1000))
        case 1: return .number(Double(random.below(100_000) - 50_000) / 100)
        case 2:
            let number = Double(bitPattern: random.next())
            return .number(number.isFinite ? number : 0)
        case 3: return .boolean(random.chance(50))
        case 4:
            let text = random.pick([
                "2025-03-01", "2025-03-01T00:00:00-07:00", "1969-12-31T23:59:59.999Z", "2024-02-29T12:30Z",
                "2025-03-01T00:00:00.5", "0001-01-01", "2025-06-30T10:20:30.123+0530",
            ])
            return Instant(iso8601: text).map { .instant($0, text: text) } ?? .boolean(false)
        default: return .string(text())
        }
    }

    mutating func path() -> PropertyPath {
        var components: [PropertyPath.Component] = []
        for _ in 0...random.below(3) {
            components.append(random.chance(15) ? .elements : .key(text()))
        }
        return PropertyPath(components)
    }

    mutating func text() -> String { TreeGenerator.text(&random) }

    static func text(_ random: inout SeededRandom) -> String {
        if random.chance(60) {
            return random.pick([
                "Order Completed", "plan", "Größe", "注文完了", "🛒 added", "it's", "a.b", "$", "$set", "", "back\\slash",
                "AND", "price_$", "line\nbreak", "tab\t", "\u{0}", "\"quoted\"", "e\u{301}", "\u{301}", "{}", "ends\\",
            ])
        }
        let alphabet: [Unicode.Scalar] = [
            "a", "Z", "0", "'", "\\", ".", "$", " ", "\n", "\r", "\t", "ü", "\u{301}", "\u{200D}", "👩", "{", "u", "n",
            "\u{2028}", "\u{7F}", "-", "\"",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<random.below(9) { text.append(random.pick(alphabet)) }
        return String(text)
    }
}

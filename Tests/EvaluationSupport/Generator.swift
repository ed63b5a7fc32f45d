package import Evaluation
package import JSON
package import Model
package import Query
package import TestSupport

// Random worlds and random definitions. Names, values and times come from small sets, so that they meet often: events at
// the same millisecond, at the very ends of windows, equal texts of different types.

/// People, what they did, and an account some of them belong to.
package struct World {
    package var deeds: [Deed]
    package var asked: Asked
    package var evidence: Evidence
}

package struct Generator {
    package var random: SeededRandom
    /// The names of what happens in the world at hand: the fewer, the more happens of each.
    private var names: [String] = []
    /// Half hours in which everything happens: the fewer, the more of what follows is due to time alone.
    private var halfHours = 20

    package init(seed: UInt64) { random = SeededRandom(seed: seed) }

    package static let start = Instant(milliseconds: 1_700_000_000_000)
    package static let events = [
        "A", "A", "A", "A", "A", "B", "B", "B", "C", "Page Viewed", "Page Viewed", "Screen Viewed", "Größe gewählt",
    ]

    // MARK: Worlds

    package mutating func world() -> World {
        let people = (0..<3).map { person in
            Person(ordinals: ordinals(from: UInt32(person * 3)), computed: computedValues())
        }
        let account = Person(ordinals: [ProfileOrdinal(20)], computed: computedValues())
        let isAccount = random.chance(30)
        let users = isAccount ? people.shuffled(using: &random).prefix(random.below(4)).map(\.self) : [people[0]]
        let asked: Asked = isAccount ? .account(account, users: users) : .user(people[0])
        // Most deeds are of those who are asked about; some are others'.
        var owners = users.flatMap(\.ordinals)
        if isAccount { owners += account.ordinals }
        halfHours = random.pick([2, 6, 20])
        names = random.pick([["A"], ["A", "B"], ["A", "A", "A", "B", "B", "B", "C", "Größe gewählt"]])
        var deeds: [Deed] = []
        for number in 0..<random.below(16) {
            let owner = random.chance(85) ? random.pick(owners) : ProfileOrdinal(UInt32(random.below(21)))
            deeds.append(deed(number, owner, isAccount: owner.rawValue == 20))
        }
        var evidence = Evidence.everything
        if random.chance(15) { evidence.receivedFrom = time() }
        if random.chance(15) { evidence.timestampFrom = time() }
        if random.chance(15) { evidence.receivedUpTo = time() }
        return World(deeds: deeds, asked: asked, evidence: evidence)
    }

    private mutating func ordinals(from first: UInt32) -> [ProfileOrdinal] {
        (0..<UInt32(1 + (random.chance(40) ? random.below(3) : 0))).map { ProfileOrdinal(first + $0) }
    }

    private mutating func computedValues() -> [String: ComputedValue] {
        var values: [String: ComputedValue] = [:]
        if random.chance(50) { values["member"] = .value(.bool(random.chance(50))) }
        if random.chance(30) { values["plan"] = random.chance(30) ? .absent : .value(scalarValue()) }
        if random.chance(30) { values["best"] = .value(.array([scalarValue(), scalarValue()])) }
        return values
    }

    /// On a grid of half hours, sometimes a millisecond beside it.
    package mutating func time(within halfHours: Int = 20) -> Instant {
        var milliseconds = Generator.start.milliseconds + Int64(random.below(halfHours)) * 1_800_000
        if random.chance(15) { milliseconds += Int64(random.below(3) - 1) }
        return Instant(milliseconds: milliseconds)
    }

    private mutating func deed(_ number: Int, _ owner: ProfileOrdinal, isAccount: Bool) -> Deed {
        var timestamp = time(within: halfHours)
        var receivedAt = timestamp
        switch random.below(10) {
        case 0...4: receivedAt = timestamp + .seconds(Int64(random.below(3)))
        case 5, 6: receivedAt = time()
        case 7: receivedAt = timestamp - .hours(Int64(23 + random.below(3)))
        case 8: receivedAt = Generator.start
        default: if random.chance(20) { timestamp = Instant(milliseconds: -1) }
        }
        let kind: Call.Kind =
            isAccount
            ? .group
            : random.pick([.track, .track, .track, .track, .track, .track, .page, .screen, .identify, .identify])
        var body: JSONObject = [:]
        switch kind {
        case .track, .page, .screen:
            body["properties"] = .object(properties())
            body["context"] = .object(context())
            if kind != .track, random.chance(70) { body["name"] = .string(random.pick(["Home", "Cart"])) }
        default: body["traits"] = .object(traits())
        }
        // Ids whose order is not that of arrival.
        let messageID = "m\((number * 7) % 16)-\(number)"
        return Deed(
            call: Call(
                kind: kind, sourceID: random.pick(["web", "app", "shop"]), messageID: messageID,
                event: kind == .track ? random.pick(names) : nil, timestamp: timestamp,
                receivedAt: receivedAt, body: JSONValue.object(body).utf8),
            body: .object(body), profile: owner)
    }

    package mutating func scalarValue() -> JSONValue {
        random.pick([
            1, 2, 3, 2.5, 19.99, -1, "1", "2", "2.50", "red", "blue", "reddish", "true", "", true, false, nil, "1e1",
            10,
            "e\u{301}", "\u{E9}", 9_007_199_254_740_993,
        ])
    }

    private mutating func dateValue() -> JSONValue {
        let time = time()
        switch random.below(6) {
        case 0: return .string(String(time.description.prefix(10)))
        case 1: return .string(String(time.description.prefix(19)))
        case 2: return .number(Int(time.milliseconds))
        default: return .string(time.description)
        }
    }

    private mutating func value(depth: Int = 0) -> JSONValue {
        switch random.below(depth > 1 ? 6 : 10) {
        case 0...5: return scalarValue()
        case 6: return dateValue()
        case 7, 8: return .array((0..<random.below(4)).map { _ in value(depth: depth + 1) })
        default:
            var object: JSONObject = [:]
            for key in random.pick([["x", "y"], ["y", "x"]]) where random.chance(60) {
                object[key] = value(depth: depth + 1)
            }
            return .object(object)
        }
    }

    private mutating func properties() -> JSONObject {
        var properties: JSONObject = [:]
        for key in ["n", "s", "v"] where random.chance(75) { properties[key] = scalarValue() }
        if random.chance(75) { properties["d"] = dateValue() }
        if random.chance(50) { properties["tags"] = .array((0..<random.below(4)).map { _ in scalarValue() }) }
        if random.chance(50) { properties["items"] = .array((0..<random.below(3)).map { _ in value() }) }
        if random.chance(40) { properties["o"] = value() }
        if random.chance(20) { properties["a.b"] = scalarValue() }
        if random.chance(20) { properties["$"] = scalarValue() }
        return properties
    }

    private mutating func context() -> JSONObject {
        guard random.chance(60) else { return [:] }
        return ["page": ["url": .string(random.pick(["/", "/cart", "/red"]))], "tags": .array([scalarValue()])]
    }

    private mutating func traits() -> JSONObject {
        var traits: JSONObject = [:]
        for key in ["plan", "score", "vip"] where random.chance(60) { traits[key] = scalarValue() }
        if random.chance(50) { traits["birthday"] = dateValue() }
        if random.chance(40) { traits["list"] = value() }
        return traits
    }

    // MARK: Definitions

    package mutating func definition() -> Definition {
        if random.chance(15) { return .audience(funnel(depth: 0)) }
        if random.chance(60) { return .audience(condition(depth: 0, place: .top)) }
        return .trait(random.chance(90) ? reduction(depth: 0, place: .top) : scalar(depth: 0, place: .top))
    }

    /// How many occurrences stand around an expression.
    package enum Depth: Int {
        case top
        case inside
        case nested
    }

    package mutating func condition(depth: Int, place: Depth) -> Condition {
        switch depth > 2 ? 9 : random.below(10) {
        case 0: return .or(operands(depth, place) { if case .or = $0 { true } else { false } })
        case 1: return .and(operands(depth, place) { if case .and = $0 { true } else { false } })
        case 2: return .not(condition(depth: depth + 1, place: place))
        case 3:
            let inner = condition(depth: depth + 1, place: place)
            return random.chance(50) ? .any(inner) : .all(inner)
        default: return comparison(depth: depth + 1, place: place)
        }
    }

    private mutating func operands(
        _ depth: Int, _ place: Depth, _ isSame: (Condition) -> Bool
    ) -> [Condition] {
        var operands: [Condition] = []
        while operands.count < 2 + random.below(2) {
            let operand = condition(depth: depth + 1, place: place)
            if !isSame(operand) { operands.append(operand) }
        }
        return operands
    }

    private mutating func comparison(depth: Int, place: Depth) -> Condition {
        if place == .top ? random.chance(65) : random.chance(35), depth < 5 {
            let stream = stream(depth: depth, place: place)
            let number = Scalar.literal(random.chance(90) ? .number(Double(random.below(4))) : .string("2"))
            let comparator: Comparator = random.pick([
                .greaterThanOrEqual(number), .greaterThanOrEqual(number), .greaterThan(number), .equals(number),
                .lessThan(number), .lessThanOrEqual(number), .differs(number), .equals(.literal(.number(1.5))),
                .oneOf([.number(1), .number(2)]),
            ])
            return .comparison(.reduction(stream, .count), comparator)
        }
        if place == .nested, random.chance(30) {
            let path = propertyPath()
            return .comparison(
                .property(path),
                random.pick([
                    .equals(.parentProperty(path)), .differs(.parentProperty(path)),
                    .greaterThan(.parentProperty(propertyPath())),
                ]))
        }
        if random.chance(place == .top ? 20 : 40) { return relativeDate(place) }
        return .comparison(scalar(depth: depth, place: place), comparator(depth: depth, place: place))
    }

    /// Did this, and after it did or did not do that: what is true often enough to matter.
    private mutating func funnel(depth: Int) -> Condition {
        var filters: [StreamFilter] = []
        if depth > 0, random.chance(60) { filters.append(.withinParent(Duration(random.pick([1, 3, 5, 8]), .hour))) }
        if random.chance(30) { filters.append(.within(Duration(random.pick([3, 5, 8]), .hour))) }
        if depth < 2, random.chance(depth == 0 ? 100 : 50) {
            var inside = funnel(depth: depth + 1)
            if random.chance(20) { inside = .or([inside, comparison(depth: 3, place: .inside)]) }
            filters.append(.where(inside))
        }
        let stream = EventStream(event: random.pick(["A", "A", "B"]), filters: filters)
        let count = Condition.comparison(.reduction(stream, .count), .greaterThanOrEqual(.literal(.number(1))))
        return depth > 0 && random.chance(40) ? .not(count) : count
    }

    /// A date that has its moments, also in the `where` of an event.
    private mutating func relativeDate(_ place: Depth) -> Condition {
        let date: Scalar =
            switch place == .top ? 0 : random.below(4) {
            case 0: .trait(PropertyPath(key: "birthday"))
            case 1: .context(PropertyPath(key: "timestamp"))
            default: .property(PropertyPath(key: "d"))
            }
        return .comparison(
            date,
            random.pick([
                .withinLast(duration()), .withinNext(duration()), .beforeLast(duration()), .afterNext(duration()),
            ]))
    }

    private mutating func scalar(depth: Int, place: Depth) -> Scalar {
        let number = random.below(10)
        if place == .nested, number < 3 { return .parentProperty(propertyPath()) }
        if place != .top, number < 6 { return .property(propertyPath()) }
        if place != .top, number < 8 { return .context(contextPath()) }
        if number == 9, depth < 4 { return reduction(depth: depth, place: place) }
        if number == 8, random.chance(30) { return .literal(literal()) }
        return .trait(traitPath())
    }

    private mutating func comparator(depth: Int, place: Depth) -> Comparator {
        let isRelation = random.chance(place == .nested ? 50 : 25)
        let right = isRelation ? scalar(depth: depth + 1, place: place) : .literal(literal())
        let literals = (0..<(1 + random.below(3))).map { _ in literal() }
        return random.pick([
            .equals(right), .equals(right), .differs(right), .lessThan(right), .lessThanOrEqual(right),
            .greaterThan(right), .greaterThanOrEqual(right), .oneOf(literals), .noneOf(literals), .contains(literals),
            .omits(literals), .startsWith(literals[0]), .endsWith(literals[0]), .exists, .absent,
            .beforeDate(dateLiteral()), .afterDate(dateLiteral()), .withinLast(duration()), .withinNext(duration()),
            .beforeLast(duration()), .afterNext(duration()),
        ])
    }

    private mutating func literal() -> Literal {
        if random.chance(10) { return dateLiteral() }
        switch scalarValue() {
        case .number(let number): return .number(number.double)
        case .bool(let bool): return .boolean(bool)
        case .string(let string): return .string(string)
        default: return .string("r")
        }
    }

    private mutating func dateLiteral() -> Literal {
        let time = time()
        let text = String(time.description.prefix(random.pick([10, 19, 24])))
        guard random.chance(50), let instant = Instant(iso8601: text) else { return .string(text) }
        return .instant(instant, text: text)
    }

    private mutating func duration() -> Duration {
        if random.chance(85) { return Duration(random.pick([0, 1, 1, 2, 3, 5, 8]), .hour) }
        return random.pick([Duration(5400, .second), Duration(30, .minute), Duration(1, .day), Duration(1, .week)])
    }

    private mutating func propertyPath() -> PropertyPath {
        PropertyPath(
            text: random.pick([
                "n", "n", "s", "s", "v", "d", "tags", "tags.$", "tags.$", "items", "items.$", "items.$.x",
                "items.$.x.$",
                "items.$.$", "o", "o.x", "o.x.y", "o.$", "name", "page_name", "screen_name", "a\\.b", "\\$", "nothing",
            ]))
    }

    private mutating func contextPath() -> PropertyPath {
        PropertyPath(
            text: random.pick([
                "page.url", "page", "tags.$", "timestamp", "timestamp", "receivedAt", "messageId", "sourceId", "type",
            ]))
    }

    private mutating func traitPath() -> PropertyPath {
        PropertyPath(
            text: random.pick([
                "plan", "plan", "score", "vip", "birthday", "birthday", "list", "list.$", "list.x", "list.$.x",
                "member",
                "best", "best.$", "nothing",
            ]))
    }

    private mutating func reduction(depth: Int, place: Depth) -> Scalar {
        .reduction(stream(depth: depth, place: place), reducer())
    }

    private mutating func reducer() -> Reducer {
        let field: Field = random.chance(85) ? .property(propertyPath()) : .context(contextPath())
        let type: ValueType? = random.pick([nil, .number, .string])
        return random.pick([
            .count, .sum(field), .average(field), .minimum(field, type), .maximum(field, type), .first(field),
            .last(field),
            .mode(field, random.pick([nil, .string, .number, .array]), minimumFrequency: random.below(3)),
            .unique(field), .uniqueCount(field),
        ])
    }

    private mutating func stream(depth: Int, place: Depth) -> EventStream {
        var stream = EventStream(event: random.pick(Generator.events))
        if random.chance(50) { stream.filters.append(window(place)) }
        if random.chance(10) { stream.filters.append(window(place)) }
        if random.chance(depth < 4 ? 45 : 10) {
            let inner: Depth = place == .top ? .inside : .nested
            stream.filters.append(.where(condition(depth: depth + 1, place: inner)))
        }
        if random.chance(10) { stream.filters.append(.excludingSources([random.pick(["web", "app", "other"])])) }
        if random.chance(place == .top ? 15 : 5) { stream.filters.append(.expiresAfter(duration())) }
        return EventStream(event: stream.event, filters: stream.filters.shuffled(using: &random))
    }

    private mutating func window(_ place: Depth) -> StreamFilter {
        let (from, to) = (duration(), duration())
        if place != .top, random.chance(65) {
            return random.chance(60) ? .withinParent(to) : .betweenParent(from, to)
        }
        return random.chance(60) ? .within(to) : .between(from, to)
    }
}

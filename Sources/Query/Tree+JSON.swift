import JSON
import Model

// Parts of the tree as the builder's JSON holds them.

/// An object being read; knows where it stands, for messages.
struct MemberReader {
    private let value: JSONValue
    private let place: String

    init(_ value: JSONValue, at place: String) {
        self.value = value
        self.place = place
    }

    func error(_ key: String, _ message: String) -> BuilderError { BuilderError("\(place).\(key): \(message)") }

    /// `nil` if missing or null.
    func member(_ key: String) -> MemberReader? {
        guard let member = value[key], !member.isNull else { return nil }
        return MemberReader(member, at: "\(place).\(key)")
    }

    func text(_ key: String) throws(BuilderError) -> String {
        guard let text = value[key]?.string else { throw error(key, "expected text") }
        return text
    }

    func boolean(_ key: String, default standard: Bool) throws(BuilderError) -> Bool {
        guard let member = value[key] else { return standard }
        guard let boolean = member.bool else { throw error(key, "expected true or false") }
        return boolean
    }

    func integer(_ key: String) throws(BuilderError) -> Int {
        guard let integer = value[key]?.integer else { throw error(key, "expected a whole number") }
        return integer
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Choice.Type
    ) throws(BuilderError) -> Choice where Choice.RawValue == String {
        guard let choice = value[key]?.string.flatMap({ Choice(rawValue: $0) }) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(key, "expected one of \(names)")
        }
        return choice
    }

    func elements(_ key: String, isOptional: Bool = false) throws(BuilderError) -> [MemberReader] {
        guard let member = value[key], !(isOptional && member.isNull) else {
            if isOptional { return [] }
            throw error(key, "expected a list")
        }
        guard let array = member.array else { throw error(key, "expected a list") }
        return array.enumerated().map { MemberReader($1, at: "\(place).\(key)[\($0)]") }
    }

    func duration(_ key: String) throws(BuilderError) -> Duration {
        guard let member = member(key) else { throw error(key, "expected a length of time") }
        let duration = Duration(Int64(try member.integer("count")), try member.choice("unit", Duration.Unit.self))
        guard duration.count >= 0, duration.span <= Duration.maximum else {
            throw error(key, "a length of time lies between 0 and 36500 days")
        }
        return duration
    }

    func literal() throws(BuilderError) -> Literal {
        switch value {
        case .string(let text): return .string(text)
        case .bool(let boolean): return .boolean(boolean)
        case .number(let number):
            guard number.exactText == nil, number.double.isFinite else {
                throw BuilderError("\(place): \(number.text) has more digits than a number can hold; make it text")
            }
            return .number(number.double)
        case .object:
            let text = try text("date")
            guard let instant = Instant(iso8601: text) else { throw error("date", "expected a date") }
            return .instant(instant, text: text)
        case .null, .array: throw BuilderError("\(place): expected text, a number, true, false or {\"date\": …}")
        }
    }

    func literals(_ key: String) throws(BuilderError) -> [Literal] {
        var literals: [Literal] = []
        for element in try elements(key) { literals.append(try element.literal()) }
        return literals
    }

    func operand(_ key: String) throws(BuilderError) -> Scalar {
        guard let member = member(key) else { throw error(key, "expected a value") }
        switch try member.text("kind") {
        case "constant": return .literal(try member.constant())
        case "trait": return .trait(PropertyPath(text: try member.text("trait")))
        case "parent": return .parentProperty(PropertyPath(text: try member.text("property")))
        default: throw member.error("kind", "expected constant, trait or parent")
        }
    }

    func constant(_ key: String) throws(BuilderError) -> Literal {
        guard case .literal(let literal) = try operand(key) else { throw error(key, "expected a constant") }
        return literal
    }

    private func constant() throws(BuilderError) -> Literal {
        guard let member = member("value") else { throw error("value", "expected a constant") }
        return try member.literal()
    }
}

extension Duration {
    var json: JSONValue { ["count": .number(Int(count)), "unit": .string(unit.rawValue)] }
}

extension Literal {
    var json: JSONValue {
        switch self {
        case .number(let number): .number(number)
        case .string(let text): .string(text)
        case .boolean(let boolean): .bool(boolean)
        case .instant(_, let text): ["date": .string(text)]
        }
    }
}

extension Field {
    func add(to members: inout JSONObject) {
        switch self {
        case .property(let path): members["property"] = .string(path.text)
        case .context(let path): members["context"] = .string(path.text)
        }
    }

    init(_ reader: MemberReader) throws(BuilderError) {
        if reader.member("context") != nil {
            self = .context(PropertyPath(text: try reader.text("context")))
        } else {
            self = .property(PropertyPath(text: try reader.text("property")))
        }
    }
}

extension Comparator {
    /// The name of a comparison in JSON: as in the query language, symbols as words.
    private var operatorName: String {
        switch self {
        case .equals: "equals"
        case .differs: "differs"
        case .lessThan: "less_than"
        case .lessThanOrEqual: "less_than_or_equal"
        case .greaterThan: "greater_than"
        case .greaterThanOrEqual: "greater_than_or_equal"
        default: name
        }
    }

    func add(to members: inout JSONObject) {
        members["operator"] = .string(operatorName)
        switch self {
        case .exists, .absent: break
        case .oneOf(let values), .noneOf(let values), .contains(let values), .omits(let values):
            members["values"] = .array(values.map(\.json))
        case .withinLast(let span), .withinNext(let span), .beforeLast(let span), .afterNext(let span):
            members["duration"] = span.json
        case .startsWith(let value), .endsWith(let value), .beforeDate(let value), .afterDate(let value):
            members["value"] = ["kind": "constant", "value": value.json]
        case .equals(let scalar), .differs(let scalar), .lessThan(let scalar), .lessThanOrEqual(let scalar),
            .greaterThan(let scalar), .greaterThanOrEqual(let scalar):
            members["value"] = scalar.operandJSON
        }
    }

    init(_ reader: MemberReader) throws(BuilderError) {
        switch try reader.text("operator") {
        case "equals": self = .equals(try reader.operand("value"))
        case "differs": self = .differs(try reader.operand("value"))
        case "less_than": self = .lessThan(try reader.operand("value"))
        case "less_than_or_equal": self = .lessThanOrEqual(try reader.operand("value"))
        case "greater_than": self = .greaterThan(try reader.operand("value"))
        case "greater_than_or_equal": self = .greaterThanOrEqual(try reader.operand("value"))
        case "one_of": self = .oneOf(try reader.literals("values"))
        case "none_of": self = .noneOf(try reader.literals("values"))
        case "contains": self = .contains(try reader.literals("values"))
        case "omits": self = .omits(try reader.literals("values"))
        case "starts_with": self = .startsWith(try reader.constant("value"))
        case "ends_with": self = .endsWith(try reader.constant("value"))
        case "exists": self = .exists
        case "absent": self = .absent
        case "before_date": self = .beforeDate(try reader.constant("value"))
        case "after_date": self = .afterDate(try reader.constant("value"))
        case "within_last": self = .withinLast(try reader.duration("duration"))
        case "within_next": self = .withinNext(try reader.duration("duration"))
        case "before_last": self = .beforeLast(try reader.duration("duration"))
        case "after_next": self = .afterNext(try reader.duration("duration"))
        default: throw reader.error("operator", "there is no such operator")
        }
    }
}

extension Scalar {
    /// A value that the builder can compare with; others, which the builder never holds, become null.
    fileprivate var operandJSON: JSONValue {
        switch self {
        case .literal(let literal): ["kind": "constant", "value": literal.json]
        case .trait(let path): ["kind": "trait", "trait": .string(path.text)]
        case .parentProperty(let path): ["kind": "parent", "property": .string(path.text)]
        case .property, .context, .reduction: .null
        }
    }
}

extension Reducer {
    /// The types of computed traits (spec: engage §1.1).
    func add(to members: inout JSONObject) {
        field?.add(to: &members)
        switch self {
        case .count: members["type"] = "event_counter"
        case .sum, .average: setAggregation(nil, &members)
        case .minimum(_, let type), .maximum(_, let type): setAggregation(type, &members)
        case .first: members["type"] = "first"
        case .last: members["type"] = "last"
        case .mode(_, let type, let frequency):
            members["type"] = "most_frequent"
            members["dataType"] = type.map { .string($0.rawValue) }
            members["minimumFrequency"] = .number(frequency)
        case .unique: members["type"] = "unique_list"
        case .uniqueCount: members["type"] = "unique_list_count"
        }
    }

    private func setAggregation(_ type: ValueType?, _ members: inout JSONObject) {
        members["type"] = "aggregation"
        members["aggregation"] = .string(name)
        members["dataType"] = type.map { .string($0.rawValue) }
    }

    init(_ reader: MemberReader) throws(BuilderError) {
        var type: ValueType?
        if reader.member("dataType") != nil { type = try reader.choice("dataType", ValueType.self) }
        switch try reader.text("type") {
        case "event_counter": self = .count
        case "aggregation":
            let field = try Field(reader)
            switch try reader.text("aggregation") {
            case "sum": self = .sum(field)
            case "avg": self = .average(field)
            case "min": self = .minimum(field, type)
            case "max": self = .maximum(field, type)
            default: throw reader.error("aggregation", "expected one of sum, avg, min, max")
            }
        case "most_frequent":
            let frequency = reader.member("minimumFrequency") == nil ? 2 : try reader.integer("minimumFrequency")
            self = .mode(try Field(reader), type, minimumFrequency: frequency)
        case "first": self = .first(try Field(reader))
        case "last": self = .last(try Field(reader))
        case "unique_list": self = .unique(try Field(reader))
        case "unique_list_count": self = .uniqueCount(try Field(reader))
        default:
            throw reader.error(
                "type",
                "expected one of event_counter, aggregation, most_frequent, first, last, unique_list, unique_list_count"
            )
        }
    }
}

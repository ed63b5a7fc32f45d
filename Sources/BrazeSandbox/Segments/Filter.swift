import JSON

/// Counts against a whole number.
enum CountComparison: String, CaseIterable, Sendable {
    case moreThan = "more_than"
    case lessThan = "less_than"
    case exactly

    var label: String { rawValue.replacing("_", with: " ") }

    func holds(_ count: Int, _ n: Int) -> Bool {
        switch self {
        case .moreThan: count > n
        case .lessThan: count < n
        case .exactly: count == n
        }
    }
}

/// When something happened first or last (spec braze §5.4).
enum MomentComparison: String, CaseIterable, Sendable {
    case before, after
    case moreThanAgo = "more_than_ago"
    case lessThanAgo = "less_than_ago"

    var label: String {
        switch self {
        case .before: "before"
        case .after: "after"
        case .moreThanAgo: "more than days ago"
        case .lessThanAgo: "less than days ago"
        }
    }
}

/// One criterion of a segment (§5.1).
enum Filter: Sendable, Hashable {
    struct Attribute: Sendable, Hashable {
        var name: String
        /// Leads into an object (`a.b`) or an array of objects (`[].b`).
        var path: String?
        /// The type that was registered when the filter was made; saved filters keep it.
        var type: AttributeType
        var comparison: AttributeOperator
        /// In the shape that ``AttributeOperator/operand`` says; null for none.
        var value: JSONValue
    }

    struct Property: Sendable, Hashable {
        var name: String
        var comparison: PropertyComparison
        var value: JSONValue
    }

    enum PropertyComparison: String, CaseIterable, Sendable {
        case equals
        case doesNotEqual = "does_not_equal"
        case moreThan = "more_than"
        case lessThan = "less_than"

        var label: String { rawValue.replacing("_", with: " ") }
    }

    enum Flag: String, CaseIterable, Sendable {
        case hasExternalID = "has_external_id"
        case emailAvailable = "email_available"
        case pushEnabled = "push_enabled"

        var label: String {
            switch self {
            case .hasExternalID: "External ID exists"
            case .emailAvailable: "Email available"
            case .pushEnabled: "Foreground push enabled"
            }
        }
    }

    case attribute(Attribute)
    case eventCount(name: String, CountComparison, n: Int)
    case eventMoment(name: String, isFirst: Bool, MomentComparison, value: JSONValue)
    case eventInDays(name: String, CountComparison, n: Int, days: Int, Property?)
    case purchaseCount(CountComparison, n: Int)
    /// A profile field such as `email` or `country`, compared as a string.
    case field(name: String, AttributeOperator, value: JSONValue)
    case segment(id: String, isIncluded: Bool)
    case cohort(partner: String, id: String, isIncluded: Bool)
    case flag(Flag, Bool)
    case randomBucket(CountComparison, n: Int)

    /// Profile fields that filters can name.
    static let fieldNames = [
        "external_id", "email", "phone", "first_name", "last_name", "country", "home_city", "language", "gender",
        "time_zone",
    ]

    var json: JSONValue {
        switch self {
        case .attribute(let filter):
            var object: JSONObject = ["kind": "attribute", "name": .string(filter.name)]
            if let path = filter.path { object["path"] = .string(path) }
            object["type"] = .string(filter.type.rawValue)
            object["op"] = .string(filter.comparison.rawValue)
            if filter.comparison.operand != .none { object["value"] = filter.value }
            return .object(object)
        case .eventCount(let name, let comparison, let n):
            return ["kind": "event_count", "name": .string(name), "op": .string(comparison.rawValue), "n": .number(n)]
        case .eventMoment(let name, let isFirst, let comparison, let value):
            return [
                "kind": isFirst ? "event_first" : "event_last", "name": .string(name),
                "op": .string(comparison.rawValue),
                "value": value,
            ]
        case .eventInDays(let name, let comparison, let n, let days, let property):
            var object: JSONObject = [
                "kind": "event_x_in_y", "name": .string(name), "op": .string(comparison.rawValue), "n": .number(n),
                "days": .number(days),
            ]
            if let property {
                object["property"] = [
                    "name": .string(property.name), "op": .string(property.comparison.rawValue),
                    "value": property.value,
                ]
            }
            return .object(object)
        case .purchaseCount(let comparison, let n):
            return ["kind": "purchase_count", "op": .string(comparison.rawValue), "n": .number(n)]
        case .field(let name, let comparison, let value):
            var object: JSONObject = ["kind": "field", "name": .string(name), "op": .string(comparison.rawValue)]
            if comparison.operand != .none { object["value"] = value }
            return .object(object)
        case .segment(let id, let isIncluded):
            return ["kind": "segment", "id": .string(id), "include": .bool(isIncluded)]
        case .cohort(let partner, let id, let isIncluded):
            return ["kind": "cohort", "partner": .string(partner), "id": .string(id), "include": .bool(isIncluded)]
        case .flag(let flag, let isSet): return ["kind": .string(flag.rawValue), "include": .bool(isSet)]
        case .randomBucket(let comparison, let n):
            return ["kind": "random_bucket", "op": .string(comparison.rawValue), "n": .number(n)]
        }
    }
}

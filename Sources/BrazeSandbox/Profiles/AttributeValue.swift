import JSON

/// The data type that Braze registers for a custom attribute name (spec braze §2.2).
enum AttributeType: String, Sendable, CaseIterable {
    case boolean, number, string, time, array, object
    case objects = "object_array"

    /// As `/custom_attributes` and the pages name it.
    var title: String {
        switch self {
        case .boolean: "Boolean"
        case .number: "Number"
        case .string: "String"
        case .time: "Time"
        case .array: "Array"
        case .object: "Object"
        case .objects: "Object Array"
        }
    }
}

/// The value of a custom attribute on a profile.
enum AttributeValue: Sendable, Hashable {
    case boolean(Bool)
    case number(JSONNumber)
    case string(String)
    case time(EpochMilliseconds)
    /// Scalars.
    case array([JSONValue])
    case object(JSONObject)
    case objects([JSONObject])

    var type: AttributeType {
        switch self {
        case .boolean: .boolean
        case .number: .number
        case .string: .string
        case .time: .time
        case .array: .array
        case .object: .object
        case .objects: .objects
        }
    }

    /// As exports and pages show it: times as ISO 8601.
    var json: JSONValue {
        switch self {
        case .boolean(let bool): .bool(bool)
        case .number(let number): .number(number)
        case .string(let string): .string(string)
        case .time(let instant): .string(DateText.iso(instant))
        case .array(let elements): .array(elements)
        case .object(let object): .object(object)
        case .objects(let objects): .array(objects.map { .object($0) })
        }
    }

    /// As the snapshot stores it. `$time` marks a time: no attribute object may have a key with a `$`.
    var stored: JSONValue {
        if case .time(let instant) = self { return ["$time": .number(Int(instant))] }
        return json
    }

    init?(stored: JSONValue) {
        switch stored {
        case .null: return nil
        case .bool(let bool): self = .boolean(bool)
        case .number(let number): self = .number(number)
        case .string(let string): self = .string(string)
        case .array(let elements):
            let objects = elements.compactMap(\.object)
            self = objects.isEmpty || objects.count != elements.count ? .array(elements) : .objects(objects)
        case .object(let object):
            if let instant = object["$time"]?.integer, object.count == 1 {
                self = .time(EpochMilliseconds(instant))
            } else {
                self = .object(object)
            }
        }
    }
}

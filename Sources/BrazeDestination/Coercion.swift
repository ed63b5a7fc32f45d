import JSON
import Model

/// Conversions of values to the types of fields (spec: braze-destination §3.2). Absent, null and empty text give `nil`;
/// what can't be converted refuses the call.
enum Coercion {
    static func text(_ value: JSONValue?, field: String) throws(MappingError) -> String? {
        switch try scalar(value, field: field, type: "a text") {
        case nil: nil
        case .string(let text)?: text.isEmpty ? nil : text
        case .number(let number)?: number.text
        case .bool(let bool)?: bool ? "true" : "false"
        default: throw MappingError(field: field, message: "is not a text")
        }
    }

    static func number(_ value: JSONValue?, field: String) throws(MappingError) -> JSONNumber? {
        switch try scalar(value, field: field, type: "a number") {
        case nil: return nil
        case .number(let number)?: return number
        case .bool(let bool)?: return JSONNumber(bool ? 1 : 0)
        case .string(let text)?:
            if text.isEmpty { return nil }
            let number = try? JSONValue(parsing: text.trimmingSpaces)
            guard case .number(let number)? = number else {
                throw MappingError(field: field, message: "is not a number")
            }
            return number
        default: throw MappingError(field: field, message: "is not a number")
        }
    }

    static func integer(_ value: JSONValue?, field: String) throws(MappingError) -> JSONNumber? {
        guard let number = try number(value, field: field) else { return nil }
        guard number.integer != nil else { throw MappingError(field: field, message: "is not a whole number") }
        return number
    }

    static func boolean(_ value: JSONValue?, field: String) throws(MappingError) -> Bool? {
        switch try scalar(value, field: field, type: "true or false") {
        case nil, .string("")?: return nil
        case .bool(let bool)?: return bool
        case .string("true")?, .number(JSONNumber(1))?: return true
        case .string("false")?, .number(JSONNumber(0))?: return false
        default: throw MappingError(field: field, message: "is neither true nor false")
        }
    }

    /// A readable date, or epoch milliseconds. A text without a zone is UTC.
    static func instant(_ value: JSONValue?, field: String) throws(MappingError) -> Instant? {
        switch try scalar(value, field: field, type: "a date") {
        case nil, .string("")?: return nil
        case .number(let number)?:
            guard number.double.magnitude < 8.64e15 else {
                throw MappingError(field: field, message: "is not a date")
            }
            return Instant(milliseconds: Int64(number.double.rounded(.down)))
        case .string(let text)?:
            guard let instant = Instant(iso8601: text.trimmingSpaces) else {
                throw MappingError(field: field, message: "is not a date that can be read: use ISO 8601")
            }
            return instant
        default: throw MappingError(field: field, message: "is not a date")
        }
    }

    static func uri(_ value: JSONValue?, field: String) throws(MappingError) -> String? {
        guard let text = try text(value, field: field) else { return nil }
        let scheme = text.prefix { $0 != ":" }
        guard scheme.count < text.count, let first = scheme.first, first.isASCII, first.isLetter,
            scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        else { throw MappingError(field: field, message: "is not an address with a scheme such as https:") }
        return text
    }

    /// A lone value becomes a list of one.
    static func list(_ value: JSONValue?) -> [JSONValue]? {
        switch value {
        case nil, .null?: nil
        case .array(let elements)?: elements
        case let value?: [value]
        }
    }

    /// Words of any case become Braze's letters; unknown words stay (§3.2).
    static func gender(_ text: String) -> String {
        switch text.lowercased() {
        case "man", "male", "m": "M"
        case "woman", "female", "w", "f": "F"
        case "other", "o": "O"
        case "not applicable", "n": "N"
        case "prefer not to say", "p": "P"
        default: text
        }
    }

    /// A list of exactly one scalar is unwrapped; objects and longer lists are refused.
    private static func scalar(_ value: JSONValue?, field: String, type: String) throws(MappingError) -> JSONValue? {
        switch value {
        case nil, .null?: return nil
        case .array(let elements)?:
            if elements.count == 1, let only = elements.first, only.array == nil, only.object == nil {
                return only.isNull ? nil : only
            }
            throw MappingError(field: field, message: "is a list, not \(type)")
        case .object?: throw MappingError(field: field, message: "is an object, not \(type)")
        case let scalar?: return scalar
        }
    }
}

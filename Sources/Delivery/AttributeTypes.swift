import JSON

/// The JSON type that each value name was last sent with. Braze keeps one type per attribute: when it flips, filters
/// built on the old one stop matching (braze §2.2, §7.2-7), so a flip is worth a word.
struct AttributeTypes: Sendable {
    private var types: [String: String] = [:]

    /// Names remembered; computations are far fewer.
    private static let limit = 10_000

    /// Remembers the type of a value that was sent. The warning, if it differs from the last one.
    mutating func note(_ name: String, _ value: JSONValue) -> String? {
        guard let type = Self.type(of: value) else { return nil }
        let last = types[name]
        guard last != type else { return nil }
        if last != nil || types.count < Self.limit { types[name] = type }
        guard let last else { return nil }
        return "The type of '\(name)' changed from \(last) to \(type): filters on it may stop matching"
    }

    /// `nil` for null, which has every type.
    private static func type(of value: JSONValue) -> String? {
        switch value {
        case .null: nil
        case .bool: "boolean"
        case .number: "number"
        case .string: "text"
        case .array: "list"
        case .object: "object"
        }
    }
}

import JSON
import Model

/// Reads the members of a JSON object one by one and remembers which, so that a misspelt one does not go unnoticed.
struct Fields {
    /// The members as they were sent.
    let raw: JSONObject
    /// The dotted name of the object within the body; empty for the body itself.
    private let path: String
    private var known: Set<String> = []

    init(_ object: JSONObject, path: String = "") {
        raw = object
        self.path = path
    }

    /// The dotted name of a member within the body.
    func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func has(_ key: String) -> Bool { raw[key] != nil }

    /// The member, if it is there and not null.
    mutating func value(_ key: String) -> JSONValue? {
        known.insert(key)
        guard let value = raw[key], !value.isNull else { return nil }
        return value
    }

    func invalid(_ key: String, _ message: String) -> APIError {
        APIError(.validation, field: place(key), "'\(place(key))' \(message)")
    }

    mutating func string(_ key: String, maximumLength: Int = 10_000) throws(APIError) -> String? {
        guard let value = value(key) else { return nil }
        guard let string = value.string else { throw invalid(key, "must be a text in quotes.") }
        guard string.unicodeScalars.count <= maximumLength else {
            throw invalid(key, "is longer than \(maximumLength) characters: shorten it.")
        }
        return string
    }

    /// A text that has something in it besides space; surrounding space is cut off.
    mutating func title(_ key: String, maximumLength: Int = 255) throws(APIError) -> String? {
        guard let string = try string(key, maximumLength: maximumLength) else { return nil }
        let isSpace = { (character: Character) in character.isWhitespace }
        let trimmed = String(
            string.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
        guard !trimmed.isEmpty else { throw invalid(key, "is empty: give it a name.") }
        return trimmed
    }

    mutating func bool(_ key: String) throws(APIError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let bool = value.bool else { throw invalid(key, "must be true or false.") }
        return bool
    }

    mutating func integer(_ key: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = value(key) else { return nil }
        guard let integer = value.integer, range.contains(integer) else {
            throw invalid(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return integer
    }

    mutating func number(_ key: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw invalid(key, "must be a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, of type: Choice.Type)
        throws(APIError) -> Choice? where Choice.RawValue == String
    {
        guard let text = try string(key) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            throw invalid(key, "must be one of: \(choices).")
        }
        return choice
    }

    mutating func object(_ key: String) throws(APIError) -> Fields? {
        guard let value = value(key) else { return nil }
        guard let object = value.object else { throw invalid(key, "must be a JSON object.") }
        return Fields(object, path: place(key))
    }

    mutating func objects(_ key: String, maximumCount: Int) throws(APIError) -> [Fields]? {
        guard let value = value(key) else { return nil }
        guard let array = value.array, array.count <= maximumCount, array.allSatisfy({ $0.object != nil }) else {
            throw invalid(key, "must be a list of at most \(maximumCount) JSON objects.")
        }
        return array.enumerated().map { Fields($1.object ?? [:], path: "\(place(key))[\($0)]") }
    }

    mutating func strings(_ key: String, maximumCount: Int = 100) throws(APIError) -> [String]? {
        guard let value = value(key) else { return nil }
        guard let array = value.array, array.count <= maximumCount else {
            throw invalid(key, "must be a list of at most \(maximumCount) texts.")
        }
        var strings: [String] = []
        for element in array {
            guard let string = element.string else { throw invalid(key, "must be a list of texts in quotes.") }
            strings.append(string)
        }
        return strings
    }

    func required<Value>(_ value: Value?, _ key: String) throws(APIError) -> Value {
        guard let value else { throw APIError(.validation, field: place(key), "'\(place(key))' is missing.") }
        return value
    }

    /// Everything that was sent must have been read.
    func finish() throws(APIError) {
        guard let unknown = raw.keys.first(where: { !known.contains($0) }) else { return }
        let choices = known.sorted().map { "'\($0)'" }.joined(separator: ", ")
        throw APIError(
            .validation, field: place(unknown),
            "'\(place(unknown.prefixText))' is not known here. Possible: \(choices).")
    }
}

extension String {
    /// At most 80 characters, for messages.
    var prefixText: String { String(prefix(80)) }
}

extension JSONValue {
    /// A time as it leaves Muster; null where there is none.
    static func time(_ instant: Instant?) -> JSONValue {
        guard let instant, instant > .distantPast else { return .null }
        return .string(instant.description)
    }
}

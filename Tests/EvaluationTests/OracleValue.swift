import JSON
import Model
import Query

/// Text by its bytes.
struct Bytes: Hashable {
    let bytes: [UInt8]
    init(_ string: String) { bytes = Array(string.utf8) }
    var string: String { String(decoding: bytes, as: UTF8.self) }
}

extension String {
    var bytes: [UInt8] { Array(utf8) }

    func has(_ part: String) -> Bool {
        let (text, part) = (bytes, part.bytes)
        return part.isEmpty || text.indices.contains { text[$0...].starts(with: part) }
    }
}

extension Instant.Span {
    static let zero = Instant.Span(milliseconds: 0)
}

extension Scalar {
    static func field(_ field: Field) -> Scalar {
        switch field {
        case .property(let path): .property(path)
        case .context(let path): .context(path)
        }
    }

    var isPlural: Bool {
        switch self {
        case .trait(let path), .property(let path), .parentProperty(let path), .context(let path):
            path.components.contains(.elements)
        case .literal, .reduction: false
        }
    }
}

/// A value as the specification tells them apart.
enum Value {
    case json(JSONValue)
    case literal(String)
    case date(Instant, String)

    init(_ literal: Literal) {
        switch literal {
        case .number(let number): self = .json(.number(number))
        case .string(let string): self = .literal(string)
        case .instant(let instant, let text): self = .date(instant, text)
        case .boolean(let bool): self = .json(.bool(bool))
        }
    }

    var json: JSONValue {
        switch self {
        case .json(let value): value
        case .literal(let text), .date(_, let text): .string(text)
        }
    }

    var isNull: Bool { json == .null }

    var string: String? {
        switch json {
        case .null: nil
        case .string(let string): string
        case let other: other.description
        }
    }

    var date: Instant? {
        switch self {
        case .date(let instant, _): instant
        case .literal(let text): Instant(iso8601: text, zone: .assumeUTC)
        case .json(.string(let text)): Instant(iso8601: text, zone: .required)
        case .json: nil
        }
    }

    private var isText: Bool { if case .string = json { true } else { false } }
    private var isDate: Bool { if case .date = self { true } else { false } }

    var number: Double? {
        if isDate { return nil }
        switch json {
        case .number(let number): return number.double
        case .string(let text):
            guard text.wholeMatch(of: /[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?/) != nil else { return nil }
            return Double(text.hasSuffix(".") ? text + "0" : text).flatMap { $0.isFinite ? $0 : nil }
        default: return nil
        }
    }

    static func equal(_ left: Value, _ right: Value) -> Bool {
        if left.isNull || right.isNull { return false }
        if left.isDate || right.isDate {
            guard left.isText, right.isText else { return false }
            if left.string == right.string { return true }
            return left.date != nil && left.date == right.date
        }
        switch (left.json, right.json) {
        case (.number(let left), .number(let right)): return left.double == right.double
        case (.number, .string), (.string, .number): return left.number == right.number
        case (.bool(let left), .bool(let right)): return left == right
        case (.number, _), (_, .number): return false
        case (.bool, .array), (.bool, .object), (.array, .bool), (.object, .bool): return false
        default: return left.string?.bytes == right.string?.bytes
        }
    }

    static func order(_ left: Value, _ right: Value) -> Int? {
        if left.isDate || right.isDate {
            guard let left = left.date, let right = right.date else { return nil }
            return left < right ? -1 : left == right ? 0 : 1
        }
        if let left = left.number, let right = right.number { return left < right ? -1 : left == right ? 0 : 1 }
        guard left.isText, right.isText, let left = left.string?.bytes, let right = right.string?.bytes else {
            return nil
        }
        return left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
    }
}

extension JSONValue {
    /// The text of an event's object has its members by name; what is inside of arrays stays as it was sent.
    var byName: JSONValue {
        guard case .object(let object) = self else { return self }
        let members = object.members.map { (key: $0.key, value: $0.value.byName) }
        return .object(JSONObject(members.sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }))
    }
}

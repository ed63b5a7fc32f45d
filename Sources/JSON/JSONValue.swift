/// JSON as Muster reads and writes it.
///
/// Promises: strict RFC 8259 on input, numbers survive a round trip without binary rounding (spec: collection §1.6-6),
/// object members keep their order, and the same value always prints as the same bytes. No Foundation.
///
/// `JSONValue` is a tree: right for definitions, API bodies and single values, too slow for every event. The hot path
/// reads events through a flat tape and builds trees only for what it needs.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// A JSON number: its double, and its text where the double would lose digits.
public struct JSONNumber: Sendable, Hashable {
    /// The nearest double.
    public let double: Double
    /// The literal as it was sent, kept only where printing `double` would denote another decimal number.
    public let exactText: String?

    public init(_ double: Double) {
        self.double = double
        self.exactText = nil
    }

    public init(_ integer: Int) {
        self.double = Double(integer)
        self.exactText = Int(exactly: self.double) == integer && abs(integer) <= 1 << 53 ? nil : String(integer)
    }

    /// From the text of a JSON number literal; `nil` if the text is none.
    public init?(literal: String) {
        guard let double = Double(literal), literal.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        self.double = double
        // Fifteen significant digits always survive the way through a double.
        let digits = literal.utf8.prefix { $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }
            .count { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        if digits <= 15, double.isFinite, double != 0 || !literal.utf8.contains(where: { $0 >= 0x31 && $0 <= 0x39 }) {
            self.exactText = nil
        } else {
            self.exactText = JSONNumber.print(double) == literal ? nil : literal
        }
    }

    /// The literal that is written: an integer without a fraction, else the shortest text that reads back the same.
    public var text: String { exactText ?? JSONNumber.print(double) }

    /// The integer, if the number is one and fits.
    public var integer: Int? {
        if let exactText { return Int(exactText) ?? Int(exactly: double) }
        return Int(exactly: double)
    }

    static func print(_ double: Double) -> String {
        guard double.isFinite else { return "null" }
        if let integer = Int64(exactly: double), integer.magnitude <= 1 << 53 { return String(integer) }
        return double.description
    }
}

/// Members in the order they were written. A repeated key keeps its first place and its last value.
public struct JSONObject: Sendable, ExpressibleByDictionaryLiteral {
    public private(set) var members: [(key: String, value: JSONValue)] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members.reserveCapacity(elements.count)
        for (key, value) in elements { self[key] = value }
    }

    public init(_ members: some Sequence<(key: String, value: JSONValue)>) {
        self.members.reserveCapacity(members.underestimatedCount)
        // An index keeps this linear: a hostile body may hold tens of thousands of members. Few are found faster without.
        var places: [String: Int] = [:]
        for (key, value) in members {
            if self.members.count < JSONObject.indexedFrom {
                self[key] = value
                continue
            }
            if places.isEmpty { for (place, member) in self.members.enumerated() { places[member.key] = place } }
            if let place = places[key] {
                self.members[place].value = value
            } else {
                places[key] = self.members.count
                self.members.append((key, value))
            }
        }
    }

    /// Of several members of one name the last stands, at the place of the first. Mostly each has a name of its own: then
    /// they are taken as they are.
    public init(_ members: [(key: String, value: JSONValue)]) {
        let mayHaveTwins =
            members.count >= JSONObject.indexedFrom
            || members.indices.contains { place in
                members[..<place].contains { $0.key == members[place].key }
            }
        guard !mayHaveTwins else {
            self.init(members[...])
            return
        }
        self.init()
        self.members = members
    }

    /// Members from which an index is worth its making.
    private static let indexedFrom = 16

    /// Makes room for so many members.
    public mutating func reserveCapacity(_ count: Int) { members.reserveCapacity(count) }

    public var isEmpty: Bool { members.isEmpty }
    public var count: Int { members.count }
    public var keys: [String] { members.map(\.key) }

    public subscript(key: String) -> JSONValue? {
        get { members.first { $0.key == key }?.value }
        set {
            let index = members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append((key, value))
            case (nil, nil): break
            }
        }
    }
}

extension JSONObject: Hashable {
    /// Equal members in any order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }

    public func hash(into hasher: inout Hasher) {
        for key in members.map(\.key).sorted() { hasher.combine(key) }
    }
}

extension JSONValue {
    /// The member of an object; `nil` where this is no object or has no such member.
    public subscript(key: String) -> JSONValue? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The element of an array; `nil` where this is no array or is shorter.
    public subscript(index: Int) -> JSONValue? {
        if case .array(let array) = self, array.indices.contains(index) { array[index] } else { nil }
    }

    public var string: String? { if case .string(let string) = self { string } else { nil } }
    public var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    public var double: Double? { if case .number(let number) = self { number.double } else { nil } }
    public var integer: Int? { if case .number(let number) = self { number.integer } else { nil } }
    public var array: [JSONValue]? { if case .array(let array) = self { array } else { nil } }
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
    public var isNull: Bool { if case .null = self { true } else { false } }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
    public init(floatLiteral value: Double) { self = .number(JSONNumber(value)) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        object.reserveCapacity(elements.count)
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }

    public static func number(_ double: Double) -> JSONValue { .number(JSONNumber(double)) }
    public static func number(_ integer: Int) -> JSONValue { .number(JSONNumber(integer)) }
    /// A string, or null.
    public static func string(orNull string: String?) -> JSONValue { string.map { .string($0) } ?? .null }
}

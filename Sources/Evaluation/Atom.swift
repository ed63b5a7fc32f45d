import History
import JSON
import Model
import Query

/// One value as comparisons see it, wherever it comes from: a column, a literal, another computation, a reducer.
package enum Atom {
    case null
    case boolean(Bool)
    /// The nearest double, and the number's own text where the double would print another.
    case number(Double, exactText: String?)
    /// A string. A literal that reads as a date carries the instant; of other strings it is read when needed.
    case text(String, instant: Int64? = nil)
    /// An array or object as compact JSON.
    case composite(String)
    /// An unquoted date in a query, or an instant of the event's envelope, in milliseconds, with its text.
    case date(Int64, text: String)

    init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let bool): self = .boolean(bool)
        case .number(let number): self = .number(number.double, exactText: number.exactText)
        case .string(let string): self = .text(string)
        case .array, .object: self = .composite(value.description)
        }
    }

    init(_ literal: Literal) {
        switch literal {
        case .number(let double): self = .number(double, exactText: nil)
        case .string(let string): self = .text(string, instant: Instant(iso8601: string)?.milliseconds)
        case .instant(let instant, let text): self = .date(instant.milliseconds, text: text)
        case .boolean(let bool): self = .boolean(bool)
        }
    }

    /// What text operators, lists and rankings look at; `nil` of null.
    package var text: String? {
        switch self {
        case .null: nil
        case .boolean(let bool): bool ? "true" : "false"
        case .number(let double, let exactText): exactText ?? JSONNumber(double).text
        case .text(let text, _), .composite(let text), .date(_, let text): text
        }
    }

    /// The instant, where this counts as a date: a string only in ISO 8601 with a zone or as a bare date
    /// (spec: collection §2.3), a literal string also without a zone.
    var instant: Int64? {
        switch self {
        case .date(let milliseconds, _): milliseconds
        case .text(let text, let instant): instant ?? Instant(iso8601: text, zone: .required)?.milliseconds
        case .null, .boolean, .number, .composite: nil
        }
    }

    /// The number, where this counts as one: numeric strings do (spec: engage §1.3).
    package var number: Double? {
        switch self {
        case .number(let double, _): double
        case .text(let text, _): NumericText.parse(text)
        case .null, .boolean, .composite, .date: nil
        }
    }
}

/// Equality and order between any two values (spec: engage §2.4, §3.1, §3.5).
enum Comparison {
    /// Exact match. Null equals nothing, also not itself. A string equals a number that it denotes and a boolean that it
    /// names; two strings are equal only byte by byte.
    static func equal(_ left: Atom, _ right: Atom) -> Bool {
        switch (left, right) {
        case (.null, _), (_, .null): false
        case (.boolean(let left), .boolean(let right)): left == right
        case (.number(let left, _), .number(let right, _)): left == right
        case (.date(let left, _), .date(let right, _)): left == right
        case (.date(let date, let text), .text), (.text, .date(let date, let text)):
            left.text == text && right.text == text
                || (left.instant == date && right.instant == date)
        case (.number, .text), (.text, .number): left.number == right.number
        case (.boolean, .text), (.text, .boolean), (.text, .text), (.composite, .composite), (.text, .composite),
            (.composite, .text):
            sameBytes(left.text, right.text)
        default: false
        }
    }

    /// Whether two values stand in an order; `nil` where they can't be compared, and every ordering is false.
    /// Numbers and numeric strings compare as numbers, other strings byte by byte, dates in time.
    static func order(_ left: Atom, _ right: Atom) -> Order? {
        if case .date = left { return instants(left, right) }
        if case .date = right { return instants(left, right) }
        if let leftNumber = left.number, let rightNumber = right.number {
            return leftNumber < rightNumber ? .less : leftNumber == rightNumber ? .same : .greater
        }
        guard case .text(let leftText, _) = left, case .text(let rightText, _) = right else { return nil }
        if leftText.utf8.elementsEqual(rightText.utf8) { return .same }
        return leftText.utf8.lexicographicallyPrecedes(rightText.utf8) ? .less : .greater
    }

    private static func instants(_ left: Atom, _ right: Atom) -> Order? {
        guard let left = left.instant, let right = right.instant else { return nil }
        return left < right ? .less : left == right ? .same : .greater
    }

    private static func sameBytes(_ left: String?, _ right: String?) -> Bool {
        guard let left, let right else { return false }
        return left.utf8.elementsEqual(right.utf8)
    }
}

package enum Order {
    case less
    case same
    case greater
}

/// The four orderings.
package enum Ordering: Hashable, Sendable {
    case less
    case lessOrSame
    case greater
    case greaterOrSame

    func accepts(_ order: Order?) -> Bool {
        switch self {
        case .less: order == .less
        case .lessOrSame: order == .less || order == .same
        case .greater: order == .greater
        case .greaterOrSame: order == .greater || order == .same
        }
    }

    package func accepts(_ left: Double, _ right: Double) -> Bool {
        switch self {
        case .less: left < right
        case .lessOrSame: left <= right
        case .greater: left > right
        case .greaterOrSame: left >= right
        }
    }
}

/// Strings that denote numbers: an optional sign, digits with at most one point among or around them, an optional
/// exponent, and nothing else.
public enum NumericText {
    static func parse(_ text: String) -> Double? {
        var text = text
        return text.withUTF8 { parse($0) }
    }

    package static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
        var position = 0
        var isNegative = false
        if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            isNegative = first == UInt8(ascii: "-")
            position = 1
        }
        var mantissa: UInt64 = 0
        var digits = 0
        var fraction = 0
        var hasPoint = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte >= 0x30, byte <= 0x39 {
                if digits < 18 { mantissa = mantissa * 10 + UInt64(byte - 0x30) }
                digits += 1
                fraction += hasPoint ? 1 : 0
            } else if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else {
                break
            }
            position += 1
        }
        guard digits > 0 else { return nil }
        if position == bytes.count, mantissa <= 1 << 53, digits <= 18, fraction <= 18 {
            // Both are exact, so the quotient is the nearest double.
            let magnitude = Double(mantissa) / powersOfTen[fraction]
            return isNegative ? -magnitude : magnitude
        }
        if position < bytes.count {
            guard bytes[position] == UInt8(ascii: "e") || bytes[position] == UInt8(ascii: "E") else { return nil }
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
                position += 1
            }
            guard position < bytes.count, bytes[position...].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
                return nil
            }
        }
        guard let double = Double(String(decoding: bytes, as: UTF8.self)), double.isFinite else { return nil }
        return double
    }

    /// 10⁰ to 10²², which doubles hold exactly.
    package static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    /// A sum or mean without the noise of binary fractions: rounded to 15 significant decimal digits, so that
    /// `19.99 + 39.98` is 59.97 and a threshold means what it says.
    package static func rounded(_ value: Double) -> Double {
        powersOfTen.withUnsafeBufferPointer { rounded(value, $0) }
    }

    /// The same for loops: public, because what is not is never inlined in another module.
    /// - Parameter powers: `powersOfTen`.
    @inlinable @inline(__always)
    public static func rounded(_ value: Double, _ powers: UnsafeBufferPointer<Double>) -> Double {
        let magnitude = abs(value)
        guard magnitude >= 1e-7, magnitude < 1e15 else { return value }
        // The power of ten that brings it to 15 digits before the point, which is one of two by its power of two:
        // 78,913 / 2^18 is the logarithm of 2.
        let exponent = Int(truncatingIfNeeded: magnitude.bitPattern >> 52) - 1023
        let least = max(0, 14 - ((exponent + 1) * 78_913) >> 18)
        let scale = least + (magnitude * powers[least] < 1e14 ? 1 : 0)
        // Halves go away from zero. This way it is two instructions; `rounded()` is a call.
        let scaled = magnitude * powers[scale]
        let whole = (scaled + 0.5.nextDown).rounded(.towardZero) / powers[scale]
        return value < 0 ? -whole : whole
    }
}

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z. The only notion of time below the HTTP edge.
///
/// Nothing in Muster's engine reads a clock: instants come in with the records that are applied (design §1.4).
public struct Instant: Sendable, Hashable, Comparable {
    /// Milliseconds since the epoch; negative before it.
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static let epoch = Instant(milliseconds: 0)
    public static let distantPast = Instant(milliseconds: .min / 4)
    public static let distantFuture = Instant(milliseconds: .max / 4)

    public static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }
    public static func + (instant: Instant, span: Span) -> Instant {
        Instant(milliseconds: instant.milliseconds + span.milliseconds)
    }
    public static func - (instant: Instant, span: Span) -> Instant {
        Instant(milliseconds: instant.milliseconds - span.milliseconds)
    }
    public static func - (left: Instant, right: Instant) -> Span {
        Span(milliseconds: left.milliseconds - right.milliseconds)
    }

    /// A length of time in milliseconds; a day is 24 hours, a week seven days (spec: engage §1.5).
    public struct Span: Sendable, Hashable, Comparable {
        public let milliseconds: Int64

        public init(milliseconds: Int64) { self.milliseconds = milliseconds }

        public static func seconds(_ count: Int64) -> Span { Span(milliseconds: count * 1000) }
        public static func minutes(_ count: Int64) -> Span { seconds(count * 60) }
        public static func hours(_ count: Int64) -> Span { minutes(count * 60) }
        public static func days(_ count: Int64) -> Span { hours(count * 24) }

        /// Days of 24 hours, part of one counted as one; of a span that is not negative.
        public var startedDays: Int { Int((milliseconds + 86_399_999) / 86_400_000) }

        public static func < (left: Span, right: Span) -> Bool { left.milliseconds < right.milliseconds }
    }
}

extension Instant: CustomStringConvertible {
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`, the form in which every instant leaves Muster (spec: collection §2.3).
    public var description: String { String(decoding: utf8, as: UTF8.self) }

    /// `description` in UTF-8.
    public var utf8: [UInt8] {
        let days = milliseconds.flooredQuotient(by: 86_400_000)
        let rest = milliseconds - days * 86_400_000
        let date = CivilDate(daysSinceEpoch: days)
        guard date.year >= 0, date.year <= 9999 else { return farText(date, rest) }
        return [UInt8](unsafeUninitializedCapacity: 24) { bytes, count in
            func put(_ number: Int64, digits: Int, then separator: UInt8) {
                var rest = number
                for index in (count..<count + digits).reversed() {
                    bytes[index] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                bytes[count + digits] = separator
                count += digits + 1
            }
            put(date.year, digits: 4, then: UInt8(ascii: "-"))
            put(date.month, digits: 2, then: UInt8(ascii: "-"))
            put(date.day, digits: 2, then: UInt8(ascii: "T"))
            put(rest / 3_600_000, digits: 2, then: UInt8(ascii: ":"))
            put(rest / 60_000 % 60, digits: 2, then: UInt8(ascii: ":"))
            put(rest / 1000 % 60, digits: 2, then: UInt8(ascii: "."))
            put(rest % 1000, digits: 3, then: UInt8(ascii: "Z"))
        }
    }

    /// The year with a sign or more digits, the rest as usual.
    private func farText(_ date: CivilDate, _ rest: Int64) -> [UInt8] {
        let year = String(date.year.magnitude)
        let padding = String(repeating: "0", count: max(0, 4 - year.utf8.count))
        let usual = CivilDate(year: 2000, month: date.month, day: date.day) ?? CivilDate(daysSinceEpoch: 0)
        let sameDay = Instant(milliseconds: usual.daysSinceEpoch * 86_400_000 + rest)
        return Array("\(date.year < 0 ? "-" : "")\(padding)\(year)".utf8) + sameDay.utf8.dropFirst(4)
    }
}

extension Instant {
    /// What a timestamp text must say for itself to be taken as one.
    public enum ZoneRule: Sendable {
        /// A missing zone means UTC and a bare date midnight UTC: message timestamps, literals in queries.
        case assumeUTC
        /// Only with `Z` or an offset, or a bare date: values of traits and properties (spec: collection §2.3).
        case required
    }

    /// Reads ISO 8601: 0–9 fractional digits (cut to milliseconds), `Z`, `±hh:mm`, `±hhmm`, or no zone.
    /// `nil` for anything else, impossible dates included.
    public init?(iso8601 text: some StringProtocol, zone: ZoneRule = .assumeUTC) {
        var text = String(text)
        guard let instant = text.withUTF8({ Instant(iso8601: $0, zone: zone) }) else { return nil }
        self = instant
    }

    /// Reads ISO 8601 from bytes, by the same rules.
    public init?(iso8601 utf8: UnsafeBufferPointer<UInt8>, zone: ZoneRule = .assumeUTC) {
        var reader = DateTextReader(utf8)
        guard let instant = reader.read(zone: zone) else { return nil }
        self = instant
    }
}

private struct DateTextReader {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func read(zone: Instant.ZoneRule) -> Instant? {
        guard bytes.count <= 40, let year = digits(4), skip("-"), let month = digits(2), skip("-"),
            let day = digits(2), let date = CivilDate(year: year, month: month, day: day)
        else { return nil }
        let midnight = date.daysSinceEpoch * 86_400_000
        if position == bytes.count { return Instant(milliseconds: midnight) }
        guard skip("T") || skip("t") || skip(" "), let hour = digits(2), hour < 24, skip(":"),
            let minute = digits(2), minute < 60
        else { return nil }
        var second: Int64 = 0
        var millisecond: Int64 = 0
        if skip(":") {
            guard let value = digits(2), value <= 60 else { return nil }
            second = min(value, 59)
            if skip(".") || skip(",") {
                guard let fraction = fraction() else { return nil }
                millisecond = fraction
            }
        }
        guard let offset = offsetMinutes(zone: zone), position == bytes.count else { return nil }
        let clock = ((hour * 60 + minute - offset) * 60 + second) * 1000 + millisecond
        return Instant(milliseconds: midnight + clock)
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, UInt32(bytes[position]) == character.value else { return false }
        position += 1
        return true
    }

    mutating func digits(_ count: Int) -> Int64? {
        guard position + count <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[position..<position + count] {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        position += count
        return value
    }

    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 {
            if count < 3 { value = value * 10 + Int64(bytes[position] - 0x30) }
            count += 1
            position += 1
        }
        guard count >= 1, count <= 9 else { return nil }
        for _ in count..<max(count, 3) { value *= 10 }
        return value
    }

    mutating func offsetMinutes(zone: Instant.ZoneRule) -> Int64? {
        if position == bytes.count { return zone == .assumeUTC ? 0 : nil }
        if skip("Z") || skip("z") { return 0 }
        let sign: Int64
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = digits(2), hours < 24 else { return nil }
        _ = skip(":")
        guard let minutes = position == bytes.count ? 0 : digits(2), minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes)
    }
}

/// The proleptic Gregorian calendar, after Howard Hinnant's `days_from_civil`.
private struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    init?(year: Int64, month: Int64, day: Int64) {
        guard month >= 1, month <= 12, day >= 1 else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[Int(month) - 1] else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
    }

    init(daysSinceEpoch: Int64) {
        let shifted = daysSinceEpoch + 719_468
        let era = shifted.flooredQuotient(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.flooredQuotient(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

extension Int64 {
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

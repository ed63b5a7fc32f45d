/// Milliseconds since the epoch, UTC. The module's only notion of an instant.
public typealias EpochMilliseconds = Int64

/// Reading and printing dates as Braze does (spec braze §2.2, §2.3). Pure arithmetic: no locale, no clock.
enum DateText {
    static let day: EpochMilliseconds = 86_400_000

    /// The instant that a date-like text denotes, or `nil` where Braze would keep a string.
    ///
    /// Accepted: ISO 8601, `yyyy-MM-dd'T'HH:mm:ss[:SSS]Z`, `yyyy-MM-dd HH:mm:ss`, `yyyy-MM-dd`, `MM/dd/yyyy`,
    /// `M-d-yyyy`, `EEE MM dd HH:mm:ss.TZD yyyy` (month as number or name). Without a zone: UTC. Years 0 to 3000.
    static func parse(_ text: String) -> EpochMilliseconds? {
        // The longest accepted shape has about 40 bytes; everything else is not worth scanning.
        guard (8...48).contains(text.utf8.count), let first = text.utf8.first else { return nil }
        var scanner = Scanner(text)
        if first.isLetter { return scanner.weekdayFirst() }
        return first.isDigit ? scanner.digitsFirst() : nil
    }

    /// Days since 1970-01-01 of a proleptic Gregorian date.
    static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    struct Fields {
        var year, month, day, hour, minute, second, millisecond: Int
    }

    /// The calendar fields of an instant in UTC.
    static func fields(_ instant: EpochMilliseconds) -> Fields {
        let days = Int(floorDivide(instant, day))
        let rest = Int(instant - EpochMilliseconds(days) * day)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return Fields(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * shiftedMonth + 2) / 5 + 1, hour: rest / 3_600_000, minute: rest / 60_000 % 60,
            second: rest / 1000 % 60, millisecond: rest % 1000)
    }

    /// `2026-01-05T15:00:00.000Z`
    static func iso(_ instant: EpochMilliseconds) -> String {
        let f = fields(instant)
        return "\(pad(f.year, 4))-\(pad(f.month, 2))-\(pad(f.day, 2))T"
            + "\(pad(f.hour, 2)):\(pad(f.minute, 2)):\(pad(f.second, 2)).\(pad(f.millisecond, 3))Z"
    }

    /// `2026-01-05 15:00:00.000 UTC`, the shape of `created_at` in exports (§4.3).
    static func exported(_ instant: EpochMilliseconds) -> String {
        let text = iso(instant)
        return text.dropLast().split(separator: "T").joined(separator: " ") + " UTC"
    }

    /// `2026-01-05`
    static func dateOnly(_ instant: EpochMilliseconds) -> String { String(iso(instant).prefix(10)) }

    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return digits.count < width ? String(repeating: "0", count: width - digits.count) + digits : digits
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    fileprivate var isLetter: Bool { (self | 0x20) >= 0x61 && (self | 0x20) <= 0x7A }
}

private struct Scanner {
    let bytes: [UInt8]
    var position = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var atEnd: Bool { position == bytes.count }
    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// A number of between `least` and `most` digits that no further digit follows.
    mutating func number(_ least: Int, _ most: Int) -> Int? {
        let start = position
        var value = 0
        while let byte = current, byte.isDigit, position - start < most {
            value = value * 10 + Int(byte - 0x30)
            position += 1
        }
        guard position - start >= least, current?.isDigit != true else { return nil }
        return value
    }

    mutating func word() -> String {
        let start = position
        while let byte = current, byte.isLetter { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    mutating func digitsFirst() -> EpochMilliseconds? {
        guard let first = number(1, 4) else { return nil }
        if position == 4 {
            guard skip("-"), let month = number(1, 2), skip("-"), let day = number(1, 2) else { return nil }
            if atEnd { return instant(first, month, day) }
            guard skip("T") || skip("t") || skip(" ") else { return nil }
            return timeAndZone(first, month, day)
        }
        // 12/31/2021 and 12-31-2021: the month leads.
        let separator: Unicode.Scalar = current == UInt8(ascii: "/") ? "/" : "-"
        guard position <= 2, skip(separator), let day = number(1, 2), skip(separator), let year = number(4, 4), atEnd
        else { return nil }
        return instant(year, first, day)
    }

    mutating func weekdayFirst() -> EpochMilliseconds? {
        let weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        guard weekdays.contains(word().lowercased()), skip(" ") else { return nil }
        var month = number(1, 2)
        if month == nil { month = months.firstIndex(of: word().lowercased()).map { $0 + 1 } }
        guard let month, skip(" "), let day = number(1, 2), skip(" "), let time = clock() else { return nil }
        guard skip(".") || skip(" "), let zone = zone(), skip(" "), let year = number(4, 4), atEnd else { return nil }
        return instant(year, month, day, time - zone)
    }

    mutating func timeAndZone(_ year: Int, _ month: Int, _ day: Int) -> EpochMilliseconds? {
        guard let time = clock() else { return nil }
        _ = skip(" ")
        if atEnd { return instant(year, month, day, time) }
        guard let zone = zone(), atEnd else { return nil }
        return instant(year, month, day, time - zone)
    }

    /// `HH:mm[:ss[(.|,|:)fraction]]` in milliseconds of the day.
    mutating func clock() -> Int? {
        guard let hour = number(1, 2), skip(":"), let minute = number(2, 2), hour < 24, minute < 60 else { return nil }
        var total = (hour * 60 + minute) * 60_000
        guard skip(":") else { return total }
        guard let second = number(2, 2), second <= 60 else { return nil }
        total += second * 1000
        let saved = position
        if skip(".") || skip(",") || skip(":") {
            guard current?.isDigit == true else {
                position = saved
                return total
            }
            var scale = 100
            while let byte = current, byte.isDigit {
                total += Int(byte - 0x30) * scale
                scale /= 10
                position += 1
            }
        }
        return total
    }

    /// Milliseconds east of UTC.
    mutating func zone() -> Int? {
        if current?.isLetter == true {
            return ["z", "utc", "gmt"].contains(word().lowercased()) ? 0 : nil
        }
        let sign = skip("-") ? -1 : (skip("+") ? 1 : 0)
        guard sign != 0, position + 2 <= bytes.count, bytes[position].isDigit, bytes[position + 1].isDigit else {
            return nil
        }
        let hour = Int(bytes[position] - 0x30) * 10 + Int(bytes[position + 1] - 0x30)
        position += 2
        let colon = skip(":")
        var minute = 0
        if current?.isDigit == true {
            guard let value = number(2, 2) else { return nil }
            minute = value
        } else if colon {
            return nil
        }
        guard hour <= 15, minute < 60 else { return nil }
        return sign * (hour * 60 + minute) * 60_000
    }

    func instant(_ year: Int, _ month: Int, _ day: Int, _ time: Int = 0) -> EpochMilliseconds? {
        guard (0...3000).contains(year), (1...12).contains(month), day >= 1 else { return nil }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[month - 1] else { return nil }
        return EpochMilliseconds(DateText.days(year: year, month: month, day: day)) * DateText.day
            + EpochMilliseconds(time)
    }
}

import Foundation

/// Days in the company's time zone (spec braze §5.2): where filters on dates begin and end a day.
struct CompanyCalendar {
    /// `nil` is UTC, which needs no library.
    private let zone: TimeZone?

    init(identifier: String) {
        zone = ["UTC", "Etc/UTC", "GMT"].contains(identifier) ? nil : TimeZone(identifier: identifier)
    }

    /// Milliseconds east of UTC at an instant.
    private func offset(at instant: EpochMilliseconds) -> EpochMilliseconds {
        guard let zone else { return 0 }
        return EpochMilliseconds(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(instant) / 1000))) * 1000
    }

    /// The instant at which a local day begins; `days` counts from 1970-01-01.
    func start(ofDay days: Int) -> EpochMilliseconds {
        let local = EpochMilliseconds(days) * DateText.day
        // Twice, because the offset may differ on the two sides of a change of clocks.
        let guess = local - offset(at: local)
        return local - offset(at: guess)
    }

    /// Local calendar fields.
    func fields(_ instant: EpochMilliseconds) -> DateText.Fields { DateText.fields(instant + offset(at: instant)) }

    /// `yyyy-MM-dd` as days since 1970-01-01.
    static func days(_ text: String) -> Int? {
        guard text.utf8.count == 10, let instant = DateText.parse(text) else { return nil }
        return Int(DateText.floorDivide(instant, DateText.day))
    }
}

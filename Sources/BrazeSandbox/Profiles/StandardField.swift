import Foundation
import JSON

/// Reserved profile fields besides email and phone (spec braze §2.2). The raw value is what the snapshot stores.
enum StandardField: Int32, CaseIterable, Sendable {
    case firstName, lastName, homeCity, birthDate, gender, country, language, timeZone, location, firstSession,
        lastSession
    case emailSubscribe, pushSubscribe, openTrackingDisabled, clickTrackingDisabled, markedAsSpam, facebook, twitter,
        image

    var name: String {
        switch self {
        case .firstName: "first_name"
        case .lastName: "last_name"
        case .homeCity: "home_city"
        case .birthDate: "dob"
        case .gender: "gender"
        case .country: "country"
        case .language: "language"
        case .timeZone: "time_zone"
        case .location: "current_location"
        case .firstSession: "date_of_first_session"
        case .lastSession: "date_of_last_session"
        case .emailSubscribe: "email_subscribe"
        case .pushSubscribe: "push_subscribe"
        case .openTrackingDisabled: "email_open_tracking_disabled"
        case .clickTrackingDisabled: "email_click_tracking_disabled"
        case .markedAsSpam: "marked_email_as_spam_at"
        case .facebook: "facebook"
        case .twitter: "twitter"
        case .image: "image_url"
        }
    }

    static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })

    /// Names that are neither fields here nor custom attributes: identifiers, what has a place of its own, what Braze
    /// does not process.
    static let otherReserved: Set<String> = [
        "email", "phone", "subscription_groups", "push_tokens", "alias_name", "alias_label", "bio",
    ]

    /// Whether setting it costs a data point (§7.1).
    var isBillable: Bool {
        switch self {
        case .firstName, .lastName, .homeCity, .birthDate, .gender, .country, .language, .timeZone: true
        default: false
        }
    }

    enum Normalised {
        case store(JSONValue)
        case clear
        case ignore(String)
    }

    func normalise(_ value: JSONValue) -> Normalised {
        if value.isNull { return .clear }
        switch self {
        case .firstName, .lastName, .homeCity, .image:
            guard let text = value.string, text.count <= 255 else {
                return .ignore("needs a string of at most 255 characters")
            }
            return .store(.string(text))
        case .birthDate:
            guard let text = value.string, text.utf8.count == 10, let day = DateText.parse(text),
                text.prefix(4).allSatisfy(\.isNumber)
            else { return .ignore("needs a date as YYYY-MM-DD") }
            return .store(.string(DateText.dateOnly(day)))
        case .gender:
            guard let letter = value.string?.uppercased(), ["M", "F", "O", "N", "P"].contains(letter) else {
                return .ignore("needs M, F, O, N or P")
            }
            return .store(.string(letter))
        case .country:
            guard let text = value.string, let code = Country.code(text) else { return .clear }
            return .store(.string(code))
        case .language:
            guard let text = value.string?.lowercased(), Language.isKnown(String(text.prefix(2))),
                text.count == 2 || text.dropFirst(2).first.map({ "-_".contains($0) }) == true
            else { return .ignore("needs an ISO-639-1 code") }
            return .store(.string(String(text.prefix(2))))
        case .timeZone:
            guard let text = value.string, TimeZone(identifier: text) != nil else {
                return .ignore("needs an IANA time zone")
            }
            return .store(value)
        case .location:
            guard let longitude = value["longitude"], let latitude = value["latitude"] else {
                return .ignore("needs both coordinates")
            }
            return .store([longitude, latitude])
        case .firstSession, .lastSession, .markedAsSpam:
            guard let instant = value.string.flatMap(DateText.parse) else { return .ignore("needs an ISO 8601 time") }
            return .store(.string(DateText.iso(instant)))
        case .emailSubscribe, .pushSubscribe:
            return .store(value)
        case .openTrackingDisabled, .clickTrackingDisabled:
            return value.bool == nil ? .ignore("needs true or false") : .store(value)
        case .facebook, .twitter:
            return value.object == nil ? .ignore("needs an object") : .store(value)
        }
    }
}

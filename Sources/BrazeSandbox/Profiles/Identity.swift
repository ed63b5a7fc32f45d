import JSON

/// A name under a label, unique in a workspace (spec braze §3.1).
struct Alias: Hashable, Sendable {
    let label: String
    let name: String

    /// From `{alias_name, alias_label}`; `nil` unless both are non-empty strings.
    init?(_ value: JSONValue?) {
        guard let name = value?["alias_name"]?.string, let label = value?["alias_label"]?.string, !name.isEmpty,
            !label.isEmpty
        else { return nil }
        self.name = name
        self.label = label
    }

    init(label: String, name: String) {
        self.label = label
        self.name = name
    }

    var json: JSONValue { ["alias_name": .string(name), "alias_label": .string(label)] }
}

/// How an object says whom it is about (§2.1).
enum Identity: Hashable, Sendable {
    case externalID(String)
    case alias(Alias)
    case brazeID(String)
    case email(String)
    case phone(String)

    /// Bytes that an external id may have.
    static let externalIDBytes = 987

    /// Reads the identifiers of an object: one primary, or else email before phone. Blank ones count as absent.
    static func read(_ object: JSONObject, texts: ErrorTexts) throws(ObjectError) -> Identity {
        func usable(_ key: String) -> String? {
            guard let text = object[key]?.string, !text.isEmpty else { return nil }
            return text
        }
        if case .number? = object["external_id"] { throw ObjectError("'external_id' must be a string") }
        let externalID = usable("external_id")
        let alias = Alias(object["user_alias"])
        let brazeID = usable("braze_id")
        switch (externalID, alias, brazeID) {
        case (let id?, nil, nil):
            guard id.utf8.count <= externalIDBytes else { throw ObjectError(texts.externalIDTooLarge) }
            return .externalID(id)
        case (nil, let alias?, nil): return .alias(alias)
        case (nil, nil, let id?): return .brazeID(id)
        case (nil, nil, nil): break
        default: throw ObjectError(ErrorTexts.twoPrimaries)
        }
        if let email = usable("email") {
            guard Email.isValid(email) else { throw ObjectError(texts.emailInvalid) }
            return .email(email.lowercased())
        }
        if let phone = usable("phone"), let normalised = Phone.normalise(phone, country: nil) {
            return .phone(normalised)
        }
        throw ObjectError(ErrorTexts.noIdentifier)
    }

    /// What the request log and the profile page print.
    var text: String {
        switch self {
        case .externalID(let id): id
        case .alias(let alias): "\(alias.label):\(alias.name)"
        case .brazeID(let id): id
        case .email(let address): address
        case .phone(let number): number
        }
    }
}

enum Email {
    /// The loose check that Braze documents: one `@`, something on both sides, a dot in the host, no white space.
    static func isValid(_ text: String) -> Bool {
        guard text.utf8.count <= 255, !text.contains(where: { $0.isWhitespace || $0 == "," || $0 == "<" || $0 == ">" })
        else {
            return false
        }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[0].hasPrefix("."), !parts[0].hasSuffix(".") else {
            return false
        }
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2 && labels.allSatisfy { !$0.isEmpty }
    }
}

enum Phone {
    /// Calling codes for numbers written nationally; others need the `+` form.
    private static let callingCodes = [
        "US": "1", "CA": "1", "GB": "44", "IE": "353", "FR": "33", "DE": "49", "AT": "43", "CH": "41", "ES": "34",
        "IT": "39", "PT": "351", "NL": "31", "BE": "32", "DK": "45", "SE": "46", "NO": "47", "FI": "358", "PL": "48",
        "AU": "61", "NZ": "64", "JP": "81", "KR": "82", "IN": "91", "BR": "55", "MX": "52", "SG": "65", "ID": "62",
    ]

    /// The number in E.164, using `country` (ISO 3166-1 alpha-2) for one written nationally; `nil` if it is none.
    static func normalise(_ text: String, country: String?) -> String? {
        guard text.allSatisfy({ $0.isASCII && ($0.isNumber || "+-.() \t/".contains($0)) }) else { return nil }
        var digits = text.filter(\.isNumber)
        if text.hasPrefix("00") {
            digits.removeFirst(2)
        } else if !text.hasPrefix("+"), let country, let code = callingCodes[country.uppercased()] {
            if digits.hasPrefix("0") { digits.removeFirst() }
            if !(code == "1" && digits.hasPrefix("1") && digits.count == 11) { digits = code + digits }
        }
        return (7...15).contains(digits.count) ? "+" + digits : nil
    }
}

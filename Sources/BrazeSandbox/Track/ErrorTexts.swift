/// Why one object of a request was refused: Braze's `type` (spec braze §1.4).
struct ObjectError: Error, Hashable {
    let type: String

    init(_ type: String) { self.type = type }
}

/// Braze's wordings. Where the documents give a code and recorded replies a sentence, the switch `error_strings` chooses.
struct ErrorTexts: Sendable {
    let codes: Bool

    init(_ switches: SandboxSwitches) { codes = switches.errorStrings == .codes }

    static let noIdentifier = "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    static let twoPrimaries = "Only one of 'external_id', 'braze_id', or 'user_alias' may be provided"
    static let properties = "Invalid 'properties' field"
    static let quantity = "'quantity' is not valid"
    static let noValidData = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
    static let parse = "Error while parsing request body. Please check your syntax."
    static let tooManyObjects = "Max input length exceeded"

    var externalIDTooLarge: String {
        codes ? "EXTERNAL_USER_ID_TOO_LARGE" : "'external_id' must be fewer than 988 bytes"
    }
    var blocked: String {
        codes ? "BLACKLISTED_EXTERNAL_USER_ID" : "provided external_id is blacklisted and disallowed"
    }
    var emailInvalid: String {
        codes ? "EMAIL_BAD_FORMAT" : "The value provided for the 'email' field is not a valid email."
    }
}

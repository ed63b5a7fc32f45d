/// Why a message or a request was not accepted (spec: collection §2.4). The raw values are the interface.
public enum IngestCode: String, Sendable, Hashable, CaseIterable {
    // One message.
    case unknownType = "unknown_type"
    case noUserAnonID = "no_user_anon_id"
    case idRequired = "id_required"
    case idNotString = "id_not_string"
    case eventNotDefined = "event_not_defined"
    case eventNotString = "event_not_string"
    case propertiesNotObject = "properties_not_object"
    case traitsNotObject = "traits_not_object"
    case nameNotString = "name_not_string"
    case categoryNotString = "category_not_string"
    case groupIDRequired = "group_id_required"
    case previousIDRequired = "previous_id_required"
    case consentMissing = "consent_categorypreferences_should_exist"
    case consentNotObject = "consent_categorypreferences_fields_should_be_object"
    case consentNotBool = "consent_categorypreferences_fields_should_be_bool"
    case consentVersionNotNumber = "consent_version_should_be_number"
    case advertisingIDNotString = "device_advertisingid_should_be_string"
    case eventTooLarge = "event_too_large"
    case batchTooLong = "batch_too_long"
    case sourceDisabled = "source_disabled"
    case unknownSource = "unknown_source"
    /// Counted by the engine, which knows the message ids of the last days.
    case duplicate
    /// Of somebody whose data must not be kept; counted, never shown.
    case suppressed

    // A whole request, or a batch as a whole.
    case badRequest = "bad_request"
    case invalidJSON = "invalid_json"
    case payloadTooLarge = "payload_too_large"
    case missingWriteKey = "missing_write_key"
    case emptyBatch = "empty_batch"
    case emptyBatchResult = "empty_batch_result"
    case multiUserError = "multi_user_error"
    case rateLimited = "rate_limited"
    case storageUnavailable = "storage_unavailable"

    /// What happened, in words for the people who look at the debugger.
    public var explanation: String {
        switch self {
        case .unknownType: "The message has no type, or one that is not identify, track, page, screen, group or alias."
        case .noUserAnonID: "The message has neither a userId nor an anonymousId."
        case .idRequired: "An alias call needs a userId."
        case .idNotString: "An id is neither text nor a number."
        case .eventNotDefined: "A track call needs the name of its event."
        case .eventNotString: "The name of the event is not text."
        case .propertiesNotObject: "The properties are not an object."
        case .traitsNotObject: "The traits are not an object."
        case .nameNotString: "The name of the page or screen is not text."
        case .categoryNotString: "The category of the page or screen is not text."
        case .groupIDRequired: "A group call needs a groupId."
        case .previousIDRequired: "An alias call needs a previousId."
        case .consentMissing: "A consent event needs context.consent.categoryPreferences."
        case .consentNotObject: "context.consent.categoryPreferences is not an object."
        case .consentNotBool: "A category in context.consent.categoryPreferences is neither true nor false."
        case .consentVersionNotNumber: "context.consent.version is not a number."
        case .advertisingIDNotString: "context.device.advertisingId is not text."
        case .eventTooLarge: "The message is larger than a message may be."
        case .batchTooLong:
            "The batch has more messages than a batch may have; this one came after the last allowed one."
        case .sourceDisabled: "The source is switched off."
        case .unknownSource: "No source has this write key."
        case .duplicate: "A message with the same messageId was accepted before."
        case .suppressed: "The data of this person must not be kept (a regulation)."
        case .badRequest: "The request can't be read."
        case .invalidJSON: "The request is not valid JSON."
        case .payloadTooLarge: "The request is larger than a request may be."
        case .missingWriteKey: "The request has no write key."
        case .emptyBatch: "The batch has no messages."
        case .emptyBatchResult: "No message of the batch could be accepted."
        case .multiUserError: "Some messages of the batch could not be accepted; the others were."
        case .rateLimited: "The client was asked to send again later, because too much is coming in."
        case .storageUnavailable:
            "The client was asked to send again later, because the disk did not take the messages."
        }
    }
}

/// Codes of things that are odd but accepted; `Call.warnings` holds them, and `ProfileExclusion` adds its own.
enum IngestWarning {
    static let invalidTimestamp = "invalid_timestamp"
    static let invalidSentAt = "invalid_sent_at"
    static let nonFiniteNumber = "non_finite_number"
    static let idCoerced = "id_coerced"
    static let contextNotObject = "context_not_object"
    static let integrationsNotObject = "integrations_not_object"
}

/// Why a call is kept in the Log but takes no part in profiles: Unify drops such calls silently (spec: collection §1.7,
/// §2.3), Muster says so. Ingest writes the reason into the call's warnings; the engine honours it.
public enum ProfileExclusion: String, Sendable, Hashable, CaseIterable {
    case messageIDTooLong = "message_id_too_long"
    case tooManyProperties = "too_many_properties"
    case tooManyTraits = "too_many_traits"
    case groupIDEmpty = "group_id_empty"
    case groupIDTooLong = "group_id_too_long"
    case timestampBefore1970 = "timestamp_before_1970"

    /// Characters of a message id.
    public static let messageIDLengthMax = 100
    /// Top-level properties of an event and traits of a group call.
    public static let membersMax = 300
    /// Characters of a group id, also the one in a track call's context.
    public static let groupIDLengthMax = 500
    public static let warningPrefix = "excluded_from_profiles:"

    /// The warning that marks an excluded call.
    public var warning: String { ProfileExclusion.warningPrefix + rawValue }

    /// In words.
    public var explanation: String {
        switch self {
        case .messageIDTooLong: "its message id has more than \(Self.messageIDLengthMax) characters"
        case .tooManyProperties: "it has more than \(Self.membersMax) properties"
        case .tooManyTraits: "it has too many traits (identify: \(Self.membersMax) or more, group: more than that)"
        case .groupIDEmpty: "its group id is empty"
        case .groupIDTooLong: "its group id has more than \(Self.groupIDLengthMax) characters"
        case .timestampBefore1970: "it is dated before 1970"
        }
    }

    /// The first reason that applies, if any.
    ///
    /// `memberCount` counts the top-level members of properties (track, page, screen) or traits (identify, group).
    /// `groupID` is a group call's `groupId` or a track call's `context.groupId` as sent, `nil` where there is none.
    public static func reason(
        kind: Call.Kind, messageID: String, timestamp: Instant, memberCount: Int, groupID: String?
    ) -> ProfileExclusion? {
        func isLonger(_ text: String, than limit: Int) -> Bool {
            // No character takes less than a byte, so short texts need no counting.
            text.utf8.count > limit && text.unicodeScalars.count > limit
        }
        if isLonger(messageID, than: messageIDLengthMax) { return .messageIDTooLong }
        switch kind {
        case .track, .page, .screen: if memberCount > membersMax { return .tooManyProperties }
        case .identify: if memberCount >= membersMax { return .tooManyTraits }
        case .group: if memberCount > membersMax { return .tooManyTraits }
        case .alias: break
        }
        if kind == .group || kind == .track, let groupID {
            if groupID.isEmpty { return .groupIDEmpty }
            if isLonger(groupID, than: groupIDLengthMax) { return .groupIDTooLong }
        }
        return timestamp < .epoch ? .timestampBefore1970 : nil
    }
}

extension Call {
    /// Why this call takes no part in profiles; `nil` for all but odd calls.
    public var profileExclusion: ProfileExclusion? {
        for warning in warnings where warning.hasPrefix(ProfileExclusion.warningPrefix) {
            return ProfileExclusion(rawValue: String(warning.dropFirst(ProfileExclusion.warningPrefix.count)))
        }
        return nil
    }
}

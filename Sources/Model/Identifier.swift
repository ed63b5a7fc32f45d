/// An external id of a person or an account: a type such as `user_id` and a value (spec: collection §4.1).
public struct Identifier: Sendable, Hashable, Comparable {
    public enum Collection: String, Sendable, Hashable, CaseIterable {
        case users
        case accounts
    }

    public let collection: Collection
    /// Lower-case type name: `user_id`, `email`, `anonymous_id`, `group_id`, `ios.idfa`, or a custom one.
    public let type: String
    /// Normalised by collection §4.2: e-mail addresses trimmed and lower-cased, everything else as it was sent.
    public let value: String

    public init(collection: Collection = .users, type: String, value: String) {
        self.collection = collection
        self.type = type
        self.value = value
    }

    public static func < (left: Identifier, right: Identifier) -> Bool {
        (left.collection.rawValue, left.type, left.value) < (right.collection.rawValue, right.type, right.value)
    }
}

/// The dense number under which Muster keeps one profile, a person's or an account's. Given in order of creation, never
/// reused; a merged-away number stays an alias of its survivor.
public struct ProfileOrdinal: Sendable, Hashable, Comparable {
    public let rawValue: UInt32

    public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    /// No profile: what is said about people who were deleted stands under it.
    public static let nobody = ProfileOrdinal(.max)

    public static func < (left: ProfileOrdinal, right: ProfileOrdinal) -> Bool { left.rawValue < right.rawValue }
}

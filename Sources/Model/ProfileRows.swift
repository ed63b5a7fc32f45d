// Rows of the identity graph. Identity produces and restores them, Store keeps them: neither imports the other.
// Every row is append-only except for the deletions that people order; which profile a row belongs to today is the
// matter of the merges.

/// A profile as it was created (spec: collection §4.1, §5.5).
public struct ProfileRow: Sendable, Hashable {
    public var ordinal: ProfileOrdinal
    public var collection: Identifier.Collection
    /// `use_` or `acc_` and 27 base62 characters; unique, never reused.
    public var segmentID: String
    /// `receivedAt` of the call that created it.
    public var createdAt: Instant
    public var firstMessageID: String
    public var firstSourceID: String
    /// The profile that it was merged into; `nil` while it is canonical. Always a canonical profile, never a chain.
    public var mergedInto: ProfileOrdinal?

    public init(
        ordinal: ProfileOrdinal, collection: Identifier.Collection, segmentID: String, createdAt: Instant,
        firstMessageID: String, firstSourceID: String, mergedInto: ProfileOrdinal? = nil
    ) {
        self.ordinal = ordinal
        self.collection = collection
        self.segmentID = segmentID
        self.createdAt = createdAt
        self.firstMessageID = firstMessageID
        self.firstSourceID = firstSourceID
        self.mergedInto = mergedInto
    }
}

/// The last call that was placed on a profile, for the Profile API's metadata (spec: collection §5.5).
public struct ProfileActivity: Sendable, Hashable {
    public var ordinal: ProfileOrdinal
    public var updatedAt: Instant
    public var lastMessageID: String
    public var lastSourceID: String

    public init(ordinal: ProfileOrdinal, updatedAt: Instant, lastMessageID: String, lastSourceID: String) {
        self.ordinal = ordinal
        self.updatedAt = updatedAt
        self.lastMessageID = lastMessageID
        self.lastSourceID = lastSourceID
    }
}

/// One external id on the profile that it was first mapped to (spec: collection §4.5, §5.3). A merge does not rewrite
/// it: the owner's canonical profile has it.
public struct IdentifierRow: Sendable, Hashable {
    public var identifier: Identifier
    public var owner: ProfileOrdinal
    /// Position among all mappings of the installation, in the order they were made.
    public var sequence: Int64
    /// `receivedAt` of the call that made it; what the windows of value limits count from.
    public var createdAt: Instant
    public var sourceID: String
    public var firstMessageID: String

    public init(
        identifier: Identifier, owner: ProfileOrdinal, sequence: Int64, createdAt: Instant, sourceID: String,
        firstMessageID: String
    ) {
        self.identifier = identifier
        self.owner = owner
        self.sequence = sequence
        self.createdAt = createdAt
        self.sourceID = sourceID
        self.firstMessageID = firstMessageID
    }
}

/// A person's membership of an account, between the profiles that were canonical when it was made.
public struct LinkRow: Sendable, Hashable {
    public var user: ProfileOrdinal
    public var account: ProfileOrdinal
    public var createdAt: Instant

    public init(user: ProfileOrdinal, account: ProfileOrdinal, createdAt: Instant) {
        self.user = user
        self.account = account
        self.createdAt = createdAt
    }
}

/// One profile became part of an older one (spec: collection §4.6). The absorbed one was canonical until then.
public struct MergeRow: Sendable, Hashable {
    public var absorbed: ProfileOrdinal
    public var survivor: ProfileOrdinal
    /// `receivedAt` of the call that showed them to be the same.
    public var at: Instant
    /// Log offset of that call.
    public var offset: Int64
    public var messageID: String

    public init(
        absorbed: ProfileOrdinal, survivor: ProfileOrdinal, at: Instant, offset: Int64, messageID: String
    ) {
        self.absorbed = absorbed
        self.survivor = survivor
        self.at = at
        self.offset = offset
        self.messageID = messageID
    }
}

/// Something that identity resolution refused or could not do, for the Insights log (spec: collection §4.12).
public struct IdentityIssue: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case noIdentifiers = "no_matching_identifiers"
        case valueLimit = "value_limit_exceeded"
        case valueTimeLimit = "value_time_limit_exceeded"
        case valueBlocked = "value_blocked"
        case mergeLimit = "merge_limit_exceeded"
        case mappingLimit = "mapping_limit_exceeded"
        /// An item of `context.externalIds` lacks a member or has an encoding other than `none` (spec: §4.2).
        case externalIDIgnored = "external_id_ignored"
        /// A type that was never configured arrived when as many types as allowed were known.
        case typeLimit = "type_limit_exceeded"

        /// The words that people see; the spec's where it has some.
        public var title: String {
            switch self {
            case .noIdentifiers: "No matching identifiers on event"
            case .valueLimit: "Identifier value limit exceeded"
            case .valueTimeLimit: "Identifier value time limit exceeded"
            case .valueBlocked: "ID value blocked"
            case .mergeLimit: "Profile merge limit exceeded"
            case .mappingLimit: "Identifier mapping limit exceeded"
            case .externalIDIgnored: "External id ignored: id, type, collection and encoding \"none\" are required"
            case .typeLimit: "Identifier type limit exceeded"
            }
        }
    }

    public var kind: Kind
    /// The id that was left out, where it is about one.
    public var identifier: Identifier?
    /// Where the call went in spite of it.
    public var profile: ProfileOrdinal?
    /// `receivedAt` of the call.
    public var at: Instant
    public var offset: Int64
    public var messageID: String
    public var sourceID: String

    public init(
        kind: Kind, identifier: Identifier? = nil, profile: ProfileOrdinal? = nil, at: Instant, offset: Int64,
        messageID: String, sourceID: String
    ) {
        self.kind = kind
        self.identifier = identifier
        self.profile = profile
        self.at = at
        self.offset = offset
        self.messageID = messageID
        self.sourceID = sourceID
    }
}

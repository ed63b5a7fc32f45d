public import Model

/// Where a call belongs, and what finding out changed. Most calls change nothing: then every array is empty.
public struct Resolution: Sendable, Hashable {
    /// The canonical profile of the person; `nil` where the call names none (spec: collection §4.5).
    public var user: ProfileOrdinal?
    /// The canonical account profile of a group call, or of `context.groupId` where the account exists.
    public var account: ProfileOrdinal?
    /// Created profiles, the person before the account.
    public var created: [ProfileRow] = []
    /// New mappings in order of their sequence.
    public var identifiers: [IdentifierRow] = []
    /// Profiles absorbed by an older one, which is `user` or `account`.
    public var merges: [MergeRow] = []
    /// For each merge, the ids that the absorbed profile had.
    public var absorbedIdentifiers: [[Identifier]] = []
    public var links: [LinkRow] = []
    public var issues: [IdentityIssue] = []
    /// A new type of id was added to the settings (spec §4.2): they must be stored again.
    public var settingsChanged = false

    public init() {}
}

/// The two numbers that rows alone don't tell, because the last rows may have been deleted.
public struct IdentityCounters: Sendable, Hashable {
    public var nextOrdinal: UInt32
    public var nextMapping: Int64

    public init(nextOrdinal: UInt32 = 0, nextMapping: Int64 = 0) {
        self.nextOrdinal = nextOrdinal
        self.nextMapping = nextMapping
    }
}

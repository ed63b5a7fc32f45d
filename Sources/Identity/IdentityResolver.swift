public import JSON
public import Model

/// Which profile a call belongs to: the identity graph in memory, and the rules that change it (spec: collection §4).
///
/// Promises: a pure function of the settings, the calls and their order. No clock, no randomness, no dependence on the
/// order of ids within a call or on hash seeds; restoring from the rows it handed out gives the same graph.
public struct IdentityResolver: Sendable {
    /// An empty graph.
    public init(settings: IdentitySettings = .standard) { fatalError() }

    /// The graph that the rows describe. Profiles ascend by ordinal and identifiers by sequence.
    public init(
        settings: IdentitySettings, counters: IdentityCounters, profiles: [ProfileRow], identifiers: [IdentifierRow],
        links: [LinkRow]
    ) throws { fatalError() }

    public var settings: IdentitySettings { get { fatalError() } set { fatalError() } }
    public var counters: IdentityCounters { fatalError() }

    /// Finds or makes the profiles of a call (spec §4.5–4.8). `offset` is the call's place in the Log.
    public mutating func resolve(_ call: Call, body: JSONValue, offset: Int64) -> Resolution { fatalError() }

    /// The ids that the call brings along, normalised; blocked ones and unknown types left out (spec §4.2).
    /// For the event's `external_ids`.
    public func promotedIdentifiers(of call: Call, body: JSONValue) -> [Identifier] { fatalError() }

    // MARK: Looking at the graph

    /// The number of profiles ever made, accounts included; all ordinals are below it.
    public var profileCount: Int { fatalError() }
    public func collection(of profile: ProfileOrdinal) -> Identifier.Collection { fatalError() }
    public func createdAt(of profile: ProfileOrdinal) -> Instant { fatalError() }
    public func segmentID(of profile: ProfileOrdinal) -> String { fatalError() }
    /// False for deleted profiles.
    public func exists(_ profile: ProfileOrdinal) -> Bool { fatalError() }
    /// The profile that the number stands for today. O(1).
    public func canonical(_ profile: ProfileOrdinal) -> ProfileOrdinal { fatalError() }
    public func isCanonical(_ profile: ProfileOrdinal) -> Bool { fatalError() }
    /// All numbers of a profile, ascending: the canonical one and those merged into it.
    public func members(of profile: ProfileOrdinal) -> [ProfileOrdinal] { fatalError() }
    /// The canonical profile that has the id.
    public func profile(for identifier: Identifier) -> ProfileOrdinal? { fatalError() }
    /// The canonical profile that a `use_…` or `acc_…` stands for. O(profiles): for people's look-ups only.
    public func profile(segmentID: String) -> ProfileOrdinal? { fatalError() }
    /// All ids of a profile in the order of mapping.
    public func identifiers(of profile: ProfileOrdinal) -> [Identifier] { fatalError() }
    /// The values of one type of id in the order of mapping.
    public func values(of profile: ProfileOrdinal, type: String) -> [String] { fatalError() }
    /// Whether the profile has an id of any of the types.
    public func hasIdentifier(_ profile: ProfileOrdinal, ofTypes types: [String]) -> Bool { fatalError() }
    /// Canonical accounts of a person, ascending.
    public func accounts(of user: ProfileOrdinal) -> [ProfileOrdinal] { fatalError() }
    /// Canonical users of an account, ascending.
    public func users(of account: ProfileOrdinal) -> [ProfileOrdinal] { fatalError() }

    // MARK: What people order

    /// Takes one id off a profile (spec §5.7). It may come back with a later call.
    public mutating func remove(_ identifier: Identifier, from profile: ProfileOrdinal) throws(IdentifierRemovalError)
        -> IdentityRemoval
    { fatalError() }

    /// Deletes a whole profile with everything merged into it (spec §6.4). Its numbers are never used again.
    public mutating func delete(_ profile: ProfileOrdinal) -> IdentityRemoval { fatalError() }
}

public import JSON
public import Model

/// Everything that applying one batch changed, as rows. `StateStore.commit` writes it in one transaction.
public struct StateChanges: Sendable {
    /// Offset of the next record to apply.
    public var position: Int64?
    /// The engine's own time.
    public var engineNow: Instant?
    /// Small facts of the engine's under keys of its choice (next ordinal, next transition, identity settings …).
    public var meta: [String: JSONValue] = [:]

    public var sources: [Source] = []
    public var deletedSources: [String] = []
    public var destinations: [Destination] = []
    public var deletedDestinations: [String] = []
    public var computations: [Computation] = []
    /// Takes values, transitions, wake-ups and backfill along; emissions that wait stay.
    public var deletedComputations: [String] = []
    public var backfills: [BackfillRow] = []

    public var profiles: [ProfileRow] = []
    public var merges: [MergeRow] = []
    public var identifiers: [IdentifierRow] = []
    public var removedIdentifiers: [Identifier] = []
    public var links: [LinkRow] = []
    public var activity: [ProfileActivity] = []
    /// Takes everything along that is kept under the number, waiting emissions included (spec: collection §6.4).
    /// A canonical profile and those merged into it are listed one by one.
    public var deletedProfiles: [ProfileOrdinal] = []

    public var values: [ComputedValueRow] = []
    public var deletedValues: [ValueKey] = []
    public var transitions: [TransitionRow] = []
    public var wakeups: [WakeupRow] = []
    /// Those whose message id waits already are ignored.
    public var emissions: [Emission] = []

    public var applied: [AppliedRow] = []
    public var issues: [IdentityIssue] = []
    /// New ones and those that are finished now.
    public var regulations: [Regulation] = []
    public var suppressed: [String] = []
    public var unsuppressed: [String] = []
    /// What to add to each counter.
    public var counters: [String: Int64] = [:]

    public init() {}
}

/// What the engine starts from.
public struct LoadedState: Sendable {
    public var position: Int64 = 0
    public var engineNow: Instant?
    public var meta: [String: JSONValue] = [:]

    /// In the order of creation.
    public var sources: [Source] = []
    public var destinations: [Destination] = []
    public var computations: [Computation] = []
    public var backfills: [BackfillRow] = []

    /// Ascending by ordinal, merges taken into account.
    public var profiles: [ProfileRow] = []
    /// Ascending by sequence.
    public var identifiers: [IdentifierRow] = []
    public var links: [LinkRow] = []
    public var merges: [MergeRow] = []

    /// Those that are not finished.
    public var regulations: [Regulation] = []
    public var suppressed: [String] = []

    /// By ordinal, then computation.
    public var values: [ComputedValueRow] = []
    public var wakeups: [WakeupRow] = []

    public init() {}
}

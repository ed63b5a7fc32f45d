public import JSON
public import Model

// Rows that only the engine and the store know. Those of the identity graph are in Model.

/// The value of one computation for one profile: a membership (`true`, `false`) or a computed trait.
public struct ComputedValueRow: Sendable, Hashable {
    public var computationID: String
    public var ordinal: ProfileOrdinal
    public var value: JSONValue
    /// The instant of the transition that made the value.
    public var changedAt: Instant
    /// How many transitions this pair has had; part of the ids of emissions (spec: engage §7.4).
    public var transition: Int64
    /// A digest of the combinations of external ids that the value was last emitted with, so that a new id can be
    /// noticed; 0 before the first emission.
    public var emittedIDs: UInt64

    public init(
        computationID: String, ordinal: ProfileOrdinal, value: JSONValue, changedAt: Instant, transition: Int64,
        emittedIDs: UInt64 = 0
    ) {
        self.computationID = computationID
        self.ordinal = ordinal
        self.value = value
        self.changedAt = changedAt
        self.transition = transition
        self.emittedIDs = emittedIDs
    }
}

/// One computation for one profile.
public struct ValueKey: Sendable, Hashable {
    public var computationID: String
    public var ordinal: ProfileOrdinal

    public init(computationID: String, ordinal: ProfileOrdinal) {
        self.computationID = computationID
        self.ordinal = ordinal
    }
}

/// A change of a value: the history behind timelines and time travel. Never altered.
public struct TransitionRow: Sendable, Hashable {
    /// Ascending in the order of application, given by the engine.
    public var id: Int64
    public var computationID: String
    public var ordinal: ProfileOrdinal
    /// The value from then on; null where the computation holds no value any more.
    public var value: JSONValue
    /// The exact instant, also where time caused it.
    public var at: Instant
    /// Offset of the record that was being applied, or of the next one where time or a backfill caused it.
    public var offset: Int64
    /// Why: a word of the engine's such as `call`, `time`, `backfill`, `merge`.
    public var cause: String

    public init(
        id: Int64, computationID: String, ordinal: ProfileOrdinal, value: JSONValue, at: Instant, offset: Int64,
        cause: String
    ) {
        self.id = id
        self.computationID = computationID
        self.ordinal = ordinal
        self.value = value
        self.at = at
        self.offset = offset
        self.cause = cause
    }
}

/// When one computation must next be looked at for one profile.
public struct WakeupRow: Sendable, Hashable {
    public var computationID: String
    public var ordinal: ProfileOrdinal
    /// `nil` in a change takes the wake-up away; loaded rows always have one.
    public var due: Instant?

    public init(computationID: String, ordinal: ProfileOrdinal, due: Instant?) {
        self.computationID = computationID
        self.ordinal = ordinal
        self.due = due
    }
}

/// How far the backfill of a computation is (docs/architecture: backfill is lazy and exact).
public struct BackfillRow: Sendable, Hashable {
    public var computationID: String
    public var asOf: Instant
    /// Profiles below it are done.
    public var nextOrdinal: UInt32
    /// Profiles from it on were created later and need no backfill.
    public var endOrdinal: UInt32
    public var isFinished: Bool

    public init(computationID: String, asOf: Instant, nextOrdinal: UInt32, endOrdinal: UInt32, isFinished: Bool) {
        self.computationID = computationID
        self.asOf = asOf
        self.nextOrdinal = nextOrdinal
        self.endOrdinal = endOrdinal
        self.isFinished = isFinished
    }
}

/// Where a run of consecutive log records went: what history is rebuilt from and duplicates are recognised by.
public struct AppliedRow: Sendable, Hashable {
    /// The ordinal of a record that was placed on no profile.
    public static let notPlaced: UInt32 = .max

    public var firstOffset: Int64
    public var receivedAt: Instant
    /// One per record: a hash of the message id.
    public var messageHashes: [UInt128]
    /// One per record: the profile it was placed on, as it was numbered then, or `notPlaced`.
    public var ordinals: [UInt32]

    public var count: Int { ordinals.count }

    /// Both arrays must be of one length.
    public init(firstOffset: Int64, receivedAt: Instant, messageHashes: [UInt128], ordinals: [UInt32]) {
        precondition(messageHashes.count == ordinals.count, "an applied row needs a hash and an ordinal per record")
        self.firstOffset = firstOffset
        self.receivedAt = receivedAt
        self.messageHashes = messageHashes
        self.ordinals = ordinals
    }
}

public import JSON
public import Model

/// What another computation says about a profile: computed values stand before custom traits of the same key.
public enum ComputedValue: Sendable, Hashable {
    /// No computation has this key: the custom trait of that key counts.
    case notComputed
    /// A computation has this key but no value for the profile: the trait is absent, whatever was sent by hand.
    case absent
    case value(JSONValue)
    /// A value worked out for the instant that was asked about, null where there is none, and until when it stands if
    /// nothing new arrives.
    case workedOut(JSONValue, until: Instant?)
}

/// One profile, a person's or an account's, as an evaluation sees it.
public struct ProfileView {
    /// The ordinals whose rows belong to the profile: its own and those of profiles merged into it.
    public var ordinals: [ProfileOrdinal]
    /// The values of other computations, by key, as of the instant of the evaluation. Must not change while one runs.
    /// Who holds only today's values gives them for any instant.
    public var computed: (_ key: String, _ at: Instant) -> ComputedValue

    public init(
        _ ordinals: [ProfileOrdinal],
        computed: @escaping (_ key: String, _ at: Instant) -> ComputedValue = { _, _ in .notComputed }
    ) {
        self.ordinals = ordinals
        self.computed = computed
    }
}

/// Whom a query is about.
public enum Subject {
    case user(ProfileView)
    /// An account: traits are its own; events are those of all its users together; `ANY` and `ALL` ask user by user.
    /// Without users `ANY` is false and `ALL` true (spec: engage §2.8).
    case account(ProfileView, users: [ProfileView])
}

/// Which events a computation may read (spec: engage §4.5). Only `receivedUpTo` limits traits too.
public struct Evidence: Sendable, Hashable {
    /// Only events received at this instant or later: computations without historical backfill.
    public var receivedFrom: Instant?
    /// Only events that happened at this instant or later: a limited lookback.
    public var timestampFrom: Instant?
    /// Only what had been received by this instant: answers as they were given then.
    public var receivedUpTo: Instant?

    public init(receivedFrom: Instant? = nil, timestampFrom: Instant? = nil, receivedUpTo: Instant? = nil) {
        self.receivedFrom = receivedFrom
        self.receivedUpTo = receivedUpTo
        self.timestampFrom = timestampFrom
    }

    public static let everything = Evidence()
}

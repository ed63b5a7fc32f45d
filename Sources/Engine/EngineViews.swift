public import Evaluation
public import JSON
public import Model

// What people's tools see of an engine: copies that may leave the lock.

/// A person or account in a list.
public struct ProfileSummary: Sendable, Hashable {
    public let ordinal: ProfileOrdinal
    public let segmentID: String
    public let collection: Identifier.Collection
    public let createdAt: Instant
    /// The trait `name`, else first and last name, else nothing.
    public let name: String?
    public let email: String?
    public let userID: String?
    /// An anonymous id or a group id, for profiles without the others.
    public let otherID: String?
}

/// An audience or computed trait with its state.
public struct ComputationView: Sendable, Hashable {
    /// The words of the spec (engage §4.4) for what a computation is doing.
    public enum Status: String, Sendable, Hashable {
        case backfilling = "Backfilling"
        case live = "Live"
        case disabled = "Disabled"
    }

    public let definition: Computation
    public let status: Status
    /// Members, or profiles that hold a value.
    public let size: Int
    /// Only while backfilling.
    public let progress: BackfillProgress?
    /// Keys of audiences and traits whose queries read this one.
    public let consumers: [String]
}

/// A profile with the value that a computation has for it.
public struct MemberView: Sendable, Hashable {
    public let profile: ProfileSummary
    public let value: JSONValue
    /// When the value came about.
    public let since: Instant
    /// When the value will be another if nothing happens; `nil` where that was not asked.
    public let nextChange: NextChange?
}

/// One computation's value on a profile.
public struct ComputedValueView: Sendable, Hashable {
    public let computationID: String
    public let key: String
    public let name: String
    public let kind: Computation.Kind
    public let value: JSONValue
    public let since: Instant
    public let isDeleted: Bool
}

/// A person or account, whole.
public struct ProfileDetails: Sendable, Hashable {
    public let summary: ProfileSummary
    public let ordinals: [ProfileOrdinal]
    /// In the order in which they became known.
    public let identifiers: [Identifier]
    /// Custom traits as of the engine's time, by key.
    public let traits: [TraitView]
    public let computed: [ComputedValueView]
    /// For a person their accounts, for an account its people.
    public let linked: [ProfileSummary]
}

/// A custom trait with where it came from.
public struct TraitView: Sendable, Hashable {
    public let key: String
    public let value: JSONValue
    public let at: Instant
    public let sourceID: String
}

/// What a computation comes to on a profile as of some instant.
public struct AsOfView: Sendable, Hashable {
    public let profile: ProfileSummary
    /// The numbers that made up the profile then.
    public let ordinals: [ProfileOrdinal]
    public let computation: Computation
    /// Null where there was none.
    public let value: JSONValue
    /// When the value may change if nothing arrives after that instant.
    public let changesAt: Instant?

    /// Whether the value made its profile a member or holder.
    public var isHeld: Bool { value != .null && value != false }
}

/// A person or account as of some instant.
public struct ProfileAsOf: Sendable, Hashable {
    public let ordinals: [ProfileOrdinal]
    /// Custom traits, by key.
    public let traits: [TraitView]
    /// Every computation of the profile's kind, in order of creation, with or without a value.
    public let computed: [AsOfView]
}

/// Why a profile is, or is not, in an audience, or has the value that it has.
public struct WhyView: Sendable, Hashable {
    public let answer: AsOfView
    public let explanation: Explanation
    /// False where the profile has no id of the kinds that the computation asks for (spec: engage §2.7).
    public let qualifies: Bool
    public let nextChange: NextChange
    /// The computations that the query reads.
    public let reads: [Computation]
}

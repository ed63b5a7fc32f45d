public import Model

/// The number of an event name.
public struct EventID: Sendable, Hashable, Comparable {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (left: EventID, right: EventID) -> Bool { left.rawValue < right.rawValue }
}

/// The number of a trait key.
public struct TraitID: Sendable, Hashable, Comparable {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (left: TraitID, right: TraitID) -> Bool { left.rawValue < right.rawValue }
}

/// What an insertion did.
public struct HistoryChange: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        case inserted
        /// Nothing in the call that History keeps: an alias, an identify without traits.
        case nothingToInsert
        /// Dated before 1970-01-01 (spec: engage §2.3).
        case tooOld
        /// The body is no JSON object.
        case unreadable
        /// Dated before what is kept of its name.
        case expired
    }

    public var outcome: Outcome
    /// The instant at which the rows stand: the call's timestamp, or its `receivedAt` if it was dated more than 24
    /// hours after that (spec: engage §4.7).
    public var placedAt: Instant
    /// The event name that got a row.
    public var event: EventID?
    /// The trait keys that got a row, in the order of the call.
    public var traits: [TraitID]

    public init(outcome: Outcome, placedAt: Instant, event: EventID? = nil, traits: [TraitID] = []) {
        self.outcome = outcome
        self.placedAt = placedAt
        self.event = event
        self.traits = traits
    }
}

/// What everybody did and which traits everybody had, in columns.
///
/// Promises: derived from the Log and nothing else; rows of a profile are ordered by (timestamp, receivedAt, message id)
/// whatever the order of arrival; a value that was sent can be read back as it was sent; nothing is dropped without
/// being counted in `statistics`. Held in memory and rebuilt from the Log at start; the interface is the one that runs
/// on disk will have (design §5).
///
/// Not thread-safe: readers and the writer share one isolation, the engine's.
public import JSON
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

public final class History {
    public init() {}

    /// Adds a track, page or screen call to the history of a profile.
    /// - Parameter body: `call.body`, parsed.
    public func insertEvent(_ call: Call, body: JSONValue, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        HistoryChange(outcome: .nothingToInsert, placedAt: call.timestamp)
    }

    /// Adds a row per top-level key of the call's `traits` to a profile: for identify calls the person's, for group
    /// calls the account's. A null value is a removal.
    public func insertTraits(_ call: Call, body: JSONValue, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        HistoryChange(outcome: .nothingToInsert, placedAt: call.timestamp)
    }

    /// The number of an event name, given when it is first asked for; valid as long as this History.
    public func eventID(_ name: String) -> EventID { EventID(0) }
    /// The number of a trait key, given when it is first asked for; valid as long as this History.
    public func traitID(_ key: String) -> TraitID { TraitID(0) }
    public func eventName(_ id: EventID) -> String { "" }
    public func traitKey(_ id: TraitID) -> String { "" }

    /// The traits a profile has as of an instant, by key in the order of the bytes: of each key the last row not later
    /// than the instant; removed ones are left out.
    public func traits(of profile: [ProfileOrdinal], at now: Instant) -> [TraitRow] { [] }

    /// The value of one trait as of an instant; `nil` where it was never set or is removed.
    public func trait(_ id: TraitID, of profile: [ProfileOrdinal], at now: Instant) -> TraitRow? { nil }

    /// The events of a profile, newest first; for the next page pass the last entry of the one before.
    public func timeline(
        of profile: [ProfileOrdinal], upTo now: Instant = .distantFuture, after last: TimelineEntry? = nil, limit: Int
    ) -> [TimelineEntry] { [] }

    /// Every event name with what was seen of it, most frequent first.
    public var eventCatalogue: [EventCatalogueEntry] { [] }
    /// Every trait key with what was seen of it, by key in the order of the bytes.
    public var traitCatalogue: [TraitCatalogueEntry] { [] }
    public var statistics: HistoryStatistics { HistoryStatistics() }

    /// Forgets the rows of a profile: nothing finds them any more.
    public func remove(_ profile: ProfileOrdinal) {}
}

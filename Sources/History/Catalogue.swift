public import JSON
public import Model

/// One trait of a profile with where it came from.
public struct TraitRow: Sendable, Hashable {
    public var id: TraitID
    public var key: String
    public var value: JSONValue
    public var timestamp: Instant
    public var sourceID: String
    public var messageID: String
}

/// One event of a profile's timeline; the call itself is in the Log at `offset`.
public struct TimelineEntry: Sendable, Hashable {
    public var event: EventID
    public var name: String
    public var timestamp: Instant
    public var receivedAt: Instant
    public var messageID: String
    public var sourceID: String
    /// Position in the Log.
    public var offset: Int64

    public init(
        event: EventID, name: String, timestamp: Instant, receivedAt: Instant, messageID: String, sourceID: String,
        offset: Int64
    ) {
        self.event = event
        self.name = name
        self.timestamp = timestamp
        self.receivedAt = receivedAt
        self.messageID = messageID
        self.sourceID = sourceID
        self.offset = offset
    }
}

/// The types of values seen at a path.
public struct ObservedTypes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let null = ObservedTypes(rawValue: 1)
    public static let boolean = ObservedTypes(rawValue: 2)
    public static let number = ObservedTypes(rawValue: 4)
    public static let string = ObservedTypes(rawValue: 8)
    public static let array = ObservedTypes(rawValue: 16)
    public static let object = ObservedTypes(rawValue: 32)
}

/// What was seen at one path of an event's properties or context, or of a trait.
public struct PathCatalogueEntry: Sendable, Hashable {
    /// As queries write it, for example `products.$.sku`; empty for a trait's own value.
    public var path: String
    /// How many rows have something there.
    public var count: Int
    public var types: ObservedTypes
    /// Distinct values among the first that were seen, at most 20.
    public var samples: [JSONValue]
}

public struct EventCatalogueEntry: Sendable, Hashable {
    public var id: EventID
    public var name: String
    public var count: Int
    public var firstSeen: Instant
    public var lastSeen: Instant
    public var properties: [PathCatalogueEntry]
    public var context: [PathCatalogueEntry]
}

public struct TraitCatalogueEntry: Sendable, Hashable {
    public var id: TraitID
    public var key: String
    /// How many times the trait was set or removed.
    public var count: Int
    public var firstSeen: Instant
    public var lastSeen: Instant
    /// The value itself (empty path) and what is inside of it.
    public var paths: [PathCatalogueEntry]
}

/// What History holds and what it could not hold.
public struct HistoryStatistics: Sendable, Hashable {
    public var events = 0
    public var traits = 0
    public var eventNames = 0
    public var traitKeys = 0
    /// Calls dated before 1970, which count nowhere.
    public var tooOld = 0
    /// Calls dated more than 24 hours ahead, placed at their receipt.
    public var movedToReceipt = 0
    /// Calls whose body was no JSON object.
    public var unreadable = 0
    /// Values left out because their event name or trait key already has 1,000 distinct paths.
    public var valuesOverPathLimit = 0
    /// Event names that reached the limit of paths.
    public var eventNamesAtPathLimit: [String] = []
    /// Trait keys whose values have more distinct paths inside than that.
    public var traitKeysAtPathLimit: [String] = []

    public init() {}
}

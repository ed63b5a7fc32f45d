public import JSON

/// Where calls come from: one website, app or server with a write key of its own.
public struct Source: Sendable, Hashable {
    public var id: String
    public var name: String
    /// What clients present; opaque and case-sensitive.
    public var writeKey: String
    public var enabled: Bool
    public var createdAt: Instant
    /// Destinations that get its calls directly; at most one per destination.
    public var connections: [SourceConnection]

    public init(
        id: String, name: String, writeKey: String, enabled: Bool = true, createdAt: Instant,
        connections: [SourceConnection] = []
    ) {
        self.id = id
        self.name = name
        self.writeKey = writeKey
        self.enabled = enabled
        self.createdAt = createdAt
        self.connections = connections
    }
}

/// A configured place that emissions go to, for example one Braze workspace.
public struct Destination: Sendable, Hashable {
    public var id: String
    /// The kind of destination: `braze`.
    public var kind: String
    public var name: String
    /// The kind's own settings. May hold secrets: never log or show them.
    public var settings: JSONObject
    public var enabled: Bool
    public var createdAt: Instant
    public var spikeGuard: SpikeGuard

    public init(
        id: String, kind: String, name: String, settings: JSONObject, enabled: Bool = true, createdAt: Instant,
        spikeGuard: SpikeGuard = SpikeGuard()
    ) {
        self.id = id
        self.kind = kind
        self.name = name
        self.settings = settings
        self.enabled = enabled
        self.createdAt = createdAt
        self.spikeGuard = spikeGuard
    }
}

/// What to do when an audience or trait suddenly changes for far more people than usual: a wrong query or a broken
/// tracking call would else be written to the destination, and billed, for everybody.
public struct SpikeGuard: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable, CaseIterable {
        case off
        /// Says so and goes on.
        case warn
        /// Holds what the audience or trait has to say until a person decides.
        case stop
    }

    public var mode: Mode
    /// Changes within an hour count as a spike beyond this multiple of the usual, the hourly average of the week before.
    public var factor: Double
    /// Changes within a day count as a spike beyond this share of the members, 0 to 1.
    public var memberShare: Double
    /// Fewer changes are never a spike.
    public var minimumChanges: Int

    public init(
        mode: Mode = .warn, factor: Double = 10, memberShare: Double = 0.5, minimumChanges: Int = 1000
    ) {
        self.mode = mode
        self.factor = factor
        self.memberShare = memberShare
        self.minimumChanges = minimumChanges
    }
}

/// An audience or a computed trait: a query with a key under which its value stands on profiles.
public struct Computation: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case audience
        case trait
    }

    public enum Level: String, Sendable, Hashable, CaseIterable {
        case users = "USERS"
        case accounts = "ACCOUNTS"
    }

    /// `aud_…` or `tra_…`.
    public var id: String
    public var kind: Kind
    public var level: Level
    /// Immutable; snake_case of the first name.
    public var key: String
    public var name: String
    public var description: String
    /// The definition in the query language, in its canonical print.
    public var query: String
    public var enabled: Bool
    public var options: Options
    public var createdAt: Instant
    public var updatedAt: Instant
    public var connections: [Connection]
    /// A deleted computation stays known: its values show as custom traits and its key is never given again
    /// (spec: engage §1.6, §2.10).
    public var deletedAt: Instant?

    public struct Options: Sendable, Hashable {
        /// Whether events from before the creation count (the seed's *Historical Backfill*).
        public var includeHistoricalData: Bool
        /// How far back event data is read when history counts, in days; `nil` = everything.
        public var backfillEventDataDays: Int?
        /// A profile qualifies only with at least one of these types of id (spec: engage §2.7).
        public var filterByExternalIDs: [String]

        public init(
            includeHistoricalData: Bool = true, backfillEventDataDays: Int? = nil,
            filterByExternalIDs: [String] = Options.identified
        ) {
            self.includeHistoricalData = includeHistoricalData
            self.backfillEventDataDays = backfillEventDataDays
            self.filterByExternalIDs = filterByExternalIDs
        }

        /// The types that make a profile count while anonymous users are not included.
        public static let identified = ["user_id", "email", "android.idfa", "ios.idfa"]

        public var includesAnonymousUsers: Bool { filterByExternalIDs.contains("anonymous_id") }
    }

    public init(
        id: String, kind: Kind, level: Level = .users, key: String, name: String, description: String = "",
        query: String, enabled: Bool = true, options: Options = Options(), createdAt: Instant,
        updatedAt: Instant? = nil, connections: [Connection] = [], deletedAt: Instant? = nil
    ) {
        self.id = id
        self.kind = kind
        self.level = level
        self.key = key
        self.name = name
        self.description = description
        self.query = query
        self.enabled = enabled
        self.options = options
        self.createdAt = createdAt
        self.updatedAt = updatedAt ?? createdAt
        self.connections = connections
        self.deletedAt = deletedAt
    }
}

/// The binding of one computation to one destination, with its connection settings (spec: engage §7.8).
public struct Connection: Sendable, Hashable {
    public var destinationID: String
    /// Custom attributes in Braze.
    public var sendIdentify: Bool
    /// Custom events in Braze.
    public var sendTrack: Bool
    public var enterEvent: String
    public var exitEvent: String
    public var computeEvent: String
    /// Group calls about accounts: for account audiences and traits, and destinations that know accounts.
    public var sendGroup = false
    /// The name of the attribute or property; `nil`: the computation's key.
    public var keyName: String?
    /// Creates nobody at the destination.
    public var updateExistingOnly = false
    public var enrichment: [TraitEnrichment] = []
    /// Empty: every user id and e-mail address (spec: engage §7.4).
    public var idSync: [IDSync] = []
    public var enabled: Bool
    public var firstSync: FirstSync

    /// What a new connection tells of those who hold a value already.
    public enum FirstSync: String, Sendable, Hashable, CaseIterable {
        /// Everything that the connection sends.
        case full
        /// Attributes only: no events, so that nothing which an event triggers goes out to people who have been in for
        /// long.
        case silent
        /// Nothing: the destination hears of changes only.
        case none
    }

    public init(
        destinationID: String, sendIdentify: Bool = true, sendTrack: Bool = false,
        enterEvent: String = "Audience Entered", exitEvent: String = "Audience Exited",
        computeEvent: String = "Trait Computed", enabled: Bool = true, firstSync: FirstSync = .full
    ) {
        self.destinationID = destinationID
        self.sendIdentify = sendIdentify
        self.sendTrack = sendTrack
        self.enterEvent = enterEvent
        self.exitEvent = exitEvent
        self.computeEvent = computeEvent
        self.enabled = enabled
        self.firstSync = firstSync
    }
}

public import JSON
public import Model

// Rows of delivery: what waits, what was tried, what the destinations acknowledged.

/// An emission in the outbox with its delivery state.
public struct OutboxRow: Sendable, Hashable {
    /// `emission.sequence` is always set.
    public var emission: Emission
    /// How often it was part of an attempt.
    public var attempts: Int
    /// Why it is set aside; `nil` while it waits for delivery.
    public var parkedReason: String?
    public var parkedAt: Instant?

    public var sequence: Int64 { emission.sequence ?? 0 }

    public init(emission: Emission, attempts: Int = 0, parkedReason: String? = nil, parkedAt: Instant? = nil) {
        self.emission = emission
        self.attempts = attempts
        self.parkedReason = parkedReason
        self.parkedAt = parkedAt
    }
}

/// One request to a destination. Secrets must not be in any of its fields.
public struct AttemptRow: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// Everything in it was acknowledged.
        case delivered
        /// Some objects were acknowledged, others rejected.
        case partial
        /// The destination rejected it; repeating is pointless.
        case rejected
        /// It failed and is repeated.
        case retrying
        /// No answer came; whether it took effect is not known.
        case unknown
    }

    /// `nil` until it is stored.
    public var id: Int64?
    public var destinationID: String
    /// When the request was sent.
    public var at: Instant
    /// For example `POST https://rest.iad-01.braze.com/users/track`.
    public var endpoint: String
    /// The request's JSON body; `nil` in old attempts, whose bodies are not kept.
    public var request: [UInt8]?
    /// HTTP status; `nil` where no answer came.
    public var status: Int?
    /// The answer's body, or the error in words; `nil` in old attempts.
    public var response: String?
    public var durationMilliseconds: Int
    public var objectCount: Int
    public var outcome: Outcome

    public init(
        id: Int64? = nil, destinationID: String, at: Instant, endpoint: String, request: [UInt8]?, status: Int?,
        response: String?, durationMilliseconds: Int, objectCount: Int, outcome: Outcome
    ) {
        self.id = id
        self.destinationID = destinationID
        self.at = at
        self.endpoint = endpoint
        self.request = request
        self.status = status
        self.response = response
        self.durationMilliseconds = durationMilliseconds
        self.objectCount = objectCount
        self.outcome = outcome
    }
}

/// What one attempt meant for one emission. Outlives the emission's row in the outbox.
public struct AttemptEmissionRow: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        case delivered
        /// Set aside with the destination's words in `detail`.
        case rejected
        case retrying
        case unknown
    }

    /// Ascending in the order of recording; `nil` until it is stored.
    public var id: Int64?
    /// `nil` until it is stored.
    public var attemptID: Int64?
    public var destinationID: String
    public var messageID: String
    public var profile: ProfileOrdinal
    public var computationID: String
    public var kind: Emission.Kind
    /// When the attempt was made.
    public var at: Instant
    public var outcome: Outcome
    public var detail: String

    public init(
        id: Int64? = nil, attemptID: Int64? = nil, destinationID: String, messageID: String, profile: ProfileOrdinal,
        computationID: String, kind: Emission.Kind, at: Instant, outcome: Outcome, detail: String = ""
    ) {
        self.id = id
        self.attemptID = attemptID
        self.destinationID = destinationID
        self.messageID = messageID
        self.profile = profile
        self.computationID = computationID
        self.kind = kind
        self.at = at
        self.outcome = outcome
        self.detail = detail
    }
}

/// One attribute of one user at a destination.
public struct LedgerKey: Sendable, Hashable {
    /// The destination's name for the user, as delivery chooses to write it (`external_id:u1`, `braze_id:…`).
    public var externalID: String
    public var attribute: String

    public init(externalID: String, attribute: String) {
        self.externalID = externalID
        self.attribute = attribute
    }
}

/// What is to stand in the ledger under a key: JSON in UTF-8, or nothing.
public struct LedgerEntry: Sendable {
    public var key: LedgerKey
    public var json: [UInt8]?

    public init(key: LedgerKey, json: [UInt8]?) {
        self.key = key
        self.json = json
    }
}

/// Everything that one step of delivery changes; written in one transaction.
public struct DeliveryChanges: Sendable {
    public var destinationID: String
    /// The request that was made, if one was.
    public var attempt: AttemptRow?
    /// What it meant for each emission in it. Each mention counts as one of the emission's attempts.
    public var emissions: [AttemptEmissionRow] = []
    /// Sequences that leave the outbox because the destination has acknowledged them.
    public var delivered: [Int64] = []
    /// Sequences that leave the outbox without a request: a later value took their place.
    public var coalesced: [Int64] = []
    /// Sequences that leave the outbox without a request: the destination has the value already.
    public var unchanged: [Int64] = []
    /// Sequences that leave the outbox because nothing can be sent for them (disconnected, deleted …).
    public var discarded: [Int64] = []
    /// Sequences that are set aside, with the reason in words.
    public var parked: [(sequence: Int64, reason: String)] = []
    /// Values that the destination has acknowledged; null forgets one.
    public var acknowledgedValues: [LedgerKey: JSONValue] = [:]
    /// The same as JSON that is written already, in this order and after those; `nil` forgets one.
    public var ledger: [LedgerEntry] = []
    /// Requests that ended without an answer and may have taken effect.
    public var unknownOutcomes = 0
    /// How often occurrences that are now delivered may have arrived besides.
    public var possibleDuplicates = 0
    /// What the destination bills for values and occurrences that it has acknowledged, by computation.
    public var dataPoints: [String: Int] = [:]
    /// Changes that were read from the outbox, by computation and hour since the epoch.
    public var changeCounts: [ChangeHour: Int] = [:]
    /// Spikes that were noticed.
    public var spikes: [SpikeRow] = []
    /// When this is written; becomes `parkedAt`.
    public var at: Instant

    public init(destinationID: String, at: Instant) {
        self.destinationID = destinationID
        self.at = at
    }
}

/// One hour of one computation's changes.
public struct ChangeHour: Sendable, Hashable {
    public var computationID: String
    /// Hours since the epoch.
    public var hour: Int64

    public init(computationID: String, hour: Int64) {
        self.computationID = computationID
        self.hour = hour
    }
}

/// A computation that changed for far more people than usual.
public struct SpikeRow: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Its emissions wait until somebody decides.
        case held
        /// It was said, and sending went on.
        case warned
        /// Somebody let it go on: for a day it is not looked at.
        case released
    }

    public var computationID: String
    public var state: State
    /// In words for people.
    public var reason: String
    public var since: Instant

    public init(computationID: String, state: State, reason: String, since: Instant) {
        self.computationID = computationID
        self.state = state
        self.reason = reason
        self.since = since
    }
}

/// Which parked emissions are meant; `nil` leaves a criterion out.
public struct ParkedFilter: Sendable, Hashable {
    public var sequences: [Int64]?
    /// The destination's words, exactly.
    public var reason: String?
    public var computationID: String?
    public var kind: Emission.Kind?
    public var profiles: [ProfileOrdinal]?

    public init(
        sequences: [Int64]? = nil, reason: String? = nil, computationID: String? = nil, kind: Emission.Kind? = nil,
        profiles: [ProfileOrdinal]? = nil
    ) {
        self.sequences = sequences
        self.reason = reason
        self.computationID = computationID
        self.kind = kind
        self.profiles = profiles
    }
}

/// Parked emissions that are alike.
public struct ParkedGroup: Sendable, Hashable {
    public var reason: String
    public var computationID: String
    public var kind: Emission.Kind
    public var count: Int
    public var firstAt: Instant
    public var lastAt: Instant
}

/// How a destination stands.
public struct DestinationCounts: Sendable, Hashable {
    public var waiting: Int = 0
    public var parked: Int = 0
    public var delivered: Int64 = 0
    public var coalesced: Int64 = 0
    public var unchanged: Int64 = 0
    public var discarded: Int64 = 0
    public var attempts: Int64 = 0
    /// Attempts that did not deliver everything.
    public var failedAttempts: Int64 = 0
    /// Requests that ended without an answer and may have taken effect.
    public var unknownOutcomes: Int64 = 0
    /// How often events may have arrived besides their delivery: what the destination may count too much.
    public var possibleDuplicates: Int64 = 0

    public init() {}
}

/// Why delivery to a destination stands still.
public struct DestinationPause: Sendable, Hashable {
    public var reason: String
    public var since: Instant

    public init(reason: String, since: Instant) {
        self.reason = reason
        self.since = since
    }
}

/// What to list of attempts or their emissions; `nil` leaves a criterion out.
public struct DeliveryFilter: Sendable, Hashable {
    public var destinationID: String?
    /// Any of these numbers: a canonical profile and those merged into it.
    public var profiles: [ProfileOrdinal]?
    public var computationID: String?
    public var attemptOutcome: AttemptRow.Outcome?
    public var emissionOutcome: AttemptEmissionRow.Outcome?

    public init(
        destinationID: String? = nil, profiles: [ProfileOrdinal]? = nil, computationID: String? = nil,
        attemptOutcome: AttemptRow.Outcome? = nil, emissionOutcome: AttemptEmissionRow.Outcome? = nil
    ) {
        self.destinationID = destinationID
        self.profiles = profiles
        self.computationID = computationID
        self.attemptOutcome = attemptOutcome
        self.emissionOutcome = emissionOutcome
    }
}

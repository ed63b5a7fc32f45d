import JSON

/// One call towards one destination, as the outbox holds it: made by a computation for one profile (spec: engage §7), or
/// passed on from a source that is connected to the destination. It never enters the Log as an event: that is the loop
/// guard.
public struct Emission: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case identify
        case track
        case group
        case page
        case screen
        case alias
        /// Not a call of Segment's: a person is to be deleted at the destination too.
        case delete
    }

    /// Why it was made. A first sync is expected to be large, a change is not.
    public enum Origin: Int, Sendable, Hashable {
        /// A value changed.
        case change = 0
        /// A new connection or a backfill tells what is already so.
        case firstSync = 1
        /// A comparison found that the destination holds something else: what it acknowledged does not count.
        case repair = 2
        /// A source's call is passed on: people did something, no value changed.
        case source = 3
    }

    /// Position in the outbox; `nil` until it is stored. Per destination and profile the order of delivery.
    public var sequence: Int64?
    public var destinationID: String
    /// What made it: a computation (`aud_…`, `tra_…`) or a source (`src_…`).
    public var computationID: String
    /// Empty where a source made it.
    public var computationKey: String
    public var profile: ProfileOrdinal
    public var kind: Kind
    /// Of a source's call its own. Else `personas_` + 27 characters, a function of computation, profile, transition and ids: a repeat is the same id.
    public var messageID: String
    /// The instant of the transition, exact also where time caused it.
    public var timestamp: Instant
    /// The whole Segment call (spec: engage §7.2–7.3) as a JSON object in UTF-8. Its member `mapping`, where there is
    /// one, holds what the connection says about mapping it; it is never sent.
    public var payload: [UInt8]
    public var origin: Origin

    public init(
        sequence: Int64? = nil, destinationID: String, computationID: String, computationKey: String,
        profile: ProfileOrdinal, kind: Kind, messageID: String, timestamp: Instant, payload: [UInt8],
        origin: Origin = .change
    ) {
        self.sequence = sequence
        self.destinationID = destinationID
        self.computationID = computationID
        self.computationKey = computationKey
        self.profile = profile
        self.kind = kind
        self.messageID = messageID
        self.timestamp = timestamp
        self.payload = payload
        self.origin = origin
    }
}

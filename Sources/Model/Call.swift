import JSON

/// One message of a Segment client after Ingest: validated, normalised, stamped (spec: collection §2.2), not yet
/// resolved to a profile. This is what the Log stores and the Engine applies.
public struct Call: Sendable, Hashable {
    public enum Kind: UInt8, Sendable, Hashable, CaseIterable {
        case identify = 1
        case track = 2
        case page = 3
        case screen = 4
        case group = 5
        case alias = 6

        /// The value of a message's `type` member, also the last part of its path.
        public var name: String {
            switch self {
            case .identify: "identify"
            case .track: "track"
            case .page: "page"
            case .screen: "screen"
            case .group: "group"
            case .alias: "alias"
            }
        }
    }

    public var kind: Kind
    public var sourceID: String
    /// Takes effect once per installation, however often it arrives (design §1.2).
    public var messageID: String
    public var userID: String?
    public var anonymousID: String?
    public var groupID: String?
    public var previousID: String?
    /// The name of a track call; `nil` for other kinds.
    public var event: String?
    /// When it happened, corrected for the sender's clock (spec: collection §2.3).
    public var timestamp: Instant
    /// The sender's own claim.
    public var originalTimestamp: Instant
    /// When the server had the request's first byte; equal for all calls of one request.
    public var receivedAt: Instant
    /// Codes of things that were odd but accepted: `invalid_timestamp`, `non_finite_number`, `id_coerced` …
    public var warnings: [String]
    /// The whole message as a JSON object in UTF-8, envelope context merged in, write key removed.
    public var body: [UInt8]

    public init(
        kind: Kind, sourceID: String, messageID: String, userID: String? = nil, anonymousID: String? = nil,
        groupID: String? = nil, previousID: String? = nil, event: String? = nil, timestamp: Instant,
        originalTimestamp: Instant? = nil, receivedAt: Instant, warnings: [String] = [], body: [UInt8]
    ) {
        self.kind = kind
        self.sourceID = sourceID
        self.messageID = messageID
        self.userID = userID
        self.anonymousID = anonymousID
        self.groupID = groupID
        self.previousID = previousID
        self.event = event
        self.timestamp = timestamp
        self.originalTimestamp = originalTimestamp ?? timestamp
        self.receivedAt = receivedAt
        self.warnings = warnings
        self.body = body
    }

    /// The name under which queries find this call; `nil` for calls that are no events (spec: engage §0.3).
    public var eventName: String? {
        switch kind {
        case .track: event
        case .page: "Page Viewed"
        case .screen: "Screen Viewed"
        case .identify, .group, .alias: nil
        }
    }
}

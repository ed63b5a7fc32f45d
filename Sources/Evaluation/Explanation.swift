public import JSON
public import Model

/// Why a query is worth what it is: the query's own tree with the truth of each part, what it rests on, since when and
/// until when (issue: `why`). Made by the evaluator itself, part by part, so that it can't disagree with it.
public struct Explanation: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case or
        case and
        case not
        case any
        case all
        case comparison
        /// The value of a computed trait.
        case value
    }

    public var kind: Kind
    /// This part of the query in its canonical print.
    public var text: String
    /// Whether the condition holds; `nil` of values.
    public var holds: Bool?
    /// A comparison's left side or a trait's value: what was counted, summed, sent.
    public var value: JSONValue?
    /// A comparison's right side where it is no literal.
    public var comparedWith: JSONValue?
    /// The instant from which on the answer is what it is now, by all that is known now; `nil` if it always was, or if it
    /// changed too often to tell (`maximumSteps`).
    public var since: Instant?
    /// As in `Evaluation`.
    public var changesAt: Instant?
    /// The events that count, newest first, at most `maximumEvents`.
    public var events: [CountedEvent] = []
    /// How many events count in all.
    public var eventCount = 0
    /// Of events looked for inside of `where`: those that the events above need to count, at most `maximumEvents`.
    public var innerEvents: [CountedEvent] = []
    /// Whether all events that decide are named. Then the evaluator comes to the same answer with nothing but them.
    public var areEventsComplete: Bool { eventCount == events.count && !areInnerEventsCut }
    /// The traits that are compared, as far as they have values.
    public var traits: [ReadTrait] = []
    /// Below `any` and `all`: whom this part is about.
    public var user: [ProfileOrdinal]?
    /// The parts; of `any` and `all` one per user, at most `maximumUsers`, deciding ones first.
    public var children: [Explanation] = []

    public static let maximumEvents = 20
    public static let maximumUsers = 20
    static let maximumSteps = 5000
    var areInnerEventsCut = false

    init(kind: Kind, text: String) {
        self.kind = kind
        self.text = text
    }

    /// An event that counts for a comparison or value.
    public struct CountedEvent: Sendable, Hashable {
        public var name: String
        public var messageID: String
        public var timestamp: Instant
        /// Position in the Log.
        public var offset: Int64
        /// The first instant at which the event is too old for the window; `nil` without a window.
        public var leavesAt: Instant?
    }

    /// A trait that was read.
    public struct ReadTrait: Sendable, Hashable {
        public var key: String
        public var value: JSONValue
        /// The call that set it; `nil` where a computation did.
        public var setBy: Origin?

        public struct Origin: Sendable, Hashable {
            public var messageID: String
            public var sourceID: String
            public var timestamp: Instant
        }
    }
}

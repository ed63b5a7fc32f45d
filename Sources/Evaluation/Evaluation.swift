/// Answers a query about one subject at one instant, and says until when the answer holds.
///
/// This is the only evaluator (design §1.3): real time, wake-ups, preview, backfill, `why` and tests all call
/// `evaluate`. It promises: the answer is a function of query, subject, history and instant; nothing else is read.
/// `changesAt` is never later than the first instant at which the answer differs while nothing new arrives; it may be
/// earlier. Text is compared byte by byte, so no locale and no Unicode normalisation can make two machines disagree.
public import JSON
public import Model

/// What a query is worth for a subject at an instant.
public struct Evaluation: Sendable, Hashable {
    /// Audiences: a boolean. Traits: a scalar or a list, `.null` where there is no value (spec: engage §1.3).
    /// A counter without events is worth 0, also for profiles that never had one: whether that is written is the
    /// engine's decision.
    public var value: JSONValue
    /// The earliest later instant at which the value could differ if nothing new arrived; `nil` = never.
    public var changesAt: Instant?
    /// Whether more than 10,000 distinct values made a list or a ranking incomplete (spec: engage §1.3).
    public var isTruncated: Bool

    public init(value: JSONValue, changesAt: Instant? = nil, isTruncated: Bool = false) {
        self.value = value
        self.changesAt = changesAt
        self.isTruncated = isTruncated
    }

    /// Whether an audience's condition holds.
    public var isMember: Bool { value == .bool(true) }
}

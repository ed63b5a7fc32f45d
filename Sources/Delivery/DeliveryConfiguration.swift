public import Model

/// How Delivery behaves towards every destination.
public struct DeliveryConfiguration: Sendable, Hashable {
    /// How long an emission waits for others to share its request with, at most (design §7: a second).
    public var maximumWait = Instant.Span.seconds(1)
    /// The same while no request is under way: short, so that a quiet destination hears of a change at once.
    public var idleWait = Instant.Span(milliseconds: 50)
    /// Requests under way at a time, per destination; persons are never in two of them. `nil`: 16, and more where the
    /// destination allows many per second.
    public var requestsInFlight: Int?
    /// Requests per second in place of the destination's own default; `nil` keeps that.
    public var requestsPerSecond: Double?
    /// Emissions held in memory per destination; the rest waits in the outbox.
    public var windowSize = 10_000
    /// Emissions read from the outbox at a time, at most `windowSize`.
    public var pageSize = 1_000
    /// The first and the longest wait after failures.
    public var firstBackoff = Instant.Span.seconds(1)
    public var longestBackoff = Instant.Span.seconds(60)
    /// How often an answer that looks like a success but took nothing is tried again before its emissions are parked.
    public var emptyAnswerRetries = 3
    /// How often a paused destination is asked whether its settings work again.
    public var probeInterval = Instant.Span.seconds(60)
    /// How long to wait for an answer (braze-destination §1: 30 s).
    public var answerTimeout = Instant.Span.seconds(30)
    /// How long requests under way may take to end at shutdown.
    public var shutdownGrace = Instant.Span.seconds(10)
    /// Bytes of a request's or response's body that are recorded.
    public var recordedBytes = 65_536

    public init() {}
}

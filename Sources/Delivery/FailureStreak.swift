import Model

/// Failures in a row, and when to try again. Requests that were under way together when the first of them failed count
/// as one failure: they tell of the same trouble.
struct FailureStreak: Sendable {
    private(set) var count = 0
    private(set) var until = Instant.distantPast
    private(set) var reason = ""
    /// Requests with smaller ids were made before the last failure was known.
    private var firstIDAfter = 0

    var isEmpty: Bool { count == 0 }

    mutating func fail(
        request id: Int, nextID: Int, reason: String, notBefore: Instant? = nil, now: Instant, backoff: Backoff,
        using random: inout SplitMix64
    ) {
        self.reason = reason
        if id >= firstIDAfter || count == 0 {
            count += 1
            firstIDAfter = nextID
            if notBefore == nil { until = now + backoff.delay(failures: count, using: &random) }
        }
        if let notBefore { until = max(until, notBefore) }
    }

    /// Waits at least until then, without a failure.
    mutating func wait(until instant: Instant) { until = max(until, instant) }

    /// A success: what was advised to wait is still waited.
    mutating func end() {
        count = 0
        reason = ""
    }

    /// Forgets the wait as well.
    mutating func reset() { self = FailureStreak() }
}

import Model

/// Allows so many requests per second on average and at most a tenth of a second's worth at once.
///
/// Whole bookkeeping in millionths of a request, so that a million refills drift by nothing.
struct TokenBucket: Sendable {
    /// Millionths of a request per millisecond.
    private let rate: Int64
    private let capacity: Int64
    private var level: Int64
    private var refilledAt: Instant

    private static let one: Int64 = 1_000_000

    /// Starts full. Below ten requests per second the bucket still holds one.
    init(requestsPerSecond: Double, now: Instant) {
        rate = max(1, Int64((requestsPerSecond * 1000).rounded()))
        capacity = max(Self.one, Int64((requestsPerSecond / 10 * Double(Self.one)).rounded(.down)))
        level = capacity
        refilledAt = now
    }

    /// Takes one request if there is one.
    mutating func take(now: Instant) -> Bool {
        refill(now: now)
        guard level >= Self.one else { return false }
        level -= Self.one
        return true
    }

    /// When the next request is allowed: `now` if it is already.
    mutating func availableAt(now: Instant) -> Instant {
        refill(now: now)
        let missing = Self.one - level
        guard missing > 0 else { return now }
        return now + Instant.Span(milliseconds: (missing + rate - 1) / rate)
    }

    private mutating func refill(now: Instant) {
        // A clock that steps back neither fills nor drains.
        guard now > refilledAt else {
            refilledAt = now
            return
        }
        let elapsed = min((now - refilledAt).milliseconds, capacity / rate + 1)
        level = min(capacity, level + elapsed * rate)
        refilledAt = now
    }
}

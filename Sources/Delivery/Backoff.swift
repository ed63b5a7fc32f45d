import Model

/// Waiting times after failures: 1 s, doubled each time up to 60 s, of which a random part is waited ("full jitter"),
/// so that many senders do not come back at once (braze §1.5).
struct Backoff: Sendable {
    var first = Instant.Span.seconds(1)
    var cap = Instant.Span.seconds(60)

    /// The longest wait after this many failures in a row, from 1.
    func ceiling(failures: Int) -> Instant.Span {
        let doublings = min(max(failures - 1, 0), 30)
        return min(cap, Instant.Span(milliseconds: first.milliseconds << Int64(doublings)))
    }

    /// The wait: a random part of the ceiling, whole milliseconds, at least one.
    func delay(failures: Int, using random: inout SplitMix64) -> Instant.Span {
        Instant.Span(
            milliseconds: Int64.random(in: 1...max(1, ceiling(failures: failures).milliseconds), using: &random))
    }
}

import Model
import Synchronization

/// A token bucket per source. Off by default: queueing is kinder to clients than refusing (spec: collection §1.9).
final class RateLimiter: Sendable {
    private struct Bucket {
        /// Messages that may come now; negative after a batch larger than what was left.
        var tokens: Double
        var filledAt: Instant
    }

    private let messagesPerSecond: Double
    private let buckets = Mutex<[String: Bucket]>([:])

    init(messagesPerSecond: Int) { self.messagesPerSecond = Double(max(1, messagesPerSecond)) }

    /// Takes `count` messages, or returns the seconds after which the source may send again. A batch is taken whole as
    /// soon as anything may come, and paid for afterwards: otherwise one larger than the bucket never could.
    func admit(_ count: Int, sourceID: String, at now: Instant) -> Int? {
        buckets.withLock { buckets in
            var bucket = buckets[sourceID] ?? Bucket(tokens: messagesPerSecond, filledAt: now)
            if now > bucket.filledAt {
                let seconds = Double((now - bucket.filledAt).milliseconds) / 1000
                bucket.tokens = min(messagesPerSecond, bucket.tokens + seconds * messagesPerSecond)
                bucket.filledAt = now
            }
            defer { buckets[sourceID] = bucket }
            guard bucket.tokens >= 1 else {
                return max(1, Int(((1 - bucket.tokens) / messagesPerSecond).rounded(.up)))
            }
            bucket.tokens -= Double(count)
            return nil
        }
    }
}

import Crypto
import Model

/// 128 bits of the SHA-256 of a message id: hostile ids must not collide, or they would hide calls.
struct MessageHash: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(messageID: String) {
        var id = messageID
        let digest = id.withUTF8 { SHA256.hash(data: UnsafeRawBufferPointer($0)) }
        (high, low) = digest.withUnsafeBytes {
            (
                $0.loadUnaligned(as: UInt64.self).bigEndian,
                $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian
            )
        }
    }
}

/// Which message ids have taken effect: the first copy wins, later ones vanish (spec: collection §2.5).
///
/// Exact within `window`, measured on `receivedAt`, across restarts too: the state file keeps the hashes of every
/// applied batch. Whether an id counts as seen depends on the call's own `receivedAt` only, not on when old hashes
/// are swept out, so a replay decides alike.
struct Deduplicator {
    /// How long an id is remembered.
    static let window = Instant.Span.hours(72)

    private var seen: [MessageHash: Instant] = [:]
    /// In the order of arrival, for sweeping.
    private var arrivals: [(hash: MessageHash, receivedAt: Instant)] = []
    private var swept = 0

    var count: Int { seen.count }

    /// Notes the id; `false` if it has been seen within the window.
    mutating func insert(_ hash: MessageHash, receivedAt: Instant) -> Bool {
        if let first = seen[hash], receivedAt - first <= Self.window { return false }
        seen[hash] = receivedAt
        arrivals.append((hash, receivedAt))
        return true
    }

    /// Forgets what no call received from `now` on can match any more.
    mutating func sweep(now: Instant) {
        while swept < arrivals.count, now - arrivals[swept].receivedAt > Self.window {
            let (hash, receivedAt) = arrivals[swept]
            if seen[hash] == receivedAt { seen[hash] = nil }
            swept += 1
        }
        if swept > 100_000, swept > arrivals.count / 2 {
            arrivals.removeFirst(swept)
            swept = 0
        }
    }
}

import Crypto
import History
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
/// Exact within `window`, measured on `receivedAt`, across restarts too: the history's files keep the ids up to their
/// position, and the state file keeps the hashes of every applied batch. Whether an id counts as seen depends on the
/// call's own `receivedAt` only, not on when old hashes are swept out, so a replay decides alike.
struct Deduplicator {
    /// How long an id is remembered.
    static let window = Instant.Span.hours(72)

    /// Neither on disk nor on their way.
    private var fresh = Deduplicator.noIDs
    /// In the order of arrival, for sweeping and for writing.
    private(set) var arrivals: [SeenID] = []
    private var swept = 0
    /// Being written.
    private var frozen = Deduplicator.noIDs
    /// On disk, oldest first.
    private var stored: [IDSegment] = []

    /// Drawn per process, so that nobody can prepare ids that collide. Nothing but places in memory depends on it.
    private static let multiplier = UInt64.random(in: .min ... .max)
    private static var noIDs: NumberMap<UInt128, Instant> { NumberMap(filler: .distantPast, multiplier: multiplier) }

    /// Ids in memory.
    var count: Int { fresh.count + frozen.count }

    init() {}

    /// Continues with what the history's files hold.
    init(stored: [IDSegment]) { self.stored = stored }

    /// Notes the id; `false` if it has been seen within the window.
    mutating func insert(_ hash: MessageHash, receivedAt: Instant) -> Bool {
        if let last = lastReceipt(of: hash), receivedAt - last <= Self.window { return false }
        fresh[hash.packed] = receivedAt
        arrivals.append(SeenID(high: hash.high, low: hash.low, receivedAt: receivedAt.milliseconds))
        return true
    }

    private func lastReceipt(of hash: MessageHash) -> Instant? {
        if let receivedAt = fresh[hash.packed] { return receivedAt }
        if frozen.count > 0, let receivedAt = frozen[hash.packed] { return receivedAt }
        for segment in stored.reversed() {
            if let receivedAt = segment.find(high: hash.high, low: hash.low) {
                return Instant(milliseconds: receivedAt)
            }
        }
        return nil
    }

    /// Forgets what no call received from `now` on can match any more.
    mutating func sweep(now: Instant) {
        while swept < arrivals.count,
            now - Instant(milliseconds: arrivals[swept].receivedAt) > Self.window
        {
            let id = arrivals[swept]
            let hash = MessageHash(high: id.high, low: id.low).packed
            if fresh[hash] == Instant(milliseconds: id.receivedAt) { fresh[hash] = nil }
            swept += 1
        }
        if swept > 100_000, swept > arrivals.count / 2 {
            arrivals.removeFirst(swept)
            swept = 0
        }
    }

    // MARK: Files

    /// `arrivals` are being written from now on.
    mutating func freeze() {
        frozen = fresh
        fresh = Deduplicator.noIDs
        arrivals = []
        swept = 0
    }

    /// What was being written is among what is stored now.
    mutating func thaw(_ stored: [IDSegment]) {
        frozen = Deduplicator.noIDs
        self.stored = stored
    }

    /// The same ids in other files.
    mutating func move(to stored: [IDSegment]) { self.stored = stored }
}

import HeapModule
import Model

/// At which instants which profile must be looked at again: at most one per (computation, profile), design §4.
///
/// A wake-up may be too early and never too late, so an armed one is left alone when the next change moves further
/// away: firing early costs one evaluation, rewriting on every event would cost throughput.
struct WakeUps {
    struct Key: Hashable {
        let computation: ComputationNumber
        let profile: ProfileOrdinal

        fileprivate var packed: UInt64 { UInt64(computation.rawValue) << 32 | UInt64(profile.rawValue) }
    }

    private struct Entry: Comparable {
        let due: Instant
        let key: Key

        /// The order of firing: by time, then by dependency rank (numbers follow it only within one instant, the
        /// engine re-evaluates dependents itself), then by profile. Nothing here depends on hashing.
        static func < (left: Entry, right: Entry) -> Bool {
            (left.due, left.key.computation.rawValue, left.key.profile.rawValue)
                < (right.due, right.key.computation.rawValue, right.key.profile.rawValue)
        }
    }

    private var armed = NumberMap<UInt64, Instant>(filler: .distantPast)
    private var heap = Heap<Entry>()

    var count: Int { armed.count }

    /// The earliest due instant.
    mutating func nextDue() -> Instant? { next()?.due }

    /// The first wake-up due at or before `limit`.
    mutating func nextDue(by limit: Instant) -> (key: Key, due: Instant)? {
        guard let next = next(), next.due <= limit else { return nil }
        return (next.key, next.due)
    }

    private mutating func next() -> Entry? {
        while let entry = heap.min {
            if armed[entry.key.packed] == entry.due { return entry }
            heap.removeMin()
        }
        return nil
    }

    /// Arms for `due` unless an earlier wake-up stands. Returns whether anything changed.
    mutating func arm(_ key: Key, due: Instant) -> Bool {
        if let standing = armed[key.packed], standing <= due { return false }
        armed[key.packed] = due
        heap.insert(Entry(due: due, key: key))
        return true
    }

    /// Disarms; returns whether one was armed. The heap drops its entry when it comes up.
    @discardableResult
    mutating func disarm(_ key: Key) -> Bool {
        guard armed[key.packed] != nil else { return false }
        armed[key.packed] = nil
        return true
    }

    func due(_ key: Key) -> Instant? { armed[key.packed] }
}

import Engine
import JSON
import Synchronization

/// How fast backfills go, from what was seen of them while somebody watched.
final class BackfillPace: Sendable {
    private struct Sighting {
        var at: ContinuousClock.Instant
        var done: Int
    }

    private let first = Mutex<[String: Sighting]>([:])
    private let clock = ContinuousClock()

    /// `{done, total, profilesPerSecond, remainingMilliseconds}`; the latter two are null until the pace is known.
    func json(_ progress: BackfillProgress) -> JSONValue {
        let now = clock.now
        let start = first.withLock { first in
            if let known = first[progress.computationID], known.done <= progress.done { return known }
            if first.count > 1000 { first.removeAll() }
            let sighting = Sighting(at: now, done: progress.done)
            first[progress.computationID] = sighting
            return sighting
        }
        let elapsed = start.at.duration(to: now)
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let done = Double(progress.done - start.done)
        let pace = seconds >= 0.5 && done > 0 ? done / seconds : nil
        return [
            "done": .number(progress.done), "total": .number(progress.total),
            "profilesPerSecond": pace.map { .number(($0 * 10).rounded() / 10) } ?? .null,
            "remainingMilliseconds": pace.map {
                .number((Double(progress.total - progress.done) / $0 * 1000).rounded())
            } ?? .null,
        ]
    }
}

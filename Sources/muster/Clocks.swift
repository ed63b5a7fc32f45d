import Foundation
import Model
import Synchronization

/// The machine's clock.
struct WallClock: InstantSource {
    func now() -> Instant {
        Instant(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }
}

/// The machine's clock plus an offset that tests move forward over HTTP, so that a 30-day window can be crossed in a
/// moment. Only with `muster serve --test-clock`.
final class TestClock: InstantSource {
    private let offset = Mutex(Int64(0))
    private let wall = WallClock()

    func now() -> Instant {
        Instant(milliseconds: wall.now().milliseconds + offset.withLock { $0 })
    }

    /// Moves time forward; never back.
    func advance(milliseconds: Int64) {
        offset.withLock { $0 += max(0, milliseconds) }
    }
}

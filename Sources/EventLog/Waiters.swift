import Dispatch
import Synchronization

/// Where the Log ends, and everyone who waits for it to grow.
final class Waiters: Sendable {
    private struct State {
        var endOffset: Int64 = 0
        /// Grows with each `wakeAll`, so that a wake between check and wait is not missed.
        var semaphores: [DispatchSemaphore] = []
        var continuations: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    var endOffset: Int64 { state.withLock { $0.endOffset } }

    /// The end moves forward; everybody who waits looks again.
    func publish(_ endOffset: Int64) {
        state.withLock { $0.endOffset = max($0.endOffset, endOffset) }
        wakeAll()
    }

    func wakeAll() {
        let (semaphores, continuations) = state.withLock { state in
            defer {
                state.semaphores = []
                state.continuations = [:]
            }
            return (state.semaphores, state.continuations)
        }
        for semaphore in semaphores { semaphore.signal() }
        for continuation in continuations.values { continuation.resume() }
    }

    /// Blocks the thread until the record exists, the timeout is over or `wakeAll` is called. Returns whether it exists.
    func wait(for offset: Int64, timeout: Duration) -> Bool {
        let semaphore = DispatchSemaphore(value: 0)
        let isThere = state.withLock { state in
            if state.endOffset > offset { return true }
            state.semaphores.append(semaphore)
            return false
        }
        if isThere { return true }
        let (seconds, attoseconds) = timeout.components
        let nanoseconds = min(max(seconds, 0), 86_400 * 365) * 1_000_000_000 + max(attoseconds, 0) / 1_000_000_000
        _ = semaphore.wait(timeout: .now() + .nanoseconds(Int(nanoseconds)))
        return state.withLock { state in
            state.semaphores.removeAll { $0 === semaphore }
            return state.endOffset > offset
        }
    }

    /// Suspends the task until the record exists or the task is cancelled. Returns whether it exists.
    func wait(for offset: Int64) async -> Bool {
        while !Task.isCancelled {
            let id = state.withLock { state in
                state.nextID += 1
                return state.nextID
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let resumeNow = state.withLock { state in
                        if state.endOffset > offset || Task.isCancelled { return true }
                        state.continuations[id] = continuation
                        return false
                    }
                    if resumeNow { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.continuations.removeValue(forKey: id) }?.resume()
            }
            if endOffset > offset { return true }
        }
        return endOffset > offset
    }
}

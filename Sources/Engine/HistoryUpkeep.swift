import Dispatch
import History
import Logging
import Synchronization

/// How the files of the history stand.
public struct HistoryState: Sendable, Hashable {
    public enum Phase: String, Sendable {
        case ready
        /// Damage was found; everything is read from the Log. Questions wait.
        case rebuilding
    }

    public var phase = Phase.ready
    /// Records read and to be read while rebuilding.
    public var done: Int64 = 0
    public var total: Int64 = 0
    /// What made the last rebuild necessary, in words.
    public var problem: String?
    /// Rebuilds since the service opened, the one at its start included.
    public var rebuilds = 0
    /// Why files could not be written, while that is so. Nothing is lost: rows stay in memory and in the Log.
    public var writeFailure: String?
}

/// Flushes and merges in the background: begins and finishes them between two batches, under the engine's lock, and runs
/// them on threads of its own.
final class HistoryUpkeep: Sendable {
    private struct Shared {
        var state = HistoryState()
        var isFlushing = false
        var isMerging = false
        var flushed: HistoryFlush.Result?
        var merged: HistoryMerge.Result?
        var failedMerge: HistoryMerge?
        /// Whether something may be to be merged.
        var looksForMerges = true
        var hasLookedAround = false
        /// What was begun for an earlier history is of no use.
        var generation = 0
    }

    private let shared = Mutex(Shared())
    private let flushing = DispatchQueue(label: "history.flush", qos: .utility)
    private let merging = DispatchQueue(label: "history.merge", qos: .background)
    private let cancellation = HistoryCancellation()
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    var state: HistoryState { shared.withLock(\.state) }

    /// Called between two batches, after the commit.
    func turn(_ engine: Engine) {
        let (flushed, merged, failedMerge) = shared.withLock { shared in
            let taken = (shared.flushed, shared.merged, shared.failedMerge)
            (shared.flushed, shared.merged, shared.failedMerge) = (nil, nil, nil)
            return taken
        }
        if let failedMerge { engine.abandon(failedMerge) }
        if let flushed {
            finish {
                try engine.finish(flushed)
            } again: {
                $0.flushed = flushed
            }
        }
        if let merged {
            finish {
                try engine.finish(merged)
            } again: {
                $0.merged = merged
            }
        }
        guard engine.settings.historyDirectory != nil else { return }
        let (mayFlush, mayMerge, mayLook, generation) = shared.withLock { shared in
            defer { shared.hasLookedAround = true }
            return (
                !shared.isFlushing, !shared.isMerging && shared.looksForMerges, !shared.hasLookedAround,
                shared.generation
            )
        }
        if mayLook {
            // Damage is better found now than when somebody asks.
            let verification = engine.history.verification
            merging.async { [cancellation] in verification.run(cancellation) }
        }
        if mayFlush, let flush = engine.beginHistoryFlush() {
            shared.withLock { $0.isFlushing = true }
            flushing.async { [self] in run(flush, generation) }
        }
        if mayMerge {
            if let merge = engine.beginHistoryMerge() {
                shared.withLock { $0.isMerging = true }
                merging.async { [self] in run(merge, generation) }
            } else {
                shared.withLock { $0.looksForMerges = false }
            }
        }
    }

    private func finish(_ body: () throws -> Void, again: (inout Shared) -> Void) {
        do {
            try body()
            shared.withLock {
                $0.state.writeFailure = nil
                $0.looksForMerges = true
            }
        } catch {
            note("\(error)")
            shared.withLock { again(&$0) }
        }
    }

    private func run(_ flush: HistoryFlush, _ generation: Int) {
        guard shared.withLock({ $0.generation == generation }), !cancellation.isCancelled else { return }
        do {
            let result = try flush.run()
            shared.withLock {
                guard $0.generation == generation else { return }
                $0.flushed = result
                $0.isFlushing = false
                $0.state.writeFailure = nil
            }
        } catch {
            note("\(error)")
            // The rows stay readable in memory until the disk takes them.
            flushing.asyncAfter(deadline: .now() + 5) { [weak self] in self?.run(flush, generation) }
        }
    }

    private func run(_ merge: HistoryMerge, _ generation: Int) {
        guard shared.withLock({ $0.generation == generation }), !cancellation.isCancelled else { return }
        do {
            let result = try merge.run(cancellation)
            shared.withLock {
                guard $0.generation == generation else { return }
                $0.merged = result
                $0.isMerging = false
            }
        } catch {
            if !cancellation.isCancelled { note("\(error)") }
            shared.withLock {
                guard $0.generation == generation else { return }
                $0.failedMerge = merge
                $0.isMerging = false
                // Tried again after the next flush.
                $0.looksForMerges = false
            }
        }
    }

    private func note(_ failure: String) {
        let isNew = shared.withLock { shared in
            defer { shared.state.writeFailure = failure }
            return shared.state.writeFailure != failure
        }
        if isNew { logger.error("the history's files can't be written", metadata: ["error": "\(failure)"]) }
    }

    // MARK: Rebuilds

    /// The engine found the files unusable when it opened, and has rebuilt them.
    func noteRebuild(_ problem: String) {
        logger.warning("the history was rebuilt from the Log", metadata: ["problem": "\(problem)"])
        shared.withLock {
            $0.state.problem = problem
            $0.state.rebuilds += 1
        }
    }

    func beginRebuild(_ problem: String) {
        logger.error("the history is damaged: rebuilding it from the Log", metadata: ["problem": "\(problem)"])
        shared.withLock {
            $0.generation += 1
            $0.state.phase = .rebuilding
            $0.state.problem = problem
            $0.state.rebuilds += 1
            ($0.state.done, $0.state.total) = (0, 0)
        }
    }

    func progress(_ done: Int64, _ total: Int64) {
        shared.withLock { ($0.state.done, $0.state.total) = (done, total) }
    }

    func endRebuild() {
        shared.withLock {
            $0.state.phase = .ready
            // What was under way was about files that are gone.
            ($0.flushed, $0.merged, $0.failedMerge) = (nil, nil, nil)
            ($0.isFlushing, $0.isMerging, $0.looksForMerges) = (false, false, true)
            $0.state.writeFailure = nil
        }
        logger.notice("the history was rebuilt")
    }

    /// Ends for good: what is being merged is given up, what is being flushed comes to its end.
    func stop() {
        cancellation.cancel()
        drain()
    }

    /// Waits until nothing is being written.
    func drain() {
        flushing.sync {}
        merging.sync {}
    }
}

import Dispatch
import History
import Logging
import Model
import Synchronization

/// How the files of the history stand.
public struct HistoryState: Sendable, Hashable {
    public enum Phase: String, Sendable {
        case ready
        /// The files were found damaged, or lack much: it is read from the Log. Questions wait.
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
        var swept: HistoryTextSweep.Result?
        /// Takes back what a merge or sweep that failed has begun.
        var giveUp: (@Sendable (Engine) -> Void)?
        /// Before, deleted people's leavings stay where they are: rewriting files for each single order would never end.
        var nextCleaning = ContinuousClock.now
        /// The expiry whose rows were counted, and before when its files need no other look.
        var surveyed: Instant?
        var nextExpiryLook = ContinuousClock.now
        /// Whether something may be to be merged.
        var looksForMerges = true
        var hasLookedAround = false
        /// What was begun for an earlier history is of no use.
        var generation = 0
        var cancellation = HistoryCancellation()
    }

    private let shared = Mutex(Shared())
    private let flushing = DispatchQueue(label: "history.flush", qos: .utility)
    private let merging = DispatchQueue(label: "history.merge", qos: .background)
    private let flushEnded = DispatchSemaphore(value: 0)
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    var state: HistoryState { shared.withLock(\.state) }

    /// Called between two batches, after the commit.
    func turn(_ engine: Engine) {
        let (flushed, merged, swept, giveUp) = shared.withLock { shared in
            defer { (shared.flushed, shared.merged, shared.swept, shared.giveUp) = (nil, nil, nil, nil) }
            return (shared.flushed, shared.merged, shared.swept, shared.giveUp)
        }
        giveUp?(engine)
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
        if let swept {
            finish {
                try engine.finish(swept)
            } again: {
                $0.swept = swept
            }
        }
        guard engine.settings.historyDirectory != nil else { return }
        let (mayFlush, mayMerge, mayLook, generation, cancellation) = shared.withLock { shared in
            defer { shared.hasLookedAround = true }
            return (
                !shared.isFlushing, !shared.isMerging && shared.looksForMerges, !shared.hasLookedAround,
                shared.generation, shared.cancellation
            )
        }
        if mayLook {
            // Damage is better found now than when somebody asks.
            let verification = engine.history.verification
            merging.async { verification.run(cancellation) }
        }
        if mayFlush, let flush = engine.beginHistoryFlush() {
            shared.withLock { $0.isFlushing = true }
            flushing.async { [self] in run(flush, generation, cancellation) }
        }
        if mayMerge {
            if let merge = engine.beginHistoryMerge() {
                shared.withLock { $0.isMerging = true }
                merging.async { [self] in run(merge, generation, cancellation) }
            } else {
                shared.withLock { $0.looksForMerges = false }
            }
        }
        if engine.history.needsCleaning {
            clean(engine, generation, cancellation)
        } else if engine.retention.expiredAt != nil {
            letGo(engine, generation, cancellation)
        }
    }

    /// Does the next step of taking expired events out of the files, when nothing else is to do.
    private func letGo(_ engine: Engine, _ generation: Int, _ cancellation: HistoryCancellation) {
        let expiredAt = engine.retention.expiredAt
        let (isIdle, isSurveyed) = shared.withLock { shared in
            let isSurveyed = shared.surveyed == expiredAt
            let isIdle = !shared.isFlushing && !shared.isMerging && !shared.looksForMerges
            return (isIdle && (!isSurveyed || shared.nextExpiryLook <= .now), isSurveyed)
        }
        guard isIdle else { return }
        guard isSurveyed else {
            let survey = engine.history.expirySurvey
            shared.withLock { $0.isMerging = true }
            merging.async { [self] in
                survey.run()
                shared.withLock {
                    guard $0.generation == generation else { return }
                    $0.isMerging = false
                    $0.surveyed = expiredAt
                    $0.nextExpiryLook = .now
                }
            }
            return
        }
        if !clean(engine, generation, cancellation) {
            shared.withLock { $0.nextExpiryLook = .now + HistoryUpkeep.cleaningInterval }
        }
    }

    /// Does the next step of taking deleted people and expired events out of the files; false if there is none.
    @discardableResult
    private func clean(_ engine: Engine, _ generation: Int, _ cancellation: HistoryCancellation) -> Bool {
        let isIdle = shared.withLock {
            !$0.isFlushing && !$0.isMerging && !$0.looksForMerges && $0.nextCleaning <= .now
        }
        guard isIdle, let cleaning = engine.beginHistoryCleaning() else { return false }
        switch cleaning {
        case .flush(let flush):
            shared.withLock { $0.isFlushing = true }
            flushing.async { [self] in run(flush, generation, cancellation) }
        case .rewrite(let merge):
            shared.withLock { $0.isMerging = true }
            merging.async { [self] in run(merge, generation, cancellation) }
        case .sweep(let sweep):
            shared.withLock {
                $0.isMerging = true
                $0.nextCleaning = .now + HistoryUpkeep.cleaningInterval
            }
            merging.async { [self] in
                merge(generation, cancellation) {
                    let swept = try sweep.run(cancellation)
                    return { $0.swept = swept }
                } giveUp: {
                    $0.abandon(sweep)
                }
            }
        }
        return true
    }

    private static let cleaningInterval = Duration.seconds(600)

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

    private func run(_ flush: HistoryFlush, _ generation: Int, _ cancellation: HistoryCancellation) {
        defer { flushEnded.signal() }
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
            flushing.asyncAfter(deadline: .now() + 5) { [weak self] in self?.run(flush, generation, cancellation) }
        }
    }

    private func run(_ merge: HistoryMerge, _ generation: Int, _ cancellation: HistoryCancellation) {
        self.merge(generation, cancellation) {
            let merged = try merge.run(cancellation)
            return { $0.merged = merged }
        } giveUp: {
            $0.abandon(merge)
        }
    }

    /// Runs something that takes the place of a merge.
    private func merge(
        _ generation: Int, _ cancellation: HistoryCancellation, _ body: () throws -> (inout Shared) -> Void,
        giveUp: @escaping @Sendable (Engine) -> Void
    ) {
        guard shared.withLock({ $0.generation == generation }), !cancellation.isCancelled else { return }
        do {
            let store = try body()
            shared.withLock {
                guard $0.generation == generation else { return }
                store(&$0)
                $0.isMerging = false
            }
        } catch {
            if !cancellation.isCancelled { note("\(error)") }
            shared.withLock {
                guard $0.generation == generation else { return }
                $0.giveUp = giveUp
                $0.isMerging = false
                // Tried again after the next flush.
                $0.looksForMerges = false
                $0.nextCleaning = .now + .seconds(60)
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

    /// The engine was opened without a history, because too much must be read.
    func expectRebuild(_ problem: String, records: Int64) {
        shared.withLock {
            $0.state.phase = .rebuilding
            $0.state.problem = problem
            ($0.state.done, $0.state.total) = (0, records)
        }
    }

    func beginRebuild(_ problem: String) {
        logger.warning("the history is read from the Log", metadata: ["problem": "\(problem)"])
        shared.withLock {
            $0.generation += 1
            $0.cancellation.cancel()
            $0.cancellation = HistoryCancellation()
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
            ($0.flushed, $0.merged, $0.swept, $0.giveUp) = (nil, nil, nil, nil)
            ($0.isFlushing, $0.isMerging, $0.looksForMerges) = (false, false, true)
            $0.state.writeFailure = nil
        }
        logger.notice("the history is complete")
    }

    /// Ends for good: what is being merged is given up, what is being flushed comes to its end.
    func stop() {
        shared.withLock { $0.cancellation.cancel() }
        drain()
    }

    /// Takes over what was written, and writes the rest. After `stop`, with nobody else at the engine.
    func close(_ engine: Engine) {
        let (flushed, merged, swept) = shared.withLock { shared in
            defer { (shared.flushed, shared.merged, shared.swept) = (nil, nil, nil) }
            return (shared.flushed, shared.merged, shared.swept)
        }
        do {
            if let flushed { try engine.finish(flushed) }
            if let merged { try engine.finish(merged) }
            if let swept { try engine.finish(swept) }
            if let flush = engine.beginHistoryFlush(always: true) { try engine.finish(flush.run()) }
        } catch {
            // Nothing is lost: the next start reads it from the Log.
            note("\(error)")
        }
    }

    /// Waits until a flush has come to an end, well or not, but not long.
    func awaitFlush() { _ = flushEnded.wait(timeout: .now() + .milliseconds(100)) }

    /// Waits until nothing is being written.
    func drain() {
        flushing.sync {}
        merging.sync {}
    }
}

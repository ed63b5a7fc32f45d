public import EventLog
import Foundation
import History
public import Logging
public import Model
public import Store
import Synchronization

/// Runs one engine: a thread that applies the Log as it grows and lets time pass, and a lock behind which everybody else
/// reads. Commands go in through the Log and come back when they have been applied.
///
/// Promises: readers see whole batches only; a command that was answered is durable and in force; when the state file
/// can't be written the service stops and says so instead of running ahead of it.
public final class EngineService: Sendable {
    public struct Configuration: Sendable {
        public var engine = Engine.Settings()
        /// Records applied in one transaction at most. Behind a busy Log large transactions pay: the pages of the state that
        /// a batch touches are written once, and most of what a busy engine does is writing them.
        public var batchRecords = 8_000
        /// Profiles that a backfill does between two batches.
        public var backfillChunk = 500
        /// Where more records of the Log are missing in the history's files, they are read after the opening, on the
        /// engine's thread; `historyState` tells how far that is.
        public var recordsReadAtOpening: Int64 = 200_000

        public init() {}
    }

    private struct Shared {
        var isStopping = false
        var waiting: [Int64: CheckedContinuation<Result<Void, CommandError>, Never>] = [:]
        /// Outcomes nobody has asked for yet, because the engine was faster than the append's return.
        var early: [Int64: Result<Void, CommandError>] = [:]
        var failure: String?
        var hasEnded = false
        var listeners: [@Sendable (Event) -> Void] = []
    }

    /// What the service tells its listeners, on the engine's thread, after a commit.
    public enum Event: Sendable {
        /// New emissions are in the outbox.
        case emissions
        /// Sources, destinations or computations changed.
        case definitions
        /// People were deleted: whoever keeps something about them must forget it.
        case deleted(DeletedProfiles)
        /// The service ended because of an error.
        case failed(String)
    }

    private let engine: Mutex<Engine>
    /// Held while a new engine is opened in the place of one without a sound history.
    private let rebuilding = Mutex<Void>(())
    private let upkeep: HistoryUpkeep
    /// Readers that wait for the lock: the engine's thread lets them in between batches.
    private let readers = Atomic<Int>(0)
    private let shared = Mutex(Shared())
    private let log: EventLog
    private let readAhead: ReadAhead
    public let store: StateStore
    private let gate: ReceiptGate
    private let logger: Logger
    private let configuration: Configuration
    private let ended = DispatchSemaphore(value: 0)

    /// Opens the engine (loads the state, reads into the history what its files lack, if that is not much). Nothing is
    /// applied until `start`.
    public init(
        configuration: Configuration = Configuration(), store: StateStore, log: EventLog, gate: ReceiptGate,
        logger: Logger, progress: @escaping @Sendable (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
    ) throws {
        self.configuration = configuration
        self.store = store
        self.log = log
        readAhead = ReadAhead(log)
        self.gate = gate
        self.logger = logger
        upkeep = HistoryUpkeep(logger)
        // Without files the history is read at every start, and that is no news.
        let limit = configuration.engine.historyDirectory == nil ? .max : configuration.recordsReadAtOpening
        let engine = try Engine(
            settings: configuration.engine, store: store, log: log, readLimit: limit, progress: progress)
        if let unfit = engine.unfit {
            upkeep.expectRebuild(unfit, records: engine.position - engine.history.storedPosition)
        } else if let problem = engine.historyProblem {
            upkeep.noteRebuild(problem)
        }
        self.engine = Mutex(engine)
    }

    /// Hears of commits from now on. Listeners run on the engine's thread: they must return at once.
    public func addListener(_ listener: @escaping @Sendable (Event) -> Void) {
        shared.withLock { $0.listeners.append(listener) }
    }

    /// Begins to apply the Log.
    public func start() {
        let thread = Thread { [self] in
            loop()
            ended.signal()
        }
        thread.name = "engine"
        thread.stackSize = 16 << 20
        thread.start()
    }

    /// Ends after the batch at hand; what was applied is committed.
    public func stop() {
        shared.withLock { $0.isStopping = true }
        log.wakeWaiters()
        ended.wait()
        ended.signal()
        readAhead.drain()
        upkeep.stop()
        // So that the next start has nothing to read from the Log.
        engine.withLock { if $0.unfit == nil { upkeep.close($0) } }
    }

    /// Why the service ended by itself, if it did.
    public var failure: String? { shared.withLock(\.failure) }

    /// How the history's files stand, also while the history is rebuilt.
    public var historyState: HistoryState { upkeep.state }

    /// Reads under the lock. The result must be a copy: nothing of the engine may leave the closure. If the history's
    /// files turn out to be damaged, it is rebuilt and the closure runs again: while `historyState` says `rebuilding`
    /// this may take long.
    public func read<Value: Sendable>(_ body: @Sendable (Engine) throws -> Value) rethrows -> Value {
        readers.wrappingAdd(1, ordering: .relaxed)
        defer { readers.wrappingSubtract(1, ordering: .relaxed) }
        while true {
            let answer: Value? = try engine.withLock { engine in
                guard engine.unfit == nil else { return nil }
                let value = try body(engine)
                return engine.unfit == nil ? .some(value) : nil
            }
            if let answer { return answer }
            // Without a sound history there is no answer, and a wrong one must not leave.
            guard rebuild() else { fatalError("the history is damaged and can't be rebuilt: \(failure ?? "stopped")") }
        }
    }

    /// Reads what stands in the state file: definitions, position, counters. Unlike `read` it never waits for a rebuild,
    /// so what it returns must not come from the history.
    public func readState<Value: Sendable>(_ body: @Sendable (Engine) throws -> Value) rethrows -> Value {
        readers.wrappingAdd(1, ordering: .relaxed)
        defer { readers.wrappingSubtract(1, ordering: .relaxed) }
        return try engine.withLock { try body($0) }
    }

    /// An engine on its way behind the lock. Sendable because it is made, handed over and forgotten by one thread: nobody
    /// else has a reference before the lock has it.
    private struct Handover: @unchecked Sendable {
        let engine: Engine
    }

    /// Opens the engine anew from what is committed, with a history from the Log, where the one there is has no sound
    /// history. What the old one has not committed is applied again, so nothing that came of damaged files is kept.
    /// `false` if that is not possible or the service stops.
    private func rebuild() -> Bool {
        rebuilding.withLock { _ in
            // Whoever came first may have done it.
            let (unfit, isDamaged) = engine.withLock { ($0.unfit, $0.history.damage != nil) }
            guard let unfit else { return true }
            guard failure == nil else { return false }
            upkeep.beginRebuild(unfit)
            // Nothing may write into the directory meanwhile.
            upkeep.drain()
            do {
                if isDamaged, let directory = configuration.engine.historyDirectory {
                    engine.withLock { $0.discardHistory(in: directory) }
                }
                let fresh = Handover(
                    engine: try Engine(settings: configuration.engine, store: store, log: log) {
                        if shared.withLock(\.isStopping) { throw CancellationError() }
                        upkeep.progress($0, $1)
                    })
                engine.withLock { $0 = fresh.engine }
                upkeep.endRebuild()
                return true
            } catch is CancellationError {
                return false
            } catch {
                fail("the history could not be rebuilt: \(error)")
                shared.withLock { $0.isStopping = true }
                return false
            }
        }
    }

    /// Puts a command into the Log and waits until the engine has carried it out. Throws `CommandError` where it was
    /// refused, and the Log's error where it could not be stored.
    public func submit(_ command: Command) async throws {
        let ticket = gate.enter()
        let offset: Int64
        do {
            offset = try await log.append([.command(command, receivedAt: ticket.receivedAt)]).lowerBound
            gate.leave(ticket)
        } catch {
            gate.leave(ticket)
            throw error
        }
        let outcome = await withCheckedContinuation { continuation in
            let known: Result<Void, CommandError>? = shared.withLock { shared in
                if let outcome = shared.early.removeValue(forKey: offset) { return outcome }
                if shared.hasEnded {
                    return .failure(
                        CommandError(.invalid, shared.failure ?? "the engine has stopped: the change is stored"))
                }
                shared.waiting[offset] = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
        try outcome.get()
    }

    /// Waits until the Log as it is now has been applied and the engine's time has come to `instant`, if one is given.
    public func waitUntilCaughtUp(with instant: Instant = .distantPast) async throws {
        let end = log.endOffset
        log.wakeWaiters()
        while read({ $0.position < end || $0.now < instant }) {
            if let failure { throw CommandError(.invalid, failure) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    // MARK: The engine's thread

    private func loop() {
        do {
            while !shared.withLock(\.isStopping) { try turn() }
        } catch {
            fail("\(error)")
        }
        // Nobody will answer those who still wait.
        let waiting = shared.withLock { shared in
            let waiting = shared.waiting
            shared.waiting = [:]
            shared.hasEnded = true
            return waiting
        }
        for continuation in waiting.values {
            continuation.resume(returning: .failure(CommandError(.invalid, "the engine is stopping: ask again")))
        }
    }

    /// One batch, or one look at the clock.
    private func turn() throws {
        let (position, isFit) = engine.withLock { ($0.position, $0.unfit == nil) }
        guard isFit else {
            _ = rebuild()
            return
        }
        // The horizon first: a record that enters the Log after this line is not earlier than it.
        let horizon = gate.horizon()
        let records = Engine.batch(try readAhead.records(from: position, limit: configuration.batchRecords))
        readAhead.begin(from: position + Int64(records.count), limit: configuration.batchRecords)
        let result = try engine.withLock { engine in
            var turn = Turn(isBusy: true, nextDue: nil, position: position)
            // A reader may have found damage, and opened it anew.
            guard engine.position == position, engine.unfit == nil else { return turn }
            if engine.isHistoryBehind {
                // Memory must not grow: the Log waits until rows are on disk.
                upkeep.turn(engine)
                turn.isBehind = engine.isHistoryBehind
                if turn.isBehind { return turn }
            }
            if records.isEmpty { engine.advance(to: horizon) } else { engine.apply(records) }
            if engine.hasBackfill { engine.continueBackfill(limit: configuration.backfillChunk) }
            if engine.hasFirstSync { engine.continueFirstSync(limit: configuration.backfillChunk) }
            // Nothing of this turn was committed then, so it is as if it had not been.
            guard engine.unfit == nil else { return turn }
            turn.outcomes = engine.outcomes
            engine.outcomes = [:]
            turn.hasEmissions = engine.hasUncommittedEmissions
            if engine.hasUncommittedChanges { try engine.commit() }
            turn.deleted = engine.takeDeleted()
            upkeep.turn(engine)
            turn.isBusy = !records.isEmpty || engine.hasBackfill || engine.hasFirstSync
            turn.nextDue = engine.nextDue
            turn.position = engine.position
            return turn
        }
        if result.isBehind { return upkeep.awaitFlush() }
        tell(result)
        if !result.isBusy {
            let untilDue = result.nextDue.map { ($0 - horizon).milliseconds } ?? 1000
            _ = log.wait(for: result.position, timeout: .milliseconds(max(1, min(1000, untilDue))))
        } else {
            // The lock is not fair: without this pause readers could starve while batches follow each other.
            var pauses = 0
            while readers.load(ordering: .relaxed) > 0, pauses < 40 {
                usleep(50)
                pauses += 1
            }
        }
    }

    private struct Turn: Sendable {
        var outcomes: [Int64: Result<Void, CommandError>] = [:]
        var hasEmissions = false
        var isBusy: Bool
        var isBehind = false
        var nextDue: Instant?
        var position: Int64
        var deleted = DeletedProfiles()
    }

    private func tell(_ turn: Turn) {
        let (listeners, resumed) = shared.withLock { shared in
            var resumed: [(CheckedContinuation<Result<Void, CommandError>, Never>, Result<Void, CommandError>)] = []
            for (offset, outcome) in turn.outcomes {
                if let continuation = shared.waiting.removeValue(forKey: offset) {
                    resumed.append((continuation, outcome))
                } else {
                    shared.early[offset] = outcome
                }
            }
            // Replayed commands have nobody who asks: keep only what an append may still be about to ask for.
            if shared.early.count > 1000 {
                for offset in shared.early.keys.sorted().dropLast(500) { shared.early[offset] = nil }
            }
            return (shared.listeners, resumed)
        }
        if turn.hasEmissions { for listener in listeners { listener(.emissions) } }
        if !turn.outcomes.isEmpty { for listener in listeners { listener(.definitions) } }
        if !turn.deleted.isEmpty { for listener in listeners { listener(.deleted(turn.deleted)) } }
        for (continuation, outcome) in resumed { continuation.resume(returning: outcome) }
    }

    private func fail(_ message: String) {
        logger.critical("the engine stopped", metadata: ["error": "\(message)"])
        let listeners = shared.withLock { shared in
            shared.failure = message
            return shared.listeners
        }
        for listener in listeners { listener(.failed(message)) }
    }
}

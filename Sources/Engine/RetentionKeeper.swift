import Dispatch
public import EventLog
import History
public import Logging
public import Model
import Synchronization

/// Writes an expiry into the Log once a day, and then empties the records of what has expired.
///
/// May be called as often as one likes, also by several at once: what is not due is not done.
public final class RetentionKeeper: Sendable {
    private let engine: EngineService
    private let log: EventLog
    private let clock: any InstantSource
    private let logger: Logger
    /// Held while the Log is gone through.
    private let memo = Mutex(LogExpiryMemo())
    private let erased = Mutex(Instant.distantPast)
    private let queue = DispatchQueue(label: "log.retention", qos: .background)

    /// How long a daily expiry waits for backfills that go on: they would have to end at once.
    static let patience = Instant.Span.hours(2)

    public init(engine: EngineService, log: EventLog, clock: any InstantSource, logger: Logger) {
        self.engine = engine
        self.log = log
        self.clock = clock
        self.logger = logger
    }

    /// Writes an expiry if one is due. To be called every minute or so.
    public func expireIfDue() async {
        let now = clock.now()
        let (due, isBackfilling) = engine.readState { ($0.retention.nextExpiry, $0.hasBackfill) }
        guard let due, due <= now, !isBackfilling || due + RetentionKeeper.patience <= now else { return }
        do {
            try await expire()
        } catch {
            logger.error("events could not be let go; it is tried again", metadata: ["error": "\(error)"])
        }
    }

    /// Lets go now of what the rules say. Throws what `submit` throws.
    public func expire() async throws {
        let rules = engine.readState { $0.retention.rules }
        try await engine.submit(.expire(rules.floors(at: clock.now())))
    }

    /// Empties records of the Log that have expired since it was last called. Takes long when much has; a cancelled task
    /// comes back soon.
    public func eraseExpired() async {
        let cancellation = HistoryCancellation()
        await withTaskCancellationHandler {
            // Not on a thread that answers requests.
            await withCheckedContinuation { continuation in
                queue.async { [self] in
                    erase { cancellation.isCancelled }
                    continuation.resume()
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    private func erase(isCancelled: () -> Bool) {
        let retention = engine.readState(\.retention)
        guard let expiredAt = retention.expiredAt, erased.withLock({ $0 < expiredAt }) else { return }
        let expiry = LogExpiry(instant: expiredAt, floors: retention.floors, end: retention.logEnd)
        do {
            let count = try memo.withLock { try log.erase(expiry, memo: &$0, isCancelled: isCancelled) }
            if isCancelled() { return }
            erased.withLock { $0 = max($0, expiredAt) }
            if count > 0 {
                logger.info("expired events were taken out of the Log", metadata: ["records": "\(count)"])
            }
        } catch {
            logger.error(
                "the Log could not be rewritten without what has expired; it is tried again",
                metadata: ["error": "\(error)"])
        }
    }
}

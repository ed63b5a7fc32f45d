public import History
import Model
import Store

// Keeping the history's files. Whoever runs the engine decides on which threads the writing happens; beginning and
// finishing belong to the engine's isolation.
extension Engine {
    /// Fresh rows to be written, if there are enough of them or `always`. Only after a commit: the files must not be
    /// ahead of the state file.
    public func beginHistoryFlush(always: Bool = false) -> HistoryFlush? {
        guard always || unwrittenRows >= settings.historyFlushRows, changes.position == nil else { return nil }
        return beginHistoryFlush(position: position)
    }

    /// Rows and message ids that are in memory only and not being written, whichever are more.
    var unwrittenRows: Int { max(history.freshRowCount, deduplicator.arrivals.count) }

    /// Whether memory holds so much that is not on disk that nothing should be added.
    var isHistoryBehind: Bool {
        settings.historyDirectory != nil && unwrittenRows >= 2 * settings.historyFlushRows
    }

    private func beginHistoryFlush(position: Int64) -> HistoryFlush? {
        let flush = history.beginFlush(position: position, mark: lastMark, ids: deduplicator.arrivals)
        if flush != nil { deduplicator.freeze() }
        return flush
    }

    public func beginHistoryMerge() -> HistoryMerge? {
        history.beginMerge(
            unit: settings.historyFlushRows, idsSince: now.milliseconds - Deduplicator.window.milliseconds)
    }

    public func finish(_ flushed: HistoryFlush.Result) throws {
        try history.finish(flushed)
        deduplicator.thaw(history.seenIDs)
    }

    public func finish(_ merged: HistoryMerge.Result) throws {
        try history.finish(merged)
        deduplicator.move(to: history.seenIDs)
    }

    public func abandon(_ merge: HistoryMerge) { history.abandon(merge) }

    public func finish(_ swept: HistoryTextSweep.Result) throws { try history.finish(swept) }
    public func abandon(_ sweep: HistoryTextSweep) { history.abandon(sweep) }

    /// What must be done next so that nothing of deleted people is left in the history's files, nor, before long, of
    /// events that have expired.
    public enum HistoryCleaning: Sendable {
        case flush(HistoryFlush)
        case rewrite(HistoryMerge)
        case sweep(HistoryTextSweep)
    }

    /// `nil` if there is nothing to do, or something else must end first.
    /// - Parameter always: Whether also a few expired rows are worth writing a file anew.
    public func beginHistoryCleaning(always: Bool = false) -> HistoryCleaning? {
        guard changes.position == nil else { return nil }
        let (now, cutoff) = (now.milliseconds, now.milliseconds - Deduplicator.window.milliseconds)
        let isOwed = history.needsCleaning || history.owesSweep(now: now, always: always)
        if isOwed, history.needsFlushBeforeCleaning { return beginHistoryFlush(position: position).map { .flush($0) } }
        if let merge = history.beginRewrite(idsSince: cutoff) { return .rewrite(merge) }
        if let expiredAt = retention.expiredAt,
            let merge = history.beginExpiryRewrite(
                now: now, expiredAt: expiredAt.milliseconds, always: always, idsSince: cutoff)
        {
            return .rewrite(merge)
        }
        return isOwed ? history.beginTextSweep().map { .sweep($0) } : nil
    }

    /// Takes out of the files what is left of deleted people, and of events that have expired where that is due.
    public func cleanHistory(always: Bool = false) throws {
        while let cleaning = beginHistoryCleaning(always: always) {
            switch cleaning {
            case .flush(let flush): try finish(flush.run())
            case .rewrite(let merge): try finish(merge.run())
            case .sweep(let sweep): return try finish(sweep.run())
            }
        }
    }

    /// Writes everything now and merges what there is to merge.
    public func flushHistory() throws {
        guard changes.position == nil else { return }
        try flushHistory(position: position)
    }

    /// Deletes the history's files, which are of no use any more. The engine must not be used after.
    func discardHistory(in directory: String) { History.discardFiles(in: directory) }

    func flushHistory(position: Int64) throws {
        if let flush = beginHistoryFlush(position: position) { try finish(try flush.run()) }
        while let merge = beginHistoryMerge() {
            do { try finish(try merge.run()) } catch {
                abandon(merge)
                throw error
            }
        }
    }
}

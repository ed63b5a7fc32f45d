public import History
import Store

// Keeping the history's files. Whoever runs the engine decides on which threads the writing happens; beginning and
// finishing belong to the engine's isolation.
extension Engine {
    /// Fresh rows to be written, if there are enough of them or `always`. Only after a commit: the files must not be
    /// ahead of the state file.
    public func beginHistoryFlush(always: Bool = false) -> HistoryFlush? {
        guard always || history.freshRowCount >= settings.historyFlushRows, changes.position == nil else { return nil }
        return history.beginFlush(position: position, mark: lastMark)
    }

    public func beginHistoryMerge() -> HistoryMerge? { history.beginMerge(unit: settings.historyFlushRows) }

    public func finish(_ flushed: HistoryFlush.Result) throws { try history.finish(flushed) }
    public func finish(_ merged: HistoryMerge.Result) throws { try history.finish(merged) }
    public func abandon(_ merge: HistoryMerge) { history.abandon(merge) }

    /// Writes everything now and merges what there is to merge.
    public func flushHistory() throws {
        guard changes.position == nil else { return }
        try flushHistory(position: position)
    }

    /// Deletes the history's files, which are of no use any more. The engine must not be used after.
    func discardHistory(in directory: String) { History.discardFiles(in: directory) }

    func flushHistory(position: Int64) throws {
        if let flush = history.beginFlush(position: position, mark: lastMark) { try finish(try flush.run()) }
        while let merge = beginHistoryMerge() {
            do { try finish(try merge.run()) } catch {
                abandon(merge)
                throw error
            }
        }
    }
}

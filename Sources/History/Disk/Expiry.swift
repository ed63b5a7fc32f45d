import Model

// What has expired leaves the files: by merges, which write only what counts, and where these do not come by soon, by
// files that are written anew. A file is not worth it for a handful of rows.

extension History {
    /// How long rows that have expired may stay on disk, hidden, before their file is written anew for them.
    public static let rowPatience: Int64 = 21 * 86_400_000
    /// How long texts that only such rows had may stay after that.
    public static let textPatience: Int64 = 7 * 86_400_000
    /// One part in how many of a file must have expired for it to be written anew at once.
    static let worthwhileShare = 10

    /// A file with expired rows that is worth being written without them. Run and finish it like any merge. `nil` if there
    /// is none or another merge goes on.
    ///
    /// Looks at the times of all runs that hold both, unless `expirySurvey` has run since floors rose.
    /// - Parameters:
    ///   - now: Milliseconds.
    ///   - expiredAt: When floors were last raised, or would have been, milliseconds.
    ///   - always: Whether a single row is enough.
    public func beginExpiryRewrite(
        now: Int64, expiredAt: Int64, always: Bool = false, idsSince cutoff: Int64 = .min
    ) -> HistoryMerge? {
        guard let disk, !disk.isMerging, report.found == nil else { return nil }
        var expired: [Int: (rows: Int, isOverdue: Bool)] = [:]
        for run in expiringRuns {
            var file = expired[run.file] ?? (0, false)
            file.rows += run.hiddenCount
            if run.floor - run.earliest > History.rowPatience { file.isOverdue = true }
            expired[run.file] = file
        }
        let isLate = now - expiredAt > History.rowPatience
        let place = disk.manifest.runs.firstIndex { file in
            guard let found = expired[file.number], found.rows > 0 else { return false }
            return always || isLate || found.isOverdue
                || found.rows * History.worthwhileShare >= disk.rowCounts[file.number] ?? 0
        }
        guard let place else { return nil }
        return beginMerge(texts: nil, runs: place..<place + 1, ids: nil, idsSince: cutoff)
    }

    private var expiringRuns: [Run] {
        guard floors != .none else { return [] }
        return events.tables.flatMap { $0.runs.filter(\.holdsExpired) }
    }

    /// Counts what has expired in each run, which reads all times of those that hold both. To be run on another thread.
    public var expirySurvey: HistorySurvey { HistorySurvey(runs: expiringRuns) }

    /// Whether texts that only expired rows had are to be dropped now: when many rows have gone, or some for long.
    /// - Parameter always: Whether a single row is enough.
    public func owesSweep(now: Int64, always: Bool = false) -> Bool {
        guard let manifest = disk?.manifest, manifest.unsweptRows > 0 else { return false }
        if manifest.unsweptSince == 0 { disk?.manifest.unsweptSince = now }
        let stored = disk?.rowCounts.values.reduce(0, +) ?? 0
        return always || manifest.unsweptRows * History.worthwhileShare >= stored
            || (manifest.unsweptSince != 0 && now - manifest.unsweptSince > History.textPatience)
    }
}

/// Runs in which rows have expired.
public struct HistorySurvey: Sendable {
    let runs: [Run]

    public func run() { for run in runs { _ = run.hiddenCount } }
}

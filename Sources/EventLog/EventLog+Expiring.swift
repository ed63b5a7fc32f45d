import GRDB
public import Model

/// Which calls of the Log have expired, and when the others will.
public struct LogExpiry: Sendable, Hashable {
    /// As of when.
    public let instant: Instant
    public let floors: EventFloors
    /// Only records below this offset are touched: whoever reads the Log has applied them.
    public let end: Int64

    public init(instant: Instant, floors: EventFloors, end: Int64) {
        self.instant = instant
        self.floors = floors
        self.end = end
    }

    /// How long a record that has expired may stay in a block that holds little else of that kind.
    public static let patience = Instant.Span.days(21)
    /// One part in how many of a block must have expired for it to be written anew at once.
    static let worthwhileShare = 10

    /// When a call falls or fell under the floor of its name, if floors go on rising with time; `nil` for never.
    fileprivate func due(_ call: Call) -> Instant? {
        guard let name = call.eventName else { return nil }
        let floor = floors[name]
        guard floor > .distantPast else { return nil }
        return call.placedAt + (instant - floor)
    }
}

/// What is known of the Log's blocks, so that one need not be read again before something in it expires.
public struct LogExpiryMemo: Sendable {
    /// The age at which events expire, as instants after the epoch; good as long as no age becomes shorter.
    private var ages: EventFloors?
    private var dues: [Int64: Instant] = [:]
    /// Commands take a moment from the one who writes them to the Log.
    private static let tolerance = Instant.Span.hours(1)

    public init() {}

    fileprivate mutating func prepare(for expiry: LogExpiry) {
        func age(_ floor: Instant) -> Instant {
            floor == .distantPast
                ? .distantFuture : Instant(milliseconds: (expiry.instant - floor).milliseconds)
        }
        let floors = expiry.floors
        let new = EventFloors(general: age(floors.general), events: floors.events.mapValues(age))
        if let ages {
            let names = Set(ages.events.keys).union(new.events.keys)
            let isGood =
                new.general >= ages.general - LogExpiryMemo.tolerance
                && names.allSatisfy { new[$0] >= ages[$0] - LogExpiryMemo.tolerance }
            if isGood { return }
        }
        (ages, dues) = (new, [:])
    }

    fileprivate func due(_ block: Int64) -> Instant { dues[block] ?? .distantPast }
    fileprivate mutating func note(_ block: Int64, due: Instant) { dues[block] = due }
}

extension EventLog {
    /// Makes track, page and screen calls before the floors empty, like `erase(offsets:userIDs:before:)` those of deleted
    /// people, and tells how many. Blocks of which little has expired wait until it is more, or until something in them
    /// has for `LogExpiry.patience`.
    /// - Parameter isCancelled: Asked between two blocks.
    public func erase(
        _ expiry: LogExpiry, memo: inout LogExpiryMemo, isCancelled: () -> Bool = { false }
    ) throws -> Int {
        guard expiry.floors != .none else { return 0 }
        memo.prepare(for: expiry)
        let blocks = try pool.read { database in
            try Row.fetchAll(
                database, sql: "SELECT first_offset, count FROM block WHERE first_offset < ? ORDER BY first_offset",
                arguments: [expiry.end]
            ).map { (first: $0["first_offset"] as Int64, end: ($0["first_offset"] as Int64) + ($0["count"] as Int64)) }
        }
        var erased = 0
        for (first, end) in blocks where memo.due(first) < expiry.instant {
            if isCancelled() { break }
            // The engine may not have applied all of it.
            let isWhole = end <= expiry.end
            let block = try pool.read { database in
                try EventLog.fetchBlocks(
                    database, sql: "SELECT * FROM block WHERE first_offset = ?", arguments: [first])
            }.first
            guard let block else { continue }
            let (count, due) = try erase(expiry, block)
            erased += count
            if isWhole { memo.note(first, due: due) }
        }
        if erased > 0 { try emptyWriteAheadFile() }
        return erased
    }

    /// Tells how many records it made empty, and when the block is to be looked at again.
    private func erase(_ expiry: LogExpiry, _ block: Block) throws -> (erased: Int, due: Instant) {
        var records: [LogRecord] = []
        try block.records(in: block.firstOffset..<block.endOffset, into: &records)
        var (calls, expired) = (0, 0)
        var (earliest, next) = (Instant.distantFuture, Instant.distantFuture)
        for record in records where record.offset < expiry.end {
            guard case .call(let call) = record.entry else { continue }
            calls += 1
            guard let due = expiry.due(call) else { continue }
            // Exactly at its age a call still counts.
            if due < expiry.instant {
                expired += 1
                earliest = min(earliest, due)
            } else {
                next = min(next, due)
            }
        }
        guard expired > 0 else { return (0, next) }
        guard expired * LogExpiry.worthwhileShare >= calls || expiry.instant - earliest > LogExpiry.patience else {
            // Tomorrow it may be more.
            return (0, expiry.instant)
        }
        let erased = try rewrite(block, records) { call, offset in
            offset < expiry.end && call.isExpired(expiry.floors)
        }
        return (erased, next)
    }
}

import Evaluation
public import EventLog
public import History
import Identity
import JSON
public import Model
import Query
import Scan
public import Store

/// The heart: applies the Log's records and the passing of time to profiles, memberships, wake-ups and the outbox.
///
/// Promises: synchronous, single-threaded and deterministic. It reads no clock and no random source; the same Log and
/// the same instants give the same state (design §1.4). Every batch is one transaction of the state file, Log position
/// included, so that a restart goes on exactly where the last commit stopped (§1.2). All evaluation goes through
/// `evaluate` of the Evaluation module (§1.3).
///
/// Not safe for use from two threads: `EngineService` owns one and guards it.
public final class Engine {
    public struct Settings: Sendable, Hashable {
        /// The one space of an installation; stands in emissions and paths.
        public var spaceID = "spa_muster"
        /// Where the history keeps its files; without one it stays in memory.
        public var historyDirectory: String?
        /// Fresh rows of the history that are written to disk together.
        public var historyFlushRows = 100_000

        public init() {}
    }

    public let settings: Settings
    let store: StateStore
    let log: EventLog

    /// What everybody did. Derived from the Log: what its files do not hold is read from there when the engine opens.
    public internal(set) var history = History()
    /// What was wrong with the history's files when the engine opened; they were deleted and everything was read from
    /// the Log.
    public internal(set) var historyProblem: String?
    /// What the Log's last applied record came to, to know the Log again.
    var lastMark: UInt64 = 0
    var identity = IdentityResolver()
    var people = PeopleIndex()
    var registry = Registry()
    var wakeUps = WakeUps()
    var deduplicator = Deduplicator()
    var jobs: [BackfillJob] = []
    /// Of jobs that have begun: who can have a value. Made from the history, never stored.
    var backfillScopes: [ComputationNumber: BackfillScope] = [:]
    var firstSyncs: [FirstSyncJob] = []
    var firstSyncsChanged = false
    /// Those that are not finished.
    var regulations: [String: Regulation] = [:]
    var suppressed: Set<String> = []
    var deleted = DeletedProfiles()
    public internal(set) var retention = Retention()
    public internal(set) var sources: [String: Source] = [:]
    var eventConditions = EventConditions()
    public internal(set) var destinations: [String: Destination] = [:]

    /// Offset of the next record to apply.
    public internal(set) var position: Int64 = 0
    /// The greatest instant that the engine was given.
    public internal(set) var now = Instant.distantPast
    var nextTransition: Int64 = 1
    /// What has changed since the last commit.
    var changes = StateChanges()
    /// The last call of each profile that this batch touched.
    var activity: [ProfileOrdinal: ProfileActivity] = [:]
    /// What became of commands, for whoever waits for them; taken out by the service.
    var outcomes: [Int64: Result<Void, CommandError>] = [:]
    /// Since the engine opened.
    public internal(set) var statistics = EngineStatistics()

    /// Whether the history is there. An engine without tells what stands in the state file and nothing else.
    public internal(set) var isComplete = false

    /// Loads the state and brings the history up to it from the Log. `progress` hears of records read and records to
    /// read, and what it throws ends the opening.
    /// - Parameter readLimit: If more records than these must be read, none are, and `isComplete` is false.
    public init(
        settings: Settings = Settings(), store: StateStore, log: EventLog, readLimit: Int64 = .max,
        progress: (_ done: Int64, _ total: Int64) throws -> Void = { _, _ in }
    ) throws {
        self.settings = settings
        self.store = store
        self.log = log
        try load(readLimit: readLimit, progress: progress)
    }

    /// Why what the history answers can't be used, in words.
    var unfit: String? {
        if let damage = history.damage { return damage }
        return isComplete ? nil : historyProblem ?? "the history's files do not hold everything yet"
    }

    /// Applies records in the order of the Log. The batch takes effect with `commit`.
    public func apply(_ records: [LogRecord]) {
        var row = AppliedRow(firstOffset: position, receivedAt: now, messageHashes: [], ordinals: [])
        for record in records {
            precondition(record.offset == position, "records come in the order of the Log, each once")
            let receivedAt = record.entry.receivedAt
            fireWakeUps(by: receivedAt)
            now = max(now, receivedAt)
            var hash: UInt128 = 0
            var placed = AppliedRow.notPlaced
            switch record.entry {
            case .call(let call):
                let messageHash = MessageHash(messageID: call.messageID)
                if deduplicator.insert(messageHash, receivedAt: receivedAt) {
                    hash = messageHash.packed
                    placed = apply(call, offset: record.offset)?.rawValue ?? AppliedRow.notPlaced
                } else {
                    count("duplicate_calls")
                }
            case .command(let command, let receivedAt):
                outcomes[record.offset] = apply(command, receivedAt: receivedAt)
            case .erased: break
            }
            row.messageHashes.append(hash)
            row.ordinals.append(placed)
            lastMark = Engine.mark(hash, offset: position)
            position += 1
        }
        deduplicator.sweep(now: now)
        if row.count > 0 {
            row.receivedAt = now
            changes.applied.append(row)
            changes.position = position
            statistics.records += row.count
        }
    }

    /// Lets time pass: everything due by `instant` fires, each at its own exact instant.
    public func advance(to instant: Instant) {
        fireWakeUps(by: instant)
        now = max(now, instant)
    }

    /// Writes everything since the last commit in one transaction. After an error the engine must be opened anew: its
    /// memory is ahead of the file.
    public func commit() throws {
        changes.engineNow = now
        changes.meta["nextTransition"] = .number(Int(nextTransition))
        changes.meta["nextOrdinal"] = .number(Int(identity.counters.nextOrdinal))
        changes.meta["nextMapping"] = .number(Int(identity.counters.nextMapping))
        changes.activity = activity.values.sorted { $0.ordinal < $1.ordinal }
        for job in jobs where changedJobs.contains(job.computation) { changes.backfills.append(row(of: job)) }
        if firstSyncsChanged { changes.meta[Engine.firstSyncsKey] = storedFirstSyncs }
        try store.commit(changes)
        history.storeRemovals()
        changes = StateChanges()
        firstSyncsChanged = false
        activity.removeAll(keepingCapacity: true)
        changedJobs.removeAll()
    }

    /// Whether anything waits for a commit.
    public var hasUncommittedChanges: Bool {
        changes.position != nil || !changes.transitions.isEmpty || !changes.wakeups.isEmpty || !changedJobs.isEmpty
            || firstSyncsChanged
    }

    /// Emissions that the next commit will put into the outbox.
    public var hasUncommittedEmissions: Bool { !changes.emissions.isEmpty }

    /// When the next wake-up is due.
    public var nextDue: Instant? { wakeUps.nextDue() }

    var changedJobs: Set<ComputationNumber> = []

    func count(_ name: String, _ amount: Int64 = 1) { changes.counters[name, default: 0] += amount }
}

/// What an engine has done since it opened.
public struct EngineStatistics: Sendable, Hashable {
    public var records = 0
    public var evaluations = 0
    public var transitions = 0
    public var wakeUpsFired = 0
}

extension MessageHash {
    var packed: UInt128 { UInt128(high) << 64 | UInt128(low) }

    init(packed: UInt128) {
        self.init(high: UInt64(truncatingIfNeeded: packed >> 64), low: UInt64(truncatingIfNeeded: packed))
    }
}

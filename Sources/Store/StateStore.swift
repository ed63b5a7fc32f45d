import GRDB
import GRDBSQLite
import Synchronization

/// `state.sqlite`: everything that the engine decided, and the outbox.
///
/// Promises: a batch of changes is one transaction, log position included, and is on disk when `commit` returns
/// (WAL, `synchronous=FULL`); emissions leave the outbox in the transaction that records their delivery. Two writers
/// use it, the engine and delivery, one after the other; readers never wait for them.
///
/// Its calls block on the disk: make them from threads that may.
public final class StateStore: Sendable {
    /// How much is kept of what is only there to be looked at, and of what is not in its place yet.
    public struct Retention: Sendable, Hashable {
        /// Attempts that are listed, with their emissions.
        public var attempts = 20_000
        /// The newest attempts, of which request and response bodies are kept too.
        public var attemptBodies = 2_000
        /// Identity issues that are listed (spec: collection §4.12).
        public var issues = 500
        /// Bytes of changes that are sorted together: so much is kept in memory, too.
        public var journalBytes = 32 << 20

        public init() {}
    }

    let pool: DatabasePool
    let retention: Retention
    /// What of the journal is in no run yet. Commits add to it after they have succeeded.
    let tail: Mutex<JournalTail>
    let upkeep: RunUpkeep
    private let checkpointer: Checkpointer
    /// The numbers of stored computations and destinations. Used under the pool's serialized writer only; `nil` makes
    /// the next transaction read them again.
    let numbers = Mutex<Numbers?>(nil)

    /// Opens or creates the file and brings its schema up to date.
    ///
    /// Throws `StoreError.newerSchema` or `.notDurable`, or GRDB's `DatabaseError` where the file can't be used.
    public init(path: String, retention: Retention = Retention()) throws {
        self.retention = retention
        upkeep = RunUpkeep(sealBytes: retention.journalBytes)
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        pool = try DatabasePool(path: path, configuration: configuration)
        let checkpointer = try Checkpointer(path: path)
        self.checkpointer = checkpointer
        try pool.writeWithoutTransaction { db in
            // GRDB sets synchronous=NORMAL when it opens the file, so FULL must come afterwards (platform.md §1).
            try db.execute(sql: "PRAGMA synchronous = FULL")
            checkpointer.watch(db)
            try db.execute(sql: "PRAGMA cache_size = -65536")
            let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? -1
            guard synchronous == 2 else { throw StoreError.notDurable(synchronous: synchronous) }
        }
        let migrator = Schema.migrator
        guard try !pool.read(migrator.hasBeenSuperseded) else { throw StoreError.newerSchema }
        try migrator.migrate(pool)
        let rows = try pool.read { try Runs.openRows($0) }
        let last = try pool.read { try Runs.sealed($0) }
        tail = Mutex(JournalTail(rows: rows, next: max(rows.last?.number ?? 0, last) + 1))
        // What a kill has left behind.
        upkeep.schedule(self)
    }

    /// Copies the whole state, consistent as of one instant, into a new file while both writers go on.
    public func backup(to path: String) throws {
        let copy = try DatabaseQueue(path: path)
        try pool.backup(to: copy)
        try copy.close()
    }

    /// Closes the file after the work in progress, with nothing left in its write-ahead log. Everything afterwards throws.
    public func close() throws {
        upkeep.close()
        try checkpointer.close()
        try pool.writeWithoutTransaction { db in
            _ = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
        try pool.close()
    }
}

/// The numbers under which rows refer to computations and destinations.
struct Numbers {
    private var computations: [String: Int64] = [:]
    private var destinations: [String: Int64] = [:]

    init(_ db: Database) throws {
        try RawStatement(db, "SELECT id, number FROM computations").forEach {
            computations[$0.string(0)] = $0.int64(1)
        }
        try RawStatement(db, "SELECT id, number FROM destinations").forEach {
            destinations[$0.string(0)] = $0.int64(1)
        }
    }

    func computation(_ id: String) throws(StoreError) -> Int64 {
        guard let number = computations[id] else { throw .unknownComputation(id) }
        return number
    }

    func destination(_ id: String) throws(StoreError) -> Int64 {
        guard let number = destinations[id] else { throw .unknownDestination(id) }
        return number
    }
}

extension StateStore {
    /// One transaction. `body` gets the numbers after `definitions` has changed what it wants to.
    func transaction<Value>(
        definitions: (Database) throws -> Bool = { _ in false },
        _ body: (Database, Numbers) throws -> Value
    ) throws -> Value {
        do {
            let value = try pool.write { db in
                let changed = try definitions(db)
                let known = changed ? nil : numbers.withLock { $0 }
                let current = try known ?? Numbers(db)
                if known == nil { numbers.withLock { $0 = current } }
                return try body(db, current)
            }
            checkpointer.turn(pool)
            return value
        } catch {
            // What was read in a transaction that failed may be wrong.
            numbers.withLock { $0 = nil }
            throw error
        }
    }

    /// Reads as of one instant.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value { try pool.read(body) }
}

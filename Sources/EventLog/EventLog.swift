import Dispatch
import GRDB
import Synchronization

/// The durable order of everything that happened: calls, and commands of people.
///
/// One SQLite file, `log.sqlite`; a row is a zstd-compressed block of entries that were committed together. Promises:
///
/// * `append` returns after the entries are on disk (WAL with `synchronous=FULL`), and what it acknowledged is never
///   lost; on a failed commit every append of the group throws and none of its entries is in the Log.
/// * Offsets are dense from 0, and the entries of one append keep their order, without others between them.
/// * Many concurrent appends share one commit; when too much waits, an append is refused at once.
/// * A damaged block is noticed when it is read: checksums cover every stored byte.
///
/// Writers are the HTTP edges; the one reader that matters is the engine, which runs right behind them and finds the
/// newest blocks in memory.
public final class EventLog: Sendable {
    /// Sizes that bound the Log's memory and shape its commits.
    public struct Limits: Sendable, Hashable {
        /// Encoded bytes that may wait for the disk; more is refused with `EventLogError.overloaded`.
        public var waitingBytesMax: Int
        /// Encoded bytes of one block and of one commit, before compression. One entry may be larger.
        public var blockBytes: Int
        /// Decompressed bytes of the newest blocks that stay in memory for the reader behind the writer.
        public var recentBytesMax: Int
        /// What a refused client is told to wait.
        public var retryAfterSeconds: Int

        public init(
            waitingBytesMax: Int = 16 << 20, blockBytes: Int = 1 << 20, recentBytesMax: Int = 16 << 20,
            retryAfterSeconds: Int = 2
        ) {
            self.waitingBytesMax = waitingBytesMax
            self.blockBytes = blockBytes
            self.recentBytesMax = recentBytesMax
            self.retryAfterSeconds = retryAfterSeconds
        }
    }

    /// What the Log did since it was opened, and what it holds.
    public struct Statistics: Sendable, Hashable {
        /// Offset of the next record, which is the number of records.
        public var endOffset: Int64 = 0
        public var appends: Int = 0
        public var commits: Int = 0
        public var failedCommits: Int = 0
        /// Appends that were refused because too much waited.
        public var refusedAppends: Int = 0
        /// Bytes of committed entries before and after compression.
        public var rawBytes: Int = 0
        public var storedBytes: Int = 0
        /// Encoded bytes that wait for the disk now.
        public var waitingBytes: Int = 0
    }

    public let path: String
    public let limits: Limits
    let pool: DatabasePool
    let state: Mutex<State>
    let waiters = Waiters()
    let recent: Mutex<RecentBlocks>
    let readCache = Mutex(ReadCache())
    let compressor = Mutex(Compressor())
    /// Commits run here, one after the other.
    let queue = DispatchQueue(label: "muster.log", qos: .userInitiated)

    /// Opens the Log at `path` or creates it. Verifies that commits will be synced and that the last block is whole.
    /// Throws `EventLogError.unusable` or `.corrupt`.
    public init(path: String, limits: Limits = Limits()) throws {
        let (pool, end) = try EventLog.open(path: path)
        self.path = path
        self.limits = limits
        self.pool = pool
        self.state = Mutex(State(endOffset: end))
        self.recent = Mutex(RecentBlocks(endOffset: end, bytesMax: limits.recentBytesMax))
        waiters.publish(end)
    }

    /// Offset of the next record to come; everything below is durable and can be read.
    public var endOffset: Int64 { waiters.endOffset }

    public var statistics: Statistics { state.withLock { $0.statistics } }

    /// Commits what was handed over before, then closes the file. Later appends throw `EventLogError.closed`. Waiting
    /// readers are woken.
    public func close() throws {
        state.withLock { $0.isClosed = true }
        queue.sync {}
        waiters.wakeAll()
        try pool.close()
    }
}

// MARK: - Opening

extension EventLog {
    private static func open(path: String) throws -> (DatabasePool, endOffset: Int64) {
        func unusable(_ reason: String) -> EventLogError { .unusable(path: path, reason: reason) }
        let pool: DatabasePool
        do {
            var configuration = Configuration()
            configuration.label = "log"
            configuration.busyMode = .timeout(5)
            pool = try DatabasePool(path: path, configuration: configuration)
            var migrator = DatabaseMigrator()
            migrator.registerMigration("1 blocks") { database in
                // The blob stands last, so that headers can be read without it.
                try database.execute(
                    sql: """
                        CREATE TABLE block (
                            first_offset INTEGER PRIMARY KEY,
                            count INTEGER NOT NULL,
                            received_min INTEGER NOT NULL,
                            received_max INTEGER NOT NULL,
                            raw_bytes INTEGER NOT NULL,
                            checksum INTEGER NOT NULL,
                            data BLOB NOT NULL
                        )
                        """)
            }
            if try pool.read(migrator.hasBeenSuperseded) {
                throw unusable("a newer version of Muster wrote it: run that version")
            }
            try migrator.migrate(pool)
            // GRDB sets NORMAL when it opens a pool, whatever the configuration asked for: acknowledged calls would be
            // lost with the power. Hence FULL here, after opening, and the check that it holds.
            let level = try pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
                return try Int.fetchOne(database, sql: "PRAGMA synchronous")
            }
            guard level == 2 else { throw unusable("SQLite does not accept synchronous=FULL") }
        } catch let error as DatabaseError {
            throw unusable(
                "SQLite says '\(error.message ?? error.resultCode.description)': check that the directory exists and is"
                    + " writable, and that the file is a Muster Log")
        }
        return (pool, try verifyLastBlock(pool))
    }

    /// Returns the end offset.
    private static func verifyLastBlock(_ pool: DatabasePool) throws -> Int64 {
        let last = try pool.read { database in
            try EventLog.fetchBlocks(
                database, sql: "SELECT * FROM block ORDER BY first_offset DESC LIMIT 1", arguments: [])
        }
        return last.first?.endOffset ?? 0
    }
}

import Dispatch
import GRDB
import GRDBSQLite
import Synchronization

/// Copies the write-ahead log back into the file on a thread and a connection of its own. Left to SQLite, the commit that
/// fills the log does it, and everything behind that commit waits for 64 MB to be written and synchronised.
///
/// Nothing here is needed for durability: commits are on disk in the write-ahead log.
final class Checkpointer: Sendable {
    /// Pages that may gather before they are copied: 16 MB.
    private static let pagesMin = 4096
    /// So many that writers must wait: 256 MB.
    private static let pagesMax = 65_536
    /// So few that a writer's turn is taken for them, after which the log begins anew.
    private static let pagesLeft = 256

    private let queue: DatabaseQueue
    private let worker = DispatchQueue(label: "muster.state.checkpoint", qos: .utility)
    private let isScheduled = Atomic<Bool>(false)
    private let isClosed = Atomic<Bool>(false)
    private let pages = PageCount()

    /// How long the write-ahead log is, as the last commit left it.
    private final class PageCount: Sendable {
        let value = Atomic<Int>(0)
    }

    init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.inDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    }

    /// Counts what a connection writes, in place of SQLite's own checkpoints.
    func watch(_ db: Database) {
        // The counter lives as long as this object, which the store keeps until after the connection is closed.
        sqlite3_wal_hook(
            db.sqliteConnection,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                Unmanaged<PageCount>.fromOpaque(context).takeUnretainedValue().value
                    .store(Int(pages), ordering: .relaxed)
                return SQLITE_OK
            }, Unmanaged.passUnretained(pages).toOpaque())
    }

    /// After a commit, outside of the writer.
    func turn(_ writer: DatabasePool) {
        let count = pages.value.load(ordering: .relaxed)
        guard count >= Self.pagesMin, !isClosed.load(ordering: .relaxed) else { return }
        if !isScheduled.exchange(true, ordering: .relaxed) {
            worker.async { [self] in
                isScheduled.store(false, ordering: .relaxed)
                // What fails here is tried again after the next commit, and a full disk shows in the commits themselves.
                try? run(writer)
            }
        }
        if count >= Self.pagesMax { worker.sync {} }
    }

    private func run(_ writer: DatabasePool) throws {
        // Each time what came meanwhile is left, which is less.
        for _ in 0..<8 {
            if isClosed.load(ordering: .relaxed) { return }
            let left = try queue.inDatabase { try Self.checkpoint($0) }
            guard left > Self.pagesLeft else { break }
        }
        _ = try writer.writeWithoutTransaction { try Self.checkpoint($0) }
    }

    /// Returns how many pages are left in the log.
    private static func checkpoint(_ db: Database) throws -> Int {
        let row = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(PASSIVE)")
        let (all, done): (Int, Int) = (row?[1] ?? 0, row?[2] ?? 0)
        return all - done
    }

    func close() throws {
        isClosed.store(true, ordering: .relaxed)
        worker.sync {}
        try queue.close()
    }
}

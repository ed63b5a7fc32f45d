import Dispatch
import GRDB
import Synchronization

/// Makes runs of the journal and merges them, on a thread of its own and beside the two writers: it sorts and merges in
/// memory and takes the writers' turn for a megabyte at a time.
final class RunUpkeep: Sendable {
    /// Bytes of the journal that are made into runs together.
    let sealBytes: Int
    private let queue = DispatchQueue(label: "muster.state.runs", qos: .utility)
    private let state = Mutex(State())

    private struct State {
        var isScheduled = false
        var isClosed = false
        var failure: String?
    }

    init(sealBytes: Int) { self.sealBytes = sealBytes }

    /// Why runs can't be written, while that is so.
    var failure: String? { state.withLock(\.failure) }

    /// Begins to work unless it does already.
    func schedule(_ store: StateStore) {
        let isNeeded = state.withLock { state in
            defer { state.isScheduled = true }
            return !state.isScheduled && !state.isClosed
        }
        guard isNeeded else { return }
        queue.async { [self, weak store] in
            state.withLock { $0.isScheduled = false }
            guard let store, !state.withLock(\.isClosed) else { return }
            do {
                try store.tidy { self.state.withLock(\.isClosed) }
                state.withLock { $0.failure = nil }
            } catch is RunReplaced {
                // People were removed meanwhile, or the store is closing.
                schedule(store)
            } catch {
                state.withLock { $0.failure = "\(error)" }
            }
        }
    }

    /// Waits for what has been scheduled.
    func drain() { perform {} }

    /// Does something while nothing else is sealed or merged.
    func perform<Value>(_ body: () throws -> Value) rethrows -> Value { try queue.sync(execute: body) }

    func close() {
        state.withLock { $0.isClosed = true }
        drain()
    }
}

extension StateStore {
    /// Seals and merges what is due, and deletes what was replaced.
    func tidy(isStopping: @escaping () -> Bool) throws {
        try dropLeavings(isStopping)
        while !isStopping() {
            if tail.withLock({ $0.byteCount >= upkeep.sealBytes }) {
                try seal()
            } else if let (kind, runs) = try mergeDue() {
                try merge(runs, kind, isStopping)
            } else {
                return
            }
            try dropLeavings(isStopping)
        }
    }

    /// Makes runs of the journal as it is. Like `tidy` on the upkeep's queue only.
    func seal() throws {
        // Begun before anything is read: whoever removes people afterwards takes these away, and what was removed before is
        // not read.
        let writers = try EntryKind.allCases.map { try RunWriter(self, $0) }
        let rows = try read { try Runs.openRows($0) }
        guard let last = rows.last?.number else { return }
        for writer in writers {
            for chunk in try Journal.sorted(rows, writer.kind) { try writer.append(chunk) }
            try writer.flush()
        }
        try pool.write { db in
            let enliven = try RawStatement(
                db, "UPDATE runs SET state = 1, upto = ?, level = 0 WHERE number = ? AND state = 0")
            for writer in writers {
                enliven.bind(1, last)
                enliven.bind(2, writer.number)
                guard try enliven.run() == 1 else { throw RunReplaced() }
            }
        }
        tail.withLock { $0.drop(upTo: last) }
    }

    private func mergeDue() throws -> (EntryKind, [Runs.Run])? {
        try read { db in
            let present = try Runs.live(db, .present)
            if present.count > 1, let oldest = present.first,
                present.dropFirst().reduce(0, { $0 + $1.bytes }) >= oldest.bytes
            {
                return (.present, present)
            }
            let past = try Runs.live(db, .past)
            for level in Set(past.map(\.level)).sorted() {
                let same = past.filter { $0.level == level }
                if same.count >= 8 { return (.past, Array(same.prefix(8))) }
            }
            return nil
        }
    }

    /// - Parameter runs: Neighbours, oldest first; of the present: all there are.
    private func merge(_ runs: [Runs.Run], _ kind: EntryKind, _ isStopping: @escaping () -> Bool) throws {
        let run = try RunWriter(self, kind)
        let (computations, ids) = try read { db in
            (
                Set(try RawStatement(db, "SELECT number FROM computations").all { $0.int64(0) }),
                try runs.map { try Runs.chunkIDs(db, of: $0) }
            )
        }
        let sources = try ids.map { ids in
            var ids = ids[...]
            return try EntrySource(kind) {
                guard let id = ids.popFirst() else { return nil }
                if isStopping() { throw RunReplaced() }
                return try self.read { try Runs.chunk($0, id) }
            }
        }
        let collector = ChunkCollector()
        try EntryMerge(kind, sources).forEach { entry, bytes in
            let computation: Int64?
            switch kind {
            case .present:
                // There is no older run that something would have to be taken out of.
                if entry.payload.isEmpty { return }
                computation = Slot.computation(UInt32(truncatingIfNeeded: entry.minor))
            case .past: computation = try entry.computation(in: bytes)
            }
            // Numbers are never reused, so what deleted ones left behind can go at any time.
            if let computation, !computations.contains(computation) { return }
            collector.append(entry, bytes)
            for chunk in collector.take() { try run.append(chunk) }
        }
        collector.close()
        for chunk in collector.take() { try run.append(chunk) }
        try run.flush()
        try pool.write { db in
            let enliven = try RawStatement(
                db, "UPDATE runs SET state = 1, upto = ?, level = ? WHERE number = ? AND state = 0")
            enliven.bind(1, runs.map(\.upTo).max() ?? 0)
            enliven.bind(2, (runs.map(\.level).max() ?? 0) + 1)
            enliven.bind(3, run.number)
            guard try enliven.run() == 1 else { throw RunReplaced() }
            let kill = try RawStatement(db, "UPDATE runs SET state = 2 WHERE number = ?")
            for run in runs {
                kill.bind(1, run.number)
                try kill.run()
            }
        }
    }

    /// Deletes rows that runs have taken the place of, a megabyte at a time.
    private func dropLeavings(_ isStopping: @escaping () -> Bool) throws {
        // Whoever still builds one of these notices when it is about to be made live.
        try pool.write { _ = try RawStatement($0, "UPDATE runs SET state = 2 WHERE state = 0").run() }
        while !isStopping() {
            let isThrough = try pool.write { db in
                let chunks = try RawStatement(
                    db,
                    """
                    DELETE FROM chunks WHERE id IN
                        (SELECT id FROM chunks WHERE run IN (SELECT number FROM runs WHERE state = 2) LIMIT 16)
                    """)
                if try chunks.run() > 0 { return false }
                try RawStatement(db, "DELETE FROM runs WHERE state = 2").run()
                // How many rows make up a megabyte: rows are as large as commits were.
                let rows = try RawStatement(
                    db, "SELECT number, length(bytes) FROM journal WHERE number <= ? ORDER BY number")
                rows.bind(1, try Runs.sealed(db))
                var (last, bytes) = (Int64?.none, 0)
                try rows.walk {
                    last = $0.int64(0)
                    bytes += $0.int(1)
                    return bytes < 1 << 20
                }
                guard let last else { return true }
                let delete = try RawStatement(db, "DELETE FROM journal WHERE number <= ?")
                delete.bind(1, last)
                try delete.run()
                return false
            }
            if isThrough { return }
        }
    }
}

/// Writes the chunks of a run that is being built.
private final class RunWriter {
    let number: Int64
    let kind: EntryKind
    private let store: StateStore
    private var waiting: [EntryChunk] = []
    private var waitingBytes = 0

    init(_ store: StateStore, _ kind: EntryKind) throws {
        self.store = store
        self.kind = kind
        number = try store.pool.write { db in
            let statement = try RawStatement(
                db, "INSERT INTO runs (kind, state, upto, level, bytes) VALUES (?, 0, 0, 0, 0)")
            statement.bind(1, kind.rawValue)
            try statement.run()
            return db.lastInsertedRowID
        }
    }

    func append(_ chunk: EntryChunk) throws {
        waiting.append(chunk)
        waitingBytes += chunk.bytes.count
        if waitingBytes >= 1 << 20 { try flush() }
    }

    func flush() throws {
        guard !waiting.isEmpty else { return }
        try store.pool.write { db in
            let note = try RawStatement(db, "UPDATE runs SET bytes = bytes + ? WHERE number = ? AND state = 0")
            note.bind(1, waitingBytes)
            note.bind(2, number)
            guard try note.run() == 1 else { throw RunReplaced() }
            let insert = try RawStatement(db, "INSERT INTO chunks (run, first, last, bytes) VALUES (?, ?, ?, ?)")
            for chunk in waiting {
                insert.bind(1, number)
                insert.bind(2, chunk.first)
                insert.bind(3, chunk.last)
                chunk.bytes.withUnsafeBytes { insert.bind(4, blob: $0) }
                try insert.run()
            }
        }
        waiting = []
        waitingBytes = 0
    }
}

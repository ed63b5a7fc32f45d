import Dispatch
import EventLog
import Model
import Synchronization

/// Reads the Log a batch ahead while the engine applies the one before: decompressing and decoding takes a tenth of the
/// time that applying does, and another core can do it.
///
/// Gives what `EventLog.read` gives, from wherever it is asked to: what was read ahead of another place is thrown away.
final class ReadAhead: Sendable {
    /// A reading on its way.
    private final class Reading: Sendable {
        let offset: Int64
        private let result = Mutex<Result<[LogRecord], any Error>?>(nil)
        private let isDone = DispatchSemaphore(value: 0)

        init(from offset: Int64) { self.offset = offset }

        func finish(_ result: Result<[LogRecord], any Error>) {
            self.result.withLock { $0 = result }
            isDone.signal()
        }

        /// To be called once.
        func wait() throws -> [LogRecord] {
            isDone.wait()
            return try result.withLock(\.self)?.get() ?? []
        }
    }

    private let log: EventLog
    private let queue = DispatchQueue(label: "muster.engine.read-ahead", qos: .userInitiated)
    private let reading = Mutex<Reading?>(nil)

    init(_ log: EventLog) { self.log = log }

    /// At most `limit` records from `offset` on, as they are in the Log by now.
    func records(from offset: Int64, limit: Int) throws -> [LogRecord] {
        let ahead = reading.withLock { reading in
            defer { reading = nil }
            return reading
        }
        if let ahead, ahead.offset == offset {
            let records = try ahead.wait()
            if !records.isEmpty { return records }
        }
        return try log.read(from: offset, limit: limit)
    }

    /// Begins to read what will be asked for next. Nothing is begun where there are fewer than `limit` records: those are
    /// read as fast as another thread is woken.
    func begin(from offset: Int64, limit: Int) {
        guard log.endOffset - offset >= Int64(limit) else { return }
        let next = Reading(from: offset)
        reading.withLock { $0 = next }
        queue.async { [log] in next.finish(Result { try log.read(from: offset, limit: limit) }) }
    }

    /// Waits until nothing is being read.
    func drain() { queue.sync {} }
}

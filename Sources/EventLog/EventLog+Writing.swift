import DequeModule
import Dispatch
import Foundation  // GRDB takes blobs as Data.
import GRDB
public import Model
import Synchronization

// Group commit: appends encode on their own thread and queue up; one writer takes what waits, up to a block's size, and
// commits it in one transaction, while the next group gathers.

extension EventLog {
    struct Waiting: Sendable {
        let chunks: [Chunk]
        let count: Int
        let bytes: Int
        let continuation: CheckedContinuation<Range<Int64>, any Error>
    }

    struct State: Sendable {
        var statistics = Statistics()
        var waiting: Deque<Waiting> = []
        var isWriting = false
        var isClosed = false

        init(endOffset: Int64) { statistics.endOffset = endOffset }
    }

    private enum Admission {
        case startWriter
        case queued
        case refused(EventLogError)
    }

    /// Stores the entries in their order, without others between them, and returns their offsets once they are on disk.
    ///
    /// Throws `EventLogError.overloaded` at once when more than `limits.waitingBytesMax` bytes wait,
    /// `.writeFailed` when the disk refused (none of the entries is stored then), `.closed` after `close()`.
    public func append(_ entries: [LogEntry]) async throws -> Range<Int64> {
        guard !entries.isEmpty else { return endOffset..<endOffset }
        // Before encoding, so that an overloaded Log costs its clients little.
        if let refusal = state.withLock({ refusal(&$0) }) { throw refusal }
        let chunks = Chunk.encode(entries, bytesMax: limits.blockBytes)
        let bytes = chunks.reduce(0) { $0 + $1.bytes.count }
        return try await withCheckedThrowingContinuation { continuation in
            let waiting = Waiting(chunks: chunks, count: entries.count, bytes: bytes, continuation: continuation)
            let admission: Admission = state.withLock { state in
                if let refusal = refusal(&state) { return .refused(refusal) }
                state.waiting.append(waiting)
                state.statistics.waitingBytes += bytes
                if state.isWriting { return .queued }
                state.isWriting = true
                return .startWriter
            }
            switch admission {
            case .startWriter: queue.async { self.commitWaiting() }
            case .queued: break
            case .refused(let error): continuation.resume(throwing: error)
            }
        }
    }

    /// Whether an append would be refused now.
    public var isOverloaded: Bool {
        state.withLock { $0.statistics.waitingBytes >= limits.waitingBytesMax && !$0.isClosed }
    }

    private func refusal(_ state: inout State) -> EventLogError? {
        if state.isClosed { return .closed }
        guard state.statistics.waitingBytes >= limits.waitingBytesMax else { return nil }
        state.statistics.refusedAppends += 1
        return .overloaded(retryAfterSeconds: limits.retryAfterSeconds)
    }

    /// Runs on `queue` until nothing waits.
    private func commitWaiting() {
        while let group = takeGroup() {
            let bytes = group.reduce(0) { $0 + $1.bytes }
            do {
                let first = state.withLock { $0.statistics.endOffset }
                let blocks = try EventLog.assemble(group, from: first, blockBytes: limits.blockBytes)
                let storedBytes = try store(blocks)
                let end = first + Int64(group.reduce(0) { $0 + $1.count })
                state.withLock { state in
                    state.statistics.endOffset = end
                    state.statistics.waitingBytes -= bytes
                    state.statistics.appends += group.count
                    state.statistics.commits += 1
                    state.statistics.rawBytes += bytes
                    state.statistics.storedBytes += storedBytes
                }
                recent.withLock { recent in
                    for (block, _) in blocks { recent.append(block) }
                }
                waiters.publish(end)
                var offset = first
                for append in group {
                    append.continuation.resume(returning: offset..<offset + Int64(append.count))
                    offset += Int64(append.count)
                }
            } catch {
                fail(group, bytes: bytes, error: error)
            }
        }
    }

    private func takeGroup() -> [Waiting]? {
        state.withLock { state in
            var group: [Waiting] = []
            var bytes = 0
            while bytes < limits.blockBytes, let next = state.waiting.popFirst() {
                bytes += next.bytes
                group.append(next)
            }
            if group.isEmpty { state.isWriting = false }
            return group.isEmpty ? nil : group
        }
    }

    /// Joins the chunks of a group into blocks of at most `blockBytes`, where chunks allow it.
    static func assemble(
        _ group: [Waiting], from first: Int64, blockBytes: Int
    ) throws(EventLogError) -> [(Block, receivedRange: ClosedRange<Int64>)] {
        var blocks: [(Block, receivedRange: ClosedRange<Int64>)] = []
        var offset = first
        var current = Chunk()
        func finish() throws(EventLogError) {
            guard current.count > 0 else { return }
            let block = try Block(firstOffset: offset, count: current.count, bytes: current.bytes)
            blocks.append((block, current.receivedMin...current.receivedMax))
            offset = block.endOffset
            current = Chunk()
        }
        for append in group {
            for chunk in append.chunks {
                if current.bytes.count + chunk.bytes.count > blockBytes { try finish() }
                current.append(chunk)
            }
        }
        try finish()
        return blocks
    }

    /// Commits the blocks in one transaction; returns the bytes of their blobs.
    private func store(_ blocks: [(Block, receivedRange: ClosedRange<Int64>)]) throws -> Int {
        let rows = try blocks.map { try sealed($0, receivedRange: $1) }
        try pool.write { database in
            let insert = try database.cachedStatement(
                sql: """
                    INSERT INTO block (first_offset, count, received_min, received_max, raw_bytes, checksum, data)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """)
            for (header, data) in rows {
                try insert.execute(arguments: [
                    header.firstOffset, header.count, header.receivedMin, header.receivedMax, header.rawBytes,
                    Int64(bitPattern: header.checksum), data,
                ])
            }
        }
        return rows.reduce(0) { $0 + $1.1.count }
    }

    /// A block as it is stored: compressed, with a header whose checksum covers both.
    func sealed(_ block: Block, receivedRange: ClosedRange<Int64>) throws(EventLogError) -> (BlockHeader, Data) {
        let data = try compressor.withLock { compressor throws(EventLogError) in try compressor.compress(block.bytes) }
        var header = BlockHeader(
            firstOffset: block.firstOffset, count: block.starts.count, receivedMin: receivedRange.lowerBound,
            receivedMax: receivedRange.upperBound, rawBytes: block.bytes.count, checksum: 0)
        header.checksum = data.withUnsafeBytes { header.computedChecksum(over: $0) }
        return (header, Data(data))
    }

    /// All appends of the group throw. Where the file ends is read again, as the outcome of a failed commit is not
    /// certain: if it did reach the disk after all, its records are part of the Log and clients will send them twice,
    /// which their message ids make harmless.
    private func fail(_ group: [Waiting], bytes: Int, error: any Error) {
        let end = try? pool.read { database in
            try Int64.fetchOne(
                database, sql: "SELECT first_offset + count FROM block ORDER BY first_offset DESC LIMIT 1") ?? 0
        }
        state.withLock { state in
            state.statistics.waitingBytes -= bytes
            state.statistics.failedCommits += 1
            if let end { state.statistics.endOffset = max(end, state.statistics.endOffset) }
        }
        if let end { waiters.publish(end) }
        for append in group {
            append.continuation.resume(throwing: EventLogError.writeFailed(reason: "\(error)"))
        }
    }
}

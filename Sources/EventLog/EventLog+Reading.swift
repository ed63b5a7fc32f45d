import DequeModule
import Foundation  // GRDB gives blobs as Data.
import GRDB
public import Model
import Synchronization

extension EventLog {
    /// At most `limit` records from `offset` on; fewer only at the end of the Log or where a batch of blocks ends, none
    /// at the end. Throws `EventLogError.corrupt` where the record at `offset` is damaged; damage further on ends the
    /// result before it.
    ///
    /// Made for reading in order: a block is decompressed once, the newest ones never. One call returns at most about
    /// 16 MiB of blocks beyond its first, so a large limit does not cost unbounded memory.
    public func read(from offset: Int64, limit: Int) throws -> [LogRecord] {
        var records: [LogRecord] = []
        var next = offset
        let end = endOffset
        guard offset >= 0 else { throw EventLogError.noSuchRecord(offset: offset, endOffset: end) }
        records.reserveCapacity(min(limit, Int(max(0, min(end - offset, 4096)))))
        var bytes = 0
        while records.count < limit, next < end, bytes < 16 << 20 {
            do {
                let block = try block(holding: next)
                let last = min(block.endOffset, next + Int64(limit - records.count))
                try block.records(in: next..<last, into: &records)
                next = last
                bytes += block.bytes.count
            } catch {
                // What is whole before the damage is given; the next read meets the damage first.
                if next == offset { throw error }
                return Array(records.prefix { $0.offset < next })
            }
        }
        return records
    }

    /// The record at `offset`. Throws `EventLogError.noSuchRecord` or `.corrupt`.
    public func record(at offset: Int64) throws -> LogRecord {
        try records(at: [offset])[0]
    }

    /// The records at these offsets, in the order asked for. Throws `EventLogError.noSuchRecord` or `.corrupt`.
    public func records(at offsets: [Int64]) throws -> [LogRecord] {
        let end = endOffset
        var records: [LogRecord] = []
        records.reserveCapacity(offsets.count)
        var current: Block?
        for offset in offsets {
            guard offset >= 0, offset < end else {
                throw EventLogError.noSuchRecord(offset: offset, endOffset: end)
            }
            if current.map({ offset < $0.firstOffset || offset >= $0.endOffset }) ?? true {
                current = try block(holding: offset)
            }
            try current?.records(in: offset..<offset + 1, into: &records)
        }
        return records
    }

    /// Blocks the calling thread until the record at `offset` exists, `timeout` is over or `wakeWaiters` is called.
    /// Returns whether the record exists. `wait(for: next, …)` then `read(from: next, …)` is the engine's loop.
    public func wait(for offset: Int64, timeout: Duration) -> Bool {
        waiters.wait(for: offset, timeout: timeout)
    }

    /// Suspends until the record at `offset` exists; returns `false` only if the task was cancelled before.
    public func waitForRecord(at offset: Int64) async -> Bool {
        await waiters.wait(for: offset)
    }

    /// Ends every `wait(for:timeout:)` that is going on: for shutting down, or to hand the reader other work.
    public func wakeWaiters() { waiters.wakeAll() }

    private func block(holding offset: Int64) throws -> Block {
        if let block = recent.withLock({ $0.block(holding: offset) }) { return block }
        if let block = readCache.withLock({ $0.block(holding: offset) }) { return block }
        // The next small blocks come along, as whoever reads behind the newest ones reads in order.
        let blocks = try pool.read { database in
            try EventLog.fetchBlocks(
                database,
                sql: """
                    SELECT * FROM block WHERE first_offset >=
                        (SELECT first_offset FROM block WHERE first_offset <= ? ORDER BY first_offset DESC LIMIT 1)
                    ORDER BY first_offset
                    """, arguments: [offset], bytesMax: limits.blockBytes)
        }
        guard let block = blocks.first, offset < block.endOffset else {
            throw EventLogError.corrupt(offset: offset, reason: "no block holds this record")
        }
        readCache.withLock { $0.insert(blocks) }
        return block
    }

    /// Reads, verifies and decompresses blocks until they hold `bytesMax` bytes or more.
    static func fetchBlocks(
        _ database: Database, sql: String, arguments: StatementArguments, bytesMax: Int = 1
    ) throws -> [Block] {
        var blocks: [Block] = []
        var bytes = 0
        let rows = try Row.fetchCursor(try database.cachedStatement(sql: sql), arguments: arguments)
        while bytes < bytesMax, let row = try rows.next() {
            let header = BlockHeader(
                firstOffset: row["first_offset"], count: row["count"], receivedMin: row["received_min"],
                receivedMax: row["received_max"], rawBytes: row["raw_bytes"],
                checksum: UInt64(bitPattern: row["checksum"]))
            do {
                let block = try row.withUnsafeData(named: "data") { data in
                    // An empty blob comes as nil.
                    guard let data else {
                        throw EventLogError.corrupt(offset: header.firstOffset, reason: "the block has no data")
                    }
                    return try data.withUnsafeBytes { try open($0, header: header) }
                }
                if let last = blocks.last, last.endOffset != block.firstOffset { break }
                blocks.append(block)
                bytes += block.bytes.count
            } catch {
                // Damage behind the block that was asked for is the next reader's to meet.
                if blocks.isEmpty { throw error }
                break
            }
        }
        return blocks
    }

    private static func open(_ data: UnsafeRawBufferPointer, header: BlockHeader) throws(EventLogError) -> Block {
        guard header.computedChecksum(over: data) == header.checksum else {
            throw .corrupt(offset: header.firstOffset, reason: "the block's checksum is wrong")
        }
        let bytes = try Compressor.decompress(data, rawBytes: header.rawBytes, at: header.firstOffset)
        return try Block(firstOffset: header.firstOffset, count: header.count, bytes: bytes)
    }
}

/// The newest blocks, without gaps up to the end of the Log.
struct RecentBlocks: Sendable {
    private var blocks: Deque<Block> = []
    private var bytes = 0
    private let bytesMax: Int
    private var endOffset: Int64

    init(endOffset: Int64, bytesMax: Int) {
        self.endOffset = endOffset
        self.bytesMax = bytesMax
    }

    /// After blocks were written anew.
    mutating func removeAll() {
        blocks = []
        bytes = 0
    }

    mutating func append(_ block: Block) {
        if block.firstOffset != endOffset {
            blocks = []
            bytes = 0
        }
        blocks.append(block)
        bytes += block.bytes.count
        endOffset = block.endOffset
        while bytes > bytesMax, let oldest = blocks.popFirst() { bytes -= oldest.bytes.count }
    }

    func block(holding offset: Int64) -> Block? { blocks.block(holding: offset) }
}

/// Blocks that were read from the file last: the ones of the latest read and of a few reads before.
struct ReadCache: Sendable {
    private var reads: [[Block]] = []

    mutating func insert(_ blocks: [Block]) {
        reads.insert(blocks, at: 0)
        if reads.count > 4 { reads.removeLast() }
    }

    func block(holding offset: Int64) -> Block? {
        for blocks in reads { if let block = blocks.block(holding: offset) { return block } }
        return nil
    }
}

extension RandomAccessCollection where Element == Block, Index == Int {
    /// Binary search in blocks that follow each other.
    fileprivate func block(holding offset: Int64) -> Block? {
        guard let first, let last, offset >= first.firstOffset, offset < last.endOffset else { return nil }
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if self[middle].endOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return low < endIndex && self[low].firstOffset <= offset ? self[low] : nil
    }
}

import Foundation  // GRDB takes blobs as Data.
import GRDB
import Model
import Synchronization

extension EventLog {
    /// Makes calls below `end` empty: those at `offsets`, and those that carry one of the user ids. Returns how many.
    ///
    /// Every block that is touched is written anew in a transaction of its own, and the pages it leaves are overwritten
    /// with zeros (`secure_delete`); the write-ahead file is emptied at the end. May be repeated. Throws
    /// `EventLogError`.
    public func erase(offsets: Set<Int64>, userIDs: Set<String>, before end: Int64) throws -> Int {
        let needles = userIDs.map { Array($0.utf8) }
        var erased = 0
        var next: Int64 = 0
        while next < min(end, endOffset) {
            let block = try pool.read { database in
                try EventLog.fetchBlocks(
                    database, sql: "SELECT * FROM block WHERE first_offset >= ? ORDER BY first_offset LIMIT 1",
                    arguments: [next])
            }.first
            guard let block else { break }
            next = block.endOffset
            let isNamed = (block.firstOffset..<block.endOffset).contains { offsets.contains($0) }
            guard isNamed || needles.contains(where: { block.bytes.holds($0) }) else { continue }
            var records: [LogRecord] = []
            try block.records(in: block.firstOffset..<block.endOffset, into: &records)
            erased += try rewrite(block, records) { call, offset in
                offset < end && (offsets.contains(offset) || call.userID.map(userIDs.contains) ?? false)
            }
        }
        if erased > 0 { try emptyWriteAheadFile() }
        return erased
    }

    /// So that nothing of what was overwritten is left there.
    func emptyWriteAheadFile() throws {
        try queue.sync {
            _ = try pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
        }
    }

    /// Writes a block anew with some of its calls made empty; tells how many.
    func rewrite(_ block: Block, _ records: [LogRecord], erasing: (Call, _ offset: Int64) -> Bool) throws -> Int {
        var chunk = Chunk()
        var erased = 0
        for record in records {
            guard case .call(let call) = record.entry, erasing(call, record.offset) else {
                chunk.append(record.entry)
                continue
            }
            chunk.append(.erased(receivedAt: call.receivedAt))
            erased += 1
        }
        guard erased > 0 else { return 0 }
        let emptied = try Block(firstOffset: block.firstOffset, count: chunk.count, bytes: chunk.bytes)
        let (header, data) = try sealed(emptied, receivedRange: chunk.receivedMin...chunk.receivedMax)
        // Behind the appends that came before, so that the two never write at once.
        try queue.sync {
            try pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA secure_delete = ON")
                try database.inTransaction {
                    try database.execute(
                        sql: "UPDATE block SET raw_bytes = ?, checksum = ?, data = ? WHERE first_offset = ?",
                        arguments: [
                            header.rawBytes, Int64(bitPattern: header.checksum), data, header.firstOffset,
                        ])
                    return .commit
                }
            }
        }
        recent.withLock { $0.removeAll() }
        readCache.withLock { $0 = ReadCache() }
        return erased
    }
}

extension [UInt8] {
    /// Whether the bytes stand somewhere in these.
    fileprivate func holds(_ needle: [UInt8]) -> Bool {
        guard let first = needle.first, needle.count <= count else { return needle.isEmpty }
        return withUnsafeBytes { text in
            needle.withUnsafeBytes { needle in
                guard let start = text.baseAddress, let wanted = needle.baseAddress else { return false }
                let last = text.count - needle.count
                var place = 0
                while place <= last, let hit = memchr(start + place, Int32(first), last - place + 1) {
                    if memcmp(hit, wanted, needle.count) == 0 { return true }
                    place = UnsafeRawPointer(hit) - start + 1
                }
                return false
            }
        }
    }
}

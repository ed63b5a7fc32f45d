import CZstd
import Model

/// Encoded entries that stand together: what one append brings, or a part of it, before it has offsets.
struct Chunk: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0
    private(set) var receivedMin = Int64.max
    private(set) var receivedMax = Int64.min

    mutating func append(_ entry: LogEntry) {
        EntryCoding.encode(entry, into: &bytes)
        count += 1
        receivedMin = min(receivedMin, entry.receivedAt.milliseconds)
        receivedMax = max(receivedMax, entry.receivedAt.milliseconds)
    }

    mutating func append(_ other: Chunk) {
        bytes.append(contentsOf: other.bytes)
        count += other.count
        receivedMin = min(receivedMin, other.receivedMin)
        receivedMax = max(receivedMax, other.receivedMax)
    }

    /// Encodes entries into chunks that stay below `bytesMax`, unless a single entry is larger.
    static func encode(_ entries: [LogEntry], bytesMax: Int) -> [Chunk] {
        var chunks: [Chunk] = []
        var current = Chunk()
        for entry in entries {
            current.append(entry)
            if current.bytes.count >= bytesMax {
                chunks.append(current)
                current = Chunk()
            }
        }
        if current.count > 0 { chunks.append(current) }
        return chunks
    }
}

/// One row of the file without its blob.
struct BlockHeader: Sendable, Hashable {
    var firstOffset: Int64
    var count: Int
    var receivedMin: Int64
    var receivedMax: Int64
    /// Length before compression.
    var rawBytes: Int
    var checksum: UInt64

    var endOffset: Int64 { firstOffset + Int64(count) }

    /// The checksum that covers the header's other fields and the compressed blob.
    func computedChecksum(over data: UnsafeRawBufferPointer) -> UInt64 {
        var sum = Checksum()
        sum.combine(UInt64(bitPattern: firstOffset))
        sum.combine(UInt64(bitPattern: Int64(count)))
        sum.combine(UInt64(bitPattern: receivedMin))
        sum.combine(UInt64(bitPattern: receivedMax))
        sum.combine(UInt64(bitPattern: Int64(rawBytes)))
        sum.combine(data)
        return sum.value
    }
}

/// A decompressed block with the place of each entry.
struct Block: Sendable {
    let firstOffset: Int64
    let bytes: [UInt8]
    /// Where each entry starts after its length.
    let starts: [Int32]

    var endOffset: Int64 { firstOffset + Int64(starts.count) }

    init(firstOffset: Int64, count: Int, bytes: [UInt8]) throws(EventLogError) {
        var starts: [Int32] = []
        starts.reserveCapacity(count)
        var position = 0
        while position < bytes.count, position + 4 <= bytes.count {
            let length = bytes.withUnsafeBytes { buffer in
                Int(UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
            }
            guard length <= bytes.count - position - 4 else { break }
            starts.append(Int32(position + 4))
            position += 4 + length
        }
        guard position == bytes.count, starts.count == count else {
            throw .corrupt(
                offset: firstOffset, reason: "the block holds \(starts.count) entries where \(count) were written")
        }
        self.firstOffset = firstOffset
        self.bytes = bytes
        self.starts = starts
    }

    /// Records of this block in `range`, which must lie inside it.
    func records(in range: Range<Int64>, into records: inout [LogRecord]) throws(EventLogError) {
        var decoder = EntryDecoder()
        for offset in range {
            let index = Int(offset - firstOffset)
            let start = Int(starts[index])
            let end = index + 1 < starts.count ? Int(starts[index + 1]) - 4 : bytes.count
            let entry = bytes.withUnsafeBytes { buffer in
                Result { () throws(EventLogError) in
                    try decoder.decode(UnsafeRawBufferPointer(rebasing: buffer[start..<end]), at: offset)
                }
            }
            records.append(LogRecord(offset: offset, entry: try entry.get()))
        }
    }
}

/// A zstd context, kept because creating one costs more than a small block.
final class Compressor {
    private let context: OpaquePointer?

    init() { context = ZSTD_createCCtx() }
    deinit { ZSTD_freeCCtx(context) }

    /// Compresses at level 1: the Log is bound by the disk's syncs and by this, in that order.
    func compress(_ bytes: [UInt8]) throws(EventLogError) -> [UInt8] {
        var failure: String?
        let bound = ZSTD_compressBound(bytes.count)
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            let size = bytes.withUnsafeBytes { raw in
                ZSTD_compressCCtx(context, buffer.baseAddress, bound, raw.baseAddress, raw.count, 1)
            }
            if ZSTD_isError(size) != 0 {
                failure = String(cString: ZSTD_getErrorName(size))
                count = 0
            } else {
                count = size
            }
        }
        if let failure { throw .writeFailed(reason: "zstd: \(failure)") }
        return compressed
    }

    static func decompress(
        _ data: UnsafeRawBufferPointer, rawBytes: Int, at offset: Int64
    ) throws(EventLogError) -> [UInt8] {
        var failure: String?
        let bytes = [UInt8](unsafeUninitializedCapacity: rawBytes) { buffer, count in
            let size = ZSTD_decompress(buffer.baseAddress, rawBytes, data.baseAddress, data.count)
            if ZSTD_isError(size) != 0 {
                failure = String(cString: ZSTD_getErrorName(size))
                count = 0
            } else {
                count = size
            }
        }
        if let failure { throw .corrupt(offset: offset, reason: "zstd: \(failure)") }
        guard bytes.count == rawBytes else {
            throw .corrupt(offset: offset, reason: "\(bytes.count) bytes after decompression instead of \(rawBytes)")
        }
        return bytes
    }
}

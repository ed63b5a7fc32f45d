/// A message id that took effect, by 128 bits of its hash.
public struct SeenID: Sendable, Hashable {
    public var high: UInt64
    public var low: UInt64
    /// Milliseconds.
    public var receivedAt: Int64

    public init(high: UInt64, low: UInt64, receivedAt: Int64) {
        self.high = high
        self.low = low
        self.receivedAt = receivedAt
    }

    fileprivate func precedes(_ other: SeenID) -> Bool {
        if high != other.high { return high < other.high }
        return low != other.low ? low < other.low : receivedAt < other.receivedAt
    }

    fileprivate func isSameID(_ other: SeenID) -> Bool { high == other.high && low == other.low }
}

/// Message ids that took effect, in a mapped file, so that a call that comes twice is known without reading the Log.
///
/// Sorted by hash; a table by the hash's upper bits tells where to look, so a lookup touches two places. Checked block by
/// block, because few of very many are looked at.
public final class IDSegment: Sendable {
    static let entrySize = 24
    /// Entries between two places of the table, about.
    private static let bucketSize = 16

    public let count: Int
    /// When the last of the calls was received.
    public let latest: Int64
    private let bucketBits: Int
    private let entries: BlockSection
    /// Where each bucket starts, and where the last one ends.
    private let starts: BlockSection

    init(_ path: String, checksum: UInt64, lineage: UInt64, _ damage: DamageReport) throws(HistoryFileError) {
        let file = try HistoryFile.open(path, .ids)
        guard file.directoryChecksum == checksum, file.lineage == lineage else {
            throw HistoryFileError("\(path) is not the file that the manifest names")
        }
        var reader = ByteReader(file.directory)
        count = reader.int()
        latest = reader.int64()
        bucketBits = reader.int()
        let sections = [BlockSection(&reader, file.memory, damage), BlockSection(&reader, file.memory, damage)]
        guard let entries = sections[0], let starts = sections[1], count > 0, count < Int(UInt32.max),
            (1...32).contains(bucketBits), entries.bytes.count == count * IDSegment.entrySize,
            starts.bytes.count == ((1 << bucketBits + 1) * 4 + 7) & ~7
        else { throw HistoryFileError("\(path): the directory makes no sense") }
        (self.entries, self.starts) = (entries, starts)
    }

    /// When the call with an id was received, in milliseconds.
    public func find(high: UInt64, low: UInt64) -> Int64? {
        let bucket = Int(high >> UInt64(64 - bucketBits))
        guard starts.isSound(bucket * 4, 8) else { return nil }
        let start = Int(starts.bytes.load(fromByteOffset: bucket * 4, as: UInt32.self))
        let end = Int(starts.bytes.load(fromByteOffset: bucket * 4 + 4, as: UInt32.self))
        guard start <= end, end <= count,
            entries.isSound(start * IDSegment.entrySize, (end - start) * IDSegment.entrySize)
        else { return nil }
        for place in start..<end {
            let entry = entry(place)
            if entry.high == high, entry.low == low { return entry.receivedAt }
        }
        return nil
    }

    private func entry(_ place: Int) -> SeenID {
        let offset = place * IDSegment.entrySize
        return SeenID(
            high: entries.bytes.load(fromByteOffset: offset, as: UInt64.self),
            low: entries.bytes.load(fromByteOffset: offset + 8, as: UInt64.self),
            receivedAt: entries.bytes.load(fromByteOffset: offset + 16, as: Int64.self))
    }

    func verify() -> Bool { [entries, starts].allSatisfy { $0.isSound(0, $0.bytes.count) } }

    // MARK: Writing

    /// Writes ids in any order; of one that occurs twice the last receipt counts.
    static func write(_ ids: [SeenID], to path: String, lineage: UInt64) throws(HistoryFileError) -> UInt64? {
        let sorted = ids.sorted { $0.precedes($1) }
        var place = 0
        return try write(to: path, lineage: lineage, atMost: sorted.count, cancellation: nil) {
            guard place < sorted.count else { return nil }
            while place + 1 < sorted.count, sorted[place].isSameID(sorted[place + 1]) { place += 1 }
            defer { place += 1 }
            return sorted[place]
        }
    }

    /// Writes what stands in several segments, which must be sound, but for ids received before `cutoff`.
    static func merge(
        _ segments: [IDSegment], since cutoff: Int64, to path: String, lineage: UInt64,
        _ cancellation: HistoryCancellation?
    ) throws(HistoryFileError) -> UInt64? {
        var heads = segments.map { $0.entry(0) }
        var places = segments.map { _ in 0 }
        var open = Array(segments.indices)
        func advance(_ index: Int) {
            places[index] += 1
            if places[index] < segments[index].count {
                heads[index] = segments[index].entry(places[index])
            } else {
                open.removeAll { $0 == index }
            }
        }
        let count = segments.reduce(0) { $0 + $1.count }
        return try write(to: path, lineage: lineage, atMost: count, cancellation: cancellation) {
            while var least = open.first {
                for index in open.dropFirst() where heads[index].precedes(heads[least]) { least = index }
                let id = heads[least]
                advance(least)
                // An id that took effect again after it had been forgotten.
                if id.receivedAt >= cutoff, !open.contains(where: { heads[$0].isSameID(id) }) { return id }
            }
            return nil
        }
    }

    /// - Returns: `nil` if there are none, and then there is no file.
    private static func write(
        to path: String, lineage: UInt64, atMost limit: Int, cancellation: HistoryCancellation?,
        _ next: () -> SeenID?
    ) throws(HistoryFileError) -> UInt64? {
        guard let first = next() else { return nil }
        var bits = 1
        while bits < 28, 1 << bits < limit / bucketSize { bits += 1 }
        return try HistoryFile.write(path, .ids, lineage: lineage) { sink throws(HistoryFileError) in
            var starts = [UInt32](repeating: 0, count: 1 << bits + 1)
            var count = 0
            var latest = Int64.min
            var bucket = 0
            sink.cancellation = cancellation
            sink.begin()
            var following: SeenID? = first
            while let id = following {
                let own = Int(id.high >> UInt64(64 - bits))
                while bucket < own {
                    bucket += 1
                    starts[bucket] = UInt32(count)
                }
                sink.append(id.high)
                sink.append(id.low)
                sink.append(id.receivedAt)
                latest = max(latest, id.receivedAt)
                count += 1
                following = next()
            }
            while bucket < 1 << bits {
                bucket += 1
                starts[bucket] = UInt32(count)
            }
            var writer = ByteWriter()
            writer.append(count)
            writer.append(latest)
            writer.append(bits)
            try writer.append(ending: sink)
            sink.begin()
            starts.withUnsafeBytes { sink.append($0) }
            try writer.append(ending: sink)
            return writer.bytes
        }
    }
}

extension ByteWriter {
    /// Ends the section of a sink, and notes where it stands and what its blocks come to.
    mutating func append(ending sink: ByteSink) throws(HistoryFileError) {
        let place = try sink.end()
        append(place.offset)
        append(place.length)
        append(sink.blocks.count)
        for block in sink.blocks { append(block) }
    }
}

extension BlockSection {
    /// A section as `ByteWriter` noted it; `nil` if that makes no sense.
    convenience init?(_ reader: inout ByteReader, _ memory: StableBytes, _ damage: DamageReport) {
        let (offset, length) = (reader.int(), reader.int())
        let blockCount = reader.count(ofSize: 8)
        let sums = (0..<blockCount).map { _ in reader.uint64() }
        guard reader.isValid, offset >= 0, length >= 0, offset % 8 == 0, offset <= memory.bytes.count,
            length <= memory.bytes.count - offset,
            blockCount == (length + Checksum.blockSize - 1) / Checksum.blockSize
        else { return nil }
        self.init(memory, offset..<offset + length, sums, damage)
    }
}

import Synchronization

/// Texts of the pool with codes from `first` on, in a mapped file with a hash table of their own.
///
/// Its parts are checked block by block when they are touched, because a few of very many texts are looked at.
final class TextSegment: Sendable {
    let first: UInt32
    let count: Int
    /// Where each text starts in `bytes`, and where the last ends.
    private let starts: BlockSection
    private let hashes: BlockSection
    /// Open addressing: place + 1, or 0; a power of two.
    private let slots: BlockSection
    private let bytes: BlockSection
    private let slotCount: Int

    /// Code after the last one.
    var end: UInt32 { first + UInt32(count) }
    var byteCount: Int { starts.bytes.count + hashes.bytes.count + slots.bytes.count + bytes.bytes.count }

    init(
        _ path: String, checksum: UInt64, lineage: UInt64, _ damage: DamageReport
    ) throws(HistoryFileError) {
        let file = try HistoryFile.open(path, .texts)
        guard file.directoryChecksum == checksum, file.lineage == lineage else {
            throw HistoryFileError("\(path) is not the file that the manifest names")
        }
        var reader = ByteReader(file.directory)
        first = reader.uint32()
        count = reader.int()
        slotCount = reader.int()
        var sections: [BlockSection] = []
        for _ in 0..<4 {
            guard let section = BlockSection(&reader, file.memory, damage) else {
                throw HistoryFileError("\(path): the directory makes no sense")
            }
            sections.append(section)
        }
        (starts, hashes, slots, bytes) = (sections[0], sections[1], sections[2], sections[3])
        guard count > 0, UInt64(first) + UInt64(count) < UInt64(UInt32.max), slotCount.nonzeroBitCount == 1,
            slotCount > count, starts.bytes.count == (count + 1) * 8, hashes.bytes.count == (count * 4 + 7) & ~7,
            slots.bytes.count == (slotCount * 4 + 7) & ~7
        else { throw HistoryFileError("\(path): the directory makes no sense") }
    }

    /// - Parameter isKept: What is not leaves an empty place behind.
    static func write(
        _ path: String, lineage: UInt64, first: UInt32, count: Int, isKept: (Int) -> Bool = { _ in true },
        hash: (Int) -> UInt32, text: (Int, (UnsafeBufferPointer<UInt8>) -> Void) -> Void
    ) throws(HistoryFileError) -> UInt64 {
        try HistoryFile.write(path, .texts, lineage: lineage) { sink throws(HistoryFileError) in
            var writer = ByteWriter()
            writer.append(first)
            writer.append(count)
            var slotCount = 64
            while slotCount < count * 2 { slotCount *= 2 }
            writer.append(slotCount)
            sink.begin()
            var position: UInt64 = 0
            sink.append(position)
            for index in 0..<count {
                if isKept(index) { text(index) { position += UInt64($0.count) } }
                sink.append(position)
            }
            try writer.append(ending: sink)
            sink.begin()
            for index in 0..<count { sink.append(isKept(index) ? hash(index) : 0) }
            try writer.append(ending: sink)
            var slots = [UInt32](repeating: 0, count: slotCount)
            for index in 0..<count where isKept(index) {
                var slot = Int(hash(index)) & (slotCount - 1)
                while slots[slot] != 0 { slot = (slot + 1) & (slotCount - 1) }
                slots[slot] = UInt32(index) + 1
            }
            sink.begin()
            slots.withUnsafeBytes { sink.append($0) }
            try writer.append(ending: sink)
            sink.begin()
            for index in 0..<count where isKept(index) { text(index) { sink.append(UnsafeRawBufferPointer($0)) } }
            try writer.append(ending: sink)
            return writer.bytes
        }
    }

    /// The bytes of a text by its place; none where the file is damaged.
    func withBytes<Result>(_ place: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        guard starts.isSound(place * 8, 16) else { return body(UnsafeBufferPointer(start: nil, count: 0)) }
        let start = starts.bytes.load(fromByteOffset: place * 8, as: Int.self)
        let end = starts.bytes.load(fromByteOffset: place * 8 + 8, as: Int.self)
        guard start >= 0, start <= end, end <= bytes.bytes.count, bytes.isSound(start, end - start) else {
            return body(UnsafeBufferPointer(start: nil, count: 0))
        }
        let text = UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<end])
        return body(text.assumingMemoryBound(to: UInt8.self))
    }

    func hash(_ place: Int) -> UInt32 {
        hashes.isSound(place * 4, 4) ? hashes.bytes.load(fromByteOffset: place * 4, as: UInt32.self) : 0
    }

    /// Whether the text was dropped, because nobody refers to it: it has neither bytes nor a place in the hash table.
    func isDropped(_ place: Int) -> Bool { hash(place) == 0 && withBytes(place) { $0.isEmpty } }

    func find(_ text: UnsafeBufferPointer<UInt8>, hash: UInt32) -> UInt32? {
        var slot = Int(hash) & (slotCount - 1)
        for _ in 0..<slotCount {
            guard slots.isSound(slot * 4, 4) else { return nil }
            let found = slots.bytes.load(fromByteOffset: slot * 4, as: UInt32.self)
            guard found != 0, Int(found) <= count else { return nil }
            let place = Int(found) - 1
            if self.hash(place) == hash, withBytes(place, { TextBytes.equal($0, text) }) {
                return first + UInt32(place)
            }
            slot = (slot + 1) & (slotCount - 1)
        }
        return nil
    }

    func verify() -> Bool {
        [starts, hashes, slots, bytes].allSatisfy { $0.isSound(0, $0.bytes.count) }
    }
}

/// A part of a file with a checksum per block of 64 KiB.
///
/// Sendable although it holds pointers: the bytes are immutable, the flags are atomic, and both are kept in place.
final class BlockSection: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
    private let owner: StableBytes
    private let checksums: [UInt64]
    private let flags: UnsafeMutablePointer<Atomic<UInt8>>
    private let damage: DamageReport

    init(_ owner: StableBytes, _ range: Range<Int>, _ checksums: [UInt64], _ damage: DamageReport) {
        self.owner = owner
        self.checksums = checksums
        self.damage = damage
        bytes = UnsafeRawBufferPointer(rebasing: owner.bytes[range])
        flags = .allocate(capacity: max(checksums.count, 1))
        for index in checksums.indices { (flags + index).initialize(to: Atomic(0)) }
    }

    deinit {
        for index in checksums.indices { (flags + index).deinitialize(count: 1) }
        flags.deallocate()
    }

    /// Whether some of the bytes are what was written; looks at each block once.
    func isSound(_ offset: Int, _ count: Int) -> Bool {
        guard count > 0 else { return true }
        var block = offset / Checksum.blockSize
        let last = (offset + count - 1) / Checksum.blockSize
        while block <= last {
            if flags[block].load(ordering: .relaxed) == 0, !verify(block) { return false }
            block += 1
        }
        return true
    }

    private func verify(_ block: Int) -> Bool {
        let start = block * Checksum.blockSize
        let end = min(start + Checksum.blockSize, bytes.count)
        guard start < end, Checksum.block(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) == checksums[block]
        else {
            damage.report("\(owner.name): the checksum of a block is wrong")
            return false
        }
        flags[block].store(1, ordering: .relaxed)
        return true
    }
}

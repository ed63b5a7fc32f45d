/// Texts kept once each, byte for byte, under dense codes given in order of arrival.
///
/// Texts are equal if their bytes are: `String`'s own equality would take differently composed letters for the same and
/// lose what was sent.
///
/// Three layers: texts on disk in segments, texts that are being written, and fresh ones; each has a hash table of its
/// own, and a text is in one of them.
///
/// A class, because it stands inside of others that are asked a dozen times per call: a value would be copied, part by
/// part, for each question that is more than a few instructions.
@usableFromInline
final class StringPool {
    /// The code of the first fresh text.
    @usableFromInline private(set) var first: UInt32 = 0
    @usableFromInline private(set) var fresh = Texts()
    private(set) var frozen: FrozenTexts?
    /// What is on disk, ascending by code without gaps.
    private(set) var segments: [TextSegment] = [] {
        didSet { stored = ContiguousArray(segments.map { Stored(end: $0.end, texts: Unmanaged.passUnretained($0)) }) }
    }
    /// The same for looking up, without counting references; `segments` keeps them alive.
    private var stored: ContiguousArray<Stored> = []
    /// Drawn per History, so that nobody can prepare texts that collide. Codes do not depend on it.
    private(set) var seed = UInt64.random(in: .min ... .max)

    private struct Stored {
        /// Code after the last one.
        let end: UInt32
        let texts: Unmanaged<TextSegment>
    }

    @usableFromInline init() {}

    var count: Int { Int(first) + fresh.count }

    /// The code of a text, given now if the text is new.
    func intern(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = high(text)
        if let place = fresh.find(text, hash: hash) { return first + place }
        if first > 0, let code = findOlder(text, hash: hash) {
            if isTracking { revived.insert(code) }
            return code
        }
        precondition(count < Int(UInt32.max) - 3, "more than four thousand million distinct texts")
        return first + fresh.append(text, hash: hash)
    }

    func intern(_ text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { intern($0) }
    }

    /// The code of a text that was interned before.
    func find(_ text: String) -> UInt32? {
        var text = text
        return text.withUTF8 { find($0) }
    }

    func find(_ text: UnsafeBufferPointer<UInt8>) -> UInt32? {
        let hash = high(text)
        if let place = fresh.find(text, hash: hash) { return first + place }
        return first > 0 ? findOlder(text, hash: hash) : nil
    }

    private func high(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        UInt32(truncatingIfNeeded: TextBytes.hash(text, seed: seed) >> 32)
    }

    private func findOlder(_ text: UnsafeBufferPointer<UInt8>, hash: UInt32) -> UInt32? {
        if let frozen, let place = frozen.texts.find(text, hash: hash) { return frozen.first + place }
        for place in stored.indices {
            if let code = stored[place].texts._withUnsafeGuaranteedRef({ $0.find(text, hash: hash) }) { return code }
        }
        return nil
    }

    /// Whether a code is that of a text.
    func isText(_ code: UInt32, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        withBytes(code) { TextBytes.equal($0, text) }
    }

    func string(_ code: UInt32) -> String {
        withBytes(code) { String(decoding: $0, as: UTF8.self) }
    }

    @inlinable
    func withBytes<Result>(_ code: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        if code >= first { return fresh.withBytes(Int(code - first), body) }
        return withOlderBytes(code, body)
    }

    @usableFromInline
    func withOlderBytes<Result>(_ code: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        if let frozen, code >= frozen.first { return frozen.texts.withBytes(Int(code - frozen.first), body) }
        for place in stored.indices where code < stored[place].end {
            return stored[place].texts._withUnsafeGuaranteedRef { $0.withBytes(Int(code - $0.first), body) }
        }
        return body(UnsafeBufferPointer(start: nil, count: 0))
    }

    // MARK: Tracking

    /// Older texts that were given to new values since `beginTracking`.
    private(set) var revived: Set<UInt32> = []
    private var isTracking = false

    func beginTracking() {
        isTracking = true
        revived = []
    }

    func endTracking() {
        isTracking = false
        revived = []
    }

    // MARK: Layers

    /// Sets the fresh texts apart to be written, if there are any and none are already.
    func freeze() {
        guard fresh.count > 0, frozen == nil else { return }
        frozen = FrozenTexts(first: first, texts: fresh)
        first += UInt32(fresh.count)
        fresh = Texts()
    }

    /// What was frozen is on disk now.
    func thaw(to segments: [TextSegment]) {
        frozen = nil
        self.segments = segments
    }

    func setSegments(_ segments: [TextSegment]) { self.segments = segments }

    /// An empty pool takes over what is on disk.
    func open(_ segments: [TextSegment], seed: UInt64) {
        self.segments = segments
        self.seed = seed
        first = segments.last?.end ?? 0
        fresh = Texts()
    }
}

/// Texts in memory by their places.
@usableFromInline
struct Texts: Sendable {
    @usableFromInline var bytes: [UInt8] = []
    /// Where each text starts, and where the last one ends.
    @usableFromInline var starts: [Int] = [0]
    /// High parts of the hashes, by place: most different texts are told apart without looking at bytes.
    private(set) var hashes: [UInt32] = []
    /// Open addressing: place + 1, or 0. Its size is a power of two and at least twice the number of texts.
    private var slots: [UInt32] = Array(repeating: 0, count: 64)

    init() {}

    @usableFromInline var count: Int { starts.count - 1 }

    @inlinable
    func withBytes<Result>(_ place: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let range = starts[place]..<starts[place + 1]
        return bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[range])) }
    }

    func find(_ text: UnsafeBufferPointer<UInt8>, hash: UInt32) -> UInt32? {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let place = slots[slot] - 1
            if hashes[Int(place)] == hash, withBytes(Int(place), { TextBytes.equal($0, text) }) { return place }
            slot = (slot + 1) & mask
        }
        return nil
    }

    mutating func append(_ text: UnsafeBufferPointer<UInt8>, hash: UInt32) -> UInt32 {
        if (count + 1) * 2 > slots.count { grow() }
        let place = UInt32(count)
        bytes.append(contentsOf: text)
        starts.append(bytes.count)
        hashes.append(hash)
        put(place, hash: hash)
        return place
    }

    private mutating func put(_ place: UInt32, hash: UInt32) {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = place + 1
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for (place, hash) in hashes.enumerated() { put(UInt32(place), hash: hash) }
    }
}

/// Texts that are being written.
final class FrozenTexts: Sendable {
    let first: UInt32
    let texts: Texts

    init(first: UInt32, texts: Texts) {
        self.first = first
        self.texts = texts
    }
}

/// Bytes eight at a time.
enum TextBytes {
    private static func load(_ text: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    /// After wyhash: two words are multiplied into 128 bits, whose halves are folded.
    static func hash(_ text: UnsafeBufferPointer<UInt8>, seed: UInt64) -> UInt64 {
        let bytes = UnsafeRawBufferPointer(text)
        let count = bytes.count
        var hash = seed ^ 0xA076_1D64_78BD_642F
        var offset = 0
        while count - offset > 16 {
            hash = mix(load(bytes, offset) ^ 0xE703_7ED1_A0B4_28DB, load(bytes, offset + 8) ^ hash)
            offset += 16
        }
        var first: UInt64 = 0
        var last: UInt64 = 0
        if count >= 8 {
            // The last sixteen bytes, or both ends of a shorter text; bytes may be taken twice.
            first = count >= 16 ? load(bytes, count - 16) : load(bytes, 0)
            last = load(bytes, count - 8)
        } else {
            for byte in bytes { first = first << 8 | UInt64(byte) }
        }
        hash = mix(first ^ 0x8EBC_6AF0_9C88_C6E3, last ^ hash)
        return mix(hash ^ 0x5899_65CC_7537_4CC3, UInt64(count) ^ seed)
    }

    static func equal(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
        let count = left.count
        guard count == right.count else { return false }
        let (left, right) = (UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right))
        guard count >= 8 else { return left.elementsEqual(right) }
        var offset = 0
        while offset + 8 <= count {
            guard load(left, offset) == load(right, offset) else { return false }
            offset += 8
        }
        return load(left, count - 8) == load(right, count - 8)
    }
}

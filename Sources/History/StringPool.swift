/// Texts kept once each, byte for byte, under dense codes given in order of arrival.
///
/// Texts are equal if their bytes are: `String`'s own equality would take differently composed letters for the same and
/// lose what was sent.
@usableFromInline
struct StringPool {
    @usableFromInline var bytes: [UInt8] = []
    /// Where each text starts, and where the last one ends.
    @usableFromInline var starts: [Int] = [0]
    /// High parts of the hashes, by code: most different texts are told apart without looking at bytes.
    private var hashes: [UInt32] = []
    /// Open addressing: code + 1, or 0. Its size is a power of two and at least twice the number of texts.
    /// Drawn per pool, so that nobody can prepare texts that collide. Codes do not depend on it.
    private let seed = UInt64.random(in: .min ... .max)
    private var slots: [UInt32] = Array(repeating: 0, count: 64)

    var count: Int { hashes.count }

    /// The code of a text, given now if the text is new.
    mutating func intern(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = TextBytes.hash(text, seed: seed)
        if let code = find(text, hash: hash) { return code }
        if (count + 1) * 2 > slots.count { grow() }
        precondition(count < Int(UInt32.max) - 1, "more than four thousand million distinct texts")
        let code = UInt32(count)
        bytes.append(contentsOf: text)
        starts.append(bytes.count)
        hashes.append(UInt32(truncatingIfNeeded: hash >> 32))
        place(code, hash: UInt32(truncatingIfNeeded: hash >> 32))
        return code
    }

    mutating func intern(_ text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { intern($0) }
    }

    /// The code of a text that was interned before.
    func find(_ text: String) -> UInt32? {
        var text = text
        return text.withUTF8 { find($0) }
    }

    func find(_ text: UnsafeBufferPointer<UInt8>) -> UInt32? { find(text, hash: TextBytes.hash(text, seed: seed)) }

    /// Whether a code is that of a text.
    func isText(_ code: UInt32, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        withBytes(code) { TextBytes.equal($0, text) }
    }

    func string(_ code: UInt32) -> String {
        withBytes(code) { String(decoding: $0, as: UTF8.self) }
    }

    @inlinable
    func withBytes<Result>(_ code: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let range = starts[Int(code)]..<starts[Int(code) + 1]
        return bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[range])) }
    }

    private func find(_ text: UnsafeBufferPointer<UInt8>, hash: UInt64) -> UInt32? {
        let high = UInt32(truncatingIfNeeded: hash >> 32)
        let mask = slots.count - 1
        var slot = Int(high) & mask
        while slots[slot] != 0 {
            let code = slots[slot] - 1
            if hashes[Int(code)] == high, isText(code, text) { return code }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func place(_ code: UInt32, hash: UInt32) {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = code + 1
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for (code, hash) in hashes.enumerated() { place(UInt32(code), hash: hash) }
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

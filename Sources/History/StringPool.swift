/// Texts kept once each, byte for byte, under dense codes given in order of arrival.
///
/// Texts are equal if their bytes are: `String`'s own equality would take differently composed letters for the same and
/// lose what was sent.
public struct StringPool {
    @usableFromInline var bytes: [UInt8] = []
    /// Where each text starts, and where the last one ends.
    @usableFromInline var starts: [Int] = [0]
    /// High parts of the hashes, by code: most different texts are told apart without looking at bytes.
    private var hashes: [UInt32] = []
    /// Open addressing: code + 1, or 0. Its size is a power of two and at least twice the number of texts.
    private var slots: [UInt32] = Array(repeating: 0, count: 64)

    public init() {}

    public var count: Int { hashes.count }

    /// The code of a text, given now if the text is new.
    public mutating func intern(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = StringPool.hash(text)
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

    public mutating func intern(_ text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { intern($0) }
    }

    /// The code of a text that was interned before.
    public func find(_ text: String) -> UInt32? {
        var text = text
        return text.withUTF8 { find($0) }
    }

    func find(_ text: UnsafeBufferPointer<UInt8>) -> UInt32? { find(text, hash: StringPool.hash(text)) }

    /// Whether a code is that of a text.
    func isText(_ code: UInt32, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        withBytes(code) { StringPool.equal($0, text) }
    }

    private static func equal(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where left[index] != right[index] { return false }
        return true
    }

    public func string(_ code: UInt32) -> String {
        withBytes(code) { String(decoding: $0, as: UTF8.self) }
    }

    @inlinable
    public func withBytes<Result>(_ code: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let range = starts[Int(code)]..<starts[Int(code) + 1]
        return bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[range])) }
    }

    /// Seeded per process, so that nobody can prepare texts that collide. Codes do not depend on it.
    private static func hash(_ text: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(text))
        return UInt64(bitPattern: Int64(hasher.finalize()))
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

/// A message id as runs keep it. UUIDs in the usual form, with small letters, are 16 bytes; their order is that of
/// their texts.
enum StoredID {
    case uuid(UInt64, UInt64)
    case text(UnsafeBufferPointer<UInt8>)

    /// The two halves of a UUID's bytes, big-endian; `nil` of every other text.
    static func parse(_ text: UnsafeBufferPointer<UInt8>) -> (UInt64, UInt64)? {
        guard text.count == 36 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for (place, byte) in text.enumerated() {
            if place == 8 || place == 13 || place == 18 || place == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt64
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(byte &- UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = UInt64(byte &- UInt8(ascii: "a") &+ 10)
            default: return nil
            }
            if digits < 16 { halves.0 = halves.0 << 4 | digit } else { halves.1 = halves.1 << 4 | digit }
            digits += 1
        }
        return halves
    }

    func withText<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        switch self {
        case .text(let text): return body(text)
        case .uuid(let high, let low):
            return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 36) { text in
                var place = 0
                for digit in 0..<32 {
                    if place == 8 || place == 13 || place == 18 || place == 23 {
                        text[place] = UInt8(ascii: "-")
                        place += 1
                    }
                    let half = digit < 16 ? high : low
                    let nibble = UInt8(truncatingIfNeeded: half >> UInt64(60 - (digit % 16) * 4)) & 15
                    text[place] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
                    place += 1
                }
                return body(UnsafeBufferPointer(text))
            }
        }
    }

    var string: String { withText { String(decoding: $0, as: UTF8.self) } }

    /// Below, at or above 0 as the left id is less than, equal to or greater than the right one, byte by byte.
    static func compare(_ left: StoredID, _ right: StoredID) -> Int {
        if case .uuid(let a, let b) = left, case .uuid(let c, let d) = right {
            return a != c ? (a < c ? -1 : 1) : b == d ? 0 : b < d ? -1 : 1
        }
        return left.withText { left in right.withText { compare(left, $0) } }
    }

    static func compare(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Int {
        for (leftByte, rightByte) in zip(left, right) where leftByte != rightByte {
            return leftByte < rightByte ? -1 : 1
        }
        return left.count - right.count
    }
}

/// A 64-bit checksum over 8-byte words.
///
/// Each step is a bijection of the state for a given word and of the word for a given state (exclusive or, rotation,
/// product with an odd number). So two texts of one length that differ inside a single word, for example in one byte,
/// never have the same checksum; other differences go unnoticed once in 2^64.
struct Checksum {
    private var state: UInt64 = 0x6D75_7374_6572_6C6F

    mutating func combine(_ word: UInt64) {
        let mixed = state ^ word
        state = ((mixed << 29) | (mixed >> 35)) &* 0x9E37_79B9_7F4A_7C15
    }

    mutating func combine(_ bytes: UnsafeRawBufferPointer) {
        combine(UInt64(bytes.count))
        var position = 0
        while position + 8 <= bytes.count {
            combine(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
            position += 8
        }
        var last: UInt64 = 0
        while position < bytes.count {
            last = last << 8 | UInt64(bytes[position])
            position += 1
        }
        combine(last)
    }

    var value: UInt64 { state ^ (state >> 32) }
}

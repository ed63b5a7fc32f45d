/// 64-bit checksums of what stands in files: of blocks of 64 KiB, and of sections as the fold of their blocks.
///
/// Made for finding accidents, not forgeries: any change of a block goes unseen once in 2^64.
enum Checksum {
    static let blockSize = 1 << 16

    @inline(__always)
    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    /// Of at most one block, or of anything short.
    static func block(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        // Two lanes, because each waits for its multiplication.
        var first: UInt64 = 0xA076_1D64_78BD_642F ^ UInt64(bytes.count)
        var second: UInt64 = 0xE703_7ED1_A0B4_28DB
        var offset = 0
        let count = bytes.count
        while offset + 32 <= count {
            let a = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let b = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
            let c = bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)
            let d = bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
            // The state is added once more, so that a factor of nought does not swallow its partner for good.
            first = mix(a ^ 0x8EBC_6AF0_9C88_C6E3, b ^ first) &+ first &* 3 &+ a &* 0x9E37_79B9_7F4A_7C15 &+ b
            second = mix(c ^ 0x5899_65CC_7537_4CC3, d ^ second) &+ second &* 3 &+ c &* 0x9E37_79B9_7F4A_7C15 &+ d
            offset += 32
        }
        while offset < count {
            first = mix(first ^ UInt64(bytes[offset]) &+ 1, 0x1D8E_4E27_C47D_124F) &+ first &* 3
            offset += 1
        }
        return mix(first ^ 0x2D35_8DCC_AA6C_78A5, second ^ 0x8BB8_4B93_962E_ACC9) ^ first &+ second
    }

    @inline(__always)
    static func fold(_ sum: UInt64, _ block: UInt64) -> UInt64 {
        (sum ^ block) &* 0x9E37_79B9_7F4A_7C15 ^ (sum >> 29) &+ 1
    }

    /// Of a section: its blocks in their order.
    static func section(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sum: UInt64 = 0x51ED_270B
        var offset = 0
        while offset < bytes.count {
            let end = min(offset + blockSize, bytes.count)
            sum = fold(sum, block(UnsafeRawBufferPointer(rebasing: bytes[offset..<end])))
            offset = end
        }
        return sum
    }
}

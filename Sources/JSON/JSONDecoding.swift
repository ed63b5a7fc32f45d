// Decoding of what the scanner found well-formed.

/// Resolves the escapes of a string's content. `\u0000` disappears and a lone surrogate becomes U+FFFD
/// (spec: collection §1.6-6).
func unescape(_ content: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    guard let base = content.baseAddress else { return [] }
    let end = base + content.count
    // No escape decodes to more bytes than it takes.
    return [UInt8](unsafeUninitializedCapacity: content.count) { output, count in
        var position = base
        func put(_ byte: UInt8) {
            output[count] = byte
            count += 1
        }
        while position < end {
            let byte = position.pointee
            position += 1
            guard byte == 0x5C, position < end else {
                put(byte)
                continue
            }
            let escape = position.pointee
            position += 1
            switch escape {
            case UInt8(ascii: "b"): put(0x08)
            case UInt8(ascii: "f"): put(0x0C)
            case UInt8(ascii: "n"): put(0x0A)
            case UInt8(ascii: "r"): put(0x0D)
            case UInt8(ascii: "t"): put(0x09)
            case UInt8(ascii: "u"):
                let scalar = escapedScalar(&position, end)
                if scalar.value != 0 { for unit in UTF8.encode(scalar) ?? .init() { put(unit) } }
            default: put(escape)
            }
        }
    }
}

/// The scalar whose four digits stand at `position`, with the other half of a pair behind it if there is one.
private func escapedScalar(_ position: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Unicode.Scalar {
    guard let first = hexQuad(position, end) else { return "\u{FFFD}" }
    position += 4
    if first >= 0xD800, first < 0xDC00, end - position >= 6, position[0] == 0x5C, position[1] == 0x75,
        let second = hexQuad(position + 2, end), second >= 0xDC00, second < 0xE000,
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    {
        position += 6
        return scalar
    }
    return Unicode.Scalar(first) ?? "\u{FFFD}"
}

private let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
]

/// The double of a number of at most 15 digits without an exponent, exact by Clinger: both the digits and the power of
/// ten are doubles without rounding, so one division rounds once. Such a number needs no exact text. `nil` for others.
func exactDouble(_ literal: UnsafeBufferPointer<UInt8>) -> Double? {
    var digits: Int64 = 0
    var count = 0
    var fraction: Int?
    var isNegative = false
    for (index, byte) in literal.enumerated() {
        switch byte {
        case 0x30...0x39:
            count += 1
            guard count <= 15 else { return nil }
            digits = digits * 10 + Int64(byte - 0x30)
            if let places = fraction { fraction = places + 1 }
        case 0x2E: fraction = 0
        case 0x2D where index == 0: isNegative = true
        default: return nil
        }
    }
    guard count > 0 else { return nil }
    let magnitude = Double(digits) / powersOfTen[fraction ?? 0]
    return isNegative ? -magnitude : magnitude
}

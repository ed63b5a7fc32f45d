/// Decodes base64 as clients really write it: both alphabets, padding or none, a space where a query lost its `+`
/// (spec: collection §1.13). `nil` for anything else.
func decodeBase64(_ text: some Sequence<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    var digits = 0
    var isPadded = false
    for byte in text {
        let digit: UInt8
        switch byte {
        case 0x41...0x5A: digit = byte - 0x41
        case 0x61...0x7A: digit = byte - 0x61 + 26
        case 0x30...0x39: digit = byte - 0x30 + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: " "): digit = 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): digit = 63
        case UInt8(ascii: "="):
            isPadded = true
            continue
        default: return nil
        }
        if isPadded { return nil }
        digits += 1
        bits = bits << 6 | UInt32(digit)
        bitCount += 6
        if bitCount >= 8 {
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
        }
    }
    return digits % 4 == 1 ? nil : bytes
}

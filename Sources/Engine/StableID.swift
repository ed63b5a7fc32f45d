import Crypto

/// Ids that are functions of what they name: the engine has no source of randomness (design §1.4), and a repeated
/// transition must have the id of the first one.
enum StableID {
    /// `prefix` and 27 base-62 characters, about 160 bits of the SHA-256 of the parts.
    static func make(prefix: String, parts: [String]) -> String {
        var hasher = SHA256()
        for part in parts {
            // The length in front keeps ("a", "bc") and ("ab", "c") apart.
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { hasher.update(bufferPointer: $0) }
            hasher.update(data: Array(part.utf8))
        }
        return prefix + base62(Array(hasher.finalize()), length: 27)
    }

    /// The digits of the big-endian number in `bytes`, least significant first, cut to `length`.
    private static func base62(_ bytes: [UInt8], length: Int) -> String {
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        var number = bytes
        var digits: [UInt8] = []
        for _ in 0..<length {
            var remainder = 0
            for index in number.indices {
                let value = remainder << 8 | Int(number[index])
                number[index] = UInt8(value / 62)
                remainder = value % 62
            }
            digits.append(alphabet[remainder])
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// The anonymous id that stands for a profile known by e-mail only: `eml_` + SHA-1 of the lower-cased address
    /// (spec: engage §7.4).
    static func anonymousID(email: String) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = Array("eml_".utf8)
        for byte in Insecure.SHA1.hash(data: Array(email.lowercased().utf8)) {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

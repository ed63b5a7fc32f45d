import Model

/// The id under which the world knows a profile: `use_` or `acc_` and a KSUID in 27 base62 characters (spec §4.1).
///
/// The KSUID's parts are the second of creation, the place in the Log of the call that created the profile, and a hash
/// of that call's message id: no randomness, never twice the same, and of two profiles of one instant the older one has
/// the smaller id, which makes it the parent of a merge (spec §4.5).
struct SegmentID: Sendable, Hashable, Comparable {
    let place: UInt64
    let hash: UInt64

    init(offset: Int64, collection: Identifier.Collection, messageID: String) {
        place = UInt64(bitPattern: offset) << 1 | (collection == .users ? 0 : 1)
        hash = SegmentID.hash(messageID, place)
    }

    static func < (left: SegmentID, right: SegmentID) -> Bool {
        (left.place, left.hash) < (right.place, right.hash)
    }

    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    private static let length = 27

    static func prefix(_ collection: Identifier.Collection) -> String { collection == .users ? "use_" : "acc_" }

    /// The KSUID epoch, 2014-05-13T16:53:20Z; its four bytes last until 2150.
    private static func second(_ createdAt: Instant) -> UInt32 {
        let seconds = createdAt.milliseconds / 1000 - 1_400_000_000
        return UInt32(clamping: seconds)
    }

    func text(collection: Identifier.Collection, createdAt: Instant) -> String {
        // 160 bits as five words, divided by 62 as often as there are characters.
        var words: [UInt64] = [
            UInt64(Self.second(createdAt)), place >> 32, place & 0xFFFF_FFFF, hash >> 32, hash & 0xFFFF_FFFF,
        ]
        var characters = Array(repeating: UInt8(ascii: "0"), count: Self.length)
        for position in stride(from: Self.length - 1, through: 0, by: -1) {
            var remainder: UInt64 = 0
            for index in words.indices {
                let dividend = remainder << 32 | words[index]
                words[index] = dividend / 62
                remainder = dividend % 62
            }
            characters[position] = Self.alphabet[Int(remainder)]
        }
        return Self.prefix(collection) + String(decoding: characters, as: UTF8.self)
    }

    /// Reads back what `text` wrote; `nil` for anything else.
    init?(_ text: String, collection: Identifier.Collection, createdAt: Instant) {
        guard let parsed = Self.parse(text, collection: collection), parsed.second == Self.second(createdAt) else {
            return nil
        }
        self = parsed.id
    }

    private init(place: UInt64, hash: UInt64) {
        self.place = place
        self.hash = hash
    }

    static func parse(_ text: String, collection: Identifier.Collection) -> (id: SegmentID, second: UInt32)? {
        // A start reads as many of them as there are profiles.
        var text = text
        return text.withUTF8 { bytes in
            let prefix = prefix(collection).utf8
            guard bytes.count == prefix.count + length, bytes.starts(with: prefix) else { return nil }
            var (second, place, hash): (UInt64, UInt64, UInt64) = (0, 0, 0)
            for byte in bytes[prefix.count...] {
                guard let digit = digit(byte) else { return nil }
                let low = appended(digit, to: &hash)
                let carry = appended(low, to: &place)
                second = second * 62 + carry
                guard second <= UInt32.max else { return nil }
            }
            return (SegmentID(place: place, hash: hash), UInt32(second))
        }
    }

    /// Multiplies by 62, adds, and returns what does not fit.
    private static func appended(_ digit: UInt64, to word: inout UInt64) -> UInt64 {
        let product = word.multipliedFullWidth(by: 62)
        let (sum, overflows) = product.low.addingReportingOverflow(digit)
        word = sum
        return product.high + (overflows ? 1 : 0)
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt64(byte - UInt8(ascii: "A")) + 10
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt64(byte - UInt8(ascii: "a")) + 36
        default: nil
        }
    }

    /// FNV-1a with a final mix.
    private static func hash(_ text: String, _ seed: UInt64) -> UInt64 {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed
        for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        state = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        state = (state ^ state >> 27) &* 0x94D0_49BB_1331_11EB
        return state ^ state >> 31
    }
}

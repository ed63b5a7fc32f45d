public import Model

/// Profiles by ordinal, one bit each.
public struct ProfileSet: Sendable, Hashable {
    /// The bit of a profile is `number % 64` of the word `number / 64`; may be shorter than there are profiles.
    public private(set) var words: [UInt64]

    /// Nobody, with room for ordinals below `bound`.
    public init(bound: UInt32) { words = Array(repeating: 0, count: (Int(bound) + 63) / 64) }

    /// Everybody below `bound`.
    public init(below bound: UInt32) {
        words = Array(repeating: .max, count: (Int(bound) + 63) / 64)
        if bound % 64 != 0 { words[words.count - 1] = 1 << UInt64(bound % 64) - 1 }
    }

    public init(words: [UInt64]) { self.words = words }

    public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
    public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    public func contains(_ profile: ProfileOrdinal) -> Bool {
        let word = Int(profile.rawValue >> 6)
        return word < words.count && words[word] >> UInt64(profile.rawValue & 63) & 1 == 1
    }

    public mutating func insert(_ profile: ProfileOrdinal) {
        let word = Int(profile.rawValue >> 6)
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(profile.rawValue & 63)
    }

    public mutating func remove(_ profile: ProfileOrdinal) {
        let word = Int(profile.rawValue >> 6)
        if word < words.count { words[word] &= ~(1 << UInt64(profile.rawValue & 63)) }
    }

    /// Ascending.
    public func forEach(_ body: (ProfileOrdinal) -> Void) {
        for (index, word) in words.enumerated() {
            var bits = word
            while bits != 0 {
                body(ProfileOrdinal(UInt32(index << 6 + bits.trailingZeroBitCount)))
                bits &= bits - 1
            }
        }
    }
}

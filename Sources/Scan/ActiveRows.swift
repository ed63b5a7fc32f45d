/// Whom of a block a part of a definition asks about.
struct Asked {
    /// One bit per profile of the block.
    let words: UnsafePointer<UInt64>
    let count: Int
    /// Tells apart what was worked out for different sets; 0 for everybody.
    let id: Int

    init(_ words: UnsafePointer<UInt64>, id: Int) {
        self.words = words
        self.id = id
        var count = 0
        for word in 0..<BlockScan.words { count += words[word].nonzeroBitCount }
        self.count = count
    }

    @inline(__always)
    func contains(_ bit: UInt32) -> Bool { words[Int(bit >> 6)] &>> UInt64(bit & 63) & 1 == 1 }
}

/// The part of a slice that matters: all of it, or the rows of some profiles.
struct ActiveRows {
    /// Entries of the slice; `nil` for all.
    var entries: UnsafeMutableBufferPointer<Int32>?
    /// The words of masks that their rows touch; `nil` for all.
    var words: UnsafeMutableBufferPointer<Int32>?
    /// Whom the entries are of; `nil` for all.
    var asked: Asked?

    static var all: ActiveRows { ActiveRows() }

    var isAll: Bool { entries == nil }

    @inline(__always)
    func forEachWord(_ slice: RowSlice, _ body: (Int) -> Void) {
        if let words {
            for word in words { body(Int(word)) }
        } else {
            for word in 0..<slice.wordCount { body(word) }
        }
    }

    @inline(__always)
    func forEachEntry(_ slice: RowSlice, _ body: (Int) -> Void) {
        if let entries {
            for entry in entries { body(Int(entry)) }
        } else {
            for entry in 0..<slice.entryCount { body(entry) }
        }
    }
}

extension BlockScan {
    /// Whether to work something out for everybody rather than for those who are asked about: looking whose rows they are
    /// takes longer than looking at all, unless few are asked about; of what several places share, very few.
    func asksEverybody(_ asked: Asked, isShared: Bool) -> Bool {
        asked.count >= (isShared ? BlockScan.size / 16 : BlockScan.size / 8)
    }

    /// The entries of a slice whose profiles are asked about; all where `asked` is `nil`.
    func active(_ slice: RowSlice, among asked: Asked?) -> ActiveRows {
        guard let asked else { return .all }
        let entries = scratch.elements(of: Int32.self, min(asked.count, slice.entryCount))
        var found = 0
        if asked.count * 16 < slice.entryCount {
            // Few are asked about: each is looked for.
            let profiles = UnsafeBufferPointer(start: slice.profiles, count: slice.entryCount)
            var entry = 0
            for word in 0..<BlockScan.words {
                var bits = asked.words[word]
                while bits != 0 {
                    let profile = low + UInt32(word << 6 + bits.trailingZeroBitCount)
                    bits &= bits - 1
                    entry = profiles.firstIndex(from: profile, near: entry)
                    guard entry < slice.entryCount else { break }
                    if slice.profiles[entry] == profile {
                        entries[found] = Int32(entry)
                        found += 1
                    }
                }
            }
        } else {
            for entry in 0..<slice.entryCount where asked.contains(slice.profiles[entry] &- low) {
                entries[found] = Int32(entry)
                found += 1
            }
        }
        var active = ActiveRows(entries: UnsafeMutableBufferPointer(start: entries, count: found), asked: asked)
        guard found * 4 < slice.entryCount else { return active }
        active.words = words(slice, UnsafeBufferPointer(start: entries, count: found))
        return active
    }

    /// The words of masks that the rows of some entries touch, ascending.
    private func words(
        _ slice: RowSlice, _ entries: UnsafeBufferPointer<Int32>
    ) -> UnsafeMutableBufferPointer<Int32> {
        let words = scratch.elements(of: Int32.self, slice.wordCount)
        var found = 0
        var next = 0
        for entry in entries {
            let rows = slice.rows(Int(entry))
            guard !rows.isEmpty else { continue }
            for word in max(next, rows.lowerBound >> 6)..<max(next, (rows.upperBound - 1) >> 6 + 1) {
                words[found] = Int32(word)
                found += 1
                next = word + 1
            }
        }
        return UnsafeMutableBufferPointer(start: words, count: found)
    }
}

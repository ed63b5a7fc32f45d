/// All mapped ids: a hash table over one buffer of bytes.
///
/// A dictionary of `Identifier` would take three allocations and some 250 bytes per id; this takes about 50 bytes plus
/// the value, and a look-up touches no reference count. Ids are compared as bytes. Nothing here depends on the hash
/// seed but the layout, and the layout is never walked.
struct IdentifierTable: Sendable {
    static let none: UInt32 = .max

    struct Entry: Sendable {
        fileprivate var start: Int
        fileprivate var length: UInt32
        /// Number in the type table.
        let type: UInt16
        fileprivate(set) var isRemoved = false
        /// The profile it was mapped to; its canonical profile has it.
        let owner: UInt32
        /// Milliseconds.
        let createdAt: Int64
        /// The next id of the same canonical profile, in a ring.
        var next: UInt32
    }

    /// In the order of mapping; removed ones stay as gaps.
    private(set) var entries: [Entry] = []
    private var bytes: [UInt8] = []
    /// Entry index in the lower half, hash in the upper; `empty` or `removed` where there is none. A power of two.
    private var slots: [UInt64]
    private var used = 0
    private let seed: UInt64

    private static let empty: UInt64 = .max
    private static let removed: UInt64 = .max - 1

    init(minimumCapacity: Int = 0) {
        var capacity = 64
        while capacity * 5 < minimumCapacity * 8 { capacity *= 2 }
        slots = Array(repeating: Self.empty, count: capacity)
        entries.reserveCapacity(minimumCapacity)
        // Different in each process, so that nobody can prepare ids that collide.
        var hasher = Hasher()
        hasher.combine(0)
        seed = UInt64(bitPattern: Int64(hasher.finalize()))
    }

    subscript(index: UInt32) -> Entry { entries[Int(index)] }

    func value(of index: UInt32) -> String {
        let entry = entries[Int(index)]
        return String(decoding: bytes[entry.start..<entry.start + Int(entry.length)], as: UTF8.self)
    }

    /// The entry of an id, or `none`.
    func find(_ type: UInt16, _ value: String) -> UInt32 {
        value.withBytes { text in
            let hash = hash(type, text)
            var slot = Int(hash) & (slots.count - 1)
            while true {
                let content = slots[slot]
                if content == Self.empty { return Self.none }
                if content != Self.removed, UInt32(truncatingIfNeeded: content >> 32) == hash {
                    let index = UInt32(truncatingIfNeeded: content)
                    if holds(index, type, text) { return index }
                }
                slot = (slot + 1) & (slots.count - 1)
            }
        }
    }

    /// Adds an id that is not there. It is in a ring of its own.
    mutating func insert(_ type: UInt16, _ value: String, owner: UInt32, createdAt: Int64) -> UInt32 {
        if (used + 1) * 8 > slots.count * 5 { grow() }
        let index = UInt32(entries.count)
        let start = bytes.count
        bytes.append(contentsOf: value.utf8)
        entries.append(
            Entry(
                start: start, length: UInt32(bytes.count - start), type: type, owner: owner, createdAt: createdAt,
                next: index))
        place(hash: value.withBytes { hash(type, $0) }, index: index)
        used += 1
        return index
    }

    mutating func setNext(_ index: UInt32, _ next: UInt32) { entries[Int(index)].next = next }

    /// Takes an id out of the table. The caller has taken it out of its ring.
    mutating func remove(_ index: UInt32) {
        let value = value(of: index)
        let type = entries[Int(index)].type
        let hash = value.withBytes { self.hash(type, $0) }
        var slot = Int(hash) & (slots.count - 1)
        while UInt32(truncatingIfNeeded: slots[slot]) != index || slots[slot] == Self.removed {
            precondition(slots[slot] != Self.empty, "identifier \(index) is not in the table")
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Self.removed
        entries[Int(index)].isRemoved = true
        // The bytes of a person who asked for deletion must not stay.
        for position in entries[Int(index)].start..<entries[Int(index)].start + Int(entries[Int(index)].length) {
            bytes[position] = 0
        }
        entries[Int(index)].length = 0
    }

    // MARK: Slots

    private func holds(_ index: UInt32, _ type: UInt16, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let entry = entries[Int(index)]
        guard entry.type == type, Int(entry.length) == text.count else { return false }
        return bytes.withUnsafeBytes { all in
            UnsafeRawBufferPointer(text).hasSameBytes(as: UnsafeRawBufferPointer(rebasing: all[entry.start...]))
        }
    }

    private mutating func place(hash: UInt32, index: UInt32) {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] < Self.removed { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt64(hash) << 32 | UInt64(index)
    }

    private mutating func grow() {
        let old = slots
        used = old.count { $0 < Self.removed }
        slots = Array(repeating: Self.empty, count: used * 2 >= old.count ? old.count * 2 : old.count)
        for content in old where content < Self.removed {
            place(hash: UInt32(truncatingIfNeeded: content >> 32), index: UInt32(truncatingIfNeeded: content))
        }
    }

    /// After wyhash: 8 bytes a step through a 128-bit product.
    private func hash(_ type: UInt16, _ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
            let product = left.multipliedFullWidth(by: right)
            return product.high ^ product.low
        }
        var state = seed ^ (UInt64(type) << 48 | UInt64(text.count)) &* 0x9E37_79B9_7F4A_7C15
        let raw = UnsafeRawBufferPointer(text)
        var offset = 0
        while offset + 8 <= raw.count {
            state = mix(state ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self), 0xA076_1D64_78BD_642F)
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < raw.count {
            tail = tail << 8 | UInt64(raw[offset])
            offset += 1
        }
        state = mix(state ^ tail, 0xE703_7ED1_A0B4_28DB)
        return UInt32(truncatingIfNeeded: mix(state ^ seed, 0x8EBC_6AF0_9C88_C6E3))
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the other buffer begins with these bytes; it must not be shorter.
    fileprivate func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset + 8 <= count {
            let (left, right) = (
                loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            )
            guard left == right else { return false }
            offset += 8
        }
        while offset < count {
            guard self[offset] == other[offset] else { return false }
            offset += 1
        }
        return true
    }
}

extension String {
    fileprivate func withBytes<Value>(_ body: (UnsafeBufferPointer<UInt8>) -> Value) -> Value {
        if let value = utf8.withContiguousStorageIfAvailable(body) { return value }
        return Array(utf8).withUnsafeBufferPointer(body)
    }
}

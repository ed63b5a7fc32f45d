/// Values by small numbers that the engine gives out itself, in order (ordinals of profiles): 64 numbers share a group, which
/// says which of them have a value and keeps those values one after the other.
///
/// A look-up is a place in a list, a bit and a place in a shorter list: no hash, no chain, and neighbours lie side by side.
/// It takes as much memory as there are values, 24 bytes a group besides, and grows by a group at a time: a hash table
/// that doubles holds two and a half times as much at its worst, and six while it is copied.
///
/// A class with memory of its own, because it is asked at every evaluation and must not be copied for that.
final class SparseTable<Value: BitwiseCopyable> {
    private struct Group {
        /// Which of the 64 numbers have a value.
        var mask: UInt64 = 0
        var capacity = 0
        var values: UnsafeMutablePointer<Value>?

        @inline(__always)
        func place(of bit: UInt64) -> Int { (mask & (bit &- 1)).nonzeroBitCount }
    }

    private var groups: ContiguousArray<Group> = []
    private(set) var count = 0

    init() {}

    deinit { for group in groups { group.values?.deallocate() } }

    @inline(__always)
    private static func bit(_ number: UInt32) -> UInt64 { 1 << UInt64(number & 63) }

    subscript(number: UInt32) -> Value? {
        get { pointer(to: number)?.pointee }
        set {
            if let newValue { set(newValue, at: number) } else { remove(number) }
        }
    }

    /// Where the value stands, until the next one is added or removed.
    @inline(__always)
    func pointer(to number: UInt32) -> UnsafeMutablePointer<Value>? {
        let index = Int(number >> 6)
        guard index < groups.count else { return nil }
        let bit = Self.bit(number)
        guard groups[index].mask & bit != 0, let values = groups[index].values else { return nil }
        return values + groups[index].place(of: bit)
    }

    private func set(_ value: Value, at number: UInt32) {
        if let known = pointer(to: number) { return known.pointee = value }
        let index = Int(number >> 6)
        while groups.count <= index { groups.append(Group()) }
        var group = groups[index]
        let bit = Self.bit(number)
        let (held, place) = (group.mask.nonzeroBitCount, group.place(of: bit))
        if held == group.capacity {
            group.capacity = min(64, max(2, held + held / 2))
            let grown = UnsafeMutablePointer<Value>.allocate(capacity: group.capacity)
            if let old = group.values {
                grown.initialize(from: old, count: held)
                old.deallocate()
            }
            group.values = grown
        }
        if let values = group.values {
            (values + place + 1).update(from: values + place, count: held - place)
            values[place] = value
        }
        group.mask |= bit
        groups[index] = group
        count += 1
    }

    private func remove(_ number: UInt32) {
        guard let known = pointer(to: number) else { return }
        let index = Int(number >> 6)
        let bit = Self.bit(number)
        let behind = groups[index].mask.nonzeroBitCount - groups[index].place(of: bit) - 1
        known.update(from: known + 1, count: behind)
        groups[index].mask &= ~bit
        if groups[index].mask == 0 {
            groups[index].values?.deallocate()
            groups[index] = Group()
        }
        count -= 1
    }

    /// Ascending by number. The table must not be changed meanwhile.
    func forEach(_ body: (UInt32, Value) throws -> Void) rethrows {
        for index in groups.indices {
            guard let values = groups[index].values else { continue }
            var rest = groups[index].mask
            var place = 0
            while rest != 0 {
                try body(UInt32(index) << 6 | UInt32(rest.trailingZeroBitCount), values[place])
                rest &= rest - 1
                place += 1
            }
        }
    }
}

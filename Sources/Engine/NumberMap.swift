/// A hash table from small numbers that the engine gives out itself (ordinals of profiles, numbers of computations).
///
/// Nobody outside chooses these keys, so they need no hash that withstands ill will: the standard dictionary spends most of
/// a look-up on that. Linear probing, at most three quarters full. Its order depends on nothing but what was done to it.
///
/// Of keys that others could choose, hashes of ids above all, it takes a secret `multiplier`: whoever wants them to share a
/// place must then find some that agree in 40 bits and more.
struct NumberMap<Key: FixedWidthInteger & UnsignedInteger & Sendable, Value> {
    /// Stands in empty places; never a key.
    private static var nobody: Key { .max }

    private var keys: ContiguousArray<Key> = [nobody]
    private var values: ContiguousArray<Value>
    private let filler: Value
    private let multiplier: UInt64
    private(set) var count = 0

    /// - Parameters:
    ///   - filler: Stands where there is no value. An optional would make most entries larger.
    ///   - multiplier: Odd.
    init(filler: Value, multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15) {
        self.filler = filler
        self.multiplier = multiplier | 1
        values = [filler]
    }

    subscript(key: Key) -> Value? {
        get {
            let place = place(of: key)
            return keys[place] == key ? values[place] : nil
        }
        set {
            let place = place(of: key)
            if keys[place] == key {
                if let newValue { values[place] = newValue } else { remove(at: place) }
            } else if let newValue {
                precondition(key != Self.nobody, "the greatest number is no key")
                if (count + 1) * 4 > keys.count * 3 {
                    grow()
                    self[key] = newValue
                } else {
                    keys[place] = key
                    values[place] = newValue
                    count += 1
                }
            }
        }
    }

    /// Where the key is, or the empty place where it would be.
    private func place(of key: Key) -> Int {
        let mask = keys.count - 1
        var place = home(of: key)
        while keys[place] != key, keys[place] != Self.nobody { place = (place + 1) & mask }
        return place
    }

    /// Neighbouring numbers are spread, so that long chains do not form where they come in rows.
    private func home(of key: Key) -> Int {
        let hash = UInt64(truncatingIfNeeded: key) &* multiplier
        return Int(truncatingIfNeeded: hash >> 32) & (keys.count - 1)
    }

    private mutating func grow() {
        let (oldKeys, oldValues) = (keys, values)
        let capacity = Swift.max(8, keys.count * 2)
        keys = ContiguousArray(repeating: Self.nobody, count: capacity)
        values = ContiguousArray(repeating: filler, count: capacity)
        for index in oldKeys.indices where oldKeys[index] != Self.nobody {
            let place = place(of: oldKeys[index])
            keys[place] = oldKeys[index]
            values[place] = oldValues[index]
        }
    }

    /// Closes the gap with what may move into it, so that no chain is torn.
    private mutating func remove(at index: Int) {
        let mask = keys.count - 1
        var gap = index
        var next = (index + 1) & mask
        while keys[next] != Self.nobody {
            // It may move if its home is not between the gap and itself.
            if (next &- home(of: keys[next])) & mask >= (next &- gap) & mask {
                keys[gap] = keys[next]
                values[gap] = values[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        keys[gap] = Self.nobody
        values[gap] = filler
        count -= 1
    }

    func forEach(_ body: (Key, Value) throws -> Void) rethrows {
        for index in keys.indices where keys[index] != Self.nobody { try body(keys[index], values[index]) }
    }
}

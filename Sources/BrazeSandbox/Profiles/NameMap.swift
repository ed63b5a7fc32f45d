/// A small map from interned name numbers to values: sorted pairs in one allocation, nothing when empty. Profiles hold a
/// handful of names each, and there may be a million profiles.
///
/// - Complexity: lookup O(log n), insertion O(n).
struct NameMap<Value: Sendable>: Sendable {
    private(set) var pairs: [(name: Int32, value: Value)] = []

    var count: Int { pairs.count }
    var isEmpty: Bool { pairs.isEmpty }

    private func place(_ name: Int32) -> (index: Int, found: Bool) {
        var low = 0
        var high = pairs.count
        while low < high {
            let middle = (low + high) / 2
            if pairs[middle].name < name { low = middle + 1 } else { high = middle }
        }
        return (low, low < pairs.count && pairs[low].name == name)
    }

    subscript(name: Int32) -> Value? {
        get {
            let place = place(name)
            return place.found ? pairs[place.index].value : nil
        }
        set {
            let place = place(name)
            switch (place.found, newValue) {
            case (true, let value?): pairs[place.index].value = value
            case (true, nil): pairs.remove(at: place.index)
            case (false, let value?): pairs.insert((name, value), at: place.index)
            case (false, nil): break
            }
        }
    }

    /// Changes a value in place; `fresh` stands in where the name has none yet.
    mutating func update(_ name: Int32, default fresh: @autoclosure () -> Value, _ change: (inout Value) -> Void) {
        let place = place(name)
        if !place.found { pairs.insert((name, fresh()), at: place.index) }
        change(&pairs[place.index].value)
    }
}

import JSON

/// What a path with `$` leads to in one row.
struct ElementValues {
    /// Those that are not null.
    private(set) var values: [JSONGlance] = []
    private(set) var hasNull = false
    /// Whether any of them has something inside.
    private(set) var hasContainers = false

    private init() {}

    init(_ array: JSONGlance) {
        for element in array.elements { append(element) }
    }

    var isEmpty: Bool { values.isEmpty && !hasNull }

    private mutating func append(_ value: JSONGlance) {
        switch value.kind {
        case .null: hasNull = true
        case .array, .object:
            hasContainers = true
            values.append(value)
        case .bool, .number, .string: values.append(value)
        }
    }

    /// The same one step further, for each name and for `$`, in the order in which they appear.
    func children(
        _ store: inout Values, isFull: Bool, _ findings: inout ColumnTree.Findings
    ) -> [(key: UInt32, values: ElementValues)] {
        var children: [(key: UInt32, values: ElementValues)] = []
        /// Of each child: how many of `values` led there, the others being null, and which one did last.
        var visits: [(count: Int, last: Int)] = []
        var places: [UInt32: Int] = [:]
        func place(of key: UInt32, from index: Int) -> Int {
            let place = places[key] ?? children.count
            if place == children.count {
                places[key] = place
                children.append((key, ElementValues()))
                visits.append((0, -1))
            }
            if visits[place].last == index { findings.hasRepeatedName = true }
            visits[place] = (visits[place].count + 1, index)
            return place
        }
        for (index, value) in values.enumerated() {
            switch value.kind {
            case .object:
                for (name, value) in value.members {
                    let key = name.withText { isFull ? store.strings.find($0) : store.strings.intern($0) } ?? nil
                    guard let key else {
                        findings.dropped += 1
                        continue
                    }
                    children[place(of: key, from: index)].values.append(value)
                }
            case .array:
                var elements = value.elements.makeIterator()
                guard let first = elements.next() else { continue }
                let place = place(of: ColumnTree.elements, from: index)
                children[place].values.append(first)
                while let element = elements.next() { children[place].values.append(element) }
            case .null, .bool, .number, .string: break
            }
        }
        for place in children.indices where hasNull || visits[place].count < values.count {
            children[place].values.hasNull = true
        }
        return children
    }
}

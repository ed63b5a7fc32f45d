import History
import JSON

/// Values told apart by their text, each with its earliest occurrence and how often it occurs. At most 10,000 are told
/// apart, in the order in which they first occur (spec: engage §1.3).
struct DistinctValues {
    static let maximum = 10_000

    struct Group {
        /// As it was sent first.
        var value: Operand
        var text: [UInt8]
        var count: Int
    }

    private let store: ValueStore
    /// Values of columns are equal if their cells are: texts are made once per distinct cell.
    private var cells: [Cell: Int] = [:]
    private var found: [(operand: Operand, count: Int)] = []

    init(_ store: ValueStore) {
        self.store = store
    }

    mutating func add(_ operand: Operand) {
        guard case .cell(let cell) = operand, cell.kind != .exactNumber else {
            found.append((operand, 1))
            return
        }
        if let place = cells[cell] {
            found[place].count += 1
        } else {
            cells[cell] = found.count
            found.append((operand, 1))
        }
    }

    func groups(_ isTruncated: inout Bool) -> [Group] {
        var groups: [Group] = []
        var places: [[UInt8]: Int] = [:]
        for (operand, count) in found {
            guard let text = operand.atom(store).text else { continue }
            let bytes = Array(text.utf8)
            if let place = places[bytes] {
                groups[place].count += count
            } else if groups.count < DistinctValues.maximum {
                places[bytes] = groups.count
                groups.append(Group(value: operand, text: bytes, count: count))
            } else {
                isTruncated = true
            }
        }
        return groups
    }
}

extension [DistinctValues.Group] {
    /// The most frequent value that is frequent enough; of several the alphabetically first, byte by byte.
    func mostFrequent(minimum: Int) -> DistinctValues.Group? {
        var best: DistinctValues.Group?
        for group in self where group.count >= minimum {
            if let current = best {
                let isBetter =
                    group.count != current.count
                    ? group.count > current.count : group.text.lexicographicallyPrecedes(current.text)
                guard isBetter else { continue }
            }
            best = group
        }
        return best
    }
}

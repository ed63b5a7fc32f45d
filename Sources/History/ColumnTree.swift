import JSON

/// The values of all rows at one path.
struct Column {
    /// By row; rows from `cells.count` on have nothing here.
    var cells: ContiguousArray<Cell> = []
    var count = 0
    var types: ObservedTypes = []
    var samples: [Cell] = []
    /// The last part of the path: a code of the pool, or `ColumnTree.elements`.
    let key: UInt32
    let parent: Int

    mutating func set(_ cell: Cell, row: Int) {
        if cells.count < row { cells.append(contentsOf: repeatElement(.missing, count: row - cells.count)) }
        cells.append(cell)
        count += 1
    }

    /// Keeps what the catalogue shows. Samples come from the first thousand values only: looking for new ones costs time.
    mutating func observe(_ cell: Cell) {
        types.formUnion(ObservedTypes(cell.kind))
        guard samples.count < 20, count <= 1000, cell.kind != .null, !samples.contains(cell) else { return }
        samples.append(cell)
    }
}

/// The columns of one table's properties, context or trait value: a tree of paths that grows as paths appear.
struct ColumnTree {
    static let elements = UInt32.max
    static let root = 0
    static let maximumPaths = 1000

    private(set) var columns: [Column] = [Column(key: 0, parent: 0)]
    private var children: [UInt64: Int] = [:]

    /// Changes whenever a lookup that failed could succeed.
    var version: Int { columns.count }
    var isFull: Bool { columns.count > ColumnTree.maximumPaths }

    private static func edge(_ parent: Int, _ key: UInt32) -> UInt64 { UInt64(parent) << 32 | UInt64(key) }

    func column(_ path: ColumnPath, in strings: StringPool) -> Int? {
        var node = ColumnTree.root
        for component in path.components {
            let key: UInt32
            switch component {
            case .elements: key = ColumnTree.elements
            case .key(let name):
                guard let code = strings.find(name) else { return nil }
                key = code
            }
            guard let child = children[ColumnTree.edge(node, key)] else { return nil }
            node = child
        }
        return node
    }

    /// The path of a column as queries write it.
    func path(_ column: Int, in strings: StringPool) -> String {
        var parts: [String] = []
        var node = column
        while node != ColumnTree.root {
            let key = columns[node].key
            parts.append(key == ColumnTree.elements ? "$" : ColumnTree.escape(strings.string(key)))
            node = columns[node].parent
        }
        return parts.reversed().joined(separator: ".")
    }

    private static func escape(_ key: String) -> String {
        if key == "$" { return "\\$" }
        guard key.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "\\") }) else { return key }
        var escaped = ""
        for character in key.unicodeScalars {
            if character == "." || character == "\\" { escaped.unicodeScalars.append("\\") }
            escaped.unicodeScalars.append(character)
        }
        return escaped
    }

    // MARK: Writing

    /// The child of a column, made if there is room; `nil` where the limit of paths is reached.
    private mutating func child(of parent: Int, key: UInt32) -> Int? {
        let edge = ColumnTree.edge(parent, key)
        if let child = children[edge] { return child }
        guard !isFull else { return nil }
        columns.append(Column(key: key, parent: parent))
        children[edge] = columns.count - 1
        return columns.count - 1
    }

    /// Writes a value and everything inside of it. Returns how many values found no room.
    mutating func write(_ value: JSONValue, column: Int, row: Int, store: ValueStore) -> Int {
        let cell = store.cell(value)
        columns[column].set(cell, row: row)
        columns[column].observe(cell)
        switch value {
        case .object(let object): return write(members: object, column: column, row: row, store: store)
        case .array(let array):
            guard !array.isEmpty else { return 0 }
            guard let elements = child(of: column, key: ColumnTree.elements) else { return 1 }
            return write(elements: ElementValues(array), column: elements, row: row, store: store)
        default: return 0
        }
    }

    mutating func write(members object: JSONObject, column: Int, row: Int, store: ValueStore) -> Int {
        var dropped = 0
        for (key, value) in object.members {
            // A full tree takes no new keys, so it must not make the pool keep them.
            if let code = isFull ? store.strings.find(key) : store.intern(key), let child = child(of: column, key: code)
            {
                dropped += write(value, column: child, row: row, store: store)
            } else {
                dropped += 1
            }
        }
        return dropped
    }

    /// Writes the values that a path with `$` leads to. Values that are null are noted once: a row takes no more room
    /// than its JSON however many keys its elements have between them.
    private mutating func write(elements: ElementValues, column: Int, row: Int, store: ValueStore) -> Int {
        let list = store.list(elements.values, hasNull: elements.hasNull)
        columns[column].set(list, row: row)
        for cell in store.elements(of: list) { columns[column].observe(cell) }
        var dropped = 0
        for (key, values) in elements.children(store) {
            if let child = child(of: column, key: key) {
                dropped += write(elements: values, column: child, row: row, store: store)
            } else {
                dropped += 1
            }
        }
        return dropped
    }

    mutating func scrub(row: Int) {
        for column in columns.indices where row < columns[column].cells.count {
            let cell = columns[column].cells[row]
            guard cell != .missing else { continue }
            columns[column].cells[row] = .missing
            columns[column].count -= 1
            columns[column].samples.removeAll { $0 == cell || cell.kind == .list }
        }
    }
}

/// What a path with `$` leads to.
private struct ElementValues {
    var values: [JSONValue] = []
    var hasNull = false

    init() {}

    init(_ array: [JSONValue]) {
        for element in array { append(element) }
    }

    mutating func append(_ value: JSONValue) {
        if case .null = value { hasNull = true } else { values.append(value) }
    }

    /// The same one step further, for each key and for `$`, in the order in which they appear.
    func children(_ store: ValueStore) -> [(key: UInt32, values: ElementValues)] {
        var children: [(key: UInt32, values: ElementValues)] = []
        var places: [UInt32: Int] = [:]
        // How many of `values` led somewhere, per child: the others are null there.
        var counts: [Int] = []
        func add(_ key: UInt32, _ values: [JSONValue]) {
            let place: Int
            if let known = places[key] {
                place = known
            } else {
                place = children.count
                places[key] = place
                children.append((key, ElementValues()))
                counts.append(0)
            }
            for value in values { children[place].values.append(value) }
            counts[place] += 1
        }
        for value in values {
            switch value {
            case .object(let object): for (key, value) in object.members { add(store.intern(key), [value]) }
            case .array(let array) where !array.isEmpty: add(ColumnTree.elements, array)
            default: break
            }
        }
        for place in children.indices where hasNull || counts[place] < values.count {
            children[place].values.hasNull = true
        }
        return children
    }
}

extension ObservedTypes {
    init(_ kind: Cell.Kind) {
        switch kind {
        case .missing, .list: self = []
        case .null: self = .null
        case .boolean: self = .boolean
        case .number, .exactNumber: self = .number
        case .string: self = .string
        case .array: self = .array
        case .object: self = .object
        }
    }
}

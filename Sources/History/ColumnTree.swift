import JSON

/// The values of all rows at one path.
struct Column {
    /// By row; rows from `cells.count` on have nothing here.
    var cells: ContiguousArray<Cell> = []
    var count = 0
    var types: ObservedTypes = []
    var samples: [Cell] = []
    /// The string that came last: the next one often is the same.
    var lastText: UInt32?
    /// The last part of the path: a code of the pool, or `ColumnTree.elements`.
    let key: UInt32
    let parent: Int
    /// Columns one step further, in the order in which they appeared.
    var children: [Int] = []
    /// Where this one stands among its parent's children.
    let place: Int

    func isSet(_ row: Int) -> Bool { row < cells.count && cells[row] != .missing }

    mutating func set(_ cell: Cell, row: Int) {
        if row < cells.count {
            cells[row] = cell
        } else {
            if cells.count < row { cells.append(contentsOf: repeatElement(.missing, count: row - cells.count)) }
            cells.append(cell)
        }
        count += 1
    }

    /// Keeps what the catalogue shows. Samples come from the first thousand values only: looking for new ones costs time.
    mutating func observe(_ cell: Cell) {
        types.formUnion(ObservedTypes(cell.kind))
        guard samples.count < 20, count <= 1000, cell.kind != .null, !cell.isInColumns,
            !samples.contains(cell)
        else { return }
        samples.append(cell)
    }
}

/// The columns of one table's properties, context or trait value: a tree of paths that grows as paths appear.
struct ColumnTree {
    static let elements = UInt32.max
    static let root = 0
    static let maximumPaths = 1000

    /// Whether objects are kept whole besides their members: for traits, which people read back as they were sent.
    let keepsObjects: Bool
    private(set) var columns: [Column] = [Column(key: 0, parent: 0, place: 0)]
    private var children: [UInt64: Int] = [:]

    init(keepsObjects: Bool) {
        self.keepsObjects = keepsObjects
    }

    /// A tree as it was kept, without cells; `nil` if that is none.
    init?(keepsObjects: Bool, _ kept: [ColumnMetadata]) {
        self.keepsObjects = keepsObjects
        guard !kept.isEmpty, kept.count <= ColumnTree.maximumPaths + 1 else { return nil }
        for (number, column) in kept.enumerated() {
            if number > 0 {
                guard column.parent >= 0, column.parent < number,
                    child(of: column.parent, key: column.key) == number
                else { return nil }
            }
            columns[number].count = column.count
            columns[number].types = ObservedTypes(rawValue: column.types)
            columns[number].samples = column.samples.map { Cell(bits: $0) }
        }
    }

    var metadata: [ColumnMetadata] {
        columns.map {
            ColumnMetadata(
                key: $0.key, parent: $0.parent, count: $0.count, types: $0.types.rawValue,
                samples: $0.samples.map(\.bits))
        }
    }

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
        let child = columns.count
        columns.append(Column(key: key, parent: parent, place: columns[parent].children.count))
        columns[parent].children.append(child)
        children[edge] = child
        return child
    }

    /// The child for a member's name. Events of one name mostly have their members in the same order, so the child at
    /// `guess` is tried first, and `guess` moves on.
    private mutating func child(
        of parent: Int, name: UnsafeBufferPointer<UInt8>, guess: inout Int, store: inout Values
    ) -> Int? {
        if guess < columns[parent].children.count {
            let expected = columns[parent].children[guess]
            if columns[expected].key != ColumnTree.elements, store.strings.isText(columns[expected].key, name) {
                guess += 1
                return expected
            }
        }
        // A full tree takes no new names, so it must not make the pool keep them.
        guard let key = isFull ? store.strings.find(name) : store.strings.intern(name) else { return nil }
        guard let child = child(of: parent, key: key) else { return nil }
        guess = columns[child].place + 1
        return child
    }

    /// What a write came upon.
    struct Findings {
        /// Values that found no room.
        var dropped = 0
        /// An object has the same name twice: the last one counts, so all must be written again from a cleaned text.
        var hasRepeatedName = false
    }

    /// Writes a value and everything inside of it.
    mutating func write(_ value: JSONGlance, column: Int, row: Int, store: inout Values, _ findings: inout Findings) {
        guard !columns[column].isSet(row) else { return findings.hasRepeatedName = true }
        let cell: Cell
        if value.kind == .object, !keepsObjects {
            cell = Cell(.object, code: Cell.inColumns)
        } else {
            cell = store.cell(value, last: columns[column].lastText)
            if cell.kind == .string { columns[column].lastText = cell.code }
        }
        columns[column].set(cell, row: row)
        columns[column].observe(cell)
        switch value.kind {
        case .object: write(members: value, column: column, row: row, store: &store, &findings)
        case .array:
            let array = ElementValues(value)
            guard !array.isEmpty else { return }
            guard let elements = child(of: column, key: ColumnTree.elements) else { return findings.dropped += 1 }
            write(elements: array, column: elements, row: row, store: &store, &findings)
        default: break
        }
    }

    mutating func write(
        members object: JSONGlance, column: Int, row: Int, store: inout Values, _ findings: inout Findings
    ) {
        var guess = 0
        for (key, value) in object.members {
            let found: Int?? = key.withText { child(of: column, name: $0, guess: &guess, store: &store) }
            if case .some(.some(let child)) = found {
                write(value, column: child, row: row, store: &store, &findings)
            } else {
                findings.dropped += 1
            }
        }
    }

    /// Writes a value under a name at the top.
    mutating func write(
        _ value: JSONGlance, name: StaticString, row: Int, store: inout Values, _ findings: inout Findings
    ) {
        var guess = Int.max
        let text = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        if let child = child(of: ColumnTree.root, name: text, guess: &guess, store: &store) {
            write(value, column: child, row: row, store: &store, &findings)
        } else {
            findings.dropped += 1
        }
    }

    /// Writes the values that a path with `$` leads to. Values that are null are noted once: a row takes no more room
    /// than its JSON however many keys its elements have between them.
    private mutating func write(
        elements: ElementValues, column: Int, row: Int, store: inout Values, _ findings: inout Findings
    ) {
        let list = store.list(elements.values, hasNull: elements.hasNull)
        columns[column].set(list, row: row)
        for cell in store.lastList { columns[column].observe(cell) }
        guard elements.hasContainers else { return }
        for (key, values) in elements.children(&store, isFull: isFull, &findings) {
            if let child = child(of: column, key: key) {
                write(elements: values, column: child, row: row, store: &store, &findings)
            } else {
                findings.dropped += 1
            }
        }
    }

    func cell(_ column: Int, _ row: Int) -> Cell {
        row < columns[column].cells.count ? columns[column].cells[row] : .missing
    }

    mutating func scrub(row: Int) {
        for column in columns.indices where columns[column].isSet(row) {
            let cell = columns[column].cells[row]
            columns[column].cells[row] = .missing
            forget(cell, column)
        }
    }

    /// Takes a cell out of what the catalogue shows of a column.
    mutating func forget(_ cell: Cell, _ column: Int) {
        guard cell != .missing else { return }
        columns[column].count -= 1
        columns[column].samples.removeAll { $0 == cell || cell.kind == .list }
    }

    /// Takes values out of what the catalogue shows of the columns; `counts` by column.
    mutating func forget(counts: [Int]) {
        for (column, count) in counts.enumerated() where column < columns.count { columns[column].count -= count }
    }

    /// Lets go of values that were kept to be shown or guessed.
    mutating func forgetSamples() {
        for column in columns.indices {
            columns[column].samples = []
            columns[column].lastText = nil
        }
    }

    /// Keeps the cells of some rows, ascending, in their order.
    mutating func keep(_ rows: [Int]) {
        for column in columns.indices where !columns[column].cells.isEmpty {
            let cells = columns[column].cells
            columns[column].cells = ContiguousArray(rows.prefix { $0 < cells.count }.map { cells[$0] })
        }
    }

    /// The cells went elsewhere; what is known of the columns stays.
    mutating func dropCells() {
        for column in columns.indices {
            columns[column].cells = []
            columns[column].lastText = nil
        }
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

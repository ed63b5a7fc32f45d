import Model

/// One commit's changes of values, wake-ups, activity and transitions as a row of `journal`: first how long the entries of
/// the present are (`UInt32`), then those, then those of the past, both in the order of application.
enum Journal {
    /// `nil` where there is nothing of the kind.
    static func encode(_ changes: StateChanges, _ numbers: Numbers) throws(StoreError) -> [UInt8]? {
        guard
            !(changes.values.isEmpty && changes.deletedValues.isEmpty && changes.wakeups.isEmpty
                && changes.activity.isEmpty && changes.transitions.isEmpty)
        else { return nil }
        let writer = PackWriter(
            capacity: 64 + 32 * (changes.values.count + changes.transitions.count + changes.wakeups.count)
                + 80 * changes.activity.count)
        writer.put(UInt32(0))
        for row in changes.values { writer.put(row, computation: try numbers.computation(row.computationID)) }
        for key in changes.deletedValues {
            writer.put(nothingAt: Slot.value(try numbers.computation(key.computationID)), key.ordinal)
        }
        for row in changes.wakeups { writer.put(row, computation: try numbers.computation(row.computationID)) }
        for row in changes.activity { writer.put(row) }
        writer.patch(UInt32(writer.count - 4), at: 0)
        for row in changes.transitions { writer.put(row, computation: try numbers.computation(row.computationID)) }
        return writer.bytes
    }

    /// Where the entries of a kind stand in a row.
    static func range(of kind: EntryKind, in row: UnsafeRawBufferPointer) throws(StoreError) -> Range<Int> {
        var reader = PackReader(row, 0..<row.count)
        let present = Int(try reader.number(UInt32.self))
        _ = try reader.take(present)
        return kind == .present ? 4..<4 + present : 4 + present..<row.count
    }

    /// The row without the entries of some profiles; `nil` if it has none of theirs.
    static func row(_ row: [UInt8], without ordinals: Set<UInt32>) throws -> [UInt8]? {
        try row.withUnsafeBytes { bytes in
            let writer = PackWriter(capacity: bytes.count)
            writer.put(UInt32(0))
            var wasFound = false
            for kind in EntryKind.allCases {
                var walk = EntryWalk(bytes, kind, try range(of: kind, in: bytes))
                while let entry = try walk.next() {
                    if ordinals.contains(entry.ordinal) {
                        wasFound = true
                    } else {
                        writer.put(UnsafeRawBufferPointer(rebasing: bytes[entry.whole]))
                    }
                }
                if kind == .present { writer.patch(UInt32(writer.count - 4), at: 0) }
            }
            return wasFound ? writer.bytes : nil
        }
    }
}

/// The rows of the journal that are in no run yet, in memory: a copy of what the file holds, for whoever asks for one
/// profile. Nothing is looked into before somebody asks.
struct JournalTail: Sendable {
    struct Row: Sendable {
        let number: Int64
        var bytes: [UInt8]
    }

    private(set) var rows: [Row] = []
    private(set) var byteCount = 0
    /// The number of the next row.
    private(set) var next: Int64

    /// Rows up to here are in the index.
    private var indexed = 0
    private var lastActivity: [UInt32: Place] = [:]
    private var lastTransition: [UInt32: Int32] = [:]
    private var transitions: [Link] = []

    private struct Place: Sendable {
        let row: Int32
        let offset: Int32
    }

    /// A transition, and the place of the one before it of the same profile; -1 if it is the first.
    private struct Link: Sendable {
        let place: Place
        let previous: Int32
    }

    init(rows: [Row], next: Int64) {
        self.rows = rows
        self.next = next
        byteCount = rows.reduce(0) { $0 + $1.bytes.count }
    }

    mutating func append(_ bytes: [UInt8]) {
        rows.append(Row(number: next, bytes: bytes))
        byteCount += bytes.count
        next += 1
    }

    /// Rows up to a number are in runs now.
    mutating func drop(upTo number: Int64) {
        let count = rows.prefix { $0.number <= number }.count
        byteCount -= rows[..<count].reduce(0) { $0 + $1.bytes.count }
        rows.removeFirst(count)
        forgetIndex()
    }

    /// The same rows after the removal of people.
    mutating func replace(_ replaced: [Int64: [UInt8]]) {
        for index in rows.indices { if let bytes = replaced[rows[index].number] { rows[index].bytes = bytes } }
        byteCount = rows.reduce(0) { $0 + $1.bytes.count }
        forgetIndex()
    }

    private mutating func forgetIndex() {
        indexed = 0
        lastActivity = [:]
        lastTransition = [:]
        transitions = []
    }

    private mutating func index() throws {
        while indexed < rows.count {
            let row = Int32(indexed)
            try rows[indexed].bytes.withUnsafeBytes { bytes in
                var present = EntryWalk(bytes, .present, try Journal.range(of: .present, in: bytes))
                while let entry = try present.next() {
                    guard entry.minor == UInt64(Slot.activity) else { continue }
                    lastActivity[entry.ordinal] = Place(row: row, offset: Int32(entry.whole.lowerBound))
                }
                var past = EntryWalk(bytes, .past, try Journal.range(of: .past, in: bytes))
                while let entry = try past.next() {
                    let place = Place(row: row, offset: Int32(entry.whole.lowerBound))
                    transitions.append(Link(place: place, previous: lastTransition[entry.ordinal] ?? -1))
                    lastTransition[entry.ordinal] = Int32(transitions.count - 1)
                }
            }
            indexed += 1
        }
    }

    /// Calls the body with every transition of a profile, newest first, and the number of its row, until it returns false.
    mutating func forEachTransition(
        of ordinal: UInt32, _ body: (Int64, PackedEntry, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        try index()
        var next = lastTransition[ordinal] ?? -1
        while next >= 0 {
            let link = transitions[Int(next)]
            next = link.previous
            guard try look(.past, link.place, body) else { return }
        }
    }

    /// Likewise with its last activity, if it has any.
    mutating func withActivity(
        of ordinal: UInt32, _ body: (Int64, PackedEntry, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try index()
        guard let place = lastActivity[ordinal] else { return }
        _ = try look(.present, place) {
            try body($0, $1, $2)
            return true
        }
    }

    private func look(
        _ kind: EntryKind, _ place: Place, _ body: (Int64, PackedEntry, UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Bool {
        let row = rows[Int(place.row)]
        return try row.bytes.withUnsafeBytes { bytes in
            var walk = EntryWalk(bytes, kind, Int(place.offset)..<bytes.count)
            guard let entry = try walk.next() else { return false }
            return try body(row.number, entry, bytes)
        }
    }
}

/// Sorted entries of about 64 KiB: a row of `chunks`.
struct EntryChunk {
    let first: UInt32
    let last: UInt32
    let bytes: [UInt8]
}

/// Collects sorted entries into chunks.
final class ChunkCollector {
    private let writer = PackWriter(capacity: 80 << 10)
    private var first: UInt32 = 0
    private var last: UInt32 = 0
    private(set) var chunks: [EntryChunk] = []
    private(set) var byteCount = 0

    private static let bytesMax = 64 << 10

    func append(_ entry: PackedEntry, _ bytes: UnsafeRawBufferPointer) {
        if writer.count == 0 { first = entry.ordinal }
        last = entry.ordinal
        writer.put(UnsafeRawBufferPointer(rebasing: bytes[entry.whole]))
        if writer.count >= Self.bytesMax { close() }
    }

    func close() {
        guard writer.count > 0 else { return }
        chunks.append(EntryChunk(first: first, last: last, bytes: writer.bytes))
        byteCount += writer.count
        writer.removeAll()
    }

    /// Takes out the chunks that are complete.
    func take() -> [EntryChunk] {
        defer { chunks = [] }
        return chunks
    }
}

extension Journal {
    /// The entries of a kind in some rows, sorted, of each (ordinal, slot) only the newest.
    static func sorted(_ rows: [JournalTail.Row], _ kind: EntryKind) throws -> [EntryChunk] {
        // The place of each entry, row and offset, under its ordinal.
        var ordinals: [UInt32] = []
        var places: [(row: Int32, offset: Int32)] = []
        for (number, row) in rows.enumerated() {
            try row.bytes.withUnsafeBytes { bytes in
                var walk = EntryWalk(bytes, kind, try range(of: kind, in: bytes))
                while let entry = try walk.next() {
                    ordinals.append(entry.ordinal)
                    places.append((Int32(number), Int32(entry.whole.lowerBound)))
                }
            }
        }
        let order = stableOrder(of: ordinals)
        let collector = ChunkCollector()
        var from = 0
        var slots: [(minor: UInt64, place: Int)] = []
        while from < order.count {
            let ordinal = ordinals[Int(order[from])]
            var to = from
            slots.removeAll(keepingCapacity: true)
            while to < order.count, ordinals[Int(order[to])] == ordinal {
                let place = places[Int(order[to])]
                try rows[Int(place.row)].bytes.withUnsafeBytes { bytes in
                    var walk = EntryWalk(bytes, kind, Int(place.offset)..<bytes.count)
                    guard let entry = try walk.next() else { return }
                    if kind == .present, let index = slots.firstIndex(where: { $0.minor == entry.minor }) {
                        slots[index].place = Int(order[to])
                    } else {
                        slots.append((entry.minor, Int(order[to])))
                    }
                }
                to += 1
            }
            // Transitions are numbered as they are applied, so they are in order already.
            slots.sort { $0.minor < $1.minor }
            for slot in slots {
                let place = places[slot.place]
                try rows[Int(place.row)].bytes.withUnsafeBytes { bytes in
                    var walk = EntryWalk(bytes, kind, Int(place.offset)..<bytes.count)
                    if let entry = try walk.next() { collector.append(entry, bytes) }
                }
            }
            from = to
        }
        collector.close()
        return collector.take()
    }

    /// The order that sorts numbers and leaves equal ones as they are: by digits of eleven bits, which is several times
    /// faster here than comparing.
    private static func stableOrder(of numbers: [UInt32]) -> [UInt32] {
        var order = Array(UInt32(0)..<UInt32(numbers.count))
        var sorted = order
        for shift in [0, 11, 22] as [UInt32] {
            var starts = [Int](repeating: 0, count: 2049)
            for number in numbers { starts[Int(number >> shift & 2047) + 1] += 1 }
            if starts.contains(numbers.count) { continue }
            for digit in 1..<2049 { starts[digit] += starts[digit - 1] }
            for index in order {
                let digit = Int(numbers[Int(index)] >> shift & 2047)
                sorted[starts[digit]] = index
                starts[digit] += 1
            }
            swap(&order, &sorted)
        }
        return order
    }
}

/// Sorted entries that come chunk by chunk.
final class EntrySource {
    private var bytes: [UInt8] = []
    private var place = 0
    private let kind: EntryKind
    private let refill: () throws -> [UInt8]?
    private(set) var current: PackedEntry?

    /// `refill` gives the bytes of the next chunk.
    init(_ kind: EntryKind, refill: @escaping () throws -> [UInt8]?) throws {
        self.kind = kind
        self.refill = refill
        try advance()
    }

    convenience init(_ kind: EntryKind, chunks: [EntryChunk]) throws {
        var rest = chunks[...]
        try self.init(kind) { rest.popFirst()?.bytes }
    }

    func advance() throws {
        while place >= bytes.count {
            guard let next = try refill() else {
                current = nil
                return
            }
            bytes = next
            place = 0
        }
        current = try bytes.withUnsafeBytes { bytes in
            var walk = EntryWalk(bytes, kind, place..<bytes.count)
            return try walk.next()
        }
        place = current?.whole.upperBound ?? bytes.count
    }

    func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try bytes.withUnsafeBytes(body)
    }
}

/// Walks several sorted sources as one.
struct EntryMerge {
    private let kind: EntryKind
    private let sources: [EntrySource]

    /// - Parameter sources: Oldest first. Of the present, the newest entry of an (ordinal, slot) counts.
    init(_ kind: EntryKind, _ sources: [EntrySource]) {
        self.kind = kind
        self.sources = sources
    }

    /// Calls the body with each entry that counts. Entries of the present without payload come too.
    func forEach(_ body: (PackedEntry, UnsafeRawBufferPointer) throws -> Void) throws {
        while true {
            var first: EntrySource?
            var least: PackedEntry?
            for source in sources {
                guard let entry = source.current else { continue }
                if let known = least {
                    if (entry.ordinal, entry.minor) > (known.ordinal, known.minor) { continue }
                    if (entry.ordinal, entry.minor) == (known.ordinal, known.minor) {
                        // Only the present has entries of one key: the later source counts.
                        try first?.advance()
                    }
                }
                first = source
                least = entry
            }
            guard let first, let least else { return }
            try first.withBytes { try body(least, $0) }
            try first.advance()
        }
    }
}

import JSON
import Model

// Rows that change with most events are kept as entries: strings of bytes that stand for themselves and are copied from
// the journal into runs and from run to run without being looked into.
//
//     length UInt16 (65,535: UInt32 follows) | ordinal UInt32 | slot UInt32 or transition's id UInt64 | payload

/// What entries are about.
enum EntryKind: Int64, CaseIterable {
    /// What is so now: values, wake-ups, activity. The newest entry of an (ordinal, slot) counts; without a payload it says
    /// that there is nothing any more.
    case present = 0
    /// What happened: transitions. All count.
    case past = 1
}

/// Which present fact about a profile an entry states.
enum Slot {
    static let activity: UInt32 = 0
    static func value(_ computation: Int64) -> UInt32 { UInt32(truncatingIfNeeded: computation) << 1 }
    static func wakeup(_ computation: Int64) -> UInt32 { UInt32(truncatingIfNeeded: computation) << 1 | 1 }
    /// The computation that a slot belongs to; `nil` for activity.
    static func computation(_ slot: UInt32) -> Int64? { slot < 2 ? nil : Int64(slot >> 1) }
    static func isWakeup(_ slot: UInt32) -> Bool { slot & 1 == 1 }
}

/// Where an entry stands in some bytes, and its order among others of its kind.
struct PackedEntry {
    let ordinal: UInt32
    /// The slot, or the transition's id.
    let minor: UInt64
    let whole: Range<Int>
    let payload: Range<Int>
}

/// Walks entries.
struct EntryWalk {
    let bytes: UnsafeRawBufferPointer
    let kind: EntryKind
    private(set) var place: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer, _ kind: EntryKind, _ range: Range<Int>? = nil) {
        self.bytes = bytes
        self.kind = kind
        place = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    mutating func next() throws(StoreError) -> PackedEntry? {
        guard place < end else { return nil }
        let start = place
        var reader = PackReader(bytes, place..<end)
        var length = Int(try reader.number(UInt16.self))
        if length == 0xFFFF { length = Int(try reader.number(UInt32.self)) }
        let body = reader.place
        _ = try reader.take(length)
        var head = PackReader(bytes, body..<body + length)
        let ordinal = try head.number(UInt32.self)
        let minor = kind == .present ? UInt64(try head.number(UInt32.self)) : try head.number(UInt64.self)
        place = body + length
        return PackedEntry(ordinal: ordinal, minor: minor, whole: start..<place, payload: head.place..<place)
    }
}

// MARK: - Writing

extension PackWriter {
    private func open(_ ordinal: ProfileOrdinal, _ slot: UInt32) -> Int {
        let place = count
        put(UInt16(0))
        put(ordinal.rawValue)
        put(slot)
        return place
    }

    /// No such value or wake-up any more.
    func put(nothingAt slot: UInt32, _ ordinal: ProfileOrdinal) { closeEntry(openedAt: open(ordinal, slot)) }

    func put(_ row: ComputedValueRow, computation: Int64) {
        let place = open(row.ordinal, Slot.value(computation))
        put(zigzag: row.changedAt.milliseconds)
        put(varint: UInt64(bitPattern: row.transition))
        put(UInt8(row.emittedIDs == 0 ? 0 : 1))
        if row.emittedIDs != 0 { put(row.emittedIDs) }
        put(row.value)
        closeEntry(openedAt: place)
    }

    func put(_ row: WakeupRow, computation: Int64) {
        let place = open(row.ordinal, Slot.wakeup(computation))
        if let due = row.due { put(zigzag: due.milliseconds) }
        closeEntry(openedAt: place)
    }

    func put(_ row: ProfileActivity) {
        let place = open(row.ordinal, Slot.activity)
        put(zigzag: row.updatedAt.milliseconds)
        put(varint: UInt64(row.lastSourceID.utf8.count))
        put(text: row.lastSourceID)
        put(text: row.lastMessageID)
        closeEntry(openedAt: place)
    }

    func put(_ row: TransitionRow, computation: Int64) {
        let place = count
        put(UInt16(0))
        put(row.ordinal.rawValue)
        put(UInt64(bitPattern: row.id))
        put(varint: UInt64(computation))
        put(zigzag: row.at.milliseconds)
        put(zigzag: row.offset)
        // Words that are not in the table stand for themselves.
        if let number = causes.firstIndex(of: row.cause) {
            put(UInt8(number + 1))
        } else {
            put(UInt8(0))
            put(varint: UInt64(row.cause.utf8.count))
            put(text: row.cause)
        }
        put(row.value)
        closeEntry(openedAt: place)
    }

    private func put(_ value: JSONValue) {
        switch value {
        case .null: put(UInt8(0))
        case .bool(let bool): put(UInt8(bool ? 2 : 1))
        case .number(let number) where number.exactText == nil && number.double.isFinite:
            if let integer = Int64(exactly: number.double), integer.magnitude <= 1 << 53 {
                put(UInt8(3))
                put(zigzag: integer)
            } else {
                put(UInt8(5))
                put(number.double.bitPattern)
            }
        default:
            put(UInt8(4))
            value.utf8.withUnsafeBytes { put($0) }
        }
    }
}

/// Never reordered: places in it are stored.
private let causes = ["call", "time", "backfill", "merge"]

// MARK: - Reading

extension PackedEntry {
    func value(in bytes: UnsafeRawBufferPointer, computationID: String) throws -> ComputedValueRow {
        var reader = PackReader(bytes, payload)
        let changedAt = Instant(milliseconds: try reader.zigzag())
        let transition = Int64(bitPattern: try reader.varint())
        let emittedIDs = try reader.number(UInt8.self) == 0 ? 0 : try reader.number(UInt64.self)
        return ComputedValueRow(
            computationID: computationID, ordinal: ProfileOrdinal(ordinal), value: try reader.value(),
            changedAt: changedAt, transition: transition, emittedIDs: emittedIDs)
    }

    func due(in bytes: UnsafeRawBufferPointer) throws -> Instant {
        var reader = PackReader(bytes, payload)
        return Instant(milliseconds: try reader.zigzag())
    }

    func activity(in bytes: UnsafeRawBufferPointer) throws -> ProfileActivity {
        var reader = PackReader(bytes, payload)
        let updatedAt = Instant(milliseconds: try reader.zigzag())
        let source = String(decoding: try reader.take(Int(clamping: try reader.varint())), as: UTF8.self)
        return ProfileActivity(
            ordinal: ProfileOrdinal(ordinal), updatedAt: updatedAt,
            lastMessageID: String(decoding: reader.rest(), as: UTF8.self), lastSourceID: source)
    }

    /// The number of the transition's computation.
    func computation(in bytes: UnsafeRawBufferPointer) throws -> Int64 {
        var reader = PackReader(bytes, payload)
        return Int64(bitPattern: try reader.varint())
    }

    func transition(in bytes: UnsafeRawBufferPointer, computationID: String) throws -> TransitionRow {
        var reader = PackReader(bytes, payload)
        _ = try reader.varint()
        let at = Instant(milliseconds: try reader.zigzag())
        let offset = try reader.zigzag()
        let number = Int(try reader.number(UInt8.self))
        let cause =
            if number > 0, number <= causes.count {
                causes[number - 1]
            } else {
                String(decoding: try reader.take(Int(clamping: try reader.varint())), as: UTF8.self)
            }
        return TransitionRow(
            id: Int64(bitPattern: minor), computationID: computationID, ordinal: ProfileOrdinal(ordinal),
            value: try reader.value(), at: at, offset: offset, cause: cause)
    }
}

extension PackReader {
    fileprivate mutating func value() throws -> JSONValue {
        switch try number(UInt8.self) {
        case 0: return .null
        case 1: return .bool(false)
        case 2: return .bool(true)
        case 3: return .number(Int(try zigzag()))
        case 5: return .number(Double(bitPattern: try number(UInt64.self)))
        default:
            do {
                return try JSONValue(parsing: rest())
            } catch {
                throw StoreError.corrupt("a JSON value can't be read back: \(error)")
            }
        }
    }
}

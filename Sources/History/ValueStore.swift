public import JSON

/// What the cells of one History point to.
public final class ValueStore {
    @usableFromInline var values = Values()
    private(set) var messageIDs = MessageIDs()
    /// Codes that others keep.
    private(set) var pinned: Set<UInt32> = []
    private var lastMessage: (id: String, offset: Int64, reference: UInt64)?

    init() {}

    /// The code of a text, given now if no value has it yet: literals can be resolved before their values come.
    /// Whoever asks may keep the code, so the text stays as long as this store lives.
    public func intern(_ text: String) -> UInt32 {
        let code = values.strings.intern(text)
        pinned.insert(code)
        return code
    }

    /// The text of a code.
    public func text(_ code: UInt32) -> String { values.strings.string(code) }

    /// Hands over the UTF-8 of a code's text.
    @inlinable
    public func withText<Result>(_ code: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        values.strings.withBytes(code, body)
    }

    /// The double nearest to a number; of other kinds `nil`.
    public func double(_ cell: Cell) -> Double? {
        switch cell.kind {
        case .number: cell.number
        case .exactNumber: exactNumber(cell.code).double
        default: nil
        }
    }

    /// The elements of a list: in their order those that are not null, then one null if any element is null or lacks
    /// the path.
    public func elements(of list: Cell) -> [Cell] { values.elements(of: list) }

    private func exactNumber(_ code: UInt32) -> JSONNumber { JSONNumber(literal: text(code)) ?? JSONNumber(0) }

    /// The value as it was sent; a list as an array. Objects that are in columns can be read by `Table.json` only.
    public func json(_ cell: Cell) -> JSONValue {
        switch cell.kind {
        case .missing, .null: .null
        case .boolean: .bool(cell.code == 1)
        case .number: .number(cell.number)
        case .exactNumber: .number(exactNumber(cell.code))
        case .string: .string(text(cell.code))
        case .object where cell.isInColumns: .object(JSONObject())
        case .array, .object: withText(cell.code) { (try? JSONValue(parsing: $0)) ?? .null }
        case .list: .array(elements(of: cell).map(json))
        }
    }

    /// Keeps a message id; the rows of one call share it.
    func reference(messageID: String, offset: Int64) -> UInt64 {
        if let lastMessage, lastMessage.offset == offset, lastMessage.id == messageID { return lastMessage.reference }
        let reference = messageIDs.append(messageID)
        lastMessage = (messageID, offset, reference)
        return reference
    }

    /// Keeps an id that others kept.
    func take(_ reference: UInt64, from ids: MessageIDs) -> UInt64 {
        ids.withStored(reference) { messageIDs.append($0.string) }
    }

    /// The ids so far go with the rows that refer to them.
    func dropMessageIDs() {
        messageIDs = MessageIDs()
        lastMessage = nil
    }
}

/// The same as a value, so that a whole call can be written under one access.
///
/// All that cells point to are texts of one pool: strings, compact JSON, the literals of exact numbers, and lists as the
/// bytes of their elements' cells. So only the pool must be kept for cells to mean the same tomorrow.
@usableFromInline
struct Values {
    @usableFromInline let strings = StringPool()
    /// Where the text of an array or object is put together.
    private var scratch: [UInt8] = []
    /// The elements of the list that was made last.
    private(set) var lastList: [Cell] = []

    /// - Parameter last: a text that the value may well be again.
    mutating func cell(_ value: JSONGlance, last: UInt32? = nil) -> Cell {
        switch value.kind {
        case .null: return .null
        case .bool: return Cell(.boolean, code: value.bool == true ? 1 : 0)
        case .number:
            guard let number = value.number else { return .null }
            guard number.exactText != nil || !number.double.isFinite else { return Cell(number: number.double) }
            return Cell(.exactNumber, code: strings.intern(number.text))
        case .string:
            let code = value.withText { text in
                if let last, strings.isText(last, text) { last } else { strings.intern(text) }
            }
            return Cell(.string, code: code ?? 0)
        case .array: return Cell(.array, code: composite(value))
        case .object: return Cell(.object, code: composite(value))
        }
    }

    private mutating func composite(_ value: JSONGlance) -> UInt32 {
        scratch.removeAll(keepingCapacity: true)
        CompactText.append(value, to: &scratch)
        return scratch.withUnsafeBufferPointer { strings.intern($0) }
    }

    mutating func list(_ values: [JSONGlance], hasNull: Bool) -> Cell {
        lastList.removeAll(keepingCapacity: true)
        for value in values {
            let cell = cell(value)
            lastList.append(cell)
        }
        if hasNull { lastList.append(.null) }
        let code = lastList.withUnsafeBytes { strings.intern($0.bindMemory(to: UInt8.self)) }
        return Cell(.list, code: code)
    }

    func elements(of list: Cell) -> [Cell] {
        strings.withBytes(list.code) { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            return [Cell](unsafeUninitializedCapacity: bytes.count / 8) { cells, count in
                count = bytes.count / 8
                for index in 0..<count {
                    let bits = bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
                    cells.initializeElement(at: index, to: Cell(bits: bits))
                }
            }
        }
    }
}

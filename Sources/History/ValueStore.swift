public import JSON

/// What the cells of one History point to.
public final class ValueStore {
    @usableFromInline var values = Values()
    private(set) var messageIDs = MessageIDs()
    private var lastMessage: (id: String, offset: Int64, reference: UInt64)?

    init() {}

    /// The code of a text, given now if no value has it yet: literals can be resolved before their values come.
    public func intern(_ text: String) -> UInt32 { values.strings.intern(text) }

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
        case .exactNumber: values.exactNumbers[Int(cell.code)].double
        default: nil
        }
    }

    /// The elements of a list: in their order those that are not null, then one null if any element is null or lacks
    /// the path.
    public func elements(of list: Cell) -> ArraySlice<Cell> { values.elements(of: list) }

    /// The value as it was sent; a list as an array. Objects that are in columns can be read by `Table.json` only.
    public func json(_ cell: Cell) -> JSONValue {
        switch cell.kind {
        case .missing, .null: .null
        case .boolean: .bool(cell.code == 1)
        case .number: .number(cell.number)
        case .exactNumber: .number(values.exactNumbers[Int(cell.code)])
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
}

/// The same as a value, so that a whole call can be written under one access.
@usableFromInline
struct Values {
    @usableFromInline var strings = StringPool()
    private(set) var exactNumbers: [JSONNumber] = []
    private var listStarts: [Int] = [0]
    private var elements: [Cell] = []
    /// Where the text of an array or object is put together.
    private var scratch: [UInt8] = []

    /// - Parameter last: a text that the value may well be again.
    mutating func cell(_ value: JSONView, last: UInt32? = nil) -> Cell {
        switch value.kind {
        case .null: return .null
        case .bool: return Cell(.boolean, code: value.bool == true ? 1 : 0)
        case .number:
            guard let number = value.number else { return .null }
            guard number.exactText != nil || !number.double.isFinite else { return Cell(number: number.double) }
            exactNumbers.append(number)
            return Cell(.exactNumber, code: UInt32(exactNumbers.count - 1))
        case .string:
            let code = value.withText { text in
                if let last, strings.isText(last, text) { last } else { strings.intern(text) }
            }
            return Cell(.string, code: code ?? 0)
        case .array: return Cell(.array, code: composite(value))
        case .object: return Cell(.object, code: composite(value))
        }
    }

    private mutating func composite(_ value: JSONView) -> UInt32 {
        scratch.removeAll(keepingCapacity: true)
        CompactText.append(value, to: &scratch)
        return scratch.withUnsafeBufferPointer { strings.intern($0) }
    }

    mutating func list(_ values: [JSONView], hasNull: Bool) -> Cell {
        for value in values {
            let cell = cell(value)
            elements.append(cell)
        }
        if hasNull { elements.append(.null) }
        listStarts.append(elements.count)
        return Cell(.list, code: UInt32(listStarts.count - 2))
    }

    func elements(of list: Cell) -> ArraySlice<Cell> {
        elements[listStarts[Int(list.code)]..<listStarts[Int(list.code) + 1]]
    }
}

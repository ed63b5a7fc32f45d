public import JSON

/// One value of a column in eight bytes: a double as itself, everything else in the space of negative quiet NaNs, which
/// no JSON number occupies. Codes point into the `ValueStore` of the same History.
public struct Cell: Sendable, Hashable {
    public enum Kind: UInt8, Sendable {
        /// Nothing at this path.
        case missing
        case null
        case boolean
        case number
        /// A number that a double does not hold exactly; its text is kept beside it.
        case exactNumber
        case string
        /// The whole array as compact JSON.
        case array
        /// The whole object as compact JSON.
        case object
        /// What a path with `$` leads to: the values of the elements.
        case list
    }

    @usableFromInline let bits: UInt64

    @usableFromInline static let boxed: UInt64 = 0xFFF8 << 48

    @inlinable
    init(_ kind: Kind, code: UInt32 = 0) {
        bits = Cell.boxed | UInt64(kind.rawValue) << 32 | UInt64(code)
    }

    @inlinable
    init(number: Double) {
        // One zero: what differs in its sign alone is the same value.
        bits = number == 0 ? 0 : number.bitPattern
    }

    public static let missing = Cell(.missing)
    public static let null = Cell(.null)

    @inlinable
    public var kind: Kind {
        guard bits >= Cell.boxed else { return .number }
        return Kind(rawValue: UInt8(truncatingIfNeeded: bits >> 32)) ?? .missing
    }

    /// The code of a string, array or object; 0 or 1 of a boolean; an index of exact numbers and lists.
    @inlinable
    public var code: UInt32 { UInt32(truncatingIfNeeded: bits) }

    /// The value of a cell of kind `number`.
    @inlinable
    public var number: Double { Double(bitPattern: bits) }

    @inlinable
    public var isNull: Bool { bits == Cell.null.bits || bits == Cell.missing.bits }
}

/// The values that cells point to.
public final class ValueStore {
    public private(set) var strings = StringPool()
    private var exactNumbers: [JSONNumber] = []
    private var listStarts: [Int] = [0]
    private var elements: [Cell] = []
    private(set) var messageIDs = MessageIDs()
    /// Where the text of an array or object is put together.
    private var scratch: [UInt8] = []
    private var lastMessage: (id: String, offset: Int64, reference: UInt64)?

    init() {}

    // MARK: Writing

    /// The code of a text, given now if no value has it yet: literals can be resolved before their values come.
    public func intern(_ text: String) -> UInt32 { strings.intern(text) }
    func intern(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 { strings.intern(text) }

    /// Keeps a message id; the rows of one call share it.
    func reference(messageID: String, offset: Int64) -> UInt64 {
        if let lastMessage, lastMessage.offset == offset, lastMessage.id == messageID { return lastMessage.reference }
        let reference = messageIDs.append(messageID)
        lastMessage = (messageID, offset, reference)
        return reference
    }

    func cell(_ value: JSONView) -> Cell {
        switch value.kind {
        case .null: return .null
        case .bool: return Cell(.boolean, code: value.bool == true ? 1 : 0)
        case .number:
            guard let number = value.number else { return .null }
            guard number.exactText != nil || !number.double.isFinite else { return Cell(number: number.double) }
            exactNumbers.append(number)
            return Cell(.exactNumber, code: UInt32(exactNumbers.count - 1))
        case .string: return Cell(.string, code: value.withText { strings.intern($0) } ?? 0)
        case .array: return Cell(.array, code: composite(value))
        case .object: return Cell(.object, code: composite(value))
        }
    }

    private func composite(_ value: JSONView) -> UInt32 {
        scratch.removeAll(keepingCapacity: true)
        CompactText.append(value, to: &scratch)
        return scratch.withUnsafeBufferPointer { strings.intern($0) }
    }

    func list(_ values: [JSONView], hasNull: Bool) -> Cell {
        for value in values { elements.append(cell(value)) }
        if hasNull { elements.append(.null) }
        listStarts.append(elements.count)
        return Cell(.list, code: UInt32(listStarts.count - 2))
    }

    // MARK: Reading

    /// The double nearest to a number; of other kinds `nil`.
    public func double(_ cell: Cell) -> Double? {
        switch cell.kind {
        case .number: cell.number
        case .exactNumber: exactNumbers[Int(cell.code)].double
        default: nil
        }
    }

    /// The elements of a list: in their order those that are not null, then one null if any element is null or lacks
    /// the path.
    public func elements(of list: Cell) -> ArraySlice<Cell> {
        elements[listStarts[Int(list.code)]..<listStarts[Int(list.code) + 1]]
    }

    /// The value as it was sent; a list as an array.
    public func json(_ cell: Cell) -> JSONValue {
        switch cell.kind {
        case .missing, .null: .null
        case .boolean: .bool(cell.code == 1)
        case .number: .number(cell.number)
        case .exactNumber: .number(exactNumbers[Int(cell.code)])
        case .string: .string(strings.string(cell.code))
        case .array, .object: strings.withBytes(cell.code) { (try? JSONValue(parsing: $0)) ?? .null }
        case .list: .array(elements(of: cell).map(json))
        }
    }
}

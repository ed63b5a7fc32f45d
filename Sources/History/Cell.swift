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
        /// The whole object as compact JSON, or, with the code `inColumns`, what the columns below hold.
        case object
        /// What a path with `$` leads to: the values of the elements.
        case list
    }

    @usableFromInline let bits: UInt64

    @inlinable
    init(bits: UInt64) { self.bits = bits }

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

    /// The code of objects that are not kept as a text of their own.
    static let inColumns = UInt32.max

    /// Whether only `Table.json` can tell what this object is.
    public var isInColumns: Bool { bits == Cell(.object, code: Cell.inColumns).bits }

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

// Cells as scans see them: eight bytes, compared without being taken apart.

extension Cell {
    @inlinable
    package var rawBits: UInt64 { bits }

    @inlinable
    package init(rawBits: UInt64) { bits = rawBits }

    @inlinable
    package static func boolean(_ value: Bool) -> Cell { Cell(.boolean, code: value ? 1 : 0) }
    @inlinable
    package static func number(_ value: Double) -> Cell { Cell(number: value) }
    @inlinable
    package static func string(code: UInt32) -> Cell { Cell(.string, code: code) }
}

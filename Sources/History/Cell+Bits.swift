// Cells as scans see them: eight bytes, compared without being taken apart.

extension Cell {
    package var rawBits: UInt64 { bits }

    package init(rawBits: UInt64) { bits = rawBits }

    package static func boolean(_ value: Bool) -> Cell { Cell(.boolean, code: value ? 1 : 0) }
    package static func number(_ value: Double) -> Cell { Cell(number: value) }
    package static func string(code: UInt32) -> Cell { Cell(.string, code: code) }
}

import History

/// The bits of cells as kernels look at them, without calls into another module. A test compares them with `Cell`.
enum Bits {
    static var boxed: UInt64 { 0xFFF8_0000_0000_0000 }
    static var missing: UInt64 { 0xFFF8_0000_0000_0000 }
    static var null: UInt64 { 0xFFF8_0001_0000_0000 }
    /// No cell: the evaluator must look.
    static var doubtful: UInt64 { .max }

    @inline(__always)
    static func isNumber(_ bits: UInt64) -> Bool { bits < boxed }

    /// Whether there is nothing.
    @inline(__always)
    static func isNull(_ bits: UInt64) -> Bool { bits & ~(1 << 32) == missing }

    /// The kind of what is no number, as `Cell.Kind` numbers them.
    @inline(__always)
    static func kind(_ bits: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: bits >> 32) }

    @inline(__always)
    static func isString(_ bits: UInt64) -> Bool { bits >> 32 == string >> 32 }

    static var string: UInt64 { 0xFFF8_0005_0000_0000 }

    @inline(__always)
    static func number(_ value: Double) -> UInt64 { value == 0 ? 0 : value.bitPattern }

    @inline(__always)
    static func number(_ value: Int) -> UInt64 { Double(value).bitPattern }
}

import Evaluation
import History

/// A cell test fitted to the kinds of cells that a column has: the common ones compare eight bytes.
enum FieldKernel {
    case never
    case always
    /// The bits of a string or of a boolean.
    case same(UInt64)
    /// Anything that is there but this.
    case other(UInt64)
    case present
    case absent
    case ordering(Ordering, Double)
    case general(CellTest)

    init(_ test: CellTest, _ kinds: CellKinds) {
        let hasBooleans = kinds.contains(.booleans)
        let hasNumbers = kinds.contains(.numbers)
        let hasStrings = kinds.contains(.strings)
        let hasOthers = !kinds.isDisjoint(with: .others)
        self = .general(test)
        if kinds.isSubset(of: .nulls) {
            self = test.null ? .always : .never
        } else if hasOthers {
            return
        } else if !hasNumbers || test.numbers == .always, !hasStrings || test.strings == .always,
            !hasBooleans || (test.isTrue && test.isFalse)
        {
            self = test.null ? .always : .present
        } else if !hasNumbers || test.numbers == .never, !hasStrings || test.strings == .never,
            !hasBooleans || !(test.isTrue || test.isFalse)
        {
            self = test.null ? .absent : .never
        } else if test.null {
            return
        } else if !hasStrings, !hasBooleans || !(test.isTrue || test.isFalse),
            case .ordering(let ordering, let number) = test.numbers
        {
            self = .ordering(ordering, number)
        } else if hasStrings, !hasNumbers, !hasBooleans {
            switch test.strings {
            case .among(let codes) where codes.count == 1: self = .same(Cell.string(code: codes[0]).rawBits)
            case .notAmong(let codes) where codes.count == 1: self = .other(Cell.string(code: codes[0]).rawBits)
            default: return
            }
        } else if hasBooleans, !hasNumbers, !hasStrings, test.isTrue != test.isFalse {
            self = .same(Cell.boolean(test.isTrue).rawBits)
        }
    }

    /// Of 64 rows at most those that pass, and those of which the evaluator must tell.
    @inline(__always)
    func accepted(
        _ cells: UnsafePointer<UInt64>, _ count: Int, among possible: UInt64
    ) -> (passing: UInt64, doubtful: UInt64) {
        switch self {
        case .never: return (0, 0)
        case .always: return (possible, 0)
        case .same(let bits): return (FieldKernel.gather(count) { cells[$0] == bits } & possible, 0)
        case .other(let bits):
            return (FieldKernel.gather(count) { cells[$0] != bits && !FieldKernel.isNull(cells[$0]) } & possible, 0)
        case .present: return (FieldKernel.gather(count) { !FieldKernel.isNull(cells[$0]) } & possible, 0)
        case .absent: return (FieldKernel.gather(count) { FieldKernel.isNull(cells[$0]) } & possible, 0)
        case .ordering(let ordering, let number):
            // What is no number is a NaN here, of which every ordering is false.
            func value(_ index: Int) -> Double { Double(bitPattern: cells[index]) }
            let passing =
                switch ordering {
                case .less: FieldKernel.gather(count) { value($0) < number }
                case .lessOrSame: FieldKernel.gather(count) { value($0) <= number }
                case .greater: FieldKernel.gather(count) { value($0) > number }
                case .greaterOrSame: FieldKernel.gather(count) { value($0) >= number }
                }
            return (passing & possible, 0)
        case .general(let test):
            var passing: UInt64 = 0
            var doubtful: UInt64 = 0
            var rest = possible
            while rest != 0 {
                let bit = rest.trailingZeroBitCount
                rest &= rest - 1
                switch test.accepts(Cell(rawBits: cells[bit])) {
                case true?: passing |= 1 << UInt64(bit)
                case nil: doubtful |= 1 << UInt64(bit)
                case false?: break
                }
            }
            return (passing, doubtful)
        }
    }

    @inline(__always)
    static func isNull(_ bits: UInt64) -> Bool { bits == Cell.null.rawBits || bits == Cell.missing.rawBits }

    /// One bit per row.
    @inline(__always)
    static func gather(_ count: Int, _ test: (Int) -> Bool) -> UInt64 {
        var bits: UInt64 = 0
        if count == 64 {
            for index in 0..<64 { bits |= (test(index) ? 1 : 0) &<< UInt64(index) }
        } else {
            for index in 0..<count { bits |= (test(index) ? 1 : 0) &<< UInt64(index) }
        }
        return bits
    }
}

import Evaluation
import History

/// A test of one column of one run, fitted to the form and the kinds of its cells: the common ones compare a few bytes.
struct FieldKernel {
    private enum Comparison {
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
    }

    private enum Operation {
        case constant(passes: Bool, isDoubtful: Bool)
        /// Every code but one.
        case notCode8(UnsafePointer<UInt8>, UInt8)
        /// By code: 1 passes, 2 doubtful.
        case verdicts8(UnsafePointer<UInt8>, [UInt8])
        case verdicts16(UnsafePointer<UInt16>, [UInt8])
        /// Codes that follow each other, from the first on: dictionaries are sorted, so orderings pass such.
        case codes8(UnsafePointer<UInt8>, first: UInt8, more: UInt8)
        case codes16(UnsafePointer<UInt16>, first: UInt16, more: UInt16)
        case integers(UnsafePointer<Int32>, Ordering, Double)
        case code32(UnsafePointer<UInt32>, UInt32)
        case cells(UnsafePointer<UInt64>, Comparison)
        /// Cells that are to be put together first.
        case decoded(Comparison)
    }

    private let operation: Operation

    /// Whether `accepted` needs the cells of the rows in memory.
    var needsCells: Bool { if case .decoded = operation { true } else { false } }

    init(_ test: CellTest, _ column: ScanColumn) {
        func constant(_ verdict: UInt8) -> Operation { .constant(passes: verdict == 1, isDoubtful: verdict == 2) }
        let comparison = FieldKernel.comparison(test, column.kinds)
        switch (column.form, comparison) {
        case (.constant(let bits), _): operation = constant(FieldKernel.verdict(test, bits))
        case (_, .never): operation = constant(0)
        case (_, .always): operation = constant(1)
        case (.codes8(let codes), _):
            let verdicts = FieldKernel.verdicts(comparison, column.dictionary)
            if let range = verdicts.passingRange {
                operation =
                    range.isEmpty
                    ? constant(0)
                    : .codes8(codes, first: UInt8(range.lowerBound), more: UInt8(range.count - 1))
            } else if let rest = verdicts.onlyFailing {
                operation = .notCode8(codes, UInt8(rest))
            } else {
                operation = .verdicts8(codes, verdicts.all)
            }
        case (.codes16(let codes), _):
            let verdicts = FieldKernel.verdicts(comparison, column.dictionary)
            if let range = verdicts.passingRange {
                operation =
                    range.isEmpty
                    ? constant(0)
                    : .codes16(codes, first: UInt16(range.lowerBound), more: UInt16(range.count - 1))
            } else {
                operation = .verdicts16(codes, verdicts.all)
            }
        case (.integers(let values), .ordering(let ordering, let number)):
            operation = .integers(values, ordering, number)
        case (.codes32(let codes, let kind), .same(let bits))
        where bits & ~0xFFFF_FFFF == kind && bits < kind + 0xFFFF_FFFD:
            operation = .code32(codes, UInt32(truncatingIfNeeded: bits) + 2)
        case (.cells(let cells), _): operation = .cells(cells, comparison)
        case (.integers, _), (.codes32, _), (.sparse, _): operation = .decoded(comparison)
        }
    }

    private static func verdict(_ test: CellTest, _ bits: UInt64) -> UInt8 {
        switch test.accepts(Cell(rawBits: bits)) {
        case true?: 1
        case false?: 0
        case nil: 2
        }
    }

    /// What is said of the cells of a dictionary, one bit per code.
    private struct Verdicts {
        var count: Int
        var passes: [UInt64]
        var doubts: [UInt64]
        var passing: Int { passes.reduce(0) { $0 + $1.nonzeroBitCount } }
        var isCertain: Bool { doubts.allSatisfy { $0 == 0 } }

        /// Those that pass, if they follow each other and nothing is doubtful.
        var passingRange: Range<Int>? {
            guard isCertain else { return nil }
            guard let first = passes.firstIndex(where: { $0 != 0 }), let last = passes.lastIndex(where: { $0 != 0 })
            else { return 0..<0 }
            let range =
                first << 6 + passes[first].trailingZeroBitCount..<(last << 6 + 64 - passes[last].leadingZeroBitCount)
            return range.count == passing ? range : nil
        }

        /// The one that does not pass, if there is one and nothing is doubtful.
        var onlyFailing: Int? {
            guard isCertain, passing == count - 1 else { return nil }
            return (0..<count).first { passes[$0 >> 6] >> UInt64($0 & 63) & 1 == 0 }
        }

        /// By code: 1 passes, 2 doubtful.
        var all: [UInt8] {
            (0..<count).map { code in
                let (word, bit) = (code >> 6, UInt64(code & 63))
                return UInt8(passes[word] >> bit & 1) | UInt8(doubts[word] >> bit & 1) << 1
            }
        }
    }

    private static func verdicts(_ comparison: Comparison, _ dictionary: UnsafeBufferPointer<UInt64>) -> Verdicts {
        let words = (dictionary.count + 63) >> 6
        var verdicts = Verdicts(count: dictionary.count, passes: [], doubts: [])
        verdicts.passes.reserveCapacity(words)
        verdicts.doubts.reserveCapacity(words)
        guard let cells = dictionary.baseAddress else { return verdicts }
        for start in stride(from: 0, to: dictionary.count, by: 64) {
            let count = min(64, dictionary.count - start)
            let (passing, doubtful) = accepted(cells + start, count, comparison, among: .max &>> UInt64(64 - count))
            verdicts.passes.append(passing)
            verdicts.doubts.append(doubtful)
        }
        return verdicts
    }

    private static func comparison(_ test: CellTest, _ kinds: CellKinds) -> Comparison {
        let hasBooleans = kinds.contains(.booleans)
        let hasNumbers = kinds.contains(.numbers)
        let hasStrings = kinds.contains(.strings)
        if kinds.isSubset(of: .nulls) { return test.null ? .always : .never }
        if !kinds.isDisjoint(with: .others) { return .general(test) }
        if !hasNumbers || test.numbers == .always, !hasStrings || test.strings == .always,
            !hasBooleans || (test.isTrue && test.isFalse)
        {
            return test.null ? .always : .present
        }
        if !hasNumbers || test.numbers == .never, !hasStrings || test.strings == .never,
            !hasBooleans || !(test.isTrue || test.isFalse)
        {
            return test.null ? .absent : .never
        }
        if test.null { return .general(test) }
        if !hasStrings, !hasBooleans || !(test.isTrue || test.isFalse),
            case .ordering(let ordering, let number) = test.numbers
        {
            return .ordering(ordering, number)
        }
        if hasStrings, !hasNumbers, !hasBooleans {
            switch test.strings {
            case .among(let codes) where codes.count == 1: return .same(Cell.string(code: codes[0]).rawBits)
            case .notAmong(let codes) where codes.count == 1: return .other(Cell.string(code: codes[0]).rawBits)
            default: return .general(test)
            }
        }
        if hasBooleans, !hasNumbers, !hasStrings, test.isTrue != test.isFalse {
            return .same(Cell.boolean(test.isTrue).rawBits)
        }
        return .general(test)
    }

    /// Of 64 rows at most those that pass, and those of which the evaluator must tell.
    /// - Parameters:
    ///   - row: The first, counted in the run.
    ///   - decoded: The cells of these rows, where `needsCells`.
    @inline(__always)
    func accepted(
        from row: Int, _ count: Int, _ decoded: UnsafePointer<UInt64>?, among possible: UInt64
    ) -> (passing: UInt64, doubtful: UInt64) {
        switch operation {
        case .constant(let passes, let isDoubtful): return (passes ? possible : 0, isDoubtful ? possible : 0)
        case .codes8(let codes, let first, let more):
            let codes = codes + row
            return (FieldKernel.gather(count, possible) { codes[$0] &- first <= more }, 0)
        case .codes16(let codes, let first, let more):
            let codes = codes + row
            return (FieldKernel.gather(count, possible) { codes[$0] &- first <= more }, 0)
        case .notCode8(let codes, let code):
            let codes = codes + row
            return (FieldKernel.gather(count, possible) { codes[$0] != code }, 0)
        case .verdicts8(let codes, let verdicts):
            return FieldKernel.accepted(possible) { verdicts[Int(codes[row + $0])] }
        case .verdicts16(let codes, let verdicts):
            return FieldKernel.accepted(possible) { verdicts[Int(codes[row + $0])] }
        case .integers(let values, let ordering, let number):
            let values = values + row
            let isThere = Int32.min + 1
            let passing =
                switch ordering {
                case .less: FieldKernel.gather(count, possible) { Double(values[$0]) < number && values[$0] > isThere }
                case .lessOrSame:
                    FieldKernel.gather(count, possible) { Double(values[$0]) <= number && values[$0] > isThere }
                case .greater:
                    FieldKernel.gather(count, possible) { Double(values[$0]) > number && values[$0] > isThere }
                case .greaterOrSame:
                    FieldKernel.gather(count, possible) { Double(values[$0]) >= number && values[$0] > isThere }
                }
            return (passing, 0)
        case .code32(let codes, let code):
            let codes = codes + row
            return (FieldKernel.gather(count, possible) { codes[$0] == code }, 0)
        case .cells(let cells, let comparison):
            return FieldKernel.accepted(cells + row, count, comparison, among: possible)
        case .decoded(let comparison):
            guard let decoded else { return (0, possible) }
            return FieldKernel.accepted(decoded, count, comparison, among: possible)
        }
    }

    /// Narrows the mask of rows that follow each other, the common tests without asking anew for every word.
    /// - Parameter row: The first, counted in the run.
    /// - Returns: False where it did nothing, because a row may be doubtful or the test is a rare one.
    func narrow(_ words: UnsafeMutablePointer<UInt64>, _ count: Int, from row: Int) -> Bool {
        switch operation {
        case .constant(true, false): break
        case .constant(false, false): words.update(repeating: 0, count: (count + 63) >> 6)
        case .codes8(let codes, let first, let more):
            let codes = codes + row
            FieldKernel.narrow(words, count) { codes[$0] &- first <= more }
        case .notCode8(let codes, let code):
            let codes = codes + row
            FieldKernel.narrow(words, count) { codes[$0] != code }
        case .codes16(let codes, let first, let more):
            let codes = codes + row
            FieldKernel.narrow(words, count) { codes[$0] &- first <= more }
        case .code32(let codes, let code):
            let codes = codes + row
            FieldKernel.narrow(words, count) { codes[$0] == code }
        case .integers(let values, .greater, let number):
            let values = values + row
            let isThere = Int32.min + 1
            FieldKernel.narrow(words, count) { Double(values[$0]) > number && values[$0] > isThere }
        case .integers(let values, .greaterOrSame, let number):
            let values = values + row
            let isThere = Int32.min + 1
            FieldKernel.narrow(words, count) { Double(values[$0]) >= number && values[$0] > isThere }
        case .cells(let cells, .ordering(.greater, let number)):
            let cells = cells + row
            FieldKernel.narrow(words, count) { Double(bitPattern: cells[$0]) > number }
        case .cells(let cells, .ordering(.greaterOrSame, let number)):
            let cells = cells + row
            FieldKernel.narrow(words, count) { Double(bitPattern: cells[$0]) >= number }
        default: return false
        }
        return true
    }

    @inline(__always)
    private static func narrow(_ words: UnsafeMutablePointer<UInt64>, _ count: Int, _ test: (Int) -> Bool) {
        for word in 0..<count >> 6 {
            let possible = words[word]
            if possible == 0 { continue }
            let first = word << 6
            words[word] = gather(64, possible) { test(first + $0) }
        }
        if count & 63 != 0 {
            let first = count & ~63
            words[count >> 6] = gather(count & 63, words[count >> 6] & ~(UInt64.max &<< UInt64(count & 63))) {
                test(first + $0)
            }
        }
    }

    @inline(__always)
    private static func accepted(
        _ cells: UnsafePointer<UInt64>, _ count: Int, _ comparison: Comparison, among possible: UInt64
    ) -> (passing: UInt64, doubtful: UInt64) {
        switch comparison {
        case .never: return (0, 0)
        case .always: return (possible, 0)
        case .same(let bits): return (gather(count, possible) { cells[$0] == bits }, 0)
        case .other(let bits): return (gather(count, possible) { cells[$0] != bits && !Bits.isNull(cells[$0]) }, 0)
        case .present: return (gather(count, possible) { !Bits.isNull(cells[$0]) }, 0)
        case .absent: return (gather(count, possible) { Bits.isNull(cells[$0]) }, 0)
        case .ordering(let ordering, let number):
            // What is no number is a NaN here, of which every ordering is false.
            func value(_ index: Int) -> Double { Double(bitPattern: cells[index]) }
            let passing =
                switch ordering {
                case .less: gather(count, possible) { value($0) < number }
                case .lessOrSame: gather(count, possible) { value($0) <= number }
                case .greater: gather(count, possible) { value($0) > number }
                case .greaterOrSame: gather(count, possible) { value($0) >= number }
                }
            return (passing, 0)
        case .general(let test):
            return accepted(possible) {
                switch test.accepts(Cell(rawBits: cells[$0])) {
                case true?: 1
                case false?: 0
                case nil: 2
                }
            }
        }
    }

    /// Row by row.
    @inline(__always)
    private static func accepted(
        _ possible: UInt64, _ verdict: (Int) -> UInt8
    ) -> (passing: UInt64, doubtful: UInt64) {
        var passing: UInt64 = 0
        var doubtful: UInt64 = 0
        var rest = possible
        while rest != 0 {
            let bit = rest.trailingZeroBitCount
            rest &= rest &- 1
            let verdict = verdict(bit)
            passing |= UInt64(verdict & 1) &<< UInt64(bit)
            doubtful |= UInt64(verdict >> 1) &<< UInt64(bit)
        }
        return (passing, doubtful)
    }

    /// One bit per row of the possible ones: where those are few, only they are looked at.
    @inline(__always)
    private static func gather(_ count: Int, _ possible: UInt64, _ test: (Int) -> Bool) -> UInt64 {
        guard possible.nonzeroBitCount < 10 else { return gather(count, test) & possible }
        var bits: UInt64 = 0
        var rest = possible
        while rest != 0 {
            let bit = UInt64(rest.trailingZeroBitCount)
            rest &= rest &- 1
            bits |= (test(Int(bit)) ? 1 : 0) &<< bit
        }
        return bits
    }

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

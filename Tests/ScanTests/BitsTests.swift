import History
import TestSupport
import Testing

@testable import Scan

@Suite struct BitsTests {
    @Test func `Bits of cells are what kernels take them for`() {
        #expect(Bits.missing == Cell.missing.rawBits)
        #expect(Bits.null == Cell.null.rawBits)
        #expect(Bits.string | 77 == Cell.string(code: 77).rawBits)
        #expect(Bits.isString(Cell.string(code: .max).rawBits))
        #expect(!Bits.isString(Cell.boolean(true).rawBits) && !Bits.isString(Cell.number(5).rawBits))
        #expect(Bits.isNull(Bits.missing) && Bits.isNull(Bits.null))
        #expect(!Bits.isNull(Cell.boolean(false).rawBits) && !Bits.isNull(Cell.string(code: 0).rawBits))
        for number in [0, -0.0, 1, -1, 0.1, -1e300, .greatestFiniteMagnitude, -.infinity] {
            #expect(Bits.isNumber(Bits.number(number)) && !Bits.isNull(Bits.number(number)))
            #expect(Bits.number(number) == Cell.number(number).rawBits)
        }
        #expect(Bits.number(3) == Cell.number(3).rawBits && Bits.number(0) == Cell.number(0).rawBits)
        #expect(!Bits.isNumber(Bits.doubtful))
    }

    @Test func `The first and the last row of a range that count are found`() {
        var random = SeededRandom(seed: 20_261_130)
        let scratch = Scratch()
        for _ in 0..<300 {
            let count = 1 + random.below(300)
            let (profiles, starts) = (scratch.elements(of: UInt32.self, 1), scratch.elements(of: UInt32.self, 2))
            let slice = RowSlice(
                profiles: profiles, starts: starts, timestamps: scratch.elements(of: Int64.self, 1), rowCount: count)
            let mask = RowMask(slice, scratch)
            let share = random.pick([0, 1, 5, 50, 100])
            let set = (0..<count).filter { _ in random.chance(share) }
            for word in 0..<slice.wordCount { mask.words[word] = 0 }
            for row in set { mask.words[row >> 6] |= 1 << UInt64(row & 63) }
            for _ in 0..<20 {
                let lower = random.below(count + 1)
                let rows = lower..<lower + random.below(count - lower + 1)
                let counted = set.filter { rows.contains($0) }
                #expect(mask.next(from: rows.lowerBound, before: rows.upperBound) == counted.first ?? rows.upperBound)
                #expect(mask.last(rows) == counted.last ?? rows.lowerBound - 1)
                #expect(mask.count(rows) == counted.count)
            }
        }
    }
}

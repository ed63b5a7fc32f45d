import History
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
}

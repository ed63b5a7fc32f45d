import Foundation
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

    @Test(arguments: [
        [1.0, 2, 3], (0..<400).map { Double($0) - 200 }, (0..<400).map { Double($0) / 7 },
        Array(repeating: 5, count: 9),
    ])
    func `Every form of a column gives back its cells`(numbers: [Double]) {
        let strings = (0..<400).map { Cell.string(code: UInt32($0)).rawBits }
        let rare = (0..<400).map { $0 % 50 == 7 ? Cell.number(Double($0)).rawBits : Bits.missing }
        var columns = [strings, rare, numbers.map { Cell.number($0).rawBits }]
        columns += columns.map { $0.enumerated().map { $0 % 5 == 1 ? Bits.null : $0 % 5 == 2 ? Bits.missing : $1 } }
        for bits in columns {
            let count = bits.count
            let run = ScanRun(
                profiles: (0..<UInt32(count)).map { $0 }, starts: (0...UInt32(count)).map { $0 },
                timestamps: Array(repeating: 0, count: count), columns: [(.value, ColumnPath([]), bits)])
            let column = run.column(ScanRun.ColumnName(root: .value, path: ColumnPath([])))
            for rows in [0..<count, 1..<count - 1, count / 2..<count / 2] {
                let found = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
                defer { found.deallocate() }
                column?.copy(rows, to: found)
                #expect(Array(UnsafeBufferPointer(start: found, count: rows.count)) == Array(bits[rows]))
            }
        }
    }
}

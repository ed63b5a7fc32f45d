import TestSupport
import Testing

@testable import History

@Suite struct SortedNumbersTests {
    @Test("Finds the first number that is not below, however the numbers are spread", arguments: 1...4)
    func everywhere(seed: UInt64) {
        print("sorted numbers seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<400 {
            // Dense, sparse, or a crowd at one end and a few far away.
            let bounds: [UInt64] = [40, 5_000, 1 << 32]
            let numbers = Set(
                (0..<Int(random.next() % 200)).map { _ in
                    UInt32(
                        truncatingIfNeeded: random.next()
                            % bounds[Int(random.next() % UInt64(seed.isMultiple(of: 2) ? 1 : 3))])
                }
            ).sorted()
            var wanted: [UInt32] = [0, 1, 39, .max, .max - 1]
            wanted += numbers.flatMap { [$0 &- 1, $0, $0 &+ 1] }
            numbers.withUnsafeBufferPointer { buffer in
                for number in wanted {
                    let expected = numbers.firstIndex { $0 >= number } ?? numbers.count
                    #expect(SortedNumbers.firstIndex(notBelow: number, in: buffer) == expected)
                }
            }
        }
    }
}

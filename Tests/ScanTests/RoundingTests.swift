import Evaluation
import Foundation
import TestSupport
import Testing

@Suite struct RoundingTests {
    /// As it is defined: one power of ten after the other.
    private func rounded(_ value: Double) -> Double {
        let magnitude = abs(value)
        guard magnitude >= 1e-7, magnitude < 1e15 else { return value }
        var power = 1.0
        for _ in 0..<22 where magnitude * power < 1e14 { power *= 10 }
        return (value * power).rounded() / power
    }

    @Test func `Sums are rounded to 15 digits, wherever the search for the power of ten begins`() {
        var random = SeededRandom(seed: 20_261_124)
        for exponent in -26..<52 {
            for _ in 0..<200 {
                let value = Double.random(in: 1..<2, using: &random) * (random.chance(50) ? -1 : 1)
                let scaled = Double(sign: .plus, exponent: exponent, significand: value)
                #expect(NumericText.rounded(scaled) == rounded(scaled), "\(scaled)")
            }
        }
        // Where the power of ten changes, and where the guess at it does.
        for edge in (-7...16).map({ pow(10, Double($0)) }) + (-24...50).map({ pow(2, Double($0)) }) {
            var value = edge
            for _ in 0..<3 { value = value.nextDown }
            for _ in 0..<7 {
                #expect(NumericText.rounded(value) == rounded(value), "\(value)")
                value = value.nextUp
            }
        }
        for value in [1e14, 9.999_999_999_999_99e13, 1e-7, 0.1, 10, 100, 1e13, 123.456] {
            #expect(NumericText.rounded(value) == rounded(value), "\(value)")
        }
    }
}

// Instants as text: what is written reads back, agrees with Foundation, and years outside 0 to 9999 keep their digits.

import Foundation
import Model
import Testing

@Suite struct InstantTextTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    @Test func writtenInstantsReadBackAndAgreeWithFoundation() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("Instant text seed \(seed)")
        var random = Generator(state: seed)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for _ in 0..<3000 {
            // 0000-01-01 to 9999-12-31.
            let instant = Instant(milliseconds: .random(in: -62_167_219_200_000..<253_402_300_800_000, using: &random))
            let text = instant.description
            #expect(text.utf8.count == 24 && Instant(iso8601: text) == instant, "seed \(seed)")
            guard instant.milliseconds >= -12_219_292_800_000 else { continue }
            // Foundation's calendar is Julian before 1582-10-15.
            let date = Date(timeIntervalSince1970: Double(instant.milliseconds) / 1000)
            #expect(date.formatted(style).prefix(19) == text.prefix(19), "seed \(seed)")
        }
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"), (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
            (8_640_000_000_000_000, "275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] as [(Int64, String)])
    func knownInstants(milliseconds: Int64, text: String) {
        #expect(Instant(milliseconds: milliseconds).description == text)
    }
}

import JSON
import Model
import TestSupport
import Testing

@testable import Engine

@Suite struct NumberMapTests {
    @Test("Behaves as a dictionary does, whatever is put in and taken out", arguments: 1...4)
    func random(seed: UInt64) {
        print("number map seed \(seed)")
        var random = SeededRandom(seed: seed)
        var map = NumberMap<UInt32, String>(filler: "")
        var model: [UInt32: String] = [:]
        // Few keys, so that chains form and are cut; in one seed they lie far apart.
        let stride: UInt32 = seed == 4 ? 1 << 20 : 1
        for step in 0..<20_000 {
            let key = UInt32(random.next() % 700) &* stride
            let value = random.next() % 5 < 2 ? nil : "\(step)"
            map[key] = value
            model[key] = value
            if step % 1000 == 0 {
                for number in 0..<700 as Range<UInt32> { #expect(map[number &* stride] == model[number &* stride]) }
            }
        }
        var found: [UInt32: String] = [:]
        map.forEach { found[$0] = $1 }
        #expect(found == model && map.count == model.count)
    }

    @Test("A sparse table behaves as a dictionary does, and walks its numbers upwards", arguments: 1...4)
    func sparse(seed: UInt64) {
        print("sparse table seed \(seed)")
        var random = SeededRandom(seed: seed)
        let table = SparseTable<Int>()
        var model: [UInt32: Int] = [:]
        // Groups that are full, that come and go, and, in one seed, that lie far apart.
        let stride: UInt32 = seed == 4 ? 1000 : 1
        for step in 0..<20_000 {
            let key = UInt32(random.next() % 300) &* stride
            let value = random.next() % 5 < (step / 5_000 % 2 == 0 ? 1 : 4) ? nil : step
            table[key] = value
            model[key] = value
            if step % 1000 == 0 {
                for number in 0..<300 as Range<UInt32> { #expect(table[number &* stride] == model[number &* stride]) }
            }
        }
        var found: [UInt32] = []
        table.forEach {
            found.append($0)
            #expect(model[$0] == $1)
        }
        #expect(found == model.keys.sorted() && table.count == model.count)
        #expect(table[.max] == nil)
    }

    @Test("A table of states gives back every kind of value, and forgets what it is told to")
    func states() {
        let table = StateTable()
        let values: [JSONValue] = [nil, true, false, 0, -12.5, 1e300, "x", ["a", 1], "y", "z"]
        for round in 1...3 {
            for (number, value) in values.enumerated() {
                let state = ComputedState(value: value, since: Instant(milliseconds: Int64(-round)), transition: round)
                table[ProfileOrdinal(UInt32(number))] = state
                #expect(table[ProfileOrdinal(UInt32(number))] == state)
            }
            table[ProfileOrdinal(6)] = nil
            table[ProfileOrdinal(99)] = nil
            #expect(table[ProfileOrdinal(6)] == nil && table.count == values.count - 1)
        }
        var telling: Set<UInt32> = []
        table.forEachTelling { telling.insert($0.rawValue) }
        #expect(telling == [1, 3, 4, 5, 7, 8, 9])
        var all: [UInt32: JSONValue] = [:]
        table.forEach { all[$0.rawValue] = $1.value }
        #expect(all.count == 9 && all[7] == ["a", 1] && all[9] == "z")
    }
}

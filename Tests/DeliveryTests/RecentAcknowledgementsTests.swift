import JSON
import Model
import Store
import Testing

@testable import Delivery

// Goal: while pages are read ahead, an acknowledgement that the ledger did not hold when it was asked is never overlooked,
// and memory does not grow with what is in the ledger. Method: the rule of two halves by hand, and a random walk beside a
// ledger that is written with delay.

@Suite("recent acknowledgements") struct RecentAcknowledgementsTests {
    private static func entry(_ person: String, _ name: String, _ value: JSONValue?, sequence: Int64) -> LedgerEntry {
        LedgerEntry(
            key: LedgerKey(externalID: person, attribute: name),
            json: value.flatMap { Known(value: $0, sequence: sequence).stored })
    }

    private static func known(_ recent: RecentAcknowledgements, _ person: String, _ name: String) -> Known? {
        var known: [String: Known] = [:]
        recent.update(&known, of: person, [(key: name, value: .null)])
        return known[name]
    }

    private static func many(_ label: String) -> [LedgerEntry] {
        (0..<5000).map { entry("\(label)\($0)", "vip", true, sequence: Int64($0)) }
    }

    @Test("what is not on disk yet is kept, what is on disk goes with its half") func halves() {
        var recent = RecentAcknowledgements()
        recent.add(Self.many("a"))
        recent.turn(written: 0, pending: 1)
        #expect(Self.known(recent, "a7", "vip") == Known(value: true, sequence: 7))
        recent.add(Self.many("b"))
        recent.turn(written: 0, pending: 2)
        #expect(Self.known(recent, "a7", "vip") != nil, "transaction 1 has not ended")
        recent.turn(written: 1, pending: 2)
        #expect(Self.known(recent, "a7", "vip") == nil)
        #expect(Self.known(recent, "b7", "vip") != nil)
        recent.removeAll()
        #expect(Self.known(recent, "b7", "vip") == nil)
    }

    @Test("the last acknowledgement of a value stands, a forgotten one hides what was read") func latest() {
        var recent = RecentAcknowledgements()
        recent.add([Self.entry("u", "vip", true, sequence: 1), Self.entry("u", "plan", "pro", sequence: 2)])
        recent.add(Self.many("a"))
        recent.turn(written: 0, pending: 1)
        recent.add([Self.entry("u", "vip", nil, sequence: 0)])
        var known = ["vip": Known(value: false, sequence: 0), "city": Known(value: "Ulm", sequence: 0)]
        recent.update(&known, of: "u", [(key: "vip", value: .null), (key: "plan", value: .null)])
        #expect(known["vip"] == nil)
        #expect(known["plan"] == Known(value: "pro", sequence: 2))
        #expect(known["city"] != nil)
    }

    @Test("with the ledger of any earlier moment they tell what it holds now", arguments: [UInt64](1...8))
    func walk(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var recent = RecentAcknowledgements()
        var (now, onDisk): ([String: Known], [String: Known]) = ([:], [:])
        // Transactions that have begun and not ended, by number, with the ledger after them.
        var (writing, unwritten, number): ([String: Known]?, Bool, Int) = (nil, false, 0)
        for step in 1...400 {
            var added: [LedgerEntry] = []
            for _ in 0..<Int(random.next() % 120) {
                let person = "u\(random.next() % 600)"
                let value: JSONValue? = random.next() % 8 == 0 ? nil : .number(step)
                added.append(Self.entry(person, "n", value, sequence: Int64(step)))
                now[person] = value.map { Known(value: $0, sequence: Int64(step)) }
            }
            recent.add(added)
            unwritten = unwritten || !added.isEmpty
            if let done = writing, random.next() % 3 == 0 { (onDisk, writing) = (done, nil) }
            if writing == nil, unwritten, random.next() % 2 == 0 {
                (writing, unwritten, number) = (now, false, number + 1)
            }
            guard random.next() % 2 == 0 else { continue }
            recent.turn(
                written: writing == nil ? number : number - 1, pending: unwritten ? number + 1 : number)
            let asked = onDisk
            for _ in 0..<20 {
                let person = "u\(random.next() % 600)"
                var known: [String: Known] = [:]
                known["n"] = asked[person]
                recent.update(&known, of: person, [(key: "n", value: .null)])
                #expect(known["n"] == now[person], "seed \(seed), step \(step), \(person)")
            }
        }
    }
}

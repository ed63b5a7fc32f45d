import JSON
import Model
import Store
import TestSupport
import Testing

@testable import Engine

/// Goal: thousands of armed wake-ups all fire at their exact instants, none early and none late, while calls keep coming,
/// and after a restart too. Method: the clock is the test's; after each tick exactly those must have left whose time is up.
/// `muster bench evaluate` does the same to a million of them with the machine's clock.
@Suite struct WakeUpTests {
    static let people = 20_000

    @Test func `Twenty thousand people leave on time while calls keep coming`() async throws {
        let muster = try TestInstallation()
        let seed: UInt64 = 7
        print("wake-up test, seed \(seed)")
        var random = SeededRandom(seed: seed)
        let arrival = start + .minutes(50)
        var entries = [
            muster.create(.audience, key: "recent", "event('A').within(1 hours).count() >= 1", at: start),
            muster.create(.trait, key: "calls", "event('B').count()", at: start),
        ]
        // Everybody's event lies within the first half minute: so do the exits, an hour later.
        var exits: [Instant] = []
        for person in 0..<Self.people {
            let at = start + Instant.Span(milliseconds: Int64(random.below(30_000)))
            exits.append(at + hour + Instant.Span(milliseconds: 1))
            entries.append(muster.track("A", user: "u\(person)", at: at, received: arrival))
        }
        try await muster.apply(entries)
        try muster.reopen()
        exits.sort()
        let id = "aud_recent"
        #expect(muster.engine.registry.computation(id: id)?.size == Self.people)

        var now = start + hour
        var left = 0
        while left < exits.count {
            now = now + Instant.Span(milliseconds: Int64(random.below(2_000)))
            if random.chance(50) {
                let calls = (0..<random.below(20)).map { _ in
                    muster.track("B", user: "u\(random.below(Self.people))", at: now)
                }
                try await muster.apply(calls)
            }
            try muster.advance(to: now)
            left = exits.partitioningIndex { $0 > now }
            #expect(muster.engine.registry.computation(id: id)?.size == Self.people - left, "at \(now)")
            if muster.engine.registry.computation(id: id)?.size != Self.people - left { break }
        }
        #expect(muster.engine.nextDue == nil)
        let everybody = (0..<muster.engine.ordinalLimit).map { ProfileOrdinal($0) }
        let rows = try muster.store.transitions(profiles: everybody, limit: 3 * Self.people)
        #expect(rows.filter { $0.computationID == id && $0.value == false }.map(\.at).sorted() == exits)
    }
}

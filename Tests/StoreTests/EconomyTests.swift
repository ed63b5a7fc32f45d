import JSON
import Model
import Store
import Testing

// What delivery costs, what it holds back, and what was parked, as the store keeps it.

@Suite struct EconomyRowTests {
    private func withOutbox(_ emissions: [Emission], _ body: (StateStore) throws -> Void) throws {
        try withStore { store in
            try store.commit(.start)
            try store.commit(.emissions(emissions))
            try body(store)
        }
    }

    private func step(at seconds: Int64 = 20, _ change: (inout DeliveryChanges) -> Void) -> DeliveryChanges {
        var changes = DeliveryChanges(destinationID: "dst_1", at: at(seconds))
        change(&changes)
        return changes
    }

    @Test("Data points add up by computation and day") func dataPoints() throws {
        try withOutbox([]) { store in
            let day: Int64 = 86_400
            try store.record([
                step(at: 10) { $0.dataPoints = ["aud_1": 3, "tra_1": 1] },
                step(at: day - 1) { $0.dataPoints = ["aud_1": 2] },
                step(at: day) { $0.dataPoints = ["aud_1": 5] },
            ])
            let rows = try store.dataPoints(destinationID: "dst_1", fromDay: 0)
            #expect(rows.map(\.computationID) == ["aud_1", "tra_1", "aud_1"])
            #expect(rows.map(\.day) == [0, 0, 1])
            #expect(rows.map(\.points) == [5, 1, 5])
            #expect(try store.dataPoints(destinationID: "dst_1", fromDay: 1).count == 1)
            #expect(try store.dataPoints(destinationID: "dst_2", fromDay: 0).isEmpty)
            // After more than a year the oldest day goes.
            try store.record(step(at: 402 * day) { $0.dataPoints = ["aud_1": 1] })
            #expect(try store.dataPoints(destinationID: "dst_1", fromDay: 0).map(\.day) == [0, 402])
        }
    }

    @Test("Unknown outcomes and possible duplicates are counted for good") func counters() throws {
        try withOutbox([]) { store in
            try store.record(step { $0.unknownOutcomes = 2 })
            try store.record(
                step {
                    $0.unknownOutcomes = 1
                    $0.possibleDuplicates = 75
                })
            let counts = try store.counts(destinationID: "dst_1")
            #expect(counts.unknownOutcomes == 3)
            #expect(counts.possibleDuplicates == 75)
        }
    }

    @Test("What is held for a spike does not leave the outbox, until it is let go or discarded") func spikes() throws {
        var other = Emission.fixture("c")
        other.computationID = "aud_2"
        try withOutbox([.fixture("a"), .fixture("b"), other]) { store in
            try store.record(
                step {
                    $0.spikes = [SpikeRow(computationID: "aud_1", state: .held, reason: "9 changes", since: at(20))]
                    $0.changeCounts = [ChangeHour(computationID: "aud_1", hour: 5): 9]
                })
            #expect(try store.pending(destinationID: "dst_1", limit: 9).map(\.emission.messageID) == ["c"])
            #expect(try store.waitingCount(destinationID: "dst_1", computationID: "aud_1") == 2)
            #expect(try store.changeCounts(destinationID: "dst_1", fromHour: 5).values.map(\.self) == [9])
            #expect(try store.changeCounts(destinationID: "dst_1", fromHour: 6).isEmpty)

            #expect(
                try store.endSpike(destinationID: "dst_1", computationID: "aud_1", discarding: false, at: at(30)) == 0)
            #expect(try store.pending(destinationID: "dst_1", limit: 9).count == 3)
            #expect(
                try store.spikes(destinationID: "dst_1") == [
                    SpikeRow(computationID: "aud_1", state: .released, reason: "9 changes", since: at(30))
                ])
            #expect(
                try store.endSpike(destinationID: "dst_1", computationID: "aud_1", discarding: true, at: at(31)) == 2)
            #expect(try store.pending(destinationID: "dst_1", limit: 9).map(\.emission.messageID) == ["c"])
            #expect(try store.counts(destinationID: "dst_1").discarded == 2)
            // Without a spike there is nothing to discard.
            #expect(
                try store.endSpike(destinationID: "dst_1", computationID: "aud_2", discarding: true, at: at(31)) == 0)
            #expect(try store.pending(destinationID: "dst_1", limit: 9).count == 1)
        }
    }

    @Test("Parked emissions are grouped by the destination's words and redriven by them") func parked() throws {
        try withOutbox(["a", "b", "c", "d"].map { .fixture($0) }) { store in
            let sequences = try store.pending(destinationID: "dst_1", limit: 9).map(\.sequence)
            try store.record(
                step(at: 5) { $0.parked = [(sequences[0], "bad mail"), (sequences[1], "bad mail")] })
            try store.record(step(at: 9) { $0.parked = [(sequences[2], "bad mail"), (sequences[3], "too long")] })
            let groups = try store.parkedGroups(destinationID: "dst_1")
            #expect(groups.map(\.reason) == ["bad mail", "too long"])
            #expect(groups.map(\.count) == [3, 1])
            #expect(groups[0].firstAt == at(5) && groups[0].lastAt == at(9))
            let filter = ParkedFilter(reason: "bad mail", computationID: "aud_1", kind: .identify)
            #expect(try store.parkedCount(destinationID: "dst_1", filter) == 3)
            #expect(try store.parkedCount(destinationID: "dst_1", ParkedFilter(kind: .track)) == 0)
            #expect(try store.parkedCount(destinationID: "dst_1", ParkedFilter(profiles: [ProfileOrdinal(77)])) == 0)
            #expect(
                try store.redrive(destinationID: "dst_1", ParkedFilter(sequences: [sequences[0]], reason: "too long"))
                    == 0)
            #expect(try store.redrive(destinationID: "dst_1", filter) == 3)
            #expect(try store.parkedCount(destinationID: "dst_1") == 1)
        }
    }

    @Test("A repair waits like an emission of the engine's and takes back what was acknowledged") func repairs() throws
    {
        try withOutbox([]) { store in
            let key = LedgerKey(externalID: "external_id:u1", attribute: "aud_1_key")
            try store.record(step { $0.acknowledgedValues = [key: [true, 7]] })
            var repair = Emission.fixture("r")
            repair.origin = .repair
            try store.enqueueRepairs([repair], forgetting: [key], destinationID: "dst_1")
            let row = try #require(try store.pending(destinationID: "dst_1", limit: 9).first)
            #expect(row.emission.origin == .repair)
            #expect(try store.acknowledgedValues(destinationID: "dst_1", [key]).isEmpty)
            #expect(
                try store.profilesWithWaiting([repair.profile, ProfileOrdinal(99)], destinationID: "dst_1")
                    == [repair.profile])
        }
    }
}

import JSON
import Model
import Store
import Testing

// Delivery's side of the store.

extension AttemptRow {
    static var fixture: AttemptRow {
        AttemptRow(
            destinationID: "dst_1", at: Instant(milliseconds: 10_000), endpoint: "POST https://x.test/users/track",
            request: Array(#"{"attributes":[]}"#.utf8), status: 201, response: #"{"message":"success"}"#,
            durationMilliseconds: 12, objectCount: 1, outcome: .delivered)
    }
}

extension AttemptEmissionRow {
    static func fixture(
        _ messageID: String, profile: UInt32 = 0, _ outcome: Outcome = .delivered, detail: String = ""
    ) -> AttemptEmissionRow {
        AttemptEmissionRow(
            destinationID: "dst_1", messageID: messageID, profile: ProfileOrdinal(profile), computationID: "aud_1",
            kind: .identify, at: Instant(milliseconds: 10_000), outcome: outcome, detail: detail)
    }
}

@Suite struct TransitionListingTests {
    @Test("Transitions of profiles are listed newest first and paged, also those of one computation")
    func transitions() throws {
        try withStore { store in
            var changes = StateChanges.start
            changes.computations.append(.fixture("aud_2"))
            changes.transitions = (1...8).map { id in
                TransitionRow(
                    id: id, computationID: id % 2 == 0 ? "aud_2" : "aud_1", ordinal: ProfileOrdinal(UInt32(id % 3)),
                    value: .bool(id % 4 < 2), at: at(id), offset: id, cause: "call")
            }
            try store.commit(changes)
            let own = [ProfileOrdinal(0), ProfileOrdinal(1)]
            #expect(try store.transitions(profiles: own, limit: 9).map(\.id) == [7, 6, 4, 3, 1])
            #expect(try store.transitions(profiles: own, computationID: "aud_1", limit: 9).map(\.id) == [7, 3, 1])
            #expect(try store.transitions(profiles: own, before: 4, limit: 1) == [changes.transitions[2]])
            #expect(try store.transitions(profiles: [], limit: 9).isEmpty)
        }
    }
}

@Suite struct OutboxTests {
    private func withOutbox(_ ids: [String], _ body: (StateStore) throws -> Void) throws {
        try withStore { store in
            try store.commit(.start)
            try store.commit(.emissions(ids.map { .fixture($0) }))
            try body(store)
        }
    }

    private func step(_ change: (inout DeliveryChanges) -> Void) -> DeliveryChanges {
        var changes = DeliveryChanges(destinationID: "dst_1", at: at(20))
        change(&changes)
        return changes
    }

    @Test("An emission comes back as it went in, in order, page by page")
    func pending() throws {
        try withOutbox(["a", "b", "c"]) { store in
            let rows = try store.pending(destinationID: "dst_1", limit: 2)
            #expect(rows.map(\.emission.messageID) == ["a", "b"])
            var expected = Emission.fixture("a")
            expected.sequence = rows.first?.sequence
            #expect(rows.first == OutboxRow(emission: expected))
            let rest = try store.pending(destinationID: "dst_1", after: rows[1].sequence, limit: 2)
            #expect(rest.map(\.emission.messageID) == ["c"])
            #expect(try store.pending(destinationID: "nowhere", limit: 2).isEmpty)
        }
    }

    @Test("A message id waits once per destination and kind")
    func idempotence() throws {
        try withOutbox(["a"]) { store in
            var changes = StateChanges()
            changes.destinations = [.fixture("dst_2")]
            try store.commit(changes)
            try store.commit(
                .emissions([
                    .fixture("a"), .fixture("b"), .fixture("b"), .fixture("a", destination: "dst_2"),
                    .fixture("a", kind: .track),
                ]))
            #expect(try store.pending(destinationID: "dst_1", limit: 9).map(\.emission.messageID) == ["a", "b", "a"])
            #expect(try store.pending(destinationID: "dst_2", limit: 9).map(\.emission.messageID) == ["a"])
        }
    }

    @Test("Sequences never come back, not even those of the last rows")
    func sequences() throws {
        try withOutbox(["a", "b"]) { store in
            let sequences = try store.pending(destinationID: "dst_1", limit: 9).map(\.sequence)
            try store.record(step { $0.delivered = sequences })
            try store.commit(.emissions([.fixture("c")]))
            let next = try #require(try store.pending(destinationID: "dst_1", limit: 9).first?.sequence)
            #expect(next > sequences[1])
        }
    }

    @Test("One step: attempt, deliveries, parking, values and counts together")
    func record() throws {
        try withOutbox(["a", "b", "c", "d", "e", "f"]) { store in
            let rows = try store.pending(destinationID: "dst_1", limit: 9)
            let key = LedgerKey(externalID: "u1", attribute: "big_spender")
            let attemptID = try store.record(
                step {
                    $0.attempt = .fixture
                    $0.attempt?.outcome = .partial
                    $0.emissions = [
                        .fixture("a"), .fixture("b", .rejected, detail: "invalid"), .fixture("f", .retrying),
                    ]
                    $0.delivered = [rows[0].sequence]
                    $0.parked = [(rows[1].sequence, "invalid")]
                    $0.coalesced = [rows[2].sequence]
                    $0.unchanged = [rows[3].sequence]
                    $0.discarded = [rows[4].sequence]
                    $0.acknowledgedValues = [key: true]
                })
            let id = try #require(attemptID)

            let waiting = try store.pending(destinationID: "dst_1", limit: 9)
            #expect(waiting.map(\.emission.messageID) == ["f"])
            #expect(waiting.map(\.attempts) == [1])
            let parked = try store.outbox(parked: true, limit: 9)
            #expect(parked.map(\.parkedReason) == ["invalid"])
            #expect(parked.map(\.parkedAt) == [at(20)])
            #expect(parked.map(\.attempts) == [1])

            var counts = DestinationCounts()
            (counts.waiting, counts.parked, counts.delivered, counts.coalesced) = (1, 1, 1, 1)
            (counts.unchanged, counts.discarded, counts.attempts, counts.failedAttempts) = (1, 1, 1, 1)
            #expect(try store.counts(destinationID: "dst_1") == counts)

            var attempt = AttemptRow.fixture
            attempt.id = id
            attempt.outcome = .partial
            #expect(try store.attempt(id: id) == attempt)
            let emissions = try store.emissions(attemptID: id)
            #expect(emissions.map(\.messageID) == ["a", "b", "f"])
            #expect(emissions.map(\.detail) == ["", "invalid", ""])
            let unknown = LedgerKey(externalID: "u1", attribute: "other")
            #expect(try store.acknowledgedValues(destinationID: "dst_1", [key, unknown]) == [key: true])
        }
    }

    @Test("Another destination's sequences are not touched, and what is gone is not counted twice")
    func strangers() throws {
        try withOutbox(["a"]) { store in
            var changes = StateChanges()
            changes.destinations = [.fixture("dst_2")]
            changes.emissions = [.fixture("b", destination: "dst_2")]
            try store.commit(changes)
            let own = try store.pending(destinationID: "dst_1", limit: 9).map(\.sequence)
            let strange = try store.pending(destinationID: "dst_2", limit: 9).map(\.sequence)
            let both = step { $0.delivered = own + strange }
            try store.record(both)
            try store.record(both)
            #expect(try store.pending(destinationID: "dst_2", limit: 9).count == 1)
            #expect(try store.counts(destinationID: "dst_1").delivered == 1)
        }
    }

    @Test("Parked emissions can be driven again, singly or all")
    func redrive() throws {
        try withOutbox(["a", "b", "c"]) { store in
            let sequences = try store.pending(destinationID: "dst_1", limit: 9).map(\.sequence)
            try store.record(step { $0.parked = sequences.map { ($0, "no") } })
            #expect(try store.pending(destinationID: "dst_1", limit: 9).isEmpty)
            #expect(
                try store.redrive(
                    destinationID: "dst_1", ParkedFilter(sequences: [sequences[1], 999])) == 1)
            #expect(try store.pending(destinationID: "dst_1", limit: 9).map(\.emission.messageID) == ["b"])
            #expect(try store.redrive(destinationID: "dst_1") == 2)
            #expect(try store.redrive(destinationID: "dst_1") == 0)
            let rows = try store.pending(destinationID: "dst_1", limit: 9)
            #expect(rows.map(\.emission.messageID) == ["a", "b", "c"])
            #expect(rows.allSatisfy { $0.parkedReason == nil && $0.parkedAt == nil })
        }
    }

    @Test("The ledger replaces, forgets on null, and can be forgotten by user or whole")
    func ledger() throws {
        try withOutbox([]) { store in
            let keys = ["u1", "u2", "u3"].map { LedgerKey(externalID: $0, attribute: "k") }
            func values() throws -> [String: JSONValue] {
                Dictionary(
                    uniqueKeysWithValues: try store.acknowledgedValues(destinationID: "dst_1", keys).map {
                        ($0.key.externalID, $0.value)
                    })
            }
            try store.record(step { $0.acknowledgedValues = [keys[0]: 1, keys[1]: "x", keys[2]: [1, 2]] })
            try store.record(step { $0.acknowledgedValues = [keys[0]: 2, keys[1]: nil] })
            #expect(try values() == ["u1": 2, "u3": [1, 2]])
            try store.forgetAcknowledgedValues(destinationID: "dst_1", externalIDs: ["u3"])
            #expect(try values() == ["u1": 2])
            try store.forgetAcknowledgedValues(destinationID: "dst_1")
            #expect(try values() == [:])
        }
    }

    @Test("A pause has a reason and ends")
    func pause() throws {
        try withOutbox([]) { store in
            let pause = DestinationPause(reason: "Braze refuses the API key (401)", since: at(3))
            try store.setPause(pause, destinationID: "dst_1")
            #expect(try store.pauses() == ["dst_1": pause])
            try store.setPause(nil, destinationID: "dst_1")
            #expect(try store.pauses().isEmpty)
        }
    }

    @Test("Attempts and emissions are listed newest first, filtered and paged")
    func listings() throws {
        try withOutbox([]) { store in
            for index in 0..<6 {
                try store.record(
                    step {
                        $0.attempt = .fixture
                        $0.attempt?.outcome = index % 2 == 0 ? .delivered : .retrying
                        $0.emissions = [
                            .fixture("m\(index)", profile: UInt32(index % 3), index == 5 ? .rejected : .delivered)
                        ]
                    })
            }
            #expect(try store.attempts(limit: 4).map(\.id) == [6, 5, 4, 3])
            #expect(try store.attempts(before: 3, limit: 4).map(\.id) == [2, 1])
            #expect(try store.attempts(DeliveryFilter(attemptOutcome: .retrying), limit: 9).map(\.id) == [6, 4, 2])
            #expect(try store.attempts(DeliveryFilter(profiles: [ProfileOrdinal(2)]), limit: 9).map(\.id) == [6, 3])
            let rejected = DeliveryFilter(
                destinationID: "dst_1", profiles: [ProfileOrdinal(0), ProfileOrdinal(2)], computationID: "aud_1",
                emissionOutcome: .rejected)
            #expect(try store.attempts(rejected, limit: 9).map(\.id) == [6])
            #expect(try store.attemptEmissions(rejected, limit: 9).map(\.messageID) == ["m5"])
            #expect(try store.attemptEmissions(limit: 2).map(\.messageID) == ["m5", "m4"])
            let second = try #require(try store.attemptEmissions(limit: 2).last?.id)
            #expect(try store.attemptEmissions(before: second, limit: 2).map(\.messageID) == ["m3", "m2"])
            #expect(
                try store.attemptEmissions(DeliveryFilter(attemptOutcome: .retrying), limit: 9).map(\.messageID)
                    == ["m5", "m3", "m1"])
            #expect(try store.attempts(DeliveryFilter(destinationID: "dst_2"), limit: 9).isEmpty)
        }
    }

    @Test("The record of attempts is bounded, their bodies more so")
    func retention() throws {
        var retention = StateStore.Retention()
        (retention.attempts, retention.attemptBodies) = (4, 2)
        try withStore(retention: retention) { store in
            try store.commit(.start)
            for index in 0..<7 {
                try store.record(
                    step {
                        $0.attempt = .fixture
                        $0.emissions = [.fixture("m\(index)")]
                    })
            }
            #expect(try store.attempts(limit: 9).map(\.id) == [7, 6, 5, 4])
            #expect(try store.attempts(limit: 9).map { $0.request != nil } == [true, true, false, false])
            #expect(try store.attemptEmissions(limit: 9).map(\.messageID) == ["m6", "m5", "m4", "m3"])
            #expect(try store.counts(destinationID: "dst_1").attempts == 7)
        }
    }

    @Test("The outbox can be listed by profile, computation and state")
    func outboxListing() throws {
        try withStore { store in
            try store.commit(.start)
            try store.commit(
                .emissions([
                    .fixture("a"), .fixture("b", profile: 1), .fixture("c", computation: "aud_9"), .fixture("d"),
                ]))
            func ids(_ rows: [OutboxRow]) -> [String] { rows.map(\.emission.messageID) }
            #expect(ids(try store.outbox(limit: 9)) == ["d", "c", "b", "a"])
            #expect(ids(try store.outbox(profiles: [ProfileOrdinal(1)], limit: 9)) == ["b"])
            #expect(ids(try store.outbox(computationID: "aud_1", before: 4, limit: 9)) == ["b", "a"])
            #expect(ids(try store.outbox(destinationID: "dst_1", parked: false, limit: 1)) == ["d"])
            #expect(ids(try store.outbox(parked: true, limit: 9)) == [])
        }
    }
}

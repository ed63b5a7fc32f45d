import GRDB
import JSON
import Model
import Testing

@testable import Store

// What a commit promises: one transaction, on disk, and read back as it was written after a new start.

@Suite struct CommitTests {
    @Test("The writer syncs at every commit, which GRDB undoes when it opens a file")
    func synchronousIsFull() throws {
        let mode = try withStore { try $0.synchronousMode() }
        #expect(mode == 2)
    }

    /// Every kind of row at once.
    private var everything: StateChanges {
        var changes = StateChanges.start
        changes.position = 17
        changes.engineNow = at(99)
        changes.meta = ["nextOrdinal": 3, "identity": ["order": ["user_id"]]]
        changes.sources = [Source(id: "src", name: "Web", writeKey: "wk", createdAt: at(1))]
        changes.backfills = [
            BackfillRow(computationID: "aud_1", asOf: at(3), nextOrdinal: 1, endOrdinal: 9, isFinished: false)
        ]
        changes.profiles += [.fixture(1), .fixture(2, .accounts)]
        changes.identifiers = [
            .fixture(0, owner: 0, "user_id", "u1"), .fixture(1, owner: 1, "email", "jané@example.com"),
        ]
        changes.links = [LinkRow(user: ProfileOrdinal(0), account: ProfileOrdinal(2), createdAt: at(4))]
        changes.activity = [
            ProfileActivity(ordinal: ProfileOrdinal(0), updatedAt: at(8), lastMessageID: "m9", lastSourceID: "src")
        ]
        changes.values = [
            ComputedValueRow(
                computationID: "aud_1", ordinal: ProfileOrdinal(0), value: true, changedAt: at(5), transition: 1,
                emittedIDs: .max),
            ComputedValueRow(
                computationID: "aud_1", ordinal: ProfileOrdinal(1), value: ["a", 12.5, nil], changedAt: at(6),
                transition: 2),
        ]
        changes.transitions = [
            TransitionRow(
                id: 1, computationID: "aud_1", ordinal: ProfileOrdinal(0), value: true, at: at(5), offset: 16,
                cause: "call")
        ]
        changes.wakeups = [WakeupRow(computationID: "aud_1", ordinal: ProfileOrdinal(0), due: at(1000))]
        changes.emissions = [.fixture("personas_1")]
        changes.applied = [
            AppliedRow(
                firstOffset: 0, receivedAt: at(7), messageHashes: [1, .max, 1 << 100],
                ordinals: [0, AppliedRow.notPlaced, 1])
        ]
        changes.issues = [
            IdentityIssue(
                kind: .valueLimit, identifier: Identifier(type: "email", value: "e"), profile: ProfileOrdinal(0),
                at: at(6), offset: 2, messageID: "m", sourceID: "src")
        ]
        changes.counters = ["calls": 3, "duplicate": 1]
        return changes
    }

    @Test("Everything is there after closing and opening again")
    func reopen() throws {
        try withStateFile { path in
            let changes = everything
            let first = try StateStore(path: path)
            try first.commit(changes)
            try first.close()

            let store = try StateStore(path: path)
            defer { try? store.close() }
            let state = try store.load()
            #expect(state.position == 17)
            #expect(state.engineNow == at(99))
            #expect(state.meta == changes.meta)
            #expect(state.sources == changes.sources)
            #expect(state.destinations == changes.destinations)
            #expect(state.computations == changes.computations)
            #expect(state.backfills == changes.backfills)
            #expect(state.profiles == changes.profiles)
            #expect(state.identifiers == changes.identifiers)
            #expect(state.links == changes.links)
            #expect(state.values == changes.values)
            #expect(state.wakeups == changes.wakeups)
            var applied: [AppliedRow] = []
            try store.forEachApplied { applied.append($0) }
            #expect(applied == changes.applied)
            #expect(
                try store.transitions(profiles: changes.transitions.map(\.ordinal), limit: 9)
                    == changes.transitions.reversed())
            #expect(try store.issues() == changes.issues)
            #expect(try store.counters() == changes.counters)
            #expect(try store.activity(of: [ProfileOrdinal(0), ProfileOrdinal(1)]) == changes.activity.first)
            #expect(try store.pending(destinationID: "dst_1", limit: 9).map(\.emission.messageID) == ["personas_1"])
        }
    }

    @Test("A row that can't be written takes the whole batch back")
    func atomicity() throws {
        try withStore { store in
            try store.commit(.start)
            var broken = StateChanges()
            broken.position = 5
            broken.engineNow = at(5)
            broken.meta = ["x": 1]
            broken.counters = ["calls": 5]
            broken.computations = [.fixture("aud_2")]
            broken.identifiers = [.fixture(0, owner: 0, "user_id", "u1")]
            broken.emissions = [.fixture("personas_1")]
            broken.applied = [AppliedRow(firstOffset: 0, receivedAt: at(0), messageHashes: [1], ordinals: [0])]
            var clash = broken
            // The last thing that is written.
            clash.applied.append(AppliedRow(firstOffset: 0, receivedAt: at(0), messageHashes: [2], ordinals: [0]))
            #expect(throws: DatabaseError.self) { try store.commit(clash) }

            let state = try store.load()
            #expect(state.position == 0)
            #expect(state.engineNow == nil)
            #expect(state.meta.isEmpty)
            #expect(state.computations.map(\.id) == ["aud_1"])
            #expect(state.identifiers.isEmpty)
            #expect(try store.counters().isEmpty)
            #expect(try store.pending(destinationID: "dst_1", limit: 9).isEmpty)
            // The same store goes on, and the failed transaction's computation is not believed to exist.
            var orphan = StateChanges()
            orphan.wakeups = [WakeupRow(computationID: "aud_2", ordinal: ProfileOrdinal(0), due: at(1))]
            #expect(throws: StoreError.unknownComputation("aud_2")) { try store.commit(orphan) }
            try store.commit(broken)
            #expect(try store.load().position == 5)
        }
    }

    @Test("Present rows replace, nil disarms, deletions delete")
    func replacement() throws {
        try withStore { store in
            try store.commit(everything)
            var changes = StateChanges()
            changes.position = 18
            changes.meta = ["nextOrdinal": 4]
            changes.counters = ["calls": 2]
            changes.values = [
                ComputedValueRow(
                    computationID: "aud_1", ordinal: ProfileOrdinal(0), value: false, changedAt: at(50), transition: 2)
            ]
            changes.deletedValues = [ValueKey(computationID: "aud_1", ordinal: ProfileOrdinal(1))]
            changes.wakeups = [WakeupRow(computationID: "aud_1", ordinal: ProfileOrdinal(0), due: nil)]
            changes.backfills = [
                BackfillRow(computationID: "aud_1", asOf: at(3), nextOrdinal: 9, endOrdinal: 9, isFinished: true)
            ]
            changes.removedIdentifiers = [Identifier(type: "user_id", value: "u1")]
            var renamed = Computation.fixture()
            renamed.name = "Renamed"
            changes.computations = [renamed]
            try store.commit(changes)

            let state = try store.load()
            #expect(state.position == 18)
            #expect(state.engineNow == at(99), "not given means not changed")
            #expect(state.meta["nextOrdinal"] == 4)
            #expect(state.values == changes.values)
            #expect(state.wakeups.isEmpty)
            #expect(state.backfills == changes.backfills)
            #expect(state.identifiers.map(\.identifier.value) == ["jané@example.com"])
            #expect(state.computations == [renamed])
            #expect(try store.counters()["calls"] == 5)
        }
    }

    @Test("Merges re-point everything that had been merged before")
    func merges() throws {
        try withStore { store in
            var changes = StateChanges()
            changes.profiles = (0..<4).map { .fixture($0) }
            func merge(_ absorbed: UInt32, _ survivor: UInt32, _ offset: Int64) -> MergeRow {
                MergeRow(
                    absorbed: ProfileOrdinal(absorbed), survivor: ProfileOrdinal(survivor), at: at(offset),
                    offset: offset, messageID: "m\(offset)")
            }
            changes.merges = [merge(3, 2, 1)]
            try store.commit(changes)
            changes = StateChanges()
            changes.merges = [merge(2, 1, 2), merge(1, 0, 3)]
            try store.commit(changes)
            #expect(try store.load().profiles.map(\.mergedInto?.rawValue) == [nil, 0, 0, 0])
            #expect(
                try store.merges(of: [ProfileOrdinal(2), ProfileOrdinal(3)]) == [merge(3, 2, 1), merge(2, 1, 2)])
        }
    }

    @Test("Values with any text survive: quotes, zero characters, different normal forms are different values")
    func texts() throws {
        try withStore { store in
            var changes = StateChanges()
            changes.profiles = [.fixture(0)]
            let values = ["o'neil", "a\u{0}b", "", "e\u{301}", "\u{e9}", "😀"]
            changes.identifiers = values.enumerated().map { .fixture(Int64($0), owner: 0, "user_id", $1) }
            try store.commit(changes)
            let loaded = try store.load().identifiers.map { Array($0.identifier.value.utf8) }
            #expect(loaded == values.map { Array($0.utf8) })
            #expect(try store.identifier(Identifier(type: "user_id", value: "\u{e9}"))?.sequence == 4)
        }
    }

    @Test("Applied rows stream from the row that holds the offset")
    func applied() throws {
        try withStore { store in
            var changes = StateChanges()
            changes.applied = [(0, 3), (3, 2), (10, 1)].map { first, count in
                AppliedRow(
                    firstOffset: first, receivedAt: at(first), messageHashes: (0..<count).map { UInt128($0) },
                    ordinals: Array(repeating: 7, count: count))
            }
            try store.commit(changes)
            func firsts(from offset: Int64) throws -> [Int64] {
                var firsts: [Int64] = []
                try store.forEachApplied(from: offset) { firsts.append($0.firstOffset) }
                return firsts
            }
            #expect(try firsts(from: 0) == [0, 3, 10])
            #expect(try firsts(from: 4) == [3, 10])
            #expect(try firsts(from: 5) == [10])
            #expect(try firsts(from: 11) == [])
        }
    }

    @Test("The list of issues is a ring")
    func issueRing() throws {
        var retention = StateStore.Retention()
        retention.issues = 3
        try withStore(retention: retention) { store in
            for batch in 0..<3 {
                var changes = StateChanges()
                changes.issues = (0..<2).map {
                    IdentityIssue(
                        kind: $0 == 0 ? .noIdentifiers : .valueBlocked,
                        identifier: $0 == 0 ? nil : Identifier(type: "email", value: "b\(batch)"), at: at(0),
                        offset: Int64(batch * 2 + $0), messageID: "m", sourceID: "s")
                }
                try store.commit(changes)
            }
            #expect(try store.issues().map(\.offset) == [5, 4, 3])
            #expect(try store.issues(kind: .valueBlocked).map(\.offset) == [5, 3])
            #expect(try store.issues(value: "b1").map(\.offset) == [3])
        }
    }

    @Test("What a newer version wrote is left alone")
    func newerSchema() throws {
        try withStateFile { path in
            try StateStore(path: path).close()
            let raw = try DatabaseQueue(path: path)
            try raw.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 future')") }
            try raw.close()
            #expect(throws: StoreError.newerSchema) { try StateStore(path: path) }
        }
    }
}

@Suite struct DeletionTests {
    @Test("A deleted computation is gone at once, its rows are purged in steps")
    func computation() throws {
        try withStore { store in
            var changes = StateChanges.start
            changes.computations.append(.fixture("aud_2"))
            changes.values = ["aud_1", "aud_2"].flatMap { id in
                (0..<5).map {
                    ComputedValueRow(
                        computationID: id, ordinal: ProfileOrdinal($0), value: true, changedAt: at(0), transition: 1)
                }
            }
            changes.wakeups = (0..<5).map {
                WakeupRow(computationID: "aud_1", ordinal: ProfileOrdinal($0), due: at(9))
            }
            try store.commit(changes)
            changes = StateChanges()
            changes.deletedComputations = ["aud_1"]
            try store.commit(changes)
            #expect(try store.load().computations.map(\.id) == ["aud_2"])
            #expect(try store.load().wakeups.isEmpty)
            #expect(try store.load().values.allSatisfy { $0.computationID != "aud_1" })

            // What is left of it falls out when runs are merged.
            #expect(try store.entryCount(.present) == 15)
            try store.upkeep.perform { try store.seal() }
            for transition in 2...5 {
                try store.commit(StateChanges.values(of: "aud_2", transition: Int64(transition)))
                try store.upkeep.perform { try store.seal() }
            }
            try store.upkeep.perform { try store.tidy { false } }
            #expect(try store.entryCount(.present) == 5)
            #expect(try !store.purge())
            // The id may come back and starts afresh.
            try store.commit(.start(with: .fixture("aud_1")))
            #expect(try store.load().values.allSatisfy { $0.computationID != "aud_1" })
        }
    }

    @Test("A deleted destination loses its outbox, ledger and attempts; delivery's late report is dropped")
    func destination() throws {
        try withStore { store in
            try store.commit(.start)
            try store.commit(.emissions([.fixture("a"), .fixture("b")]))
            var step = DeliveryChanges(destinationID: "dst_1", at: at(1))
            step.acknowledgedValues = [LedgerKey(externalID: "u1", attribute: "k"): true]
            step.delivered = [1]
            step.attempt = .fixture
            step.emissions = [.fixture("a")]
            try store.record(step)
            var changes = StateChanges()
            changes.deletedDestinations = ["dst_1"]
            try store.commit(changes)
            #expect(try store.record(step) == nil)
            #expect(try !store.purge())
            for table in ["outbox", "ledger", "destination_counts", "attempts", "attempt_records"] {
                #expect(try store.rowCount(table) == 0)
            }
            #expect(throws: StoreError.unknownDestination("dst_1")) {
                try store.commit(.emissions([.fixture("c")]))
            }
        }
    }

    @Test("Nothing of a deleted profile stays")
    func profile() throws {
        try withStore { store in
            var changes = StateChanges.start
            changes.profiles += [.fixture(1), .fixture(2)]
            changes.identifiers = [.fixture(0, owner: 0, "user_id", "u1"), .fixture(1, owner: 1, "user_id", "u2")]
            changes.links = [LinkRow(user: ProfileOrdinal(0), account: ProfileOrdinal(2), createdAt: at(0))]
            for ordinal in [ProfileOrdinal(0), ProfileOrdinal(1)] {
                changes.values.append(
                    ComputedValueRow(
                        computationID: "aud_1", ordinal: ordinal, value: true, changedAt: at(0), transition: 1))
                changes.wakeups.append(WakeupRow(computationID: "aud_1", ordinal: ordinal, due: at(9)))
                changes.transitions.append(
                    TransitionRow(
                        id: Int64(ordinal.rawValue), computationID: "aud_1", ordinal: ordinal, value: true, at: at(0),
                        offset: 0, cause: "call"))
                changes.activity.append(
                    ProfileActivity(ordinal: ordinal, updatedAt: at(0), lastMessageID: "m", lastSourceID: "s"))
                changes.emissions.append(.fixture("p\(ordinal.rawValue)", profile: ordinal.rawValue))
            }
            changes.issues = [
                IdentityIssue(
                    kind: .valueLimit, identifier: Identifier(type: "user_id", value: "u1"), at: at(0), offset: 0,
                    messageID: "m", sourceID: "s")
            ]
            try store.commit(changes)
            var step = DeliveryChanges(destinationID: "dst_1", at: at(1))
            step.attempt = .fixture
            step.emissions = [.fixture("p0", profile: 0), .fixture("p1", profile: 1)]
            let attempt = try #require(try store.record(step))

            changes = StateChanges()
            changes.deletedProfiles = [ProfileOrdinal(0)]
            try store.commit(changes)
            for (table, column) in [
                ("profiles", "ordinal"), ("identifiers", "owner"), ("links", "user"), ("outbox", "ordinal"),
            ] {
                #expect(try store.rowCount(table, where: "\(column) = 0") == 0, "\(table)")
                if table != "links" { #expect(try store.rowCount(table, where: "\(column) = 1") == 1, "\(table)") }
            }
            for kind in EntryKind.allCases {
                #expect(try store.entryCount(kind, of: 0) == 0, "\(kind)")
                #expect(try store.entryCount(kind, of: 1) == (kind == .present ? 3 : 1), "\(kind)")
            }
            #expect(try store.issues().isEmpty)
            #expect(try store.attempt(id: attempt)?.request == nil)
            #expect(try store.emissions(attemptID: attempt).map(\.messageID) == ["p1"])
        }
    }
}

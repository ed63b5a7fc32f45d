import GRDB
import JSON
import Model
import TestSupport
import Testing

@testable import Store

/// Goal: whatever has been sealed, merged, removed, taken back by an error or left half done by a kill, the state reads as if
/// each row stood in a table. Method: random changes are committed and kept in dictionaries as well; both must say the same.
@Suite struct RunTests {
    /// What a table with a row each would hold.
    private struct Model {
        var values: [ValueKey: ComputedValueRow] = [:]
        var wakeups: [ValueKey: WakeupRow] = [:]
        var activity: [UInt32: ProfileActivity] = [:]
        var transitions: [TransitionRow] = []
        var nextTransition: Int64 = 1

        mutating func commit(_ changes: StateChanges) {
            func key(_ id: String, _ ordinal: ProfileOrdinal) -> ValueKey {
                ValueKey(computationID: id, ordinal: ordinal)
            }
            for row in changes.values { values[key(row.computationID, row.ordinal)] = row }
            for key in changes.deletedValues { values[key] = nil }
            for row in changes.wakeups { wakeups[key(row.computationID, row.ordinal)] = row.due == nil ? nil : row }
            for row in changes.activity { activity[row.ordinal.rawValue] = row }
            transitions += changes.transitions
            let gone = Set(changes.deletedProfiles)
            values = values.filter { !gone.contains($0.key.ordinal) }
            wakeups = wakeups.filter { !gone.contains($0.key.ordinal) }
            for profile in gone { activity[profile.rawValue] = nil }
            transitions.removeAll { gone.contains($0.ordinal) }
        }
    }

    private static let people = 40
    private static let ids = ["aud_1", "aud_2", "tra_3"]

    private func changes(_ model: inout Model, _ random: inout SeededRandom) -> StateChanges {
        func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        func profile() -> ProfileOrdinal { ProfileOrdinal(UInt32(below(Self.people)) * 3) }
        func value() -> JSONValue {
            switch below(9) {
            case 0: .null
            case 1: true
            case 2: false
            case 3: .number(below(1000) - 500)
            case 4: .number(Double(below(1000)) / 7)
            case 5: .string(String(repeating: "é", count: below(40)))
            case 6: ["a", 1, nil]
            case 7: JSONNumber(literal: "9007199254740993").map { .number($0) } ?? .null
            default: .string(below(60) == 0 ? String(repeating: "x", count: 70_000) : "x")
            }
        }
        var changes = StateChanges()
        changes.position = Int64(below(1 << 30))
        for _ in 0..<below(30) {
            let row = ComputedValueRow(
                computationID: Self.ids[below(3)], ordinal: profile(), value: value(),
                changedAt: at(Int64(below(1 << 20)) - 1000), transition: Int64(below(300)),
                emittedIDs: below(5) == 0 ? .max - 7 : 0)
            changes.values.append(row)
            changes.transitions.append(
                TransitionRow(
                    id: model.nextTransition, computationID: row.computationID, ordinal: row.ordinal, value: row.value,
                    at: row.changedAt, offset: Int64(below(1 << 40)), cause: ["call", "time", "odd"][below(3)]))
            model.nextTransition += 1
        }
        for _ in 0..<below(3) {
            changes.deletedValues.append(ValueKey(computationID: Self.ids[below(3)], ordinal: profile()))
        }
        for _ in 0..<below(10) {
            changes.wakeups.append(
                WakeupRow(
                    computationID: Self.ids[below(3)], ordinal: profile(),
                    due: below(3) == 0 ? nil : at(Int64(below(1 << 20)))))
        }
        for _ in 0..<below(10) {
            changes.activity.append(
                ProfileActivity(
                    ordinal: profile(), updatedAt: at(Int64(below(1 << 20))), lastMessageID: "m\(below(1 << 30))",
                    lastSourceID: "src"))
        }
        if below(25) == 0 { changes.deletedProfiles = [profile(), profile()] }
        return changes
    }

    private func check(_ store: StateStore, _ model: Model) throws {
        func order(_ id: String, _ ordinal: ProfileOrdinal) -> (UInt32, String) { (ordinal.rawValue, id) }
        let state = try store.load()
        #expect(
            state.values
                == model.values.values.sorted {
                    order($0.computationID, $0.ordinal) < order($1.computationID, $1.ordinal)
                })
        #expect(
            state.wakeups
                == model.wakeups.values.sorted {
                    order($0.computationID, $0.ordinal) < order($1.computationID, $1.ordinal)
                })
        for ordinal in (0..<UInt32(Self.people)).map({ ProfileOrdinal($0 * 3) }) {
            let all = model.transitions.filter { $0.ordinal == ordinal }.sorted { $0.id > $1.id }
            #expect(try store.transitions(profiles: [ordinal], limit: 10_000) == all)
            #expect(try store.transitions(profiles: [ordinal], limit: 3) == Array(all.prefix(3)))
            let before = all.dropFirst(2).first?.id ?? 0
            #expect(
                try store.transitions(profiles: [ordinal], computationID: "aud_1", before: before, limit: 4)
                    == Array(all.filter { $0.id < before && $0.computationID == "aud_1" }.prefix(4)))
            #expect(try store.activity(of: [ordinal]) == model.activity[ordinal.rawValue])
        }
        let everybody = (0..<UInt32(Self.people * 3)).map { ProfileOrdinal($0) }
        #expect(
            try store.transitions(profiles: everybody, limit: 100_000) == model.transitions.sorted { $0.id > $1.id })
    }

    @Test("Random changes, seals, merges, removals and restarts: as if each row stood in a table", arguments: 1...6)
    func random(seed: UInt64) throws {
        print("runs seed \(seed)")
        var random = SeededRandom(seed: seed)
        var model = Model()
        // Small enough that the background seals as well, on odd seeds.
        var retention = StateStore.Retention()
        retention.journalBytes = seed % 2 == 0 ? 1 << 30 : 3_000
        try withStateFile { path in
            var store = try StateStore(path: path, retention: retention)
            var start = StateChanges.start
            start.computations = Self.ids.map { .fixture($0) }
            try store.commit(start)
            for step in 0..<120 {
                let changes = changes(&model, &random)
                try store.commit(changes)
                model.commit(changes)
                switch random.next() % 12 {
                case 0 where seed % 2 == 0: try store.upkeep.perform { try store.seal() }
                case 1 where seed % 2 == 0: try store.upkeep.perform { try store.tidy { false } }
                case 2:
                    try store.close()
                    store = try StateStore(path: path, retention: retention)
                default: break
                }
                if step % 20 == 19 { try check(store, model) }
            }
            try check(store, model)
            try store.close()
            store = try StateStore(path: path, retention: retention)
            try check(store, model)
            try store.close()
        }
    }

    @Test("Of removed people nothing is left in the journal, in runs, or in those that were being made")
    func removal() throws {
        try withStore { store in
            var changes = StateChanges.start
            func activity(_ ordinal: UInt32, _ message: String) -> ProfileActivity {
                ProfileActivity(
                    ordinal: ProfileOrdinal(ordinal), updatedAt: at(1), lastMessageID: message, lastSourceID: "src")
            }
            changes.activity = [activity(0, "SECRET-a"), activity(1, "kept")]
            try store.commit(changes)
            try store.upkeep.perform { try store.seal() }
            changes = StateChanges()
            changes.activity = [activity(0, "SECRET-b")]
            try store.commit(changes)
            // As a kill leaves it behind in the middle of a merge.
            try store.pool.write { db in
                try db.execute(sql: "INSERT INTO runs (kind, state, upto, level, bytes) VALUES (0, 0, 0, 0, 9)")
                try db.execute(
                    sql: "INSERT INTO chunks (run, first, last, bytes) VALUES (?, 0, 0, 'SECRET-c')",
                    arguments: [db.lastInsertedRowID])
            }
            changes = StateChanges()
            changes.deletedProfiles = [ProfileOrdinal(0)]
            changes.activity = [activity(0, "SECRET-d")]
            try store.commit(changes)
            let stored = try store.storedBytes()
            #expect(stored.contains { $0.firstRange(of: Array("kept".utf8)) != nil })
            #expect(!stored.contains { $0.firstRange(of: Array("SECRET".utf8)) != nil })
            #expect(try store.activity(of: [ProfileOrdinal(0)]) == nil)
            #expect(try store.activity(of: [ProfileOrdinal(1)])?.lastMessageID == "kept")
        }
    }

    @Test("Runs that a kill left half made are dropped at the next start, and the journal is still there")
    func leftHalfMade() throws {
        try withStateFile { path in
            let store = try StateStore(path: path)
            try store.commit(.start)
            try store.commit(.values(of: "aud_1", transition: 4))
            try store.pool.write { db in
                try db.execute(sql: "INSERT INTO runs (kind, state, upto, level, bytes) VALUES (0, 0, 0, 0, 9)")
                try db.execute(sql: "INSERT INTO chunks (run, first, last, bytes) VALUES (1, 0, 9, 'half')")
            }
            try store.close()
            let again = try StateStore(path: path)
            again.upkeep.drain()
            #expect(try again.rowCount("chunks") == 0)
            #expect(try again.load().values.map(\.transition) == [4, 4, 4, 4, 4])
            try again.close()
        }
    }

    @Test("A file with a row per value is read as it was")
    func migration() throws {
        try withStateFile { path in
            let old = try DatabaseQueue(path: path)
            try Schema.migrator.migrate(old, upTo: "5 regulations")
            try old.write { db in
                try db.execute(
                    sql: "INSERT INTO computations (id, json) VALUES ('aud_1', ?)",
                    arguments: ["\(Computation.fixture().json)"])
                try db.execute(
                    sql: """
                        INSERT INTO computed_values VALUES (1, 7, 'true', 5000, 2, -1), (1, 3, '12.5', 6000, 1, 0);
                        INSERT INTO wakeups VALUES (1, 7, 9000);
                        INSERT INTO activity VALUES (7, 8000, 'm9', 'src');
                        INSERT INTO transitions VALUES (1, 1, 7, 'false', 4000, 15, 'call'), (2, 1, 7, 'true', 5000, 16, 'time');
                        """)
            }
            try old.close()
            let store = try StateStore(path: path)
            defer { try? store.close() }
            let state = try store.load()
            #expect(state.values.map(\.value) == [12.5, true] && state.values.last?.emittedIDs == .max)
            #expect(state.wakeups == [WakeupRow(computationID: "aud_1", ordinal: ProfileOrdinal(7), due: at(9))])
            #expect(try store.activity(of: [ProfileOrdinal(7)])?.lastMessageID == "m9")
            #expect(try store.transitions(profiles: [ProfileOrdinal(7)], limit: 9).map(\.cause) == ["time", "call"])
            #expect(try store.hasTransition(computationID: "aud_1", profiles: [ProfileOrdinal(7)], upTo: at(4)))
            #expect(try !store.hasTransition(computationID: "aud_1", profiles: [ProfileOrdinal(7)], upTo: at(3)))
        }
    }
}

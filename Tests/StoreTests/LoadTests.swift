import GRDB
import JSON
import Model
import Store
import Testing

@Suite struct LoadTests {
    @Test("A hundred thousand profiles with ids, values and wake-ups come back complete")
    func many() throws {
        try withStateFile { path in
            let count: UInt32 = 100_000
            var changes = StateChanges.start
            changes.profiles = (0..<count).map { .fixture($0) }
            changes.identifiers = (0..<count).map { .fixture(Int64($0), owner: $0, "user_id", "user-\($0)") }
            changes.values = (0..<count).map {
                ComputedValueRow(
                    computationID: "aud_1", ordinal: ProfileOrdinal($0), value: .bool($0 % 2 == 0), changedAt: at(0),
                    transition: 1)
            }
            changes.wakeups = (0..<count).map {
                WakeupRow(computationID: "aud_1", ordinal: ProfileOrdinal($0), due: at(Int64($0)))
            }
            let clock = ContinuousClock()
            let store = try StateStore(path: path)
            let written = try clock.measure { try store.commit(changes) }
            var state = LoadedState()
            let read = try clock.measure { state = try store.load() }
            // For the reader of the log; a debug build is many times slower than a release.
            print("committed 400,000 rows in \(written), loaded them in \(read)")
            #expect(state.profiles == changes.profiles)
            #expect(state.identifiers == changes.identifiers)
            #expect(state.values == changes.values)
            #expect(state.wakeups == changes.wakeups)
            try store.close()
        }
    }

    @Test("A backup taken while writers go on holds the whole state as of one instant")
    func backup() throws {
        try withStateFile { path in
            let store = try StateStore(path: path)
            defer { try? store.close() }
            var changes = StateChanges.start
            changes.position = 4
            try store.commit(changes)
            let copyPath = String(path.dropLast("state.sqlite".count)) + "copy.sqlite"
            try store.backup(to: copyPath)
            changes = StateChanges()
            changes.position = 5
            try store.commit(changes)

            let copy = try DatabaseQueue(path: copyPath)
            #expect(try copy.read { try Int.fetchOne($0, sql: "SELECT position FROM progress") } == 4)
            #expect(try copy.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
            try copy.close()
        }
    }

    @Test("Two writers and a reader at once: nothing is lost")
    func concurrency() async throws {
        let directory = TemporaryDirectory()
        let store = try StateStore(path: directory.stateFile)
        try store.commit(.start)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for batch in 0..<50 {
                    var changes = StateChanges()
                    changes.position = Int64(batch + 1)
                    changes.emissions = (0..<10).map { .fixture("m\(batch)-\($0)") }
                    try store.commit(changes)
                }
            }
            group.addTask {
                var delivered = 0
                while delivered < 500 {
                    let rows = try store.pending(destinationID: "dst_1", limit: 25)
                    var step = DeliveryChanges(destinationID: "dst_1", at: at(1))
                    step.delivered = rows.map(\.sequence)
                    try store.record(step)
                    delivered += rows.count
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
        #expect(try store.counts(destinationID: "dst_1").delivered == 500)
        #expect(try store.load().position == 50)
        try store.close()
    }
}

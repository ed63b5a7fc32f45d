import EventLog
import Foundation
import History
import JSON
import Logging
import Model
import Store
import Testing

@testable import Engine

/// Goal: the history's files are only ever a faster way to what the Log says.
@Suite struct HistoryFileTests {
    private func people(_ muster: TestInstallation, _ count: Int, from first: Int = 0) -> [LogEntry] {
        (first..<first + count).flatMap { number in
            [
                muster.track(
                    "Bought", user: "u\(number % 7)", at: start + .minutes(Int64(number)), ["price": .number(number)]),
                muster.identify(user: "u\(number % 7)", at: start + .minutes(Int64(number)), ["n": .number(number)]),
            ]
        }
    }

    private func answers(_ engine: Engine) -> [String] {
        engine.profiles(.users, before: nil, limit: 100).flatMap { profile in
            engine.customTraits(of: profile.ordinal).map { "\($0.key)=\($0.value)" }
                + engine.timeline(of: profile.ordinal, before: nil, limit: 1000).map { "\($0.name) \($0.offset)" }
                + engine.computedValues(of: profile.ordinal).map { "\($0.key)=\($0.value)" }
        }
    }

    @Test func `A restart reads from the Log what the files do not hold`() async throws {
        let muster = try TestInstallation(historyRows: 50)
        try await muster.apply([
            muster.create(.trait, key: "spent", "event('Bought').sum(property('price'))", at: start)
        ])
        try await muster.apply(people(muster, 40))
        try muster.engine.flushHistory()
        try await muster.apply(people(muster, 11, from: 40))
        let expected = answers(muster.engine)
        let stored = muster.engine.history.storedPosition
        #expect(stored == 81)
        try muster.reopen()
        #expect(muster.engine.historyProblem == nil)
        #expect(muster.engine.history.storedPosition == stored)
        #expect(muster.engine.history.freshRowCount == 22)
        #expect(answers(muster.engine) == expected)
        // And goes on as if nothing had been.
        try await muster.apply(people(muster, 5, from: 51))
        #expect(muster.value("spent", user: "u0") == 196)
    }

    @Test func `A call that comes twice is known by the files, until it is too old`() async throws {
        let muster = try TestInstallation(historyRows: 20)
        let calls = people(muster, 60)
        try await muster.apply(calls)
        try muster.engine.flushHistory()
        try await muster.apply(people(muster, 3, from: 60))
        try muster.reopen()
        #expect(muster.engine.history.seenIDs.reduce(0) { $0 + $1.count } == 120)
        #expect(muster.engine.deduplicator.count == 6, "only the tail is read from the Log")
        try await muster.apply(calls)
        #expect(muster.engine.history.freshRowCount == 6)
        #expect(try muster.store.counters()["duplicate_calls"] == 120)
        // Sent again four days later it counts as new, as without files.
        let late = calls.map { entry -> LogEntry in
            guard case .call(var call) = entry else { return entry }
            call.receivedAt = call.receivedAt + .days(4)
            return .call(call)
        }
        try await muster.apply(late)
        #expect(muster.engine.history.freshRowCount == 126)
        try muster.engine.flushHistory()
        try await muster.apply(late)
        #expect(muster.engine.history.freshRowCount == 0)
    }

    private func service(_ muster: TestInstallation, rows: Int, readAtOpening: Int64 = .max) throws -> EngineService {
        var configuration = EngineService.Configuration()
        configuration.engine.historyDirectory = muster.historyDirectory
        configuration.engine.historyFlushRows = rows
        configuration.recordsReadAtOpening = readAtOpening
        configuration.batchRecords = 10
        return try EngineService(
            configuration: configuration, store: muster.store, log: muster.log,
            gate: ReceiptGate(clock: FixedClock()), logger: Logger(label: "test"))
    }

    @Test func `A clean stop writes everything, so that the next start reads nothing`() async throws {
        let muster = try TestInstallation(historyRows: 1000)
        let service = try service(muster, rows: 1000)
        service.start()
        _ = try await muster.log.append(people(muster, 40))
        try await service.waitUntilCaughtUp()
        let expected = service.read { self.answers($0) }
        service.stop()
        try muster.reopen()
        #expect(muster.engine.history.storedPosition == 80)
        #expect(muster.engine.history.freshRowCount == 0)
        #expect(answers(muster.engine) == expected)
    }

    @Test func `What is missing is read while state can be asked, and answers wait for it`() async throws {
        let muster = try TestInstallation(historyRows: 10)
        try await muster.apply([
            muster.create(.trait, key: "spent", "event('Bought').sum(property('price'))", at: start)
        ])
        try await muster.apply(people(muster, 30))
        let expected = answers(muster.engine)
        try FileManager.default.removeItem(atPath: muster.historyDirectory)
        let service = try service(muster, rows: 10, readAtOpening: 5)
        #expect(service.historyState.phase == .rebuilding)
        #expect(service.historyState.total == 61)
        // Nobody started it: state is told at once, and whoever asks for more gets all of it.
        #expect(service.readState { $0.computations.count } == 1)
        #expect(service.readState { !$0.isComplete })
        #expect(service.read { self.answers($0) } == expected)
        #expect(service.historyState.phase == .ready)
        service.start()
        _ = try await muster.log.append(people(muster, 5, from: 30))
        try await service.waitUntilCaughtUp()
        service.stop()
        #expect(service.failure == nil)
        try muster.reopen()
        #expect(muster.engine.history.freshRowCount == 0)
        #expect(muster.value("spent", user: "u0") == .number((0..<35).filter { $0 % 7 == 0 }.reduce(0, +)))
    }

    @Test func `While nothing can be written memory does not grow, and afterwards nothing is missing`() async throws {
        let muster = try TestInstallation(historyRows: 20)
        let service = try service(muster, rows: 20)
        // A file where the directory was: nothing can be created.
        let directory = muster.historyDirectory
        try FileManager.default.removeItem(atPath: directory)
        try Data().write(to: URL(fileURLWithPath: directory))
        service.start()
        _ = try await muster.log.append(people(muster, 200))
        for _ in 0..<1000 where service.historyState.writeFailure == nil || service.read({ !$0.isHistoryBehind }) {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(service.historyState.writeFailure?.contains(directory) == true)
        let position = service.read(\.position)
        #expect(position < 100, "two flushes' worth, what is being written, and the batches in which they came")
        #expect(service.read { $0.history.freshRowCount } < 60)
        try FileManager.default.removeItem(atPath: directory)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try await service.waitUntilCaughtUp()
        #expect(service.read(\.position) == 400)
        let expected = service.read { self.answers($0) }
        service.stop()
        #expect(service.failure == nil)
        try muster.reopen()
        #expect(muster.engine.history.storedPosition == 400)
        #expect(answers(muster.engine) == expected)
    }

    @Test func `A deletion holds although the files are older than it`() async throws {
        let muster = try TestInstallation(historyRows: 20)
        try await muster.apply(people(muster, 60))
        try muster.engine.flushHistory()
        let copy = muster.historyDirectory + "-before"
        try FileManager.default.copyItem(atPath: muster.historyDirectory, toPath: copy)
        let order = Regulation(id: "reg_1", kind: .deleteInternal, userIDs: ["u0"], createdAt: start + .hours(2))
        try await muster.apply([.command(.regulate(order), receivedAt: start + .hours(2))])
        let counts = muster.engine.history.eventCatalogue.map(\.count)
        #expect(counts == [51])
        let expected = answers(muster.engine)
        for _ in 0..<2 {
            try FileManager.default.removeItem(atPath: muster.historyDirectory)
            try FileManager.default.copyItem(atPath: copy, toPath: muster.historyDirectory)
            try muster.reopen()
            #expect(muster.engine.historyProblem == nil)
            #expect(muster.engine.history.eventCatalogue.map(\.count) == counts)
            #expect(answers(muster.engine) == expected)
        }
    }

    @Test func `Of a deleted person the history's files keep nothing`() async throws {
        let muster = try TestInstallation(historyRows: 20)
        try await muster.apply(people(muster, 30))
        try await muster.apply([
            muster.identify(user: "u0", at: start + .hours(1), ["email": "kim@example.org"]),
            muster.track("Wrote", user: "u0", at: start + .hours(1), ["text": "something private"]),
        ])
        try muster.engine.flushHistory()
        func holding(_ text: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: muster.historyDirectory).filter { name in
                FileManager.default.contents(atPath: "\(muster.historyDirectory)/\(name)")?.range(of: Data(text.utf8))
                    != nil
            }
        }
        #expect(try !holding("kim@example.org").isEmpty && !holding("something private").isEmpty)
        let order = Regulation(id: "reg_1", kind: .deleteInternal, userIDs: ["u0"], createdAt: start + .hours(2))
        try await muster.apply([.command(.regulate(order), receivedAt: start + .hours(2))])
        let expected = answers(muster.engine)
        // The service does it by itself, when nothing else is to do.
        let service = try service(muster, rows: 20)
        service.start()
        for _ in 0..<1000 where service.read(\.history.needsCleaning) { try await Task.sleep(for: .milliseconds(5)) }
        service.stop()
        #expect(try holding("kim@example.org") == [])
        #expect(try holding("something private") == [])
        try muster.reopen()
        #expect(muster.engine.historyProblem == nil)
        #expect(answers(muster.engine) == expected)
    }

    @Test func `Damaged files are deleted and rebuilt when the engine opens`() async throws {
        let muster = try TestInstallation(historyRows: 10)
        try await muster.apply(people(muster, 30))
        try muster.engine.flushHistory()
        let expected = answers(muster.engine)
        let manifest = muster.historyDirectory + "/manifest"
        var data = try #require(FileManager.default.contents(atPath: manifest))
        data[data.count / 2] ^= 4
        try data.write(to: URL(fileURLWithPath: manifest))
        try muster.reopen()
        #expect(muster.engine.historyProblem?.contains("checksum") == true)
        #expect(answers(muster.engine) == expected)
        #expect(muster.engine.history.storedPosition > 0, "a rebuild writes files again")
        try muster.reopen()
        #expect(muster.engine.historyProblem == nil)
        #expect(answers(muster.engine) == expected)
    }

    @Test func `Files that are ahead of the state or of another Log are not believed`() async throws {
        let (one, other) = (try TestInstallation(historyRows: 10), try TestInstallation(historyRows: 10))
        try await one.apply(people(one, 30))
        try one.engine.flushHistory()
        // The same ids at the same places would be the same Log: these are others.
        _ = other.track("Never sent", at: start)
        try await other.apply(people(other, 30, from: 3))
        try await other.apply(people(other, 30, from: 33))
        let expected = answers(other.engine)
        try FileManager.default.removeItem(atPath: other.historyDirectory)
        try FileManager.default.copyItem(atPath: one.historyDirectory, toPath: other.historyDirectory)
        try other.reopen()
        #expect(other.engine.historyProblem?.contains("others") == true)
        #expect(answers(other.engine) == expected)
    }

    @Test func `Damage found while serving is repaired before an answer leaves`() async throws {
        let muster = try TestInstallation(historyRows: 20)
        try await muster.apply([
            muster.create(.trait, key: "spent", "event('Bought').sum(property('price'))", at: start)
        ])
        try await muster.apply(people(muster, 60))
        try muster.engine.flushHistory()
        let expected = answers(muster.engine)
        let runs = try #require(
            FileManager.default.contentsOfDirectory(atPath: muster.historyDirectory).first { $0.hasSuffix(".runs") })
        let path = muster.historyDirectory + "/" + runs
        var data = try #require(FileManager.default.contents(atPath: path))
        for place in stride(from: 64, to: data.count / 2, by: 40) { data[place] ^= 0x10 }
        try data.write(to: URL(fileURLWithPath: path))
        let service = try service(muster, rows: 20)
        let found = service.read { self.answers($0) }
        #expect(found == expected)
        #expect(service.historyState.rebuilds == 1)
        #expect(service.historyState.problem?.contains("checksum") == true)
        service.start()
        _ = try await muster.log.append(people(muster, 30, from: 60))
        try await service.waitUntilCaughtUp()
        // What the service flushes and merges by itself is sound.
        for _ in 0..<400 where service.read({ $0.history.freshRowCount >= 20 }) {
            try await Task.sleep(for: .milliseconds(5))
        }
        let sum = service.read { engine in
            engine.profile(for: Identifier(type: "user_id", value: "u0")).flatMap { profile in
                engine.computedValues(of: profile).first { $0.key == "spent" }?.value
            }
        }
        #expect(sum == .number((0..<90).filter { $0 % 7 == 0 }.reduce(0, +)))
        service.stop()
        #expect(service.failure == nil)
        #expect(service.historyState.rebuilds == 1)
    }
}

private struct FixedClock: InstantSource {
    func now() -> Instant { start + .days(1) }
}

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
        var configuration = EngineService.Configuration()
        configuration.engine.historyDirectory = muster.historyDirectory
        configuration.engine.historyFlushRows = 20
        let service = try EngineService(
            configuration: configuration, store: muster.store, log: muster.log,
            gate: ReceiptGate(clock: FixedClock()), logger: Logger(label: "test"))
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

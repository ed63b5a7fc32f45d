import EventLog
import Foundation
import History
import JSON
import Logging
import Model
import Store
import Testing

@testable import Engine

/// Goal: what has expired counts nowhere from then on and is gone from the files before long, and yet nobody is told of a
/// change that nobody made.
@Suite struct RetentionTests {
    private func rules(_ rules: RetentionRules, at: Instant) -> LogEntry {
        .command(.setRetention(rules), receivedAt: at)
    }

    private func expire(_ rules: RetentionRules, at: Instant) -> LogEntry {
        .command(.expire(rules.floors(at: at)), receivedAt: at)
    }

    @Test(arguments: [nil, 4] as [Int?])
    func `An expiry evaluates nobody; who is looked at next has only what is left`(historyRows: Int?) async throws {
        let muster = try TestInstallation(historyRows: historyRows)
        let month = RetentionRules(general: .days(30))
        try await muster.apply([
            muster.destination(at: start),
            muster.create(.audience, key: "many", "event('A').count() >= 3", at: start),
            muster.create(.trait, key: "sum", "event('A').sum(property('n'))", at: start),
            muster.connect("aud_many", at: start),
        ])
        for user in ["u1", "u2"] {
            try await muster.apply(
                [1, 2, 30].map { muster.track("A", user: user, at: start + .days($0), ["n": .number(Int($0))]) })
        }
        if historyRows != nil { try muster.engine.flushHistory() }
        let told = try muster.outbox().count
        let later = start + .days(40)
        try await muster.apply([rules(month, at: later), expire(month, at: later)])
        #expect(muster.isMember("many", user: "u1") && muster.isMember("many", user: "u2"))
        #expect(muster.value("sum", user: "u1") == 33)
        #expect(try muster.outbox().count == told)
        // Another event of one of them.
        try await muster.apply([muster.track("A", user: "u1", at: later, ["n": 5])])
        #expect(muster.value("many", user: "u1") == false && muster.isMember("many", user: "u2"))
        #expect(muster.value("sum", user: "u1") == 35 && muster.value("sum", user: "u2") == 33)
        // A new computation sees what is left, and so does one that is changed.
        try await muster.apply([
            muster.create(.trait, key: "fresh", "event('A').count()", at: later),
            muster.create(.audience, key: "many", "event('A').count() >= 2", at: later),
        ])
        #expect(muster.value("fresh", user: "u1") == 2 && muster.value("fresh", user: "u2") == 1)
        #expect(muster.isMember("many", user: "u1") && muster.value("many", user: "u2") == false)
        // The same of the past, and what is explained.
        let profile = try #require(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")))
        #expect(muster.engine.value(of: "tra_fresh", profile, at: start + .days(5))?.value.isNull == true)
        #expect(muster.engine.timeline(of: profile, before: nil, limit: 10).count == 2)
    }

    @Test func `A late event before the floor is not taken in, the person is`() async throws {
        let muster = try TestInstallation()
        let month = RetentionRules(general: .days(30), events: ["Kept": .forever])
        let later = start + .days(40)
        try await muster.apply([rules(month, at: later), expire(month, at: later)])
        try await muster.apply([
            muster.create(.trait, key: "all", "event('A').count()", at: later),
            muster.create(.trait, key: "kept", "event('Kept').count()", at: later),
            muster.track("A", user: "u", at: start + .days(9), received: later),
            muster.track("A", user: "u", at: start + .days(10), received: later),
            muster.track("Kept", user: "u", at: start, received: later),
        ])
        #expect(muster.value("all", user: "u") == 1 && muster.value("kept", user: "u") == 1)
        #expect(try muster.store.counters()["expired_calls"] == 1)
    }

    @Test func `Loosened rules bring nothing back, and an expiry takes no more than the rules in force`() async throws {
        let muster = try TestInstallation()
        let (month, year) = (RetentionRules(general: .days(30)), RetentionRules(general: .days(365)))
        try await muster.apply((0..<50).map { muster.track("A", user: "u", at: start + .days($0)) })
        try await muster.apply([rules(month, at: start + .days(40)), expire(month, at: start + .days(40))])
        #expect(muster.engine.history.statistics.events == 40)
        // Worked out by the old rules, applied under the new ones.
        try await muster.apply([rules(year, at: start + .days(45)), expire(month, at: start + .days(46))])
        #expect(muster.engine.history.statistics.events == 40)
        #expect(muster.engine.retention.floors == month.floors(at: start + .days(40)))
        try await muster.apply([muster.track("A", user: "u", at: start + .days(3), received: start + .days(46))])
        #expect(muster.engine.history.statistics.events == 40)
        try muster.reopen()
        #expect(muster.engine.history.statistics.events == 40)
        #expect(muster.engine.retention.rules == year)
    }

    private func occurrences(_ text: String, in muster: TestInstallation) throws -> [String] {
        let files = FileManager.default.enumerator(at: muster.directory, includingPropertiesForKeys: nil)
        return (files?.compactMap { $0 as? URL } ?? []).filter { url in
            (try? Data(contentsOf: url))?.range(of: Data(text.utf8)) != nil
        }.map(\.lastPathComponent)
    }

    @Test func `In the end no byte of it is left, neither in the history nor in the Log`() async throws {
        let muster = try TestInstallation(historyRows: 20)
        let month = RetentionRules(events: ["Secret": .days(30)])
        for number in 0..<30 as Range<Int64> {
            let (user, at) = ("u\(number % 3)", start + .days(number))
            try await muster.apply([
                muster.track("Secret", user: user, at: at, ["own": .string("marker-\(number)-")]),
                muster.track("Other", user: user, at: at, ["own": .string("other-\(number)-")]),
                muster.identify(user: user, at: at, ["note": .string("trait-\(number)-")]),
            ])
            if number % 7 == 0 { try muster.engine.flushHistory() }
        }
        try muster.engine.flushHistory()
        let later = start + .days(45)
        try await muster.apply([rules(month, at: later), expire(month, at: later)])
        #expect(try !occurrences("marker-3-", in: muster).isEmpty, "hidden, but still there")
        try muster.engine.cleanHistory(always: true)
        try muster.eraseExpired()
        for number in 0..<15 { #expect(try occurrences("marker-\(number)-", in: muster) == [], "\(number)") }
        for text in ["marker-16-", "other-3-", "trait-3-"] {
            #expect(try !occurrences(text, in: muster).isEmpty, "\(text)")
        }
        // A history from the Log has the same.
        let expected = muster.engine.history.statistics
        try FileManager.default.removeItem(atPath: muster.historyDirectory)
        try muster.reopen()
        #expect(muster.engine.history.statistics == expected)
        #expect(expected.events == 45)
    }

    @Test func `A running server takes expired events out of its files by itself`() async throws {
        let muster = try TestInstallation(historyRows: 20)
        var configuration = EngineService.Configuration()
        configuration.engine.historyDirectory = muster.historyDirectory
        configuration.engine.historyFlushRows = 20
        let service = try EngineService(
            configuration: configuration, store: muster.store, log: muster.log,
            gate: ReceiptGate(clock: LateClock()), logger: Logger(label: "test"))
        service.start()
        _ = try await muster.log.append(
            (0..<60 as Range<Int64>).map {
                muster.track("A", user: "u", at: start + .days($0), ["own": .string("marker-\($0)-")])
            })
        try await service.waitUntilCaughtUp()
        let rules = RetentionRules(general: .days(30))
        try await service.submit(.setRetention(rules))
        try await service.submit(.expire(rules.floors(at: LateClock().now())))
        #expect(service.read { $0.history.statistics.events } == 30)
        var left = try occurrences("marker-2-", in: muster).filter { !$0.hasPrefix("log") }
        for _ in 0..<500 where !left.isEmpty {
            try await Task.sleep(for: .milliseconds(20))
            left = try occurrences("marker-2-", in: muster).filter { !$0.hasPrefix("log") }
        }
        #expect(left == [])
        #expect(service.read { $0.history.statistics.events } == 30)
        service.stop()
    }
}

/// Sixty days after the start.
private struct LateClock: InstantSource {
    func now() -> Instant { start + .days(60) }
}

import EventLog
import Foundation
import History
import JSON
import Model
import Store
import TestSupport
import Testing

@testable import Engine

/// Goal: state is a function of the Log and the instant (design §1.4), however the work was cut into batches, ticks,
/// backfill chunks and restarts. Method: one seeded history of calls, commands, merges and late events is applied in
/// several ways; values and transitions of every profile must be equal.
@Suite struct DeterminismTests {
    static let queries: [(level: Computation.Level, text: String)] = [
        (.users, "event('A').within(2 hours).count() >= 2"),
        (.users, "event('A').between(1 hours, 3 hours).count() >= 1 AND NOT event('B').within(1 hours).count() >= 1"),
        (.accounts, "event('A').within(90 minutes).count() >= 3"),
        (.users, "NOT event('B').count() >= 1 AND trait('plan') = 'pro'"),
        (
            .users,
            "event('A').where(NOT event('B').within(parent: 1 hours).count() >= 1).within(4 hours).count() >= 1"
        ),
        (.users, "trait('q0') = 'true' OR trait('q3') = 'true'"),
        (.accounts, "ANY trait('q1') = 'true' AND NOT event('B').within(30 minutes).count() >= 1"),
    ]

    /// Such as look far back.
    static let longQueries: [(level: Computation.Level, text: String)] = [
        (.users, "event('A').count() >= 6"),
        (.users, "event('A').within(3 days).count() >= 4 AND NOT event('B').between(1 days, 3 days).count() >= 1"),
        (.accounts, "event('A').count() >= 8"),
        (.users, "event('B').within(50 hours).count() >= 3 OR trait('plan') = 'pro'"),
        (.users, "event('A').where(NOT event('B').within(parent: 1 days).count() >= 1).count() >= 2"),
        (.users, "trait('q0') = 'true' OR trait('q3') = 'true'"),
        (.accounts, "ANY trait('q1') = 'true' AND NOT event('B').within(30 hours).count() >= 1"),
    ]

    /// A few hours of a few people, anonymous first, with definitions arriving in the middle; with retention a few days,
    /// with events that expire.
    static func history(_ muster: TestInstallation, seed: UInt64, retention: Bool = false) -> [LogEntry] {
        var random = SeededRandom(seed: seed)
        var entries = [muster.destination(at: start)]
        var at = start
        let queries = retention ? longQueries : queries
        var rules = RetentionRules(general: .days(2))
        for step in 0..<200 {
            // Now and then nothing comes for so long that much happens by time alone.
            let pause = random.next(12) == 0 ? random.next(180) : random.next(10)
            at = at + .minutes(Int64(pause * (retention ? 4 : 1)))
            let person = random.next(4)
            let user = random.next(3) == 0 ? nil : "u\(person)"
            let anonymous = random.next(2) == 0 ? "a\(random.next(6))" : nil
            let late = at - .minutes(Int64(random.next(4) == 0 ? random.next(retention ? 4000 : 200) : 0))
            if retention, step > 40, random.next(8) == 0 {
                if random.next(2) == 0 {
                    rules.general = .days(1 + random.next(3))
                    rules.events["B"] = random.next(3) == 0 ? .forever : .days(1 + random.next(3))
                    entries.append(.command(.setRetention(rules), receivedAt: at))
                }
                entries.append(.command(.expire(rules.floors(at: at - .minutes(3))), receivedAt: at))
            }
            if step % 25 == 10, step / 25 < queries.count {
                let (key, query) = ("q\(step / 25)", queries[step / 25])
                entries.append(muster.create(.audience, key: key, query.text, at: at, level: query.level))
                entries.append(muster.connect("aud_\(key)", at: at))
            } else if random.next(12) == 0 {
                entries.append(
                    muster.call(
                        .group, user: user ?? "u\(person)", group: "g\(random.next(2))", at: late, received: at))
            } else if random.next(5) == 0 {
                entries.append(
                    muster.identify(
                        user: user ?? "u\(person)", anonymous: anonymous, at: late, received: at,
                        ["plan": random.next(2) == 0 ? "pro" : "free"]))
            } else {
                entries.append(
                    muster.track(
                        random.next(3) == 0 ? "B" : "A", user: user,
                        anonymous: user == nil ? anonymous ?? "a0" : anonymous,
                        at: late, received: at))
            }
        }
        return entries
    }

    /// Everything that people and destinations could tell apart, without the numbers that order the writing.
    func picture(_ muster: TestInstallation) throws -> [String] {
        var lines: [String] = []
        let people = muster.engine.profiles(.users, before: nil, limit: 1000)
        for profile in people + muster.engine.profiles(.accounts, before: nil, limit: 1000) {
            for value in muster.engine.computedValues(of: profile.ordinal) {
                lines.append("\(profile.segmentID) \(value.key)=\(value.value) since \(value.since)")
            }
            for row in try muster.store.transitions(profiles: [profile.ordinal], limit: 1000).reversed() {
                lines.append("\(profile.segmentID) \(row.computationID) → \(row.value) at \(row.at)")
            }
        }
        return lines.sorted() + (try muster.outbox().map { $0["messageId"]?.string ?? "" }.sorted())
    }

    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func sameLogSameState(seed: UInt64) async throws { try await compare(seed: seed, retention: false) }

    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func sameLogSameStateWhereEventsExpire(seed: UInt64) async throws { try await compare(seed: seed, retention: true) }

    private func compare(seed: UInt64, retention: Bool) async throws {
        print("determinism seed \(seed)")
        let days: Int64 = retention ? 9 : 3
        let end = start + .days(days)
        let plain = try TestInstallation()
        let entries = Self.history(plain, seed: seed, retention: retention)
        try await plain.apply(entries)
        try plain.advance(to: end)
        let expected = try picture(plain)
        #expect(expected.count > 20, "the history is too tame to prove anything")

        // One record at a time, with ticks in between, chunks held back, and a restart every now and then.
        // Its history is on disk, in many small runs.
        let chopped = try TestInstallation(historyRows: 9)
        _ = try await chopped.log.append(entries)
        var random = SeededRandom(seed: seed &+ 99)
        while chopped.engine.position < chopped.log.endOffset {
            let records = try chopped.log.read(from: chopped.engine.position, limit: 1 + random.next(3))
            if let first = records.first, random.next(2) == 0 {
                chopped.engine.advance(to: max(chopped.engine.now, first.entry.receivedAt - .seconds(1)))
            }
            chopped.engine.apply(records)
            if random.next(3) == 0 { chopped.engine.continueBackfill(limit: 1) }
            try chopped.engine.commit()
            if chopped.engine.history.freshRowCount >= 9, random.next(2) == 0 { try chopped.engine.flushHistory() }
            if random.next(20) == 0 { try chopped.reopen() }
            if retention, random.next(10) == 0 { try chopped.engine.cleanHistory(always: random.next(2) == 0) }
            if retention, random.next(10) == 0 { try chopped.eraseExpired() }
        }
        while chopped.engine.hasBackfill { chopped.engine.continueBackfill(limit: 1) }
        for step in 1...24 * days { try chopped.advance(to: start + .hours(Int64(step))) }
        let found = try picture(chopped)
        let differences =
            found.filter { !expected.contains($0) }.map { "+ \($0)" }
            + expected.filter { !found.contains($0) }.map { "- \($0)" }
        #expect(differences == [])

        #expect(chopped.engine.history.storedPosition > 0)
        if retention {
            #expect(plain.engine.retention.floors != .none && chopped.engine.retention == plain.engine.retention)
            #expect(try timelines(chopped) == timelines(plain))
            try chopped.eraseExpired()
        }

        // A rebuild from the files answers the same, also without those of the history.
        try plain.reopen()
        #expect(try picture(plain) == expected)
        try FileManager.default.removeItem(atPath: chopped.historyDirectory)
        try chopped.reopen()
        #expect(try picture(chopped) == found)
        if retention { #expect(try timelines(chopped) == timelines(plain)) }
    }

    /// All events of everybody, and nothing before the floors.
    private func timelines(_ muster: TestInstallation) throws -> [String] {
        let engine = muster.engine
        return engine.profiles(.users, before: nil, limit: 1000).flatMap { profile in
            engine.timeline(of: profile.ordinal, before: nil, limit: 10_000).map { entry in
                #expect(entry.timestamp >= engine.retention.floors[entry.name])
                return "\(profile.segmentID) \(entry.name) \(entry.timestamp) \(entry.messageID)"
            }
        }
    }
}

extension SeededRandom {
    fileprivate mutating func next(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

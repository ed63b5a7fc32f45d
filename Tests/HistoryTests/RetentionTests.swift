import Foundation
import JSON
import Model
import TestSupport
import Testing

@testable import History

/// Goal: from the moment that floors rise a History answers as if what is before them had never come, wherever it lies:
/// in memory, being written, in runs, in what a merge is writing, and after a restart.
///
/// Method: random deeds with floors that rise in between are applied in several layouts; the oracle is a History in memory
/// that never heard of floors and was given only what is not before them.
@Suite struct RetentionTests {
    /// Floors that make something expire at times: of all names, of some, or of none.
    private func floors(around instant: Instant, _ random: inout SeededRandom) -> EventFloors {
        func floor() -> Instant { instant - Instant.Span(milliseconds: Int64(random.below(120_000_000))) }
        var events: [String: Instant] = [:]
        for name in ["Bought", "Looked", "Café", "Rare 7", "Page Viewed", "never seen"] where random.chance(30) {
            events[name] = random.chance(30) ? .distantPast : floor()
        }
        return EventFloors(general: random.chance(50) ? floor() : .distantPast, events: events)
    }

    @Test(arguments: isLong ? Array(1...600) : Array(1...9) as [UInt64])
    func `What is before the floors is nowhere to be seen, in whatever layout`(seed: UInt64) throws {
        print("retention, seed \(seed)")
        var random = SeededRandom(seed: seed)
        let isOnDisk = seed % 3 > 0
        let log = Deed.log(150 + random.below(300), removals: seed % 2 == 0, &random)
        let directory = try TestDirectory()
        var floors = EventFloors.none
        func open() throws -> History {
            let history = isOnDisk ? try History(directory: directory.path) : History()
            if seed % 4 > 1 { history.unions.minimumRows = 1 }
            history.raiseFloors(to: floors)
            return history
        }
        func oracle(_ next: Int) -> History {
            History.replaying(
                log[..<next].filter { deed in
                    guard case .call(let call, _, _) = deed.what else { return true }
                    return !call.isExpired(floors)
                })
        }
        var history = try open()
        var work = BackgroundWork()
        var next = 0
        var (rounds, hidden) = (0, 0)
        while next < log.count {
            for _ in 0..<random.below(25) where next < log.count {
                log[next].apply(to: history)
                next += 1
            }
            switch random.below(12) {
            case let step where step < BackgroundWork.steps:
                try work.take(step, history, position: Int64(next), &random)
            case 8 where random.chance(40):
                // A stop without notice. What had expired has still expired, also in what is read again.
                history = try open()
                work = BackgroundWork()
                for deed in log[Int(history.storedPosition)..<next] { deed.apply(to: history) }
            case 9 where work.merge == nil:
                let now = log[max(next - 1, 0)].receivedAt.milliseconds
                work.merge = history.beginExpiryRewrite(now: now, expiredAt: now, always: random.chance(70))
            case 10...11:
                floors = floors.raised(to: self.floors(around: log[max(next - 1, 0)].receivedAt, &random))
                history.raiseFloors(to: floors)
                if random.chance(30) { history.storeRemovals() }
            default:
                rounds += 1
                let (found, expected) = (history.answers(), oracle(next).answers())
                #expect(found == expected, "seed \(seed) after \(next) deeds")
                if found != expected { return }
                hidden += next - expected.count
            }
        }
        try work.finish(history)
        #expect(history.answers() == oracle(next).answers())
        guard isOnDisk else { return }
        // In the end nothing of it is in any file, and the catalogue is exact again.
        try history.flush(position: Int64(next))
        try history.merge(everything: true)
        #expect(history.events.tables.allSatisfy { $0.runs.allSatisfy { $0.earliest >= $0.floor } })
        #expect(history.counts() == oracle(next).counts(), "seed \(seed)")
        let reopened = try open()
        #expect(reopened.storedPosition == Int64(log.count))
        #expect(reopened.answers() == oracle(next).answers())
        #expect(reopened.counts() == oracle(next).counts())
        reopened.verify()
        #expect(reopened.damage == nil)
    }

    private func track(_ history: History, _ text: String, day: Int64, offset: Int64) {
        let at = Instant.epoch + .days(day)
        let call = Call(
            kind: .track, sourceID: "web", messageID: "m\(offset)", event: "A", timestamp: at, receivedAt: at, body: [])
        _ = history.insertEvent(
            call, body: ["properties": ["own": .string(text), "shared": "everybody"]], offset: offset,
            profile: ProfileOrdinal(UInt32(offset % 5)))
    }

    private func occurs(_ text: String, in directory: TestDirectory) -> [String] {
        directory.files.filter { $0.value.range(of: Data(text.utf8)) != nil }.map(\.key)
    }

    private func day(_ number: Int64) -> Int64 { (Instant.epoch + .days(number)).milliseconds }

    @Test func `A file is written anew when enough of it has expired, or something for long, and not before`() throws {
        let directory = try TestDirectory()
        let history = try History(directory: directory.path)
        for number in 0..<100 as Range<Int64> {
            track(history, "secret \(number)!", day: 100 + number, offset: number)
        }
        try history.flush(position: 100)
        func rewrite(after days: Int64 = 0, floor: Int64) throws -> Bool {
            history.raiseFloors(to: EventFloors(general: Instant.epoch + .days(floor)))
            let merge = history.beginExpiryRewrite(now: day(floor + days), expiredAt: day(floor))
            if let merge { try history.finish(merge.run()) }
            return merge != nil
        }
        #expect(try !rewrite(floor: 100))
        #expect(try !rewrite(floor: 109), "nine of a hundred")
        #expect(!occurs("secret 0!", in: directory).isEmpty)
        #expect(history.eventCatalogue.first?.count == 91)
        #expect(try !rewrite(after: 20, floor: 109))
        #expect(try rewrite(after: 22, floor: 109), "nothing stays for ever because nothing expires any more")
        #expect(history.table(history.eventID("A")).runs.map(\.rowCount) == [91])
        #expect(try rewrite(floor: 119), "ten of ninety-one")
        #expect(try !rewrite(floor: 122))
        #expect(history.eventCatalogue.first?.count == 78)
        // Texts are dropped when many rows have gone.
        #expect(history.owesSweep(now: day(122)))
        if let sweep = history.beginTextSweep() { try history.finish(sweep.run()) }
        #expect(occurs("secret 18!", in: directory) == [])
        #expect(!occurs("secret 19!", in: directory).isEmpty && !occurs("secret 99!", in: directory).isEmpty)
        #expect(!history.owesSweep(now: day(1000)))
    }

    @Test func `One old row among many goes after three weeks, its text a week later at the latest`() throws {
        let directory = try TestDirectory()
        var history = try History(directory: directory.path)
        for number in 0..<100 as Range<Int64> {
            track(history, "text \(number)!", day: number == 50 ? 10 : 100, offset: number)
        }
        try history.flush(position: 100)
        for floor in 11...31 as ClosedRange<Int64> {
            history.raiseFloors(to: EventFloors(events: ["A": Instant.epoch + .days(floor)]))
            #expect(history.beginExpiryRewrite(now: day(floor), expiredAt: day(floor)) == nil)
        }
        history.raiseFloors(to: EventFloors(events: ["A": Instant.epoch + .days(32)]))
        let merge = try #require(history.beginExpiryRewrite(now: day(32), expiredAt: day(32)))
        try history.finish(merge.run())
        #expect(!history.owesSweep(now: day(32)))
        #expect(!history.owesSweep(now: day(39)))
        history.storeRemovals()
        #expect(!occurs("text 50!", in: directory).isEmpty)
        #expect(history.owesSweep(now: day(40)))
        if let sweep = history.beginTextSweep() { try history.finish(sweep.run()) }
        #expect(occurs("text 50!", in: directory) == [])
        history = try History(directory: directory.path)
        #expect(history.eventCatalogue.first?.count == 99)
        #expect(history.floors == EventFloors(events: ["A": Instant.epoch + .days(32)]))
    }

    @Test func `A file of which nothing is left is gone, and a late event is not taken in`() throws {
        let directory = try TestDirectory()
        let history = try History(directory: directory.path)
        track(history, "first", day: 1, offset: 0)
        try history.flush(position: 1)
        track(history, "fresh", day: 2, offset: 1)
        history.raiseFloors(to: EventFloors(general: Instant.epoch + .days(3)))
        track(history, "late", day: 2, offset: 2)
        #expect(history.eventCatalogue.isEmpty && history.statistics.events == 0)
        if let merge = history.beginExpiryRewrite(now: day(3), expiredAt: day(3)) { try history.finish(merge.run()) }
        #expect(history.diskStatistics?.runFiles == 0)
        #expect(!directory.files.keys.contains { $0.hasSuffix(".runs") })
        try history.flush(position: 3)
        #expect(history.owesSweep(now: day(3)))
        if let sweep = history.beginTextSweep() { try history.finish(sweep.run()) }
        for text in ["first", "fresh", "late"] { #expect(occurs(text, in: directory) == [], "\(text)") }
        track(history, "kept", day: 3, offset: 3)
        #expect(history.statistics.events == 1)
    }

    @Test func `Memory lets go, too`() {
        let history = History()
        for number in 0..<100 as Range<Int64> { track(history, "text", day: number, offset: number) }
        history.raiseFloors(to: EventFloors(general: Instant.epoch + .days(90)))
        let table = history.table(history.eventID("A"))
        #expect(table.freshCount == 10 && table.values.columns.allSatisfy { $0.cells.count <= 10 })
        let rows = history.rows(history.eventID("A"), of: [ProfileOrdinal(3)])
        #expect((0..<rows.count).map { table.messageID(rows[$0]) } == ["m93", "m98"])
        track(history, "text", day: 100, offset: 103)
        #expect(history.rows(history.eventID("A"), of: [ProfileOrdinal(3)]).count == 3)
    }
}

extension Deed {
    var receivedAt: Instant {
        guard case .call(let call, _, _) = what else { return Instant(milliseconds: 1_700_000_000_000) }
        return call.receivedAt
    }
}

extension History {
    /// Rows, timelines and numbers of events, but nothing about values of events in general: the kinds that were seen
    /// stay known after the events are gone.
    func answers() -> [String] {
        var lines = ["\(statistics.events) events of \(statistics.eventNames) names, \(statistics.traits) traits"]
        let merged = [[0, 3], [5, 1, 2]] as [[UInt32]]
        let people = ((0..<Deed.profiles).map { [$0] } + merged).map { $0.map { ProfileOrdinal($0) } }
        for entry in eventCatalogue {
            lines.append("event \(entry.name) ×\(entry.count) until \(entry.lastSeen)")
            for person in people { lines += rows(entry.id, of: person).lines("\(entry.name) of \(person)") }
            lines += scanned(entry.id).map { "\(entry.name) \($0)" }
        }
        for entry in traitCatalogue {
            for person in people { lines += rows(entry.id, of: person).lines("\(entry.key) of \(person)") }
        }
        for person in people {
            lines += timeline(of: person, limit: 1000).map { "\(person): \($0.name) \($0.timestamp) \($0.messageID)" }
        }
        return lines
    }

    /// What a scan finds of a name.
    private func scanned(_ id: EventID) -> [String] {
        var lines: [String] = []
        for run in snapshot(of: id).runs() {
            for profile in run.profiles {
                lines += run.rows(of: profile).map { "\(profile) \(run.timestamps[$0]) \(run.messageID($0).string)" }
            }
        }
        return lines.sorted()
    }

    /// How often which path occurs.
    func counts() -> [String] {
        eventCatalogue.flatMap { entry in
            (entry.properties + entry.context).map { "\(entry.name) \($0.path) ×\($0.count)" }
        }
    }
}

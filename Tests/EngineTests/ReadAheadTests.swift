import EventLog
import Foundation
import Model
import TestSupport
import Testing

@testable import Engine

@Suite struct ReadAheadTests {
    @Test("Reads what the Log has, wherever it is asked and whatever was begun before", arguments: 1...3)
    func sameAsTheLog(seed: UInt64) async throws {
        print("read ahead seed \(seed)")
        var random = SeededRandom(seed: seed)
        let installation = try TestInstallation()
        let log = installation.log
        let ahead = ReadAhead(log)
        var appended = 0
        func append(_ count: Int) async throws {
            let entries = (appended..<appended + count).map { number in
                LogEntry.call(
                    Call(
                        kind: .track, sourceID: "s", messageID: "m\(number)", userID: "u", event: "E",
                        timestamp: .epoch, receivedAt: Instant(milliseconds: Int64(number)), body: Array("{}".utf8)))
            }
            _ = try await log.append(entries)
            appended += count
        }
        try await append(200)
        for _ in 0..<300 {
            let limit = 1 + Int(random.next() % 50)
            let offset = Int64(random.next() % UInt64(appended + 1))
            // Mostly the place that is asked for next, as the engine does it.
            let begun = random.next() % 4 == 0 ? Int64(random.next() % UInt64(appended + 1)) : offset
            ahead.begin(from: begun, limit: limit)
            if random.next() % 8 == 0 { try await append(1 + Int(random.next() % 20)) }
            // A reading that was begun may be shorter than what has come since, but never lacks what was there.
            let records = try ahead.records(from: offset, limit: limit)
            #expect(records.map(\.offset) == Array(offset..<min(offset + Int64(limit), log.endOffset)))
            #expect(records == (try log.read(from: offset, limit: limit)))
        }
        ahead.drain()
    }

    @Test("An empty reading is read again, and an impossible one is refused as the Log refuses it")
    func emptyAndImpossible() throws {
        let installation = try TestInstallation()
        let ahead = ReadAhead(installation.log)
        ahead.begin(from: 0, limit: 0)
        #expect(try ahead.records(from: 0, limit: 10).isEmpty)
        #expect(throws: EventLogError.self) { try ahead.records(from: -1, limit: 10) }
    }
}

import Foundation
import Model
import TestSupport
import Testing

@testable import EventLog

/// Goal: what has expired leaves the Log, sooner where it is much and after three weeks where it is little; everything
/// else, and every offset, stays.
@Suite struct ExpiringTests {
    private func at(_ days: Int64) -> Instant { .epoch + .days(days) }

    private func track(_ event: String, day: Int64, _ text: String = "x", receivedDay: Int64? = nil) -> LogEntry {
        .call(
            Call(
                kind: .track, sourceID: "src", messageID: "m\(text)", userID: "u", event: event, timestamp: at(day),
                receivedAt: at(receivedDay ?? day), body: Array(#"{"properties":{"own":"\#(text)"}}"#.utf8)))
    }

    private func expiry(_ day: Int64, keeping days: Int64, end: Int64 = .max) -> LogExpiry {
        let floors = EventFloors(general: at(day - days), events: ["Kept": .distantPast])
        return LogExpiry(instant: at(day), floors: floors, end: end)
    }

    private func readAll(_ log: EventLog) throws -> [LogEntry] {
        var entries: [LogEntry] = []
        while entries.count < Int(log.endOffset) {
            entries += try log.read(from: Int64(entries.count), limit: 1000).map(\.entry)
        }
        return entries
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `Daily expiries leave what counts, and nothing expired for longer than three weeks`(seed: UInt64) async throws
    {
        let directory = try TemporaryDirectory()
        var random = SeededRandom(seed: seed)
        let log = try EventLog(path: directory.log, limits: .init(blockBytes: 2048))
        var written: [LogEntry] = []
        for day in 0..<60 as Range<Int64> {
            let entries = (0..<random.below(40)).map { _ -> LogEntry in
                if random.chance(10) { return .command(.deleteSource(id: "x"), receivedAt: at(day)) }
                if random.chance(10) {
                    return .call(
                        Call(
                            kind: .identify, sourceID: "src", messageID: "i", userID: "u", timestamp: at(day),
                            receivedAt: at(day), body: []))
                }
                let late = random.chance(20) ? Int64(random.below(50)) : 0
                return track(random.pick(["A", "B", "Kept"]), day: day - late, receivedDay: day)
            }
            if entries.isEmpty { continue }
            _ = try await log.append(entries)
            written += entries
        }
        var memo = LogExpiryMemo()
        var total = 0
        for day in 60..<100 as Range<Int64> {
            // A millisecond or two pass between the one who writes the command and the Log.
            let floors = expiry(day, keeping: 30).floors
            let expiry = LogExpiry(
                instant: at(day) + Instant.Span(milliseconds: Int64(random.below(5))), floors: floors,
                end: Int64(written.count) - 15)
            var remembered = memo
            var fresh = LogExpiryMemo()
            if random.chance(30) { swap(&remembered, &fresh) }
            total += try log.erase(expiry, memo: &memo)
            for (record, entry) in zip(try readAll(log), written.indices) {
                guard case .call(let call) = written[entry] else {
                    #expect(record == written[entry])
                    continue
                }
                if record == written[entry] {
                    let isLongOver = call.placedAt + .days(21) < expiry.floors[call.eventName ?? ""]
                    #expect(!isLongOver || call.eventName == nil || Int64(entry) >= expiry.end, "day \(day): \(entry)")
                } else {
                    #expect(record == .erased(receivedAt: call.receivedAt))
                    #expect(call.isExpired(expiry.floors) && Int64(entry) < expiry.end)
                }
            }
        }
        #expect(total > 100)
        try log.close()
    }

    @Test func `A handful waits, a tenth does not, and no byte of it is left`() async throws {
        let directory = try TemporaryDirectory()
        let log = try EventLog(path: directory.log)
        let entries = (0..<100 as Range<Int64>).map { track("A", day: 100 + $0, "marker-\($0)-") }
        _ = try await log.append(entries)
        var memo = LogExpiryMemo()
        #expect(try log.erase(expiry(149, keeping: 40), memo: &memo) == 0)
        #expect(try log.erase(expiry(150, keeping: 40), memo: &memo) == 10)
        #expect(try log.erase(expiry(150, keeping: 40), memo: &memo) == 0)
        // Eight of ninety.
        #expect(try log.erase(expiry(160, keeping: 42), memo: &memo) == 0)
        #expect(try log.erase(expiry(161, keeping: 20), memo: &memo) == 31, "a shorter age makes what was known void")
        try log.close()
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/\(name)"))
            #expect(data.range(of: Data("marker-40-".utf8)) == nil, "\(name)")
        }
        let again = try EventLog(path: directory.log)
        #expect(try readAll(again).suffix(59) == entries.suffix(59))
        #expect(again.endOffset == 100)
        try again.close()
    }
}

import Foundation
import Model
import TestSupport
import Testing

@testable import EventLog

/// Goal: after `erase`, no byte of the calls is left in the files, every other record is as it was, and offsets stand.
@Suite struct ErasingTests {
    private func person(_ user: String, _ message: String) -> LogEntry {
        .call(
            Call(
                kind: .track, sourceID: "src", messageID: message, userID: user, event: "Event",
                timestamp: Instant(milliseconds: 5), receivedAt: Instant(milliseconds: 7),
                body: Array(#"{"properties":{"secret":"of \#(user)"}}"#.utf8)))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `Erased calls are gone from the files; nothing else changes`(seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        var random = SeededRandom(seed: seed)
        let log = try EventLog(path: directory.log, limits: .init(blockBytes: 4096))
        var written: [LogEntry] = []
        for batch in 0..<40 {
            let entries = (0..<1 + random.below(30)).map { index in
                random.chance(5)
                    ? LogEntry.command(.deleteSource(id: "marker-person-1-x"), receivedAt: .epoch)
                    : person("marker-person-\(random.below(9))", "m\(batch)-\(index)")
            }
            _ = try await log.append(entries)
            written += entries
        }
        let end = Int64(written.count) - 20
        let named = Set((0..<10).map { _ in Int64(random.below(written.count)) })
        let erased = try log.erase(offsets: named, userIDs: ["marker-person-3"], before: end)
        var expected: [LogEntry] = []
        for (offset, entry) in written.enumerated() {
            guard case .call(let call) = entry, Int64(offset) < end,
                named.contains(Int64(offset)) || call.userID == "marker-person-3"
            else {
                expected.append(entry)
                continue
            }
            expected.append(.erased(receivedAt: call.receivedAt))
        }
        #expect(erased == expected.filter { if case .erased = $0 { true } else { false } }.count)
        #expect(erased > 10)
        #expect(try readAll(log) == expected)
        // It can be done again, and appends go on.
        #expect(try log.erase(offsets: named, userIDs: ["marker-person-3"], before: end) == 0)
        #expect(try await log.append([person("u", "last")]) == Int64(written.count)..<Int64(written.count) + 1)
        try log.close()
        let again = try EventLog(path: directory.log)
        #expect(try readAll(again).dropLast() == expected[...])
        try again.close()
    }

    @Test func `No text of an erased call is found in any file`() async throws {
        let directory = try TemporaryDirectory()
        let log = try EventLog(path: directory.log)
        // One call a block, too short and odd to be compressed away.
        let secret = "Zq7xW1vKp9LmR4tB"
        for number in 0..<50 { _ = try await log.append([person("user-\(number)-\(secret)-\(number)", "m\(number)")]) }
        func files() throws -> [URL] {
            try FileManager.default.contentsOfDirectory(
                at: URL(fileURLWithPath: directory.path), includingPropertiesForKeys: nil)
        }
        func holds(_ text: String) throws -> Bool {
            try files().contains { try Data(contentsOf: $0).range(of: Data(text.utf8)) != nil }
        }
        #expect(try holds("user-7-\(secret)-7"), "the text can be found before, or the test says nothing")
        _ = try log.erase(offsets: [], userIDs: ["user-7-\(secret)-7"], before: 50)
        #expect(try !holds("user-7-\(secret)-7"))
        #expect(try holds("user-8-\(secret)-8"))
        try log.close()
        #expect(try !holds("user-7-\(secret)-7"))
    }

    private func readAll(_ log: EventLog) throws -> [LogEntry] {
        var entries: [LogEntry] = []
        while Int64(entries.count) < log.endOffset {
            entries += try log.read(from: Int64(entries.count), limit: 100).map(\.entry)
        }
        return entries
    }
}

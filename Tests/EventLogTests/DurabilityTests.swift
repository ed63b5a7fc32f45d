// What is on disk: every entry comes back as it was, every damage is noticed, an abrupt end loses nothing.

import Foundation
import GRDB
import JSON
import Model
import TestSupport
import Testing

@testable import EventLog

@Suite struct DurabilityTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func everyEntryComesBackAsItWas() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("EventLog round trip seed \(seed)")
        var random = SeededRandom(seed: seed)
        let entries = (0..<3000).map { _ in randomEntry(using: &random) }
        let log = try EventLog(path: directory.log, limits: .init(blockBytes: 10_000))
        for start in stride(from: 0, to: entries.count, by: 250) {
            _ = try await log.append(Array(entries[start..<start + 250]))
        }
        try log.close()
        let reopened = try EventLog(path: directory.log)
        #expect(reopened.endOffset == 3000)
        #expect(try reopened.read(from: 0, limit: 3000).map(\.entry) == entries, "seed \(seed)")
    }

    @Test func everyKindOfCommandComesBack() async throws {
        let now = Instant(milliseconds: 1_700_000_000_123)
        let computation = Computation(
            id: "aud_1", kind: .audience, key: "k", name: "N", query: "event('E').count() >= 1", createdAt: now,
            connections: [Connection(destinationID: "dst_1", sendTrack: true)])
        let commands: [Command] = [
            .putSource(Source(id: "s", name: "S", writeKey: "w", createdAt: now)), .deleteSource(id: "s"),
            .putDestination(
                Destination(id: "d", kind: "braze", name: "D", settings: ["key": "x"], createdAt: now)),
            .deleteDestination(id: "d"), .putComputation(computation), .deleteComputation(id: "aud_1"),
            .connect(computationID: "aud_1", Connection(destinationID: "d")),
            .disconnect(computationID: "aud_1", destinationID: "d"),
        ]
        let log = try EventLog(path: directory.log)
        let entries = commands.map { LogEntry.command($0, receivedAt: now) }
        _ = try await log.append(entries)
        #expect(try log.read(from: 0, limit: 100).map(\.entry) == entries)
    }

    @Test func anAbruptEndWithoutCheckpointLosesNothing() async throws {
        let log = try EventLog(path: directory.log)
        for number in 0..<20 { _ = try await log.append([call("m\(number)")]) }
        // What a killed process leaves: the files as they are now, nothing checkpointed, nothing closed.
        let copy = directory.path + "/killed"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: directory.log + suffix, toPath: copy + "/log.sqlite" + suffix)
        }
        let size = try FileManager.default.attributesOfItem(atPath: copy + "/log.sqlite-wal")[.size] as? Int
        #expect(size ?? 0 > 0)
        let reopened = try EventLog(path: copy + "/log.sqlite")
        #expect(messageIDs(try reopened.read(from: 0, limit: 100)) == (0..<20).map { "m\($0)" })
        #expect(try await reopened.append([call("next")]) == 20..<21)
    }

    @Test func theChecksumDetectsEverySingleFlippedByte() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("EventLog checksum seed \(seed)")
        var random = SeededRandom(seed: seed)
        for length in [0, 1, 7, 8, 9, 64, 333] {
            let data = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            let header = BlockHeader(
                firstOffset: 17, count: 3, receivedMin: -5, receivedMax: 9, rawBytes: 400, checksum: 0)
            let right = data.withUnsafeBytes { header.computedChecksum(over: $0) }
            for position in 0..<length {
                for mask in 1...255 {
                    var damaged = data
                    damaged[position] ^= UInt8(mask)
                    let wrong = damaged.withUnsafeBytes { header.computedChecksum(over: $0) }
                    if wrong == right { Issue.record("byte \(position) of \(length) ^ \(mask), seed \(seed)") }
                }
            }
            // The header is covered too, and so is a lost or added zero at the end.
            var other = header
            other.firstOffset += 1
            #expect(data.withUnsafeBytes { other.computedChecksum(over: $0) } != right)
            other = header
            other.receivedMax += 1
            #expect(data.withUnsafeBytes { other.computedChecksum(over: $0) } != right)
            #expect((data + [0]).withUnsafeBytes { header.computedChecksum(over: $0) } != right)
        }
    }

    /// Changes the file behind the Log's back and opens it again.
    private func damaged(_ change: @escaping @Sendable (Database) throws -> Void) async throws -> EventLog {
        let log = try EventLog(path: directory.log, limits: .init(blockBytes: 1000))
        for number in 0..<10 { _ = try await log.append([call("m\(number)", body: "{\"n\":\(number)}")]) }
        try await log.pool.writeWithoutTransaction { try change($0) }
        try log.close()
        return try EventLog(path: directory.log)
    }

    @Test func aFlippedByteInAMiddleBlockIsNoticedWhenRead() async throws {
        let log = try await damaged { database in
            let data = try Data.fetchOne(database, sql: "SELECT data FROM block WHERE first_offset = 4") ?? Data()
            var bytes = Array(data)
            bytes[bytes.count / 2] ^= 0x10
            try database.execute(sql: "UPDATE block SET data = ? WHERE first_offset = 4", arguments: [Data(bytes)])
        }
        #expect(messageIDs(try log.read(from: 0, limit: 4)) == ["m0", "m1", "m2", "m3"])
        #expect(messageIDs(try log.read(from: 2, limit: 8)) == ["m2", "m3"])
        let error = #expect(throws: EventLogError.self) { try log.read(from: 4, limit: 1) }
        #expect(error == .corrupt(offset: 4, reason: "the block's checksum is wrong"))
        #expect("\(try #require(error))".contains("offset 4"))
    }

    @Test func aTruncatedLastBlockStopsOpening() async throws {
        let error = await #expect(throws: EventLogError.self) {
            _ = try await damaged { database in
                try database.execute(
                    sql: "UPDATE block SET data = substr(data, 1, length(data) - 1) WHERE first_offset = 9")
            }
        }
        #expect(error == .corrupt(offset: 9, reason: "the block's checksum is wrong"))
    }

    @Test func anEmptyLastBlockStopsOpening() async throws {
        let error = await #expect(throws: EventLogError.self) {
            _ = try await damaged { database in
                try database.execute(sql: "UPDATE block SET data = x'' WHERE first_offset = 9")
            }
        }
        guard case .corrupt(offset: 9, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aMissingBlockIsNoticed() async throws {
        let log = try await damaged { try $0.execute(sql: "DELETE FROM block WHERE first_offset = 5") }
        #expect(throws: EventLogError.corrupt(offset: 5, reason: "no block holds this record")) {
            try log.read(from: 5, limit: 1)
        }
        #expect(messageIDs(try log.read(from: 3, limit: 5)) == ["m3", "m4"])
        #expect(messageIDs(try log.read(from: 6, limit: 5)) == ["m6", "m7", "m8", "m9"])
    }

    @Test func decodingDamagedEntriesThrowsAndNeverTraps() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("EventLog entry fuzz seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<5000 {
            var bytes: [UInt8] = []
            EntryCoding.encode(randomEntry(using: &random), into: &bytes)
            bytes.removeFirst(4)
            for _ in 0...2 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            var decoder = EntryDecoder()
            do {
                _ = try bytes.withUnsafeBytes { try decoder.decode($0, at: 77) }
            } catch let error as EventLogError {
                guard case .corrupt(offset: 77, _) = error else {
                    Issue.record("\(error), seed \(seed)")
                    continue
                }
            }
        }
    }

    @Test func aFileThatIsNoLogIsRefusedInWords() throws {
        try Data(repeating: 0x41, count: 5000).write(to: URL(fileURLWithPath: directory.log))
        let error = #expect(throws: EventLogError.self) { try EventLog(path: directory.log) }
        #expect("\(try #require(error))".contains("can't be opened as a Log"))
        #expect(throws: EventLogError.self) { try EventLog(path: directory.path + "/no/such/directory/log.sqlite") }
    }

    @Test func aNewerFormatIsRefused() async throws {
        let log = try EventLog(path: directory.log)
        try await log.pool.write {
            try $0.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('2 something newer')")
        }
        try log.close()
        let error = #expect(throws: EventLogError.self) { try EventLog(path: directory.log) }
        #expect("\(try #require(error))".contains("newer version"))
    }
}

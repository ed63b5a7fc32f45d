// What `append` promises: durable, dense, in order, shared commits, refusal instead of unbounded memory, and nothing
// stored of what failed.

import Foundation
import GRDB
import JSON
import Model
import TestSupport
import Testing

@testable import EventLog

@Suite struct AppendTests {
    let directory: TemporaryDirectory
    let log: EventLog

    init() throws {
        directory = try TemporaryDirectory()
        log = try EventLog(path: directory.log)
    }

    @Test func offsetsAreDenseFromZero() async throws {
        #expect(log.endOffset == 0)
        #expect(try await log.append([call("a"), call("b")]) == 0..<2)
        #expect(try await log.append([call("c")]) == 2..<3)
        #expect(log.endOffset == 3)
        #expect(messageIDs(try log.read(from: 0, limit: 10)) == ["a", "b", "c"])
        #expect(try log.read(from: 0, limit: 10).map(\.offset) == [0, 1, 2])
    }

    @Test func appendingNothingIsNothing() async throws {
        #expect(try await log.append([]) == 0..<0)
        #expect(log.statistics.commits == 0)
    }

    @Test func commitsAreSynced() throws {
        let level = try log.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        let mode = try log.pool.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
        #expect(level == 2)
        #expect(mode == "wal")
    }

    @Test func concurrentAppendsKeepTheirOwnOrderAndShareCommits() async throws {
        let log = log
        let writers = 40
        let appends = 25
        let ranges = try await withThrowingTaskGroup(of: [(String, Range<Int64>)].self) { group in
            for writer in 0..<writers {
                group.addTask {
                    var result: [(String, Range<Int64>)] = []
                    for number in 0..<appends {
                        let name = "\(writer).\(number)"
                        result.append((name, try await log.append((0..<3).map { call("\(name).\($0)") })))
                    }
                    return result
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let count = Int64(writers * appends * 3)
        #expect(log.endOffset == count)
        var records: [LogRecord] = []
        while Int64(records.count) < count { records += try log.read(from: Int64(records.count), limit: 1000) }
        #expect(records.map(\.offset) == Array(0..<count))
        let messages = messageIDs(records)
        for (name, range) in ranges {
            #expect(Array(messages[Int(range.lowerBound)..<Int(range.upperBound)]) == (0..<3).map { "\(name).\($0)" })
        }
        // Which appends meet in a commit depends on the disk, but forty writers can't all have had their own.
        #expect(log.statistics.commits < writers * appends)
        #expect(log.statistics.appends == writers * appends)
        #expect(log.statistics.waitingBytes == 0)
    }

    @Test func anAppendLargerThanABlockIsOneTransactionOfSeveralBlocks() async throws {
        let log = try EventLog(path: directory.path + "/small.sqlite", limits: .init(blockBytes: 1000))
        let entries = (0..<50).map { call("m\($0)", body: String(repeating: "x", count: 190)) }
        #expect(try await log.append(entries) == 0..<50)
        let blocks = try await log.pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM block") }
        #expect(blocks ?? 0 >= 10)
        #expect(log.statistics.commits == 1)
        #expect(messageIDs(try log.read(from: 0, limit: 100)) == (0..<50).map { "m\($0)" })
    }

    @Test func anEntryLargerThanABlockIsStored() async throws {
        let log = try EventLog(path: directory.path + "/small.sqlite", limits: .init(blockBytes: 1000))
        let body = String(repeating: "y", count: 30_000)
        _ = try await log.append([call("small"), call("large", body: body), call("after")])
        #expect(messageIDs(try log.read(from: 0, limit: 100)) == ["small", "large", "after"])
        #expect(try log.record(at: 1).entry == call("large", body: body))
    }

    @Test func tooMuchWaitingIsRefusedAndWhatWasAcceptedIsStored() async throws {
        let limits = EventLog.Limits(waitingBytesMax: 20_000, blockBytes: 4000, retryAfterSeconds: 7)
        let log = try EventLog(path: directory.path + "/busy.sqlite", limits: limits)
        // Holding the one writing connection makes the disk infinitely slow.
        let outcomes = try await withThrowingTaskGroup(of: Result<Range<Int64>, EventLogError>.self) { group in
            let early = try await log.withWritingStopped {
                for number in 0..<30 {
                    group.addTask {
                        do {
                            let body = String(repeating: "z", count: 2000)
                            return .success(try await log.append([call("m\(number)", body: body)]))
                        } catch let error as EventLogError {
                            return .failure(error)
                        }
                    }
                }
                // The refused ones answer while nothing can be written.
                var outcomes: [Result<Range<Int64>, EventLogError>] = []
                while outcomes.count < 5, let outcome = try await group.next() { outcomes.append(outcome) }
                #expect(outcomes.allSatisfy { $0 == .failure(.overloaded(retryAfterSeconds: 7)) })
                return outcomes
            }
            return try await group.reduce(into: early) { $0.append($1) }
        }
        let accepted = outcomes.filter { if case .success = $0 { true } else { false } }.count
        #expect(accepted > 0)
        #expect(log.endOffset == Int64(accepted))
        #expect(log.statistics.refusedAppends == 30 - accepted)
        #expect(log.statistics.waitingBytes == 0)
    }

    @Test func aFullDiskFailsTheWholeGroupAndTheLogGoesOn() async throws {
        _ = try await log.append([call("before")])
        let pages = try await log.pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA max_page_count = 3")
            return try Int.fetchOne(database, sql: "PRAGMA max_page_count") ?? 0
        }
        // Random bytes, which zstd can't shrink into the pages that are left.
        var random = SeededRandom(seed: 1)
        let noise = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let large = LogEntry.call(
            Call(
                kind: .track, sourceID: "s", messageID: "large", event: "E", timestamp: .epoch, receivedAt: .epoch,
                body: noise))
        let error = await #expect(throws: EventLogError.self) { try await log.append([call("with"), large]) }
        guard case .writeFailed(let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("full"))
        #expect(log.endOffset == 1)
        #expect(messageIDs(try log.read(from: 0, limit: 10)) == ["before"])
        #expect(log.statistics.failedCommits == 1)
        try await log.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pages * 1000)") }
        #expect(try await log.append([call("after")]) == 1..<2)
        #expect(messageIDs(try log.read(from: 0, limit: 10)) == ["before", "after"])
    }

    @Test func aClosedLogRefuses() async throws {
        _ = try await log.append([call("a")])
        try log.close()
        await #expect(throws: EventLogError.closed) { try await log.append([call("b")]) }
    }
}

extension EventLog {
    /// Runs the body while no commit can happen.
    func withWritingStopped<Result>(_ body: () async throws -> Result) async throws -> Result {
        let release = Gate()
        let log = self
        await withCheckedContinuation { continuation in
            // Blocks a thread of its own, never one of the few that tasks run on.
            Thread.detachNewThread {
                log.pool.writeWithoutTransaction { _ in
                    continuation.resume()
                    release.wait()
                }
            }
        }
        defer { release.open() }
        return try await body()
    }
}

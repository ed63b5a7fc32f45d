// Reading: in order, at random, from memory and from the file, and waiting for what is to come.

import Dispatch
import Model
import TestSupport
import Testing

@testable import EventLog

@Suite struct ReadTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// 300 records in many small blocks, hardly any of them kept in memory.
    private func filled() async throws -> EventLog {
        let log = try EventLog(path: directory.log, limits: .init(blockBytes: 2000, recentBytesMax: 1000))
        for start in stride(from: 0, to: 300, by: 7) {
            let body = String(repeating: "b", count: 100)
            _ = try await log.append((start..<min(start + 7, 300)).map { call("m\($0)", body: body) })
        }
        return log
    }

    @Test func everyOffsetAndLimitGivesTheSameRecords() async throws {
        let log = try await filled()
        for limit in [1, 3, 7, 64, 1000] {
            var messages: [String] = []
            while true {
                let records = try log.read(from: Int64(messages.count), limit: limit)
                if records.isEmpty { break }
                #expect(records.count <= limit)
                messages += messageIDs(records)
            }
            #expect(messages == (0..<300).map { "m\($0)" })
        }
    }

    @Test func readsAtTheEndAndBeyondAreEmpty() async throws {
        let log = try await filled()
        #expect(try log.read(from: 300, limit: 10).isEmpty)
        #expect(try log.read(from: 9999, limit: 10).isEmpty)
        #expect(try log.read(from: 0, limit: 0).isEmpty)
        #expect(throws: EventLogError.noSuchRecord(offset: -1, endOffset: 300)) { try log.read(from: -1, limit: 1) }
    }

    @Test func recordsAtRandomComeInTheOrderAskedFor() async throws {
        let log = try await filled()
        var random = SeededRandom(seed: 42)
        let offsets = (0..<500).map { _ in Int64.random(in: 0..<300, using: &random) }
        #expect(messageIDs(try log.records(at: offsets)) == offsets.map { "m\($0)" })
        #expect(try log.record(at: 299).offset == 299)
        #expect(throws: EventLogError.noSuchRecord(offset: 300, endOffset: 300)) { try log.record(at: 300) }
    }

    @Test func waitingReturnsWhenTheRecordComes() async throws {
        let log = try EventLog(path: directory.log)
        #expect(!log.wait(for: 0, timeout: .zero))
        async let waiter = onThread { log.wait(for: 1, timeout: .seconds(60)) }
        let asynchronous = Task { await log.waitForRecord(at: 1) }
        _ = try await log.append([call("a")])
        #expect(log.wait(for: 0, timeout: .seconds(60)))
        _ = try await log.append([call("b")])
        // A wait may end early when something else was appended; the engine's loop then waits again.
        var isThere = await waiter
        if !isThere { isThere = log.wait(for: 1, timeout: .seconds(60)) }
        #expect(isThere)
        #expect(await asynchronous.value)
    }

    @Test func aWaitEndsWithItsTimeoutACancellationOrAWake() async throws {
        let log = try EventLog(path: directory.log)
        #expect(!log.wait(for: 0, timeout: .milliseconds(5)))
        let cancelled = Task { await log.waitForRecord(at: 0) }
        cancelled.cancel()
        #expect(await !cancelled.value)
        let isDone = DispatchSemaphore(value: 0)
        async let isThere = onThread {
            defer { isDone.signal() }
            return log.wait(for: 0, timeout: .seconds(600))
        }
        // Wakes until the waiter, which may not have started yet, has ended.
        await onThread { while isDone.wait(timeout: .now() + .milliseconds(1)) == .timedOut { log.wakeWaiters() } }
        #expect(await !isThere)
    }
}

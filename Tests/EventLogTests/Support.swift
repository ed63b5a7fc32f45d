import Foundation
import GRDB
import JSON
import Model
import TestSupport

@testable import EventLog

/// A directory that goes away with its last user.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var log: String { path + "/log.sqlite" }
}

/// A call that tells its writer and place, so that order can be checked.
func call(_ message: String, body: String = "{}", receivedAt: Int64 = 1_700_000_000_000) -> LogEntry {
    .call(
        Call(
            kind: .track, sourceID: "src_1", messageID: message, userID: "u", event: "E",
            timestamp: Instant(milliseconds: receivedAt - 5), receivedAt: Instant(milliseconds: receivedAt),
            body: Array(body.utf8)))
}

func messageIDs(_ records: [LogRecord]) -> [String] {
    records.compactMap { record in if case .call(let call) = record.entry { call.messageID } else { nil } }
}

/// A call with every field drawn at random, boundaries included.
func randomEntry(using random: inout SeededRandom) -> LogEntry {
    func text(_ random: inout SeededRandom) -> String {
        let alphabets = ["", "a", "user_1234567890abcdefghij", "é", "🙂 emoji", "\u{0}", "\"\\\n", "名前"]
        let parts = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            alphabets[Int.random(in: 0..<alphabets.count, using: &random)]
        }
        let long = Int.random(in: 0..<50, using: &random) == 0 ? String(repeating: "x", count: 300) : ""
        return parts.joined() + long
    }
    func instant(_ random: inout SeededRandom) -> Instant {
        let choices: [Int64] = [
            0, -1, 1_700_000_000_000, Instant.distantPast.milliseconds, Instant.distantFuture.milliseconds,
            Int64.random(in: -1 << 45...1 << 45, using: &random),
        ]
        return Instant(milliseconds: choices[Int.random(in: 0..<choices.count, using: &random)])
    }
    func optional(_ random: inout SeededRandom) -> String? {
        Bool.random(using: &random) ? text(&random) : nil
    }
    if Int.random(in: 0..<10, using: &random) == 0 {
        return .command(
            .putSource(
                Source(
                    id: text(&random), name: text(&random), writeKey: text(&random),
                    enabled: Bool.random(using: &random), createdAt: Instant(milliseconds: 1_700_000_000_000))),
            receivedAt: instant(&random))
    }
    let kinds = Call.Kind.allCases
    return .call(
        Call(
            kind: kinds[Int.random(in: 0..<kinds.count, using: &random)], sourceID: text(&random),
            messageID: text(&random), userID: optional(&random), anonymousID: optional(&random),
            groupID: optional(&random), previousID: optional(&random), event: optional(&random),
            timestamp: instant(&random), originalTimestamp: instant(&random), receivedAt: instant(&random),
            warnings: (0..<Int.random(in: 0...3, using: &random)).map { _ in text(&random) },
            body: (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }))
}

/// Opens once; whoever waits goes on then.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    func wait() {
        semaphore.wait()
        semaphore.signal()
    }
}

/// Runs blocking work on a thread of its own: the few threads that tasks share must not block.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: work()) }
    }
}

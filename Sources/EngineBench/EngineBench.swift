/// Measures the evaluator and the engine around it: what an event costs on profiles with short and with long histories, how
/// many evaluations a core does, and how punctual wake-ups are.
///
/// It promises that what it measures is what it says: real files, the real engine, and every count that it prints is
/// checked against what must have happened.
import EventLog
public import Foundation
import JSON
import Model
import Store

public struct EngineBench {
    /// Files are made here and removed afterwards.
    public let directory: URL

    public init(directory: URL) { self.directory = directory }

    /// A failed check: the measurement means nothing.
    struct WrongAnswer: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs something with a Log and a state file of its own.
    func withFiles<Result>(_ body: (EventLog, StateStore) async throws -> Result) async throws -> Result {
        let place = directory.appending(path: "engine-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        let log = try EventLog(path: place.appending(path: "log.sqlite").path)
        let store = try StateStore(path: place.appending(path: "state.sqlite").path)
        defer { try? log.close() }
        return try await body(log, store)
    }

    static func track(
        _ event: String, user: String, number: Int, at: Instant, received: Instant, _ properties: JSONValue = [:]
    ) -> LogEntry {
        let body: JSONValue = ["properties": properties]
        return .call(
            Call(
                kind: .track, sourceID: "bench", messageID: "m\(number)", userID: user, event: event, timestamp: at,
                receivedAt: received, body: body.utf8))
    }

    static func create(_ kind: Computation.Kind, _ key: String, _ query: String, at: Instant) -> LogEntry {
        .command(
            .putComputation(
                Computation(
                    id: (kind == .audience ? "aud_" : "tra_") + key, kind: kind, key: key, name: key, query: query,
                    createdAt: at)),
            receivedAt: at)
    }

    /// Seconds that something takes.
    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        try ContinuousClock().measure(body) / .seconds(1)
    }

    static func text(_ number: Double, _ digits: Int = 1) -> String { String(format: "%.\(digits)f", number) }

    static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

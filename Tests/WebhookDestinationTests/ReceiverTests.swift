import AsyncHTTPClient
import Delivery
import Foundation
import JSON
import Logging
import Model
import ServiceLifecycle
import Store
import Testing

@testable import WebhookDestination

// The whole way from the outbox to the receiver of docs/destinations.md, which is taken from there and run.

/// The Python program of the documentation at work.
private struct PythonReceiver {
    let process = Process()
    let output: URL
    let port: Int

    init(secret: String, in directory: URL) async throws {
        let text = try String(contentsOfFile: "docs/destinations.md", encoding: .utf8)
        let program = try #require(text.components(separatedBy: "```python\n").dropFirst().first)
        let file = directory.appendingPathComponent("receiver.py")
        try program.components(separatedBy: "```")[0].write(to: file, atomically: true, encoding: .utf8)
        output = directory.appendingPathComponent("output-\(UUID().uuidString)")
        try #require(FileManager.default.createFile(atPath: output.path, contents: nil))
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", file.path, secret, "0"]
        process.standardOutput = try FileHandle(forWritingTo: output)
        // A child that holds the test's own streams would keep whoever reads them waiting.
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = output
        try await eventually("the receiver listens") { try Self.lines(of: output).count == 1 }
        port = try #require(try Self.lines(of: output).first?.split(separator: " ").last.flatMap { Int($0) })
    }

    static func lines(of file: URL) throws -> [Substring] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: true)
    }

    /// SIGTERM may be blocked in a child of a test process.
    func stop() { kill(process.processIdentifier, SIGKILL) }

    /// What it was told: `messageId type userId`.
    var calls: [String] { get throws { try Self.lines(of: output).dropFirst().map { String($0) } } }
}

private struct RealClock: InstantSource {
    func now() -> Instant { Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}

func eventually(
    _ what: Comment, within limit: Duration = .seconds(600), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(10))
    }
}

@Suite("docs/destinations.md: the receiver in Python", .timeLimit(.minutes(20))) struct ReceiverTests {
    @Test("1: it takes what is signed with its secret, in order, also while secrets are exchanged, and nothing else")
    func delivery() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("webhook-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let receiver = try await PythonReceiver(secret: "the secret of yesterday", in: directory)
        defer { receiver.stop() }

        let store = try StateStore(path: directory.appendingPathComponent("state.sqlite").path)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .delivery)
        var configuration = DeliveryConfiguration()
        configuration.idleWait = Instant.Span(milliseconds: 10)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let service = DeliveryService(
            store: store, clock: RealClock(), client: client, adapters: [WebhookDestination.self],
            configuration: configuration, seed: 1, logger: logger)
        let group = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: logger))
        let running = Task { try await group.run() }

        // A wrong secret stops the destination, with the reason; nothing is lost.
        let url = "http://127.0.0.1:\(receiver.port)/muster"
        var destination = Destination(
            id: "dst", kind: "webhook", name: "Warehouse",
            settings: ["url": .string(url), "secret": "the secret of tomorrow"], createdAt: .epoch)
        var changes = StateChanges()
        changes.destinations = [destination]
        changes.emissions = [
            emission("m1", 1, .identify), emission("m2", 1, .track), emission("m3", 2, .page),
            emission("m4", 1, .group),
        ]
        try store.commit(changes)
        service.destinationsChanged([destination])
        try await eventually("paused") { try store.pauses()["dst"] != nil }
        #expect(try store.pauses()["dst"]?.reason.contains("does not accept the signature") == true)
        #expect(try receiver.calls == [])
        let wrong = try await service.testConnection(kind: "webhook", settings: destination.settings)
        #expect(wrong != .working)

        // With the old secret beside the new one everything arrives.
        destination.settings["old_secret"] = "the secret of yesterday"
        #expect(try await service.testConnection(kind: "webhook", settings: destination.settings) == .working)
        service.destinationsChanged([destination])
        try await eventually("delivered") { try store.counts(destinationID: "dst").waiting == 0 }
        #expect(
            try receiver.calls == ["m1 identify u1", "m2 track u1", "m4 group u1", "m3 page u2"]
                || receiver.calls
                    == ["m1 identify u1", "m2 track u1", "m3 page u2", "m4 group u1"]
        )
        for attempt in try store.attempts(limit: 10) {
            #expect(!"\(attempt)".contains("the secret of"))
        }
        await group.triggerGracefulShutdown()
        try await running.value
        try await client.shutdown()
        try store.close()
    }

    private func emission(_ id: String, _ profile: UInt32, _ kind: Emission.Kind) -> Emission {
        let call: JSONValue = [
            "type": .string(kind.rawValue), "messageId": .string(id), "userId": .string("u\(profile)"),
        ]
        return Emission(
            destinationID: "dst", computationID: "src_web", computationKey: "", profile: ProfileOrdinal(profile),
            kind: kind, messageID: id, timestamp: .epoch, payload: call.utf8)
    }
}

import EventLog
import Foundation
import JSON
import Logging
import Model
import Store
import Synchronization
import Testing

@testable import Engine

/// Goal: the running service keeps time, answers commands and fires wake-ups without any event. Method: a real service
/// on real files with a clock that the test moves; conditions are awaited, never slept for.
@Suite struct ServiceTests {
    final class HandClock: InstantSource {
        private let instant: Mutex<Instant>
        init(_ instant: Instant) { self.instant = Mutex(instant) }
        func now() -> Instant { instant.withLock { $0 } }
        func move(by span: Instant.Span) { instant.withLock { $0 = $0 + span } }
    }

    final class Fixture: Sendable {
        let directory: URL
        let clock = HandClock(start)
        let gate: ReceiptGate
        let log: EventLog
        let store: StateStore
        let service: EngineService

        init() throws {
            directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            gate = ReceiptGate(clock: clock)
            log = try EventLog(path: directory.appendingPathComponent("log.sqlite").path)
            store = try StateStore(path: directory.appendingPathComponent("state.sqlite").path)
            service = try EngineService(store: store, log: log, gate: gate, logger: Logger(label: "test"))
            service.start()
        }

        deinit {
            service.stop()
            try? FileManager.default.removeItem(at: directory)
        }

        func create(_ key: String, _ query: String) async throws {
            try await service.submit(
                .putComputation(
                    Computation(
                        id: "aud_\(key)", kind: .audience, key: key, name: key, query: query, createdAt: clock.now())))
        }

        func track(_ event: String, user: String, id: String) async throws {
            let at = clock.now()
            _ = try await log.append([
                .call(
                    Call(
                        kind: .track, sourceID: "src", messageID: id, userID: user, event: event, timestamp: at,
                        receivedAt: at, body: Array("{}".utf8)))
            ])
            try await service.waitUntilCaughtUp(with: at)
        }

        func isMember(_ key: String, user: String) -> Bool {
            service.read { engine in
                guard let profile = engine.profile(for: Identifier(type: "user_id", value: user)) else { return false }
                return engine.computedValues(of: profile).contains { $0.key == key && $0.value == true }
            }
        }
    }

    @Test("a command's answer means that it is in force")
    func commandsAnswer() async throws {
        let fixture = try Fixture()
        try await fixture.create("a", "event('A').count() >= 1")
        #expect(fixture.service.read { $0.computation(key: "a") } != nil)
        await #expect(throws: CommandError.self) { try await fixture.create("b", "event('A').cuont() >= 1") }
        await #expect(throws: CommandError.self) {
            try await fixture.service.submit(.deleteComputation(id: "aud_nobody"))
        }
    }

    @Test("people leave a window when its time comes, though no event arrives")
    func leavesOnTime() async throws {
        let fixture = try Fixture()
        try await fixture.create("a", "event('A').within(30 days).count() >= 1")
        try await fixture.track("A", user: "u", id: "1")
        #expect(fixture.isMember("a", user: "u"))
        fixture.clock.move(by: .days(30))
        try await fixture.service.waitUntilCaughtUp(with: fixture.clock.now())
        #expect(fixture.isMember("a", user: "u"))
        fixture.clock.move(by: .seconds(1))
        try await fixture.service.waitUntilCaughtUp(with: fixture.clock.now())
        #expect(!fixture.isMember("a", user: "u"))
    }

    @Test("time stands still for a request that is on its way into the Log")
    func gateHoldsTime() async throws {
        let fixture = try Fixture()
        try await fixture.create("a", "event('A').within(1 hours).count() >= 1")
        try await fixture.track("A", user: "u", id: "1")
        fixture.clock.move(by: .minutes(59))
        let ticket = fixture.gate.enter()
        fixture.clock.move(by: .days(1))
        // Received before the window's end, durable after it: the person never left.
        _ = try await fixture.log.append([
            .call(
                Call(
                    kind: .track, sourceID: "src", messageID: "2", userID: "u", event: "A",
                    timestamp: ticket.receivedAt, receivedAt: ticket.receivedAt, body: Array("{}".utf8)))
        ])
        fixture.gate.leave(ticket)
        try await fixture.service.waitUntilCaughtUp(with: fixture.clock.now())
        let person = try #require(fixture.service.read { $0.profile(for: Identifier(type: "user_id", value: "u")) })
        let exits = try fixture.store.transitions(profiles: [person], limit: 10).filter { $0.value == false }
        #expect(exits.map(\.at) == [ticket.receivedAt + .hours(1) + Instant.Span(milliseconds: 1)])
    }
}

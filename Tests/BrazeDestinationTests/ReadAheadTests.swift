import Delivery
import JSON
import Model
import Store
import Testing

@testable import BrazeDestination

/// The outbox is read ahead, and answers are written down, while requests leave: neither may be seen from outside.
@Suite(.serialized) struct ReadAheadTests {
    @Test func whatIsReadAgainWhileItIsBeingSettledIsNotSentAgain() async throws {
        try await Desk.with { desk in
            let running = try desk.start(
                [desk.destination()],
                Desk.configuration { configuration in
                    configuration.pageSize = 50
                    configuration.windowSize = 400
                    configuration.requestsPerSecond = 1000
                })
            // Too large for an object: parked at once, and again after each redrive, which reads the outbox anew.
            try desk.emit([desk.track("large", "Large", ["text": .string(String(repeating: "x", count: 150_000))])])
            let events = 6_000
            try desk.emit((0..<events).map { desk.track("u\($0 % 500)", "Event \($0)") }, to: running)
            var rescans = 0
            try await eventually("delivered") {
                Task { try await running.service.redrive(destinationID: "dst") }
                rescans += 1
                return try desk.waiting == 0
            }
            try await running.stop()
            let names = desk.braze.calls.flatMap(\.events).compactMap { $0["name"]?.string }
            #expect(names.count == events)
            #expect(Set(names).count == events)
            #expect(rescans > 10)
        }
    }

    @Test func whatWasAcknowledgedAfterThePageAheadWasReadIsKnown() async throws {
        try await Desk.with { desk in
            let running = try desk.start(
                [desk.destination()],
                Desk.configuration { configuration in
                    configuration.pageSize = 100
                    configuration.windowSize = 100
                    configuration.requestsPerSecond = 1000
                })
            let (people, rounds) = (100, 40)
            var expected: [String: Bool] = [:]
            for round in 0..<rounds {
                try desk.emit(
                    (0..<people).map { person in
                        // Each page takes back what the one before it said, or repeats it.
                        let value = (round + person * round / 7) % 2 == 0
                        expected["u\(person)"] = value
                        return desk.identify("u\(person)", ["flag": .bool(value)])
                    })
            }
            running.service.notifyOutbox()
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()
            var held: [String: Bool] = [:]
            var writes = 0
            for object in desk.braze.calls.flatMap(\.attributes) {
                guard let person = object["external_id"]?.string, let value = object["flag"]?.bool else { continue }
                #expect(held[person] != value, "\(person) was told \(value) twice")
                held[person] = value
                writes += 1
            }
            #expect(held == expected)
            #expect(writes > people * 5)
        }
    }
}

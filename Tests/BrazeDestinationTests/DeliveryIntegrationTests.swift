import Delivery
import JSON
import Model
import Store
import Testing

@testable import BrazeDestination

// Goal: what the state machine promises holds with a real store, a real HTTP client and a real server.
// Method: a scripted Braze on a port; emissions written like the engine writes them; the store and the server's record
// of calls looked at afterwards.

@Suite(.timeLimit(.minutes(20))) struct DeliveryIntegrationTests {
    @Test func attributeAndEventArriveInOneRequestAndAreRecorded() async throws {
        try await Desk.with { desk in
            let running = try desk.start([desk.destination()])
            let at = Instant(milliseconds: 7)
            try desk.emit(
                [
                    desk.identify("u1", ["vip": true, "email": "e@example.com"], at: at),
                    desk.track("u1", "Audience Entered", ["audience_key": "vip", "vip": true], at: at),
                ], to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()

            #expect(
                desk.braze.calls.map(\.body) == [
                    [
                        "attributes": [
                            [
                                "vip": true, "email": "e@example.com", "external_id": "u1",
                                "_update_existing_only": false,
                            ]
                        ],
                        "events": [
                            [
                                "external_id": "u1", "name": "Audience Entered", "time": "2026-02-03T04:05:07.000Z",
                                "properties": ["audience_key": "vip", "vip": true], "_update_existing_only": false,
                            ]
                        ],
                    ]
                ])
            let attempts = try desk.store.attempts(limit: 10)
            #expect(attempts.count == 1)
            let attempt = try #require(attempts.first)
            #expect(attempt.outcome == .delivered)
            #expect(attempt.status == 201)
            #expect(attempt.objectCount == 2)
            #expect(attempt.endpoint == "POST http://127.0.0.1:\(desk.port)/users/track")
            #expect(attempt.response == #"{"message":"success"}"#)
            let recorded = try JSONValue(parsing: try #require(attempt.request))
            #expect(recorded == desk.braze.calls[0].body)
            let rows = try desk.store.emissions(attemptID: try #require(attempt.id))
            #expect(rows.map(\.outcome) == [.delivered, .delivered])
            #expect(try desk.store.counts(destinationID: "dst").delivered == 2)
        }
    }

    @Test("TX 57: an unchanged value makes no request, also after a restart") func unchanged() async throws {
        try await Desk.with { desk in
            var running = try desk.start([desk.destination()])
            try desk.emit([desk.identify("u1", ["vip": true])], to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()

            running = try desk.start([desk.destination()])
            try desk.emit([desk.identify("u1", ["vip": true])], to: running)
            try await eventually("settled") { try desk.waiting == 0 }
            try await running.stop()
            #expect(desk.braze.calls.count == 1)
            #expect(try desk.store.counts(destinationID: "dst").unchanged == 1)
        }
    }

    @Test("TX 20: after a 429 nothing is sent before the advised time") func throttled() async throws {
        try await Desk.with { desk in
            desk.braze.script([.status(429, "Rate limit exceeded", headers: [("X-Ratelimit-Retry-After", "1")])])
            let running = try desk.start([desk.destination()])
            try desk.emit([desk.track("u1", "E")], to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()
            let calls = desk.braze.calls
            #expect(calls.count == 2)
            // Whole milliseconds are counted on our side: the server may see a hair less.
            #expect(calls[1].at - calls[0].at >= .milliseconds(950))
            #expect(try desk.store.attempts(limit: 10).map(\.outcome) == [.delivered, .retrying])
        }
    }

    @Test func serverErrorsAreTriedAgainUntilTheyEnd() async throws {
        try await Desk.with { desk in
            desk.braze.script([.status(500, "oops"), .status(503), .status(502), .status(504)])
            let running = try desk.start([desk.destination()])
            try desk.emit([desk.identify("u1", ["vip": true]), desk.track("u1", "E")], to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()
            let attempts = try desk.store.attempts(limit: 10)
            #expect(attempts.map(\.outcome) == [.delivered, .retrying, .retrying, .retrying, .retrying])
            #expect(attempts.last?.response == #"{"message":"oops"}"#)
        }
    }

    @Test("TX 29, 30: rejected objects are parked with Braze's words and can be redriven") func partialErrors()
        async throws
    {
        try await Desk.with { desk in
            desk.braze.script([
                ScriptedBraze.Answer(body: [
                    "message": "success",
                    "errors": [["type": "provided external_id is blacklisted", "input_array": "events", "index": 1]],
                ])
            ])
            let running = try desk.start([desk.destination()])
            // The first has no identifier and is filtered out before anything is sent.
            let nobody = Emission(
                destinationID: "dst", computationID: "aud_1", computationKey: "k", profile: ProfileOrdinal(1),
                kind: .track, messageID: "personas_nobody", timestamp: .epoch,
                payload: Array(#"{"event":"E","anonymousId":"a","receivedAt":"2026-02-03T04:05:07Z"}"#.utf8))
            try desk.emit(
                [nobody, desk.identify("u0", ["vip": true]), desk.track("u1", "E"), desk.track("u2", "E")], to: running)
            try await eventually("settled") { try desk.waiting == 0 }
            let parked = try desk.store.outbox(parked: true, limit: 10)
            #expect(parked.map(\.parkedReason) == ["provided external_id is blacklisted"])
            #expect(parked.map { String(decoding: $0.emission.payload, as: UTF8.self).contains("u2") } == [true])
            let refused = try desk.store.attemptEmissions(limit: 10).filter { $0.messageID == "personas_nobody" }
            #expect(refused.count == 1)
            #expect(refused.first?.outcome == .rejected)
            #expect(refused.first?.detail.hasPrefix("Braze can't know who this is") == true)
            #expect(try desk.store.counts(destinationID: "dst").discarded == 1)

            #expect(try await running.service.redrive(destinationID: "dst") == 1)
            try await eventually("redriven") { try desk.store.counts(destinationID: "dst").delivered == 3 }
            try await running.stop()
            #expect(desk.braze.calls.count == 2)
            #expect(desk.braze.calls.last?.events.map { $0["external_id"] } == ["u2"])
        }
    }

    @Test("TX 66: a lost answer is an unknown outcome; the event goes again and says so") func lostAnswers()
        async throws
    {
        try await Desk.with { desk in
            desk.braze.script([ScriptedBraze.Answer(isLost: true)])
            let running = try desk.start([desk.destination()])
            try desk.emit([desk.track("u1", "E")], to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            #expect(running.service.activities()["dst"]?.unknownOutcomes == 1)
            try await running.stop()
            #expect(desk.braze.calls.count == 2)
            #expect(try desk.store.attempts(limit: 10).map(\.outcome) == [.delivered, .unknown])
            let rows = try desk.store.attemptEmissions(limit: 10)
            #expect(rows.map(\.outcome) == [.delivered, .unknown])
            #expect(Set(rows.map(\.messageID)).count == 1)
            #expect(rows[0].detail.contains("may have taken effect twice"))
        }
    }

    @Test func anAnswerThatTakesTooLongIsAnUnknownOutcome() async throws {
        try await Desk.with { desk in
            desk.braze.script([ScriptedBraze.Answer(delay: .milliseconds(600))])
            let running = try desk.start(
                [desk.destination()], Desk.configuration { $0.answerTimeout = Instant.Span(milliseconds: 200) })
            try desk.emit([desk.identify("u1", ["vip": true])], to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()
            #expect(try desk.store.attempts(limit: 10).last?.outcome == .unknown)
            #expect(desk.braze.calls.count >= 2)
        }
    }

    @Test("TX 11: a wrong key pauses, keeps everything, and new settings resume") func wrongKey() async throws {
        try await Desk.with { desk in
            let running = try desk.start([desk.destination(key: "wrong-key")])
            try desk.emit([desk.identify("u1", ["vip": true]), desk.track("u1", "E")], to: running)
            try await eventually("paused") { try desk.store.pauses()["dst"] != nil }
            let reason = try desk.store.pauses()["dst"]?.reason ?? ""
            #expect(reason.contains("does not accept the API key (401 Invalid API Key)"))
            #expect(!reason.contains("wrong-key"))
            guard case .paused(let shown, _)? = running.service.activities()["dst"]?.phase else {
                Issue.record("the activity must say that it is paused")
                return
            }
            #expect(shown == reason)
            try await eventually("probed in vain") { desk.braze.probeCount >= 2 }
            #expect(desk.braze.calls.count == 1)
            #expect(try desk.waiting == 2)
            #expect(try desk.store.attempts(limit: 10).map(\.status) == [401])

            var changes = StateChanges()
            changes.destinations = [desk.destination()]
            try desk.store.commit(changes)
            running.service.destinationsChanged([desk.destination()])
            try await eventually("delivered") { try desk.waiting == 0 }
            #expect(try desk.store.pauses().isEmpty)
            try await running.stop()
            #expect(desk.braze.calls.count == 2)
        }
    }

    @Test func aProbeFindsThatTheDestinationWorksAgain() async throws {
        try await Desk.with { desk in
            desk.braze.script([.status(403, "Access Denied")])
            let running = try desk.start([desk.destination()])
            try desk.emit([desk.track("u1", "E")], to: running)
            try await eventually("delivered after the probe") { try desk.waiting == 0 }
            try await running.stop()
            #expect(desk.braze.probeCount == 1)
            #expect(desk.braze.calls.count == 2)
            #expect(try desk.store.pauses().isEmpty)
        }
    }

    @Test func anUnknownHostPausesInWords() async throws {
        try await Desk.with { desk in
            var destination = desk.destination(endpoint: "http://braze.invalid:9")
            destination.settings["allow_custom_host"] = true
            let running = try desk.start([destination])
            try desk.emit([desk.track("u1", "E")], to: running)
            try await eventually("paused") { try desk.store.pauses()["dst"] != nil }
            #expect(try desk.store.pauses()["dst"]?.reason.hasPrefix("The host braze.invalid can't be found") == true)
            #expect(try desk.waiting == 1)
            try await running.stop()
        }
    }

    @Test func aDeadDestinationDoesNotSlowAnother() async throws {
        try await Desk.with { desk in
            // Port 9 of this machine: nobody listens.
            let running = try desk.start([desk.destination("dead", endpoint: "http://127.0.0.1:9"), desk.destination()])
            try desk.emit((0..<200).map { desk.track("u\($0)", "E", destination: "dead") }, to: running)
            try await eventually("refused") {
                if case .retrying(let reason, _)? = running.service.activities()["dead"]?.phase {
                    return reason == "Nothing answers at 127.0.0.1:9: the connection was refused"
                }
                return false
            }
            try desk.emit((0..<200).map { desk.track("u\($0)", "E") }, to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            #expect(try desk.store.counts(destinationID: "dead").waiting == 200)
            try await running.stop()
        }
    }

    @Test func aDisabledDestinationKeepsWhatWaits() async throws {
        try await Desk.with { desk in
            let running = try desk.start([desk.destination(enabled: false)])
            try desk.emit([desk.track("u1", "E")], to: running)
            try await eventually("known as disabled") {
                running.service.activities()["dst"]?.phase == .disabled
            }
            #expect(try desk.waiting == 1)
            running.service.destinationsChanged([desk.destination()])
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()
        }
    }

    @Test func unusableSettingsAreShown() async throws {
        try await Desk.with { desk in
            let running = try desk.start([desk.destination(endpoint: "MARS-01")])
            try await eventually("shown") {
                if case .invalid(let error)? = running.service.activities()["dst"]?.phase {
                    return error.field == "endpoint"
                }
                return false
            }
            try await running.stop()
        }
    }

    @Test("TX 58: killed with a request under way, delivery sends it again") func killed() async throws {
        try await Desk.with { desk in
            desk.braze.script([ScriptedBraze.Answer(delay: .seconds(3))])
            var running = try desk.start([desk.destination()])
            try desk.emit([desk.identify("u1", ["vip": true])], to: running)
            try await eventually("under way") { desk.braze.calls.count == 1 }
            running.task.cancel()
            _ = await running.task.result
            #expect(try desk.waiting == 1)

            running = try desk.start([desk.destination()])
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()
            #expect(desk.braze.calls.count == 2)
        }
    }

    @Test func shutdownLetsRequestsUnderWayEnd() async throws {
        try await Desk.with { desk in
            desk.braze.script([ScriptedBraze.Answer(delay: .milliseconds(500))])
            let running = try desk.start([desk.destination()])
            try desk.emit([desk.track("u1", "E")], to: running)
            try await eventually("under way") { desk.braze.calls.count == 1 }
            try desk.emit([desk.track("u1", "Later")])
            try await running.stop()
            #expect(try desk.store.attempts(limit: 10).map(\.outcome) == [.delivered])
            #expect(try desk.waiting == 1)
        }
    }

    @Test func anotherWorkspaceIsToldEverythingAgain() async throws {
        try await Desk.with { desk in
            var running = try desk.start([desk.destination()])
            try desk.emit([desk.identify("u1", ["vip": true])], to: running)
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()
            // Same server under another name: the fingerprint of the workspace changes.
            let moved = desk.destination(endpoint: "http://localhost:\(desk.port)")
            running = try desk.start([moved])
            try desk.emit([desk.identify("u1", ["vip": true])], to: running)
            try await eventually("delivered again") { desk.braze.calls.count == 2 }
            try await running.stop()
        }
    }

    @Test("TX 19: thousands of people in full batches, each person's events in order, over several pages")
    func manyPeople() async throws {
        try await Desk.with { desk in
            let running = try desk.start(
                [desk.destination()],
                Desk.configuration { configuration in
                    configuration.pageSize = 200
                    configuration.windowSize = 1000
                    configuration.requestsPerSecond = 500
                })
            desk.braze.script([.success, .status(503), .success, ScriptedBraze.Answer(isLost: true), .status(500)])
            let people = 600
            for round in 0..<5 {
                let emissions = (0..<people).flatMap { person in
                    let at = Instant(milliseconds: Int64(round * people + person))
                    return [
                        desk.identify("u\(person)", ["round": .number(round)], at: at),
                        desk.track("u\(person)", "Round \(round)", at: at),
                    ]
                }
                try desk.emit(emissions, to: running)
            }
            try await eventually("delivered") { try desk.waiting == 0 }
            try await running.stop()

            let calls = desk.braze.calls
            #expect(calls.allSatisfy { $0.attributes.count + $0.events.count <= 75 })
            var last: [String: Int] = [:]
            var rounds: [String: [String]] = [:]
            for call in calls {
                for object in call.attributes { last[object["external_id"]?.string ?? ""] = object["round"]?.integer }
                for object in call.events {
                    let person = object["external_id"]?.string ?? ""
                    let name = object["name"]?.string ?? ""
                    if rounds[person]?.contains(name) != true { rounds[person, default: []].append(name) }
                }
            }
            #expect(last.count == people)
            #expect(last.values.allSatisfy { $0 == 4 })
            #expect(rounds.count == people)
            #expect(rounds.values.allSatisfy { $0 == (0..<5).map { "Round \($0)" } })
            let counts = try desk.store.counts(destinationID: "dst")
            #expect(counts.delivered + counts.coalesced + counts.unchanged == Int64(people * 10))
            #expect(counts.parked == 0)
        }
    }

    @Test("an outbox that grows faster than it is read is sent all the same") func growingOutbox() async throws {
        try await Desk.with { desk in
            // A page of one makes reading slower than the writer, as millions of changes make it at the usual size.
            let running = try desk.start(
                [desk.destination()], Desk.configuration { $0.pageSize = 1 })
            let writer = Task {
                var value = 0
                while !Task.isCancelled {
                    try desk.emit(
                        (0..<200).map { desk.identify("u\($0 % 3)", ["orders": .number(value + $0)]) }, to: running)
                    value += 200
                    await Task.yield()
                }
            }
            try await eventually("told while the outbox grows") { !desk.braze.calls.isEmpty }
            #expect(try desk.waiting > 0, "the writer was not faster than delivery, so this says nothing")
            writer.cancel()
            try await writer.value
            try await running.stop()
        }
    }

    @Test func theConnectionTestTellsWhatToFix() async throws {
        try await Desk.with { desk in
            let running = try desk.start([])
            let good = try await running.service.testConnection(kind: "braze", settings: desk.destination().settings)
            #expect(good == .working)
            let bad = try await running.service.testConnection(
                kind: "braze", settings: desk.destination(key: "other").settings)
            guard case .misconfigured(let reason) = bad else {
                Issue.record("a wrong key is for a person to mend")
                return
            }
            #expect(reason.contains("data centre"))
            await #expect(throws: SettingsError.self) {
                try await running.service.testConnection(kind: "braze", settings: [:])
            }
            await #expect(throws: SettingsError.self) {
                try await running.service.testConnection(kind: "bronze", settings: [:])
            }
            #expect(desk.braze.calls.isEmpty)
            try await running.stop()
        }
    }

    @Test func deletedProfilesAreNoLongerTold() async throws {
        try await Desk.with { desk in
            desk.braze.script([], then: .status(503))
            let running = try desk.start([desk.destination()])
            try desk.emit([desk.track("u1", "E")], to: running)
            try await eventually("under way") { !desk.braze.calls.isEmpty }
            var changes = StateChanges()
            changes.deletedProfiles = [ProfileOrdinal(1)]
            try desk.store.commit(changes)
            running.service.profilesDeleted([ProfileOrdinal(1)])
            try await eventually("forgotten") { running.service.activities()["dst"]?.held == 0 }
            try await running.stop()
        }
    }
}

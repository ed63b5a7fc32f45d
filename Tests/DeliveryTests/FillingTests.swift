import JSON
import Model
import Store
import Testing

@testable import Delivery

// How emissions become requests: waiting, filling, sharing objects, leaving things out.

@Suite struct FillingTests {
    @Test func anIdleDestinationHearsOfAChangeAfterAMoment() {
        var script = Script()
        script.set(1, ["vip": true])
        #expect(script.after(49).isEmpty)
        #expect(script.queue.wakeAt(now: script.now) == script.now + Instant.Span(milliseconds: 1))
        let requests = script.after(1)
        #expect(requests.map(\.json) == [[["vip": true, "external_id": "u1"]]])
        #expect(script.succeed(requests[0]) == .delivered)
        #expect(script.settled == [1: .delivered])
        #expect(script.queue.isIdle)
        #expect(script.queue.persons.isEmpty)
    }

    @Test func aBusyDestinationWaitsASecondToFillRequests() {
        var script = Script()
        script.set(1, "u1", ["vip": true])
        #expect(script.after(50).count == 1)
        script.set(2, "u2", ["vip": true])
        #expect(script.after(999).isEmpty)
        #expect(script.after(1).count == 1)
    }

    @Test func aFullRequestLeavesAtOnce() {
        var script = Script()
        for sequence in 1...80 { script.set(Int64(sequence), "u\(sequence)", ["vip": true]) }
        let requests = script.after(0)
        #expect(requests.map(\.objects.count) == [75])
        // The rest waits: a request is under way.
        #expect(script.after(999).isEmpty)
        #expect(script.after(1).map(\.objects.count) == [5])
    }

    @Test func attributeAndEventOfOneTransitionTravelTogether() {
        var script = Script()
        for sequence in 1...74 { script.set(Int64(sequence), "u\(sequence)", ["vip": true]) }
        script.set(100, "v", ["vip": true], transition: 100)
        script.track(101, "v", transition: 100)
        let requests = script.after(0) + script.after(1000)
        #expect(requests.map(\.objects.count) == [74, 2])
        #expect(requests[1].json.map { $0["external_id"] } == ["v", "v"])
    }

    @Test("what makes one person another waits until everything earlier of them is through") func follows() {
        var script = Script()
        func join(_ sequence: Int64) {
            let object = OutgoingObject(array: "aliases_to_identify", ["external_id": "u1", "name": "join"])
            script.queue.enqueue(
                Script.reference(sequence),
                .occurrence(person: "u1", Occurrence(objects: [object], follows: ["alias"])), known: [:],
                now: script.now)
        }
        script.track(1, "alias")
        join(2)
        script.track(3, "u1")
        script.track(4, "alias")
        script.track(5, "other")
        // The visitor's events leave; the user's wait, also while those are tried again.
        let first = script.after(0) + script.after(1000)
        #expect(first.count == 1 && first[0].json.map { $0["name"] } == ["e1", "e4", "e5"])
        script.answer(first[0], .unavailable(message: "503"), status: 503)
        script.track(6, "u1")
        let second = script.later()
        #expect(second.count == 1 && second[0].json.map { $0["name"] } == ["e1", "e4", "e5"])
        #expect(script.after(10_000).isEmpty)
        script.succeed(second[0])
        let third = script.after(0) + script.after(1000)
        #expect(third.flatMap(\.json).map { $0["name"] } == ["join", "e3", "e6"])
        // What is later does not hold it up, and a visitor of whom nothing waits never does.
        for request in third { script.succeed(request) }
        join(7)
        script.track(8, "alias")
        #expect(script.after(1000).flatMap(\.json).compactMap { $0["name"]?.string }.sorted() == ["e8", "join"])
    }

    @Test("TX 19: never more than 75 objects, also when one emission needs several") func countsObjects() {
        var script = Script()
        script.track(1, "a", objects: 40)
        script.track(2, "b", objects: 36)
        script.track(3, "c", objects: 39)
        let requests = script.after(0) + script.after(1000) + script.after(1000)
        #expect(requests.map(\.objects.count) == [40, 75])
    }

    @Test("TX 19: an emission that no request can hold is parked with the reason") func refusesTheImpossible() {
        var script = Script()
        script.track(1, objects: 76)
        script.track(2, padding: 100_001)
        script.set(3, ["long": .string(String(repeating: "x", count: 100_001))])
        script.track(4, objects: 75, padding: 60_000)
        #expect(script.settled == [1: .parked, 2: .parked, 3: .parked, 4: .parked])
        #expect(script.details[1] == "It needs 76 objects in one request; the destination takes 75")
        #expect(script.queue.isIdle)
    }

    @Test("TX 19: never more than 4 MB") func countsBytes() {
        var script = Script()
        for sequence in 1...75 { script.track(Int64(sequence), "u\(sequence)", padding: 90_000) }
        var requests = script.after(0)
        requests += script.after(1000)
        #expect(requests.map(\.objects.count) == [44, 31])
        #expect(requests.allSatisfy { $0.objects.reduce(0) { $0 + $1.outgoing.json.count + 1 } < 4_000_000 })
    }

    @Test func updatesOfOnePersonShareAnObject() {
        var script = Script()
        script.set(1, ["a": 1, "email": "x@example.com"])
        script.set(2, ["b": 2, "email": "y@example.com"])
        script.set(3, "u2", ["a": 1])
        let requests = script.after(50)
        #expect(
            requests.map(\.json) == [
                [
                    ["a": 1, "b": 2, "email": "y@example.com", "external_id": "u1"], ["a": 1, "external_id": "u2"],
                ]
            ])
        script.succeed(requests[0])
        #expect(script.settled == [1: .delivered, 2: .delivered, 3: .delivered])
        #expect(script.value("u1", "email") == "y@example.com")
    }

    @Test func aSharedObjectStaysWithinItsLimit() {
        var script = Script()
        script.set(1, ["a": .string(String(repeating: "x", count: 60_000))])
        script.set(2, ["b": .string(String(repeating: "x", count: 60_000))])
        #expect(script.after(50).map(\.objects.count) == [2])
    }

    @Test func whatATouchingOccurrenceFollowsStaysBeforeIt() {
        var script = Script()
        script.set(1, ["score": 5, "a": 1])
        script.track(2, touching: ["score"])
        script.set(3, ["b": 2])
        let objects = script.after(50)[0].json
        #expect(objects.map { $0["name"] } == [nil, "e2", nil])
    }

    @Test("TX 21: 10,000 records a second of as many persons stay below Braze's burst limit")
    func staysBelowTheBurstLimit() {
        var script = Script { configuration in
            configuration.requestsInFlight = 1000
            configuration.windowSize = 1_000_000
        }
        var sequence: Int64 = 0
        var sent: [Int64] = []
        for millisecond in 0..<1500 {
            for _ in 0..<10 {
                sequence += 1
                script.set(sequence, "u\(sequence)", ["vip": true])
            }
            let requests = script.after(1)
            sent += requests.map { _ in Int64(millisecond) }
            for request in requests { script.succeed(request) }
        }
        let busiest = sent.indices.map { first in sent[first...].prefix { $0 < sent[first] + 1000 }.count }.max() ?? 0
        // Braze's burst limit is 3,000 requests in 3 seconds.
        #expect(busiest <= 110)
        #expect(sent.count > 145)
    }
}

@Suite struct CoalescingTests {
    @Test func updatesThatWaitCoalesceToTheLatestValue() {
        var script = Script()
        script.set(1, ["vip": true])
        script.set(2, ["vip": false])
        script.set(3, ["vip": true])
        let requests = script.after(50)
        #expect(requests.map(\.json) == [[["vip": true, "external_id": "u1"]]])
        script.succeed(requests[0])
        #expect(script.settled == [1: .superseded(by: 2), 2: .superseded(by: 3), 3: .delivered])
    }

    @Test func eventsNeverCoalesce() {
        var script = Script()
        script.set(1, ["vip": true], transition: 1)
        script.track(2, transition: 1)
        script.set(3, ["vip": false], transition: 3)
        script.track(4, transition: 3)
        let objects = script.after(50)[0].json
        #expect(objects.map { $0["name"] ?? $0["vip"] ?? nil } == ["e2", false, "e4"])
    }

    @Test func oneUpdateSupersedesSeveral() {
        var script = Script()
        script.set(1, ["a": 1])
        script.set(2, ["b": 1])
        script.set(3, ["c": 1])
        script.set(4, ["a": 2, "b": 2])
        #expect(script.settled == [1: .superseded(by: 4), 2: .superseded(by: 4)])
        #expect(script.after(50)[0].json == [["a": 2, "b": 2, "c": 1, "external_id": "u1"]])
    }

    @Test func onlyNamesThatWereTakenOverAreSuperseded() {
        var script = Script()
        script.set(1, ["a": 1, "b": 1])
        script.set(2, ["a": 2])
        #expect(script.settled.isEmpty)
        let requests = script.after(50)
        #expect(requests[0].json == [["a": 2, "b": 1, "external_id": "u1"]])
    }

    @Test("what no newer update says stays with its emission: a crash must not lose it") func anAddressStays() {
        var script = Script()
        script.set(1, ["a": 1, "email": "old@example.com"])
        script.set(2, ["a": 2])
        #expect(script.settled.isEmpty)
        let requests = script.after(50)
        #expect(requests[0].json == [["a": 2, "email": "old@example.com", "external_id": "u1"]])
        script.succeed(requests[0])
        #expect(script.settled == [1: .delivered, 2: .delivered])
    }

    @Test func theLatestAddressWinsAlsoWhenItsOwnUpdateChangesNothing() {
        var script = Script()
        script.ledger = [
            .init(externalID: "u1", attribute: "b"): Known(value: 2, sequence: 0),
            .init(externalID: "u1", attribute: "email"): Known(value: "new@example.com", sequence: 0),
        ]
        script.set(1, ["a": 1, "email": "old@example.com"])
        script.set(2, ["b": 2, "email": "new@example.com"])
        let requests = script.after(50)
        #expect(requests[0].json == [["a": 1, "external_id": "u1"]])
        script.succeed(requests[0])
        #expect(script.settled == [1: .delivered, 2: .unchanged])
    }

    @Test func differentIdentitiesOfOnePersonDoNotMix() {
        var script = Script()
        script.set(1, "u1", ["a": 1])
        let other = AttributeUpdate(
            array: "attributes", identity: ["external_id": "u1", "_update_existing_only": true], values: ["a": 2])
        script.queue.enqueue(Script.reference(2), .update(person: "u1", other), known: [:], now: script.now)
        #expect(script.after(50)[0].objects.count == 2)
    }

    @Test("TX 57: unchanged values produce no request, changed ones exactly one") func leavesOutTheUnchanged() {
        var script = Script()
        script.set(1, ["vip": true])
        script.succeed(script.after(50)[0])
        script.set(2, ["vip": true])
        #expect(script.after(5000).isEmpty)
        #expect(script.settled[2] == .unchanged)
        script.set(3, ["vip": false])
        let requests = script.after(50)
        #expect(requests.map(\.json) == [[["vip": false, "external_id": "u1"]]])
        script.succeed(requests[0])
        #expect(script.queue.isIdle)
    }

    @Test func aChangeThatIsTakenBackBeforeItLeftIsNotSent() {
        var script = Script()
        script.set(1, ["vip": true])
        script.succeed(script.after(50)[0])
        script.set(2, ["vip": false])
        script.set(3, ["vip": true])
        #expect(script.after(5000).isEmpty)
        #expect(script.settled == [1: .delivered, 2: .superseded(by: 3), 3: .unchanged])
    }

    @Test func aNewAddressAloneIsWorthARequest() {
        var script = Script()
        script.set(1, ["vip": true, "email": "a@example.com"])
        script.succeed(script.after(50)[0])
        script.set(2, ["vip": true, "email": "b@example.com"])
        #expect(script.after(50)[0].json == [["email": "b@example.com", "external_id": "u1"]])
    }

    @Test("TX 57: an address that has not changed is not written, and billed, with every change") func anAddressOnce() {
        var script = Script()
        script.set(1, ["vip": true, "email": "a@example.com"])
        script.succeed(script.after(50)[0])
        script.set(2, ["vip": false, "email": "a@example.com"])
        #expect(script.after(50)[0].json == [["vip": false, "external_id": "u1"]])
    }

    @Test func pinnedNamesAreAlwaysSent() {
        var script = Script()
        script.set(1, ["language": "de"], pinned: ["language"])
        script.succeed(script.after(50)[0])
        script.set(2, ["language": "de"], pinned: ["language"])
        #expect(script.after(50).count == 1)
    }

    @Test func valuesThatAnOccurrenceTouchedAreSentAgain() {
        var script = Script()
        script.set(1, ["score": 5])
        script.succeed(script.after(50)[0])
        script.track(2, touching: ["score"])
        script.succeed(script.after(50)[0])
        #expect(script.value("u1", "score") == nil)
        script.set(3, ["score": 5])
        #expect(script.after(50).count == 1)
    }

    @Test("TX 59: a change of an attribute's JSON type is flagged") func flagsTypeChanges() {
        var script = Script()
        script.set(1, "u1", ["score": 5])
        script.succeed(script.after(50)[0])
        #expect(script.details[1] == "")
        script.set(2, "u2", ["score": "high"])
        script.succeed(script.after(50)[0])
        #expect(
            script.details[2] == "The type of 'score' changed from number to text: filters on it may stop matching")
    }
}

@Suite struct ArrayLimitTests {
    static let limits = DestinationLimits(
        objectsPerRequest: 225, objectsPerArray: 75, bytesPerRequest: 4_000_000, bytesPerObject: 100_000,
        requestsPerSecond: 100)

    @Test("TX 19: where a contract counts per array, no array holds more than 75") func perArray() {
        var script = Script(limits: Self.limits)
        for index in 0..<200 {
            script.set(Int64(2 * index), "u\(index)", ["a": 1], transition: Int64(index))
            script.track(Int64(2 * index + 1), "u\(index)", transition: Int64(index))
        }
        let requests = script.after(1000)
        let counts = requests.map { request in
            Dictionary(grouping: request.objects, by: \.outgoing.array).mapValues(\.count)
        }
        #expect(
            counts == [
                ["attributes": 75, "events": 75], ["attributes": 75, "events": 75], ["attributes": 50, "events": 50],
            ])
        // What tells of one change stays together.
        for request in requests {
            for transition in Dictionary(grouping: request.items, by: \.emission.timestamp).values {
                #expect(transition.count == 2)
            }
        }
    }

    @Test("TX 19: an emission with more of one array than allowed is parked, with more in all it is not") func one() {
        var script = Script(limits: Self.limits)
        script.track(1, objects: 76)
        #expect(script.settled[1] == .parked)
        #expect(script.details[1] == "It needs 76 events in one request; the destination takes 75")
    }
}

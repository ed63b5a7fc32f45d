import JSON
import Model
import Store
import Testing

@testable import Delivery

// What is billed, what may have arrived twice, and what is held back.

@Suite struct PossibleDuplicateTests {
    @Test("TX 66: every request that may have brought an event counts, until one is acknowledged") func counts() {
        var script = Script()
        script.track(1)
        let first = script.after(50)
        #expect(script.queue.uncertain == [1: 1])
        script.finish(first[0], .failed(.answerTimeout))
        let second = script.later()
        #expect(script.queue.uncertain == [1: 2])
        script.answer(second[0], .unavailable(message: "502"), status: 502)
        let third = script.later()
        script.answer(third[0], .throttled(message: "429"), status: 429)
        #expect(script.queue.uncertain == [1: 2])
        let fourth = script.later()
        #expect(script.queue.uncertain == [1: 3])
        script.succeed(fourth[0])
        #expect(script.queue.uncertain.isEmpty)
        #expect(script.possibleDuplicates == 2)
        #expect(script.unknownOutcomes == 1)
        #expect(script.details[1]?.hasSuffix("taken effect 3 times") == true)
    }

    @Test("what certainly did not arrive is no duplicate") func certain() {
        var script = Script()
        script.track(1)
        script.finish(script.after(50)[0], .failed(.connectionRefused("h")))
        script.answer(script.later()[0], .misconfigured(reason: "401"), status: 401)
        script.queue.resume()
        script.succeed(script.later()[0])
        #expect(script.possibleDuplicates == 0)
        #expect(script.details[1] == "")
    }

    @Test("an event that was under way when the process died counts") func restored() {
        var script = Script()
        script.queue.restore(uncertain: [7: 1])
        script.track(7)
        script.succeed(script.after(50)[0])
        #expect(script.possibleDuplicates == 1)
        #expect(script.details[7]?.contains("taken effect twice") == true)
    }

    @Test("attributes are harmless: repeating them is no duplicate") func attributes() {
        var script = Script()
        script.set(1, ["vip": true])
        script.finish(script.after(50)[0], .failed(.connectionLost))
        #expect(script.queue.uncertain.isEmpty)
        script.succeed(script.later()[0])
        #expect(script.possibleDuplicates == 0)
    }
}

@Suite struct UnknownValueTests {
    @Test("a value that may have arrived unseen is not taken for the one acknowledged before, also after parking")
    func parkedAfterUnknown() {
        var script = Script()
        script.set(1, ["vip": true])
        script.succeed(script.after(50)[0])
        // This one arrives, but its answer does not.
        script.set(2, ["vip": false])
        let lost = script.after(50)
        script.finish(lost[0], .failed(.connectionLost))
        script.set(3, ["vip": true])
        let third = script.later()
        #expect(third[0].json == [["vip": true, "external_id": "u1"]])
        script.answer(third[0], .taken(rejected: [0: "not now"], unplaced: []))
        #expect(script.settled[3] == .parked)
        // Redriven when nothing else waits: the destination holds false, though true was acknowledged once.
        script.set(3, ["vip": true])
        #expect(script.after(50).map(\.json) == [[["vip": true, "external_id": "u1"]]])
    }
}

@Suite struct DataPointTests {
    @Test("economy: acknowledged values and events are billed to the audience that caused them") func billing() {
        var script = Script()
        script.set(1, "u1", ["a": 1, "email": "x@example.org"], computation: "aud_a")
        script.set(2, "u1", ["b": 2, "email": "x@example.org"], computation: "aud_b")
        script.track(3, "u2")
        let requests = script.after(50)
        #expect(script.dataPoints.isEmpty)
        script.answer(requests[0], .taken(rejected: [1: "bad"], unplaced: []))
        // u1: a by the first, b and the address by the second; the event was refused.
        #expect(script.dataPoints == ["aud_a": 1, "aud_b": 2])
        script.set(4, "u1", ["a": 1, "email": "x@example.org"], computation: "aud_a")
        #expect(script.after(5000).isEmpty)
        #expect(script.dataPoints == ["aud_a": 1, "aud_b": 2])
    }

    @Test("economy: a lost answer is billed once it is acknowledged") func lost() {
        var script = Script()
        script.track(1)
        script.finish(script.after(50)[0], .failed(.connectionLost))
        #expect(script.dataPoints.isEmpty)
        script.succeed(script.later()[0])
        #expect(script.dataPoints == ["aud_1": 1])
    }
}

@Suite("circuit breaker") struct SpikeWatchTests {
    static let now = Instant(milliseconds: 1_800_000_000_000)
    static let hour = now.hoursSinceEpoch

    static func emission(
        _ sequence: Int64, hour: Int64 = hour, at: Int64? = nil, computation: String = "aud_1",
        origin: Emission.Origin = .change
    ) -> EmissionReference {
        Script.reference(
            sequence, transition: hour * 3_600_000 + (at ?? sequence), computation: computation, origin: origin)
    }

    static func facts(_ members: Int) -> ComputationFacts {
        ComputationFacts(members: members, createdAt: now - .days(9))
    }

    static func watch(
        _ mode: SpikeGuard.Mode = .stop, usual: Int = 0, countedUpTo: Int64 = 0, spikes: [SpikeRow] = []
    ) -> SpikeWatch {
        var hours: [ChangeHour: Int] = [:]
        if usual > 0 {
            for back in 1...48 { hours[ChangeHour(computationID: "aud_1", hour: hour - Int64(back))] = usual }
        }
        let settings = SpikeGuard(mode: mode, factor: 10, memberShare: 0.5, minimumChanges: 100)
        return SpikeWatch(settings: settings, hours: hours, countedUpTo: countedUpTo, spikes: spikes)
    }

    @Test("more than the multiple of the usual hour") func factor() {
        var watch = Self.watch(usual: 20)
        watch.count((1...200).map { Self.emission($0) })
        #expect(watch.spike(of: "aud_1", nil, now: Self.now) == nil)
        watch.count([Self.emission(201)])
        let spike = watch.spike(of: "aud_1", nil, now: Self.now)
        #expect(spike?.state == .held)
        #expect(spike?.reason == "201 changes within an hour, 10 times the usual")
    }

    @Test("more than the share of the members within a day, over several hours") func share() {
        var watch = Self.watch(.warn)
        watch.count((1...100).map { Self.emission($0, hour: Self.hour - 5) })
        watch.count((101...150).map { Self.emission($0) })
        #expect(watch.spike(of: "aud_1", Self.facts(300), now: Self.now) == nil)
        watch.count([Self.emission(151)])
        let spike = watch.spike(of: "aud_1", Self.facts(300), now: Self.now)
        #expect(spike?.state == .warned)
        #expect(spike?.reason == "151 changes within a day, of 300 members")
        // An audience that everybody has left is the worst case, not the harmless one.
        #expect(watch.spike(of: "aud_1", Self.facts(0), now: Self.now) != nil)
    }

    @Test("few changes, first syncs, repairs and a second reading are none") func none() {
        var watch = Self.watch(countedUpTo: 1000)
        watch.count((1...1000).map { Self.emission($0) })
        watch.count((1001...1099).map { Self.emission($0) })
        watch.count((1100...2000).map { Self.emission($0, origin: .firstSync) })
        watch.count((2001...3000).map { Self.emission($0, origin: .repair) })
        #expect(watch.spike(of: "aud_1", Self.facts(1), now: Self.now) == nil)
        watch.count([Self.emission(3001)])
        #expect(watch.spike(of: "aud_1", Self.facts(1), now: Self.now) != nil)
        #expect(watch.spike(of: "aud_2", Self.facts(1), now: Self.now) == nil)
    }

    @Test("what is younger than a day has no spike: an audience that fills up is no accident") func young() {
        var watch = Self.watch()
        watch.count((1...500).map { Self.emission($0) })
        let young = ComputationFacts(members: 500, createdAt: Self.now - .days(1) + .seconds(1))
        #expect(watch.spike(of: "aud_1", young, now: Self.now) == nil)
        #expect(watch.spike(of: "aud_1", young, now: Self.now + .seconds(1)) != nil)
    }

    @Test("attribute and event of one transition are one change") func transition() {
        var watch = Self.watch()
        var emissions: [EmissionReference] = []
        for index in stride(from: Int64(1), through: 199, by: 2) {
            emissions += [Self.emission(index), Self.emission(index + 1, at: index)]
        }
        watch.count(emissions)
        #expect(watch.takeUncounted() == [ChangeHour(computationID: "aud_1", hour: Self.hour): 100])
    }

    @Test("what was released is left alone for a day; off is off") func released() {
        let row = SpikeRow(computationID: "aud_1", state: .released, reason: "", since: Self.now)
        var watch = Self.watch(spikes: [row])
        watch.count((1...500).map { Self.emission($0) })
        #expect(watch.spike(of: "aud_1", Self.facts(1), now: Self.now + .seconds(86_000)) == nil)
        #expect(watch.spike(of: "aud_1", Self.facts(1), now: Self.now + .days(1)) != nil)
        watch.settings.mode = .off
        #expect(watch.spike(of: "aud_1", Self.facts(1), now: Self.now + .days(1)) == nil)
    }

    @Test("what is held leaves the window, others go on") func dropped() {
        var script = Script()
        script.set(1, "u1", ["a": true], computation: "aud_1")
        script.set(2, "u1", ["b": true], computation: "aud_2")
        script.track(3, "u2")
        script.queue.drop(computation: "aud_1")
        #expect(script.after(50).map(\.json) == [[["b": true, "external_id": "u1"]]])
        #expect(script.queue.held == [2])
    }
}

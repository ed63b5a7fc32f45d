import JSON
import Model
import Store
import Testing

@testable import Delivery

// What answers do: order, retries, pauses, parking (braze §7.4).

@Suite struct AnswerTests {
    @Test func oneRequestAtATimePerPersonAndManyForOthers() {
        var script = Script()
        script.track(1, "u1")
        let first = script.after(50)
        script.track(2, "u1")
        script.track(3, "u2")
        let second = script.after(1000)
        #expect(second.map { $0.items.map(\.emission.sequence) } == [[3]])
        script.succeed(first[0])
        #expect(script.after(1000).map { $0.items.map(\.emission.sequence) } == [[2]])
    }

    @Test func aFailedRequestGoesAgainBeforeWhatCameLater() {
        var script = Script()
        script.track(1)
        let first = script.after(50)
        script.track(2)
        #expect(script.answer(first[0], .unavailable(message: "503"), status: 503) == .retrying)
        #expect(script.settled == [1: .retrying])
        let again = script.later()
        #expect(again.map { $0.items.map(\.emission.sequence) } == [[1, 2]])
    }

    @Test("TX 20: on 429 nothing is sent before the advised time") func waitsAsAdvised() {
        var script = Script()
        for sequence in 1...80 { script.set(Int64(sequence), "u\(sequence)", ["vip": true]) }
        let first = script.after(0)
        script.answer(first[0], .throttled(message: "429"), headers: [("X-Ratelimit-Retry-After", "9")], status: 429)
        #expect(script.after(8999).isEmpty)
        #expect(script.queue.activity(now: script.now).phase == .throttled(until: script.now + .init(milliseconds: 1)))
        #expect(script.after(1).map(\.objects.count) == [75, 5])
    }

    @Test("TX 20: a 429 at an address of its own holds up nothing else, and nobody's order changes")
    func waitsAtOneAddress() {
        var limits = Script.limits
        limits.separateArrays = ["triggers": 1]
        var script = Script(limits: limits)
        script.track(1, "u1", array: "triggers")
        let first = script.after(50)
        #expect(first.map { $0.items.map(\.emission.sequence) } == [[1]])
        script.answer(first[0], .throttled(message: "429"), headers: [("Retry-After", "60")], status: 429)
        #expect(script.queue.throttles.isEmpty)
        // Others go on, and whoever has something else first; what comes behind a trigger waits behind it.
        script.set(2, "u1", ["vip": true])
        script.set(3, "u2", ["vip": true])
        script.track(4, "u2", array: "triggers")
        script.track(5, "u3", array: "triggers")
        script.set(6, "u3", ["vip": true])
        let second = script.after(1100)
        #expect(second.map { $0.items.map(\.emission.sequence) } == [[3]])
        script.succeed(second[0])
        #expect(script.after(58_000).isEmpty)
        #expect(script.queue.wakeAt(now: script.now) == Instant(milliseconds: 1_700_000_060_050))
        var sent: [[Int64]] = []
        for request in script.next() + script.after(1000) {
            sent.append(request.items.map(\.emission.sequence))
            script.succeed(request)
        }
        #expect(sent.sorted { $0[0] < $1[0] } == [[1], [4], [5]])
        #expect(Set(script.after(1000).flatMap(\.items).map(\.emission.sequence)) == [2, 6])
    }

    @Test("TX 20: without advice, 429 backs off") func backsOffWithoutAdvice() {
        var script = Script()
        script.track(1)
        script.answer(script.after(50)[0], .throttled(message: "429"), status: 429)
        let wait = script.queue.throttles.until - script.now
        #expect((1...1000).contains(wait.milliseconds))
        #expect(script.after(wait.milliseconds - 1).isEmpty)
        #expect(script.after(51).count == 1)
    }

    @Test("TX 20: a reset that is past by our clock is no advice") func distrustsThePast() {
        var script = Script()
        script.track(1)
        var request = script.after(50)[0]
        for _ in 1...6 {
            script.answer(
                request, .throttled(message: "429"), headers: [("X-RateLimit-Reset", "1600000000")], status: 429)
            #expect(script.queue.throttles.until > script.now)
            request = script.later()[0]
        }
        #expect(script.queue.throttles.count == 6)
    }

    @Test func waitsGrowWithFailuresAndEndWithASuccess() {
        var script = Script()
        script.track(1)
        var request = script.after(50)[0]
        for failures in 1...10 {
            script.answer(request, .unavailable(message: "503 Service Unavailable"), status: 503)
            #expect(script.queue.failures.count == failures)
            let phase = script.queue.activity(now: script.now).phase
            #expect(phase == .retrying(reason: "503 Service Unavailable", until: script.queue.failures.until))
            let before = script.now
            guard let wake = script.queue.wakeAt(now: script.now) else {
                Issue.record("a failed request must wake again")
                return
            }
            #expect(wake - before <= Backoff().ceiling(failures: failures + 1))
            var again = script.next()
            while again.isEmpty { again = script.next() }
            request = again[0]
        }
        script.succeed(request)
        #expect(script.queue.failures.isEmpty)
        #expect(script.queue.activity(now: script.now).phase == .working)
    }

    @Test func afterAFailureOneRequestFeelsItsWay() {
        var script = Script()
        script.track(1, "u1")
        let first = script.after(50)[0]
        script.finish(first, .failed(.connectionRefused("localhost:1")))
        for sequence in 2...300 { script.track(Int64(sequence), "u\(sequence)") }
        let probe = script.later()
        #expect(probe.count == 1)
        #expect(script.later().isEmpty)
        script.succeed(probe[0])
        #expect(script.after(0).count >= 2)
    }

    @Test("TX 11: 401 halts the destination and keeps what waits") func pausesOnABadKey() {
        var script = Script()
        script.track(1, "u1")
        script.answer(script.after(50)[0], .misconfigured(reason: "wrong key"), status: 401)
        script.track(2, "u2")
        #expect(script.after(59_999).isEmpty)
        let since = script.now - Instant.Span(milliseconds: 59_999)
        #expect(script.queue.activity(now: script.now).phase == .paused(reason: "wrong key", since: since))
        let probes1 = script.queue.startProbe(now: script.now)
        #expect(!probes1)
        script.now = script.now + .init(milliseconds: 1)
        let probeAt = script.now
        let probes2 = script.queue.startProbe(now: probeAt)
        #expect(probes2)
        let other = ProbeVerdict.misconfigured(reason: "still wrong")
        script.queue.probed(other, now: probeAt)
        #expect(script.queue.activity(now: script.now).phase == .paused(reason: "still wrong", since: since))
        let again = script.now + .seconds(60)
        #expect(script.queue.wakeAt(now: script.now) == again)
        let probes3 = script.queue.startProbe(now: again)
        #expect(probes3)
        script.queue.probed(.working, now: again)
        let sent = script.after(60_050)
        #expect(sent.map { $0.items.map(\.emission.sequence) } == [[1, 2]])
    }

    @Test func aPersonCanResume() {
        var script = Script()
        script.track(1)
        script.answer(script.after(50)[0], .misconfigured(reason: "403"), status: 403)
        script.queue.resume()
        #expect(script.after(50).count == 1)
    }

    @Test func anUnknownHostPausesAndARefusedConnectionRetries() {
        var script = Script()
        script.track(1)
        script.finish(script.after(50)[0], .failed(.unknownHost("rest.iad-77.braze.com")))
        guard case .paused(let reason, _) = script.queue.activity(now: script.now).phase else {
            Issue.record("an unknown host must pause")
            return
        }
        #expect(reason.hasPrefix("The host rest.iad-77.braze.com can't be found. Check the address"))
        script.queue.resume()
        script.finish(script.after(50)[0], .failed(.connectionRefused("localhost:9")))
        guard case .retrying(let why, _) = script.queue.activity(now: script.now).phase else {
            Issue.record("a refused connection must be tried again")
            return
        }
        #expect(why == "Nothing answers at localhost:9: the connection was refused")
    }

    @Test("TX 30: rejected objects are parked verbatim, the rest counts as delivered") func parksTheRejected() {
        var script = Script()
        script.set(1, "u1", ["vip": true])
        script.set(2, "u2", ["vip": true])
        script.track(3, "u3")
        let outcome = script.answer(
            script.after(50)[0], .taken(rejected: [1: "provided external_id is blacklisted"], unplaced: []))
        #expect(outcome == .partial)
        #expect(script.settled == [1: .delivered, 2: .parked, 3: .delivered])
        #expect(script.details[2] == "provided external_id is blacklisted")
        #expect(script.value("u1", "vip") == true)
        #expect(script.value("u2", "vip") == nil)
        #expect(script.queue.isIdle)
    }

    @Test func aRejectedObjectThatEmissionsShareGoesAgainOneByOne() {
        var script = Script()
        script.set(1, ["good": 1])
        script.set(2, ["bad": 2])
        script.answer(script.after(50)[0], .taken(rejected: [0: "EMAIL_BAD_FORMAT"], unplaced: []))
        #expect(script.settled == [1: .retrying, 2: .retrying])
        let again = script.after(50)
        #expect(again[0].json == [["good": 1, "external_id": "u1"], ["bad": 2, "external_id": "u1"]])
        script.answer(again[0], .taken(rejected: [1: "EMAIL_BAD_FORMAT"], unplaced: []))
        #expect(script.settled == [1: .delivered, 2: .parked])
    }

    @Test func anOrderOfSeveralObjectsIsParkedWhole() {
        var script = Script()
        script.track(1, objects: 3)
        script.answer(script.after(50)[0], .taken(rejected: [2: "'quantity' is not valid", 0: "first"], unplaced: []))
        #expect(script.settled == [1: .parked])
        #expect(script.details[1] == "first")
    }

    @Test func a400ThatNamesObjectsSendsTheOthersAgainWithoutThem() {
        var script = Script()
        for sequence in 1...4 { script.track(Int64(sequence), "u\(sequence)") }
        let outcome = script.answer(
            script.after(50)[0], .rejected([1: "'time' is not valid"], message: "400 Valid data must be provided"),
            status: 400)
        #expect(outcome == .rejected)
        #expect(script.settled[2] == .parked)
        let again = script.after(50)
        #expect(again.map { $0.items.map(\.emission.sequence) } == [[1, 3, 4]])
        // Refused again: now in halves, so that nobody is parked for another's fault.
        script.answer(again[0], .rejected([0: "x"], message: "400"), status: 400)
        #expect(script.settled[1] == .parked)
        #expect(script.after(50).map { $0.items.map(\.emission.sequence) } == [[3]])
    }

    @Test("A 400 that names nothing, and 413, are halved until the cause stands alone", arguments: [400, 413])
    func halves(status: Int) {
        var script = Script { $0.requestsInFlight = 1 }
        for sequence in 1...75 { script.track(Int64(sequence), "u\(sequence)") }
        var requests = script.after(0)
        var count = 0
        while let request = requests.first {
            count += 1
            if request.items.contains(where: { $0.emission.sequence == 40 }) {
                let message = "\(status) no"
                script.answer(
                    request, status == 413 ? .tooLarge(message: message) : .refused(message: message), status: status)
            } else {
                script.succeed(request)
            }
            requests = script.after(1000)
        }
        #expect(script.settled.filter { $0.value == .parked }.keys.sorted() == [40])
        #expect(script.settled.count { $0.value == .delivered } == 74)
        #expect(count <= 20)
        #expect(script.queue.isIdle)
    }

    @Test("TX 30: a 2xx that took nothing is tried three times more and then parked") func parksEmptySuccesses() {
        var script = Script()
        script.track(1)
        for _ in 1...3 {
            #expect(script.answer(script.later()[0], .notTaken(message: "201 queued for nothing")) == .retrying)
        }
        #expect(script.answer(script.later()[0], .notTaken(message: "201 queued for nothing")) == .rejected)
        #expect(script.settled == [1: .parked])
        #expect(script.details[1] == "201 queued for nothing")
    }

    @Test func errorsWithoutAPlaceAreToldAndNothingIsNotedAsAcknowledged() {
        var script = Script()
        script.set(1, ["vip": true])
        script.answer(script.after(50)[0], .taken(rejected: [:], unplaced: ["odd"]))
        #expect(script.settled == [1: .delivered])
        #expect(script.details[1]?.contains("odd") == true)
        script.set(2, ["vip": true])
        #expect(script.after(50).count == 1)
    }

    @Test func redrivenValuesDoNotUndoNewerOnes() {
        var script = Script()
        script.set(1, ["vip": true])
        script.answer(script.after(50)[0], .taken(rejected: [0: "no"], unplaced: []))
        script.set(2, ["vip": false])
        script.succeed(script.after(50)[0])
        script.set(1, ["vip": true])
        #expect(script.after(5000).isEmpty)
        #expect(script.settled[1] == .superseded(by: 2))
    }

    @Test func whatIsHeldIsNotTakenTwice() {
        var script = Script()
        script.track(1)
        script.track(1)
        let request = script.after(50)[0]
        script.track(1)
        script.succeed(request)
        #expect(request.objects.count == 1)
        #expect(script.queue.isIdle)
    }

    @Test func drainingMakesNoNewRequests() {
        var script = Script()
        script.track(1, "u1")
        let request = script.after(50)[0]
        script.track(2, "u2")
        script.queue.drain()
        #expect(script.later().isEmpty)
        #expect(script.queue.wakeAt(now: script.now) == nil)
        script.succeed(request)
        #expect(script.queue.inFlight.isEmpty)
        #expect(script.queue.held == [2])
    }

    @Test func deletedProfilesDoNotComeBackFromARequestUnderWay() {
        var script = Script()
        script.track(1)
        let request = script.after(50)[0]
        script.queue.drop(profiles: [ProfileOrdinal(1)])
        script.answer(request, .unavailable(message: "503"), status: 503)
        #expect(script.queue.isIdle)
        #expect(script.queue.persons.isEmpty)
    }

    @Test func deletedProfilesAreForgotten() {
        var script = Script()
        script.track(1)
        script.set(2, ["vip": true])
        script.queue.drop(profiles: [ProfileOrdinal(1)])
        #expect(script.later().isEmpty)
        #expect(script.queue.isIdle)
        #expect(script.queue.persons.isEmpty)
    }
}

@Suite("TX 58: what is known after unknown outcomes") struct UnknownOutcomeTests {
    @Test func aLostAnswerLeavesTheOldValueUnknown() {
        var script = Script()
        script.set(1, ["vip": true])
        script.succeed(script.after(50)[0])
        script.set(2, ["vip": false])
        let lost = script.after(50)[0]
        #expect(script.finish(lost, .failed(.answerTimeout)) == .unknown)
        #expect(script.settled[2] == .unknown)
        #expect(script.queue.unknownOutcomes == 1)
        // Back to the acknowledged value, but Braze may hold the other: it must be sent.
        script.set(3, ["vip": true])
        #expect(script.settled[2] == .superseded(by: 3))
        let requests = script.later()
        #expect(requests.map(\.json) == [[["vip": true, "external_id": "u1"]]])
    }

    @Test func anEventAfterALostAnswerSaysThatItMayCountTwice() {
        var script = Script()
        script.track(1)
        script.finish(script.after(50)[0], .failed(.connectionLost))
        script.succeed(script.later()[0])
        #expect(script.settled == [1: .delivered])
        #expect(script.details[1]?.contains("may have taken effect twice") == true)
    }

    @Test func aFailureBeforeSendingIsNoUnknownOutcome() {
        var script = Script()
        script.set(1, ["vip": true])
        script.succeed(script.after(50)[0])
        script.set(2, ["vip": false])
        #expect(script.finish(script.after(50)[0], .failed(.connectionRefused("h"))) == .retrying)
        script.set(3, ["vip": true])
        #expect(script.later().isEmpty)
        #expect(script.settled == [1: .delivered, 2: .superseded(by: 3), 3: .unchanged])
    }

    @Test func afterACrashEverythingThatWaitedIsSent() {
        var script = Script()
        script.ledger = [.init(externalID: "u1", attribute: "vip"): Known(value: true, sequence: 1)]
        script.set(2, ["vip": false], mayBeSent: true)
        script.set(3, ["vip": true], mayBeSent: true)
        #expect(script.after(50).map(\.json) == [[["vip": true, "external_id": "u1"]]])
    }

    @Test func aValueConfirmedWithoutSendingIsNotUndoneAfterACrash() {
        var script = Script()
        script.ledger = [.init(externalID: "u1", attribute: "vip"): Known(value: true, sequence: 1)]
        // The newer one takes the name over, and what is left of the older one waits on.
        script.set(2, ["vip": false, "email": "a@example.org"])
        script.set(3, ["vip": true])
        #expect(script.after(50).map(\.json) == [[["email": "a@example.org", "external_id": "u1"]]])
        #expect(script.settled == [3: .unchanged])
        // The process dies; the outbox still holds the older one, whole.
        var next = Script()
        next.ledger = script.ledger
        next.set(2, ["vip": false, "email": "a@example.org"], mayBeSent: true)
        #expect(next.after(50).map(\.json) == [[["email": "a@example.org", "external_id": "u1"]]])
    }

    @Test func aParkedValueOfUnknownOutcomeIsForgottenInTheLedger() {
        var script = Script()
        script.set(1, ["vip": true])
        script.succeed(script.after(50)[0])
        script.set(2, ["vip": false])
        script.finish(script.after(50)[0], .failed(.answerTimeout))
        script.answer(script.later()[0], .taken(rejected: [0: "no"], unplaced: []))
        #expect(script.settled[2] == .parked)
        #expect(script.value("u1", "vip") == nil)
        script.set(3, ["vip": true])
        #expect(script.after(1000).count == 1)
    }
}

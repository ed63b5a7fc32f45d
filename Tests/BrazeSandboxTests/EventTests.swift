import JSON
import Testing

@testable import BrazeSandbox

/// Custom events: items 60–65 of the checklist, and the bound on what a profile keeps.
@Suite struct EventTests {
    @Test("60: the same event twice counts twice")
    func twice() throws {
        let test = try TestSandbox()
        let event = test.event("u1", "Opened", -5000)
        test.track(events: [event])
        test.track(events: [event])
        #expect(
            test.event("u1", named: "Opened") == [
                "name": "Opened", "first": test.time(-5000), "last": test.time(-5000), "count": 2,
            ])
    }

    @Test("61: a time in the future is now")
    func future() throws {
        let test = try TestSandbox()
        test.track(events: [test.event("u1", "Opened", DateText.day)])
        #expect(test.event("u1", named: "Opened")?["last"] == test.time())
    }

    @Test("62: an older event lowers first and keeps last")
    func backDated() throws {
        let test = try TestSandbox()
        test.track(events: [test.event("u1", "Opened", -1000)])
        test.track(events: [test.event("u1", "Opened", -9000)])
        #expect(
            test.event("u1", named: "Opened") == [
                "name": "Opened", "first": test.time(-9000), "last": test.time(-1000), "count": 2,
            ])
    }

    @Test("63: reserved property keys refuse the event; of 257 keys 256 are kept")
    func properties() throws {
        let test = try TestSandbox()
        for bad: JSONValue in [["time": 1], ["event_name": "x"], ["$x": 1], ["": 1], "text"] {
            let answer = test.track(events: [test.event("u1", "Opened", properties: bad)])
            #expect(answer.status == 400)
            #expect(answer.json["errors"]?[0]?["type"] == "Invalid 'properties' field")
        }
        let many = JSONObject((1...257).map { (key: "p\($0)", value: JSONValue.number($0)) })
        for key in ["p256", "p257"] {
            test.set(.event, ["name": "Opened", "properties": [.string(key)]])
            #expect(test.track(events: [test.event("u1", "Opened", properties: .object(many))]).status == 201)
            let kept = test.profile("u1")?.events.pairs.first?.value.properties.map(\.name) ?? []
            #expect(kept.contains(key) == (key == "p256"))
        }
    }

    @Test("63: properties larger than the limit refuse the event")
    func propertyBytes() throws {
        let large = JSONValue.object([
            "list": .array((0..<300).map { _ in .string(String(repeating: "x", count: 200)) })
        ])
        for (limit, status) in [(102_400, 201), (51_200, 400)] {
            let test = try TestSandbox { $0.propertyBytes = limit }
            #expect(test.track(events: [test.event("u1", "Opened", properties: large)]).status == status)
        }
    }

    @Test("64: properties are neither on the profile nor in the export")
    func noProperties() throws {
        let test = try TestSandbox()
        test.track(events: [test.event("u1", "Opened", properties: ["secret_property": "secret value"])])
        #expect(test.user("u1")?.description.contains("secret") == false)
        let page = test.api("GET", "/users/\(try #require(test.user("u1")?["braze_id"]?.string))", nil).json
        let profile = page.object.map { object in
            object.members.filter { $0.key != "calls" }.map(\.value.description).joined()
        }
        #expect(profile?.contains("secret") == false)
    }

    @Test("65: attributes of a request are applied before its events")
    func order() throws {
        let test = try TestSandbox()
        test.set(.attribute, ["name": "x", "type": "string"])
        test.post(
            "/users/track",
            [
                "events": [test.event("u1", "Opened")],
                "attributes": [["external_id": "u1", "x": "first"], ["external_id": "u1", "x": "second"]],
            ])
        let outcomes = test.sandbox.withState { $0.log.all.last?.outcomes ?? [] }
        #expect(outcomes.map(\.array) == ["attributes", "attributes", "events"])
        #expect(outcomes.map(\.effect) == [.created, .updated, .updated])
        #expect(test.attribute("u1", "x") == "second")
    }

    @Test("a profile keeps 64 times of an event, and counts of windows up to 50 stay exact")
    func bounded() throws {
        let test = try TestSandbox { $0.rateMode = .burst }
        for _ in 0..<10 {
            test.track(events: (0..<75).map { test.event("u1", "Opened", -EpochMilliseconds($0) * 60_000) })
        }
        let kept = try #require(test.profile("u1")?.events.pairs.first?.value)
        #expect(kept.count == 750)
        #expect(kept.recent.count == Occurrences.keptTimes)
        #expect(
            test.members([["kind": "event_x_in_y", "name": "Opened", "op": "more_than", "n": 50, "days": 1]]) == ["u1"])
        #expect(test.members([["kind": "event_x_in_y", "name": "Opened", "op": "exactly", "n": 50, "days": 1]]) == [])
    }

    @Test("windowed counts agree with counting every occurrence, on random data")
    func windows() {
        let seed = UInt64(20_260_105)
        var generator = SplitMix(seed: seed)
        for round in 0..<200 {
            let now = TestSandbox.start
            var occurrences = Occurrences()
            var all: [EpochMilliseconds] = []
            for _ in 0..<Int.random(in: 0...120, using: &generator) {
                let time = now - EpochMilliseconds.random(in: 0...40 * DateText.day, using: &generator)
                all.append(time)
                occurrences.add(at: time, properties: [], now: now)
            }
            for days in 1...30 {
                let start = now - EpochMilliseconds(days) * DateText.day
                let exact = all.count { $0 >= start }
                let counted = occurrences.count(since: start)
                #expect(min(counted, 51) == min(exact, 51), "seed \(seed), round \(round), \(days) days")
            }
            #expect(occurrences.count == all.count)
        }
    }

    @Test("calls take effect after the delay, in their order")
    func delay() throws {
        let test = try TestSandbox { $0.applyDelayMilliseconds = 50 }
        test.track(attributes: [["external_id": "u1", "x": "first"]])
        test.advance(10)
        test.track(attributes: [["external_id": "u1", "x": "second"]])
        #expect(test.user("u1") == nil)
        test.advance(39)
        #expect(test.user("u1") == nil)
        test.advance(1)
        #expect(test.attribute("u1", "x") == "first")
        // A shorter delay does not let a later call overtake.
        #expect(test.api("PUT", "/switches", ["apply_delay_ms": 0]).status == 200)
        test.track(attributes: [["external_id": "u1", "x": "third"]])
        #expect(test.attribute("u1", "x") == "first")
        test.advance(10)
        #expect(test.attribute("u1", "x") == "third")
    }

    @Test("shuffled, some call overtakes another; all are applied")
    func shuffle() throws {
        let test = try TestSandbox {
            $0.applyDelayMilliseconds = 1000
            $0.shuffleRequests = true
        }
        for index in 0..<40 {
            test.track(attributes: [["external_id": "u1", "x\(index)": true, "last": .number(index)]])
        }
        test.advance(2001)
        #expect(test.user("u1")?["custom_attributes"]?.object?.count == 41)
        #expect(test.attribute("u1", "last") != 39, "seeded: the last call was not applied last")
    }
}

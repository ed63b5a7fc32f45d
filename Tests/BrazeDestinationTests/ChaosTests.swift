import Delivery
import HTTPTypes
import Hummingbird
import JSON
import Logging
import Model
import NIOCore
import Store
import Synchronization
import TestSupport
import Testing

@testable import BrazeDestination
@testable import BrazeSandbox

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// Goal: whatever goes wrong between Muster and Braze, the sandbox ends with Muster's values for every person, events are
// transitions plus declared unknowns, order per person holds, and nothing is lost (issue 5, Proof).
// Method: people change all the time while faults of every kind come and go, delivery is stopped and started; in front of
// the sandbox sits a server that notes what the sandbox took, in its order. Then good weather, and a comparison.
// MUSTER_LONG=1 makes it long; MUSTER_SEED repeats a run.

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private let isLong = environment("MUSTER_LONG") != nil

private struct ChaosContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// The real sandbox behind a server that can revoke the key, send every kind of 429, and knows what was taken.
private final class WatchedSandbox: Sendable {
    struct State {
        var isKeyRevoked = false
        /// The share of requests that are turned away with 429, each time with other headers.
        var throttleRate = 0.0
        var throttled = 0
        /// What the sandbox took, in its order, by person: values of `score`, and numbers of events.
        var scores: [String: [Int]] = [:]
        var events: [String: [Int]] = [:]
        /// Numbers of events that were refused at some time: they may come after later ones.
        var refused: Set<Int> = []
        var requests = 0
        var random = SystemRandomNumberGenerator()
    }

    let sandbox: BrazeSandboxServer
    let state = Mutex(State())

    init() throws {
        var configuration = SandboxConfiguration()
        configuration.switches.applyDelayMilliseconds = 0
        configuration.clock = { WallClock().now().milliseconds }
        sandbox = try BrazeSandboxServer(configuration)
    }

    func setFaults(_ faults: JSONObject) {
        let answer = sandbox.answer(
            SandboxRequest(
                "PUT", "/sandbox/api/faults", headers: [("content-type", "application/json")],
                body: JSONValue.object(faults).utf8))
        precondition(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
    }

    static let calm: JSONObject = [
        "error_rate": 0, "rate_429": 0, "lost_answer_rate": 0, "lost_request_rate": 0, "partial_error_rate": 0,
        "delay_ms": 0, "down": false,
    ]

    /// 429 in one of the forms in which Braze and proxies tell how long to wait.
    private static func tooMany(_ number: Int) -> SandboxAnswer {
        let now = WallClock().now().milliseconds
        let headers: [(String, String)] =
            switch number % 6 {
            case 0: [("X-RateLimit-Reset", "\(now / 1000 + 1)"), ("X-RateLimit-Remaining", "0")]
            case 1: [("X-RateLimit-Reset", "1")]
            case 2: [("X-Ratelimit-Retry-After", "1")]
            case 3: [("Retry-After", "1")]
            case 4: [("Retry-After", "Tue, 03 Feb 2026 04:05:09 GMT")]
            default: []
            }
        var answer = SandboxAnswer.message(429, "Rate limit exceeded")
        answer.headers += headers
        return answer
    }

    func answer(_ body: [UInt8], authorization: String) throws -> SandboxAnswer {
        try state.withLock { state in
            state.requests += 1
            if Double.random(in: 0..<1, using: &state.random) < state.throttleRate {
                state.throttled += 1
                return Self.tooMany(state.throttled)
            }
            let answer = sandbox.answer(
                SandboxRequest(
                    "POST", "/users/track",
                    headers: [
                        ("authorization", state.isKeyRevoked ? "Bearer revoked" : authorization),
                        ("content-type", "application/json"),
                    ], body: body))
            guard answer.status == 201 || answer.isLost else { return answer }
            // A lost answer was applied if the body says so.
            guard let reply = try? JSONValue(parsing: answer.body), reply["message"] == "success" else { return answer }
            try note(JSONValue(parsing: body), reply, &state)
            return answer
        }
    }

    private func note(_ body: JSONValue, _ reply: JSONValue, _ state: inout State) throws {
        func isTaken(_ array: String, _ index: Int) -> Bool {
            let errors = reply["errors"]?.array ?? []
            return !errors.contains { $0["input_array"]?.string == array && $0["index"]?.integer == index }
        }
        for (index, object) in (body["attributes"]?.array ?? []).enumerated() where isTaken("attributes", index) {
            guard let person = object["external_id"]?.string, let score = object["score"]?.integer else { continue }
            state.scores[person, default: []].append(score)
        }
        for (index, object) in (body["events"]?.array ?? []).enumerated() {
            guard let person = object["external_id"]?.string, let number = object["properties"]?["number"]?.integer
            else { continue }
            guard isTaken("events", index) else {
                state.refused.insert(number)
                continue
            }
            state.events[person, default: []].append(number)
        }
    }

    /// Serves it, and gives the address.
    static func with(_ body: @escaping @Sendable (WatchedSandbox, String) async throws -> Void) async throws {
        let watched = try WatchedSandbox()
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let router = Router(context: ChaosContext.self)
        router.post("users/track") { request, context -> Response in
            let buffer = try await request.body.collect(upTo: 8_000_000)
            let answer = try watched.answer(
                Array(buffer.readableBytesView), authorization: request.headers[.authorization] ?? "")
            if answer.delayMilliseconds > 0 { try? await Task.sleep(for: .milliseconds(answer.delayMilliseconds)) }
            if answer.isLost { try? await context.channel.close() }
            var fields = HTTPFields()
            for (name, value) in answer.headers {
                if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
            }
            return Response(
                status: HTTPResponse.Status(code: answer.status), headers: fields,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
        }
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in running.yield(channel.localAddress?.port ?? 0) }, logger: .quiet)
        let server = Task { try await application.run() }
        var port = 0
        for await bound in ports {
            port = bound
            break
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body(watched, "http://127.0.0.1:\(port)")) } catch { result = .failure(error) }
        server.cancel()
        _ = await server.result
        try result.get()
    }
}

/// People who enter and leave, and whose score rises.
private struct Crowd {
    var members: [Bool]
    var scores: [Int]
    /// Numbers of the events of each person, in the order of their transitions.
    var events: [[Int]]
    private var number = 0

    init(_ count: Int) {
        members = Array(repeating: false, count: count)
        scores = Array(repeating: 0, count: count)
        events = Array(repeating: [], count: count)
    }

    static func name(_ index: Int) -> String { "p\(index)" }

    /// What one transition says: the attribute and its event, or a new score.
    mutating func change(_ index: Int, _ desk: Desk, using random: inout some RandomNumberGenerator) -> [Emission] {
        number += 1
        let at = Instant(milliseconds: 1_770_091_508_000 + Int64(number))
        if Int.random(in: 0..<3, using: &random) == 0 {
            scores[index] += 1
            return [desk.identify(Self.name(index), ["score": .number(scores[index])], at: at)]
        }
        members[index].toggle()
        events[index].append(number)
        return [
            desk.identify(Self.name(index), ["vip": .bool(members[index])], at: at),
            desk.track(
                Self.name(index), members[index] ? "Audience Entered" : "Audience Exited",
                ["audience_key": "vip", "number": .number(number)], at: at),
        ]
    }
}

@Suite("chaos", .timeLimit(.minutes(30))) struct ChaosTests {
    /// A spell of weather: faults of the sandbox and what the server in front of it does.
    private struct Spell: Sendable {
        var name: String
        var faults: JSONObject = [:]
        var throttle = 0.0
        var revoked = false
    }

    private static var spells: [Spell] {
        let rate = isLong ? 0.3 : 0.15
        return [
            Spell(name: "429 in every header form", throttle: 0.6),
            Spell(name: "500", faults: ["error_rate": .number(rate), "error_status": 500]),
            Spell(name: "502", faults: ["error_rate": 0.05, "error_status": 502]),
            Spell(name: "503 and down", faults: ["error_rate": 0.3, "error_status": 503]),
            Spell(name: "answers lost after processing", faults: ["lost_answer_rate": .number(rate)]),
            Spell(name: "requests lost", faults: ["lost_request_rate": .number(rate)]),
            Spell(name: "answers later than anybody waits", faults: ["delay_ms": 700]),
            Spell(name: "partial errors", faults: ["partial_error_rate": 0.1]),
            Spell(name: "key revoked", revoked: true),
            Spell(
                name: "all at once",
                faults: [
                    "error_rate": 0.05, "error_status": 502, "lost_answer_rate": 0.1, "lost_request_rate": 0.05,
                    "partial_error_rate": 0.02, "delay_ms": 20,
                ], throttle: 0.02),
        ]
    }

    @Test("issue 5: whatever goes wrong, Braze ends with Muster's values, in order, and nothing is lost")
    func everything() async throws {
        try await WatchedSandbox.with { braze, address in
            try await Desk.with { desk in
                let seed = environment("MUSTER_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
                print("MUSTER_SEED=\(seed)")
                var random = SeededRandom(seed: seed)
                var crowd = Crowd(isLong ? 500 : 120)
                let configuration = Desk.configuration { configuration in
                    configuration.answerTimeout = Instant.Span(milliseconds: 400)
                    configuration.requestsInFlight = 4
                }
                let destination = desk.destination(endpoint: address, key: SandboxConfiguration.defaultKey)
                var running = try desk.start([destination], configuration)
                for spell in Self.spells {
                    braze.setFaults(WatchedSandbox.calm.merging(spell.faults))
                    braze.state.withLock { state in
                        state.throttleRate = spell.throttle
                        state.isKeyRevoked = spell.revoked
                    }
                    var waves = 0
                    while waves < (isLong ? 60 : 8)
                        || spell.throttle > 0.5 && waves < 400 && braze.state.withLock({ $0.throttled }) < 6
                    {
                        waves += 1
                        var emissions: [Emission] = []
                        for _ in 0..<40 {
                            let person = Int.random(in: 0..<crowd.members.count, using: &random)
                            emissions += crowd.change(person, desk, using: &random)
                        }
                        try desk.emit(emissions, to: running)
                        try await Task.sleep(for: .milliseconds(isLong ? 250 : 60))
                    }
                    if spell.revoked {
                        try await eventually("paused") { try desk.store.pauses()["dst"] != nil }
                    }
                    // A restart in the middle of it, with requests under way.
                    if Int.random(in: 0..<3, using: &random) == 0 {
                        try await running.stop()
                        running = try desk.start([destination], configuration)
                    }
                }
                braze.setFaults(WatchedSandbox.calm)
                braze.state.withLock { state in
                    state.throttleRate = 0
                    state.isKeyRevoked = false
                }
                try await eventually("everything was said") { try desk.waiting == 0 }
                let parked = try desk.store.outbox(destinationID: "dst", parked: true, limit: 100_000)
                #expect(parked.allSatisfy { $0.parkedReason == "Internal error while processing this object" })
                #expect(try await running.service.redrive(destinationID: "dst") == parked.count)
                try await eventually("what was parked as well") { try desk.waiting == 0 }
                try await running.stop()
                try check(crowd, desk, braze)
            }
        }
    }

    private func check(_ crowd: Crowd, _ desk: Desk, _ braze: WatchedSandbox) throws {
        let state = braze.state.withLock { $0 }
        let late = state.refused
        let counts = try desk.store.counts(destinationID: "dst")
        let transitions = crowd.events.reduce(0) { $0 + $1.count }
        #expect(counts.parked == 0)
        var duplicates = 0
        // As many per export as Braze allows: it also limits the exports of a minute.
        var profiles: [String: JSONValue] = [:]
        for start in stride(from: 0, to: crowd.members.count, by: 50) {
            let names = (start..<min(start + 50, crowd.members.count)).map { Crowd.name($0) }
            profiles.merge(try SandboxTests.profiles(braze.sandbox, names)) { $1 }
        }
        for index in crowd.members.indices {
            let person = Crowd.name(index)
            let profile = profiles[person] ?? .null
            let attributes = profile["custom_attributes"]
            if !crowd.events[index].isEmpty { #expect(attributes?["vip"] == .bool(crowd.members[index]), "\(person)") }
            if crowd.scores[index] > 0 { #expect(attributes?["score"] == .number(crowd.scores[index]), "\(person)") }
            // Values never go back.
            let scores = state.scores[person] ?? []
            #expect(scores == scores.sorted(), "\(person)")
            // Every event arrived, first arrivals in the order of the transitions; what was parked came when redriven.
            var first: [Int] = []
            for event in state.events[person] ?? [] where !first.contains(event) { first.append(event) }
            #expect(
                first.filter { !late.contains($0) } == crowd.events[index].filter { !late.contains($0) }, "\(person)")
            #expect(Set(first) == Set(crowd.events[index]), "\(person)")
            let counted = (profile["custom_events"]?.array ?? []).reduce(0) { $0 + ($1["count"]?.integer ?? 0) }
            #expect(counted == state.events[person]?.count ?? 0)
            duplicates += counted - crowd.events[index].count
        }
        print(
            "\(transitions) events, \(duplicates) arrived again, \(counts.possibleDuplicates) declared, "
                + "\(counts.unknownOutcomes) unknown outcomes, \(late.count) events refused and redriven, "
                + "\(state.requests) requests, \(state.throttled) turned away")
        #expect(duplicates <= Int(counts.possibleDuplicates))
        #expect(counts.unknownOutcomes > 0 && state.throttled > 0, "the weather was too good to say anything")
    }

    @Test("issue 5: a destination whose answers never come does not slow another at the same address")
    func neighbours() async throws {
        try await Desk.with { desk in
            var never = ScriptedBraze.Answer.success
            never.delay = .seconds(3600)
            let running = try desk.start(
                [desk.destination("dead"), desk.destination()], Desk.configuration { $0.answerTimeout = .seconds(3600) }
            )
            // Sixteen requests to the dead one, each of which takes a connection and keeps it.
            desk.braze.script(Array(repeating: never, count: 16))
            try desk.emit(
                (0..<(16 * 75)).map { desk.track("slow\($0)", "E", destination: "dead") }, to: running)
            try await eventually("sixteen wait") { desk.braze.calls.count == 16 }
            try desk.emit((0..<150).map { desk.track("fast\($0)", "E") }, to: running)
            try await eventually("the other goes on") { try desk.waiting == 0 }
            #expect(try desk.store.counts(destinationID: "dead").waiting == 16 * 75)
            running.task.cancel()
            _ = await running.task.result
        }
    }
}

extension JSONObject {
    fileprivate func merging(_ other: JSONObject) -> JSONObject {
        var merged = self
        for (name, value) in other.members { merged[name] = value }
        return merged
    }
}

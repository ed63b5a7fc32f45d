import JSON
import Model
import Store
import Testing

@testable import Delivery

// Goal: whatever the destination answers and whenever the process dies, nothing is lost, order is kept, limits hold, and
// the destination ends with the last value of every attribute.
// Method: random emissions, answers and crashes from a printed seed, against a model of a destination that applies what
// it takes; then good weather until everything is settled, and a comparison with what was emitted.

/// A destination that applies objects like Braze: attributes overwrite, events are appended.
private struct ModelDestination {
    var attributes: [String: [String: JSONValue]] = [:]
    var events: [String: [Int64]] = [:]

    mutating func apply(_ objects: [PlannedObject], except rejected: Set<Int> = []) throws {
        for (index, object) in objects.enumerated() where !rejected.contains(index) {
            let json = try JSONValue(parsing: object.outgoing.json)
            let person = json["external_id"]?.string ?? ""
            if let sequence = json["sequence"]?.integer {
                events[person, default: []].append(Int64(sequence))
            } else {
                for (name, value) in json.object?.members ?? [] where name != "external_id" {
                    attributes[person, default: [:]][name] = value
                }
            }
        }
    }
}

/// What the outbox and the ledger hold: they survive a crash.
private struct Durable {
    struct Row {
        var emission: EmissionReference
        var mapping: Mapping
        var isPoison: Bool

        var person: String? {
            switch mapping {
            case .update(let person, _), .occurrence(let person, _): person
            case .nothing, .refused: nil
            }
        }
    }

    var outbox: [Int64: Row] = [:]
    var ledger: [LedgerKey: Known] = [:]
    var fates: [Int64: Settlement.Fate] = [:]

    mutating func record(_ settlement: Settlement) {
        for entry in settlement.entries {
            let sequence = entry.emission.sequence
            switch entry.fate {
            case .retrying, .unknown: #expect(outbox[sequence] != nil, "a settled emission came back")
            case .delivered, .superseded, .unchanged, .refused, .parked:
                #expect(fates[sequence] == nil, "settled twice: \(sequence)")
                fates[sequence] = entry.fate
                outbox[sequence] = nil
            }
        }
        for (key, known) in settlement.ledger { ledger[key] = known }
    }
}

private struct Simulation {
    static let limits = DestinationLimits(
        objectsPerRequest: 7, bytesPerRequest: 4000, bytesPerObject: 900, requestsPerSecond: 50,
        separateArrays: ["triggers": 2])

    var random: SplitMix64
    var now = Instant(milliseconds: 1_700_000_000_000)
    var queue: DeliveryQueue
    var durable = Durable()
    var destination = ModelDestination()
    var underWay: [PlannedRequest] = []
    var lastSequence: Int64 = 0
    var emittedEvents: [String: [Int64]] = [:]
    var poison: Set<Int64> = []
    /// Events that must arrive after everything earlier about another person.
    var follows: [Int64: String] = [:]
    var lastValues: [String: [String: JSONValue]] = [:]
    var configuration = DeliveryConfiguration()
    /// Until when nothing may be sent to the triggers' own address.
    var triggersFrom = Instant.distantPast

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        configuration.requestsInFlight = 4
        // Empty successes are a passing fault in this model, not a reason to park.
        configuration.emptyAnswerRetries = .max
        queue = DeliveryQueue(limits: Self.limits, configuration: configuration, seed: seed, now: now)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    // MARK: Steps

    mutating func emit() {
        lastSequence += 1
        let sequence = lastSequence
        let person = "p\(Int.random(in: 0..<9, using: &random))"
        let transition = chance(40) ? sequence - 1 : sequence
        let emission = Script.reference(sequence, transition: transition)
        let isPoison: Bool
        let mapping: Mapping
        if chance(50) {
            isPoison = chance(5)
            let object: JSONObject = [
                "external_id": .string(person), "sequence": .number(Int(sequence)), "poison": .bool(isPoison),
                "padding": .string(String(repeating: "x", count: Int.random(in: 0..<700, using: &random))),
            ]
            let others = (0..<9).map { "p\($0)" }.filter { $0 != person }
            let other = chance(20) ? others.randomElement(using: &random) : nil
            follows[sequence] = other
            mapping = .occurrence(
                person: person,
                Occurrence(
                    objects: [OutgoingObject(array: chance(15) ? "triggers" : "events", object)],
                    follows: [other].compactMap(\.self)))
            emittedEvents[person, default: []].append(sequence)
        } else {
            // A poisoned update has a name of its own, so that its loss does not blur the last values of others.
            isPoison = chance(5)
            let name = isPoison ? "poison\(sequence)" : "a\(Int.random(in: 0..<4, using: &random))"
            let value = JSONValue.number(Int.random(in: 0..<3, using: &random))
            var values: JSONObject = [name: value]
            if chance(50), !isPoison { values["email"] = .string("e\(Int.random(in: 0..<2, using: &random))") }
            for (name, value) in values.members { lastValues[person, default: [:]][name] = value }
            mapping = .update(
                person: person,
                AttributeUpdate(
                    array: "attributes", identity: ["external_id": .string(person)], values: values))
        }
        if isPoison { poison.insert(sequence) }
        durable.outbox[sequence] = Durable.Row(emission: emission, mapping: mapping, isPoison: isPoison)
        enqueue(sequence, mayBeSent: false)
    }

    mutating func enqueue(_ sequence: Int64, mayBeSent: Bool) {
        guard let row = durable.outbox[sequence] else { return }
        var known: [String: Known] = [:]
        if case .update(let person, let update) = row.mapping {
            for name in update.values.keys {
                known[name] = durable.ledger[LedgerKey(externalID: person, attribute: name)]
            }
        }
        queue.enqueue(row.emission, row.mapping, known: known, mayBeSent: mayBeSent, now: now)
        durable.record(queue.takeSettlement())
    }

    mutating func pass(_ milliseconds: Int64) {
        now = now + Instant.Span(milliseconds: milliseconds)
        if queue.startProbe(now: now) { queue.probed(.working, now: now) }
        let requests = queue.requests(now: now)
        durable.record(queue.takeSettlement())
        for request in requests {
            #expect(request.objects.count <= Self.limits.objectsPerRequest)
            #expect(request.objects.reduce(0) { $0 + $1.outgoing.json.count + 1 } <= Self.limits.bytesPerRequest)
            #expect(!request.objects.isEmpty)
            if request.isOfTriggers {
                #expect(now >= triggersFrom)
                #expect(request.objects.count <= 2)
                #expect(request.objects.allSatisfy { $0.outgoing.array == "triggers" })
            }
            for other in underWay { #expect(other.persons.isDisjoint(with: request.persons)) }
            underWay.append(request)
        }
    }

    /// Objects reach the destination: by then everything that they must follow is settled.
    mutating func arrive(_ objects: [PlannedObject], except bad: Set<Int>) throws {
        for (index, object) in objects.enumerated() where !bad.contains(index) {
            let json = try JSONValue(parsing: object.outgoing.json)
            guard let sequence = json["sequence"]?.integer.map(Int64.init), let other = follows[sequence] else {
                continue
            }
            let earlier = durable.outbox.filter { $0.key < sequence && $0.value.person == other }.keys
            #expect(earlier.isEmpty, "\(sequence) came before \(earlier) of \(other)")
        }
        try destination.apply(objects, except: bad)
    }

    /// Answers one of the requests under way.
    mutating func answer(onlyWell: Bool) throws {
        guard !underWay.isEmpty else { return }
        let request = underWay.remove(at: Int.random(in: underWay.indices, using: &random))
        let bad = Set(
            request.objects.indices.filter { index in
                request.objects[index].items.contains { poison.contains(request.items[$0].emission.sequence) }
            })
        let words = Dictionary(uniqueKeysWithValues: bad.map { ($0, "poison") })
        let (result, status) = try result(of: request, bad: bad, words: words, onlyWell: onlyWell)
        var headers: [DestinationRequest.Header] = []
        if status == 429, chance(50) {
            headers.append(.init("Retry-After", "\(Int.random(in: 0..<4, using: &random))"))
        }
        let advice = RateAdvice(DestinationResponse(status: status, headers: headers), now: now)
        if request.isOfTriggers, let notBefore = advice.notBefore { triggersFrom = max(triggersFrom, notBefore) }
        let final: RequestResult
        switch result {
        case .answered(let verdict, _):
            final = .answered(verdict, advice)
        case .failed: final = result
        }
        durable.record(queue.finish(request.id, final, now: now).settlement)
        durable.record(queue.takeSettlement())
    }

    private mutating func result(
        of request: PlannedRequest, bad: Set<Int>, words: [Int: String], onlyWell: Bool
    ) throws -> (RequestResult, Int) {
        func answered(_ verdict: Verdict, _ status: Int) -> (RequestResult, Int) {
            (.answered(verdict, RateAdvice(DestinationResponse(status: status), now: now)), status)
        }
        switch onlyWell ? 0 : Int.random(in: 0..<14, using: &random) {
        case 4: return answered(.unavailable(message: "503"), 503)
        case 5:
            // Took effect, and said that it did not.
            try arrive(request.objects, except: bad)
            return answered(.unavailable(message: "502"), 502)
        case 6: return (.failed(.answerTimeout), 0)
        case 7:
            try arrive(request.objects, except: bad)
            return (.failed(.connectionLost), 0)
        case 8: return answered(.throttled(message: "429"), 429)
        case 9: return (.failed(.connectionRefused("h")), 0)
        case 10: return answered(.misconfigured(reason: "401"), 401)
        case 11 where request.objects.count > 1: return answered(.tooLarge(message: "413"), 413)
        case 12 where !bad.isEmpty: return answered(.refused(message: "400"), 400)
        case 13: return answered(.notTaken(message: "odd"), 201)
        case 12, 11:
            if !bad.isEmpty { return answered(.rejected(words, message: "400"), 400) }
        default: break
        }
        try arrive(request.objects, except: bad)
        return answered(.taken(rejected: words, unplaced: []), 201)
    }

    /// The process dies: some of what was under way took effect, and everything is read again from the outbox.
    mutating func crash() throws {
        for request in underWay where chance(50) {
            let bad = Set(
                request.objects.indices.filter { index in
                    request.objects[index].items.contains { poison.contains(request.items[$0].emission.sequence) }
                })
            try arrive(request.objects, except: bad)
        }
        underWay = []
        triggersFrom = .distantPast
        queue = DeliveryQueue(
            limits: Self.limits, configuration: configuration, seed: random.next(), now: now)
        for sequence in durable.outbox.keys.sorted() { enqueue(sequence, mayBeSent: true) }
    }

    // MARK: In the end

    mutating func calm() throws {
        var steps = 0
        while !queue.isIdle {
            pass(500)
            try answer(onlyWell: true)
            steps += 1
            guard steps < 20_000 else {
                Issue.record("never came to rest: \(queue.held.count) held")
                return
            }
        }
    }

    func check() {
        #expect(durable.outbox.isEmpty)
        #expect(queue.persons.isEmpty)
        let parked = Set(durable.fates.filter { $0.value == .parked }.keys)
        #expect(parked == poison)
        #expect(Set(durable.fates.keys) == Set(1...max(1, lastSequence)))
        for (person, sequences) in emittedEvents {
            var firstArrivals: [Int64] = []
            for sequence in destination.events[person] ?? [] where !firstArrivals.contains(sequence) {
                firstArrivals.append(sequence)
            }
            #expect(firstArrivals == sequences.filter { !poison.contains($0) }, "events of \(person)")
        }
        for (person, values) in lastValues {
            for (name, value) in values where !name.hasPrefix("poison") {
                #expect(destination.attributes[person]?[name] == value, "\(name) of \(person)")
            }
        }
    }
}

extension PlannedRequest {
    fileprivate var isOfTriggers: Bool { objects.first?.outgoing.array == "triggers" }
}

@Suite struct InterleavingTests {
    @Test("whatever happens: order, limits, nothing lost, last values", arguments: 1...60)
    func anything(seed: Int) throws {
        var simulation = Simulation(seed: UInt64(seed))
        for _ in 0..<500 {
            switch Int.random(in: 0..<100, using: &simulation.random) {
            case 0..<40: simulation.emit()
            case 40..<65: simulation.pass(Int64.random(in: 0..<400, using: &simulation.random))
            case 65..<97: try simulation.answer(onlyWell: false)
            case 97: simulation.pass(61_000)
            default: try simulation.crash()
            }
        }
        try simulation.calm()
        simulation.check()
    }
}

import JSON
import Model
import Store
import Testing

@testable import Delivery

/// Drives a queue like a script: events in, actions out, time moved by hand.
struct Script {
    var queue: DeliveryQueue
    var now = Instant(milliseconds: 1_700_000_000_000)
    var settled: [Int64: Settlement.Fate] = [:]
    var details: [Int64: String] = [:]
    var ledger: [LedgerKey: Known] = [:]
    var possibleDuplicates = 0
    var unknownOutcomes = 0
    var dataPoints: [String: Int] = [:]

    static let limits = DestinationLimits(
        objectsPerRequest: 75, bytesPerRequest: 4_000_000, bytesPerObject: 100_000, requestsPerSecond: 100)

    init(
        limits: DestinationLimits = Script.limits, seed: UInt64 = 1,
        configure: (inout DeliveryConfiguration) -> Void = { _ in }
    ) {
        var configuration = DeliveryConfiguration()
        configure(&configuration)
        let pricing = Pricing(value: { _, _ in 1 }, occurrence: { _ in 1 })
        queue = DeliveryQueue(
            limits: limits, configuration: configuration, pricing: pricing, seed: seed, now: now)
    }

    static func reference(
        _ sequence: Int64, transition: Int64? = nil, computation: String = "aud_1", origin: Emission.Origin = .change
    ) -> EmissionReference {
        let emission = Emission(
            sequence: sequence, destinationID: "d", computationID: computation, computationKey: "k",
            profile: ProfileOrdinal(1), kind: .identify, messageID: "personas_\(sequence)",
            timestamp: Instant(milliseconds: transition ?? sequence), payload: [], origin: origin)
        guard let reference = EmissionReference(emission) else { preconditionFailure("a sequence was given") }
        return reference
    }

    /// An identify emission for a person.
    mutating func set(
        _ sequence: Int64, _ person: String, _ values: JSONObject,
        pinned: Set<String> = [], transition: Int64? = nil, computation: String = "aud_1", mayBeSent: Bool = false
    ) {
        let update = AttributeUpdate(
            array: "attributes", identity: ["external_id": .string(person)], values: values, pinned: pinned)
        var known: [String: Known] = [:]
        for name in values.keys { known[name] = ledger[LedgerKey(externalID: person, attribute: name)] }
        queue.enqueue(
            Self.reference(sequence, transition: transition, computation: computation),
            .update(person: person, update), known: known, mayBeSent: mayBeSent, now: now)
        take()
    }

    /// An identify emission for the person `u1`.
    mutating func set(
        _ sequence: Int64, _ values: JSONObject, pinned: Set<String> = [], transition: Int64? = nil,
        mayBeSent: Bool = false
    ) {
        set(sequence, "u1", values, pinned: pinned, transition: transition, mayBeSent: mayBeSent)
    }

    /// A track emission for a person.
    mutating func track(
        _ sequence: Int64, _ person: String = "u1", objects: Int = 1, padding: Int = 0, transition: Int64? = nil,
        touching: Set<String> = [], array: String = "events"
    ) {
        let made = (0..<objects).map { index in
            OutgoingObject(
                array: array,
                [
                    "external_id": .string(person), "name": .string("e\(sequence)"), "part": .number(index),
                    "padding": .string(String(repeating: "x", count: padding)),
                ])
        }
        queue.enqueue(
            Self.reference(sequence, transition: transition),
            .occurrence(person: person, Occurrence(objects: made, touchedNames: touching)), known: [:], now: now)
        take()
    }

    /// Moves time and returns the requests that leave.
    mutating func after(_ milliseconds: Int64) -> [PlannedRequest] {
        now = now + Instant.Span(milliseconds: milliseconds)
        let requests = queue.requests(now: now)
        take()
        return requests
    }

    /// Waits out any backoff and what comes after it.
    mutating func later() -> [PlannedRequest] { after(60_000) + after(1000) }

    /// Moves time to the next wake-up and returns the requests that leave then.
    mutating func next() -> [PlannedRequest] {
        guard let wake = queue.wakeAt(now: now) else { return [] }
        return after(max(0, (wake - now).milliseconds))
    }

    @discardableResult
    mutating func answer(
        _ request: PlannedRequest, _ verdict: Verdict, headers: [(String, String)] = [], status: Int = 201
    ) -> AttemptRow.Outcome {
        let response = DestinationResponse(
            status: status, headers: headers.map { DestinationRequest.Header($0.0, $0.1) })
        return finish(request, .answered(verdict, RateAdvice(response, now: now)))
    }

    @discardableResult
    mutating func succeed(_ request: PlannedRequest) -> AttemptRow.Outcome {
        answer(request, .taken(rejected: [:], unplaced: []))
    }

    @discardableResult
    mutating func finish(_ request: PlannedRequest, _ result: RequestResult) -> AttemptRow.Outcome {
        let (outcome, settlement) = queue.finish(request.id, result, now: now)
        note(settlement)
        take()
        return outcome
    }

    private mutating func take() { note(queue.takeSettlement()) }

    private mutating func note(_ settlement: Settlement) {
        for entry in settlement.entries {
            settled[entry.emission.sequence] = entry.fate
            details[entry.emission.sequence] = entry.detail
        }
        for (key, known) in settlement.ledger { ledger[key] = known }
        possibleDuplicates += settlement.possibleDuplicates
        unknownOutcomes += settlement.unknownOutcomes
        dataPoints.merge(settlement.dataPoints) { $0 + $1 }
    }

    func value(_ person: String, _ name: String) -> JSONValue? {
        ledger[LedgerKey(externalID: person, attribute: name)]?.value
    }
}

extension PlannedRequest {
    /// The objects as JSON.
    var json: [JSONValue] {
        objects.map { object in
            do { return try JSONValue(parsing: object.outgoing.json) } catch { return .string("\(error)") }
        }
    }
}

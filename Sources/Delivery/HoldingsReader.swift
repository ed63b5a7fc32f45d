public import JSON
public import Model

/// Reads back what a destination holds about persons, within the limits of its lookup (Braze: 50 ids per request, 250
/// requests per minute).
public final class HoldingsReader: Sendable {
    private let lookup: Lookup
    private let adapter: any DestinationAdapter
    private let sender: HTTPSender
    private let clock: any InstantSource
    private let pace: Pace

    /// How often a lookup that failed for a passing reason is tried.
    private static let attempts = 8
    /// Limits of lookups count by the minute: no advised wait is longer.
    private static let longestWait = Instant.Span.seconds(65)

    init(lookup: Lookup, adapter: any DestinationAdapter, sender: HTTPSender, clock: any InstantSource) {
        self.lookup = lookup
        self.adapter = adapter
        self.sender = sender
        self.clock = clock
        pace = Pace(requestsPerMinute: lookup.requestsPerMinute)
    }

    public var personsPerRequest: Int { lookup.personsPerRequest }

    /// What the destination would call the person of a call, and the values that it should then hold; `nil` for calls
    /// that set none, and for persons and values that can't be asked about.
    public func expectation(_ emission: Emission) -> (person: String, values: JSONObject)? {
        guard case .update(let person, let update) = adapter.map(emission), lookup.canFind(person) else { return nil }
        let values = JSONObject(update.values.members.filter { lookup.covers($0.key) })
        return values.members.isEmpty ? nil : (person, values)
    }

    /// The values held, by person; persons without an entry are unknown there. At most `personsPerRequest` persons.
    /// Waits for its turn. Throws `HoldingsError`.
    public func read(_ persons: [String]) async throws -> [String: JSONObject] {
        precondition(persons.count <= lookup.personsPerRequest, "a lookup asks about a limited number of persons")
        var problem = ""
        for attempt in 1...Self.attempts {
            try await pace.wait()
            switch await sender.send(lookup.request(persons)) {
            case .failure(let failure):
                if case .unknownHost = failure { throw HoldingsError(description: failure.description) }
                problem = failure.description
            case .response(let response):
                switch lookup.interpret(response) {
                case .found(let found): return found
                case .misconfigured(let reason): throw HoldingsError(description: reason)
                case .throttled(let message), .unavailable(let message): problem = message
                }
                let now = clock.now()
                if let advised = RateAdvice(response, now: now).notBefore, advised > now {
                    let wait = min(advised - now, Self.longestWait)
                    try await Task.sleep(for: .milliseconds(wait.milliseconds))
                    continue
                }
            }
            let wait = Backoff().ceiling(failures: attempt)
            try await Task.sleep(for: .milliseconds(wait.milliseconds))
        }
        throw HoldingsError(description: "It was tried \(Self.attempts) times, the last answer was: \(problem)")
    }
}

/// Why a destination can't be compared with, in words for people.
public struct HoldingsError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// Lets so many requests through per minute, evenly.
private actor Pace {
    private var bucket: TokenBucket
    private let start = ContinuousClock.now

    init(requestsPerMinute: Double) {
        bucket = TokenBucket(requestsPerSecond: requestsPerMinute / 60, now: .epoch)
    }

    private var now: Instant {
        Instant(milliseconds: Int64((ContinuousClock.now - start) / .milliseconds(1)))
    }

    func wait() async throws {
        while !bucket.take(now: now) {
            let next = bucket.availableAt(now: now)
            try await Task.sleep(for: .milliseconds(max(1, (next - now).milliseconds)))
        }
    }
}

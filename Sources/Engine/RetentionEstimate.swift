import History
import Identity
public import Model
import Query

/// What rules would take if they were in force now.
public struct RetentionEstimate: Sendable {
    /// Of one event name with something to lose.
    public struct Part: Sendable, Hashable {
        public let event: String
        public let events: Int
        /// Events that there are.
        public let total: Int
        public let people: Int
        public let bytes: Int
    }

    /// An audience or trait that looks farther back than its events are kept.
    public struct Reader: Sendable, Hashable {
        public let computation: Computation
        public let event: String
        public let keptDays: Int
        /// How far back it looks; `nil` for any age.
        public let horizon: Instant.Span?
    }

    /// By number of events, the most first.
    public private(set) var parts: [Part] = []
    public private(set) var events = 0
    public private(set) var people = 0
    public private(set) var bytes = 0
    public let readers: [Reader]
    /// Names with an age of their own of which nothing was seen so far.
    public let unknownNames: [String]

    private let estimate: ExpiryEstimate
    /// Numbers of profiles that were merged into others, with those.
    private let merged: [(UInt32, UInt32)]

    init(_ rules: RetentionRules, _ engine: Engine, at instant: Instant) {
        estimate = engine.history.expiryEstimate(rules.floors(at: instant))
        var merged: [(UInt32, UInt32)] = []
        for number in 0..<engine.ordinalLimit {
            let profile = ProfileOrdinal(number)
            if engine.identity.exists(profile), !engine.identity.isCanonical(profile) {
                merged.append((number, engine.identity.canonical(profile).rawValue))
            }
        }
        self.merged = merged
        readers = engine.readersBeyond(rules)
        let known = Set(engine.history.eventCatalogue.map(\.name))
        unknownNames = rules.events.keys.filter { !known.contains($0) }.sorted()
    }

    /// Counts, away from the engine. False if a file is damaged.
    public mutating func count() -> Bool {
        guard let found = estimate.run() else { return false }
        var everybody: [UInt64] = []
        for part in found where part.events > 0 {
            let profiles = resolve(part.profiles)
            while everybody.count < profiles.count { everybody.append(0) }
            for (word, bits) in profiles.enumerated() { everybody[word] |= bits }
            events += part.events
            bytes += part.bytes
            parts.append(
                Part(
                    event: part.event, events: part.events, total: part.total,
                    people: profiles.reduce(0) { $0 + $1.nonzeroBitCount }, bytes: part.bytes))
        }
        parts.sort { ($1.events, $0.event) < ($0.events, $1.event) }
        people = everybody.reduce(0) { $0 + $1.nonzeroBitCount }
        return true
    }

    /// Whoever was merged counts as whom they were merged into.
    private func resolve(_ profiles: [UInt64]) -> [UInt64] {
        var words = profiles
        for (number, canonical) in merged {
            let (word, bit) = (Int(number / 64), UInt64(1) << UInt64(number % 64))
            guard word < words.count, words[word] & bit != 0 else { continue }
            words[word] &= ~bit
            while words.count <= Int(canonical / 64) { words.append(0) }
            words[Int(canonical / 64)] |= 1 << UInt64(canonical % 64)
        }
        return words
    }
}

extension Engine {
    /// Begins to find out what rules would take.
    public func estimate(_ rules: RetentionRules, at instant: Instant) -> RetentionEstimate {
        RetentionEstimate(rules, self, at: instant)
    }

    /// The audiences and traits that look farther back than the rules keep what they read.
    public func readersBeyond(_ rules: RetentionRules) -> [RetentionEstimate.Reader] {
        registry.all.filter { $0.definition.deletedAt == nil }.flatMap { computation in
            computation.dependencies.events.sorted { $0.key < $1.key }.compactMap { event, use in
                rules.daysKept(of: event, shortOf: use.horizon).map {
                    RetentionEstimate.Reader(
                        computation: computation.definition, event: event, keptDays: $0, horizon: use.horizon)
                }
            }
        }
    }
}

import Delivery
import Engine
import JSON
import Model
import Store
import Synchronization

/// Compares what a destination holds with what Muster knows, person by person, and repairs what differs with the fewest
/// writes: one object per person, with the drifted values only.
///
/// People of whom something waits or has just changed are left out: a difference there is no drift but delivery at work.
struct Reconciliation: Sendable {
    struct Options: Sendable {
        var isFull = false
        /// People compared at most, unless full.
        var sampleSize = 500
        /// Also people who never held a value: so values are found that the destination should not hold.
        var includesEverybody = false
        var repairs = false
        /// Values that changed within this time are left out: destinations apply what they took a moment later.
        var settling = Instant.Span.seconds(60)
    }

    struct Drift: Sendable {
        enum Kind: String, Sendable {
            /// Muster knows a value, the destination holds none, or does not know the person.
            case missing
            case differing
            /// The destination holds a value and should not.
            case extra
        }

        var profile: ProfileOrdinal
        var person: String
        var computationID: String
        var attribute: String
        var expected: JSONValue
        var held: JSONValue?
        var kind: Kind
    }

    struct Count: Sendable {
        var agreeing = 0
        var missing = 0
        var differing = 0
        var extra = 0
    }

    struct Report: Sendable {
        var people = 0
        var counts: [String: Count] = [:]
        var inMotion = 0
        var notFindable = 0
        var ambiguous = 0
        var unknownPeople = 0
        var requests = 0
        var repaired = 0
        var looked = 0
        var total = 0
        /// The first of them.
        var drifts: [Drift] = []

        var sum: Count {
            counts.values.reduce(into: Count()) { sum, count in
                sum.agreeing += count.agreeing
                sum.missing += count.missing
                sum.differing += count.differing
                sum.extra += count.extra
            }
        }
    }

    let options: Options
    let destinationID: String
    let engine: EngineService
    let reader: HoldingsReader
    let delivery: DeliveryService
    let now: @Sendable () -> Instant
    /// Makes message ids of repairs unlike any others.
    let salt: String

    /// Drifts that are listed; all are counted.
    static let driftsListed = 100
    private static let ordinalsPerStep: UInt32 = 2000

    /// One value of one person that is to be compared.
    private struct Expected {
        var standing: StandingValue
        var person: String
        var attribute: String
        var value: JSONValue
        /// The call that says it.
        var emission: Emission
    }

    /// Works to the end or until `progress` says no.
    func run(_ progress: (Report) -> Bool) async throws -> Report {
        var report = Report()
        let limit = engine.read { $0.ordinalLimit }
        report.total = Int(limit)
        guard limit > 0 else { return report }
        // A sample walks through all in an order that visits each once: a step that shares no factor with their number.
        var step = options.isFull ? 1 : UInt32(Double(limit) * 0.618) | 1
        while Self.commonDivisor(step, limit) != 1 { step += 1 }
        var place: UInt32 = 0
        var batch: [[Expected]] = []
        while report.looked < report.total, options.isFull || report.people + batch.count < options.sampleSize {
            let count = min(Self.ordinalsPerStep, limit - UInt32(report.looked))
            var profiles: [ProfileOrdinal] = []
            for _ in 0..<count {
                profiles.append(ProfileOrdinal(place))
                place = UInt32((UInt64(place) + UInt64(step)) % UInt64(limit))
            }
            for people in try expected(profiles, &report) {
                guard options.isFull || report.people + batch.count < options.sampleSize else { break }
                batch.append(people)
                if batch.count == reader.personsPerRequest {
                    try await compare(batch, &report)
                    batch = []
                    guard progress(report) else { return report }
                }
            }
            report.looked += Int(count)
            guard progress(report) else { return report }
        }
        if !batch.isEmpty { try await compare(batch, &report) }
        return report
    }

    private static func commonDivisor(_ a: UInt32, _ b: UInt32) -> UInt32 { b == 0 ? a : commonDivisor(b, a % b) }

    /// What should be held of some profiles, by person.
    private func expected(_ profiles: [ProfileOrdinal], _ report: inout Report) throws -> [[Expected]] {
        let standing = engine.read { engine in
            engine.standingValues(
                profiles, destinationID: destinationID, includingNobody: options.includesEverybody, salt: salt)
        }
        var found: [String: [Expected]] = [:]
        var order: [String] = []
        for value in standing {
            if value.isAmbiguous {
                report.ambiguous += 1
                continue
            }
            var isFindable = false
            var seen: Set<String> = []
            for emission in value.emissions {
                guard let (person, values) = reader.expectation(emission) else { continue }
                isFindable = true
                // Several sets of ids may name one person: the same is said once.
                guard seen.insert(person).inserted else { continue }
                if found[person] == nil { order.append(person) }
                for (name, expected) in values.members {
                    found[person, default: []].append(
                        Expected(
                            standing: value, person: person, attribute: name, value: expected, emission: emission))
                }
            }
            // Who can't be addressed at all was never told anything.
            if !isFindable, !value.emissions.isEmpty { report.notFindable += 1 }
        }
        return order.compactMap { found[$0] }
    }

    private func compare(_ batch: [[Expected]], _ report: inout Report) async throws {
        let held = try await reader.read(batch.compactMap(\.first?.person))
        report.requests += 1
        let all = batch.flatMap(\.self)
        let moving = try engine.store.profilesWithWaiting(
            Set(all.map(\.standing.profile)), destinationID: destinationID)
        let current = standing(of: all)
        let settled = now() - options.settling
        var drifted: [(Expected, Drift)] = []
        for people in batch {
            guard let first = people.first else { continue }
            report.people += 1
            let values = held[first.person]
            if values == nil { report.unknownPeople += 1 }
            for one in people {
                guard !moving.contains(one.standing.profile), one.standing.since <= settled,
                    current[Key(one.standing)] == one.standing.value
                else {
                    report.inMotion += 1
                    continue
                }
                let kind = Self.drift(expected: one.value, held: values?[one.attribute])
                report.counts[one.standing.computationID, default: Count()].add(kind)
                guard let kind else { continue }
                drifted.append(
                    (
                        one,
                        Drift(
                            profile: one.standing.profile, person: one.person,
                            computationID: one.standing.computationID, attribute: one.attribute, expected: one.value,
                            held: values?[one.attribute], kind: kind)
                    ))
            }
        }
        report.drifts += drifted.prefix(Self.driftsListed - report.drifts.count).map(\.1)
        if options.repairs, !drifted.isEmpty { report.repaired += try repair(drifted.map(\.0)) }
    }

    private struct Key: Hashable {
        var profile: ProfileOrdinal
        var computationID: String

        init(_ standing: StandingValue) {
            profile = standing.profile
            computationID = standing.computationID
        }
    }

    private func standing(of all: [Expected]) -> [Key: JSONValue] {
        let profiles = Set(all.map(\.standing.profile))
        return engine.read { engine in Self.values(engine, profiles, self) }
    }

    private static func values(
        _ engine: Engine, _ profiles: Set<ProfileOrdinal>, _ own: Reconciliation
    ) -> [Key: JSONValue] {
        let standing = engine.standingValues(
            profiles.sorted(), destinationID: own.destinationID, includingNobody: own.options.includesEverybody,
            salt: own.salt)
        return Dictionary(standing.map { (Key($0), $0.value) }) { $1 }
    }

    /// How a value differs; `nil` where it does not. Nothing, null and false are alike for a value that should not be.
    static func drift(expected: JSONValue, held: JSONValue?) -> Drift.Kind? {
        let isNothing = expected == .null || expected == false
        switch held {
        case nil, .null?: return isNothing ? nil : .missing
        case let held?:
            if held == expected { return nil }
            // A destination may write a date in its own way.
            if let one = held.string, let other = expected.string, let first = Instant(iso8601: one),
                first == Instant(iso8601: other)
            {
                return nil
            }
            if isNothing { return held == false ? nil : .extra }
            return .differing
        }
    }

    /// Puts repairs into the outbox, while the engine stands still: what it decides later comes behind them.
    private func repair(_ drifted: [Expected]) throws -> Int {
        let own = self
        let count = try engine.read { engine in
            let current = Self.values(engine, Set(drifted.map(\.standing.profile)), own)
            let valid = drifted.filter { current[Key($0.standing)] == $0.standing.value }
            try own.engine.store.enqueueRepairs(
                valid.map(\.emission),
                forgetting: valid.map { LedgerKey(externalID: $0.person, attribute: $0.attribute) },
                destinationID: own.destinationID)
            return valid.count
        }
        if count > 0 { delivery.notifyOutbox() }
        return count
    }
}

extension Reconciliation.Count {
    mutating func add(_ kind: Reconciliation.Drift.Kind?) {
        switch kind {
        case nil: agreeing += 1
        case .missing?: missing += 1
        case .differing?: differing += 1
        case .extra?: extra += 1
        }
    }

    var json: JSONObject {
        [
            "agreeing": .number(agreeing), "missing": .number(missing), "differing": .number(differing),
            "extra": .number(extra),
        ]
    }
}

/// The latest comparison with each destination.
final class ReconciliationShelf: Sendable {
    struct Run: Sendable {
        var id: String
        var options: Reconciliation.Options
        var startedAt: Instant
        var report = Reconciliation.Report()
        var isFinished = false
        var failure: String?
        var isStopped = false
    }

    private let runs = Mutex<[String: Run]>([:])

    func run(of destinationID: String) -> Run? { runs.withLock { $0[destinationID] } }

    /// Puts a run in the place of the last one; false while that is still at work.
    func start(_ run: Run, of destinationID: String) -> Bool {
        runs.withLock { runs in
            if let last = runs[destinationID], !last.isFinished { return false }
            runs[destinationID] = run
            return true
        }
    }

    func stop(_ destinationID: String) { runs.withLock { $0[destinationID]?.isStopped = true } }

    /// Notes how far a run has come; false when it is to stop.
    func update(_ destinationID: String, _ change: (inout Run) -> Void) -> Bool {
        runs.withLock { runs in
            guard var run = runs[destinationID] else { return false }
            change(&run)
            runs[destinationID] = run
            return !run.isStopped
        }
    }
}

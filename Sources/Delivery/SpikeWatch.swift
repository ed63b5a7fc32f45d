public import Model
import Store

/// What is known of a computation where a spike is judged.
public struct ComputationFacts: Sendable, Hashable {
    /// How many hold a value now.
    public var members: Int
    public var createdAt: Instant

    public init(members: Int, createdAt: Instant) {
        self.members = members
        self.createdAt = createdAt
    }
}

/// Notices when a computation suddenly changes for far more people than usual (issue: a circuit breaker on spikes).
///
/// Pure: changes come in as they are read from the outbox, spikes go out. First syncs and repairs are no changes.
struct SpikeWatch: Sendable {
    var settings: SpikeGuard
    /// Changes by computation and hour, of the last week and what is new.
    private var hours: [String: [Int64: Int]] = [:]
    /// Counted since somebody wrote it down.
    private(set) var uncounted: [ChangeHour: Int] = [:]
    /// Emissions up to here were counted by an earlier reading.
    private(set) var countedUpTo: Int64
    /// Computations that are held, and those that need no looking at until an instant.
    private(set) var held: Set<String> = []
    private var quietUntil: [String: Instant] = [:]

    static let week: Int64 = 24 * 7

    init(settings: SpikeGuard, hours: [ChangeHour: Int], countedUpTo: Int64, spikes: [SpikeRow]) {
        self.settings = settings
        for (hour, changes) in hours { self.hours[hour.computationID, default: [:]][hour.hour] = changes }
        self.countedUpTo = countedUpTo
        adopt(spikes)
    }

    /// Takes over what the store says about spikes. Returns those that are newly held.
    @discardableResult
    mutating func adopt(_ spikes: [SpikeRow]) -> Set<String> {
        let was = held
        held = Set(spikes.filter { $0.state == .held }.map(\.computationID))
        quietUntil = Dictionary(
            spikes.filter { $0.state != .held }.map { ($0.computationID, $0.since + .days(1)) }
        ) { max($0, $1) }
        return held.subtracting(was)
    }

    /// Counts emissions, ascending by sequence; each once, however often it is read.
    mutating func count(_ emissions: some Sequence<EmissionReference>) {
        // A transition makes an attribute and an event, and one of each per id: it is one change.
        var last: EmissionReference?
        for emission in emissions {
            guard emission.sequence > countedUpTo else { continue }
            countedUpTo = emission.sequence
            defer { last = emission }
            guard emission.origin == .change, last?.isSameTransition(as: emission) != true else { continue }
            let hour = ChangeHour(computationID: emission.computationID, hour: emission.timestamp.hoursSinceEpoch)
            hours[hour.computationID, default: [:]][hour.hour, default: 0] += 1
            uncounted[hour, default: 0] += 1
        }
    }

    mutating func takeUncounted() -> [ChangeHour: Int] {
        defer { uncounted = [:] }
        return uncounted
    }

    /// Computations with changes that nobody has written down, in an order that does not vary.
    var changed: [String] { Set(uncounted.keys.map(\.computationID)).sorted() }

    /// The spike of a computation, if it has one now. A computation that is younger than a day has none: everything about
    /// it is new.
    func spike(of computationID: String, _ facts: ComputationFacts?, now: Instant) -> SpikeRow? {
        guard settings.mode != .off, !held.contains(computationID), quietUntil[computationID] ?? .distantPast <= now,
            let hour = uncounted.keys.filter({ $0.computationID == computationID }).map(\.hour).max(),
            facts.map({ $0.createdAt <= now - .days(1) }) ?? true,
            let reason = reason(computationID, hour, facts?.members)
        else { return nil }
        return SpikeRow(
            computationID: computationID, state: settings.mode == .stop ? .held : .warned, reason: reason, since: now)
    }

    private func reason(_ computationID: String, _ hour: Int64, _ members: Int?) -> String? {
        let own = hours[computationID] ?? [:]
        let inHour = own[hour] ?? 0
        let inDay = own.filter { $0.key > hour - 24 && $0.key <= hour }.reduce(0) { $0 + $1.value }
        // Less than a day of experience says nothing about what is usual.
        let before = own.filter { $0.key < hour && $0.key >= hour - Self.week }
        if let first = before.keys.min(), hour - first >= 24 {
            let usual = Double(before.values.reduce(0, +)) / Double(hour - first)
            if inHour >= settings.minimumChanges, Double(inHour) > settings.factor * usual {
                let times = usual < 0.01 ? "" : ", \(Int(Double(inHour) / usual)) times the usual"
                return "\(inHour) changes within an hour\(times)"
            }
        }
        if let members, inDay >= settings.minimumChanges, Double(inDay) > settings.memberShare * Double(members) {
            return "\(inDay) changes within a day, of \(members) members"
        }
        return nil
    }

    /// A week and a day are all that matters.
    mutating func forget(before hour: Int64) {
        hours = hours.mapValues { $0.filter { $0.key >= hour - Self.week - 24 } }
    }
}

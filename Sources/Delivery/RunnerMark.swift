import JSON
import Model
import Store

/// What a runner leaves in the ledger, under no person's name, for the one after it.
enum RunnerMark {
    /// The place that the ledger is about.
    static let scope = LedgerKey(externalID: "", attribute: "scope")
    /// Nothing was under way when the process ended.
    static let clean = LedgerKey(externalID: "", attribute: "clean")
    /// Occurrences that are under way or may have arrived.
    static let underWay = LedgerKey(externalID: "", attribute: "under way")
    /// The last emission whose change was counted.
    static let counted = LedgerKey(externalID: "", attribute: "counted")

    /// Persons have become one with others here: their names lead to successors.
    static let joined = LedgerKey(externalID: "", attribute: "joined")

    /// Under a person's name: whose name it is now. No value of anybody's is called so.
    static func successor(of person: String) -> LedgerKey {
        LedgerKey(externalID: person, attribute: "\u{1}successor")
    }

    /// `{"requests":n,"events":[[sequence,requests],…]}`; null where there is nothing to say.
    static func underWay(_ queue: DeliveryQueue) -> JSONValue {
        guard !queue.uncertain.isEmpty else { return .null }
        return [
            "requests": .number(queue.inFlight.count),
            "events": .array(
                queue.uncertain.sorted { $0.key < $1.key }.map { [.number(Int($0.key)), .number($0.value)] }),
        ]
    }

    /// What a new runner starts from.
    struct Found: Sendable {
        var oldestCertain: Int64 = 0
        var uncertain: [Int64: Int] = [:]
        var hours: [ChangeHour: Int] = [:]
        var countedUpTo: Int64 = 0
        var spikes: [SpikeRow] = []
        var hasJoined = false
    }

    /// Reads the marks and sets them for the process that begins now.
    static func open(_ store: StateStore, destinationID id: String, scope name: String, now: Instant) throws -> Found {
        var found = Found()
        let marks = try store.acknowledgedValues(destinationID: id, [scope, clean, underWay, counted, joined])
        let isSameScope = marks[scope]?.string == name
        found.countedUpTo = Int64(marks[counted]?.integer ?? 0)
        found.hasJoined = isSameScope && marks[joined] == true
        if !isSameScope { try store.forgetAcknowledgedValues(destinationID: id) }
        var changes = DeliveryChanges(destinationID: id, at: now)
        changes.acknowledgedValues = [
            scope: .string(name), clean: .null, counted: .number(Int(found.countedUpTo)),
        ]
        if isSameScope, let mark = marks[underWay] {
            for event in mark["events"]?.array ?? [] {
                guard let sequence = event[0]?.integer, let count = event[1]?.integer else { continue }
                found.uncertain[Int64(sequence)] = count
            }
            changes.acknowledgedValues[underWay] = ["requests": 0, "events": mark["events"] ?? []]
            if let requests = mark["requests"]?.integer, requests > 0 {
                tell(of: requests, found.uncertain.count, &changes)
            }
        }
        try store.record(changes)
        if marks[clean] != true, isSameScope {
            found.oldestCertain = try store.outbox(destinationID: id, parked: false, limit: 1).first?.sequence ?? 0
        }
        found.hours = try store.changeCounts(
            destinationID: id, fromHour: now.hoursSinceEpoch - SpikeWatch.week - 24)
        found.spikes = try store.spikes(destinationID: id)
        return found
    }

    /// Requests that were under way when the process died are attempts too, though nobody knows how they ended.
    private static func tell(of requests: Int, _ events: Int, _ changes: inout DeliveryChanges) {
        changes.unknownOutcomes = requests
        changes.attempt = AttemptRow(
            destinationID: changes.destinationID, at: changes.at, endpoint: "", request: nil, status: nil,
            response: "Muster ended while \(requests) requests were under way: they may have taken effect. Their "
                + "\(events) events are sent again and may take effect twice",
            durationMilliseconds: 0, objectCount: events, outcome: .unknown)
    }
}

import Delivery
import Engine
import EventLog
import Foundation
import History
import Hummingbird
import Ingest
import JSON
import Model
import Store
import Synchronization

// How the server stands, for people and for monitoring.

extension API {
    func addStatusRoutes(to routes: RouteTable<some RequestContext>) {
        routes.get("/status") { _ in ["status": try status()] }
    }

    /// Records the overview's charts until the task is cancelled. Run it beside the server.
    public func recordActivity() async {
        while !Task.isCancelled {
            if let totals = try? totals() {
                activity.record(
                    ActivityRecorder.Sample(
                        at: now(), calls: totals.accepted, transitions: totals.transitions,
                        delivered: totals.delivered))
            }
            try? await Task.sleep(for: .milliseconds(ActivityRecorder.stepMilliseconds))
        }
    }

    private struct Totals {
        var accepted: Int64 = 0
        var rejected: Int64 = 0
        var transitions: Int64 = 0
        var waiting = 0
        var parked = 0
        var delivered: Int64 = 0
    }

    private func totals() throws -> Totals {
        var totals = Totals()
        for counters in journal.counters.values {
            totals.accepted += Int64(counters.accepted)
            totals.rejected += Int64(counters.rejectedTotal)
        }
        let (statistics, destinations) = engine.readState { ($0.statistics, $0.destinations) }
        totals.transitions = Int64(statistics.transitions)
        for id in destinations.keys {
            let counts = try engine.store.counts(destinationID: id)
            totals.waiting += counts.waiting
            totals.parked += counts.parked
            totals.delivered += counts.delivered
        }
        return totals
    }

    /// How the history stands; told without waiting for the engine, which may be rebuilding it.
    private func history(_ files: HistoryDiskStatistics?) -> JSONValue {
        let state = engine.historyState
        return [
            "state": .string(state.phase.rawValue), "rebuilds": .number(state.rebuilds),
            "problem": .string(orNull: state.problem), "writeFailure": .string(orNull: state.writeFailure),
            "recordsRead": .number(Int(state.done)), "recordsToRead": .number(Int(state.total)),
            "storedPosition": files.map { .number(Int($0.position)) } ?? .null,
            "storedRows": files.map { .number($0.storedRows) } ?? .null,
            "freshRows": files.map { .number($0.freshRows) } ?? .null,
            "runFiles": files.map { .number($0.runFiles) } ?? .null,
            "textFiles": files.map { .number($0.textFiles) } ?? .null,
        ]
    }

    private func status() throws -> JSONValue {
        let totals = try totals()
        let view = engine.readState { engine in
            (
                position: engine.position, now: engine.now, computations: engine.computations,
                destinations: engine.destinations, history: engine.history.diskStatistics
            )
        }
        let profiles = profileCounter.count(engine)
        let counters = try engine.store.counters()
        let logEnd = log.endOffset
        let lag = max(0, logEnd - view.position)
        let now = now()
        let audiences = view.computations.filter { $0.definition.kind == .audience }
        let rates = activity.rates
        return [
            "version": .string(configuration.version), "now": .time(now), "startedAt": .time(startedAt),
            "testClock": .bool(configuration.testClock != nil),
            "engine": [
                "position": .number(Int(view.position)), "logEnd": .number(Int(logEnd)),
                "lagRecords": .number(Int(lag)),
                "lagMilliseconds": .number(lag == 0 ? 0 : Int(max(0, (now - view.now).milliseconds))),
                "now": .time(view.now), "failure": .string(orNull: engine.failure),
            ],
            "history": history(view.history),
            "profiles": ["users": .number(profiles.users), "accounts": .number(profiles.accounts)],
            "totals": [
                "accepted": .number(Int(totals.accepted)), "rejected": .number(Int(totals.rejected)),
                "duplicates": .number(Int(counters["duplicate_calls"] ?? 0)),
                "audiences": .number(audiences.count),
                "traits": .number(view.computations.count - audiences.count),
                "members": .number(audiences.reduce(0) { $0 + $1.size }), "waiting": .number(totals.waiting),
                "parked": .number(totals.parked), "delivered": .number(Int(totals.delivered)),
            ],
            "counters": .object(
                JSONObject(counters.sorted { $0.key < $1.key }.map { (key: $0.key, value: .number(Int($0.value))) })),
            "rates": [
                "callsPerSecond": .number(rates.calls), "transitionsPerSecond": .number(rates.transitions),
                "deliveredPerSecond": .number(rates.delivered),
            ],
            "activity": activity.json,
            "memory": ["residentBytes": ResidentMemory.bytes.map { .number($0) } ?? .null],
            "notices": .array(notices(view.destinations)),
        ]
    }

    /// What somebody should look at, worst first.
    private func notices(_ destinations: [String: Destination]) -> [JSONValue] {
        var notices: [JSONValue] = []
        func add(_ level: String, _ title: String, _ message: String, href: String? = nil) {
            notices.append([
                "level": .string(level), "title": .string(title), "message": .string(message),
                "href": .string(orNull: href),
            ])
        }
        if let failure = engine.failure {
            add(
                "bad", "The engine has stopped.",
                "Calls are still stored, but nobody enters or leaves audiences: \(failure). Restart the server when this is mended."
            )
        }
        let history = engine.historyState
        if history.phase == .rebuilding {
            let share = history.total > 0 ? " (\(100 * history.done / history.total) %)" : ""
            add(
                "bad", "The history is being read from the Log\(share).",
                "Calls are stored meanwhile; audiences, profiles and previews answer again when it is complete, never with "
                    + "half of it. Reason: \(history.problem ?? "unknown")")
        }
        if let failure = history.writeFailure {
            add(
                "bad", "The history can’t be written to disk.",
                "Nothing is lost, but when memory is full of what is not on disk, Muster stores calls and does nothing "
                    + "else: \(failure)")
        }
        for (id, activity) in delivery.activities().sorted(by: { $0.key < $1.key }) {
            let name = destinations[id]?.name ?? id
            switch activity.phase {
            case .paused(let reason, _):
                add("bad", "Sending to \(name) has stopped; nothing is lost.", reason, href: "#/destinations/\(id)")
            case .invalid(let error):
                add(
                    "bad", "\(name) can’t be used.", APIError(error, nil).message, href: "#/destinations/\(id)/settings"
                )
            case .retrying(let reason, _):
                add(
                    "warn", "\(name) does not take calls at the moment; Muster tries again.", reason,
                    href: "#/destinations/\(id)")
            case .working, .throttled, .disabled: break
            }
        }
        for destination in destinations.values.sorted(by: { $0.id < $1.id }) {
            for spike in (try? spikes(of: destination)) ?? [] {
                let name = spike["computationName"]?.string ?? ""
                let isHeld = spike["state"] == "held"
                add(
                    isHeld ? "bad" : "warn",
                    isHeld
                        ? "“\(name)” changes unusually fast: \(destination.name) is not told until you decide."
                        : "“\(name)” changes unusually fast.",
                    spike["reason"]?.string ?? "", href: "#/destinations/\(destination.id)")
            }
        }
        return notices
    }
}

/// Counts profiles, which takes a look at each: in steps, and of large installations not with every request.
final class ProfileCounter: Sendable {
    private struct Known {
        var users = 0
        var accounts = 0
        var at: ContinuousClock.Instant?
    }

    private let known = Mutex(Known())

    func count(_ engine: EngineService) -> (users: Int, accounts: Int) {
        let limit = engine.readState { $0.ordinalLimit }
        let age: Duration = limit > 100_000 ? .seconds(30) : .zero
        let last = known.withLock { $0 }
        if let at = last.at, ContinuousClock.now - at < age { return (last.users, last.accounts) }
        var count = Known()
        var next: UInt32 = 0
        while next < limit {
            let range = next..<min(next.addingReportingOverflow(100_000).partialValue, limit)
            let part = engine.readState { $0.countProfiles(in: range) }
            count.users += part.users
            count.accounts += part.accounts
            next = range.upperBound
        }
        count.at = ContinuousClock.now
        known.withLock { $0 = count }
        return (count.users, count.accounts)
    }
}

/// How much memory the process holds.
enum ResidentMemory {
    /// Bytes resident; `nil` where the system does not say.
    static var bytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

import History
import JSON
public import Model
import Store

/// What is kept of events, as of a position of the Log.
public struct Retention: Sendable, Hashable {
    public internal(set) var rules = RetentionRules()
    /// What has expired so far; floors never fall.
    public internal(set) var floors = EventFloors.none
    /// When the last expiry was.
    public internal(set) var expiredAt: Instant?
    /// Offset of the Log up to which the records before the floors may be erased.
    public internal(set) var logEnd: Int64 = 0

    static let key = "retention"

    /// When the next expiry is due, if anything is to expire.
    public var nextExpiry: Instant? {
        guard rules.limitsAnything else { return nil }
        return expiredAt.map { $0 + .days(1) } ?? .distantPast
    }

    init() {}

    init(json: JSONValue?) throws(DefinitionError) {
        guard let json, !json.isNull else { return }
        rules = try RetentionRules(json: json["rules"] ?? .null)
        floors = EventFloors(json: json["floors"] ?? .null)
        expiredAt = json["expiredAt"]?.integer.map { Instant(milliseconds: Int64($0)) }
        logEnd = Int64(json["logEnd"]?.integer ?? 0)
    }

    var json: JSONValue {
        [
            "rules": rules.json, "floors": floors.json,
            "expiredAt": expiredAt.map { .number(Int($0.milliseconds)) } ?? .null, "logEnd": .number(Int(logEnd)),
        ]
    }
}

extension Engine {
    func setRetention(_ rules: RetentionRules) {
        retention.rules = rules
        changes.meta[Retention.key] = retention.json
    }

    /// Lets events before the floors go. Nobody is evaluated: memberships stay until the next event or wake-up of the
    /// person or the next backfill, which see what is left (spec: collection §6.3).
    func expire(_ floors: EventFloors, at instant: Instant) {
        // A rule that was loosened since the floors were worked out holds.
        let allowed = floors.lowered(to: retention.rules.floors(at: instant))
        // Backfills answer as of the instant at which they began, so they must not see half of what there was.
        while hasBackfill { continueBackfill(limit: 10_000) }
        retention.floors = retention.floors.raised(to: allowed)
        retention.expiredAt = instant
        retention.logEnd = position
        history.raiseFloors(to: retention.floors)
        changes.meta[Retention.key] = retention.json
    }
}

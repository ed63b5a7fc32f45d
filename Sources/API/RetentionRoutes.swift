import Engine
import History
import Hummingbird
import JSON
import Model
import Store

// How long events are kept (docs/operations.md).

extension API {
    func addRetentionRoutes(to routes: RouteTable<some RequestContext>) {
        routes.getInSpace("/retention") { _ in ["retention": try retentionJSON()] }
        routes.putInSpace("/retention") { request in
            let rules = try retentionRules(request)
            if try request.query.bool("dryRun") == true { return ["dryRun": try await estimateJSON(rules)] }
            try await engine.submit(.setRetention(rules))
            if rules.limitsAnything { try await engine.submit(.expire(rules.floors(at: now()))) }
            return ["retention": try retentionJSON()]
        }
    }

    /// Rules that replace all that there are. Everything must be said: nothing is to be deleted by a member left out.
    private func retentionRules(_ request: APIRequest) throws -> RetentionRules {
        var fields = request.fields
        guard fields.has("days") else {
            throw fields.invalid(
                "days", "is missing: send how many days events are kept, or null to keep them for ever.")
        }
        var rules = RetentionRules(general: try API.age(&fields, "days"))
        if var events = try fields.object("events") {
            guard events.raw.count <= API.maximumRules else {
                throw fields.invalid("events", "has more than \(API.maximumRules) names.")
            }
            for name in events.raw.keys {
                guard !name.isEmpty else { throw fields.invalid("events", "has a rule for an event without a name.") }
                rules.events[name] = try API.age(&events, name)
            }
            try events.finish()
        }
        try fields.finish()
        return rules
    }

    private static let maximumRules = 10_000

    private static func age(_ fields: inout Fields, _ key: String) throws -> RetentionRules.Age {
        guard let value = fields.value(key) else { return .forever }
        guard let days = value.integer, (1...RetentionRules.maximumDays).contains(days) else {
            throw fields.invalid(
                key,
                "must be a whole number of days from 1 to \(RetentionRules.maximumDays) (a hundred years), or null to "
                    + "keep events for ever.")
        }
        return .days(days)
    }

    private func retentionJSON() throws -> JSONValue {
        let (retention, readers, known) = engine.read { engine in
            (
                engine.retention, engine.readersBeyond(engine.retention.rules),
                Set(engine.history.eventCatalogue.map(\.name))
            )
        }
        let names = retention.rules.events.keys.sorted()
        let late = try engine.store.counters()["expired_calls"] ?? 0
        let next = retention.nextExpiry.map { max($0, now()) }
        return [
            "days": API.json(retention.rules.general),
            "events": .object(JSONObject(names.map { ($0, API.json(retention.rules.age(of: $0))) })),
            "lastExpiryAt": .time(retention.expiredAt), "nextExpiryAt": .time(next),
            "lateEvents": .number(Int(late)),
            "readers": .array(readers.map(API.json)),
            "unknownEvents": .array(names.filter { !known.contains($0) }.map { .string($0) }),
        ]
    }

    private func estimateJSON(_ rules: RetentionRules) async throws -> JSONValue {
        let instant = now()
        var estimate = engine.read { $0.estimate(rules, at: instant) }
        // A damaged file is found by whoever reads; the next answer comes from a history that was rebuilt.
        while !estimate.count() { estimate = engine.read { $0.estimate(rules, at: instant) } }
        return [
            "events": .number(estimate.events), "people": .number(estimate.people), "bytes": .number(estimate.bytes),
            "names": .array(
                estimate.parts.map { part in
                    [
                        "event": .string(part.event), "days": API.json(rules.age(of: part.event)),
                        "events": .number(part.events), "total": .number(part.total), "people": .number(part.people),
                        "bytes": .number(part.bytes),
                    ]
                }),
            "readers": .array(estimate.readers.map(API.json)),
            "unknownEvents": .array(estimate.unknownNames.map { .string($0) }),
        ]
    }

    private static func json(_ age: RetentionRules.Age) -> JSONValue {
        switch age {
        case .forever: .null
        case .days(let days): .number(days)
        }
    }

    private static func json(_ reader: RetentionEstimate.Reader) -> JSONValue {
        [
            "id": .string(reader.computation.id), "key": .string(reader.computation.key),
            "name": .string(reader.computation.name),
            "type": reader.computation.kind == .audience ? "AUDIENCE" : "COMPUTED_TRAIT",
            "event": .string(reader.event), "keptDays": .number(reader.keptDays),
            // Part of a day counts as one, so that this many days are enough.
            "looksBackDays": reader.horizon.map { .number($0.startedDays) } ?? .null,
        ]
    }
}

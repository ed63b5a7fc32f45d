import Delivery
import Engine
import Hummingbird
import JSON
import Model
import Store

// What delivery costs: data points by audience and day, and spikes that were held or reported.

extension API {
    func addEconomyRoutes(to routes: RouteTable<some RequestContext>) {
        routes.get("/destinations/:id/data-points") { try dataPoints($0) }
        routes.post("/destinations/:id/spikes/:computation/release") { try await endSpike($0, discarding: false) }
        routes.post("/destinations/:id/spikes/:computation/discard") { try await endSpike($0, discarding: true) }
    }

    // MARK: Data points

    private func dataPoints(_ request: APIRequest) throws -> JSONValue {
        let destination = try destination(request)
        let days = try wholeNumber("days", request, in: 1...400) ?? 30
        let today = now().daysSinceEpoch
        var rows = try engine.store.dataPoints(destinationID: destination.id, fromDay: today - Int64(days) + 1)
        if let id = request.query["computation"] { rows = rows.filter { $0.computationID == id } }
        let byDay = Dictionary(rows.map { ($0.day, $0.points) }, uniquingKeysWith: +)
        let byComputation = Dictionary(grouping: rows, by: \.computationID)
            .map { (id: $0.key, rows: $0.value, total: $0.value.reduce(0) { $0 + $1.points }) }
            .sorted { ($1.total, $0.id) < ($0.total, $1.id) }
        return [
            "dataPoints": [
                "total": .number(rows.reduce(0) { $0 + $1.points }), "today": .number(byDay[today] ?? 0),
                // Every day is there, also those without any: charts need no gaps filled.
                "days": .array(
                    (0..<Int64(days)).map { back in
                        let day = today - Int64(days) + 1 + back
                        return ["day": .string(API.date(day)), "points": .number(byDay[day] ?? 0)]
                    }),
                "computations": .array(
                    byComputation.map { entry in
                        [
                            "computationId": .string(entry.id), "name": .string(computationName(entry.id)),
                            "total": .number(entry.total),
                            "today": .number(entry.rows.first { $0.day == today }?.points ?? 0),
                            "days": .array(
                                entry.rows.map {
                                    ["day": .string(API.date($0.day)), "points": .number($0.points)]
                                }),
                        ]
                    }),
            ]
        ]
    }

    /// `2026-01-31`.
    private static func date(_ day: Int64) -> String {
        String(Instant(milliseconds: day * 86_400_000).description.prefix(10))
    }

    private func wholeNumber(_ name: String, _ request: APIRequest, in range: ClosedRange<Int>) throws(APIError) -> Int?
    {
        guard let text = request.query[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw APIError(
                .badRequest, field: name,
                "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    // MARK: Spikes

    /// What is held or was reported, and not decided yet.
    func spikes(of destination: Destination) throws -> [JSONValue] {
        let instant = now()
        return try engine.store.spikes(destinationID: destination.id)
            .filter { $0.state == .held || $0.state == .warned && $0.since > instant - .days(1) }
            .map { spike in
                let waiting = try engine.store.waitingCount(
                    destinationID: destination.id, computationID: spike.computationID)
                return [
                    "computationId": .string(spike.computationID),
                    "computationName": .string(computationName(spike.computationID)),
                    "state": .string(spike.state.rawValue), "reason": .string(spike.reason),
                    "since": .time(spike.since), "waiting": .number(waiting),
                ]
            }
    }

    private func endSpike(_ request: APIRequest, discarding: Bool) async throws -> JSONValue {
        let destination = try destination(request)
        let computation = request.parameter("computation")
        try request.fields.finish()
        let spikes = try engine.store.spikes(destinationID: destination.id)
        guard spikes.contains(where: { $0.computationID == computation && $0.state != .released }) else {
            throw APIError(.notFound, "Nothing of '\(computation.prefixText)' is held for this destination.")
        }
        let count = try await delivery.endSpike(
            destinationID: destination.id, computationID: computation, discarding: discarding)
        return ["status": "SUCCESS", "discarded": .number(count)]
    }
}

extension Fields {
    /// The circuit breaker over the one that is there.
    mutating func spikeGuard(over old: SpikeGuard) throws(APIError) -> SpikeGuard {
        guard var fields = try object("circuitBreaker") else { return old }
        var changed = old
        changed.mode = try fields.choice("mode", of: SpikeGuard.Mode.self) ?? old.mode
        changed.factor = try fields.number("factor", in: 1...1_000_000) ?? old.factor
        changed.memberShare = try fields.number("memberShare", in: 0...1000) ?? old.memberShare
        changed.minimumChanges = try fields.integer("minimumChanges", in: 1...1_000_000_000) ?? old.minimumChanges
        try fields.finish()
        return changed
    }
}

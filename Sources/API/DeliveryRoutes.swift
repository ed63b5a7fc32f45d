import Engine
import Hummingbird
import JSON
import Model
import Store

// What was sent: requests with their answers, and what became of each emission (spec: engage §10.3).

extension API {
    func addDeliveryRoutes(to routes: RouteTable<some RequestContext>) {
        routes.get("/destinations/:id/deliveries") { try listAttempts($0) }
        routes.get("/destinations/:id/deliveries/:attempt") { try attempt($0) }
        routes.get("/destinations/:id/emissions") { try listEmissions($0) }
    }

    private func listAttempts(_ request: APIRequest) throws -> JSONValue {
        let destination = try destination(request)
        let paging = try Paging(request.query)
        var filter = DeliveryFilter(destinationID: destination.id)
        if let text = request.query["outcome"] {
            guard let outcome = AttemptRow.Outcome(rawValue: text) else {
                let choices = AttemptRow.Outcome.allCases.map(\.rawValue).joined(separator: ", ")
                throw APIError(.badRequest, field: "outcome", "'outcome' must be one of: \(choices).")
            }
            filter.attemptOutcome = outcome
        }
        filter.profiles = try profileFilter(request)
        let rows = try engine.store.attempts(filter, before: try paging.number(), limit: paging.count + 1)
        let page = rows.prefix(paging.count)
        let next = rows.count > page.count ? page.last?.id.map { String($0) } : nil
        return ["deliveries": .array(page.map { .object(API.json($0)) }), "pagination": paging.json(next: next)]
    }

    private static func json(_ row: AttemptRow) -> JSONObject {
        [
            "id": .string(String(row.id ?? 0)), "at": .time(row.at), "endpoint": .string(row.endpoint),
            "status": row.status.map { .number($0) } ?? .null, "outcome": .string(row.outcome.rawValue),
            "objectCount": .number(row.objectCount), "elapsedMilliseconds": .number(row.durationMilliseconds),
            "duplicateRisk": .bool(row.outcome == .unknown),
        ]
    }

    private func attempt(_ request: APIRequest) throws -> JSONValue {
        let destination = try destination(request)
        let text = request.parameter("attempt")
        guard let id = Int64(text), let row = try engine.store.attempt(id: id), row.destinationID == destination.id
        else { throw APIError.notFound("delivery", id: text) }
        var object = API.json(row)
        object["request"] = row.request.map(API.readable) ?? .null
        object["response"] = row.response.map { API.readable(Array($0.utf8)) } ?? .null
        object["emissions"] = .array(names(for: try engine.store.emissions(attemptID: id)))
        return ["delivery": .object(object)]
    }

    /// JSON as JSON, anything else as text.
    private static func readable(_ bytes: [UInt8]) -> JSONValue {
        (try? JSONValue(parsing: bytes)) ?? .string(String(decoding: bytes, as: UTF8.self))
    }

    // MARK: Emissions

    /// Those that wait or are parked first, newest first; then what attempts meant for emissions.
    private func listEmissions(_ request: APIRequest) throws -> JSONValue {
        let destination = try destination(request)
        let paging = try Paging(request.query)
        let profiles = try profileFilter(request)
        let state = request.query["state"]
        if let state, !["waiting", "parked", "delivered"].contains(state) {
            throw APIError(.badRequest, field: "state", "'state' must be waiting, parked or delivered.")
        }
        var rows: [JSONValue] = []
        let attemptCursor = paging.cursor.flatMap { $0.hasPrefix("a") ? Int64($0.dropFirst()) : nil }
        if state != "delivered", attemptCursor == nil {
            let before = paging.cursor == nil ? nil : try paging.number()
            let parked = state.map { $0 == "parked" }
            let outbox = try engine.store.outbox(
                destinationID: destination.id, profiles: profiles, parked: parked, before: before,
                limit: paging.count + 1)
            let page = outbox.prefix(paging.count)
            rows = names(for: Array(page))
            if outbox.count > page.count {
                return emissionPage(rows, paging, next: page.last.map { String($0.sequence) })
            }
            if state != nil || rows.count == paging.count {
                return emissionPage(rows, paging, next: state == nil ? "a\(Int64.max)" : nil)
            }
        }
        var filter = DeliveryFilter(destinationID: destination.id, profiles: profiles)
        if state == "delivered" { filter.emissionOutcome = .delivered }
        let limit = paging.count - rows.count
        let past = try engine.store.attemptEmissions(filter, before: attemptCursor, limit: limit + 1)
        let page = past.prefix(limit)
        rows += names(for: Array(page))
        let next = past.count > limit ? page.last?.id.map { "a\($0)" } : nil
        return emissionPage(rows, paging, next: next)
    }

    private func emissionPage(_ rows: [JSONValue], _ paging: Paging, next: String?) -> JSONValue {
        ["emissions": .array(rows), "pagination": paging.json(next: next)]
    }

    /// The numbers of the profile that is asked for.
    private func profileFilter(_ request: APIRequest) throws -> [ProfileOrdinal]? {
        guard let id = request.query["profile"] else { return nil }
        let ordinals = engine.read { engine in
            engine.profile(segmentID: id).map { engine.ordinals(of: engine.canonical($0)) }
        }
        guard let ordinals else {
            throw APIError(.notFound, field: "profile", "There is no profile '\(id.prefixText)'.")
        }
        return ordinals
    }

    private func names(for rows: [AttemptEmissionRow]) -> [JSONValue] {
        rows.map { row in
            var object = about(row.profile, row.computationID)
            object["at"] = .time(row.at)
            object["kind"] = .string(row.kind.rawValue)
            object["messageId"] = .string(row.messageID)
            object["state"] = .string(row.outcome == .rejected ? "parked" : row.outcome.rawValue)
            object["detail"] = .string(row.detail)
            object["attemptId"] = row.attemptID.map { .string(String($0)) } ?? .null
            return .object(object)
        }
    }

    private func names(for rows: [OutboxRow]) -> [JSONValue] {
        rows.map { row in
            var object = about(row.emission.profile, row.emission.computationID)
            object["id"] = .string(String(row.sequence))
            object["at"] = .time(row.parkedAt ?? row.emission.timestamp)
            object["kind"] = .string(row.emission.kind.rawValue)
            object["messageId"] = .string(row.emission.messageID)
            object["state"] = row.parkedReason == nil ? "waiting" : "parked"
            object["detail"] = .string(row.parkedReason ?? "")
            object["attempts"] = .number(row.attempts)
            object["payload"] = API.readable(row.emission.payload)
            return .object(object)
        }
    }

    private func about(_ profile: ProfileOrdinal, _ computationID: String) -> JSONObject {
        // Of a person who was deleted nothing is known any more.
        guard engine.read({ $0.exists(profile) }) else {
            return [
                "profileId": "", "profileName": "a deleted person", "computationId": .string(computationID),
                "computationName": "Regulation",
            ]
        }
        let (summary, name) = engine.read { engine in
            (
                engine.summary(engine.canonical(profile)),
                engine.computation(id: computationID)?.definition.name ?? engine.sources[computationID]?.name
            )
        }
        return [
            "profileId": .string(summary.segmentID),
            "profileName": .string(orNull: summary.name ?? summary.email ?? summary.userID ?? summary.otherID),
            "computationId": .string(computationID), "computationName": .string(name ?? computationID),
        ]
    }
}

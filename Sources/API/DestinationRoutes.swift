import Delivery
import Engine
import Hummingbird
import JSON
import Model
import Store

// Destinations: set-up, test, state. Secrets are written, never read.

extension API {
    func addDestinationRoutes(to routes: RouteTable<some RequestContext>) {
        routes.get("/destinations") { request in
            let all = engine.read { $0.destinations }.values.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
            let (page, pagination) = try Paging(request.query).page(of: all)
            let activities = delivery.activities()
            return [
                "destinations": .array(try page.map { try json($0, activities[$0.id]) }), "pagination": pagination,
            ]
        }
        routes.get("/destinations/catalog") { _ in
            [
                "catalog": .array(
                    configuration.destinationKinds.map { kind in
                        var object = kind.json.object ?? [:]
                        object["presets"] = .array(delivery.presets(kind: kind.kind).map(\.json))
                        object["triggers"] = .array(delivery.triggers(kind: kind.kind).map(\.json))
                        return .object(object)
                    })
            ]
        }
        routes.post("/destinations") { try await createDestination($0) }
        routes.post("/destinations/test") { request in
            var fields = request.fields
            let kind = try destinationKind(try fields.required(try fields.string("kind"), "kind"))
            let settings = try fields.object("settings")?.raw ?? [:]
            try fields.finish()
            return ["test": try await test(kind, settings)]
        }
        routes.get("/destinations/:id") { request in
            let destination = try destination(request)
            return ["destination": try json(destination, delivery.activities()[destination.id])]
        }
        routes.patch("/destinations/:id") { try await updateDestination($0) }
        routes.delete("/destinations/:id") { request in
            try await engine.submit(.deleteDestination(id: try destination(request).id))
            return ["status": "SUCCESS"]
        }
        routes.post("/destinations/:id/test") { request in
            let destination = try destination(request)
            var fields = request.fields
            let changes = try fields.object("settings")?.raw ?? [:]
            try fields.finish()
            let kind = try destinationKind(destination.kind)
            return ["test": try await test(kind, API.merge(changes, into: destination.settings))]
        }
        routes.post("/destinations/:id/resume") { request in
            let destination = try destination(request)
            try request.fields.finish()
            delivery.resume(destinationID: destination.id)
            return ["status": "SUCCESS"]
        }
    }

    func destination(_ request: APIRequest) throws -> Destination {
        let id = request.parameter("id")
        guard let destination = engine.read({ $0.destinations[id] }) else {
            throw APIError.notFound("destination", id: id)
        }
        return destination
    }

    private func destinationKind(_ name: String) throws(APIError) -> DestinationKind {
        guard let kind = configuration.destinationKinds.first(where: { $0.kind == name }) else {
            let choices = configuration.destinationKinds.map { "'\($0.kind)'" }.joined(separator: ", ")
            throw APIError(.validation, field: "kind", "There is no kind '\(name.prefixText)'. Possible: \(choices).")
        }
        return kind
    }

    private func createDestination(_ request: APIRequest) async throws -> JSONValue {
        var fields = request.fields
        let kind = try destinationKind(try fields.required(try fields.string("kind"), "kind"))
        let name = try fields.title("name") ?? kind.name
        let settings = try fields.object("settings")?.raw ?? [:]
        let enabled = try fields.bool("enabled") ?? true
        let spikeGuard = try fields.spikeGuard(over: SpikeGuard())
        try fields.finish()
        try validate(kind, settings)
        let destination = Destination(
            id: NewID.make("dst_"), kind: kind.kind, name: name, settings: API.merge(settings, into: [:]),
            enabled: enabled, createdAt: now(), spikeGuard: spikeGuard)
        try await engine.submit(.putDestination(destination))
        return ["destination": try json(destination, nil)]
    }

    private func updateDestination(_ request: APIRequest) async throws -> JSONValue {
        var destination = try destination(request)
        var fields = request.fields
        destination.name = try fields.title("name") ?? destination.name
        destination.enabled = try fields.bool("enabled") ?? destination.enabled
        destination.spikeGuard = try fields.spikeGuard(over: destination.spikeGuard)
        if let settings = try fields.object("settings")?.raw {
            destination.settings = API.merge(settings, into: destination.settings)
            try validate(try destinationKind(destination.kind), destination.settings)
        }
        try fields.finish()
        try await engine.submit(.putDestination(destination))
        return ["destination": try json(destination, delivery.activities()[destination.id])]
    }

    /// Changed settings over those that are stored. Null or an empty text takes one away; a masked secret, as reading
    /// gave it, leaves it as it is.
    private static func merge(_ changes: JSONObject, into settings: JSONObject) -> JSONObject {
        var merged = settings
        for (key, value) in changes.members {
            if value["set"]?.bool == true { continue }
            merged[key] = value.isNull || value == "" ? nil : value
        }
        return merged
    }

    private func validate(_ kind: DestinationKind, _ settings: JSONObject) throws(APIError) {
        let known = Set(kind.fields.map(\.key)).union(["allow_custom_host"])
        if let unknown = settings.keys.first(where: { !known.contains($0) }) {
            let choices = known.sorted().map { "'\($0)'" }.joined(separator: ", ")
            throw APIError(
                .validation, field: "settings.\(unknown)",
                "\(kind.name) has no setting '\(unknown.prefixText)'. Possible: \(choices).")
        }
        do {
            try delivery.validate(kind: kind.kind, settings: settings)
        } catch {
            throw APIError(error, kind)
        }
    }

    private func test(_ kind: DestinationKind, _ settings: JSONObject) async throws -> JSONValue {
        let start = ContinuousClock.now
        let verdict: ProbeVerdict
        do {
            verdict = try await delivery.testConnection(kind: kind.kind, settings: settings)
        } catch {
            throw APIError(error, kind)
        }
        let elapsed = (ContinuousClock.now - start).components
        let milliseconds = Int(elapsed.seconds) * 1000 + Int(elapsed.attoseconds / 1_000_000_000_000_000)
        let (isWorking, message, remedy) =
            switch verdict {
            case .working: (true, "\(kind.name) accepts these settings.", "")
            case .misconfigured(let reason): (false, "\(kind.name) does not accept these settings.", reason)
            case .unavailable(let reason):
                (
                    false, "It could not be found out.",
                    "\(reason). Check the address and that this machine reaches it, then test again."
                )
            }
        return [
            "ok": .bool(isWorking), "message": .string(message), "remedy": .string(remedy),
            "elapsedMilliseconds": .number(milliseconds),
        ]
    }

    // MARK: JSON

    func json(_ destination: Destination, _ activity: DestinationActivity?) throws -> JSONValue {
        let kind = configuration.destinationKinds.first { $0.kind == destination.kind }
        let secrets = delivery.secretSettings(kind: destination.kind)
        var settings = JSONObject()
        for (key, value) in destination.settings.members {
            settings[key] = secrets.contains(key) ? API.masked(value) : value
        }
        let counts = try engine.store.counts(destinationID: destination.id)
        return [
            "id": .string(destination.id), "kind": .string(destination.kind),
            "kindName": .string(kind?.name ?? destination.kind), "name": .string(destination.name),
            "enabled": .bool(destination.enabled), "settings": .object(settings),
            "address": .string(orNull: kind.flatMap { destination.settings[$0.addressField]?.string }),
            "createdAt": .time(destination.createdAt), "circuitBreaker": destination.spikeGuard.json,
            "spikes": .array(try spikes(of: destination)), "state": state(of: destination, activity, counts),
        ]
    }

    /// That a secret is there and how it ends, enough to recognise it by.
    private static func masked(_ value: JSONValue) -> JSONValue {
        let text = value.string ?? ""
        return ["set": .bool(!text.isEmpty), "ending": .string(text.count >= 12 ? String(text.suffix(4)) : "")]
    }

    private func state(
        of destination: Destination, _ activity: DestinationActivity?, _ counts: DestinationCounts
    ) -> JSONValue {
        var status = destination.enabled ? "running" : "disabled"
        var paused = JSONValue.null
        var note: String?
        switch activity?.phase {
        case .paused(let reason, let since)?:
            status = "paused"
            paused = ["reason": .string(reason), "since": .time(since)]
        case .invalid(let error)?:
            status = "paused"
            paused = ["reason": .string(APIError(error, nil).message), "since": .null]
        case .retrying(let reason, _)?:
            status = "retrying"
            note = reason
        case .throttled?: note = "It asked to send more slowly."
        case .disabled?: status = "disabled"
        case .working?, nil: break
        }
        return [
            "status": .string(status), "paused": paused, "note": .string(orNull: note),
            "waiting": .number(counts.waiting), "parked": .number(counts.parked),
            "delivered": .number(Int(counts.delivered)), "coalesced": .number(Int(counts.coalesced)),
            "unchanged": .number(Int(counts.unchanged)), "discarded": .number(Int(counts.discarded)),
            "attempts": .number(Int(counts.attempts)), "failedAttempts": .number(Int(counts.failedAttempts)),
            "lastDeliveredAt": .time(activity?.lastDeliveredAt),
            "unknownOutcomes": .number(Int(counts.unknownOutcomes)),
            "possibleDuplicates": .number(Int(counts.possibleDuplicates)),
        ]
    }
}

extension APIError {
    init(_ error: SettingsError, _ kind: DestinationKind?) {
        let label = kind?.fields.first { $0.key == error.field }?.label ?? error.field
        self.init(.validation, field: "settings.\(error.field)", "\(label): \(error.message). \(error.remedy).")
    }
}

extension DestinationKind {
    var json: JSONValue {
        ["kind": .string(kind), "name": .string(name), "fields": .array(fields.map(\.json))]
    }
}

extension DestinationKind.Field {
    var json: JSONValue {
        var object: JSONObject = [
            "key": .string(key), "label": .string(label), "hint": .string(hint), "required": .bool(isRequired),
        ]
        switch control {
        case .text: object["type"] = "text"
        case .secret: object["type"] = "secret"
        case .choice(let options):
            object["type"] = "choice"
            object["options"] = .array(
                options.map { ["value": .string($0.value), "label": .string($0.label)] })
        }
        return .object(object)
    }
}

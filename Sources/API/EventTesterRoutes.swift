import Delivery
import Engine
import Hummingbird
import JSON
import Model

// The event tester: one call, chosen or made up, on its way to a destination: what is made of it, the request, the answer.

extension API {
    func addEventTesterRoutes(to routes: RouteTable<some RequestContext>) {
        routes.post("/destinations/:id/test-event") { try await testEvent($0) }
    }

    private func testEvent(_ request: APIRequest) async throws -> JSONValue {
        let destination = try destination(request)
        var fields = request.fields
        let isSent = try fields.bool("send") ?? false
        let subject = try TestSubject(&fields)
        try fields.finish()
        var notes: [JSONValue] = []
        let emissions: [(preset: String?, emission: Emission)]
        switch subject {
        case .value(let profileID, let computationID):
            emissions = try emissionsOfValue(profileID, computationID, destination)
            if emissions.isEmpty {
                let words =
                    "The profile has no user id and no e-mail address, and the audience or trait does not include anonymous "
                    + "users: no call is made."
                notes.append(.string(words))
            }
            notes.append(.string(API.onlyFromHere))
        case .call(let body, let sourceID):
            let (call, payload) = try TestSubject.call(body, at: now())
            let mappings = try mappings(sourceID, destination)
            emissions = Engine.trialEmissions(of: call, mappings: mappings, destinationID: destination.id).map {
                ($0.mapping.title.isEmpty ? $0.mapping.preset : $0.mapping.title, $0.emission)
            }
            notes += API.notes(on: mappings, of: call, destinationID: destination.id)
            notes += API.notes(on: payload, destination, isPassedOn: !emissions.isEmpty)
        }
        var results: [JSONValue] = []
        for (preset, emission) in emissions {
            do {
                let trial = try await delivery.tryOut(emission, at: destination, isSent: isSent)
                results.append(API.json(trial, emission, preset: preset, destination))
            } catch {
                throw APIError(error, configuration.destinationKinds.first { $0.kind == destination.kind })
            }
        }
        let isFine = !results.isEmpty && results.allSatisfy { $0["ok"] == true }
        return [
            "test": ["ok": .bool(isFine), "sent": .bool(isSent), "results": .array(results), "notes": .array(notes)]
        ]
    }

    private func emissionsOfValue(
        _ profileID: String, _ computationID: String, _ destination: Destination
    ) throws -> [(preset: String?, emission: Emission)] {
        try engine.read { engine in
            guard let profile = engine.profile(segmentID: profileID) else {
                throw APIError(.validation, field: "profile", "There is no profile '\(profileID.prefixText)'.")
            }
            guard engine.computation(id: computationID) != nil else {
                throw APIError(
                    .validation, field: "computation",
                    "There is no audience or computed trait '\(computationID.prefixText)'.")
            }
            return engine.trialEmissions(
                computationID: computationID, profile: profile, destinationID: destination.id
            ).map { (nil, $0) }
        }
    }

    /// Those of the source's connection; without one, those that a new connection would have.
    private func mappings(_ sourceID: String?, _ destination: Destination) throws -> [SourceMapping] {
        guard let sourceID else {
            return (try? MappingPreset.mappings(delivery.presets(kind: destination.kind), choices: [])) ?? []
        }
        guard let source = engine.read({ $0.sources[sourceID] }) else {
            throw APIError(.validation, field: "sourceId", "There is no source '\(sourceID.prefixText)'.")
        }
        guard let connection = source.connections.first(where: { $0.destinationID == destination.id }) else {
            throw APIError(
                .validation, field: "sourceId", "'\(source.name)' is not connected to '\(destination.name)'.")
        }
        return connection.mappings
    }

    // MARK: Words

    private static let onlyFromHere =
        "If the app also holds the destination's own SDK (side-by-side, device mode), what that SDK sends goes past this "
        + "server: the tester shows the way over the REST API only."

    /// Why triggers that somebody may be waiting for do not fire.
    private static func notes(on mappings: [SourceMapping], of call: Call, destinationID: String) -> [JSONValue] {
        mappings.filter(\.isTrigger).compactMap { mapping in
            let name = mapping.title.isEmpty ? mapping.preset : mapping.title
            let reason: String
            if !mapping.enabled {
                reason = "it is switched off"
            } else if !mapping.takes(call.kind, event: call.event) {
                reason =
                    mapping.events.isEmpty
                    ? "it waits for track calls"
                    : "it waits for " + mapping.events.map { "'\($0)'" }.joined(separator: " or ")
            } else if Engine.trialEmissions(of: call, mappings: [mapping], destinationID: destinationID).isEmpty {
                reason = "its condition does not hold: \(mapping.condition ?? "")"
            } else {
                return nil
            }
            return .string("The trigger '\(name)' does not fire: \(reason).")
        }
    }

    private static func notes(on payload: JSONObject, _ destination: Destination, isPassedOn: Bool) -> [JSONValue] {
        var notes: [JSONValue] = []
        switch SourceCall.admission(of: payload, to: destination) {
        case .excluded:
            notes.append(
                "Its member 'integrations' leaves this destination out: coming from a source, it is not passed on.")
        case .sentByDevice:
            notes.append(
                .string(
                    "It comes from a client that sends to \(destination.name) by itself, with the destination's own SDK "
                        + "(side-by-side, device mode): Muster does not send it a second time. What that SDK sends goes past "
                        + "this server, so neither this tester nor the deliveries can show it: look into the client."))
        case .admitted:
            let library = payload["context"]?["library"]?["name"]?.string ?? ""
            if library.hasPrefix("analytics") || isPassedOn { notes.append(.string(onlyFromHere)) }
        }
        if !isPassedOn {
            notes.append("No preset or trigger of the connection that is on takes this call: nothing is sent for it.")
        }
        return notes
    }

    private static func json(
        _ trial: Trial, _ emission: Emission, preset: String?, _ destination: Destination
    ) -> JSONValue {
        var call = (try? JSONValue(parsing: emission.payload))?.object ?? [:]
        let options = call["mapping"]
        call["mapping"] = nil
        var mapping: JSONObject = ["preset": .string(orNull: preset), "options": options ?? .null]
        var (isFine, message) = (true, "It would be sent like this.")
        switch trial.mapping {
        case .update(let person, let update):
            mapping["outcome"] = "values"
            mapping["person"] = .string(person)
            mapping["names"] = .array(update.values.keys.map { .string($0) })
            if let note = update.note { message += " \(note)." }
        case .occurrence(let person, let occurrence):
            mapping["outcome"] = "occurrence"
            mapping["person"] = .string(person)
            mapping["objects"] = .number(occurrence.objects.count)
            if let note = occurrence.note { message += " \(note)." }
        case .nothing:
            mapping["outcome"] = "nothing"
            message = "It asks for nothing: no request is made."
        case .refused(let reason):
            mapping["outcome"] = "refused"
            (isFine, message) = (false, reason)
        }
        var response = JSONValue.null
        switch trial.reply {
        case .response(let answer)?:
            response = [
                "status": .number(answer.status),
                "body": (try? JSONValue(parsing: answer.body)) ?? .string(String(decoding: answer.body, as: UTF8.self)),
                "elapsedMilliseconds": .number(Int(trial.duration / .milliseconds(1))),
            ]
        case .failure(let failure)?: (isFine, message) = (false, failure.description)
        case nil: break
        }
        if let verdict = trial.verdict { (isFine, message) = words(for: verdict, destination) }
        return [
            "call": .object(call), "mapping": .object(mapping),
            "request": trial.request.map { request in
                [
                    "endpoint": .string("POST \(request.url)"),
                    "body": (try? JSONValue(parsing: request.body)) ?? .null,
                ]
            } ?? .null,
            "response": response, "ok": .bool(isFine), "message": .string(message),
        ]
    }

    private static func words(for verdict: Verdict, _ destination: Destination) -> (Bool, String) {
        switch verdict {
        case .taken(let rejected, let unplaced):
            let complaints = rejected.sorted { $0.key < $1.key }.map(\.value)
            if !complaints.isEmpty {
                return (false, "\(destination.name) refuses it: \((complaints + unplaced).joined(separator: "; "))")
            }
            return unplaced.isEmpty
                ? (true, "\(destination.name) has taken it.")
                : (false, "\(destination.name) has taken it, but says: \(unplaced.joined(separator: "; "))")
        case .rejected(let words, let message):
            return (false, "\(destination.name) refuses it: \(words.values.sorted().first ?? message)")
        case .refused(let message), .tooLarge(let message), .notTaken(let message):
            return (false, "\(destination.name) refuses it: \(message)")
        case .throttled(let message): return (false, "\(destination.name) asks to send more slowly: \(message)")
        case .unavailable(let message): return (false, "\(destination.name) does not work now: \(message)")
        case .misconfigured(let reason): return (false, reason)
        }
    }
}

/// What is to be tested.
private enum TestSubject {
    /// The present value of an audience or trait on a profile.
    case value(profileID: String, computationID: String)
    /// A call, made up or taken from the debugger.
    case call(JSONObject, sourceID: String?)

    init(_ fields: inout Fields) throws(APIError) {
        let event = try fields.object("event")
        let profile = try fields.string("profile")
        let computation = try fields.string("computation")
        let source = try fields.string("sourceId")
        if let event {
            guard profile == nil, computation == nil else {
                throw APIError(
                    .validation, field: "event",
                    "Send either an 'event' or 'profile' and 'computation', not both.")
            }
            self = .call(event.raw, sourceID: source)
        } else {
            self = .value(
                profileID: try fields.required(profile, "profile"),
                computationID: try fields.required(computation, "computation"))
        }
    }

    /// The call that the body is, with what Ingest would have added to it.
    static func call(_ body: JSONObject, at now: Instant) throws(APIError) -> (Call, JSONObject) {
        guard let name = body["type"]?.string, let kind = Call.Kind.allCases.first(where: { $0.name == name }) else {
            let kinds = Call.Kind.allCases.map { "'\($0.name)'" }.joined(separator: ", ")
            throw APIError(.validation, field: "event.type", "'event.type' must be one of \(kinds).")
        }
        func text(_ key: String) throws(APIError) -> String? {
            switch body[key] {
            case nil, .null?, .string("")?: return nil
            case .string(let text)?: return text
            case .number(let number)?: return number.text
            default: throw APIError(.validation, field: "event.\(key)", "'event.\(key)' must be a text.")
            }
        }
        func time(_ key: String) throws(APIError) -> Instant? {
            guard let text = try text(key) else { return nil }
            guard let instant = Instant(iso8601: text) else {
                throw APIError(.validation, field: "event.\(key)", "'event.\(key)' must be a time like \(now).")
            }
            return instant
        }
        if kind == .track, try text("event") == nil {
            throw APIError(.validation, field: "event.event", "'event.event' is missing: a track call names its event.")
        }
        let timestamp = try time("timestamp") ?? now
        return (
            Call(
                kind: kind, sourceID: "event_tester",
                messageID: try text("messageId") ?? "test-\(now.milliseconds)", userID: try text("userId"),
                anonymousID: try text("anonymousId"), groupID: try text("groupId"),
                previousID: try text("previousId"), event: kind == .track ? try text("event") : nil,
                timestamp: timestamp, receivedAt: now, body: JSONValue.object(body).utf8), body
        )
    }
}

import Delivery
import Engine
import Hummingbird
import JSON
import Model
import Query

// Sources connected straight to destinations: which of their calls are passed on, by which presets.

extension API {
    func addSourceConnectionRoutes(to routes: RouteTable<some RequestContext>) {
        routes.get("/sources/:id/destination-connections") { request in
            let source = try source(request)
            return ["connections": .array(source.connections.map { json($0, of: source) })]
        }
        routes.post("/sources/:id/destination-connections") { request in
            let source = try source(request)
            var fields = request.fields
            var id = try fields.string("destinationId")
            if var destination = try fields.object("destination") {
                id = try destination.string("id")
                _ = try destination.string("type")
                try destination.finish()
            }
            let destinationID = try fields.required(id, "destinationId")
            guard !source.connections.contains(where: { $0.destinationID == destinationID }) else {
                throw APIError(
                    .conflict, field: "destinationId",
                    "It is connected to this destination already: change the connection.")
            }
            guard engine.read({ $0.destinations[destinationID] != nil }) else {
                throw APIError(
                    .validation, field: "destinationId", "There is no destination '\(destinationID.prefixText)'.")
            }
            return try await put(SourceConnection(destinationID: destinationID), &fields, of: source)
        }
        routes.patch("/sources/:id/destination-connections/:destination") { request in
            let (source, connection) = try sourceConnection(request)
            var fields = request.fields
            return try await put(connection, &fields, of: source)
        }
        routes.delete("/sources/:id/destination-connections/:destination") { request in
            let (source, connection) = try sourceConnection(request)
            try await engine.submit(
                .disconnectSource(sourceID: source.id, destinationID: connection.destinationID))
            return ["status": "SUCCESS"]
        }
        routes.get("/destinations/:id/source-connections") { request in
            let destination = try destination(request)
            let sources = engine.read { $0.sources }.values.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
            return [
                "connections": .array(
                    sources.flatMap { source in
                        source.connections.filter { $0.destinationID == destination.id }.map { json($0, of: source) }
                    })
            ]
        }
    }

    private func sourceConnection(_ request: APIRequest) throws -> (Source, SourceConnection) {
        let source = try source(request)
        let id = request.parameter("destination")
        guard let connection = source.connections.first(where: { $0.destinationID == id }) else {
            throw APIError(
                .notFound, "This source is not connected to '\(id.prefixText)': connect it with POST first.")
        }
        return (source, connection)
    }

    /// Stores a connection with what the body changes of it: `enabled`, `presets` by name, and all `triggers`.
    private func put(
        _ connection: SourceConnection, _ fields: inout Fields, of source: Source
    ) async throws -> JSONValue {
        var connection = connection
        connection.enabled = try fields.bool("enabled") ?? connection.enabled
        let choices = try API.choices(&fields)
        let triggers = try API.triggers(&fields)
        try fields.finish()
        let id = connection.destinationID
        let kind = engine.read { $0.destinations[id]?.kind } ?? ""
        do {
            connection.mappings = try MappingPreset.mappings(
                delivery.presets(kind: kind), choices: choices, over: connection.mappings)
            if let triggers {
                connection.mappings.removeAll(where: \.isTrigger)
                connection.mappings += try MappingPreset.triggers(delivery.triggers(kind: kind), triggers)
            }
        } catch {
            throw APIError(.validation, field: error.field, error.description)
        }
        try await engine.submit(.connectSource(sourceID: source.id, connection))
        return ["connection": json(connection, of: source)]
    }

    /// `{"track_calls":{"enabled":true,"renameEvents":{"Old":"New"}}}`
    private static func choices(_ fields: inout Fields) throws(APIError) -> [(name: String, choice: PresetChoice)] {
        guard let presets = try fields.object("presets") else { return [] }
        var choices: [(name: String, choice: PresetChoice)] = []
        for (name, value) in presets.raw.members {
            guard var options = value.object else { throw presets.invalid(name, "must be a JSON object.") }
            var choice = PresetChoice()
            if let enabled = options["enabled"], !enabled.isNull {
                guard let isOn = enabled.bool else {
                    throw presets.invalid("\(name).enabled", "must be true or false.")
                }
                choice.enabled = isOn
            }
            options["enabled"] = nil
            choice.options = options
            choices.append((name, choice))
        }
        return choices
    }

    /// `[{"kind":"trigger_campaign","events":["Order Completed"],"condition":"property('total') >= 100","campaignId":"…"}]`:
    /// all of the connection's triggers; `nil` leaves them as they are.
    private static func triggers(_ fields: inout Fields) throws(APIError) -> [TriggerChoice]? {
        guard let list = try fields.objects("triggers", maximumCount: 100) else { return nil }
        var choices: [TriggerChoice] = []
        for var trigger in list {
            let id = try trigger.string("id", maximumLength: 64)
            var choice = TriggerChoice(
                id: id ?? "trg_\(String(UInt64.random(in: 0..<1 << 50), radix: 36))",
                kind: try trigger.required(try trigger.string("kind"), "kind"))
            choice.title = try trigger.title("name") ?? ""
            choice.enabled = try trigger.bool("enabled") ?? true
            choice.events = try trigger.strings("events") ?? []
            if let index = choice.events.firstIndex(of: "") {
                throw trigger.invalid("events[\(index)]", "is empty: name an event, or leave the list empty for all.")
            }
            if let text = try trigger.string("condition"), !text.allSatisfy(\.isWhitespace) {
                do throws(QueryErrors) {
                    choice.condition = try Condition.ofOneEvent(text).text
                } catch {
                    throw trigger.invalid("condition", "can't be read: \(error.errors[0].description)")
                }
            }
            choice.options = JSONObject(trigger.raw.members.filter { !TriggerChoice.members.contains($0.key) })
            choices.append(choice)
        }
        return choices
    }

    // MARK: JSON

    private func json(trigger mapping: SourceMapping, _ kinds: [MappingPreset]) -> JSONValue {
        var object: JSONObject = [
            "id": .string(mapping.id), "kind": .string(mapping.preset), "name": .string(mapping.title),
            "enabled": .bool(mapping.enabled), "events": .array(mapping.events.map { .string($0) }),
            "condition": .string(orNull: mapping.condition),
        ]
        for setting in kinds.first(where: { $0.name == mapping.preset })?.settings ?? [] {
            if let value = mapping.options[setting.key] { object[setting.key] = value }
        }
        return .object(object)
    }

    func json(_ connection: SourceConnection, of source: Source) -> JSONValue {
        let destination = engine.read { $0.destinations[connection.destinationID] }
        let presets = delivery.presets(kind: destination?.kind ?? "")
        var chosen = JSONObject()
        let kinds = delivery.triggers(kind: destination?.kind ?? "")
        for mapping in connection.mappings where !mapping.isTrigger {
            var options: JSONObject = ["enabled": .bool(mapping.enabled)]
            for setting in presets.first(where: { $0.name == mapping.preset })?.settings ?? [] {
                if let value = mapping.options[setting.key] { options[setting.key] = value }
            }
            chosen[mapping.preset] = .object(options)
        }
        let isSending = connection.enabled && source.enabled
        let status =
            destination?.enabled == true && isSending
            ? "Connected" : destination?.enabled == true || isSending ? "Disconnected" : "Disabled"
        return [
            "sourceId": .string(source.id), "sourceName": .string(source.name),
            "destination": [
                "id": .string(connection.destinationID),
                "name": .string(destination?.name ?? connection.destinationID),
                "kind": .string(destination?.kind ?? ""),
            ],
            "enabled": .bool(connection.enabled), "status": .string(status), "presets": .object(chosen),
            "triggers": .array(connection.mappings.filter(\.isTrigger).map { json(trigger: $0, kinds) }),
        ]
    }
}

extension MappingPreset {
    var json: JSONValue {
        [
            "name": .string(name), "title": .string(title), "explanation": .string(explanation),
            "calls": .array(calls.map { .string($0.name) }), "events": .array(events.map { .string($0) }),
            "isOnAtFirst": .bool(isOnAtFirst),
            "settings": .array(
                settings.map { setting in
                    var object: JSONObject = [
                        "key": .string(setting.key), "label": .string(setting.label), "hint": .string(setting.hint),
                        "default": options[setting.key] ?? .null, "isRequired": .bool(setting.isRequired),
                    ]
                    switch setting.control {
                    case .text: object["type"] = "text"
                    case .flag: object["type"] = "flag"
                    case .choice(let choices):
                        object["type"] = "choice"
                        object["options"] = .array(choices.map { .string($0) })
                    case .table: object["type"] = "table"
                    case .object: object["type"] = "object"
                    }
                    return .object(object)
                }),
        ]
    }
}

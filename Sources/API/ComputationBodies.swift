import Engine
import JSON
import Model
import Query

// Reading and writing the JSON of audiences and computed traits.

/// What a body says about a computation; `nil` where it says nothing.
struct ComputationBody {
    var name: String?
    var description: String?
    var enabled: Bool?
    var level: Computation.Level?
    /// In its canonical print.
    var query: String?
    var includeHistoricalData: Bool?
    /// `.some(nil)` takes the limit away.
    var backfillEventDataDays: Int??
    var filterByExternalIDs: [String]?

    /// - Parameter level: of an existing computation, which its new query must fit.
    init(_ request: APIRequest, words: ComputationWords, level existing: Computation.Level? = nil) throws {
        var fields = request.fields
        name = try fields.title("name")
        description = try fields.string("description", maximumLength: 2000)
        enabled = try fields.bool("enabled")
        var levelText = try fields.string("audienceType")
        var text: String?
        if var definition = try fields.object("definition") {
            text = try definition.required(try definition.string("query", maximumLength: 20_000), "query")
            levelText = try definition.string("type") ?? levelText
            try definition.finish()
        }
        if let options = try fields.object("options") { try read(options) }
        try fields.finish()

        if let levelText {
            guard let level = Computation.Level(rawValue: levelText) else {
                throw APIError(.validation, field: "audienceType", "'audienceType' must be USERS or ACCOUNTS.")
            }
            if let existing, existing != level {
                throw APIError(
                    .validation, field: "audienceType",
                    "Users and accounts can't be exchanged: create another \(words.noun).")
            }
            self.level = level
        }
        if let text {
            do {
                let definition = try Definition.compile(text, kind: words.kind, level: self.level ?? existing ?? .users)
                query = definition.text
            } catch {
                throw error.apiErrors(field: "definition.query")
            }
        }
    }

    private mutating func read(_ fields: Fields) throws(APIError) {
        var options = fields
        includeHistoricalData = try options.bool("includeHistoricalData")
        for key in ["backfillEventDataDays", "backfillDurationDays"] where options.has(key) {
            backfillEventDataDays = .some(try options.integer(key, in: 1...36_500))
        }
        if let ids = try options.strings("filterByExternalIds") {
            guard !ids.isEmpty else {
                throw options.invalid(
                    "filterByExternalIds", "is empty: nobody would qualify. Name at least one type of id.")
            }
            filterByExternalIDs = ids
        }
        if let anonymous = try options.bool("includeAnonymousUsers"), filterByExternalIDs == nil {
            let identified = Computation.Options.identified
            filterByExternalIDs = anonymous ? identified + ["anonymous_id"] : identified
        }
        try options.finish()
    }

    /// The options that result from those that were there.
    func options(over old: Computation.Options = Computation.Options()) throws(APIError) -> Computation.Options {
        var options = old
        if let includeHistoricalData { options.includeHistoricalData = includeHistoricalData }
        if let backfillEventDataDays { options.backfillEventDataDays = backfillEventDataDays }
        if let filterByExternalIDs { options.filterByExternalIDs = filterByExternalIDs }
        if !options.includeHistoricalData, options.backfillEventDataDays != nil {
            guard backfillEventDataDays == nil else {
                throw APIError(
                    .validation, field: "options.backfillEventDataDays",
                    "'options.backfillEventDataDays' needs 'options.includeHistoricalData' to be true.")
            }
            options.backfillEventDataDays = nil
        }
        return options
    }
}

/// What a body says about a connection (spec: engage §6.3, §7.8).
struct ConnectionBody {
    var destinationID: String?
    private var settings: Fields?
    private var idSync: [IDSync]?

    init(_ request: APIRequest) throws(APIError) {
        var fields = request.fields
        if var destination = try fields.object("destination") {
            destinationID = try destination.string("id")
            if let type = try destination.string("type"), type != "destination" {
                throw destination.invalid("type", "must be 'destination': this server has no others.")
            }
            try destination.finish()
        }
        idSync = try ConnectionBody.idSync(&fields)
        settings = try fields.object("connectionSettings")
        try fields.finish()
    }

    /// Settings alone.
    init(settings: Fields) { self.settings = settings }

    func apply(to connection: Connection) throws(APIError) -> Connection {
        var connection = connection
        connection.idSync = idSync ?? connection.idSync
        guard var settings else { return connection }
        connection.sendIdentify = try settings.bool("sendIdentify") ?? connection.sendIdentify
        connection.sendTrack = try settings.bool("sendTrack") ?? connection.sendTrack
        connection.enterEvent = try settings.title("enterEvent") ?? connection.enterEvent
        connection.exitEvent = try settings.title("exitEvent") ?? connection.exitEvent
        connection.computeEvent = try settings.title("computeEvent") ?? connection.computeEvent
        connection.sendGroup = try settings.bool("sendGroup") ?? connection.sendGroup
        connection.updateExistingOnly = try settings.bool("updateExistingOnly") ?? connection.updateExistingOnly
        if settings.has("keyName") { connection.keyName = try settings.title("keyName") }
        connection.enrichment = try ConnectionBody.enrichment(&settings) ?? connection.enrichment
        connection.enabled = try settings.bool("enabled") ?? connection.enabled
        connection.firstSync =
            try settings.choice("firstSync", of: Connection.FirstSync.self) ?? connection.firstSync
        try settings.finish()
        return connection
    }

    /// `[{"trait":"plan","name":"subscription_plan"}]`; an empty list takes all away.
    private static func enrichment(_ settings: inout Fields) throws(APIError) -> [TraitEnrichment]? {
        guard let list = try settings.objects("traitEnrichment", maximumCount: 20) else { return nil }
        var traits: [TraitEnrichment] = []
        for item in list {
            var item = item
            let trait = try item.required(try item.title("trait"), "trait")
            let name = try item.title("name")
            try item.finish()
            traits.append(TraitEnrichment(trait: trait, name: name))
        }
        return traits
    }

    /// `[{"externalId":"crm_id","strategy":"last","mapTo":"user_id"}]` (spec: engage §6.3, §7.7).
    private static func idSync(_ fields: inout Fields) throws(APIError) -> [IDSync]? {
        guard let list = try fields.objects("idSyncConfiguration", maximumCount: IDSync.countMax) else { return nil }
        var rules: [IDSync] = []
        for item in list {
            var item = item
            let id = try item.required(try item.title("externalId"), "externalId")
            let text = try item.required(try item.string("strategy"), "strategy").lowercased()
            guard let strategy = IDSync.Strategy(rawValue: text) else {
                throw item.invalid("strategy", "must be 'first', 'last' or 'all'.")
            }
            let name = try item.title("mapTo")
            try item.finish()
            guard !rules.contains(where: { $0.externalID == id }) else {
                throw item.invalid("externalId", "names '\(id.prefixText)' twice: once is enough.")
            }
            rules.append(IDSync(externalID: id, strategy: strategy, mapTo: name))
        }
        return rules
    }
}

extension API {
    /// An audience or computed trait as the Public API shows it, and what Muster adds.
    func json(_ view: ComputationView, destinations: [String: Destination]) -> JSONValue {
        let definition = view.definition
        let size: JSONValue = [
            "count": .number(view.size), "uniqueCount": .number(view.size), "type": .string(definition.level.rawValue),
        ]
        var options: JSONObject = [
            "includeHistoricalData": .bool(definition.options.includeHistoricalData),
            "filterByExternalIds": .array(definition.options.filterByExternalIDs.map { .string($0) }),
            "includeAnonymousUsers": .bool(definition.options.includesAnonymousUsers),
        ]
        if let days = definition.options.backfillEventDataDays { options["backfillEventDataDays"] = .number(days) }
        return [
            "id": .string(definition.id), "spaceId": .string(spaceID), "name": .string(definition.name),
            "description": .string(definition.description), "key": .string(definition.key),
            "enabled": .bool(definition.enabled),
            "definition": ["query": .string(definition.query), "type": .string(definition.level.rawValue)],
            "status": .string(view.status.rawValue), "createdBy": "admin", "updatedBy": "admin",
            "createdAt": .time(definition.createdAt), "updatedAt": .time(definition.updatedAt),
            "audienceType": .string(definition.level.rawValue), "options": .object(options),
            "computeCadence": ["type": "REALTIME"], "size": size, "schedules": [],
            "connections": .array(
                definition.connections.map { json($0, of: definition, destinations: destinations) }),
            "backfill": view.progress.map { backfillPace.json($0) } ?? .null,
        ]
    }

    func json(_ connection: Connection, of definition: Computation, destinations: [String: Destination]) -> JSONValue {
        let destination = destinations[connection.destinationID]
        var settings: JSONObject = [
            "sendIdentify": .bool(connection.sendIdentify), "sendTrack": .bool(connection.sendTrack),
            "enabled": .bool(connection.enabled), "firstSync": .string(connection.firstSync.rawValue),
            "updateExistingOnly": .bool(connection.updateExistingOnly),
            "keyName": .string(orNull: connection.keyName),
            "traitEnrichment": .array(
                connection.enrichment.map { ["trait": .string($0.trait), "name": .string($0.name)] }),
        ]
        if definition.level == .accounts { settings["sendGroup"] = .bool(connection.sendGroup) }
        switch definition.kind {
        case .audience:
            settings["enterEvent"] = .string(connection.enterEvent)
            settings["exitEvent"] = .string(connection.exitEvent)
        case .trait: settings["computeEvent"] = .string(connection.computeEvent)
        }
        // Spec: engage §7.9.
        let destinationIsOn = destination?.enabled ?? false
        let isSending = connection.enabled && definition.enabled
        let status =
            destinationIsOn && isSending ? "Connected" : destinationIsOn || isSending ? "Disconnected" : "Disabled"
        return [
            "id": .string(connection.destinationID),
            "destination": [
                "id": .string(connection.destinationID), "type": "destination",
                "name": .string(destination?.name ?? connection.destinationID),
                "kind": .string(destination?.kind ?? ""),
            ],
            "connectionSettings": .object(settings), "status": .string(status),
            "idSyncConfiguration": .array(
                connection.idSync.map {
                    [
                        "externalId": .string($0.externalID), "strategy": .string($0.strategy.rawValue),
                        "mapTo": .string($0.mapTo),
                    ]
                }),
        ]
    }

    func json(_ member: MemberView) -> JSONValue {
        guard case .object(var object) = json(member.profile) else { return .null }
        object["profileId"] = .string(member.profile.segmentID)
        object["value"] = member.value
        object["since"] = .time(member.since)
        if let change = member.nextChange { object["nextChange"] = change.json }
        return .object(object)
    }

    /// A profile in a list.
    func json(_ summary: ProfileSummary) -> JSONValue {
        let isUser = summary.collection == .users
        return [
            "id": .string(summary.segmentID), "collection": .string(summary.collection.rawValue),
            "name": .string(orNull: summary.name), "email": .string(orNull: summary.email),
            "userId": .string(orNull: summary.userID),
            "anonymousId": .string(orNull: isUser ? summary.otherID : nil),
            "groupId": .string(orNull: isUser ? nil : summary.otherID), "createdAt": .time(summary.createdAt),
        ]
    }
}

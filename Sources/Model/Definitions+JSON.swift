public import JSON

// How definitions are written in the Log and in the state file. Readers accept what older versions wrote: a missing
// member takes its default. The shapes of the public API are the API module's own.

/// A stored definition that can't be read back.
public struct DefinitionError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

extension JSONValue {
    func text(_ key: String) throws(DefinitionError) -> String {
        guard let string = self[key]?.string else { throw DefinitionError("stored definition lacks text '\(key)'") }
        return string
    }

    func instant(_ key: String) throws(DefinitionError) -> Instant {
        guard let milliseconds = self[key]?.integer else {
            throw DefinitionError("stored definition lacks instant '\(key)'")
        }
        return Instant(milliseconds: Int64(milliseconds))
    }
}

extension Instant {
    fileprivate var stored: JSONValue { .number(Int(milliseconds)) }
}

extension Source {
    public var json: JSONValue {
        [
            "id": .string(id), "name": .string(name), "writeKey": .string(writeKey), "enabled": .bool(enabled),
            "createdAt": createdAt.stored, "connections": .array(connections.map(\.json)),
        ]
    }

    public init(json: JSONValue) throws(DefinitionError) {
        self.init(
            id: try json.text("id"), name: try json.text("name"), writeKey: try json.text("writeKey"),
            enabled: json["enabled"]?.bool ?? true, createdAt: try json.instant("createdAt"))
        for connection in json["connections"]?.array ?? [] {
            connections.append(try SourceConnection(json: connection))
        }
    }
}

extension Destination {
    public var json: JSONValue {
        [
            "id": .string(id), "kind": .string(kind), "name": .string(name), "settings": .object(settings),
            "enabled": .bool(enabled), "createdAt": createdAt.stored, "spikeGuard": spikeGuard.json,
        ]
    }

    public init(json: JSONValue) throws(DefinitionError) {
        self.init(
            id: try json.text("id"), kind: try json.text("kind"), name: try json.text("name"),
            settings: json["settings"]?.object ?? [:], enabled: json["enabled"]?.bool ?? true,
            createdAt: try json.instant("createdAt"), spikeGuard: SpikeGuard(json: json["spikeGuard"] ?? .null))
    }
}

extension SpikeGuard {
    public var json: JSONValue {
        [
            "mode": .string(mode.rawValue), "factor": .number(factor), "memberShare": .number(memberShare),
            "minimumChanges": .number(minimumChanges),
        ]
    }

    /// Missing members take their defaults.
    public init(json: JSONValue) {
        self.init()
        mode = json["mode"]?.string.flatMap(Mode.init(rawValue:)) ?? mode
        factor = json["factor"]?.double ?? factor
        memberShare = json["memberShare"]?.double ?? memberShare
        minimumChanges = json["minimumChanges"]?.integer ?? minimumChanges
    }
}

extension Connection {
    public var json: JSONValue {
        [
            "destinationID": .string(destinationID), "sendIdentify": .bool(sendIdentify),
            "sendTrack": .bool(sendTrack), "enterEvent": .string(enterEvent), "exitEvent": .string(exitEvent),
            "computeEvent": .string(computeEvent), "enabled": .bool(enabled),
            "firstSync": .string(firstSync.rawValue), "sendGroup": .bool(sendGroup),
            "keyName": .string(orNull: keyName), "updateExistingOnly": .bool(updateExistingOnly),
            "enrichment": .array(enrichment.map(\.json)), "idSync": .array(idSync.map(\.json)),
        ]
    }

    public init(json: JSONValue) throws(DefinitionError) {
        self.init(destinationID: try json.text("destinationID"))
        sendIdentify = json["sendIdentify"]?.bool ?? sendIdentify
        sendTrack = json["sendTrack"]?.bool ?? sendTrack
        enterEvent = json["enterEvent"]?.string ?? enterEvent
        exitEvent = json["exitEvent"]?.string ?? exitEvent
        computeEvent = json["computeEvent"]?.string ?? computeEvent
        enabled = json["enabled"]?.bool ?? enabled
        firstSync = json["firstSync"]?.string.flatMap(FirstSync.init(rawValue:)) ?? firstSync
        sendGroup = json["sendGroup"]?.bool ?? false
        keyName = json["keyName"]?.string
        updateExistingOnly = json["updateExistingOnly"]?.bool ?? false
        for trait in json["enrichment"]?.array ?? [] { enrichment.append(try TraitEnrichment(json: trait)) }
        for id in json["idSync"]?.array ?? [] { idSync.append(try IDSync(json: id)) }
    }
}

extension Computation {
    public var json: JSONValue {
        [
            "id": .string(id), "kind": .string(kind.rawValue), "level": .string(level.rawValue), "key": .string(key),
            "name": .string(name), "description": .string(description), "query": .string(query),
            "enabled": .bool(enabled),
            "options": [
                "includeHistoricalData": .bool(options.includeHistoricalData),
                "backfillEventDataDays": options.backfillEventDataDays.map { .number($0) } ?? .null,
                "filterByExternalIDs": .array(options.filterByExternalIDs.map { .string($0) }),
            ],
            "createdAt": createdAt.stored, "updatedAt": updatedAt.stored,
            "connections": .array(connections.map(\.json)),
            "deletedAt": deletedAt?.stored ?? .null,
        ]
    }

    public init(json: JSONValue) throws(DefinitionError) {
        guard let kind = Kind(rawValue: try json.text("kind")) else {
            throw DefinitionError("stored computation has an unknown kind")
        }
        let stored = json["options"]
        let options = Options(
            includeHistoricalData: stored?["includeHistoricalData"]?.bool ?? true,
            backfillEventDataDays: stored?["backfillEventDataDays"]?.integer,
            filterByExternalIDs: stored?["filterByExternalIDs"]?.array?.compactMap(\.string) ?? Options.identified)
        var connections: [Connection] = []
        for connection in json["connections"]?.array ?? [] { connections.append(try Connection(json: connection)) }
        self.init(
            id: try json.text("id"), kind: kind, level: Level(rawValue: json["level"]?.string ?? "") ?? .users,
            key: try json.text("key"), name: try json.text("name"), description: json["description"]?.string ?? "",
            query: try json.text("query"), enabled: json["enabled"]?.bool ?? true, options: options,
            createdAt: try json.instant("createdAt"), updatedAt: try json.instant("updatedAt"),
            connections: connections,
            deletedAt: json["deletedAt"]?.integer.map { Instant(milliseconds: Int64($0)) })
    }
}

extension Command {
    public var json: JSONValue {
        switch self {
        case .putSource(let source): ["command": "putSource", "source": source.json]
        case .deleteSource(let id): ["command": "deleteSource", "id": .string(id)]
        case .connectSource(let sourceID, let connection):
            ["command": "connectSource", "sourceID": .string(sourceID), "connection": connection.json]
        case .disconnectSource(let sourceID, let destinationID):
            [
                "command": "disconnectSource", "sourceID": .string(sourceID),
                "destinationID": .string(destinationID),
            ]
        case .putDestination(let destination): ["command": "putDestination", "destination": destination.json]
        case .deleteDestination(let id): ["command": "deleteDestination", "id": .string(id)]
        case .putComputation(let computation): ["command": "putComputation", "computation": computation.json]
        case .deleteComputation(let id): ["command": "deleteComputation", "id": .string(id)]
        case .connect(let computationID, let connection):
            ["command": "connect", "computationID": .string(computationID), "connection": connection.json]
        case .disconnect(let computationID, let destinationID):
            [
                "command": "disconnect", "computationID": .string(computationID),
                "destinationID": .string(destinationID),
            ]
        case .regulate(let regulation): ["command": "regulate", "regulation": regulation.json]
        case .finishRegulation(let id): ["command": "finishRegulation", "id": .string(id)]
        case .removeIdentifier(let identifier, let userID):
            [
                "command": "removeIdentifier", "collection": .string(identifier.collection.rawValue),
                "type": .string(identifier.type), "value": .string(identifier.value), "userID": .string(userID),
            ]
        case .setRetention(let rules): ["command": "setRetention", "rules": rules.json]
        case .expire(let floors): ["command": "expire", "floors": floors.json]
        }
    }

    public init(json: JSONValue) throws(DefinitionError) {
        let name = try json.text("command")
        switch name {
        case "putSource": self = .putSource(try Source(json: json["source"] ?? .null))
        case "deleteSource": self = .deleteSource(id: try json.text("id"))
        case "connectSource":
            self = .connectSource(
                sourceID: try json.text("sourceID"), try SourceConnection(json: json["connection"] ?? .null))
        case "disconnectSource":
            self = .disconnectSource(
                sourceID: try json.text("sourceID"), destinationID: try json.text("destinationID"))
        case "putDestination": self = .putDestination(try Destination(json: json["destination"] ?? .null))
        case "deleteDestination": self = .deleteDestination(id: try json.text("id"))
        case "putComputation": self = .putComputation(try Computation(json: json["computation"] ?? .null))
        case "deleteComputation": self = .deleteComputation(id: try json.text("id"))
        case "connect":
            self = .connect(
                computationID: try json.text("computationID"), try Connection(json: json["connection"] ?? .null))
        case "disconnect":
            self = .disconnect(
                computationID: try json.text("computationID"), destinationID: try json.text("destinationID"))
        case "regulate": self = .regulate(try Regulation(json: json["regulation"] ?? .null))
        case "finishRegulation": self = .finishRegulation(id: try json.text("id"))
        case "removeIdentifier":
            self = .removeIdentifier(
                Identifier(
                    collection: Identifier.Collection(rawValue: try json.text("collection")) ?? .users,
                    type: try json.text("type"), value: try json.text("value")),
                userID: try json.text("userID"))
        case "setRetention": self = .setRetention(try RetentionRules(json: json["rules"] ?? .null))
        case "expire": self = .expire(EventFloors(json: json["floors"] ?? .null))
        default: throw DefinitionError("the Log holds a command '\(name)' that this version does not know")
        }
    }
}

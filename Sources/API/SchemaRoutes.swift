import Engine
import History
import Hummingbird
import JSON
import Model
import Query

// What was seen so far: events, properties, traits and their values (spec: engage §6.4). Feeds the builder.

extension API {
    func addSchemaRoutes(to routes: RouteTable<some RequestContext>) {
        routes.getInSpace("/events") { try listEvents($0) }
        routes.getInSpace("/events/:event/properties") { try listProperties($0) }
        routes.getInSpace("/events/:event/properties/:path/sample-values") { try propertySamples($0) }
        routes.getInSpace("/traits") { try listTraits($0) }
        routes.getInSpace("/traits/:key/sample-values") { try traitSamples($0) }
    }

    private func listEvents(_ request: APIRequest) throws -> JSONValue {
        var events = engine.read { $0.history.eventCatalogue }
        if let search = request.query["search"]?.lowercased() {
            events = events.filter { $0.name.lowercased().contains(search) }
        }
        let (page, pagination) = try Paging(request.query).page(of: events)
        return [
            "events": .array(
                page.map { event in
                    [
                        "name": .string(event.name), "count": .number(event.count),
                        "firstSeenAt": .time(event.firstSeen), "lastSeenAt": .time(event.lastSeen),
                    ]
                }), "pagination": pagination,
        ]
    }

    private func event(_ request: APIRequest) throws -> EventCatalogueEntry {
        let name = request.parameter("event")
        guard let event = engine.read({ $0.history.eventCatalogue.first { $0.name == name } }) else {
            throw APIError(.notFound, "No event '\(name.prefixText)' was seen yet: names are case-sensitive.")
        }
        return event
    }

    private func listProperties(_ request: APIRequest) throws -> JSONValue {
        let event = try event(request)
        let paths = event.properties.map { ("PROPERTY", $0) } + event.context.map { ("CONTEXT", $0) }
        let (page, pagination) = try Paging(request.query).page(of: paths)
        return [
            "properties": .array(
                page.map { kind, path in
                    [
                        "name": .string(path.path), "kind": .string(kind), "type": .string(path.typeName),
                        "count": .number(path.count),
                    ]
                }), "pagination": pagination,
        ]
    }

    private func propertySamples(_ request: APIRequest) throws -> JSONValue {
        let event = try event(request)
        let name = request.parameter("path")
        let path = (event.properties + event.context).first { $0.path == name }
        return ["sampleValues": .array(path?.samples ?? [])]
    }

    private func listTraits(_ request: APIRequest) throws -> JSONValue {
        let (catalogue, computations) = engine.read { ($0.history.traitCatalogue, $0.computations) }
        let level: Computation.Level = request.query["collection"] == "accounts" ? .accounts : .users
        var traits: [JSONValue] = computations.filter { $0.definition.level == level }.map { view in
            let isAudience = view.definition.kind == .audience
            return [
                "key": .string(view.definition.key), "name": .string(view.definition.name),
                "class": isAudience ? "AUDIENCE" : "COMPUTED", "type": isAudience ? "boolean" : "any",
                "lastSeenAt": .null,
            ]
        }
        let computed = Set(computations.map(\.definition.key))
        for trait in catalogue where trait.count > 0 && !computed.contains(trait.key) {
            traits.append([
                "key": .string(trait.key), "name": .string(trait.key), "class": "CUSTOM",
                "type": .string(trait.paths.first { $0.path.isEmpty }?.typeName ?? "any"),
                "lastSeenAt": .time(trait.lastSeen),
            ])
        }
        let (page, pagination) = try Paging(request.query).page(of: traits)
        return ["traits": .array(Array(page)), "pagination": pagination]
    }

    private func traitSamples(_ request: APIRequest) throws -> JSONValue {
        let key = request.parameter("key")
        let trait = engine.read { $0.history.traitCatalogue.first { $0.key == key } }
        return ["sampleValues": .array(trait?.paths.first { $0.path.isEmpty }?.samples ?? [])]
    }

    /// What suggestions and hints are made from.
    static func catalogue(of engine: borrowing Engine) -> Catalogue {
        var catalogue = Catalogue()
        for event in engine.history.eventCatalogue where event.count > 0 {
            var properties: [String: Set<Catalogue.ValueKind>] = [:]
            for property in event.properties { properties[property.path] = property.kinds }
            catalogue.events[event.name] = properties
        }
        catalogue.retention = engine.retention.rules
        for trait in engine.history.traitCatalogue where trait.count > 0 {
            for path in trait.paths {
                catalogue.traits[path.path.isEmpty ? trait.key : "\(trait.key).\(path.path)"] = path.kinds
            }
        }
        for view in engine.computations {
            switch view.definition.kind {
            case .audience: catalogue.audienceKeys.insert(view.definition.key)
            case .trait: catalogue.traits[view.definition.key] = []
            }
        }
        return catalogue
    }
}

extension PathCatalogueEntry {
    /// The kinds of values that were seen; text counts as dates where every sample is one.
    var kinds: Set<Catalogue.ValueKind> {
        var kinds: Set<Catalogue.ValueKind> = []
        if types.contains(.boolean) { kinds.insert(.boolean) }
        if types.contains(.number) { kinds.insert(.number) }
        if types.contains(.string) { kinds.insert(isDate ? .date : .string) }
        if types.contains(.array) { kinds.insert(.list) }
        if types.contains(.object) { kinds.insert(.object) }
        return kinds
    }

    private var isDate: Bool {
        let texts = samples.compactMap(\.string)
        return !texts.isEmpty && texts.allSatisfy { Instant(iso8601: $0, zone: .required) != nil }
    }

    /// One word for the builder: the kind where there is one, `any` where there are several.
    var typeName: String {
        let kinds = kinds
        guard kinds.count == 1, let kind = kinds.first else { return "any" }
        return kind.rawValue
    }
}

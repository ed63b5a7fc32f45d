import Engine
import History
import JSON
import Model
import Query

// What a query text means and what is wrong with it: for the console's editor and for scripts.

extension API {
    func checkQuery(_ request: APIRequest) throws -> JSONValue {
        var fields = request.fields
        let builder = fields.value("builder")
        let text = try fields.string("query", maximumLength: 50_000)
        let typeText = try fields.string("type") ?? "AUDIENCE"
        let levelText = try fields.string("audienceType") ?? "USERS"
        let key = try fields.string("key", maximumLength: 255)
        try fields.finish()
        guard let kind = ["AUDIENCE": Computation.Kind.audience, "COMPUTED_TRAIT": .trait][typeText] else {
            throw APIError(.validation, field: "type", "'type' must be AUDIENCE or COMPUTED_TRAIT.")
        }
        guard let level = Computation.Level(rawValue: levelText) else {
            throw APIError(.validation, field: "audienceType", "'audienceType' must be USERS or ACCOUNTS.")
        }
        let query: String
        if let text {
            query = text
        } else if let builder {
            query = try builderText(builder, kind: kind)
        } else {
            throw APIError(.validation, field: "query", "'query' is missing: send 'query' or 'builder'.")
        }
        return ["check": check(query, kind: kind, level: level, key: key)]
    }

    private func check(_ query: String, kind: Computation.Kind, level: Computation.Level, key: String?) -> JSONValue {
        let definition: Definition
        do {
            definition = try Definition.compile(query, kind: kind, level: level)
        } catch {
            return ["valid": false, "query": .string(query), "errors": error.json]
        }
        let dependencies = definition.dependencies
        if let key {
            let graph = engine.read { $0.traitKeysByKey }
            if let circle = DependencyGraph.cycle(adding: key, reading: dependencies.traitKeys, to: graph) {
                let message =
                    "this would make a circle: \(circle.joined(separator: " → ")); nothing can depend on itself"
                return ["valid": false, "query": .string(query), "errors": [["message": .string(message)]]]
            }
        }
        let (catalogue, computations) = engine.read { engine in (API.catalogue(of: engine), engine.computations) }
        let hints = definition.hints(catalogue, level: level)
        let audiences = Set(computations.filter { $0.definition.kind == .audience }.map(\.definition.key))
        let (builder, reason) = API.builder(for: definition, audienceKeys: audiences)
        let keys = dependencies.traitKeys.sorted()
        return [
            "valid": true, "query": .string(definition.text), "errors": [],
            "hints": .array(hints.map(\.json)),
            "builder": builder ?? .null, "builderReason": .string(orNull: reason),
            "dependencies": [
                "events": .array(dependencies.events.keys.sorted().map { .string($0) }),
                "traits": .array(keys.filter { !audiences.contains($0) }.map { .string($0) }),
                "audiences": .array(keys.filter { audiences.contains($0) }.map { .string($0) }),
            ],
            "realTime": ["type": "REALTIME", "explanation": .string(definition.segmentCadence(level: level).text)],
        ]
    }

    /// The builder's form of a definition, or why it has none.
    private static func builder(for definition: Definition, audienceKeys: Set<String>) -> (JSONValue?, String?) {
        do {
            switch definition {
            case .audience:
                return (try BuilderQuery(definition, isAudience: audienceKeys.contains).json, nil)
            case .trait: return (try BuilderTrait(definition).json, nil)
            }
        } catch {
            return (nil, error.description)
        }
    }

    /// The text that a builder's state means.
    private func builderText(_ builder: JSONValue, kind: Computation.Kind) throws -> String {
        do {
            switch kind {
            case .audience: return try BuilderQuery(json: builder).definition().text
            case .trait: return try BuilderTrait(json: builder).definition.text
            }
        } catch {
            throw APIError(.validation, field: "builder", "\(error.description).")
        }
    }
}

public import JSON

/// A source connected straight to a destination: its calls are passed on as they come, beside whatever audiences and
/// traits send. What it was told before the connection is not told again.
public struct SourceConnection: Sendable, Hashable {
    public var destinationID: String
    public var enabled: Bool
    /// Each call is passed on once per mapping that takes it, in this order.
    public var mappings: [SourceMapping]

    public init(destinationID: String, enabled: Bool = true, mappings: [SourceMapping] = []) {
        self.destinationID = destinationID
        self.enabled = enabled
        self.mappings = mappings
    }
}

/// Which calls of a source become what at the destination: a preset of the destination's kind with what people changed.
/// It stands in the Log whole, so that a later version with other presets replays the same.
public struct SourceMapping: Sendable, Hashable {
    /// Names it among the mappings of its connection: the preset's name, or for triggers, of which there may be many, an id
    /// of its own.
    public var id: String
    /// The preset's name: `track_calls`.
    public var preset: String
    /// How people call it; empty: like its preset.
    public var title: String
    public var enabled: Bool
    public var calls: [Call.Kind]
    /// Of track calls, only events of these names, compared exactly; empty: all.
    public var events: [String]
    /// Of track calls, no events of these names.
    public var otherThan: [String]
    /// Only calls of which this holds: a condition of the query language over one event; `nil`: all.
    public var condition: String?
    /// What the destination's adapter is to do with them: its own words, handed on as the payload's member `mapping`.
    public var options: JSONObject

    public init(
        preset: String, id: String? = nil, title: String = "", enabled: Bool = true, calls: [Call.Kind],
        events: [String] = [], otherThan: [String] = [], condition: String? = nil, options: JSONObject = [:]
    ) {
        self.id = id ?? preset
        self.preset = preset
        self.title = title
        self.enabled = enabled
        self.calls = calls
        self.events = events
        self.otherThan = otherThan
        self.condition = condition
        self.options = options
    }

    /// Whether it is a trigger: one of any number, with an event filter of its own.
    public var isTrigger: Bool { id != preset }

    /// Whether the mapping takes calls like this one, as far as kind and name go; the rest is the condition's.
    public func takes(_ kind: Call.Kind, event: String?) -> Bool {
        guard enabled, calls.contains(kind) else { return false }
        guard kind == .track else { return true }
        let name = event ?? ""
        return (events.isEmpty || events.contains(name)) && !otherThan.contains(name)
    }
}

extension SourceConnection {
    public var json: JSONValue {
        [
            "destinationID": .string(destinationID), "enabled": .bool(enabled),
            "mappings": .array(mappings.map(\.json)),
        ]
    }

    public init(json: JSONValue) throws(DefinitionError) {
        self.init(destinationID: try json.text("destinationID"), enabled: json["enabled"]?.bool ?? true)
        for mapping in json["mappings"]?.array ?? [] { mappings.append(try SourceMapping(json: mapping)) }
    }
}

extension SourceMapping {
    public var json: JSONValue {
        var object: JSONObject = [
            "preset": .string(preset), "enabled": .bool(enabled), "calls": .array(calls.map { .string($0.name) }),
            "events": .array(events.map { .string($0) }), "otherThan": .array(otherThan.map { .string($0) }),
            "options": .object(options),
        ]
        if isTrigger { object["id"] = .string(id) }
        if !title.isEmpty { object["title"] = .string(title) }
        if let condition { object["condition"] = .string(condition) }
        return .object(object)
    }

    public init(json: JSONValue) throws(DefinitionError) {
        func texts(_ key: String) -> [String] { json[key]?.array?.compactMap(\.string) ?? [] }
        self.init(
            preset: try json.text("preset"), id: json["id"]?.string, title: json["title"]?.string ?? "",
            enabled: json["enabled"]?.bool ?? true,
            calls: texts("calls").compactMap { name in Call.Kind.allCases.first { $0.name == name } },
            events: texts("events"), otherThan: texts("otherThan"), condition: json["condition"]?.string,
            options: json["options"]?.object ?? [:])
    }
}

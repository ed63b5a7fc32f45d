public import JSON
public import Model

/// A ready-made mapping of a source's calls that a kind of destination offers (spec: braze-destination §12.1). People
/// switch presets on and off per connection and change some of their options; there is no language for mappings of
/// one's own.
public struct MappingPreset: Sendable, Hashable {
    /// How it is named in requests and stored connections: `track_calls`.
    public var name: String
    /// How people see it: `Track Calls`.
    public var title: String
    /// What becomes of the calls, in a sentence.
    public var explanation: String
    public var calls: [Call.Kind]
    /// Of track calls, only events of these names.
    public var events: [String]
    /// Of track calls, never events of these names.
    public var otherThan: [String]
    /// Leaves alone the events that other presets of the connection take by name.
    public var takesTheRest: Bool
    public var isOnAtFirst: Bool
    /// What the adapter is told with every call: the action, and defaults of options.
    public var options: JSONObject
    /// Options that people may change.
    public var settings: [Setting]

    public struct Setting: Sendable, Hashable {
        public enum Control: Sendable, Hashable {
            case text
            case flag
            case choice([String])
            /// An object of texts, such as names by names.
            case table
            /// A JSON object as it is.
            case object
        }

        public var key: String
        public var label: String
        public var hint: String
        public var control: Control
        public var isRequired: Bool

        public init(key: String, label: String, hint: String, control: Control, isRequired: Bool = false) {
            self.isRequired = isRequired
            self.key = key
            self.label = label
            self.hint = hint
            self.control = control
        }
    }

    public init(
        name: String, title: String, explanation: String, calls: [Call.Kind], events: [String] = [],
        otherThan: [String] = [], takesTheRest: Bool = false, isOnAtFirst: Bool, options: JSONObject = [:],
        settings: [Setting] = []
    ) {
        self.name = name
        self.title = title
        self.explanation = explanation
        self.calls = calls
        self.events = events
        self.otherThan = otherThan
        self.takesTheRest = takesTheRest
        self.isOnAtFirst = isOnAtFirst
        self.options = options
        self.settings = settings
    }
}

/// What people say about one preset of a connection.
public struct PresetChoice: Sendable, Hashable {
    /// `nil`: as it stands.
    public var enabled: Bool?
    /// Options to change; null brings a default back.
    public var options: JSONObject

    public init(enabled: Bool? = nil, options: JSONObject = [:]) {
        self.enabled = enabled
        self.options = options
    }
}

/// What people say about one trigger of a connection.
public struct TriggerChoice: Sendable, Hashable {
    /// Told apart by it, in message ids too: never given again.
    public var id: String
    /// One of the adapter's `triggers`.
    public var kind: String
    public var title: String
    public var enabled: Bool
    /// Names of events; empty: all.
    public var events: [String]
    /// In the query language, checked (`Condition.ofOneEvent`).
    public var condition: String?
    public var options: JSONObject

    /// The members that are no options.
    public static let members = ["id", "kind", "name", "enabled", "events", "condition"]

    public init(
        id: String, kind: String, title: String = "", enabled: Bool = true, events: [String] = [],
        condition: String? = nil, options: JSONObject = [:]
    ) {
        self.id = id
        self.kind = kind
        self.title = title
        self.enabled = enabled
        self.events = events
        self.condition = condition
        self.options = options
    }
}

/// An option that a preset can't take.
public struct PresetError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Dotted: `presets.track_calls.renameEvents`.
    public let field: String
    public let message: String

    public var description: String { "'\(field)' \(message)" }
}

extension MappingPreset {
    /// The mappings of a connection: presets in their order, with what was chosen over what stood there before.
    public static func mappings(
        _ presets: [MappingPreset], choices: [(name: String, choice: PresetChoice)], over old: [SourceMapping] = []
    ) throws(PresetError) -> [SourceMapping] {
        for (name, _) in choices where !presets.contains(where: { $0.name == name }) {
            let known = presets.map { "'\($0.name)'" }.joined(separator: ", ")
            throw PresetError(
                field: "presets.\(name)", message: "is no preset of this destination. Possible: \(known).")
        }
        var mappings: [SourceMapping] = []
        for preset in presets {
            let before = old.first { $0.preset == preset.name }
            var mapping = SourceMapping(
                preset: preset.name, enabled: before?.enabled ?? preset.isOnAtFirst, calls: preset.calls,
                events: preset.events, otherThan: preset.otherThan, options: preset.options)
            for setting in preset.settings {
                if let value = before?.options[setting.key] { mapping.options[setting.key] = value }
            }
            for (name, choice) in choices where name == preset.name {
                mapping.enabled = choice.enabled ?? mapping.enabled
                for (key, value) in choice.options.members {
                    try preset.check(key, value)
                    mapping.options[key] = value.isNull ? preset.options[key] : value
                }
            }
            mappings.append(mapping)
        }
        mappings += old.filter(\.isTrigger)
        let taken = mappings.filter { $0.enabled && !$0.isTrigger }.flatMap(\.events)
        for index in presets.indices where presets[index].takesTheRest {
            for event in taken where !mappings[index].otherThan.contains(event) {
                mappings[index].otherThan.append(event)
            }
        }
        return mappings
    }

    /// The triggers of a connection, in the order in which they were given.
    public static func triggers(
        _ kinds: [MappingPreset], _ choices: [TriggerChoice]
    ) throws(PresetError) -> [SourceMapping] {
        var mappings: [SourceMapping] = []
        for (index, choice) in choices.enumerated() {
            let place = "triggers[\(index)]"
            guard let kind = kinds.first(where: { $0.name == choice.kind }) else {
                let known = kinds.map { "'\($0.name)'" }.joined(separator: ", ")
                throw PresetError(
                    field: "\(place).kind",
                    message: known.isEmpty
                        ? "can't be: this destination has no triggers." : "must be one of \(known).")
            }
            guard !mappings.contains(where: { $0.id == choice.id }) else {
                throw PresetError(field: "\(place).id", message: "is another trigger's: leave it out for a new one.")
            }
            var mapping = SourceMapping(
                preset: kind.name, id: choice.id, title: choice.title, enabled: choice.enabled, calls: kind.calls,
                events: choice.events, condition: choice.condition, options: kind.options)
            for (key, value) in choice.options.members {
                try kind.check(key, value, at: place)
                mapping.options[key] = value.isNull ? kind.options[key] : value
            }
            for setting in kind.settings where setting.isRequired && mapping.options[setting.key] == nil {
                throw PresetError(field: "\(place).\(setting.key)", message: "is missing. \(setting.hint)")
            }
            mappings.append(mapping)
        }
        return mappings
    }

    private func check(_ key: String, _ value: JSONValue, at place: String? = nil) throws(PresetError) {
        let field = "\(place ?? "presets.\(name)").\(key)"
        guard let setting = settings.first(where: { $0.key == key }) else {
            let known = ((place == nil ? ["enabled"] : TriggerChoice.members) + settings.map(\.key)).map { "'\($0)'" }
                .joined(separator: ", ")
            throw PresetError(field: field, message: "is not known here. Possible: \(known).")
        }
        if value.isNull { return }
        switch setting.control {
        case .text:
            guard let text = value.string, !text.isEmpty, text.utf8.count <= 1000 else {
                throw PresetError(field: field, message: "must be a text of at most 1000 bytes.")
            }
        case .flag:
            guard value.bool != nil else { throw PresetError(field: field, message: "must be true or false.") }
        case .choice(let choices):
            guard let text = value.string, choices.contains(text) else {
                let known = choices.map { "'\($0)'" }.joined(separator: ", ")
                throw PresetError(field: field, message: "must be one of \(known).")
            }
        case .object:
            guard let object = value.object, !object.isEmpty, value.utf8.count <= 10_000 else {
                throw PresetError(field: field, message: "must be a JSON object of at most 10,000 bytes.")
            }
        case .table:
            guard let object = value.object, object.count <= 100,
                object.members.allSatisfy({ $0.value.string.map { !$0.isEmpty && $0.utf8.count <= 1000 } ?? false })
            else {
                throw PresetError(field: field, message: "must be an object of at most 100 texts.")
            }
        }
    }
}

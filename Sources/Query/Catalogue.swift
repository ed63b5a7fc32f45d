public import Model

/// What an installation has seen and defined so far: what suggestions and hints are made from.
public struct Catalogue: Sendable, Hashable {
    /// Kinds of values that properties and traits have had.
    public enum ValueKind: String, Sendable, Hashable, CaseIterable {
        case number
        case string
        case boolean
        /// Text that reads as an ISO 8601 date or timestamp.
        case date
        case list
        case object

        /// The kind in words.
        public var text: String {
            switch self {
            case .number: "a number"
            case .string: "text"
            case .boolean: "true or false"
            case .date: "a date"
            case .list: "a list"
            case .object: "an object"
            }
        }
    }

    /// Per event name its properties, as dotted paths (`PropertyPath.text`), with the kinds of their values.
    public var events: [String: [String: Set<ValueKind>]]
    /// Custom and computed traits, as dotted paths, with the kinds of their values.
    public var traits: [String: Set<ValueKind>]
    /// The keys of existing audiences.
    public var audienceKeys: Set<String>
    /// The keys of deleted audiences: destinations may still hold their members.
    public var retiredKeys: Set<String>
    /// How far back stored events reach; `nil` = unknown.
    public var history: Instant.Span?
    /// How long events are kept.
    public var retention: RetentionRules

    public init(
        events: [String: [String: Set<ValueKind>]] = [:], traits: [String: Set<ValueKind>] = [:],
        audienceKeys: Set<String> = [], retiredKeys: Set<String> = [], history: Instant.Span? = nil,
        retention: RetentionRules = RetentionRules()
    ) {
        self.events = events
        self.traits = traits
        self.audienceKeys = audienceKeys
        self.retiredKeys = retiredKeys
        self.history = history
        self.retention = retention
    }

    // MARK: Suggestions

    /// The known event whose name is most like this one, if there is one that could be meant.
    public func nearestEvent(to name: String) -> String? {
        Vocabulary.nearest(to: name, among: events.keys.sorted())
    }

    /// The property of the event whose path is most like this one.
    public func nearestProperty(to path: String, of event: String) -> String? {
        Vocabulary.nearest(to: path, among: events[event, default: [:]].keys.sorted())
    }

    /// The trait or audience key most like this one.
    public func nearestTrait(to key: String) -> String? {
        Vocabulary.nearest(to: key, among: (Array(traits.keys) + Array(audienceKeys)).sorted())
    }

    /// Why a new audience or trait had better not get this key; `nil` if nothing speaks against it
    /// (spec: engage §2.10).
    public func objection(toNewKey key: String) -> String? {
        if audienceKeys.contains(key) { return "the key '\(key)' belongs to an existing audience" }
        if retiredKeys.contains(key) {
            return "the key '\(key)' belonged to a deleted audience; destinations can't tell its members from new ones"
        }
        if traits[key] != nil { return "profiles have a trait '\(key)' already; its values would be replaced" }
        return nil
    }

    // MARK: Look-up

    /// The kinds that the values at a path have had; `nil` if the path was never seen, empty if the kinds are unknown.
    static func kinds(_ path: PropertyPath, in seen: [String: Set<ValueKind>]) -> Set<ValueKind>? {
        if let kinds = seen[path.text] { return kinds }
        if let elements = path.components.firstIndex(of: .elements), elements > 0 {
            let list = PropertyPath(Array(path.components[..<elements])).text
            return seen[list] == nil ? nil : []
        }
        let prefix = path.text + "."
        return seen.keys.contains { $0.hasPrefix(prefix) } ? [.object] : nil
    }
}

public import JSON

// What connections of audiences and traits can change beside the names of events (spec: engage §7.6, §7.7).

/// A trait of the person that goes along with every call of a connection.
public struct TraitEnrichment: Sendable, Hashable {
    /// The key of a custom trait, computed trait or audience.
    public var trait: String
    /// Its name among the call's traits or properties.
    public var name: String

    public init(trait: String, name: String? = nil) {
        self.trait = trait
        self.name = name ?? trait
    }
}

/// Which values of one type of id are sent, and under which name.
public struct IDSync: Sendable, Hashable {
    public enum Strategy: String, Sendable, Hashable, CaseIterable {
        case first
        case last
        case all
    }

    /// The type of id: `user_id`, `email`, or one of the installation's own.
    public var externalID: String
    public var strategy: Strategy
    /// Where the values go: `user_id`, `email` and `anonymous_id` take the place of those ids, any other name is a
    /// trait or property.
    public var mapTo: String

    public init(externalID: String, strategy: Strategy, mapTo: String? = nil) {
        self.externalID = externalID
        self.strategy = strategy
        self.mapTo = mapTo ?? externalID
    }

    /// Ids that a connection may name at most (spec: engage §6.3).
    public static let countMax = 5
}

extension TraitEnrichment {
    public var json: JSONValue { ["trait": .string(trait), "name": .string(name)] }

    public init(json: JSONValue) throws(DefinitionError) {
        self.init(trait: try json.text("trait"), name: json["name"]?.string)
    }
}

extension IDSync {
    public var json: JSONValue {
        ["externalID": .string(externalID), "strategy": .string(strategy.rawValue), "mapTo": .string(mapTo)]
    }

    public init(json: JSONValue) throws(DefinitionError) {
        self.init(
            externalID: try json.text("externalID"),
            strategy: Strategy(rawValue: json["strategy"]?.string ?? "") ?? .all, mapTo: json["mapTo"]?.string)
    }
}

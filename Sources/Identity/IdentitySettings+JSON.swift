public import JSON
import Model

/// Why identity settings are refused.
public struct IdentitySettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

extension IdentitySettings {
    /// How many types of id an installation can have. Types arrive with calls, so something must bound them.
    public static let maximumTypes = 100

    /// Checks what the type system can't: names, limits, patterns, repetitions.
    public func validate() throws(IdentitySettingsError) {
        guard rules.count <= Self.maximumTypes else {
            throw IdentitySettingsError(
                "there are \(rules.count) types of id; at most \(Self.maximumTypes) are allowed")
        }
        var seen = Set<String>()
        for rule in rules {
            let name = "\(rule.collection.rawValue) \(rule.type)"
            guard Self.isTypeName(rule.type) else {
                throw IdentitySettingsError(
                    "'\(rule.type)' is no name for a type of id: 1 to 100 characters, lower case, without ':'")
            }
            guard seen.insert(name).inserted else { throw IdentitySettingsError("'\(name)' is listed twice") }
            guard rule.limit >= 1 else { throw IdentitySettingsError("the limit of '\(name)' must be at least 1") }
            if let own = BuiltInType(name: rule.type)?.collection, own != rule.collection {
                throw IdentitySettingsError("'\(rule.type)' belongs to \(own.rawValue)")
            }
            for case .pattern(let text) in rule.blocked {
                do {
                    _ = try BlockedPattern(text)
                } catch {
                    throw IdentitySettingsError("blocked pattern '\(text)' of '\(name)': \(error)")
                }
            }
        }
    }

    /// Whether ids can be looked up by it: `type:value` is split at the first colon, and `segment_id` is taken.
    static func isTypeName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 100 && name != "segment_id"
            && !name.utf8.contains(UInt8(ascii: ":")) && name == name.lowercased()
    }

    public var json: JSONValue {
        [
            "rules": .array(rules.map(\.json)), "order": .array(order.map { .string($0) }),
            "promotesPropertiesEmail": .bool(promotesPropertiesEmail),
            "createsTraitsFromContext": .bool(createsTraitsFromContext),
        ]
    }

    /// A missing member takes its default; the result is validated.
    public init(json: JSONValue) throws(IdentitySettingsError) {
        self.init()
        guard json.object != nil else { throw IdentitySettingsError("identity settings must be an object") }
        if let stored = json["rules"]?.array {
            rules = []
            for rule in stored { rules.append(try Rule(json: rule)) }
        }
        if let stored = json["order"]?.array { order = stored.compactMap(\.string) }
        promotesPropertiesEmail = json["promotesPropertiesEmail"]?.bool ?? promotesPropertiesEmail
        createsTraitsFromContext = json["createsTraitsFromContext"]?.bool ?? createsTraitsFromContext
        try validate()
    }
}

extension IdentitySettings.Rule {
    public var json: JSONValue {
        [
            "collection": .string(collection.rawValue), "type": .string(type), "limit": .number(limit),
            "window": .string(window.rawValue), "blocked": .array(blocked.map(\.json)),
            "readsTraits": .bool(readsTraits),
        ]
    }

    public init(json: JSONValue) throws(IdentitySettingsError) {
        guard let type = json["type"]?.string else { throw IdentitySettingsError("a rule lacks its 'type'") }
        self.init(type: type)
        if let name = json["collection"]?.string {
            guard let collection = Identifier.Collection(rawValue: name) else {
                throw IdentitySettingsError("'\(name)' is no collection; use users or accounts")
            }
            self.collection = collection
        }
        if let name = json["window"]?.string {
            guard let window = IdentitySettings.Window(rawValue: name) else {
                let known = IdentitySettings.Window.allCases.map(\.rawValue).joined(separator: ", ")
                throw IdentitySettingsError("'\(name)' is no window; use one of \(known)")
            }
            self.window = window
        }
        if let stored = json["blocked"]?.array {
            blocked = []
            for value in stored { blocked.append(try IdentitySettings.BlockedValue(json: value)) }
        }
        limit = json["limit"]?.integer ?? limit
        readsTraits = json["readsTraits"]?.bool ?? readsTraits
    }
}

extension IdentitySettings.BlockedValue {
    public var json: JSONValue {
        switch self {
        case .exact(let text): ["exact": .string(text)]
        case .pattern(let text): ["pattern": .string(text)]
        }
    }

    public init(json: JSONValue) throws(IdentitySettingsError) {
        if let text = json["exact"]?.string {
            self = .exact(text)
        } else if let text = json["pattern"]?.string {
            self = .pattern(text)
        } else {
            throw IdentitySettingsError("a blocked value must be {\"exact\": …} or {\"pattern\": …}")
        }
    }
}

public import Model

/// The types of id that Muster knows where to find (spec: collection §4.2). Raw values are indexes of the type table.
enum BuiltInType: UInt16, CaseIterable {
    case userID
    case email
    case anonymousID
    case groupID
    case androidID
    case androidIDFA
    case androidPushToken
    case iosID
    case iosIDFA
    case iosPushToken
    case gaClientID
    case crossDomainID
    case brazeID

    var name: String {
        switch self {
        case .userID: "user_id"
        case .email: "email"
        case .anonymousID: "anonymous_id"
        case .groupID: "group_id"
        case .androidID: "android.id"
        case .androidIDFA: "android.idfa"
        case .androidPushToken: "android.push_token"
        case .iosID: "ios.id"
        case .iosIDFA: "ios.idfa"
        case .iosPushToken: "ios.push_token"
        case .gaClientID: "ga_client_id"
        case .crossDomainID: "cross_domain_id"
        case .brazeID: "braze_id"
        }
    }

    var collection: Identifier.Collection { self == .groupID ? .accounts : .users }

    init?(name: String) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }
}

/// Types of id as small numbers, with their rules ready for use. Numbers are given once and stay, whatever becomes of
/// the rule: mapped ids refer to them.
final class TypeTable {
    struct Rule: Sendable {
        /// From 1, the highest priority, within the collection.
        let rank: Int
        let limit: Int
        /// Milliseconds; `nil` for ever.
        let window: Int64?
        let blocked: BlockedMatcher
    }

    struct Name: Sendable, Hashable {
        let collection: Identifier.Collection
        let type: String
    }

    private(set) var names: [Name] = []
    /// By number; `nil` where the type is not configured.
    private(set) var rules: [Rule?] = []
    /// Keys of traits and properties that hold ids of custom types, in both spellings (spec §4.2).
    private(set) var traitKeys: [String: UInt16] = [:]
    private(set) var settings: IdentitySettings
    private var numbers: [Name: UInt16] = [:]

    init(_ settings: IdentitySettings) {
        self.settings = settings
        for type in BuiltInType.allCases { _ = number(of: Name(collection: type.collection, type: type.name)) }
        apply(settings)
    }

    /// The number of a type, given now if need be.
    func number(of name: Name) -> UInt16 {
        if let number = numbers[name] { return number }
        let number = UInt16(names.count)
        names.append(name)
        rules.append(nil)
        numbers[name] = number
        return number
    }

    func knownNumber(of collection: Identifier.Collection, _ type: String) -> UInt16? {
        numbers[Name(collection: collection, type: type)]
    }

    func rule(_ type: UInt16) -> Rule? { rules[Int(type)] }

    func identifier(_ type: UInt16, _ value: String) -> Identifier {
        Identifier(collection: names[Int(type)].collection, type: names[Int(type)].type, value: value)
    }

    func apply(_ settings: IdentitySettings) {
        self.settings = settings
        for index in rules.indices { rules[index] = nil }
        traitKeys = [:]
        for collection in Identifier.Collection.allCases {
            for (index, rule) in settings.ranked(collection).enumerated() {
                let number = number(of: Name(collection: collection, type: rule.type))
                rules[Int(number)] = Rule(
                    rank: index + 1, limit: rule.limit, window: rule.window.span?.milliseconds,
                    blocked: BlockedMatcher(rule.blocked))
                guard collection == .users, rule.readsTraits, BuiltInType(name: rule.type) == nil else { continue }
                traitKeys[rule.type] = number
                traitKeys[rule.type.camelCased] = number
            }
        }
    }
}

extension IdentitySettings {
    /// Rules of one collection, highest priority first: those ordered by hand, then the others by name (spec §4.3).
    /// An account's own `group_id` comes before the others.
    public func ranked(_ collection: Identifier.Collection) -> [Rule] {
        func position(_ rule: Rule) -> Int {
            if let place = order.firstIndex(of: rule.type) { return place }
            return rule.type == BuiltInType.groupID.name ? order.count : order.count + 1
        }
        func comes(_ left: Rule, before right: Rule) -> Bool {
            let (first, second) = (position(left), position(right))
            return first != second ? first < second : left.type.utf8.lexicographicallyPrecedes(right.type.utf8)
        }
        return rules.filter { $0.collection == collection }.sorted(by: comes)
    }
}

extension String {
    /// `app_id` as `appId`.
    fileprivate var camelCased: String {
        var result = ""
        var raises = false
        for character in self {
            if character == "_" {
                raises = !result.isEmpty
            } else {
                result += raises ? character.uppercased() : String(character)
                raises = false
            }
        }
        return result
    }
}

/// The blocked values of one type.
struct BlockedMatcher: Sendable {
    private let exact: [String]
    private let patterns: [BlockedPattern]

    /// A pattern that does not compile matches nothing; `IdentitySettings.validate` refuses it beforehand.
    init(_ values: [IdentitySettings.BlockedValue]) {
        exact = values.compactMap { if case .exact(let text) = $0 { text } else { nil } }
        patterns = values.compactMap { if case .pattern(let text) = $0 { try? BlockedPattern(text) } else { nil } }
    }

    func matches(_ value: String) -> Bool {
        exact.contains { $0.hasSameBytes(as: value) } || patterns.contains { $0.matches(value) }
    }
}

extension String {
    /// Ids are bytes: two spellings that Unicode takes for the same text are two ids.
    func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    func precedesInBytes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}

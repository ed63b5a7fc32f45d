import JSON
public import Model

/// The rules by which ids make profiles (spec: collection §4.2–4.4). Changes apply to later calls only.
public struct IdentitySettings: Sendable, Hashable {
    /// What is known of one type of id.
    public struct Rule: Sendable, Hashable {
        public var collection: Identifier.Collection
        /// Lower-case.
        public var type: String
        /// How many values of the type one profile may get within the window; at least 1.
        public var limit: Int
        public var window: Window
        public var blocked: [BlockedValue]
        /// Whether a custom type is looked for in traits and properties. Off for types that first arrived in
        /// `context.externalIds`: otherwise anyone with a write key could turn `traits.name` into an id.
        public var readsTraits: Bool

        public init(
            collection: Identifier.Collection = .users, type: String, limit: Int = 5, window: Window = .ever,
            blocked: [BlockedValue] = BlockedValue.suggested, readsTraits: Bool = true
        ) {
            self.collection = collection
            self.type = type
            self.limit = limit
            self.window = window
            self.blocked = blocked
            self.readsTraits = readsTraits
        }
    }

    /// How far back mappings count towards a limit (spec §4.3): sliding, up to and including the bound.
    public enum Window: String, Sendable, Hashable, CaseIterable {
        case daily, weekly, monthly, annually, ever

        /// `nil` for ever.
        public var span: Instant.Span? {
            switch self {
            case .daily: .days(1)
            case .weekly: .days(7)
            case .monthly: .days(30)
            case .annually: .days(365)
            case .ever: nil
            }
        }
    }

    /// A value that is never taken as an id (spec §4.4).
    public enum BlockedValue: Sendable, Hashable {
        /// Case-sensitive, compared with the normalised value.
        case exact(String)
        /// Found anywhere unless the expression is anchored. Checked by an engine whose time is bounded by
        /// (length of value × length of expression).
        case pattern(String)

        public static let suggested: [BlockedValue] = [
            .pattern("^[0-]*$"), .exact("-1"), .exact("null"), .exact("anonymous"),
        ]
    }

    /// In no particular order; one per collection and type.
    public var rules: [Rule]
    /// Types ordered by hand, highest priority first. All others follow, alphabetically.
    public var order: [String]
    /// Whether `properties.email` is an e-mail address of the person (spec §4.2).
    public var promotesPropertiesEmail: Bool
    /// Whether `context.traits` make traits on profiles; ids are read from it in any case (spec §4.8).
    public var createsTraitsFromContext: Bool

    public init(
        rules: [Rule] = Rule.standard, order: [String] = ["user_id", "email"], promotesPropertiesEmail: Bool = true,
        createsTraitsFromContext: Bool = false
    ) {
        self.rules = rules
        self.order = order
        self.promotesPropertiesEmail = promotesPropertiesEmail
        self.createsTraitsFromContext = createsTraitsFromContext
    }

    /// The defaults of the spec: eleven types, `user_id` once ever, all others five ever.
    public static let standard = IdentitySettings()
}

extension IdentitySettings.Rule {
    /// The eleven types of a new installation (spec §4.2).
    public static let standard: [IdentitySettings.Rule] = [
        .init(type: "user_id", limit: 1), .init(type: "email"), .init(type: "anonymous_id"),
        .init(collection: .accounts, type: "group_id"), .init(type: "android.id"), .init(type: "android.idfa"),
        .init(type: "android.push_token"), .init(type: "ios.id"), .init(type: "ios.idfa"),
        .init(type: "ios.push_token"), .init(type: "ga_client_id"),
    ]
}

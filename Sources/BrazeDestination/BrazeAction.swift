import JSON

/// What can be done with a call (spec: braze-destination §4–§9, §15).
enum BrazeAction: String, CaseIterable {
    case updateProfile = "update_profile"
    case trackEvent = "track_event"
    case trackPurchase = "track_purchase"
    case ecommerce
    case groupAttribute = "group_attribute"
    case createAlias = "create_alias"
    case identifyUser = "identify_user"
    case mergeUsers = "merge_users"
    case deleteUser = "delete_user"
    case setSubscription = "set_subscription"
    case triggerCampaign = "trigger_campaign"
    case triggerCanvas = "trigger_canvas"
}

/// Where objects go: the arrays of `/users/track`, in the order in which Braze applies them (braze §1.7), and those of
/// the endpoints that take one array each.
enum BrazeArray: String, CaseIterable {
    case attributes
    case events
    case purchases
    case userAliases = "user_aliases"
    case aliasesToIdentify = "aliases_to_identify"
    /// The same with `merge_behavior`, which holds for a whole request.
    case aliasesToMerge = "aliases_to_identify:merge"
    case aliasesNotToMerge = "aliases_to_identify:none"
    case mergeUpdates = "merge_updates"
    case externalIDs = "external_ids"
    case subscriptionGroups = "subscription_groups"
    /// Not arrays: a request is one object that says which message goes to whom.
    case campaignTrigger = "campaign_trigger"
    case canvasTrigger = "canvas_trigger"

    static let ofTrack: [BrazeArray] = [.attributes, .events, .purchases]

    var path: String {
        switch self {
        case .attributes, .events, .purchases: "/users/track"
        case .userAliases: "/users/alias/new"
        case .aliasesToIdentify, .aliasesToMerge, .aliasesNotToMerge: "/users/identify"
        case .mergeUpdates: "/users/merge"
        case .externalIDs: "/users/delete"
        case .subscriptionGroups: "/v2/subscription/status/set"
        case .campaignTrigger: "/campaigns/trigger/send"
        case .canvasTrigger: "/canvas/trigger/send"
        }
    }

    /// The array's name in a body.
    var member: String {
        switch self {
        case .aliasesToMerge, .aliasesNotToMerge: Self.aliasesToIdentify.rawValue
        default: rawValue
        }
    }

    var mergeBehavior: String? {
        switch self {
        case .aliasesToMerge: "merge"
        case .aliasesNotToMerge: "none"
        default: nil
        }
    }

    /// The permission that the key needs.
    var permission: String {
        switch self {
        case .attributes, .events, .purchases: "users.track"
        case .userAliases: "users.alias.new"
        case .aliasesToIdentify, .aliasesToMerge, .aliasesNotToMerge: "users.identify"
        case .mergeUpdates: "users.merge"
        case .externalIDs: "users.delete"
        case .subscriptionGroups: "subscription.status.set"
        case .campaignTrigger: "campaigns.trigger.send"
        case .canvasTrigger: "canvas.trigger.send"
        }
    }

    var isOfTrack: Bool { Self.ofTrack.contains(self) }

    var isTrigger: Bool { self == .campaignTrigger || self == .canvasTrigger }

    /// Objects per request of the endpoints beside `/users/track` (braze-destination §1, §13).
    static let separate = Dictionary(
        uniqueKeysWithValues: allCases.filter { !$0.isOfTrack }.map { ($0.rawValue, $0.isTrigger ? 1 : 50) })
}

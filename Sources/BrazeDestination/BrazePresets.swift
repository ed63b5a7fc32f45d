public import Delivery
import JSON
import Model

// The mappings that sources connected straight to Braze can choose from (spec: braze-destination §12.1, §19). On at first
// are those that every workspace wants; the e-commerce ones refuse orders that lack `source` or `variant`, which plain
// Segment events do.

extension BrazeDestination {
    public static let presets: [MappingPreset] = joining + profiles + events + orders + accounts

    private static func options(_ action: BrazeAction, _ more: JSONObject = [:]) -> JSONObject {
        JSONObject([(key: "action", value: JSONValue.string(action.rawValue))] + more.members)
    }

    // MARK: Settings that several have

    private static let updateOnly = MappingPreset.Setting(
        key: "updateExistingOnly", label: "Update existing users only",
        hint: "Creates nobody in Braze (_update_existing_only).", control: .flag)
    private static let fields = MappingPreset.Setting(
        key: "fields", label: "Fields",
        hint:
            "What fills a field of Braze’s instead of the default: dob ← $.traits.birthday. A path, a template or a text.",
        control: .table)
    private static let productFields = MappingPreset.Setting(
        key: "productFields", label: "Fields of products", hint: "Looked up in each product: product_id ← $.sku.",
        control: .table)
    private static let renameKeys = MappingPreset.Setting(
        key: "renameKeys", label: "Other names for keys", hint: "A trait or property, and its name in Braze.",
        control: .table)
    private static let renameEvents = MappingPreset.Setting(
        key: "renameEvents", label: "Other names for events", hint: "An event, and its name in Braze.", control: .table)
    private static let mergeBehavior = MappingPreset.Setting(
        key: "mergeBehavior", label: "Merge behavior", hint: "What Braze does with the alias user’s data.",
        control: .choice(["merge", "none"]))
    private static func eventName(_ example: String) -> MappingPreset.Setting {
        MappingPreset.Setting(
            key: "eventName", label: "Event name", hint: "A template such as \(example).", control: .text)
    }

    // MARK: Presets

    /// Before the profile's values, which are the user's then.
    private static let joining = [
        MappingPreset(
            name: "identify_users", title: "Join Anonymous Users",
            explanation:
                "An identify call with both ids makes what Braze knows under the anonymous id’s alias the user’s "
                + "(/users/identify). Needs an alias label.",
            calls: [.identify], isOnAtFirst: false, options: options(.identifyUser, ["mergeBehavior": "merge"]),
            settings: [mergeBehavior, fields]),
        MappingPreset(
            name: "alias_identify", title: "Alias Calls: Identify",
            explanation:
                "An alias call makes what Braze knows under the previous id’s alias the user’s (/users/identify). "
                + "Needs an alias label.",
            calls: [.alias], isOnAtFirst: false, options: options(.identifyUser, ["mergeBehavior": "merge"]),
            settings: [mergeBehavior, fields]),
        MappingPreset(
            name: "alias_new", title: "Alias Calls: New Alias",
            explanation:
                "An alias call gives the user the previous id as an alias (/users/alias/new). Needs an alias label.",
            calls: [.alias], isOnAtFirst: false, options: options(.createAlias), settings: [fields]),
        MappingPreset(
            name: "alias_merge", title: "Alias Calls: Merge",
            explanation: "An alias call makes one user of the two ids (/users/merge).", calls: [.alias],
            isOnAtFirst: false, options: options(.mergeUsers), settings: [fields]),
        MappingPreset(
            name: "create_alias", title: "Create Alias",
            explanation: "The event Create Alias adds its alias_name and alias_label to the user (/users/alias/new).",
            calls: [.track], events: ["Create Alias"], isOnAtFirst: false, options: options(.createAlias),
            settings: [fields]),
    ]

    private static let profiles = [
        MappingPreset(
            name: "identify_calls", title: "Identify Calls",
            explanation: "Traits become profile fields and custom attributes.", calls: [.identify], isOnAtFirst: true,
            options: options(.updateProfile), settings: [updateOnly, renameKeys, fields])
    ]

    private static let events = [
        MappingPreset(
            name: "track_calls", title: "Track Calls",
            explanation: "Events become custom events, but for those that another preset takes.", calls: [.track],
            otherThan: ["Order Completed"], takesTheRest: true, isOnAtFirst: true, options: options(.trackEvent),
            settings: [updateOnly, renameEvents, renameKeys, fields]),
        MappingPreset(
            name: "page_calls", title: "Page Calls", explanation: "Page views become custom events.", calls: [.page],
            isOnAtFirst: false, options: options(.trackEvent, ["eventName": "Viewed {{name}} Page"]),
            settings: [eventName("Viewed {{name}} Page"), updateOnly, renameKeys, fields]),
        MappingPreset(
            name: "screen_calls", title: "Screen Calls", explanation: "Screen views become custom events.",
            calls: [.screen], isOnAtFirst: false,
            options: options(.trackEvent, ["eventName": "Viewed {{name}} Screen"]),
            settings: [eventName("Viewed {{name}} Screen"), updateOnly, renameKeys, fields]),
    ]

    private static let orders =
        [
            MappingPreset(
                name: "order_completed", title: "Order Completed: Purchases",
                explanation: "An order becomes one purchase per product.", calls: [.track], events: ["Order Completed"],
                isOnAtFirst: true, options: options(.trackPurchase),
                settings: [updateOnly, renameKeys, fields, productFields])
        ]
        + [
            ("order_placed", "Order Completed", "order_placed", ""),
            ("checkout_started", "Checkout Started", "checkout_started", ""),
            ("order_refunded", "Order Refunded", "order_refunded", ""),
            ("order_cancelled", "Order Cancelled", "order_cancelled", ""),
            ("product_viewed", "Product Viewed", "product_viewed", ""),
            ("product_added", "Product Added", "cart_updated", "add"),
            ("product_removed", "Product Removed", "cart_updated", "remove"),
        ].map { name, event, kind, action in
            MappingPreset(
                name: name, title: "\(event): ecommerce.\(kind)",
                explanation:
                    "Becomes Braze’s recommended event ecommerce.\(kind), which needs source, currency and variants.",
                calls: [.track], events: [event], isOnAtFirst: false,
                options: options(
                    .ecommerce,
                    JSONObject(
                        [(key: "name", value: JSONValue.string("ecommerce.\(kind)"))]
                            + (action.isEmpty ? [] : [(key: "cartAction", value: JSONValue.string(action))]))),
                settings: [updateOnly, fields, productFields])
        }

    private static let accounts = [
        MappingPreset(
            name: "group_calls", title: "Group Calls",
            explanation: "The user gets the custom attribute ab_segment_group_<group id> = true.", calls: [.group],
            isOnAtFirst: false, options: options(.groupAttribute),
            settings: [
                MappingPreset.Setting(
                    key: "attributePrefix", label: "Prefix of the attribute", hint: "ab_segment_group_ if not set.",
                    control: .text), updateOnly, fields,
            ]),
        MappingPreset(
            name: "subscription_calls", title: "Group Calls: Subscriptions",
            explanation: "The group id names a subscription group, the trait subscription_state says subscribed or "
                + "unsubscribed (/v2/subscription/status/set).", calls: [.group], isOnAtFirst: false,
            options: options(.setSubscription), settings: [fields]),
        MappingPreset(
            name: "user_deleted", title: "User Deleted",
            explanation: "The event User Deleted deletes the user in Braze (/users/delete).", calls: [.track],
            events: ["User Deleted"], isOnAtFirst: false, options: options(.deleteUser), settings: [fields]),
    ]
}

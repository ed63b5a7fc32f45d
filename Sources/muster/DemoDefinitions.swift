import JSON

/// The audiences and computed traits of the demo: the two of the founding story, and others of different kinds.
struct DemoDefinition: Sendable {
    enum Kind: String, Sendable {
        case audience = "audiences"
        case trait = "computed-traits"
    }

    let kind: Kind
    let name: String
    /// What the server will make of the name.
    let key: String
    let description: String
    let query: String
    /// Sent to the sandbox as a custom attribute, as custom events; with neither it stays on the profiles.
    var identify = false
    var track = false

    /// The body that creates it (spec: engage §6).
    var body: JSONValue {
        var definition: JSONObject = ["query": .string(query)]
        var body: JSONObject = [
            "name": .string(name), "description": .string(description), "enabled": true,
        ]
        switch kind {
        case .audience: body["audienceType"] = "USERS"
        case .trait: definition["type"] = "USERS"
        }
        body["definition"] = .object(definition)
        return .object(body)
    }

    static let all = [
        DemoDefinition(
            kind: .trait, name: "Last Product Viewed Item", key: "last_product_viewed_item",
            description: "What somebody looked at last.",
            query: "event('Product Viewed').last(property('name'))", identify: true, track: true),
        DemoDefinition(
            kind: .audience, name: "Dormant Shopper", key: "dormant_shopper",
            description: "Bought before, but not for 60 days.",
            query: "event('Order Completed').count() >= 1 AND event('Order Completed').within(60 days).count() = 0",
            identify: true, track: true),
        DemoDefinition(
            kind: .trait, name: "Revenue 90 Days", key: "revenue_90_days",
            description: "What somebody spent in the last 90 days.",
            query: "event('Order Completed').within(90 days).sum(property('revenue'))", identify: true),
        DemoDefinition(
            kind: .trait, name: "Favourite Category", key: "favourite_category",
            description: "The category looked at most often, once it is two times or more.",
            query: "event('Product Viewed').mode(property('category'), 2)", identify: true),
        DemoDefinition(
            kind: .audience, name: "High Intent", key: "high_intent",
            description: "Put two or more things into the cart within a week and ordered nothing in that week.",
            query: "event('Product Added').within(7 days).count() >= 2 "
                + "AND NOT event('Order Completed').within(7 days).count() >= 1",
            track: true),
        DemoDefinition(
            kind: .audience, name: "Email Engaged", key: "email_engaged",
            description: "Clicked in two or more different newsletters within 60 days.",
            query: "event('Email Link Clicked').within(60 days).unique(property('campaign_id')).count() >= 2",
            identify: true),
        DemoDefinition(
            kind: .audience, name: "Big Spender", key: "big_spender",
            description: "500 or more in 90 days, and no open complaint: builds on a computed trait.",
            query: "trait('revenue_90_days') >= 500 "
                + "AND event('Support Ticket Opened').within(14 days).count() = 0",
            track: true),
        DemoDefinition(
            kind: .audience, name: "Abandoned Cart", key: "abandoned_cart",
            description: "Put something into the cart within a week and did not order within a day of it.",
            query: "event('Product Added').where(NOT event('Order Completed').within(parent: 1 day).count() >= 1)"
                + ".within(7 days).count() >= 1",
            identify: true),
    ]
}

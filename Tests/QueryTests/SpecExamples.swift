/// The queries that the spec shows, in its order (engage §3.6, §16, design §3).
enum SpecExamples {
    /// The condition column of §3.6, and the text the builder's shape compiles to.
    static let audiences: [(name: String, query: String)] = [
        ("performed at least 1", "event('Signed Up').count() >= 1"),
        ("performed exactly 0", "event('Signed Up').count() = 0"),
        ("with property + window", "event('Signed Up').where(property('plan') = 'pro').within(30 days).count() >= 1"),
        ("in between 14 and 30 days", "event('Product Added').between(14 days, 30 days).count() >= 1"),
        (
            "and then did not perform … exactly 1",
            "event('Product Added').where(NOT event('Order Completed').within(parent: 30 days).count() = 1)"
                + ".within(60 days).count() >= 1"
        ),
        (
            "and then did perform, same id",
            "event('Item Viewed').where(event('Item Purchased').where(property('sku') = property(parent: 'sku'))"
                + ".within(parent: 7 days).count() >= 1).count() >= 1"
        ),
        (
            "child property vs trait",
            "event('Case Opened').where(event('Case Closed').where(property('case_id') = trait('case_id'))"
                + ".count() >= 1).count() >= 1"
        ),
        ("part of an audience", "trait('vip_customers') = 'true'"),
        ("And not who (part of audience)", "NOT trait('photo_uploaded') = 'true'"),
        ("journey step membership", "trait('j_o_onboarding__step_two_a1b2c') = 'true'"),
        ("custom trait contains", "trait('email').contains('@example.org')"),
        ("predictive", "trait('predictive_loyalty') >= 0.8"),
        (
            "absolute date",
            "event('Page Viewed').where(context('timestamp').before_date('2025-03-01T00:00:00-07:00')).count() >= 1"
        ),
        ("§16.2", "event('A').within(1 hour).count() >= 1"),
        ("§16.3", "event('A').between(1 hour, 2 hours).count() >= 1"),
        ("§16.7", "event('A').where(property('x') != 5 OR NOT property('x') = 5).count() >= 1"),
        ("§6.1", "event('Order Completed').within(90 days).count() = 0"),
        (
            "design §3",
            "event('Product Added').where(NOT event('Order Completed').within(parent: 7 days).count() >= 1)"
                + ".within(30 days).count() >= 1"
        ),
        ("design §3, traits", "trait('plan') = 'pro' AND NOT trait('churn_risk') = 'true'"),
    ]

    static let accountAudiences: [(name: String, query: String)] = [
        ("account, any user", "ANY event('Logged In').within(30 days).count() >= 1"),
        ("§16.17 all", "ALL event('Logged In').count() >= 1"),
        ("§16.17 none", "ALL NOT event('Logged In').count() >= 1"),
    ]

    static let traits: [String] = [
        "event('Order Completed').within(90 days).sum(property('revenue'))",
        "event('Product Viewed').mode(property('category'), 2)",
        "event('Page Viewed').first(property('utm_source'))",
        "event('Product Viewed').unique(property('sku'))",
        "event('Product Viewed').unique(property('sku')).count()",
        "event('Page Viewed').expires_after(1 hour).count()",
    ]
}

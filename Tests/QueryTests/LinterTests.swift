import JSON
import Model
import Query
import Testing

/// Goal: queries that are allowed but don't mean what they seem to are pointed at, and good ones are left alone.
@Suite struct LinterTests {
    private static let catalogue = Catalogue(
        events: [
            "Order Completed": [
                "revenue": [.number], "order_id": [.string], "tags": [.list], "at": [.date], "address.city": [.string],
                "gift": [.boolean], "note": [],
            ],
            "Signed Up": [:],
        ],
        traits: ["plan": [.string], "age": [.number], "birthday": [.date]],
        audienceKeys: ["vip_customers"], retiredKeys: ["old_vips"], history: .days(120))

    private func hints(
        _ text: String, _ kind: Computation.Kind = .audience, _ level: Computation.Level = .users
    ) throws -> [QueryHint] {
        try ParsedQuery(text, kind: kind).hints(Self.catalogue, level: level)
    }

    @Test(
        "advice, at the right place",
        arguments: [
            ("event('Oder Completed').count() >= 1", .unknownEvent, 1, "did you mean 'Order Completed'?"),
            ("event('Nothing Like It').count() >= 1", .unknownEvent, 1, nil),
            (
                "event('Order Completed').where(property('revenu') > 5).count() >= 1", .unknownProperty, 32,
                "did you mean 'revenue'?"
            ),
            ("trait('plann') = 'pro'", .unknownTrait, 1, "did you mean 'plan'?"),
            ("trait('vip_customer') = 'true'", .unknownTrait, 1, "did you mean 'vip_customers'?"),
            ("event('Order Completed').where(property('revenue') = 'much').count() = 1", .kindNeverSeen, 52, nil),
            ("event('Order Completed').where(property('order_id') > 5).count() = 1", .kindNeverSeen, 53, nil),
            ("event('Order Completed').where(property('tags') = 'x').count() = 1", .kindNeverSeen, 49, ".$"),
            ("event('Order Completed').where(property('gift').contains('t')).count() = 1", .kindNeverSeen, 48, nil),
            ("trait('age').within_last(3 days)", .kindNeverSeen, 13, nil),
            ("trait('vip_customers') = 'yes'", .kindNeverSeen, 24, nil),
            ("event('Order Completed').sum(property('order_id')) > 1", .kindNeverSeen, 26, nil),
            ("event('Signed Up').count() < 0", .neverTrue, 1, nil),
            ("event('Signed Up').count() = 1.5", .neverTrue, 1, nil),
            ("event('Signed Up').count() = 'x'", .neverTrue, 1, nil),
            ("event('Signed Up').count().absent()", .neverTrue, 1, nil),
            ("event('Signed Up').count().one_of(-1, 'x')", .neverTrue, 1, nil),
            ("event('Signed Up').count() >= 0", .alwaysTrue, 1, nil),
            ("event('Signed Up').count() != -1", .alwaysTrue, 1, nil),
            ("'a' = 'b'", .neverTrue, 1, nil),
            ("5 = '5'", .alwaysTrue, 1, nil),
            ("event('Signed Up').within(30 days).between(60 days, 90 days).count() >= 1", .neverTrue, 1, nil),
            ("trait('plan') = 'a' AND trait('plan') = 'b'", .neverTrue, 1, "trait('plan').one_of('a', 'b')"),
            ("event('Signed Up').within(365 days).count() >= 1", .windowBeyondHistory, 20, nil),
            ("event('Signed Up').between(130 days, 140 days).count() >= 1", .windowBeyondHistory, 20, nil),
        ] as [(String, QueryHint.Kind, Int, String?)])
    func advice(text: String, kind: QueryHint.Kind, column: Int, suggestion: String?) throws {
        let found = try hints(text)
        #expect(found.map(\.kind) == [kind], "\(found)")
        #expect(found.first?.finding.column == column, "\(found)")
        if let suggestion { #expect(found.first?.finding.suggestion?.contains(suggestion) == true, "\(found)") }
    }

    @Test(
        "no advice where none is due",
        arguments: [
            "event('Order Completed').where(property('revenue') > 5 AND property('revenue') != '7').count() >= 1",
            "event('Order Completed').where(property('address') .exists() AND property('address.city') = 'X').count() = 0",
            "event('Order Completed').where(property('tags').contains('x') OR property('tags.$') = 'y').count() = 0",
            "event('Order Completed').where(property('tags.$') = 'x' AND property('tags.$') = 'y').count() = 0",
            "event('Order Completed').where(property('note') = 5 AND property('gift') = 'true').count() >= 1",
            "event('Order Completed').where(property('at').within_last(5 days)).within(120 days).count() >= 1",
            "trait('plan') = 'a' OR trait('plan') = 'b'", "trait('age') = 5 AND trait('age') = '5'",
            "trait('birthday').before_date(2000-01-01)", "trait('vip_customers') = 'true'", "trait('age') >= '18'",
            "event('Order Completed').unique(property('order_id')).count() > 1",
        ])
    func silence(text: String) throws {
        #expect(try hints(text) == [])
    }

    @Test func collectiveCounts() throws {
        #expect(try hints("event('Signed Up').count() > 3", .audience, .accounts).map(\.kind) == [.collectiveCount])
        #expect(try hints("ANY event('Signed Up').count() > 3", .audience, .accounts).isEmpty)
        #expect(try hints("event('Signed Up').count()", .trait, .accounts).isEmpty)
    }

    @Test func newKeys() {
        #expect(Self.catalogue.objection(toNewKey: "vip_customers")?.contains("existing audience") == true)
        #expect(Self.catalogue.objection(toNewKey: "old_vips")?.contains("deleted audience") == true)
        #expect(Self.catalogue.objection(toNewKey: "plan")?.contains("trait") == true)
        #expect(Self.catalogue.objection(toNewKey: "new_one") == nil)
    }

    @Test func nearestNames() {
        #expect(Self.catalogue.nearestEvent(to: "order completed") == "Order Completed")
        #expect(Self.catalogue.nearestEvent(to: "OrderCompleted") == "Order Completed")
        #expect(Self.catalogue.nearestProperty(to: "adress.city", of: "Order Completed") == "address.city")
        #expect(Self.catalogue.nearestProperty(to: "x", of: "Never") == nil)
        #expect(Self.catalogue.nearestTrait(to: "brithday") == "birthday")
        #expect(Self.catalogue.nearestTrait(to: "colour") == nil)
    }

    @Test func jsonNamesTheKind() throws {
        let hint = try #require(try hints("event('Signed Up').count() >= 0").first)
        #expect(hint.json["kind"] == "always_true")
        #expect(hint.json["line"] == 1)
    }

    @Test func `Who looks farther back than events are kept is told of it, once per event, with the remedy`() throws {
        var catalogue = Self.catalogue
        catalogue.retention = RetentionRules(
            general: .days(30), events: ["Signed Up": .forever, "Order Completed": .days(90)])
        catalogue.events["Viewed"] = [:]
        func found(_ text: String) throws -> [String] {
            try ParsedQuery(text, kind: .audience).hints(catalogue).filter { $0.kind == .windowBeyondRetention }
                .map(\.description)
        }
        #expect(try found("event('Order Completed').within(90 days).count() >= 1") == [])
        #expect(try found("event('Signed Up').count() >= 1") == [])
        let long = try found("event('Order Completed').within(100 days).count() >= 1")
        #expect(long.count == 1)
        #expect(long.first?.contains("'Order Completed' is kept for 90 days, and this looks back 100 days") == true)
        #expect(long.first?.contains("keep 'Order Completed' longer") == true)
        let unlimited = try found("event('Viewed').count() >= 1 AND event('Viewed').within(3 days).count() >= 1")
        #expect(unlimited.count == 1 && unlimited.first?.contains("without limit") == true)
        // The parent reaches back 40 days, so what must not have followed it does, too.
        let funnel = try found(
            "event('Order Completed').where(NOT event('Viewed').within(parent: 7 days).count() >= 1)"
                + ".within(40 days).count() >= 1")
        #expect(funnel.count == 1 && funnel.first?.contains("'Viewed'") == true)
        catalogue.retention = RetentionRules()
        #expect(try found("event('Viewed').count() >= 1") == [])
    }
}

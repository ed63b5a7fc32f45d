import JSON
import Model
import Query
import TestSupport
import Testing

/// Goal: builder, tree, text and JSON hold the same thing. Method: the rows of §3.6, random builders, and queries that the
/// builder can't show.
@Suite struct BuilderTests {
    private static let audiences: Set<String> = [
        "vip_customers", "photo_uploaded", "j_o_onboarding__step_two_a1b2c", "aud",
    ]

    private func builder(_ text: String, level: Computation.Level = .users) throws -> BuilderQuery {
        try BuilderQuery(
            Definition.compile(text, kind: .audience, level: level), isAudience: Self.audiences.contains)
    }

    @Test("§3.6 each row that the builder made comes back", arguments: SpecExamples.audiences)
    func examples(name: String, query: String) throws {
        // The two-valued logic example has an OR among filters, which the builder has not.
        guard name != "§16.7" else { return }
        let shown = try builder(query)
        #expect(try shown.definition().text == query)
        #expect(try BuilderQuery(json: shown.json) == shown)
    }

    @Test("§2.8 quantifiers", arguments: SpecExamples.accountAudiences)
    func quantifiers(name: String, query: String) throws {
        let shown = try builder(query, level: .accounts)
        #expect(try shown.definition().text == query)
        #expect(shown.groups.first?.rows.first?.quantifier != nil)
        #expect(try BuilderQuery(json: shown.json) == shown)
    }

    @Test("§2.2 groups: a conjunction of possibly negated choices")
    func groups() throws {
        let text =
            "(event('A').count() >= 1 OR trait('aud') = 'true' OR NOT trait('aud') = 'true') "
            + "AND NOT (trait('plan') = 'pro' OR event('B').within(7 days).count() <= 2)"
        let shown = try builder(text)
        #expect(
            shown
                == BuilderQuery([
                    .init([
                        .init(.event(.init("A"))), .init(.audience(key: "aud", isMember: true)),
                        .init(.audience(key: "aud", isMember: false)),
                    ]),
                    .init(
                        isNegated: true,
                        [
                            .init(.trait(PropertyPath(key: "plan"), .equals(.literal(.string("pro"))))),
                            .init(.event(.init("B", .init(.atMost, 2), window: .within(Duration(7, .day))))),
                        ]),
                ]))
        #expect(try shown.definition().text == text)
    }

    @Test("§2.5 funnel children with a reference to the parent")
    func funnel() throws {
        let shown = try builder(
            "event('View').within(60 days).where(property('a') = 1).where(NOT event('Buy').within(parent: 7 days)"
                + ".where(property('sku') = property(parent: 'sku')).count() = 2 AND context('page.url').contains('x'))"
                + ".count() >= 3")
        guard case .event(let event)? = shown.groups.first?.rows.first?.kind else {
            Issue.record("no event row")
            return
        }
        #expect(event.filters.count == 2)
        #expect(event.children.count == 1)
        #expect(event.children.first?.isPerformed == false)
        #expect(event.window == .within(Duration(60, .day)))
        #expect(
            try shown.definition().text
                == "event('View').where(property('a') = 1 AND context('page.url').contains('x') AND NOT event('Buy')"
                + ".where(property('sku') = property(parent: 'sku')).within(parent: 7 days).count() = 2)"
                + ".within(60 days).count() >= 3")
    }

    @Test(
        "richer queries say why they can't be shown",
        arguments: [
            ("trait('a') = 1 AND trait('b') = 1 OR trait('c') = 1", "AND inside OR"),
            ("trait('a') = 1 OR NOT trait('b') = 1", "negate whole groups"),
            ("trait('a') = 1 OR NOT trait('unknown') = 'true'", "negate whole groups"),
            ("event('A').count() > 1", "at least, exactly and at most"),
            ("event('A').count() >= trait('a')", "whole number"),
            ("event('A').sum(property('x')) >= 1", "make a computed trait"),
            ("5 = trait('a')", "begin with an event or a trait"),
            ("event('A').where(property('a') = 1 OR property('b') = 1).count() >= 1", "AND only"),
            ("event('A').where(NOT property('a') = 1).count() >= 1", "negative operator"),
            ("event('A').where(trait('a') = 1).count() >= 1", "property of the event"),
            ("event('A').where(property('a') = property('b')).count() >= 1", "compares with a constant"),
            ("event('A').within(1 day).within(2 days).count() >= 1", "one time window"),
            ("event('A').sources({exclude: 'x'}).count() >= 1", "leave out sources"),
            ("event('A').where(event('B').within(1 day).count() = 1).count() >= 1", "counts from the first event"),
            (
                "event('A').where(event('B').where(event('C').count() = 1).count() = 1).count() >= 1",
                "no longer sequences"
            ),
            ("NOT NOT event('A').count() >= 1", "negate whole groups"),
        ])
    func richer(text: String, reason: String) throws {
        let definition = try Definition.compile(text, kind: .audience)
        do {
            _ = try BuilderQuery(definition, isAudience: Self.audiences.contains)
            Issue.record("\(text) was shown")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
        }
    }

    @Test("§1.2 computed traits", arguments: SpecExamples.traits)
    func traits(query: String) throws {
        let shown = try BuilderTrait(Definition.compile(query, kind: .trait))
        #expect(shown.definition.text == query)
        #expect(try BuilderTrait(json: shown.json) == shown)
    }

    @Test func richerTraits() {
        for (text, reason) in [
            ("event('A').between(1 day, 2 days).count()", "between"),
            ("event('A').within(1 day).expires_after(1 hour).count()", "one time window"),
            ("event('A').sources({exclude: 'x'}).count()", "sources"),
            ("event('A').where(event('B').count() = 1).count()", "sequences"),
            ("event('A').where(property('x') = 1 OR property('y') = 1).count()", "AND only"),
        ] {
            do {
                _ = try BuilderTrait(Definition.compile(text, kind: .trait))
                Issue.record("\(text) was shown")
            } catch {
                #expect("\(error)".contains(reason), "\(error)")
            }
        }
    }

    @Test("random builders survive the tree, the text and JSON", arguments: 0..<8)
    func randomBuilders(block: Int) throws {
        let limits = QueryLimits(characters: .max, primaryExpressions: .max, nesting: 64)
        for offset in 0..<250 {
            let seed = UInt64(block * 1000 + offset)
            var generator = BuilderGenerator(tree: TreeGenerator(seed: seed))
            let builder = generator.builder()
            let definition = try builder.definition()
            let text = definition.text
            #expect(try Definition.parse(text, kind: .audience, limits: limits) == definition, "seed \(seed): \(text)")
            #expect(
                try BuilderQuery(definition) { $0.utf8.starts(with: "aud_".utf8) } == builder, "seed \(seed): \(text)")
            let json = try JSONValue(parsing: builder.json.description)
            #expect(try BuilderQuery(json: json) == builder, "seed \(seed): \(json)")

            let trait = generator.trait()
            #expect(try BuilderTrait(trait.definition) == trait, "seed \(seed): \(trait.definition.text)")
            #expect(try BuilderTrait(json: JSONValue(parsing: trait.json.description)) == trait, "seed \(seed)")
        }
    }

    @Test(
        "wrong JSON is told with its place",
        arguments: [
            ("{}", "builder.groups: expected a list"),
            (#"{"groups":[{"conditions":[{"kind":"evnt"}]}]}"#, "builder.groups[0].conditions[0].kind: expected event"),
            (
                #"{"groups":[{"conditions":[{"kind":"event","event":"A","comparator":"at_least","count":-1}]}]}"#,
                "builder.groups[0].conditions[0].count: expected a count of 0 or more"
            ),
            (
                #"{"groups":[{"conditions":[{"kind":"trait","trait":"a","operator":"equals","value":{"kind":"constant","value":12345678901234567890}}]}]}"#,
                "builder.groups[0].conditions[0].value.value: 12345678901234567890 has more digits"
            ),
            (
                #"{"groups":[{"conditions":[{"kind":"trait","trait":"a","operator":"within_last","duration":{"count":1,"unit":"year"}}]}]}"#,
                "builder.groups[0].conditions[0].duration.unit: expected one of second, minute, hour, day, week"
            ),
        ])
    func wrongJSON(text: String, message: String) throws {
        let json = try JSONValue(parsing: text)
        do {
            _ = try BuilderQuery(json: json)
            Issue.record("accepted")
        } catch {
            #expect(error.description.hasPrefix(message), "\(error)")
        }
    }

    @Test func emptyBuildersAreNoQuery() {
        #expect(throws: BuilderError.self) { try BuilderQuery([]).definition() }
        #expect(throws: BuilderError.self) { try BuilderQuery([.init([])]).definition() }
    }
}

/// SeededRandom builders in the form that the tree gives back.
private struct BuilderGenerator {
    var tree: TreeGenerator

    mutating func builder() -> BuilderQuery {
        var groups: [BuilderQuery.Group] = []
        for _ in 0...tree.random.below(3) {
            let count = 1 + tree.random.below(3)
            var rows: [BuilderQuery.Row] = []
            for _ in 0..<count { rows.append(row(isAlone: count == 1)) }
            groups.append(.init(isNegated: tree.random.chance(40), rows))
        }
        return BuilderQuery(groups)
    }

    private mutating func row(isAlone: Bool) -> BuilderQuery.Row {
        let quantifier = tree.random.chance(60) ? nil : tree.random.pick(BuilderQuery.Quantifier.allCases)
        switch tree.random.below(4) {
        case 0:
            // Alone in a group, and under ALL, "not a member" is written as a negated group and as "none".
            let isMember = tree.random.chance(60) || isAlone || quantifier == .all
            return .init(quantifier: quantifier, .audience(key: "aud_\(tree.text())", isMember: isMember))
        case 1:
            return .init(quantifier: quantifier, .trait(tree.path(), comparator(inChild: false)))
        default: return .init(quantifier: quantifier, .event(event()))
        }
    }

    private mutating func event() -> BuilderQuery.Event {
        var children: [BuilderQuery.Child] = []
        for _ in 0..<tree.random.below(3) {
            children.append(
                .init(
                    isPerformed: tree.random.chance(50), tree.text(), frequency(), filters: filters(inChild: true),
                    window: window()))
        }
        return .init(tree.text(), frequency(), filters: filters(inChild: false), window: window(), children: children)
    }

    private mutating func frequency() -> BuilderQuery.Frequency {
        .init(tree.random.pick(BuilderQuery.Frequency.Bound.allCases), tree.random.below(20))
    }

    private mutating func window() -> BuilderQuery.Window {
        switch tree.random.below(3) {
        case 0: .anyTime
        case 1: .within(tree.duration())
        default: .between(tree.duration(), tree.duration())
        }
    }

    private mutating func filters(inChild: Bool) -> [BuilderQuery.Filter] {
        var filters: [BuilderQuery.Filter] = []
        for _ in 0..<tree.random.below(3) {
            let field: Field = tree.random.chance(70) ? .property(tree.path()) : .context(tree.path())
            filters.append(.init(field, comparator(inChild: inChild)))
        }
        return filters
    }

    private mutating func comparator(inChild: Bool) -> Comparator {
        let right: Scalar =
            switch tree.random.below(inChild ? 3 : 2) {
            case 0: .literal(tree.literal())
            case 1: .trait(tree.path())
            default: .parentProperty(tree.path())
            }
        switch tree.random.below(12) {
        case 0: return .equals(right)
        case 1: return .differs(right)
        case 2: return .lessThan(right)
        case 3: return .greaterThanOrEqual(right)
        case 4: return .oneOf([tree.literal(), tree.literal()])
        case 5: return .omits([tree.literal()])
        case 6: return .startsWith(tree.literal())
        case 7: return .exists
        case 8: return .absent
        case 9: return .beforeDate(tree.literal())
        case 10: return .withinLast(tree.duration())
        default: return .afterNext(tree.duration())
        }
    }

    mutating func trait() -> BuilderTrait {
        let field: Field = tree.random.chance(70) ? .property(tree.path()) : .context(tree.path())
        let type = tree.random.chance(50) ? nil : tree.random.pick(ValueType.allCases)
        let reducer: Reducer =
            switch tree.random.below(8) {
            case 0: .count
            case 1: .sum(field)
            case 2: .average(field)
            case 3: .minimum(field, type)
            case 4: .mode(field, type, minimumFrequency: 1 + tree.random.below(5))
            case 5: .last(field)
            case 6: .unique(field)
            default: .uniqueCount(field)
            }
        let window: BuilderTrait.Window =
            switch tree.random.below(3) {
            case 0: .anyTime
            case 1: .sliding(tree.duration())
            default: .session(tree.duration())
            }
        return BuilderTrait(event: tree.text(), filters: filters(inChild: false), reducer: reducer, window: window)
    }
}

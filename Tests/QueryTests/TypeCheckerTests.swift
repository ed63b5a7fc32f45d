import Model
import Testing

@testable import Query

/// Goal: what parses but means nothing is refused with a place and a remedy (engage §3.2–3.5).
@Suite struct TypeCheckerTests {
    private func errors(
        _ text: String, kind: Computation.Kind = .audience, level: Computation.Level = .users
    ) throws -> [QueryError] {
        try ParsedQuery(text, kind: kind).check(level: level)
    }

    @Test(
        "refused, at the right place",
        arguments: [
            ("property('x') = 1", 1, "only inside where"),
            ("trait('a') = context('page.url')", 14, "only inside where"),
            ("event('A').where(property(parent: 'x') = 1).count() = 1", 18, "inside another event's where"),
            ("event('A').within(parent: 1 day).count() = 1", 12, "inside another event's where"),
            ("event('A').between(parent: 1 day, 2 days).count() = 1", 12, "inside another event's where"),
            ("event('A').within(0 days).count() = 1", 12, "is empty"),
            ("event('A').between(3 days, 2 days).count() = 1", 12, "shorter length of time first"),
            ("event('A').expires_after(1 hour).count() = 1", 12, "value of a computed trait"),
            ("event('A').unique(property('x')) = 'a'", 34, "a list can't be compared"),
            ("event('A').unique(property('x')).exists()", 33, "a list can't be compared"),
            ("trait('a') = event('A').unique(property('x'))", 12, "a list can't be compared"),
            ("event('A').count() > 'many'", 20, "can't be compared in order with 'many'"),
            ("event('A').count() >= true", 20, "no order"),
            ("trait('a') < false", 12, "no order"),
            ("event('A').count().contains('1')", 19, "is for text"),
            ("event('A').sum(property('x')).within_last(3 days)", 30, "is for dates"),
            ("trait('a').one_of()", 11, "at least one value"),
            ("trait('a').contains()", 11, "at least one value"),
            ("trait('a').contains(true)", 11, "expects text"),
            ("trait('a').before_date('soon')", 11, "expects a date"),
            ("trait('a').after_date(5)", 11, "expects a date"),
            ("event('A').sources({exclude: []}).count() = 0", 12, "at least one source"),
            ("event('A').min(property('x') as array) = 1", 12, "not as array"),
            ("event('A').mode(property('x'), 0) = 1", 12, "at least 1"),
            ("event('').count() = 1", 1, "event's name is empty"),
            ("trait('') = 1", 1, "name is empty"),
            ("trait('a..b') = 1", 1, "name is empty"),
            ("event('A').where(property('$.x') = 1).count() = 1", 18, "expected a name before"),
            ("trait('ok') = 1 AND ANY trait('a') = 1", 21, "ANY is for account audiences"),
            ("trait('ok') = 1 AND ALL NOT trait('a') = 1", 21, "ALL is for account audiences"),
        ])
    func refused(text: String, column: Int, message: String) throws {
        let first = try #require(try errors(text).first, "\(text) was accepted")
        #expect(first.column == column, "\(first)")
        #expect(first.message.contains(message), "\(first)")
    }

    @Test func quantifiersBelongAroundUserConditionsOfAccounts() throws {
        #expect(try errors("ANY trait('a') = 1 AND ALL NOT trait('b') = 1", level: .accounts).isEmpty)
        let nested = try errors("ANY (trait('a') = 1 OR ALL trait('b') = 1)", level: .accounts)
        #expect(nested.map(\.column) == [24])
        let inside = try errors("event('A').where(ANY property('a') = 1).count() = 1", level: .accounts)
        #expect(inside.map(\.message) == ["ANY ranges over an account's users and can't stand inside where(…)"])
    }

    @Test("sessions: only the value of a trait, 30 minutes to 90 days")
    func sessions() throws {
        #expect(try errors("event('A').expires_after(30 minutes).count()", kind: .trait).isEmpty)
        #expect(try errors("event('A').expires_after(90 days).count()", kind: .trait).isEmpty)
        #expect(try errors("event('A').expires_after(29 minutes).count()", kind: .trait).count == 1)
        #expect(try errors("event('A').expires_after(2161 hours).count()", kind: .trait).count == 1)
        #expect(
            try errors("event('A').expires_after(1 hour).expires_after(2 hours).count()", kind: .trait)
                .map(\.message) == ["a stream has at most one expires_after(…)"])
        let child = "event('A').where(event('B').expires_after(1 hour).count() = 1).count()"
        #expect(try errors(child, kind: .trait).map(\.column) == [29])
    }

    @Test("a funnel child may look at its parent, and at its own parent only")
    func funnels() throws {
        let child = "event('B').where(property('x') = property(parent: 'x')).within(parent: 1 day).count() >= 1"
        #expect(try errors("event('A').where(\(child)).count() >= 1").isEmpty)
        #expect(try errors("event('A').where(event('B').where(\(child)).count() = 1).count() >= 1").isEmpty)
    }

    @Test func severalErrorsInOrder() throws {
        let text =
            "property('x') = 1 OR event('A').within(0 days).unique(property('')).exists() OR ANY trait('a') < true"
        let found = try errors(text)
        #expect(found.map(\.column) == [1, 33, 48, 68, 81, 96])
        #expect(found.allSatisfy { $0.line == 1 })
    }

    @Test func treesWithoutTextAreCheckedInTheirPrint() {
        let tree = Definition.audience(
            .and([
                .comparison(.trait(PropertyPath(key: "a")), .exists),
                .comparison(.property(PropertyPath(key: "x")), .exists),
            ]))
        let found = tree.check()
        #expect(found.map(\.column) == [25])
        #expect(found.first?.excerpt.hasPrefix("trait('a').exists() AND property('x').exists()\n") == true)
        let infinite = Definition.audience(
            .comparison(.trait(PropertyPath(key: "a")), .equals(.literal(.number(.infinity)))))
        #expect(!infinite.check().isEmpty)
        let huge = Definition.audience(
            .comparison(.reduction(EventStream(event: "A", filters: [.within(Duration(.max, .week))]), .count), .exists)
        )
        #expect(!huge.check().isEmpty)
        #expect(huge.dependencies.largestWindow == Duration(.max, .week).span)
    }

    @Test("the parser notes exactly one place per node of the walk", arguments: 0..<8)
    func spansFitTheWalk(block: Int) throws {
        let limits = QueryLimits(characters: .max, primaryExpressions: .max, nesting: 64)
        for offset in 0..<250 {
            let seed = UInt64(block * 1000 + offset)
            var generator = TreeGenerator(seed: seed)
            let definition = generator.definition()
            let kind: Computation.Kind = if case .audience = definition { .audience } else { .trait }
            let parsed = try ParsedQuery(definition.text, kind: kind, limits: limits)
            var count = 0
            TreeWalk.walk(definition) { index, node, _ in
                count += 1
                // Conditions and values print as the text at their place.
                switch node {
                case .condition(let condition):
                    #expect(strip(parsed, index) == condition.text, "seed \(seed)")
                case .scalar(let scalar): #expect(strip(parsed, index) == scalar.text, "seed \(seed)")
                case .filter(let filter, _): #expect(strip(parsed, index) == filter.text, "seed \(seed)")
                case .reducer, .comparator: break
                }
            }
            #expect(parsed.spans.count == count, "seed \(seed)")
        }
    }

    private func strip(_ parsed: ParsedQuery, _ index: Int) -> String {
        guard parsed.spans.indices.contains(index) else { return "" }
        return parsed.source.text(parsed.spans[index])
    }

    @Test("checking, hints and dependencies never crash on any tree", arguments: 0..<4)
    func anyTree(block: Int) {
        for offset in 0..<250 {
            var generator = TreeGenerator(seed: UInt64(block * 1000 + offset))
            let definition = generator.definition()
            for level in Computation.Level.allCases {
                for error in definition.check(level: level) { #expect(error.line >= 1 && error.column >= 1) }
                _ = definition.segmentCadence(level: level)
                _ = definition.hints(Catalogue(history: .days(1)), level: level)
            }
            #expect(definition.dependencies == definition.dependencies)
        }
    }
}

import Model
import Query
import Testing

/// Goal: text and tree are two forms of one thing. Method: the spec's examples, then random trees of every shape.
@Suite struct RoundTripTests {
    @Test("§3.6 each row parses, type-checks and prints as itself", arguments: SpecExamples.audiences)
    func audiences(name: String, query: String) throws {
        let definition = try Definition.compile(query, kind: .audience)
        #expect(definition.text == query)
    }

    @Test("§3.6 account rows need the account level", arguments: SpecExamples.accountAudiences)
    func accountAudiences(name: String, query: String) throws {
        let definition = try Definition.compile(query, kind: .audience, level: .accounts)
        #expect(definition.text == query)
        #expect(throws: QueryErrors.self) { try Definition.compile(query, kind: .audience, level: .users) }
    }

    @Test("§3.6 computed trait shapes", arguments: SpecExamples.traits)
    func traits(query: String) throws {
        let definition = try Definition.compile(query, kind: .trait)
        #expect(definition.text == query)
    }

    @Test("parse(print(tree)) == tree, and printing is stable", arguments: 0..<20)
    func randomTrees(block: Int) throws {
        let limits = QueryLimits(characters: .max, primaryExpressions: .max, nesting: 64)
        for offset in 0..<250 {
            let seed = UInt64(block * 1000 + offset)
            var generator = TreeGenerator(seed: seed)
            let definition = generator.definition()
            let kind: Computation.Kind = if case .audience = definition { .audience } else { .trait }
            let text = definition.text
            do {
                let parsed = try Definition.parse(text, kind: kind, limits: limits)
                #expect(parsed == definition, "seed \(seed): \(text)")
                #expect(parsed.text == text, "seed \(seed)")
            } catch {
                Issue.record("seed \(seed): \(text)\n\(error)")
            }
        }
    }

    @Test("paths of any names survive as text", arguments: 0..<4)
    func randomPaths(block: Int) {
        for offset in 0..<500 {
            let seed = UInt64(block * 1000 + offset)
            var generator = TreeGenerator(seed: seed)
            let path = generator.path()
            #expect(PropertyPath(text: path.text) == path, "seed \(seed): \(path.text)")
        }
    }

    @Test(
        "other spellings mean the same and print canonically",
        arguments: [
            ("event('A').count()>=1", "event('A').count() >= 1"),
            ("event('A').count() >= literal(1)", "event('A').count() >= 1"),
            ("event('A').where({property('x')==5}).count() >= 1", "event('A').where(property('x') = 5).count() >= 1"),
            ("trait('x').equals('y')", "trait('x') = 'y'"),
            ("trait('x').differs(5)", "trait('x') != 5"),
            ("trait('score') >= .20", "trait('score') >= 0.2"),
            ("trait('score') > -.5", "trait('score') > -0.5"),
            ("trait('score') > +5", "trait('score') > 5"),
            ("trait('x') = TRUE", "trait('x') = true"),
            ("not trait('a') = 1 and (trait('b') = 2)", "NOT trait('a') = 1 AND trait('b') = 2"),
            (
                "((trait('a') = 1) AND ((trait('b') = 2 AND trait('c') = 3)))",
                "trait('a') = 1 AND trait('b') = 2 AND trait('c') = 3"
            ),
            (
                "trait('a') = 1 OR (trait('b') = 2 OR trait('c') = 3)",
                "trait('a') = 1 OR trait('b') = 2 OR trait('c') = 3"
            ),
            (
                "trait('a') = 1 OR trait('b') = 2 AND trait('c') = 3",
                "trait('a') = 1 OR trait('b') = 2 AND trait('c') = 3"
            ),
            (
                "(trait('a') = 1 OR trait('b') = 2) AND trait('c') = 3",
                "(trait('a') = 1 OR trait('b') = 2) AND trait('c') = 3"
            ),
            ("NOT (trait('a') = 1 OR trait('b') = 2)", "NOT (trait('a') = 1 OR trait('b') = 2)"),
            ("event('A').within(1 hours).count() >= 1", "event('A').within(1 hour).count() >= 1"),
            ("event('A').within(30days).count() >= 1", "event('A').within(30 days).count() >= 1"),
            ("event('A').within(parent:7 days).count() >= 1", "event('A').within(parent: 7 days).count() >= 1"),
            (
                "event('A').sources({exclude: 'a', 'b'}).count() = 0",
                "event('A').sources({exclude: 'a', 'b'}).count() = 0"
            ),
            (
                "event('A').sources({exclude: ['a', 'b']}).count() = 0",
                "event('A').sources({exclude: 'a', 'b'}).count() = 0"
            ),
            ("event('A').sources(exclude: ['a']).count() = 0", "event('A').sources({exclude: 'a'}).count() = 0"),
            ("trait('x').one_of(['a', 2])", "trait('x').one_of('a', 2)"),
            ("trait('d').after_date(2025-03-01)", "trait('d').after_date(2025-03-01)"),
            ("trait('app\\.opened') = 1", "trait('app\\\\.opened') = 1"),
            ("trait('app\\\\.opened') = 1", "trait('app\\\\.opened') = 1"),
            ("trait('tags.$').contains('it\\'s')", "trait('tags.$').contains('it\\'s')"),
            ("trait('x') = 'caf\\u{E9}'", "trait('x') = 'café'"),
            ("\n\ttrait( 'x' )\r\n =\u{A0}'y' ", "trait('x') = 'y'"),
            ("event('A').count() > event('B').count()", "event('A').count() > event('B').count()"),
            ("5 < event('A').count()", "5 < event('A').count()"),
            ("event('A').min(property('p') AS String) < 'm'", "event('A').min(property('p') as string) < 'm'"),
            (
                "trait('lang').starts_with('de') OR trait('lang').ends_with('DE')",
                "trait('lang').starts_with('de') OR trait('lang').ends_with('DE')"
            ),
        ])
    func spellings(written: String, canonical: String) throws {
        let definition = try Definition.parse(written, kind: .audience)
        #expect(definition.text == canonical)
        #expect(try Definition.parse(canonical, kind: .audience) == definition)
    }

    @Test func precedence() throws {
        func comparison(_ key: String) -> Condition {
            .comparison(.trait(PropertyPath(key: key)), .equals(.literal(.number(1))))
        }
        let mixed = try Definition.parse("trait('a') = 1 OR NOT trait('b') = 1 AND trait('c') = 1", kind: .audience)
        #expect(mixed == .audience(.or([comparison("a"), .and([.not(comparison("b")), comparison("c")])])))
    }

    @Test func paths() {
        #expect(PropertyPath(text: "a.b").components == [.key("a"), .key("b")])
        #expect(PropertyPath(text: "a\\.b").components == [.key("a.b")])
        #expect(PropertyPath(text: "tags.$.name").components == [.key("tags"), .elements, .key("name")])
        #expect(PropertyPath(text: "\\$").components == [.key("$")])
        #expect(PropertyPath(text: "$set").components == [.key("$set")])
        #expect(PropertyPath(text: "a\\\\.b").components == [.key("a\\"), .key("b")])
    }
}

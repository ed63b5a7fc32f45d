import Model
import Query
import TestSupport
import Testing

/// Goal: every error names its place and a remedy. Method: typical slips, several at once, limits, then fuzzing.
@Suite struct SyntaxErrorTests {
    private func errors(_ text: String, kind: Computation.Kind = .audience) -> [QueryError] {
        do {
            _ = try Definition.compile(text, kind: kind)
            return []
        } catch {
            return error.errors
        }
    }

    private func first(_ text: String, kind: Computation.Kind = .audience) throws -> QueryError {
        try #require(errors(text, kind: kind).first)
    }

    @Test func excerptMarksThePlace() throws {
        let error = try first("event('A')\n  .within(30 dayz).count() >= 1")
        #expect(error.line == 2)
        #expect(error.column == 14)
        #expect(error.length == 4)
        #expect(error.excerpt == "  .within(30 dayz).count() >= 1\n             ^^^^")
        #expect(error.message == "expected a unit: seconds, minutes, hours, days or weeks; found 'dayz'")
        #expect(error.suggestion == "write 30 days")
    }

    @Test func columnsCountCharacters() throws {
        let error = try first("trait('👩‍👩‍👧 e\u{301}') ~ 1")
        #expect(error.column == 14)
    }

    @Test func excerptOfALongLineIsCut() throws {
        let text = String(repeating: "trait('some_key') = 'x' AND ", count: 40) + "trait('y') = = 1 OR trait('z') = 1"
        let error = try first(text)
        let lines = error.excerpt.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 102 })
        #expect(error.column == text.count - 20)
        let mark = try #require(lines.last?.firstIndex(of: "^"))
        let offset = lines[1].distance(from: lines[1].startIndex, to: mark)
        #expect(lines[0].dropFirst(offset).first == "=")
    }

    @Test(
        "slips and their remedies",
        arguments: [
            ("event('A').count() >= 1 AND", 28, "expected a condition or a value, found the end", nil),
            ("", 1, "the query is empty", "write for example event('Signed Up').count() >= 1"),
            ("event('A').within(3 months).count() >= 1", 21, "found 'months'", "write 90 days"),
            ("event('A').within(1 year).count() >= 1", 21, "found 'year'", "write 365 days"),
            ("event('A').within(30d).count() >= 1", 21, "found 'd'", "write 30 days"),
            ("event('A').within(1.5 days).count() >= 1", 19, "expected a whole number", "36 hours"),
            ("event('A').within(-1 days).count() >= 1", 19, "can't be negative", nil),
            ("event('A').within(99999999 days).count() >= 1", 19, "at most 36500 days", nil),
            ("event('A').cuont() >= 1", 12, "no filter or reducer 'cuont'", "did you mean .count(…)?"),
            ("event('A').average(property('x')) >= 1", 12, "no filter or reducer 'average'", "write .avg(…)"),
            ("evnt('A').count() >= 1", 1, "there is no function 'evnt'", "did you mean event(…)?"),
            ("Event('A').count() >= 1", 1, "there is no function 'Event'", "did you mean event(…)?"),
            ("plan = 'pro'", 1, "found 'plan'", "trait('plan')"),
            ("trait(\"plan\") = 'pro'", 7, "strings stand in single quotes", "write 'plan'"),
            ("trait(‘plan’) = 'pro'", 7, "strings stand in single quotes", "write 'plan'"),
            ("trait('plan) = 1", 7, "no closing quote", nil),
            ("trait('it''s') = 1", 11, "expected ')'", "\\'"),
            ("event('A').count() => 1", 20, "'=>' is not part", "write >="),
            ("trait('a') = 1 && trait('b') = 2", 16, "'&&' is not part", "write AND"),
            ("event('A') >= 1", 12, "expected a reducer before the comparison", "write .count() >="),
            ("event('A')", 11, "expected a filter or a reducer", "write .count() >= 1"),
            ("event('A').count()", 19, "expected a comparison such as = or >= 1, found the end", nil),
            ("event('A').count().within(3 days) >= 1", 20, "filters come before the reducer", ".within(…).count()"),
            ("event('A').exists()", 12, "expected a reducer before .exists(…)", ".count() >= 1"),
            ("trait('a') contains 'x'", 12, "found 'contains'", "write .contains(…)"),
            ("trait('a') IN ('x')", 12, "found 'IN'", "write .one_of(…)"),
            ("trait('a').contians('x')", 12, "no comparison 'contians'", "did you mean .contains(…)?"),
            ("trait('a') = 1 = 2", 16, "can't be compared again", nil),
            ("trait('a') = 1, trait('b') = 2", 15, "expected AND or OR, found ','", "write AND"),
            ("trait('a') = 1 trait('b') = 2", 16, "expected AND, OR or the end, found 'trait'", nil),
            ("trait('a') = 1)", 15, "nothing is open", "remove it"),
            ("(trait('a') = 1", 16, "expected ')', found the end", nil),
            ("entity('x').count() > 1", 1, "linked audiences", "event"),
            ("trait('id') = 12345678901234567890123", 15, "more digits than a number can hold", "in quotes"),
            ("trait('id') = 9007199254740993", 15, "more digits than a number can hold", "in quotes"),
            ("trait('d').after_date(2025-13-01)", 23, "is not a date", nil),
            ("trait('a') = 'x\\q'", 16, "there is no escape", nil),
            ("trait('a').one_of(trait('b'))", 19, "expected a constant, found 'trait'", nil),
            ("trait('a').contains(b)", 21, "expected a constant", "write 'b'"),
            ("event(A).count() >= 1", 7, "expected an event's name in single quotes", "write 'A'"),
            ("event('A').count('x') >= 1", 18, "count() takes no arguments", "where"),
            ("event('A').sum('x') >= 1", 16, "expected property('…')", "write sum(property('x'))"),
            ("event('A').mode(property('x')) = 'y'", 30, "mode needs the number of times", "mode(property('…'), 2)"),
            ("event('A').sources('x').count() = 0", 20, "expected 'exclude:'", "sources({exclude:"),
            ("event('A').between(3 days).count() = 0", 26, "expected ',', found ')'", nil),
            ("trait('a') = 1 # comment", 16, "unexpected character '#'", nil),
        ] as [(String, Int, String, String?)])
    func slips(text: String, column: Int, message: String, suggestion: String?) throws {
        let error = try first(text)
        #expect(error.column == column, "\(error)")
        #expect(error.message.contains(message), "\(error)")
        if let suggestion { #expect(error.suggestion?.contains(suggestion) == true, "\(error)") }
    }

    @Test func aTraitIsAValue() throws {
        let compared = try first("event('A').count() >= 1", kind: .trait)
        #expect(compared.column == 20)
        #expect(compared.message == "a computed trait is a value, not a condition")
        #expect(try first("event('A').count().exists()", kind: .trait).suggestion == "remove .exists(…)")
        #expect(try first("trait('a')", kind: .trait).message.contains("can't be a function of other traits"))
    }

    @Test("independent errors are told at once")
    func several() {
        let text = """
            event('A').within(30 dayz).cuont() >= 1
            AND (trait('a') = OR trait(b) = 2)
            OR event('B').where(propertie('x') = 1 AND property('y') ~ 2).sum('z') > 1
            """
        let places = errors(text).map { "\($0.line):\($0.column)" }
        #expect(places == ["1:22", "1:28", "2:19", "2:28", "3:21", "3:58", "3:67"])
    }

    @Test func limits() throws {
        let long = try first(String(repeating: " ", count: 10_000) + "trait('a') = 1")
        #expect(long.message == "the query is longer than 10000 characters")
        #expect(errors(String(repeating: " ", count: 9_986) + "trait('a') = 1").isEmpty)

        let fifty = Array(repeating: "trait('a') = 1", count: 50).joined(separator: " OR ")
        #expect(errors(fifty).isEmpty)
        let tooMany = try first(fifty + " OR trait('b') = 2")
        #expect(tooMany.message == "a definition has at most 50 conditions")
        #expect(tooMany.column == fifty.count + 5)

        let inside = Array(repeating: "property('a') = 1", count: 49).joined(separator: " AND ")
        #expect(errors("event('A').where(\(inside)).count()", kind: .trait).isEmpty)
        #expect(errors("event('A').where(\(inside) AND property('b') = 1).count()", kind: .trait).count == 1)
        #expect(errors("event('A').where(\(inside)).count() = 1").isEmpty)
        #expect(errors("event('A').where(\(inside)).count() = 1 AND trait('b') = 1").count == 1)
    }

    @Test("nesting is bounded, hostile nesting is told, not survived by luck")
    func nesting() throws {
        func parens(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "trait('a') = 1" + String(repeating: ")", count: depth)
        }
        #expect(errors(parens(64)).isEmpty)
        #expect(try first(parens(65)).message == "conditions are nested deeper than 64 levels")
        #expect(errors(parens(4_990)).count == 1)
        #expect(errors(String(repeating: "(", count: 10_000)).count == 1)
        #expect(errors(String(repeating: "NOT ", count: 2_400) + "trait('a') = 1").count == 1)
        #expect(errors(String(repeating: "event('A').where(", count: 500)).count == 1)
        #expect(!errors(String(repeating: "literal(", count: 1_000)).isEmpty)
    }

    @Test("a query that only fits when squeezed is refused, for its canonical print is what is stored")
    func canonicalLength() throws {
        let squeezed = "trait('a').one_of(" + Array(repeating: "1", count: 4_990).joined(separator: ",") + ")"
        #expect(squeezed.count < 10_000)
        #expect(try first(squeezed).message.contains("when it is printed"))
    }

    @Test(
        "thousands of errors cost no more than the twenty that are told", .timeLimit(.minutes(1)),
        arguments: ["#", "AND ", "= ", "'a' ", "0-", "(a) OR ", "trait('\\q') = 1 OR ", "event(", "“", "\n'"])
    func manyErrors(fragment: String) {
        let text = String(repeating: fragment, count: 10_000 / fragment.unicodeScalars.count)
        let count = errors(text).count
        #expect(count >= 1 && count <= 20)
    }

    // MARK: Fuzzing

    private static let seeds =
        SpecExamples.audiences.map(\.query) + SpecExamples.accountAudiences.map(\.query) + SpecExamples.traits

    private static let fragments = [
        "(", ")", "{", "}", "[", "]", ",", ".", ":", "=", "!=", "<", ">=", "AND", "OR", "NOT ", "ANY ", "ALL ",
        "event(",
        "trait('", "property(parent: ", "where(", "within(", "30 days", "2025-03-01", "-1", ".20", "1e999", "'", "\\",
        "\n", "\r\n", "as ", "\u{301}", "👩‍👩‍👧", "\u{0}", "literal(", "sources({exclude: [", "mode(", "\"", "“",
        "9999999999",
    ]

    private func isValid(_ error: QueryError, in text: String) -> Bool {
        let unified = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
        let lines = unified.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(error.line - 1) else { return false }
        let count = lines[error.line - 1].count
        return error.column >= 1 && error.column <= count + 1 && error.length >= 1
            && error.column + error.length <= count + 2 && !error.message.isEmpty
            && error.excerpt.contains("^")
    }

    @Test("mutated queries never crash, and every error has a valid place", arguments: 0..<16)
    func mutations(block: Int) {
        for offset in 0..<250 {
            let seed = UInt64(block * 1000 + offset)
            var random = SeededRandom(seed: seed)
            var scalars = Array(random.pick(Self.seeds).unicodeScalars)
            for _ in 0...random.below(4) {
                let place = random.below(scalars.count + 1)
                switch random.below(4) {
                case 0: scalars.removeSubrange(place..<min(scalars.count, place + random.below(6)))
                case 1: scalars.insert(contentsOf: random.pick(Self.fragments).unicodeScalars, at: place)
                case 2: scalars.insert(Unicode.Scalar(UInt8(random.below(128))), at: place)
                default:
                    let other = Array(random.pick(Self.seeds).unicodeScalars)
                    scalars.replaceSubrange(place..., with: other.suffix(random.below(other.count + 1)))
                }
            }
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars)
            check(String(view), seed: seed)
        }
    }

    @Test("random bytes never crash, and every error has a valid place", arguments: 0..<4)
    func randomBytes(block: Int) {
        for offset in 0..<250 {
            let seed = UInt64(block * 1000 + offset)
            var random = SeededRandom(seed: seed)
            let bytes = random.many(0...200) { UInt8($0.below(256)) }
            check(String(decoding: bytes, as: UTF8.self), seed: seed)
            check(random.many(0...60) { $0.pick(Self.fragments) }.joined(), seed: seed)
        }
    }

    private func check(_ text: String, seed: UInt64) {
        for kind in Computation.Kind.allCases {
            do {
                let definition = try Definition.compile(text, kind: kind, level: .accounts)
                let again = try Definition.parse(definition.text, kind: kind)
                #expect(again == definition, "seed \(seed): \(text)")
            } catch {
                #expect(!error.errors.isEmpty)
                for error in error.errors {
                    #expect(isValid(error, in: text), "seed \(seed): \(text.debugDescription)\n\(error)")
                }
            }
        }
    }
}

import JSON
import Model
import Query
import Testing

@testable import Evaluation

// Comparators and reducers, value by value (spec: engage §1.3, §2.4).

@Suite struct ComparatorTests {
    @Test(
        arguments: [
            ("= 5", 5, true), ("= 5", "5", true), ("= '5'", 5, true), ("= '5.0'", 5, true), ("= '05'", "5", false),
            ("= 5", "05", true), ("= 5", "5 ", false), ("= 'a'", "a", true), ("= 'a'", "A", false),
            ("= 'true'", true, true),
            ("= true", "true", true), ("= 'TRUE'", true, false), ("= 1", true, false), ("= true", 1, false),
            ("!= 5", 6, true), ("!= 5", "5", false), ("!= 'a'", ["a"], true), ("= '[\"a\"]'", ["a"], true),
            ("= ''", "", true), (" = 'é'", "e\u{301}", false),
            (".one_of('a', 5)", "a", true), (".one_of('a', 5)", "5", true), (".one_of('a', 5)", "b", false),
            (".none_of('a', 5)", "b", true), (".none_of('a', 5)", 5, false),
        ] as [(String, JSONValue, Bool)])
    func `Equality matches exactly, across types as literals are written`(
        comparison: String, value: JSONValue, expected: Bool
    ) throws {
        #expect(try Scenario.holds("property('v') \(comparison)", of: value) == expected)
    }

    @Test(
        arguments: [
            ("< 10", 9, true), ("< 10", "9", true), ("< '10'", "9", true), ("< '10'", 9, true), ("<= 10", 10, true),
            ("> 10", 10, false), (">= 10", 10, true), ("< 'b'", "a", true), ("< 'b'", "B", true), ("> 5", "abc", false),
            ("< 5", "abc", false), ("< 'true'", true, false), ("> 0", ["1"], false),
            ("< 2025-01-01", "2024-12-31", true),
            ("< 2025-01-01", "2024-12-31T23:00:00-02:00", false), ("< 2025-01-01", "yesterday", false),
            ("= 2025-01-01", "2025-01-01T00:00:00Z", true), ("= 2025-01-01", "2025-01-01", true),
            ("> 2025-01-01", 1_900_000_000_000, false),
        ] as [(String, JSONValue, Bool)])
    func `Orderings compare numbers as numbers, dates as dates, other strings by their bytes`(
        comparison: String, value: JSONValue, expected: Bool
    ) throws {
        #expect(try Scenario.holds("property('v') \(comparison)", of: value) == expected)
    }

    @Test(
        arguments: [
            (".contains('b')", "abc", true), (".contains('x', 'c')", "abc", true), (".contains('B')", "abc", false),
            (".contains('')", "abc", true), (".contains('abcd')", "abc", false), (".omits('b')", "abc", false),
            (".omits('x', 'y')", "abc", true), (".starts_with('ab')", "abc", true),
            (".starts_with('bc')", "abc", false),
            (".ends_with('bc')", "abc", true), (".ends_with('aabc')", "abc", false), (".contains('5')", 153, true),
            (".contains('red')", ["dark red", "blue"], true), (".contains('\"sku\":\"a\"')", [["sku": "a"]], true),
            (".contains('city')", ["city": "Rome"], true), (".starts_with('tr')", true, true),
        ] as [(String, JSONValue, Bool)])
    func `Text operators look at the text of any value, lists and objects as compact JSON`(
        comparison: String, value: JSONValue, expected: Bool
    ) throws {
        #expect(try Scenario.holds("property('v')\(comparison)", of: value) == expected)
    }

    @Test func `A condition on elements holds if it holds for any of them`() throws {
        for (comparison, value, expected) in [
            ("= 'a'", ["a", "b"], true), ("= 'c'", ["a", "b"], false), ("!= 'a'", ["a", "b"], true),
            ("!= 'a'", ["a"], false), (".omits('a')", ["a", "b"], true), (".omits('a')", ["a"], false),
            (".exists()", [nil, 1], true), (".exists()", [], false), (".absent()", [], true),
            (".absent()", [nil, 1], true),
            (".omits('a')", [], true), ("!= 'a'", [], false), ("= 'a'", "a", false), (".absent()", "a", true),
        ] as [(String, JSONValue, Bool)] {
            #expect(
                try Scenario.holds("property('v.$') \(comparison)", of: value) == expected, "\(comparison) of \(value)")
        }
        let items: JSONValue = [["sku": "a", "tags": ["x"]], ["sku": "b"], ["tags": []]]
        #expect(try Scenario.holds("property('v.$.sku') = 'b'", of: items))
        #expect(try Scenario.holds("property('v.$.tags.$') = 'x'", of: items))
        #expect(try Scenario.holds("property('v.$.sku').absent()", of: items))
        #expect(try !Scenario.holds("property('v.sku') = 'a'", of: items))
    }

    @Test func `Dates need a zone or are bare; operators with spans are inclusive and flip at their exact instant`()
        throws
    {
        let noon = Scenario.hour(12)
        for (value, isDate) in [
            (.string(noon.description), true), (.string(String(noon.description.dropLast())), false),
            (.number(Int(noon.milliseconds)), false), (.string("2023-11-15"), true), (["2023-11-15"], false),
        ] as [(JSONValue, Bool)] {
            #expect(try Scenario.holds("property('v').before_date(2030-01-01)", of: value) == isDate, "\(value)")
            #expect(try Scenario.holds("property('v').after_date('2000-01-01T00:00:00')", of: value) == isDate)
        }
        var scenario = Scenario()
        scenario.identify(["d": .string(noon.description)])
        let step = Scenario.millisecond
        // Each with the instants at which it begins and ends to be true.
        for (operator_, begin, end) in [
            ("within_last(2 hours)", noon, noon + .hours(2) + step),
            ("within_next(2 hours)", noon - .hours(2), noon + step),
            ("before_last(2 hours)", noon + .hours(2), nil),
            ("after_next(2 hours)", nil, noon - .hours(2) + step),
        ] as [(String, Instant?, Instant?)] {
            let query = "trait('d').\(operator_)"
            var now = Scenario.hour(1)
            var seen: [Evaluation] = []
            while seen.count < 5 {
                let evaluation = try scenario.audience(query, at: now)
                seen.append(evaluation)
                guard let next = evaluation.changesAt else { break }
                now = next
            }
            var expected: [Evaluation] = []
            if let begin { expected.append(Evaluation(value: false, changesAt: begin)) }
            expected.append(Evaluation(value: true, changesAt: end))
            if end != nil { expected.append(Evaluation(value: false)) }
            #expect(seen == expected, "\(operator_)")
        }
    }
}

@Suite struct ReducerTests {
    private func scenario(_ values: [JSONValue]) -> Scenario {
        var scenario = Scenario()
        for (hours, value) in values.enumerated() { scenario.track("A", ["v": value], at: Double(hours)) }
        return scenario
    }

    @Test func `Numbers and numeric strings are summed, anything else is skipped`() throws {
        let scenario = scenario([19.99, "39.98", "x", nil, true, [1], "", " 1", "0x10", "nan", "1e1"])
        #expect(try scenario.trait("event('A').sum(property('v'))") == 69.97)
        #expect(try scenario.trait("event('A').avg(property('v'))").double == 23.3233333333333)
        #expect(try scenario.trait("event('A').min(property('v'))") == 10)
        #expect(try scenario.trait("event('A').max(property('v'))") == 39.98)
        #expect(try scenario.trait("event('A').count()") == 11)
        #expect(try scenario.trait("event('A').sum(property('other'))") == nil)
        #expect(try scenario.trait("event('B').sum(property('v'))") == nil)
        #expect(try scenario.trait("event('B').count()") == 0)
    }

    @Test func `Sums show no noise of binary fractions`() throws {
        #expect(try scenario([0.1, 0.2]).trait("event('A').sum(property('v'))") == 0.3)
        #expect(try scenario(Array(repeating: 19.99, count: 3)).trait("event('A').sum(property('v'))") == 59.97)
        #expect(try scenario([1e300, 1e-300]).trait("event('A').sum(property('v'))") == 1e300)
        #expect(try scenario([1e308, 1e308]).trait("event('A').sum(property('v'))") == nil)
        #expect(try scenario([0.1, -0.1]).trait("event('A').sum(property('v'))") == 0)
    }

    @Test func `Extremes as string go by bytes; numbers keep their digits`() throws {
        let scenario = scenario([10, "9", "b", "B", 9_007_199_254_740_993])
        #expect(try scenario.trait("event('A').max(property('v') as string)") == "b")
        #expect(try scenario.trait("event('A').min(property('v') as string)") == "10")
        #expect(try scenario.trait("event('A').max(property('v'))") == 9_007_199_254_740_993)
        #expect(try scenario.trait("event('A').min(property('v'))") == 9)
    }

    @Test func `First and last skip what lacks the property, and heed late events`() throws {
        var scenario = scenario([nil, "b", "c", nil])
        #expect(try scenario.trait("event('A').first(property('v'))") == "b")
        #expect(try scenario.trait("event('A').last(property('v'))") == "c")
        scenario.track("A", ["v": ["late": true]], at: 0.5, received: 50)
        #expect(try scenario.trait("event('A').first(property('v'))") == ["late": true])
        scenario.track("A", ["v": ["x", nil]], at: 9)
        #expect(try scenario.trait("event('A').last(property('v.$'))") == "x")
        #expect(try scenario.trait("event('A').last(context('timestamp'))") == .string(Scenario.hour(9).description))
    }

    @Test func `Lists tell values apart by their text and keep the type that came first`() throws {
        let scenario = scenario([5, "5", "true", true, ["b", "a"], ["b", "a"], 10, nil])
        #expect(try scenario.trait("event('A').unique(property('v'))") == [10, 5, ["b", "a"], "true"])
        #expect(try scenario.trait("event('A').unique(property('v.$'))") == ["a", "b"])
        #expect(try scenario.trait("event('A').mode(property('v'), 2)") == 5)
        #expect(try scenario.trait("event('A').mode(property('v.$'), 2)") == "a")
        #expect(try scenario.trait("event('A').mode(property('v.$') as array, 2)") == ["b", "a"])
    }

    @Test func `More than 10,000 distinct values are cut, and that is said`() throws {
        var scenario = Scenario()
        for number in 0..<10_005 { scenario.track("A", ["v": .number(number)], at: Double(number) / 1000) }
        let definition = try Definition.compile("event('A').unique(property('v'))", kind: .trait)
        let evaluation = CompiledQuery(definition)
            .evaluate(.user(Scenario.user()), in: scenario.history, at: Scenario.hour(100))
        #expect(evaluation.isTruncated)
        #expect(evaluation.value.array?.count == 10_000)
        // Those that came first are kept.
        #expect(evaluation.value.array?.contains(9999) == true)
        #expect(evaluation.value.array?.contains(10_000) == false)
    }

    @Test func `The latest session goes on while events come within the gap, and stays until the next`() throws {
        var scenario = Scenario()
        for hours in [0, 0.5, 1.5, 4, 4.5] { scenario.track("A", at: hours) }
        let query = "event('A').expires_after(1 hour).count()"
        #expect(try scenario.trait(query, at: 1) == 2)
        // Exactly an hour after the one before: still the same session.
        #expect(try scenario.trait(query, at: 1.5) == 3)
        #expect(try scenario.trait(query, at: 3.9) == 3)
        #expect(try scenario.trait(query, at: 4) == 1)
        #expect(try scenario.trait(query, at: 1000) == 2)
        #expect(
            try scenario.trait("event('A').expires_after(1 hour).first(context('timestamp'))", at: 9)
                == .string(Scenario.hour(4).description))
    }

    @Test func `A windowed sum changes when its oldest event leaves`() throws {
        var scenario = Scenario()
        scenario.track("A", ["v": 1], at: 1)
        scenario.track("A", ["v": 2], at: 2)
        let definition = try Definition.compile("event('A').within(10 hours).sum(property('v'))", kind: .trait)
        let query = CompiledQuery(definition)
        func evaluate(_ now: Instant) -> Evaluation {
            query.evaluate(.user(Scenario.user()), in: scenario.history, at: now)
        }
        let first = Scenario.hour(11) + Scenario.millisecond
        let second = Scenario.hour(12) + Scenario.millisecond
        #expect(evaluate(Scenario.hour(3)) == Evaluation(value: 3, changesAt: first))
        #expect(evaluate(first) == Evaluation(value: 2, changesAt: second))
        #expect(evaluate(second) == Evaluation(value: nil))
    }

    @Test func `Decimal texts are read as JSON numbers are, and rounded sums to 15 digits`() {
        let texts = [
            "0", "-0", "12.5", "+3", ".5", "5.", "1e3", "1E-2", "123456789012345678", "0.000000000000000000001",
        ]
        for text in texts {
            #expect(NumericText.parse(text) == Double(text.hasSuffix(".") ? text + "0" : text), "\(text)")
        }
        for text in ["", "-", ".", "1.2.3", "1e", "1e+", "e5", "1 ", "0x1", "inf", "nan", "1e999", "١"] {
            #expect(NumericText.parse(text) == nil, "\(text)")
        }
        #expect(NumericText.rounded(59.97000000000001) == 59.97)
        #expect(NumericText.rounded(-0.30000000000000004) == -0.3)
        #expect(NumericText.rounded(123_456_789_012_345.67) == 123_456_789_012_346)
        #expect(NumericText.rounded(1e22) == 1e22)
        #expect(NumericText.rounded(0) == 0)
    }
}

// The right sides of comparisons, as symbols and as words (spec: engage §2.4).
extension Parser {
    mutating func comparator(after left: Scalar) throws(Failure) -> Located<Comparator> {
        let start = token.range.lowerBound
        if case .symbol(let symbol) = token.kind, let make = Parser.symbol(symbol) {
            advance()
            return try comparator(with: make, from: start)
        }
        guard isSymbol(".") else { throw fail(withoutComparator: left) }
        guard case .word(let name) = next.kind else {
            advance()
            throw fail("expected a comparison after '.', found \(described)", suggestion: "write for example .exists()")
        }
        advance()
        guard Vocabulary.comparators.contains(name) else { throw fail(unknownAfterReducer(name)) }
        advance()
        try expect("(")
        switch name {
        case "equals": return try call(Comparator.equals, from: start)
        case "differs": return try call(Comparator.differs, from: start)
        default:
            let comparator = try comparatorArguments(name)
            try expect(")")
            return Located(node: comparator, spans: [span(from: start)])
        }
    }

    private static func symbol(_ symbol: String) -> ((Scalar) -> Comparator)? {
        switch symbol {
        case "=", "==": Comparator.equals
        case "!=": Comparator.differs
        case "<": Comparator.lessThan
        case "<=": Comparator.lessThanOrEqual
        case ">": Comparator.greaterThan
        case ">=": Comparator.greaterThanOrEqual
        default: nil
        }
    }

    private mutating func comparator(
        with make: (Scalar) -> Comparator, from start: Int
    ) throws(Failure) -> Located<Comparator> {
        if case .symbol = token.kind, Parser.symbol(describedText) != nil {
            throw fail("expected a value, found \(described)")
        }
        let right = try scalar()
        return Located(node: make(right.node), spans: [span(from: start)] + right.spans)
    }

    private mutating func call(
        _ make: (Scalar) -> Comparator, from start: Int
    ) throws(Failure) -> Located<Comparator> {
        let right = try scalar()
        try expect(")")
        return Located(node: make(right.node), spans: [span(from: start)] + right.spans)
    }

    private mutating func comparatorArguments(_ name: String) throws(Failure) -> Comparator {
        switch name {
        case "exists", "absent":
            if !isSymbol(")") { throw fail("\(name)() takes no arguments, found \(described)") }
            return name == "exists" ? .exists : .absent
        case "one_of": return .oneOf(try literals())
        case "none_of": return .noneOf(try literals())
        case "contains": return .contains(try literals())
        case "omits": return .omits(try literals())
        case "starts_with": return .startsWith(try literal())
        case "ends_with": return .endsWith(try literal())
        case "before_date": return .beforeDate(try literal())
        case "after_date": return .afterDate(try literal())
        case "within_last": return .withinLast(try duration())
        case "within_next": return .withinNext(try duration())
        case "before_last": return .beforeLast(try duration())
        default: return .afterNext(try duration())
        }
    }

    /// Constants with commas between; a bracketed list is taken too. An empty list is the type checker's affair.
    private mutating func literals() throws(Failure) -> [Literal] {
        let hasBrackets = accept("[")
        let closing = hasBrackets ? "]" : ")"
        var values: [Literal] = []
        if !isSymbol(closing) {
            repeat { values.append(try literal()) } while accept(",")
        }
        if hasBrackets { try expect("]") }
        return values
    }

    // MARK: Errors

    private mutating func fail(withoutComparator left: Scalar) -> Failure {
        if case .word(let word) = token.kind, let suggestion = wordOperator(word.lowercased()) {
            return fail("expected a comparison, found '\(shortened(word))'", suggestion: suggestion)
        }
        let example =
            switch left {
            case .reduction: "= or >= 1"
            default: "= 'value' or .exists()"
            }
        return fail("expected a comparison such as \(example), found \(described)")
    }

    /// Advice for operators written as in SQL: `contains 'x'`, `IN (…)`, `IS NULL`.
    private func wordOperator(_ word: String) -> String? {
        Vocabulary.comparators.contains(word)
            ? "write .\(word)(…)" : Vocabulary.suggestion(forMember: word, among: Vocabulary.comparators)
    }

    func unknownAfterReducer(_ name: String) -> (message: String, suggestion: String?) {
        if Vocabulary.filters.contains(name) {
            return (
                "filters come before the reducer, found .\(name)(…) behind it", "write event('…').\(name)(…).count()"
            )
        }
        if Vocabulary.reducers.contains(name) {
            return ("expected a comparison, found the reducer .\(name)(…)", "reducers follow event(…) and its filters")
        }
        if Vocabulary.comparators.contains(name) {
            return ("a computed trait is a value, not a condition", "remove .\(name)(…)")
        }
        return (
            "there is no comparison '\(shortened(name))'",
            Vocabulary.suggestion(forMember: name, among: Vocabulary.comparators)
        )
    }

    private mutating func fail(_ problem: (message: String, suggestion: String?)) -> Failure {
        report(problem)
        return Failure()
    }
}

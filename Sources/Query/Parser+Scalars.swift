import Model

// Values: extractors, literals, streams with their filters and reducers.
extension Parser {
    mutating func scalar() throws(Failure) -> Located<Scalar> {
        let start = token.range.lowerBound
        let value: Scalar
        switch token.kind {
        case .word(let name) where Vocabulary.keywords.contains(name.uppercased()):
            throw fail("expected a condition or a value, found \(described)")
        case .word("event"): return try reduction()
        case .word("trait"):
            advance()
            value = .trait(try path("a trait's key"))
        case .word("property"):
            advance()
            try expect("(")
            if isParentMark {
                skipParentMark()
                value = .parentProperty(try pathText("a property's name"))
            } else {
                value = .property(try pathText("a property's name"))
            }
            try expect(")")
        case .word("context"):
            advance()
            value = .context(try path("a path into the context"))
        case .word("entity"):
            throw fail(
                "entity(…) belongs to linked audiences, which query a warehouse; Muster has events",
                suggestion: "write event('…')")
        case .word(let name) where !Parser.isLiteralWord(name): throw unknownExtractor(name)
        case .word, .string, .number, .instant: value = .literal(try literal())
        case .symbol, .end: throw fail("expected a condition or a value, found \(described)")
        }
        return Located(node: value, spans: [span(from: start)])
    }

    private static func isLiteralWord(_ name: String) -> Bool {
        name == "literal" || name.lowercased() == "true" || name.lowercased() == "false"
    }

    private mutating func unknownExtractor(_ name: String) -> Failure {
        let shown = shortened(name)
        if Vocabulary.filters.contains(name) || Vocabulary.reducers.contains(name)
            || Vocabulary.comparators.contains(name)
        {
            return fail(
                "\(name)(…) belongs behind something: expected event(…), trait(…) or another value",
                suggestion: "write event('…').\(name)(…)")
        }
        guard next.kind == .symbol("(") else {
            return fail(
                "expected a condition or a value, found '\(shown)'",
                suggestion: "write trait('\(shown)'), property('\(shown)') or, if it is text, '\(shown)'")
        }
        let nearest = Vocabulary.nearest(to: name, among: Vocabulary.extractors)
        return fail("there is no function '\(shown)'", suggestion: nearest.map { "did you mean \($0)(…)?" })
    }

    // MARK: Literals

    mutating func literal() throws(Failure) -> Literal {
        switch token.kind {
        case .number(let number):
            advance()
            return .number(number)
        case .instant(let instant):
            let text = source.text(token.range)
            advance()
            return .instant(instant, text: text)
        case .string: return .string(try string("a text", isPath: false))
        case .word(let word) where word.lowercased() == "true" || word.lowercased() == "false":
            advance()
            return .boolean(word.lowercased() == "true")
        case .word("literal"):
            advance()
            try expect("(")
            // `literal(literal(…))` says nothing and would nest without bound.
            if token.kind == .word("literal") { throw fail("expected a constant, found 'literal'") }
            let value = try literal()
            try expect(")")
            return value
        case .word(let word) where Vocabulary.extractors.contains(word):
            throw fail(
                "expected a constant, found '\(word)'", suggestion: "only = != < <= > >= compare with other values")
        default:
            let suggestion: String? = if case .word = token.kind { "write '\(describedText)'" } else { nil }
            throw fail(
                "expected a constant: a text in quotes, a number, a date, true or false; found \(described)",
                suggestion: suggestion)
        }
    }

    mutating func string(_ what: String, isPath: Bool) throws(Failure) -> String {
        guard token.kind == .string else {
            let suggestion: String? = if case .word = token.kind { "write '\(describedText)'" } else { nil }
            throw fail("expected \(what) in single quotes, found \(described)", suggestion: suggestion)
        }
        let range = token.range
        let text = decode(range.lowerBound + 1..<max(range.lowerBound + 1, range.upperBound - 1), isPath: isPath)
        advance()
        return text
    }

    /// Resolves the escapes of a string. In a path `\.` and `\$` are left for `PropertyPath(text:)`.
    private mutating func decode(_ range: Range<Int>, isPath: Bool) -> String {
        var text = String.UnicodeScalarView()
        var position = range.lowerBound
        while position < range.upperBound {
            let scalar = source.scalars[position]
            position += 1
            guard scalar == "\\", position < range.upperBound else {
                text.append(scalar)
                continue
            }
            let start = position - 1
            let escaped = source.scalars[position]
            position += 1
            switch escaped {
            case "\\", "'", "\"": text.append(escaped)
            case "n": text.append("\n")
            case "r": text.append("\r")
            case "t": text.append("\t")
            case "u":
                guard let (decoded, end) = unicodeEscape(from: position, before: range.upperBound) else {
                    report(
                        escape: start..<position, "a Unicode escape has the form \\u{E9}: up to six hexadecimal digits")
                    continue
                }
                text.append(decoded)
                position = end
            case ".", "$":
                guard isPath else { fallthrough }
                text.append("\\")
                text.append(escaped)
            default: report(escape: start..<position, "there is no escape \\\(escaped); a backslash is written \\\\")
            }
        }
        return String(text)
    }

    private func unicodeEscape(from start: Int, before end: Int) -> (Unicode.Scalar, end: Int)? {
        guard start < end, source.scalars[start] == "{",
            let close = source.scalars[start..<min(end, start + 8)].firstIndex(of: "}"),
            let value = UInt32(source.text(start + 1..<close), radix: 16), let scalar = Unicode.Scalar(value)
        else { return nil }
        return (scalar, close + 1)
    }

    private mutating func report(escape range: Range<Int>, _ message: String) {
        diagnostics.add(source, range, message)
    }

    mutating func path(_ what: String) throws(Failure) -> PropertyPath {
        try expect("(")
        let path = try pathText(what)
        try expect(")")
        return path
    }

    private mutating func pathText(_ what: String) throws(Failure) -> PropertyPath {
        PropertyPath(text: try string(what, isPath: true))
    }

    // MARK: Streams

    private mutating func reduction() throws(Failure) -> Located<Scalar> {
        let start = token.range.lowerBound
        advance()
        try expect("(")
        var stream = EventStream(event: try string("an event's name", isPath: false))
        try expect(")")
        var spans: [Range<Int>] = []
        while true {
            guard accept(".") else { throw fail(withoutReducer: stream) }
            guard case .word(let name) = token.kind else {
                throw fail("expected a filter or a reducer after '.', found \(described)", suggestion: "write count()")
            }
            if Vocabulary.filters.contains(name) {
                if let filter = try filter(name) {
                    stream.filters.append(filter.node)
                    spans += filter.spans
                }
            } else if Vocabulary.reducers.contains(name) {
                let reducer = try reducer(name)
                return Located(
                    node: .reduction(stream, reducer.node), spans: [span(from: start)] + spans + reducer.spans)
            } else {
                throw unknownMember(name)
            }
        }
    }

    private mutating func fail(withoutReducer stream: EventStream) -> Failure {
        if case .symbol(let symbol) = token.kind, ["=", "==", "!=", "<", "<=", ">", ">="].contains(symbol) {
            return fail(
                "expected a reducer before the comparison, found '\(symbol)'", suggestion: "write .count() \(symbol)")
        }
        return fail(
            "expected a filter or a reducer such as .count(), found \(described)", suggestion: "write .count() >= 1")
    }

    private mutating func unknownMember(_ name: String) -> Failure {
        if Vocabulary.comparators.contains(name) {
            return fail(
                "expected a reducer before .\(name)(…): occurrences must become a value first",
                suggestion: "write .count() >= 1, or filter with .where(property('…').\(name)(…))")
        }
        let names = Vocabulary.filters + Vocabulary.reducers
        return fail(
            "there is no filter or reducer '\(shortened(name))'",
            suggestion: Vocabulary.suggestion(forMember: name, among: names))
    }

    /// `nil` where the arguments were wrong; the chain goes on behind them.
    private mutating func filter(_ name: String) throws(Failure) -> Located<StreamFilter>? {
        let start = token.range.lowerBound
        advance()
        try expect("(")
        let open = openBrackets
        do {
            let (filter, inner) = try filterArguments(name)
            try expect(")")
            return Located(node: filter, spans: [span(from: start)] + inner)
        } catch {
            try skipCall(open: open)
            return nil
        }
    }

    private mutating func filterArguments(_ name: String) throws(Failure) -> (StreamFilter, [Range<Int>]) {
        switch name {
        case "where":
            let hasBraces = accept("{")
            let condition = try nested { parser throws(Failure) in parser.disjunction() }
            if hasBraces { try expect("}") }
            return (.where(condition.node), condition.spans)
        case "sources": return (.excludingSources(try excludedSources()), [])
        case "expires_after": return (.expiresAfter(try duration()), [])
        case "between":
            let isOfParent = acceptParentMark()
            let from = try duration()
            try expect(",")
            let to = try duration()
            return (isOfParent ? .betweenParent(from, to) : .between(from, to), [])
        default:
            let isOfParent = acceptParentMark()
            let span = try duration()
            return (isOfParent ? .withinParent(span) : .within(span), [])
        }
    }

    private var isParentMark: Bool { token.kind == .word("parent") && next.kind == .symbol(":") }

    private mutating func skipParentMark() {
        advance()
        advance()
    }

    private mutating func acceptParentMark() -> Bool {
        guard isParentMark else { return false }
        skipParentMark()
        return true
    }

    /// `{exclude: 'a', 'b'}` or `{exclude: ['a', 'b']}`; the outer braces may be missing.
    private mutating func excludedSources() throws(Failure) -> [String] {
        let hasBraces = accept("{")
        guard token.kind == .word("exclude") else {
            throw fail("expected 'exclude:', found \(described)", suggestion: "write sources({exclude: 'source id'})")
        }
        advance()
        try expect(":")
        let hasBrackets = accept("[")
        var sources: [String] = []
        if !hasBrackets || !isSymbol("]") {
            repeat { sources.append(try string("a source's id", isPath: false)) } while accept(",")
        }
        if hasBrackets { try expect("]") }
        if hasBraces { try expect("}") }
        return sources
    }

    mutating func duration() throws(Failure) -> Duration {
        guard case .number(let number) = token.kind else {
            throw fail("expected a length of time such as 30 days, found \(described)")
        }
        let numberToken = token
        guard number >= 0 else { throw fail("a length of time can't be negative, found \(describedText)") }
        guard let count = Int64(exactly: number) else {
            throw fail(
                "expected a whole number of units, found \(describedText)",
                suggestion: "use a smaller unit, for example 36 hours for 1.5 days")
        }
        advance()
        guard case .word(let word) = token.kind else {
            throw fail(
                "expected a unit: seconds, minutes, hours, days or weeks; found \(described)",
                suggestion: "write \(count) days")
        }
        guard let unit = Vocabulary.units[word.lowercased()] else {
            throw fail(
                "expected a unit: seconds, minutes, hours, days or weeks; found '\(shortened(word))'",
                suggestion: Vocabulary.suggestion(forUnit: word, count: count))
        }
        let duration = Duration(count, unit)
        if duration.span > Duration.maximum {
            diagnostics.add(
                source, numberToken.range.lowerBound..<token.range.upperBound,
                "a length of time is at most 36500 days (100 years)")
            throw Failure()
        }
        advance()
        return duration
    }

    // MARK: Reducers

    private mutating func reducer(_ name: String) throws(Failure) -> Located<Reducer> {
        let start = token.range.lowerBound
        advance()
        try expect("(")
        let reducer: Reducer
        switch name {
        case "sum": reducer = .sum(try field(name))
        case "avg": reducer = .average(try field(name))
        case "first": reducer = .first(try field(name))
        case "last": reducer = .last(try field(name))
        case "unique": reducer = .unique(try field(name))
        case "min": reducer = .minimum(try field(name), try valueType())
        case "max": reducer = .maximum(try field(name), try valueType())
        case "mode": reducer = try mode()
        default:
            if !isSymbol(")") {
                throw fail(
                    "count() takes no arguments, found \(described)",
                    suggestion: "to count some events only, write .where(…).count()")
            }
            reducer = .count
        }
        try expect(")")
        if case .unique(let field) = reducer, isSymbol("."), next.kind == .word("count") {
            advance()
            advance()
            try expect("(")
            try expect(")")
            return Located(node: .uniqueCount(field), spans: [span(from: start)])
        }
        return Located(node: reducer, spans: [span(from: start)])
    }

    private mutating func field(_ reducer: String) throws(Failure) -> Field {
        switch token.kind {
        case .word("property"):
            advance()
            if next.kind == .word("parent") {
                advance()
                throw fail("a reducer reads the property of its own event, not the parent's")
            }
            return .property(try path("a property's name"))
        case .word("context"):
            advance()
            return .context(try path("a path into the context"))
        default:
            let name = token.kind == .string ? describedText : "'…'"
            throw fail(
                "expected property('…') or context('…'), found \(described)",
                suggestion: "write \(reducer)(property(\(name)))")
        }
    }

    private mutating func valueType() throws(Failure) -> ValueType? {
        guard case .word(let word) = token.kind, word.lowercased() == "as" else { return nil }
        advance()
        guard case .word(let name) = token.kind, let type = ValueType(rawValue: name.lowercased()) else {
            throw fail("expected number, string or array after 'as', found \(described)")
        }
        advance()
        return type
    }

    private mutating func mode() throws(Failure) -> Reducer {
        let field = try field("mode")
        let type = try valueType()
        guard accept(",") else {
            throw fail(
                "mode needs the number of times that a value must occur at least, found \(described)",
                suggestion: "write mode(property('…'), 2)")
        }
        guard case .number(let number) = token.kind, let frequency = Int(exactly: number) else {
            throw fail("expected a whole number as the least frequency, found \(described)")
        }
        advance()
        return .mode(field, type, minimumFrequency: frequency)
    }
}

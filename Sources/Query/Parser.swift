import Model

/// Recursive descent over the grammar of engage §3.1. It never stops at the first error: a failed condition is skipped up
/// to the next AND, OR or closing bracket of its own level, and parsing goes on there.
struct Parser {
    /// What a parse function throws after it has recorded why.
    struct Failure: Error {}

    /// A node and the places of all nodes below it, in the order of `TreeWalk`, its own place first.
    struct Located<Node> {
        var node: Node
        var spans: [Range<Int>]
    }

    let source: SourceText
    let limits: QueryLimits
    var diagnostics: Diagnostics
    private let tokens: [Token]
    private var index = 0
    /// How many brackets are open before the current token.
    private(set) var openBrackets = 0
    private var nesting = 0

    init(source: SourceText, limits: QueryLimits) {
        var lexer = Lexer(source: source)
        lexer.run()
        self.source = source
        self.limits = limits
        self.tokens = lexer.tokens
        self.diagnostics = lexer.diagnostics
        if source.isCut {
            diagnostics = Diagnostics()
            let end = source.scalars.count
            let message = "the query is longer than \(limits.characters) characters"
            let advice = "split it into several audiences and combine these with trait('key') = 'true'"
            diagnostics.add(source, end..<end, message, advice)
            diagnostics.close()
            index = tokens.count - 1
        }
    }

    mutating func definition(_ kind: Computation.Kind) -> Located<Definition> {
        let isEmpty = token.kind == .end
        switch kind {
        case .audience:
            if isEmpty { report("the query is empty", suggestion: "write for example event('Signed Up').count() >= 1") }
            let condition = disjunction()
            finish()
            return Located(node: .audience(condition.node), spans: condition.spans)
        case .trait:
            if isEmpty {
                report("the query is empty", suggestion: "write for example event('Order Completed').count()")
            }
            do {
                let value = try scalar()
                finish(isTrait: true)
                return Located(node: .trait(value.node), spans: value.spans)
            } catch {
                return Located(node: .trait(.literal(.boolean(true))), spans: [])
            }
        }
    }

    private mutating func finish(isTrait: Bool = false) {
        guard token.kind != .end else { return }
        switch token.kind {
        case .symbol(let symbol) where symbol == ")" || symbol == "}" || symbol == "]":
            report("nothing is open that this '\(symbol)' could close", suggestion: "remove it")
        case .symbol("="), .symbol("=="), .symbol("!="), .symbol("<"), .symbol("<="), .symbol(">"), .symbol(">="):
            report(
                "a computed trait is a value, not a condition",
                suggestion: "remove everything from '\(describedText)' on")
        case .symbol(".") where isTrait:
            if case .word(let name) = next.kind {
                advance()
                report(unknownAfterReducer(name))
            } else {
                report("expected the end, found \(described)")
            }
        default: report("expected the end, found \(described)")
        }
    }

    // MARK: Conditions

    /// Never fails: what can't be read is reported, skipped, and stands as a placeholder.
    mutating func disjunction() -> Located<Condition> {
        let start = token.range.lowerBound
        var operands = [conjunction()]
        while accept(keyword: "OR") { operands.append(conjunction()) }
        return joined(operands, from: start, Condition.or) { if case .or(let inner) = $0 { inner } else { nil } }
    }

    private mutating func conjunction() -> Located<Condition> {
        let start = token.range.lowerBound
        var operands = [operand()]
        while accept(keyword: "AND") { operands.append(operand()) }
        return joined(operands, from: start, Condition.and) { if case .and(let inner) = $0 { inner } else { nil } }
    }

    private func joined(
        _ operands: [Located<Condition>], from start: Int, _ make: ([Condition]) -> Condition,
        flattening inner: (Condition) -> [Condition]?
    ) -> Located<Condition> {
        if operands.count == 1 { return operands[0] }
        var nodes: [Condition] = []
        var spans = [span(from: start)]
        for operand in operands {
            if let parts = inner(operand.node) {
                nodes += parts
                spans += operand.spans.dropFirst()
            } else {
                nodes.append(operand.node)
                spans += operand.spans
            }
        }
        return Located(node: make(nodes), spans: spans)
    }

    private mutating func operand() -> Located<Condition> {
        let (openBefore, nestingBefore) = (openBrackets, nesting)
        do {
            let condition = try unary()
            if !isBoundary { throw fail(afterCondition: condition.node) }
            return condition
        } catch {
            nesting = nestingBefore
            while token.kind != .end, openBrackets > openBefore || !isBoundary { advance() }
            return Located(node: .comparison(.literal(.boolean(true)), .exists), spans: [])
        }
    }

    /// Whether a condition may end before the current token.
    private var isBoundary: Bool {
        switch token.kind {
        case .end: true
        case .symbol(let symbol): symbol == ")" || symbol == "}" || symbol == "]"
        case .word: isKeyword("AND") || isKeyword("OR")
        case .string, .number, .instant: false
        }
    }

    private mutating func unary() throws(Failure) -> Located<Condition> {
        let start = token.range.lowerBound
        let make: (Condition) -> Condition
        if accept(keyword: "NOT") {
            make = Condition.not
        } else if accept(keyword: "ANY") {
            make = Condition.any
        } else if accept(keyword: "ALL") {
            make = Condition.all
        } else if accept("(") {
            return try nested { parser throws(Failure) in
                let inner = parser.disjunction()
                try parser.expect(")")
                return inner
            }
        } else {
            return try comparison()
        }
        let operand = try nested { parser throws(Failure) in try parser.unary() }
        return Located(node: make(operand.node), spans: [span(from: start)] + operand.spans)
    }

    /// Guards the stack: counts one level while `body` runs.
    mutating func nested<Result>(
        _ body: (inout Parser) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if nesting >= limits.nesting {
            report("conditions are nested deeper than \(limits.nesting) levels", suggestion: "split the query")
            stop()
            throw Failure()
        }
        nesting += 1
        let result = try body(&self)
        nesting -= 1
        return result
    }

    private mutating func comparison() throws(Failure) -> Located<Condition> {
        let start = token.range.lowerBound
        let left = try scalar()
        let comparator = try comparator(after: left.node)
        return Located(
            node: .comparison(left.node, comparator.node), spans: [span(from: start)] + left.spans + comparator.spans)
    }

    private mutating func fail(afterCondition condition: Condition) -> Failure {
        switch token.kind {
        case .symbol(let symbol) where ["=", "==", "!=", "<", "<=", ">", ">=", "."].contains(symbol):
            return fail(
                "a comparison can't be compared again: expected AND, OR or the end, found \(described)")
        case .symbol(","): return fail("expected AND or OR, found ','", suggestion: "write AND")
        default: return fail("expected AND, OR or the end, found \(described)")
        }
    }

    // MARK: Tokens

    var token: Token { tokens[index] }
    var next: Token { tokens[min(index + 1, tokens.count - 1)] }

    mutating func advance() {
        guard index < tokens.count - 1 else { return }
        if case .symbol(let symbol) = token.kind {
            if ["(", "{", "["].contains(symbol) { openBrackets += 1 }
            if [")", "}", "]"].contains(symbol) { openBrackets = max(0, openBrackets - 1) }
        }
        index += 1
    }

    /// The place from a start to the end of the last token that was read.
    func span(from start: Int) -> Range<Int> {
        let end = index > 0 ? tokens[index - 1].range.upperBound : start
        return start..<max(start, end)
    }

    func isKeyword(_ keyword: String) -> Bool {
        if case .word(let word) = token.kind { word.uppercased() == keyword } else { false }
    }

    func isSymbol(_ symbol: String) -> Bool { token.kind == .symbol(symbol) }

    mutating func accept(keyword: String) -> Bool {
        guard isKeyword(keyword) else { return false }
        advance()
        return true
    }

    mutating func accept(_ symbol: String) -> Bool {
        guard isSymbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String) throws(Failure) {
        guard accept(symbol) else { throw fail("expected '\(symbol)', found \(described)") }
    }

    /// After an error inside a call: goes behind the bracket that closes it.
    mutating func skipCall(open: Int) throws(Failure) {
        while token.kind != .end {
            if openBrackets == open, isSymbol(")") {
                advance()
                return
            }
            if openBrackets < open { break }
            advance()
        }
        throw Failure()
    }

    // MARK: Errors

    /// The current token, for a message.
    var described: String {
        switch token.kind {
        case .end: "the end"
        case .string: "the string \(describedText)"
        case .number: "the number \(describedText)"
        case .instant: "the date \(describedText)"
        case .word, .symbol: "'\(describedText)'"
        }
    }
    var describedText: String { shortened(source.text(token.range)) }

    mutating func report(_ message: String, suggestion: String? = nil) {
        report((message, suggestion))
    }

    mutating func report(_ problem: (message: String, suggestion: String?)) {
        var suggestion = problem.suggestion
        if suggestion == nil, token.kind == .string, index > 0, tokens[index - 1].kind == .string,
            tokens[index - 1].range.upperBound == token.range.lowerBound
        {
            suggestion = "a quote inside a string is written \\'"
        }
        diagnostics.add(source, token.range, problem.message, suggestion)
    }

    mutating func fail(_ message: String, suggestion: String? = nil) -> Failure {
        report((message, suggestion))
        return Failure()
    }

    /// Ends parsing: nothing that follows could be understood.
    private mutating func stop() {
        diagnostics.close()
        index = tokens.count - 1
    }
}

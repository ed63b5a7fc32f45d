public import Model

// The query language (spec: engage §3): what an audience or a computed trait *is*, as text.
//
// This module reads text into a tree (`Definition`), writes trees as canonical text, checks that a tree means something
// (`check`), tells what it depends on (`dependencies`), gives advice that needs knowledge of the data (`hints`), and maps
// the console's builder onto the tree and back (`BuilderQuery`, `BuilderTrait`).
//
// Promises:
// * `parse(print(tree)) == tree` for every normalised tree, and printing is stable;
// * every error names its line, column and length, what was expected and what was found, and where possible a remedy;
// * hostile text costs bounded time and stack, and never a crash;
// * no clock, no locale, no Foundation: the same text gives the same answer everywhere.

/// How large a query may be (spec: engage §2.10).
public struct QueryLimits: Sendable, Hashable {
    /// Unicode code points, both as written and in the canonical print.
    public var characters: Int
    /// Comparisons, those inside `where(…)` included; the value of a computed trait counts as one more.
    public var primaryExpressions: Int
    /// Parentheses, `NOT`, `ANY`, `ALL` and `where` inside each other.
    public var nesting: Int

    public init(characters: Int = 10_000, primaryExpressions: Int = 50, nesting: Int = 64) {
        self.characters = characters
        self.primaryExpressions = primaryExpressions
        self.nesting = nesting
    }

    public static let standard = QueryLimits()
}

extension Definition {
    /// Reads a definition and checks that it means something at this level: what creating or editing one does.
    /// Throws every error that could be told apart, ordered by place.
    public static func compile(
        _ text: String, kind: Computation.Kind, level: Computation.Level = .users, limits: QueryLimits = .standard
    ) throws(QueryErrors) -> Definition {
        let parsed = try ParsedQuery(text, kind: kind, limits: limits)
        if let errors = QueryErrors(parsed.check(level: level)) { throw errors }
        return parsed.definition
    }

    /// Reads a definition, syntax only: enough for text that was compiled before it was stored.
    public static func parse(
        _ text: String, kind: Computation.Kind, limits: QueryLimits = .standard
    ) throws(QueryErrors) -> Definition {
        try ParsedQuery(text, kind: kind, limits: limits).definition
    }
}

extension Condition {
    /// Reads a condition over one event by itself, as it would stand in `where(…)`: its properties and context, without
    /// the profile and without other events. Throws every error that could be told apart.
    public static func ofOneEvent(_ text: String, limits: QueryLimits = .standard) throws(QueryErrors) -> Condition {
        let parsed = try ParsedQuery(text, kind: .audience, limits: limits)
        if let errors = QueryErrors(parsed.checkOfOneEvent()) { throw errors }
        guard case .audience(let condition) = parsed.definition else { preconditionFailure("a value is no condition") }
        return condition
    }
}

/// A definition together with the text it was read from, so that whatever is said about it can point at a place.
public struct ParsedQuery: Sendable {
    public let definition: Definition
    let source: SourceText
    /// The place of every node, in the order of `TreeWalk`.
    let spans: [Range<Int>]
    let limits: QueryLimits

    /// Throws every syntax error that could be told apart, ordered by place.
    public init(_ text: String, kind: Computation.Kind, limits: QueryLimits = .standard) throws(QueryErrors) {
        let source = SourceText(text, limit: limits.characters)
        var parser = Parser(source: source, limits: limits)
        let parsed = parser.definition(kind)
        if let errors = QueryErrors(parser.diagnostics.errors) { throw errors }
        let canonical = parsed.node.text
        if canonical.unicodeScalars.count > limits.characters {
            let error = source.error(
                at: 0..<1,
                "the query is longer than \(limits.characters) characters when it is printed with the usual spaces",
                suggestion: "split it into several audiences and combine these with trait('key') = 'true'")
            throw QueryErrors(first: error)
        }
        self.definition = parsed.node
        self.source = source
        self.spans = parsed.spans
        self.limits = limits
    }

    /// Takes a tree that did not come from text; places then refer to its canonical print.
    public init(printing definition: Definition) {
        let unlimited = QueryLimits(characters: .max, primaryExpressions: .max, nesting: QueryLimits.standard.nesting)
        let kind: Computation.Kind = if case .audience = definition { .audience } else { .trait }
        let source = SourceText(definition.text, limit: .max)
        var parser = Parser(source: source, limits: unlimited)
        let parsed = parser.definition(kind)
        self.definition = definition
        self.source = source
        self.spans = parsed.node == definition ? parsed.spans : []
        self.limits = .standard
    }
}

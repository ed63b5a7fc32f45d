import Model

/// One word of the language, with its place in the text.
struct Token: Sendable {
    enum Kind: Sendable, Hashable {
        case word(String)
        /// Quotes included in the range; decoded when the parser knows whether it is a path.
        case string
        case number(Double)
        case instant(Instant)
        case symbol(String)
        case end
    }

    var kind: Kind
    var range: Range<Int>
}

/// Cuts a text into tokens. What it does not understand it reports and mends, so that the parser can go on.
struct Lexer {
    private let source: SourceText
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private(set) var tokens: [Token] = []
    private(set) var diagnostics = Diagnostics()

    init(source: SourceText) {
        self.source = source
        self.scalars = source.scalars
    }

    /// Whether a date's text, standing without quotes, is read as one token that means the same instant.
    static func isUnquotedInstant(_ text: String, _ instant: Instant) -> Bool {
        var lexer = Lexer(source: SourceText(text, limit: 64))
        lexer.run()
        return lexer.diagnostics.isEmpty && lexer.tokens.count == 2 && lexer.tokens[0].kind == .instant(instant)
            && lexer.tokens[0].range == 0..<text.unicodeScalars.count
    }

    mutating func run() {
        while let scalar = peek() {
            if scalar.properties.isWhitespace || scalar == "\u{FEFF}" {
                position += 1
            } else if scalar == "'" {
                string(closing: ["'"])
            } else if let closing = Lexer.foreignQuotes[scalar] {
                foreignString(closing: closing)
            } else if startsNumber(scalar) {
                number()
            } else if scalar == "_" || scalar.properties.isAlphabetic {
                word()
            } else {
                symbol(scalar)
            }
        }
        tokens.append(Token(kind: .end, range: position..<position))
    }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        let index = position + distance
        return index < scalars.count ? scalars[index] : nil
    }

    private func isDigit(_ distance: Int) -> Bool { peek(distance).map(Lexer.isDigit) ?? false }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { scalar >= "0" && scalar <= "9" }

    private mutating func add(_ kind: Token.Kind, from start: Int) {
        tokens.append(Token(kind: kind, range: start..<position))
    }

    private mutating func fail(from start: Int, _ message: String, suggestion: String? = nil) {
        diagnostics.add(source, start..<position, message, suggestion)
    }

    // MARK: Words and symbols

    private mutating func word() {
        let start = position
        while let scalar = peek(), scalar == "_" || scalar.properties.isAlphabetic || Lexer.isDigit(scalar) {
            position += 1
        }
        add(.word(source.text(start..<position)), from: start)
    }

    /// Operators of other languages, and what they are called here.
    private static let foreignSymbols = [
        "<>": "!=", "=>": ">=", "=<": "<=", "===": "=", "!==": "!=", "&&": "AND", "||": "OR", "!": "NOT", "≥": ">=",
        "≤": "<=", "≠": "!=",
    ]
    private static let symbols: Set<String> = [
        "(", ")", "{", "}", "[", "]", ",", ".", ":", "=", "==", "!=", "<", "<=", ">", ">=",
    ]

    private mutating func symbol(_ scalar: Unicode.Scalar) {
        let start = position
        for length in [3, 2, 1] where position + length <= scalars.count {
            let text = source.text(start..<start + length)
            if let meant = Lexer.foreignSymbols[text] {
                position += length
                fail(from: start, "'\(text)' is not part of the query language", suggestion: "write \(meant)")
                add(meant.first?.isLetter == true ? .word(meant) : .symbol(meant), from: start)
                return
            }
            if Lexer.symbols.contains(text) {
                position += length
                return add(.symbol(text), from: start)
            }
        }
        position += 1
        fail(from: start, "unexpected character '\(Lexer.visible(scalar))'")
        // The parser stumbles over it at the same place, so its complaint is the one above.
        add(.symbol(source.text(start..<position)), from: start)
    }

    private static func visible(_ scalar: Unicode.Scalar) -> String {
        switch scalar.properties.generalCategory {
        case .control, .format, .unassigned, .privateUse, .surrogate, .nonspacingMark, .enclosingMark, .spacingMark:
            "U+" + String(scalar.value, radix: 16, uppercase: true)
        default: String(scalar)
        }
    }

    // MARK: Strings

    /// Quotes of other languages and of word processors; all are refused, but understood.
    private static let foreignQuotes: [Unicode.Scalar: [Unicode.Scalar]] = [
        "\"": ["\""], "`": ["`"], "‘": ["’", "'"], "’": ["’", "'"], "“": ["”", "\""], "”": ["”", "\""],
        "„": ["“", "”"],
        "«": ["»"],
    ]

    private mutating func string(closing: [Unicode.Scalar]) {
        let start = position
        if skipString(closing: closing) { return add(.string, from: start) }
        fail(from: start, "this string has no closing quote on its line", suggestion: "end it with '")
        add(.string, from: start)
    }

    private mutating func foreignString(closing: [Unicode.Scalar]) {
        let start = position
        let isClosed = skipString(closing: closing)
        let content = source.text(start + 1..<max(start + 1, isClosed ? position - 1 : position))
        fail(from: start, "strings stand in single quotes", suggestion: "write '\(shortened(content))'")
        add(.string, from: start)
    }

    /// Goes behind the closing quote; stops before a line break and answers false if there is none.
    private mutating func skipString(closing: [Unicode.Scalar]) -> Bool {
        position += 1
        while let scalar = peek(), scalar != "\n", scalar != "\r" {
            position += 1
            if closing.contains(scalar) { return true }
            if scalar == "\\", let next = peek(), next != "\n", next != "\r" { position += 1 }
        }
        return false
    }

    // MARK: Numbers and dates

    private func startsNumber(_ scalar: Unicode.Scalar) -> Bool {
        if Lexer.isDigit(scalar) { return true }
        if scalar == "." { return isDigit(1) }
        return (scalar == "-" || scalar == "+") && (isDigit(1) || (peek(1) == "." && isDigit(2)))
    }

    private mutating func number() {
        let start = position
        if (0..<4).allSatisfy({ isDigit($0) }), peek(4) == "-", isDigit(5) { return instant() }
        if !isDigit(0), peek() != "." { position += 1 }
        skipDigits()
        let isWhole = !(peek() == "." && isDigit(1))
        if !isWhole {
            position += 1
            skipDigits()
        }
        var hasExponent = false
        if peek() == "e" || peek() == "E" {
            let sign = peek(1) == "+" || peek(1) == "-" ? 1 : 0
            if isDigit(1 + sign) {
                hasExponent = true
                position += 1 + sign
                skipDigits()
            }
        }
        let text = source.text(start..<position)
        let value = Double(text) ?? .infinity
        if !value.isFinite {
            fail(from: start, "the number \(shortened(text)) is too large")
        } else if isWhole, !hasExponent, !Lexer.isExact(text, value) {
            fail(
                from: start, "\(shortened(text)) has more digits than a number can hold",
                suggestion: "if it is an id, put it in quotes: '\(shortened(text))'")
        }
        add(.number(value), from: start)
    }

    private static func isExact(_ text: String, _ value: Double) -> Bool {
        if value.magnitude < 9_007_199_254_740_992 { return true }
        guard let exact = Int64(text) else { return false }
        return Int64(exactly: value) == exact
    }

    private mutating func skipDigits() {
        while isDigit(0) { position += 1 }
    }

    private mutating func instant() {
        let start = position
        while let scalar = peek() {
            switch scalar {
            case "-", ":", "+", "Z", "z": position += 1
            case "T", "t", ".":
                guard isDigit(1) else { return finishInstant(from: start) }
                position += 1
            default:
                guard Lexer.isDigit(scalar) else { return finishInstant(from: start) }
                position += 1
            }
        }
        finishInstant(from: start)
    }

    private mutating func finishInstant(from start: Int) {
        let text = source.text(start..<position)
        let instant = Instant(iso8601: text)
        if instant == nil {
            fail(
                from: start, "\(shortened(text)) is not a date",
                suggestion: "write 2025-03-01 or 2025-03-01T09:30:00Z; text that looks like a date goes in quotes")
        }
        add(.instant(instant ?? .epoch), from: start)
    }
}

/// Long user text, cut for a message.
func shortened(_ text: String) -> String {
    let limit = 40
    guard text.unicodeScalars.count > limit else { return text }
    var cut = String.UnicodeScalarView()
    cut.append(contentsOf: text.unicodeScalars.prefix(limit))
    return String(cut) + "…"
}

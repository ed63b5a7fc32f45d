/// Why a regular expression for blocked values is refused.
public struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Characters before the place of the error.
    public let position: Int
    public let message: String

    public var description: String { "\(message) at character \(position + 1)" }
}

/// Compiles a regular expression to the program that `BlockedPattern` follows.
struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var ignoresCase = false
    private var depth = 0

    private typealias Program = [BlockedPattern.Instruction]

    /// Bounds time and memory whatever the counts in braces say.
    private static let maximumLength = 2_000
    private static let maximumDepth = 50

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func parse() throws(PatternError) -> [BlockedPattern.Instruction] {
        if scalars.starts(with: "(?i)".unicodeScalars) {
            ignoresCase = true
            position = 4
        }
        var program = try parseAlternatives()
        if position < scalars.count { throw error("a ')' without its '('") }
        program.append(.match)
        return program
    }

    // MARK: Grammar

    private mutating func parseAlternatives() throws(PatternError) -> Program {
        depth += 1
        guard depth <= Self.maximumDepth else { throw error("groups nested deeper than \(Self.maximumDepth)") }
        var program = try parseSequence()
        while skip("|") {
            let other = try parseSequence()
            // Programs hold absolute targets only after they are moved to where they stand.
            let first = program
            program = [.split(1, first.count + 2)]
            program += moved(first, by: 1)
            program.append(.jump(first.count + 2 + other.count))
            program += moved(other, by: first.count + 2)
            try check(program)
        }
        depth -= 1
        return program
    }

    private mutating func parseSequence() throws(PatternError) -> Program {
        var program: Program = []
        while let scalar = current, scalar != "|", scalar != ")" {
            let atom = try parseAtom()
            let repeated = try parseRepetition(of: atom)
            program += moved(repeated, by: program.count)
            try check(program)
        }
        return program
    }

    private mutating func parseAtom() throws(PatternError) -> Program {
        guard let scalar = next() else { throw error("an expression is missing") }
        switch scalar {
        case "(": return try parseGroup()
        case "[": return one(try parseClass())
        case ".": return one(.notNewline)
        case "^": return [.assert(.start)]
        case "$": return [.assert(.end)]
        case "*", "+", "?": throw error("'\(scalar)' has nothing to repeat", back: 1)
        case "\\": return try parseEscape()
        default: return one(ScalarSet(ranges: [scalar.value...scalar.value]))
        }
    }

    private mutating func parseGroup() throws(PatternError) -> Program {
        if skip("?") {
            guard skip(":") else { throw error("only (…) and (?:…) groups are supported, no look-around") }
        }
        let program = try parseAlternatives()
        guard skip(")") else { throw error("a ')' is missing") }
        return program
    }

    private mutating func parseEscape() throws(PatternError) -> Program {
        switch current {
        case "b":
            position += 1
            return [.assert(.wordBoundary)]
        case "B":
            position += 1
            return [.assert(.noWordBoundary)]
        default: return one(try parseEscapedSet())
        }
    }

    /// After a backslash, in a class or outside.
    private mutating func parseEscapedSet() throws(PatternError) -> ScalarSet {
        guard let scalar = next() else { throw error("a '\\' at the end") }
        switch scalar {
        case "d": return .digit
        case "w": return .word
        case "s": return .space
        case "D": return ScalarSet(ranges: ScalarSet.digit.ranges, isInverted: true)
        case "W": return ScalarSet(ranges: ScalarSet.word.ranges, isInverted: true)
        case "S": return ScalarSet(ranges: ScalarSet.space.ranges, isInverted: true)
        case "n": return ScalarSet(ranges: [0x0A...0x0A])
        case "r": return ScalarSet(ranges: [0x0D...0x0D])
        case "t": return ScalarSet(ranges: [0x09...0x09])
        case "x": return try parseHexadecimal(digits: 2)
        case "u": return try parseHexadecimal(digits: 4)
        case "0"..."9": throw error("back-references are not supported", back: 1)
        case "a"..."z", "A"..."Z": throw error("'\\\(scalar)' is not supported", back: 1)
        default: return ScalarSet(ranges: [scalar.value...scalar.value])
        }
    }

    private mutating func parseHexadecimal(digits: Int) throws(PatternError) -> ScalarSet {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = next().flatMap({ Character($0).hexDigitValue }) else {
                throw error("\(digits) hexadecimal digits are missing")
            }
            value = value * 16 + UInt32(digit)
        }
        return ScalarSet(ranges: [value...value])
    }

    private mutating func parseClass() throws(PatternError) -> ScalarSet {
        var set = ScalarSet()
        set.isInverted = skip("^")
        var isFirst = true
        while let scalar = next() {
            if scalar == "]", !isFirst { return set }
            isFirst = false
            let start = scalar == "\\" ? try parseEscapedSet() : ScalarSet(ranges: [scalar.value...scalar.value])
            guard let low = start.singleValue, current == "-", position + 1 < scalars.count,
                scalars[position + 1] != "]"
            else {
                set.ranges += try start.plainRanges(orThrow: error("an inverted set within a class is not supported"))
                continue
            }
            position += 1
            guard let bound = next() else { break }
            let end = bound == "\\" ? try parseEscapedSet() : ScalarSet(ranges: [bound.value...bound.value])
            guard let high = end.singleValue, low <= high else { throw error("a range that ends before it begins") }
            set.ranges.append(low...high)
        }
        throw error("a ']' is missing")
    }

    private mutating func parseRepetition(of atom: Program) throws(PatternError) -> Program {
        var program = atom
        while let scalar = current {
            let bounds: (low: Int, high: Int?)
            switch scalar {
            case "*": bounds = (0, nil)
            case "+": bounds = (1, nil)
            case "?": bounds = (0, 1)
            case "{":
                guard let braces = try parseBraces() else { return program }
                bounds = braces
            default: return program
            }
            if scalar != "{" { position += 1 }
            // Lazy or greedy makes no difference to whether something is found.
            _ = skip("?")
            program = try repeated(program, from: bounds.low, to: bounds.high)
        }
        return program
    }

    /// `{m}`, `{m,}` or `{m,n}`; anything else in braces is meant literally.
    private mutating func parseBraces() throws(PatternError) -> (low: Int, high: Int?)? {
        let start = position
        position += 1
        guard let low = number() else {
            position = start
            return try literalBrace()
        }
        var high: Int? = low
        if skip(",") { high = number() }
        guard skip("}") else {
            position = start
            return try literalBrace()
        }
        guard high.map({ $0 >= low }) ?? true else { throw error("a count whose end is below its start") }
        return (low, high)
    }

    private func literalBrace() throws(PatternError) -> (low: Int, high: Int?)? {
        throw error("'{' begins no count; write '\\{' for a brace")
    }

    // MARK: Programs

    private func one(_ set: ScalarSet) -> Program { [.scalar(ignoresCase ? set.ignoringCase : set)] }

    private func moved(_ program: Program, by distance: Int) -> Program {
        program.map { instruction in
            switch instruction {
            case .split(let first, let second): .split(first + distance, second + distance)
            case .jump(let target): .jump(target + distance)
            default: instruction
            }
        }
    }

    private func repeated(_ atom: Program, from low: Int, to high: Int?) throws(PatternError) -> Program {
        let copies = max(low, high ?? low + 1)
        guard copies <= Self.maximumLength, copies * (atom.count + 2) <= Self.maximumLength else {
            throw error("the expression is too long")
        }
        var program: Program = []
        for _ in 0..<low { program += moved(atom, by: program.count) }
        if let high {
            let end = program.count + (high - low) * (atom.count + 1)
            for _ in low..<high {
                program.append(.split(program.count + 1, end))
                program += moved(atom, by: program.count)
            }
        } else {
            let start = program.count
            program.append(.split(start + 1, start + atom.count + 2))
            program += moved(atom, by: program.count)
            program.append(.jump(start))
        }
        return program
    }

    private func check(_ program: Program) throws(PatternError) {
        guard program.count <= Self.maximumLength else { throw error("the expression is too long") }
    }

    // MARK: Characters

    private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func next() -> Unicode.Scalar? {
        defer { position += 1 }
        return current
    }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let scalar = current, ("0"..."9").contains(scalar), (value ?? 0) < 100_000 {
            value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
            position += 1
        }
        return value
    }

    private func error(_ message: String, back: Int = 0) -> PatternError {
        PatternError(position: min(position, scalars.count) - back, message: message)
    }
}

extension ScalarSet {
    fileprivate var singleValue: UInt32? {
        guard !isInverted, ranges.count == 1, let range = ranges.first, range.count == 1 else { return nil }
        return range.lowerBound
    }

    fileprivate func plainRanges(orThrow error: PatternError) throws(PatternError) -> [ClosedRange<UInt32>] {
        guard !isInverted else { throw error }
        return ranges
    }
}

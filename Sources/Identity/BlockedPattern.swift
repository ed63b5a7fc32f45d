/// A regular expression for blocked values (spec: collection §4.4), matched in time linear in the value: all
/// alternatives are followed at once instead of one after the other, so no expression and no value can stall the engine.
///
/// Understood: literals, `.`, classes, `\d \w \s \b` and their opposites, groups, alternatives, `* + ? {m,n}`, `^`, `$`,
/// and `(?i)` in front. Not understood, and refused: back-references and look-around.
struct BlockedPattern: Sendable {
    enum Instruction: Sendable {
        /// Consumes one scalar of the set.
        case scalar(ScalarSet)
        case split(Int, Int)
        case jump(Int)
        case assert(Assertion)
        case match
    }

    enum Assertion: Sendable {
        case start
        case end
        case wordBoundary
        case noWordBoundary
    }

    private let program: [Instruction]
    /// ASCII characters with which a match at the very start can begin; `nil` where the expression is not anchored
    /// there or can be satisfied without a character. Spares nearly all values the matching.
    private let anchoredStart: ASCIISet?

    init(_ text: String) throws(PatternError) {
        var parser = PatternParser(text)
        program = try parser.parse()
        anchoredStart = BlockedPattern.anchoredStart(of: program)
    }

    /// Whether the expression is found anywhere in the value.
    func matches(_ value: String) -> Bool {
        if let anchoredStart, let first = value.utf8.first, first < 0x80, !anchoredStart.contains(first) {
            return false
        }
        let scalars = Array(value.unicodeScalars)
        var threads = ThreadList(count: program.count)
        var next = ThreadList(count: program.count)
        for position in 0...scalars.count {
            // A match may begin at any place.
            if follow(from: 0, at: position, in: scalars, into: &threads) { return true }
            guard position < scalars.count else { break }
            for counter in threads.waiting {
                if case .scalar(let set) = program[counter], set.contains(scalars[position]) {
                    if follow(from: counter + 1, at: position + 1, in: scalars, into: &next) { return true }
                }
            }
            swap(&threads, &next)
            next.removeAll()
        }
        return false
    }

    /// Follows everything that consumes nothing; true when that reaches the match.
    private func follow(from start: Int, at position: Int, in scalars: [Unicode.Scalar], into threads: inout ThreadList)
        -> Bool
    {
        var stack = [start]
        while let counter = stack.popLast() {
            guard threads.visit(counter) else { continue }
            switch program[counter] {
            case .match: return true
            case .scalar: threads.waiting.append(counter)
            case .jump(let target): stack.append(target)
            case .split(let first, let second):
                stack.append(second)
                stack.append(first)
            case .assert(let assertion):
                if assertion.holds(at: position, in: scalars) { stack.append(counter + 1) }
            }
        }
        return false
    }

    private static func anchoredStart(of program: [Instruction]) -> ASCIISet? {
        var set = ASCIISet()
        var seen = Set<Int>()
        // The second member: whether `^` has been passed.
        var stack = [(0, false)]
        while let (counter, isAnchored) = stack.popLast() {
            guard seen.insert(counter * 2 + (isAnchored ? 1 : 0)).inserted else { continue }
            switch program[counter] {
            case .match: return nil
            case .scalar(let scalars):
                guard isAnchored else { return nil }
                for byte in UInt8(0)..<0x80 where scalars.contains(Unicode.Scalar(byte)) { set.insert(byte) }
            case .jump(let target): stack.append((target, isAnchored))
            case .split(let first, let second): stack += [(first, isAnchored), (second, isAnchored)]
            case .assert(.start): stack.append((counter + 1, true))
            case .assert(.end):
                // After `^` this holds for the empty value only, which the caller leaves to the matching.
                guard isAnchored else { return nil }
            case .assert: return nil
            }
        }
        return set
    }
}

extension BlockedPattern.Assertion {
    fileprivate func holds(at position: Int, in scalars: [Unicode.Scalar]) -> Bool {
        func isWord(_ index: Int) -> Bool { scalars.indices.contains(index) && ScalarSet.word.contains(scalars[index]) }
        return switch self {
        case .start: position == 0
        case .end: position == scalars.count
        case .wordBoundary: isWord(position - 1) != isWord(position)
        case .noWordBoundary: isWord(position - 1) == isWord(position)
        }
    }
}

/// Places of the program that wait for a character, each once.
private struct ThreadList {
    var waiting: [Int] = []
    private var visited: [Bool]

    init(count: Int) { visited = Array(repeating: false, count: count) }

    mutating func visit(_ counter: Int) -> Bool {
        defer { visited[counter] = true }
        return !visited[counter]
    }

    mutating func removeAll() {
        waiting.removeAll(keepingCapacity: true)
        for index in visited.indices { visited[index] = false }
    }
}

private struct ASCIISet: Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    func contains(_ byte: UInt8) -> Bool { (byte < 64 ? low >> UInt64(byte) : high >> UInt64(byte - 64)) & 1 == 1 }
    mutating func insert(_ byte: UInt8) {
        if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
    }
}

/// A set of characters as ranges.
struct ScalarSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isInverted = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isInverted
    }

    /// The set with the other case of its ASCII letters.
    var ignoringCase: ScalarSet {
        var set = self
        for range in ranges {
            for (letters, offset) in [(UInt32(0x41)...0x5A, 32), (UInt32(0x61)...0x7A, -32)]
            where range.overlaps(letters) {
                let part = range.clamped(to: letters)
                set.ranges.append(
                    UInt32(Int(part.lowerBound) + offset)...UInt32(Int(part.upperBound) + offset))
            }
        }
        return set
    }

    static let digit = ScalarSet(ranges: [0x30...0x39])
    static let word = ScalarSet(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = ScalarSet(ranges: [0x09...0x0D, 0x20...0x20])
    static let notNewline = ScalarSet(ranges: [0x0A...0x0A, 0x0D...0x0D], isInverted: true)
}

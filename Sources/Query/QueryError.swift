public import JSON

/// Something that is wrong with a query, and where. Lines, columns and lengths count characters from 1.
public struct QueryError: Error, Sendable, Hashable, CustomStringConvertible {
    public let line: Int
    /// At most one more than the line has characters: that is the end of the text.
    public let column: Int
    /// At least 1; never reaches beyond the line.
    public let length: Int
    /// What was expected and what was found, lower-case, without a full stop.
    public let message: String
    /// What to write instead, if there is a guess.
    public let suggestion: String?
    /// The line concerned (its surroundings if it is long) and below it carets that mark the place.
    public let excerpt: String

    public var description: String {
        let advice = suggestion.map { " (\($0))" } ?? ""
        return "line \(line), column \(column): \(message)\(advice)\n\(excerpt)"
    }

    public var json: JSONValue {
        [
            "line": .number(line), "column": .number(column), "length": .number(length),
            "message": .string(message), "suggestion": .string(orNull: suggestion), "excerpt": .string(excerpt),
        ]
    }
}

/// At least one error, ordered by place.
public struct QueryErrors: Error, Sendable, Hashable, CustomStringConvertible {
    public let errors: [QueryError]

    init(first error: QueryError) { errors = [error] }

    /// `nil` if there are none.
    init?(_ errors: [QueryError]) {
        if errors.isEmpty { return nil }
        self.errors = errors
    }

    public var description: String { errors.map(\.description).joined(separator: "\n") }

    public var json: JSONValue { .array(errors.map(\.json)) }
}

/// A query's text as code points, and places in it as people count them.
struct SourceText: Sendable {
    let scalars: [Unicode.Scalar]
    /// Whether the text went on beyond the limit.
    let isCut: Bool
    private let lineStarts: [Int]

    init(_ text: String, limit: Int) {
        let kept = Array(text.unicodeScalars.prefix(limit))
        scalars = kept
        isCut = text.unicodeScalars.dropFirst(limit).first != nil
        var starts = [0]
        for (index, scalar) in kept.enumerated() {
            if scalar == "\n" || (scalar == "\r" && (index + 1 == kept.count || kept[index + 1] != "\n")) {
                starts.append(index + 1)
            }
        }
        lineStarts = starts
    }

    func text(_ range: Range<Int>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars[range])
        return String(text)
    }

    func error(at range: Range<Int>, _ message: String, suggestion: String? = nil) -> QueryError {
        let start = min(max(range.lowerBound, 0), scalars.count)
        let line = (lineStarts.lastIndex { $0 <= start }) ?? 0
        let lineStart = lineStarts[line]
        let lineEnd = contentEnd(ofLine: line)
        let placeStart = min(start, lineEnd)
        let placeEnd = max(placeStart, min(range.upperBound, lineEnd))
        let column = text(lineStart..<placeStart).count + 1
        let length = max(1, text(placeStart..<placeEnd).count)
        return QueryError(
            line: line + 1, column: column, length: length, message: message, suggestion: suggestion,
            excerpt: excerpt(text(lineStart..<lineEnd), column: column, length: length))
    }

    private func contentEnd(ofLine line: Int) -> Int {
        guard line + 1 < lineStarts.count else { return scalars.count }
        let next = lineStarts[line + 1]
        return next >= 2 && scalars[next - 1] == "\n" && scalars[next - 2] == "\r" ? next - 2 : next - 1
    }

    private func excerpt(_ line: String, column: Int, length: Int) -> String {
        let width = 100
        var characters = line.map { $0.isWhitespace || $0.isControl ? " " : $0 }
        var indent = column - 1
        if characters.count > width {
            let start = max(0, min(indent - width / 2, characters.count - width))
            let isCutAfter = start + width < characters.count
            characters = Array(characters[start..<min(start + width, characters.count)])
            indent -= start
            if start > 0 {
                characters.insert("…", at: 0)
                indent += 1
            }
            if isCutAfter { characters.append("…") }
        }
        let carets = max(1, min(length, characters.count - indent))
        return String(characters) + "\n" + String(repeating: " ", count: indent) + String(repeating: "^", count: carets)
    }
}

extension Character {
    fileprivate var isControl: Bool {
        unicodeScalars.allSatisfy { $0.value < 0x20 || $0.value == 0x7F }
    }
}

/// The errors found so far: one per place, at most twenty, ordered by place in the end.
struct Diagnostics {
    private var found: [(start: Int, error: QueryError)] = []
    /// Set when going on would only produce consequences of the last error.
    private(set) var isClosed = false

    private static let maximum = 20

    var errors: [QueryError] {
        found.enumerated()
            .sorted { ($0.element.start, $0.offset) < ($1.element.start, $1.offset) }
            .map(\.element.error)
    }
    var isEmpty: Bool { found.isEmpty }

    /// Places and excerpts are made only for errors that are kept: hostile text can have thousands.
    mutating func add(_ source: SourceText, _ range: Range<Int>, _ message: String, _ suggestion: String? = nil) {
        let start = range.lowerBound
        guard !isClosed, found.count < Diagnostics.maximum, !found.contains(where: { $0.start == start }) else {
            return
        }
        found.append((start, source.error(at: range, message, suggestion: suggestion)))
    }

    mutating func close() { isClosed = true }
}

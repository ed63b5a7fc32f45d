import Model

// The canonical print: one text per tree, no parentheses but the needed ones, `parse(print(tree)) == tree`.

extension Definition {
    /// The definition in the query language.
    public var text: String {
        switch self {
        case .audience(let condition): condition.text
        case .trait(let value): value.text
        }
    }
}

extension Condition {
    public var text: String {
        var printer = Printer()
        printer.print(self, inside: .nothing)
        return printer.text
    }
}

extension Scalar {
    public var text: String {
        var printer = Printer()
        printer.print(self)
        return printer.text
    }
}

extension StreamFilter {
    /// The filter without the dot before it.
    var text: String {
        var printer = Printer()
        printer.print(self)
        return String(printer.text.dropFirst())
    }
}

extension Duration: CustomStringConvertible {
    /// `1 hour`, `30 days`.
    public var description: String { "\(count) \(unit.rawValue)\(count == 1 ? "" : "s")" }
}

extension Literal {
    public var text: String {
        switch self {
        case .number(let number): Printer.number(number)
        case .string(let string): Printer.quoted(string)
        case .instant(let instant, let text): Lexer.isUnquotedInstant(text, instant) ? text : instant.description
        case .boolean(let boolean): boolean ? "true" : "false"
        }
    }
}

private struct Printer {
    /// What surrounds a condition; decides whether it needs parentheses.
    enum Surroundings {
        case nothing
        case or
        case and
        case prefix
    }

    var text = ""

    mutating func print(_ condition: Condition, inside surroundings: Surroundings) {
        switch condition {
        case .or(let operands):
            parenthesised(surroundings != .nothing) { $0.print(operands, separator: " OR ", inside: .or) }
        case .and(let operands):
            parenthesised(surroundings == .and || surroundings == .prefix) {
                $0.print(operands, separator: " AND ", inside: .and)
            }
        case .not(let operand): print(prefix: "NOT ", operand)
        case .any(let operand): print(prefix: "ANY ", operand)
        case .all(let operand): print(prefix: "ALL ", operand)
        case .comparison(let left, let comparator):
            print(left)
            print(comparator)
        }
    }

    private mutating func parenthesised(_ isNeeded: Bool, _ body: (inout Printer) -> Void) {
        if isNeeded { text += "(" }
        body(&self)
        if isNeeded { text += ")" }
    }

    private mutating func print(_ operands: [Condition], separator: String, inside surroundings: Surroundings) {
        for (index, operand) in operands.enumerated() {
            if index > 0 { text += separator }
            print(operand, inside: surroundings)
        }
    }

    private mutating func print(prefix: String, _ operand: Condition) {
        text += prefix
        print(operand, inside: .prefix)
    }

    mutating func print(_ scalar: Scalar) {
        switch scalar {
        case .literal(let literal): text += literal.text
        case .trait(let path): text += "trait(\(Printer.quoted(path)))"
        case .property(let path): text += "property(\(Printer.quoted(path)))"
        case .parentProperty(let path): text += "property(parent: \(Printer.quoted(path)))"
        case .context(let path): text += "context(\(Printer.quoted(path)))"
        case .reduction(let stream, let reducer):
            text += "event(\(Printer.quoted(stream.event)))"
            for filter in stream.filters { print(filter) }
            print(reducer)
        }
    }

    mutating func print(_ filter: StreamFilter) {
        switch filter {
        case .where(let condition):
            text += ".where("
            print(condition, inside: .nothing)
            text += ")"
        case .excludingSources(let sources):
            let list = sources.map(Printer.quoted).joined(separator: ", ")
            text += ".sources({exclude: \(sources.isEmpty ? "[]" : list)})"
        case .within(let span): text += ".within(\(span))"
        case .withinParent(let span): text += ".within(parent: \(span))"
        case .between(let from, let to): text += ".between(\(from), \(to))"
        case .betweenParent(let from, let to): text += ".between(parent: \(from), \(to))"
        case .expiresAfter(let gap): text += ".expires_after(\(gap))"
        }
    }

    private mutating func print(_ reducer: Reducer) {
        func typed(_ field: Field, _ type: ValueType?) -> String {
            Printer.field(field) + (type.map { " as \($0.rawValue)" } ?? "")
        }
        switch reducer {
        case .count: text += ".count()"
        case .sum(let field): text += ".sum(\(Printer.field(field)))"
        case .average(let field): text += ".avg(\(Printer.field(field)))"
        case .minimum(let field, let type): text += ".min(\(typed(field, type)))"
        case .maximum(let field, let type): text += ".max(\(typed(field, type)))"
        case .first(let field): text += ".first(\(Printer.field(field)))"
        case .last(let field): text += ".last(\(Printer.field(field)))"
        case .mode(let field, let type, let frequency): text += ".mode(\(typed(field, type)), \(frequency))"
        case .unique(let field): text += ".unique(\(Printer.field(field)))"
        case .uniqueCount(let field): text += ".unique(\(Printer.field(field))).count()"
        }
    }

    private mutating func print(_ comparator: Comparator) {
        func list(_ values: [Literal]) -> String { values.map(\.text).joined(separator: ", ") }
        switch comparator {
        case .equals(let right): print(" = ", right)
        case .differs(let right): print(" != ", right)
        case .lessThan(let right): print(" < ", right)
        case .lessThanOrEqual(let right): print(" <= ", right)
        case .greaterThan(let right): print(" > ", right)
        case .greaterThanOrEqual(let right): print(" >= ", right)
        case .oneOf(let values): text += ".one_of(\(list(values)))"
        case .noneOf(let values): text += ".none_of(\(list(values)))"
        case .contains(let values): text += ".contains(\(list(values)))"
        case .omits(let values): text += ".omits(\(list(values)))"
        case .startsWith(let value): text += ".starts_with(\(value.text))"
        case .endsWith(let value): text += ".ends_with(\(value.text))"
        case .exists: text += ".exists()"
        case .absent: text += ".absent()"
        case .beforeDate(let value): text += ".before_date(\(value.text))"
        case .afterDate(let value): text += ".after_date(\(value.text))"
        case .withinLast(let span): text += ".within_last(\(span))"
        case .withinNext(let span): text += ".within_next(\(span))"
        case .beforeLast(let span): text += ".before_last(\(span))"
        case .afterNext(let span): text += ".after_next(\(span))"
        }
    }

    private mutating func print(_ symbol: String, _ right: Scalar) {
        text += symbol
        print(right)
    }

    private static func field(_ field: Field) -> String {
        switch field {
        case .property(let path): "property(\(quoted(path)))"
        case .context(let path): "context(\(quoted(path)))"
        }
    }

    private static func quoted(_ path: PropertyPath) -> String { quoted(path.text) }

    static func quoted(_ string: String) -> String {
        var text = String.UnicodeScalarView("'".unicodeScalars)
        for scalar in string.unicodeScalars {
            switch scalar {
            case "'", "\\":
                text.append("\\")
                text.append(scalar)
            case "\n": text.append(contentsOf: "\\n".unicodeScalars)
            case "\r": text.append(contentsOf: "\\r".unicodeScalars)
            case "\t": text.append(contentsOf: "\\t".unicodeScalars)
            default:
                if isInvisible(scalar) {
                    text.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
                } else {
                    text.append(scalar)
                }
            }
        }
        text.append("'")
        return String(text)
    }

    /// Controls, and separators that editors treat as line breaks.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
    }

    /// The shortest text that reads back the same; whole numbers without a fraction.
    static func number(_ number: Double) -> String {
        if let whole = Int64(exactly: number), whole.magnitude <= 1 << 53 { return String(whole) }
        return number.isFinite ? number.description : "1e999"
    }
}

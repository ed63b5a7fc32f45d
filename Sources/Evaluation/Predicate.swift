package import History
import JSON
import Model
import Query

/// A comparator whose right side is known when the query is compiled. Literals are turned once into what columns hold,
/// so that the common comparisons touch no text.
package final class Predicate {
    package enum Test {
        case equals([Atom])
        /// Exists and equals none.
        case equalsNone([Atom])
        case ordering(Ordering, Atom)
        case contains([[UInt8]])
        case omits([[UInt8]])
        case startsWith([UInt8])
        case endsWith([UInt8])
        case exists
        case absent
        /// `nil` where the literal is no date: nothing is before or after it.
        case beforeDate(Int64?)
        case afterDate(Int64?)
        case withinLast(Int64)
        case withinNext(Int64)
        case beforeLast(Int64)
        case afterNext(Int64)
    }

    /// What most predicates come down to for most cells.
    private enum Shortcut {
        case none
        case isText(UInt32)
        case isOtherText(UInt32)
        case ordering(Ordering, Double)
        case exists
        case absent
    }

    package let test: Test
    private let shortcut: Shortcut
    private let store: ValueStore
    /// Whether only a string with the same bytes as a literal can equal a string: no literal is a number or a date.
    private let areTexts: Bool
    /// The codes of the literals' texts.
    private let codes: [UInt32]

    init(_ test: Test, _ store: ValueStore) {
        self.test = test
        self.store = store
        switch test {
        case .equals(let atoms), .equalsNone(let atoms):
            codes = atoms.compactMap { $0.text.map(store.intern) }
            areTexts = atoms.allSatisfy {
                switch $0 {
                case .text, .boolean: true
                case .null, .number, .composite, .date: false
                }
            }
        default:
            codes = []
            areTexts = false
        }
        shortcut =
            switch test {
            case .equals where areTexts && codes.count == 1: .isText(codes[0])
            case .equalsNone where areTexts && codes.count == 1: .isOtherText(codes[0])
            case .ordering(let ordering, .number(let number, _)): .ordering(ordering, number)
            case .exists: .exists
            case .absent: .absent
            default: .none
            }
    }

    /// Whether a cell passes, where that can be told from the cell alone; `nil` for the long way.
    package func accepts(_ cell: Cell) -> Bool? {
        switch (shortcut, cell.kind) {
        case (.none, _), (_, .list): nil
        case (.exists, let kind): kind != .missing && kind != .null
        case (.absent, let kind): kind == .missing || kind == .null
        case (_, .missing), (_, .null): false
        case (.isText(let code), .string): cell.code == code
        case (.isOtherText(let code), .string): cell.code != code
        case (.ordering(let ordering, let number), .number): ordering.accepts(cell.number, number)
        default: nil
        }
    }

    /// Whether the answer about the same value may differ at another instant.
    package var dependsOnNow: Bool {
        switch test {
        case .withinLast, .withinNext, .beforeLast, .afterNext: true
        default: false
        }
    }

    package func accepts(_ operand: Operand, at now: Int64) -> Bool {
        switch test {
        case .equals(let literals): return !operand.isNull && equalsAny(literals, operand)
        case .equalsNone(let literals): return !operand.isNull && !equalsAny(literals, operand)
        case .ordering(let ordering, let literal): return accepts(ordering, literal, operand)
        case .contains(let texts): return contains(texts, operand)
        case .omits(let texts): return !contains(texts, operand)
        case .startsWith(let text): return withText(operand) { $0.starts(with: text) }
        case .endsWith(let text):
            return withText(operand) { $0.count >= text.count && $0.suffix(text.count).elementsEqual(text) }
        case .exists: return !operand.isNull
        case .absent: return operand.isNull
        default:
            guard let value = instant(operand) else { return false }
            return accepts(instant: value, at: now)
        }
    }

    private func accepts(instant value: Int64, at now: Int64) -> Bool {
        switch test {
        case .beforeDate(let date): date.map { value < $0 } ?? false
        case .afterDate(let date): date.map { value > $0 } ?? false
        case .withinLast(let span): now - span <= value && value <= now
        case .withinNext(let span): now <= value && value <= now + span
        case .beforeLast(let span): value <= now - span
        case .afterNext(let span): value >= now + span
        default: false
        }
    }

    /// The first instant after `now` at which the answer about the value differs (spec: engage §2.9).
    func changesAt(_ operand: Operand, after now: Int64) -> Int64 {
        guard dependsOnNow, let value = instant(operand) else { return never }
        switch test {
        case .withinLast(let span):
            return value > now ? value : value + span >= now ? value + span + 1 : never
        case .withinNext(let span):
            return value > now + span ? value - span : value >= now ? value + 1 : never
        case .beforeLast(let span): return value > now - span ? value + span : never
        case .afterNext(let span): return value >= now + span ? value - span + 1 : never
        default: return never
        }
    }

    // MARK: Equality

    private func equalsAny(_ literals: [Atom], _ operand: Operand) -> Bool {
        if areTexts, case .cell(let cell) = operand {
            switch cell.kind {
            case .string, .array, .object: return codes.contains(cell.code)
            default: break
            }
        }
        let atom = operand.atom(store)
        return literals.contains { Comparison.equal(atom, $0) }
    }

    // MARK: Order and text

    private func accepts(_ ordering: Ordering, _ literal: Atom, _ operand: Operand) -> Bool {
        if case .cell(let cell) = operand, cell.kind == .number, case .number(let right, _) = literal {
            return ordering.accepts(cell.number, right)
        }
        return ordering.accepts(Comparison.order(operand.atom(store), literal))
    }

    private func contains(_ texts: [[UInt8]], _ operand: Operand) -> Bool {
        withText(operand) { text in texts.contains { Predicate.occurs($0, in: text) } }
    }

    private static func occurs(_ needle: [UInt8], in text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = needle.first else { return true }
        guard text.count >= needle.count else { return false }
        for start in 0...(text.count - needle.count) where text[start] == first {
            if text[start..<start + needle.count].elementsEqual(needle) { return true }
        }
        return false
    }

    /// False for null.
    private func withText(_ operand: Operand, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
        if case .cell(let cell) = operand {
            switch cell.kind {
            case .missing, .null, .list: return false
            case .string, .array, .object: return store.withText(cell.code, body)
            case .boolean, .number, .exactNumber: break
            }
        }
        guard var text = operand.atom(store).text else { return false }
        return text.withUTF8(body)
    }

    private func instant(_ operand: Operand) -> Int64? {
        switch operand {
        case .instant(let milliseconds): milliseconds
        case .cell(let cell) where cell.kind != .string: nil
        default: operand.atom(store).instant
        }
    }
}

/// An instant that does not come.
package let never = Int64.max

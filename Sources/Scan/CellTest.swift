import Evaluation
import History

/// A predicate against literals, as far as it can be told from a cell alone at one instant: it may leave this isolation
/// and two of them are equal if they ask the same.
struct CellTest: Hashable, Sendable {
    enum Numbers: Hashable, Sendable {
        case never
        case always
        case ordering(Ordering, Double)
        case among([Double])
        case notAmong([Double])
        case unknown
    }

    enum Strings: Hashable, Sendable {
        case never
        case always
        case among([UInt32])
        case notAmong([UInt32])
        case unknown
    }

    /// Of nothing and of null.
    var null: Bool
    var isTrue: Bool
    var isFalse: Bool
    var numbers: Numbers
    var strings: Strings
    /// Of numbers beyond doubles, arrays and objects; `nil` where the evaluator must look.
    var others: Bool?

    init(_ predicate: Predicate, _ store: ValueStore, at now: Int64) {
        func accepts(_ cell: Cell) -> Bool { predicate.accepts(.cell(cell), at: now) }
        null = accepts(.null)
        isTrue = accepts(.boolean(true))
        isFalse = accepts(.boolean(false))
        switch predicate.test {
        case .equals(let atoms):
            numbers = .among(atoms.compactMap(\.number))
            strings = CellTest.codes(atoms, store).map { .among($0) } ?? .unknown
        case .equalsNone(let atoms):
            numbers = .notAmong(atoms.compactMap(\.number))
            strings = CellTest.codes(atoms, store).map { .notAmong($0) } ?? .unknown
        case .ordering(let ordering, let literal):
            numbers = literal.number.map { .ordering(ordering, $0) } ?? .never
            strings = .unknown
        case .exists: (numbers, strings, others) = (.always, .always, true)
        case .absent: (numbers, strings, others) = (.never, .never, false)
        case .contains, .omits, .startsWith, .endsWith: (numbers, strings) = (.unknown, .unknown)
        case .beforeDate, .afterDate, .withinLast, .withinNext, .beforeLast, .afterNext:
            (numbers, strings) = (.never, .unknown)
        }
    }

    /// The codes of the strings that equal one of the literals, if only equal texts can.
    private static func codes(_ atoms: [Atom], _ store: ValueStore) -> [UInt32]? {
        var codes: [UInt32] = []
        for atom in atoms {
            switch atom {
            case .text(let text, _): codes.append(store.intern(text))
            case .boolean(let bool): codes.append(store.intern(bool ? "true" : "false"))
            case .null, .number, .composite, .date: return nil
            }
        }
        return codes
    }

    /// `nil` where the evaluator must look.
    func accepts(_ cell: Cell) -> Bool? {
        switch cell.kind {
        case .missing, .null: return null
        case .boolean: return cell.code == 1 ? isTrue : isFalse
        case .number:
            switch numbers {
            case .never: return false
            case .always: return true
            case .ordering(let ordering, let number): return ordering.accepts(cell.number, number)
            case .among(let values): return values.contains(cell.number)
            case .notAmong(let values): return !values.contains(cell.number)
            case .unknown: return nil
            }
        case .string:
            switch strings {
            case .never: return false
            case .always: return true
            case .among(let codes): return codes.contains(cell.code)
            case .notAmong(let codes): return !codes.contains(cell.code)
            case .unknown: return nil
            }
        case .exactNumber, .array, .object: return others
        case .list: return nil
        }
    }
}

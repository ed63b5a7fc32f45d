package import History
package import JSON
import Model

/// A value on its way to a comparison or a reducer.
package enum Operand {
    case cell(Cell)
    /// A value of another computation, or a reducer's.
    case json(JSONValue)
    /// A time of the event's envelope, in milliseconds.
    case instant(Int64)
    case literal(Atom)

    static let null = Operand.cell(.null)

    package func atom(_ store: ValueStore) -> Atom {
        switch self {
        case .cell(let cell):
            switch cell.kind {
            case .missing, .null, .list: return .null
            case .boolean: return .boolean(cell.code == 1)
            case .number: return .number(cell.number, exactText: nil)
            case .exactNumber: return Atom(store.json(cell))
            case .string: return .text(store.text(cell.code))
            case .array, .object: return .composite(store.text(cell.code))
            }
        case .json(let value): return Atom(value)
        case .instant(let milliseconds):
            return .date(milliseconds, text: Instant(milliseconds: milliseconds).description)
        case .literal(let atom): return atom
        }
    }

    package func json(_ store: ValueStore) -> JSONValue {
        switch self {
        case .cell(let cell): return store.json(cell)
        case .json(let value): return value
        case .instant(let milliseconds): return .string(Instant(milliseconds: milliseconds).description)
        case .literal(let atom):
            switch atom {
            case .null: return .null
            case .boolean(let bool): return .bool(bool)
            case .number(let double, _): return .number(double)
            case .text(let text, _), .composite(let text), .date(_, let text): return .string(text)
            }
        }
    }

    package var isNull: Bool {
        switch self {
        case .cell(let cell): cell.isNull
        case .json(let value): value == .null
        case .literal(.null): true
        case .instant, .literal: false
        }
    }

    /// The number, where this counts as one.
    package func number(_ store: ValueStore) -> Double? {
        if case .cell(let cell) = self {
            switch cell.kind {
            case .number: return cell.number
            case .exactNumber: return store.double(cell)
            case .string: return store.withText(cell.code) { NumericText.parse($0) }
            default: return nil
            }
        }
        return atom(store).number
    }

    /// Equality without making texts where both sides are columns of the same History.
    static func equal(_ left: Operand, _ right: Operand, _ store: ValueStore) -> Bool {
        if case .cell(let left) = left, case .cell(let right) = right {
            switch (left.kind, right.kind) {
            case (.string, .string): return left.code == right.code
            case (.number, .number): return left.number == right.number
            case (.missing, _), (.null, _), (_, .missing), (_, .null): return false
            default: break
            }
        }
        return Comparison.equal(left.atom(store), right.atom(store))
    }
}

/// What a scalar is worth: one value, or those of the elements that a path with `$` leads to. A comparison holds if it
/// holds for any of them; a path that leads to no element is worth null.
enum Operands {
    case one(Operand)
    case list(Cell)
    case many([Operand])

    /// Whether any of the values passes.
    func contains(_ store: ValueStore, where test: (Operand) -> Bool) -> Bool {
        switch self {
        case .one(let operand): test(operand)
        case .list(let list): store.elements(of: list).contains { test(.cell($0)) }
        case .many(let operands): operands.contains(where: test)
        }
    }

    func forEach(_ store: ValueStore, _ body: (Operand) -> Void) {
        switch self {
        case .one(let operand): body(operand)
        case .list(let list): for cell in store.elements(of: list) { body(.cell(cell)) }
        case .many(let operands): for operand in operands { body(operand) }
        }
    }

    init(_ value: JSONValue, at path: ArraySlice<ColumnPath.Component>) {
        if path.contains(.elements) {
            var found: [Operand] = []
            Operands.resolve(value, path, &found)
            self = .many(found)
        } else {
            var value = value
            for case .key(let key) in path { value = value[key] ?? .null }
            self = .one(.json(value))
        }
    }

    private static func resolve(
        _ value: JSONValue, _ path: ArraySlice<ColumnPath.Component>, _ found: inout [Operand]
    ) {
        guard let component = path.first else { return found.append(.json(value)) }
        switch component {
        case .key(let key): resolve(value[key] ?? .null, path.dropFirst(), &found)
        case .elements:
            guard let array = value.array, !array.isEmpty else { return found.append(.null) }
            for element in array { resolve(element, path.dropFirst(), &found) }
        }
    }
}

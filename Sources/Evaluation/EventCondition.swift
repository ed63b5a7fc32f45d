import History
public import JSON
public import Model
public import Query

/// A condition over one call by itself, before any history of it exists: what `where(…)` would say of the event. Reads
/// the call's message and compares by the very rules of the evaluator.
public final class EventCondition {
    private indirect enum Part {
        case or([Part])
        case and([Part])
        case not(Part)
        case test(Value, Predicate)
        case relation(Value, Relation, Value)
        /// Asks for what a call alone can't tell: never holds.
        case unknowable
    }

    private enum Value {
        case literal(Atom)
        /// In `properties` or `traits`.
        case property(ColumnPath)
        case context(ColumnPath)
        /// A member of the message itself that counts as context.
        case envelope(String)
    }

    /// Predicates want one, though values that come from calls need none.
    private let store = History().store
    private let root: Part

    /// - Parameter condition: of one event (`Condition.ofOneEvent`).
    public init(_ condition: Condition) { root = Self.part(condition, store) }

    private static func part(_ condition: Condition, _ store: ValueStore) -> Part {
        switch condition {
        case .or(let operands): return .or(operands.map { part($0, store) })
        case .and(let operands): return .and(operands.map { part($0, store) })
        case .not(let operand): return .not(part(operand, store))
        case .any, .all: return .unknowable
        case .comparison(let left, let comparator):
            guard let left = value(left) else { return .unknowable }
            if let test = Compiler.predicate(comparator) { return .test(left, Predicate(test, store)) }
            guard let (relation, right) = Compiler.relation(comparator), let right = value(right) else {
                return .unknowable
            }
            return .relation(left, relation, right)
        }
    }

    private static func value(_ scalar: Scalar) -> Value? {
        switch scalar {
        case .literal(let literal): return .literal(Atom(literal))
        case .property(let path): return .property(path.columnPath)
        case .context(let path):
            let envelope = ["timestamp", "receivedAt", "messageId", "sourceId", "type"]
            if path.components.count == 1, case .key(let key)? = path.components.first, envelope.contains(key) {
                return .envelope(key)
            }
            return .context(path.columnPath)
        case .trait, .parentProperty, .reduction: return nil
        }
    }

    /// Whether it holds of a call, at the instant of the call's receipt.
    public func holds(of call: Call, message: JSONObject) -> Bool { holds(root, call, message) }

    private func holds(_ part: Part, _ call: Call, _ message: JSONObject) -> Bool {
        switch part {
        case .or(let parts): return parts.contains { holds($0, call, message) }
        case .and(let parts): return parts.allSatisfy { holds($0, call, message) }
        case .not(let part): return !holds(part, call, message)
        case .test(let value, let predicate):
            let now = call.receivedAt.milliseconds
            return operands(value, call, message).contains(store) { predicate.accepts($0, at: now) }
        case .relation(let left, let relation, let right):
            let right = operands(right, call, message)
            return operands(left, call, message).contains(store) { left in
                right.contains(store) { relation.holds(left, $0, store) }
            }
        case .unknowable: return false
        }
    }

    private func operands(_ value: Value, _ call: Call, _ message: JSONObject) -> Operands {
        switch value {
        case .literal(let atom): return .one(.literal(atom))
        case .property(let path):
            let member = call.kind == .identify || call.kind == .group ? "traits" : "properties"
            return Operands(message[member] ?? .null, at: path.components[...])
        case .context(let path): return Operands(message["context"] ?? .null, at: path.components[...])
        case .envelope("timestamp"): return .one(.instant(call.timestamp.milliseconds))
        case .envelope("receivedAt"): return .one(.instant(call.receivedAt.milliseconds))
        case .envelope("messageId"): return .one(.json(.string(call.messageID)))
        case .envelope("sourceId"): return .one(.json(.string(call.sourceID)))
        case .envelope: return .one(.json(.string(call.kind.name)))
        }
    }
}

/// What would have to become different for a condition to hold, or no longer to hold: for people who ask why somebody is
/// not in an audience.
public indirect enum RequiredChange: Sendable, Hashable {
    /// All of these.
    case all([RequiredChange])
    /// One of these.
    case any([RequiredChange])
    /// One comparison, which is the other way round now. Below a quantifier it is about a user.
    case comparison(Explanation, mustHold: Bool, user: Explanation?)
}

extension Explanation {
    /// What makes this condition hold, or not hold; `nil` if it does so already, or is a value.
    public func change(toHold wanted: Bool) -> RequiredChange? { change(toHold: wanted, user: nil) }

    private func change(toHold wanted: Bool, user: Explanation?) -> RequiredChange? {
        guard let holds, holds != wanted else { return nil }
        switch kind {
        case .value: return nil
        case .comparison: return .comparison(self, mustHold: wanted, user: user)
        case .not: return children.first?.change(toHold: !wanted, user: user)
        case .and, .or:
            let changes = children.compactMap { $0.change(toHold: wanted, user: user) }
            return RequiredChange.joined(changes, needsAll: (kind == .and) == wanted)
        case .any, .all:
            let changes = children.compactMap { $0.change(toHold: wanted, user: $0) }
            // An account without users has nobody to ask.
            guard !changes.isEmpty else { return .comparison(self, mustHold: wanted, user: nil) }
            return RequiredChange.joined(changes, needsAll: (kind == .all) == wanted)
        }
    }
}

extension RequiredChange {
    fileprivate static func joined(_ changes: [RequiredChange], needsAll: Bool) -> RequiredChange? {
        if changes.count < 2 { return changes.first }
        return needsAll ? .all(changes) : .any(changes)
    }
}

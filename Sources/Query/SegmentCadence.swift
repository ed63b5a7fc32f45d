public import Model

/// Whether Segment would compute a definition in real time, and if not, why (spec: engage §3.7, §4.1). Muster has no
/// batch class; this is for people who compare the two.
public struct SegmentCadence: Sendable, Hashable {
    public enum Reason: Sendable, Hashable {
        /// An event inside another event's `where`; with the inner event's name.
        case funnel(event: String)
        /// A comparison with a property of the parent occurrence or with a trait; with its text.
        case dynamicReference(String)
        /// A window relative to the parent occurrence; with its text.
        case parentWindow(String)
        /// An account audience, or an account-level trait.
        case accountLevel
        case quantifier
        /// `within` or `between` in a computed trait; with its text.
        case slidingWindow(String)

        /// The reason in words, to be read after "because".
        public var text: String {
            switch self {
            case .funnel(let event): "it looks for '\(event)' in relation to another event"
            case .dynamicReference(let text): "it compares an event's property with another value: \(text)"
            case .parentWindow(let text): "it has a window that starts at another event: \(text)"
            case .accountLevel: "it is computed for accounts"
            case .quantifier: "it asks about any or all users of an account"
            case .slidingWindow(let text): "a computed trait has a sliding window: \(text)"
            }
        }
    }

    /// In the order of the text, each once; none means real time.
    public var reasons: [Reason]

    public var isBatch: Bool { !reasons.isEmpty }

    /// The classification in one or two sentences.
    public var text: String {
        guard isBatch else { return "Updates in real time, here as in Segment." }
        let list = reasons.map(\.text).joined(separator: "; ")
        return "Segment would run this every 8 hours, because \(list). Muster runs it in real time."
    }
}

extension Definition {
    public func segmentCadence(level: Computation.Level = .users) -> SegmentCadence {
        var reasons: [SegmentCadence.Reason] = level == .accounts ? [.accountLevel] : []
        func add(_ reason: SegmentCadence.Reason) {
            if !reasons.contains(reason) { reasons.append(reason) }
        }
        let isTrait = if case .trait = self { true } else { false }
        TreeWalk.walk(self) { _, node, scope in
            switch node {
            case .condition(.any), .condition(.all): add(.quantifier)
            case .condition(.comparison(let left, let comparator)):
                if comparator.isDynamic(with: left) {
                    add(.dynamicReference(Condition.comparison(left, comparator).text))
                }
            case .scalar(.reduction(let stream, _)) where !scope.streams.isEmpty: add(.funnel(event: stream.event))
            case .filter(let filter, _):
                if filter.isRelativeToParent {
                    add(.parentWindow(filter.text))
                } else if isTrait, filter.age != nil {
                    add(.slidingWindow(filter.text))
                }
            case .condition, .scalar, .reducer, .comparator: break
            }
        }
        return SegmentCadence(reasons: reasons)
    }
}

public import Model

/// What the value of a definition depends on; enough to index definitions by input, to read only the columns needed, and
/// to know how far back they reach.
public struct Dependencies: Sendable, Hashable {
    /// What a definition reads of the occurrences of one event.
    public struct EventUse: Sendable, Hashable {
        public var properties: Set<PropertyPath> = []
        /// Paths into the context, and parts of the envelope such as `timestamp`.
        public var contexts: Set<PropertyPath> = []
        /// The greatest age at which an occurrence can still matter; `nil` = any age.
        public var horizon: Instant.Span?
    }

    public var events: [String: EventUse] = [:]
    /// Traits and audience keys.
    public var traits: Set<PropertyPath> = []
    public var excludedSources: Set<String> = []
    /// The longest length of time in a window over events; `nil` if there is no window (spec: engage §4.5,
    /// `backfillEventDataDays`).
    public var largestWindow: Instant.Span?
    /// Whether the value can change although nothing new arrives and nothing known lies in the future.
    public var isTimeDependent = false
    /// Whether an event stands inside another event's `where`.
    public var hasFunnel = false
    /// Whether a property is compared with one of the parent occurrence or with a trait.
    public var hasDynamicReference = false
    /// Whether `ANY` or `ALL` occurs.
    public var hasQuantifier = false
    /// Whether there is a session window (`expires_after`).
    public var hasSession = false

    /// What an index of touched events needs.
    public var eventNames: Set<String> { Set(events.keys) }

    /// The first parts of the trait paths: what an index of touched traits and audiences needs.
    public var traitKeys: Set<String> { Set(traits.compactMap(\.firstKey)) }

    /// The greatest age at which any event can still matter; `nil` = any age. Zero if no event is read.
    public var horizon: Instant.Span? {
        var greatest = Instant.Span(milliseconds: 0)
        for use in events.values {
            guard let horizon = use.horizon else { return nil }
            greatest = max(greatest, horizon)
        }
        return greatest
    }
}

extension Definition {
    public var dependencies: Dependencies {
        var dependencies = Dependencies()
        TreeWalk.walk(self) { _, node, scope in dependencies.add(node, scope) }
        return dependencies
    }
}

extension Dependencies {
    fileprivate mutating func add(_ node: TreeWalk.Node, _ scope: TreeWalk.Scope) {
        switch node {
        case .condition(.any), .condition(.all): hasQuantifier = true
        case .condition: break
        case .scalar(let scalar): add(scalar, scope)
        case .filter(let filter, _): add(filter)
        case .reducer(let reducer, let stream):
            switch reducer.field {
            case .property(let path): events[stream.event]?.properties.insert(path)
            case .context(let path): events[stream.event]?.contexts.insert(path)
            case nil: break
            }
        case .comparator(let comparator, let left):
            if comparator.duration != nil { isTimeDependent = true }
            if comparator.isDynamic(with: left) { hasDynamicReference = true }
        }
    }

    private mutating func add(_ scalar: Scalar, _ scope: TreeWalk.Scope) {
        switch scalar {
        case .literal: break
        case .trait(let path): traits.insert(path)
        case .property(let path): if let event = scope.event { events[event]?.properties.insert(path) }
        case .parentProperty(let path): if let event = scope.parentEvent { events[event]?.properties.insert(path) }
        case .context(let path): if let event = scope.event { events[event]?.contexts.insert(path) }
        case .reduction(let stream, _):
            if !scope.streams.isEmpty { hasFunnel = true }
            // A funnel child is younger than its parent, so the parent's window bounds its age as well.
            let horizon = (scope.streams + [stream]).compactMap(\.horizon).min()
            if var use = events[stream.event] {
                use.horizon = if let known = use.horizon, let horizon { max(known, horizon) } else { nil }
                events[stream.event] = use
            } else {
                events[stream.event] = EventUse(horizon: horizon)
            }
        }
    }

    private mutating func add(_ filter: StreamFilter) {
        if filter.age != nil { isTimeDependent = true }
        if case .expiresAfter = filter { hasSession = true }
        if case .excludingSources(let sources) = filter { excludedSources.formUnion(sources) }
        for duration in filter.durations { largestWindow = max(largestWindow ?? duration.span, duration.span) }
    }
}

extension EventStream {
    /// The greatest age that the stream's own windows let through.
    fileprivate var horizon: Instant.Span? { filters.compactMap { $0.age?.to }.min() }
}

extension Comparator {
    /// Whether the comparison relates a property to one of the parent or to a trait (spec: engage §2.5, §3.7).
    func isDynamic(with left: Scalar) -> Bool {
        guard let right = scalar else { return false }
        switch (left, right) {
        case (.property, .parentProperty), (.parentProperty, .property), (.property, .trait), (.trait, .property),
            (.parentProperty, .trait), (.trait, .parentProperty), (.context, .parentProperty),
            (.parentProperty, .context), (.context, .trait), (.trait, .context):
            return true
        default: return false
        }
    }
}

/// Definitions that refer to each other's keys.
public enum DependencyGraph {
    /// The shortest way from `key` back to itself if its definition read the keys `reading`, for example
    /// `["a", "b", "a"]`; `nil` if there is none. `graph` holds the keys that every other definition reads
    /// (spec: engage §2.6).
    public static func cycle(
        adding key: String, reading keys: Set<String>, to graph: [String: Set<String>]
    ) -> [String]? {
        var cameFrom: [String: String] = [:]
        var waiting: [String] = []
        for next in keys.sorted() {
            if next == key { return [key, key] }
            cameFrom[next] = key
            waiting.append(next)
        }
        var position = 0
        while position < waiting.count {
            let current = waiting[position]
            position += 1
            for next in graph[current, default: []].sorted() {
                if next == key {
                    var path = [key, current]
                    while let previous = cameFrom[path[path.count - 1]], previous != key { path.append(previous) }
                    return [key] + path.reversed()
                }
                if cameFrom[next] == nil {
                    cameFrom[next] = current
                    waiting.append(next)
                }
            }
        }
        return nil
    }
}

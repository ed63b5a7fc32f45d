/// An audience as the console's builder shows it (spec: engage §2.2–2.6): groups that all must hold, each a choice of
/// rows. It says less than the query language; what it can say maps onto the tree and back without loss.
public struct BuilderQuery: Sendable, Hashable {
    /// "All users who", "And who", "And not who": rows joined by OR.
    public struct Group: Sendable, Hashable {
        public var isNegated: Bool
        public var rows: [Row]

        public init(isNegated: Bool = false, _ rows: [Row]) {
            self.isNegated = isNegated
            self.rows = rows
        }
    }

    /// One condition.
    public struct Row: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            /// "performed".
            case event(Event)
            /// "are part of", or with `isMember` false "are not part of".
            case audience(key: String, isMember: Bool)
            /// "have a trait".
            case trait(PropertyPath, Comparator)
        }

        /// In account audiences: whose condition it is; `nil` = the account's own.
        public var quantifier: Quantifier?
        public var kind: Kind

        public init(quantifier: Quantifier? = nil, _ kind: Kind) {
            self.quantifier = quantifier
            self.kind = kind
        }
    }

    public enum Quantifier: String, Sendable, Hashable, CaseIterable {
        case any
        case all
        case none
    }

    /// "performed [event] [at least] [1] time".
    public struct Event: Sendable, Hashable {
        public var name: String
        public var frequency: Frequency
        /// "and where": joined by AND.
        public var filters: [Filter]
        public var window: Window
        public var children: [Child]

        public init(
            _ name: String, _ frequency: Frequency = Frequency(.atLeast, 1), filters: [Filter] = [],
            window: Window = .anyTime, children: [Child] = []
        ) {
            self.name = name
            self.frequency = frequency
            self.filters = filters
            self.window = window
            self.children = children
        }
    }

    /// "and then did perform", or with `isPerformed` false "and then did not perform"; the window counts from the parent.
    public struct Child: Sendable, Hashable {
        public var isPerformed: Bool
        public var name: String
        public var frequency: Frequency
        public var filters: [Filter]
        public var window: Window

        public init(
            isPerformed: Bool = true, _ name: String, _ frequency: Frequency = Frequency(.atLeast, 1),
            filters: [Filter] = [], window: Window = .anyTime
        ) {
            self.isPerformed = isPerformed
            self.name = name
            self.frequency = frequency
            self.filters = filters
            self.window = window
        }
    }

    public struct Frequency: Sendable, Hashable {
        public enum Bound: String, Sendable, Hashable, CaseIterable {
            case atLeast = "at_least"
            case exactly
            case atMost = "at_most"
        }

        public var bound: Bound
        /// Not negative.
        public var count: Int

        public init(_ bound: Bound, _ count: Int) {
            self.bound = bound
            self.count = count
        }
    }

    public enum Window: Sendable, Hashable {
        case anyTime
        case within(Duration)
        case between(Duration, Duration)
    }

    /// "and where [property] [operator] [value]". The value of a scalar comparison is a constant, a trait or, in a child,
    /// a property of the parent.
    public struct Filter: Sendable, Hashable {
        public var field: Field
        public var comparator: Comparator

        public init(_ field: Field, _ comparator: Comparator) {
            self.field = field
            self.comparator = comparator
        }
    }

    public var groups: [Group]

    public init(_ groups: [Group]) { self.groups = groups }
}

/// A computed trait as the builder shows it (spec: engage §1.2). The reducer holds the type, the aggregation, the property,
/// the data type and the minimum frequency.
public struct BuilderTrait: Sendable, Hashable {
    public enum Window: Sendable, Hashable {
        case anyTime
        /// "over the last".
        case sliding(Duration)
        /// Ends after this much inactivity.
        case session(Duration)
    }

    public var event: String
    /// "with all of the following conditions".
    public var filters: [BuilderQuery.Filter]
    public var reducer: Reducer
    public var window: Window

    public init(
        event: String, filters: [BuilderQuery.Filter] = [], reducer: Reducer, window: Window = .anyTime
    ) {
        self.event = event
        self.filters = filters
        self.reducer = reducer
        self.window = window
    }
}

/// Why a query can't be shown in the builder, or a builder's state is no query; in words for the person who edits.
public struct BuilderError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

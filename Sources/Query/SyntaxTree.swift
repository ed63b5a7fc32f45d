public import Model

/// The syntax tree of the query language (spec: engage §3.1). Text, builder, API and evaluator share it; the canonical
/// printer and the parser are inverse on it: `parse(print(tree)) == tree`.
///
/// An audience's root is a condition; a computed trait's root is a scalar (`Definition.trait`).
public enum Definition: Sendable, Hashable {
    case audience(Condition)
    case trait(Scalar)
}

/// Something that is true or false of a subject, or of an occurrence inside `where(…)`. Two-valued: a comparison with a
/// missing value is false and `NOT` of it true (spec: engage §3.5).
public indirect enum Condition: Sendable, Hashable {
    /// At least two operands; operands are no `or` themselves (the parser flattens, the printer relies on it).
    case or([Condition])
    /// At least two operands; operands are no `and` themselves.
    case and([Condition])
    case not(Condition)
    /// At least one user of the account.
    case any(Condition)
    /// Every user of the account.
    case all(Condition)
    case comparison(Scalar, Comparator)
}

/// Something with a value.
public indirect enum Scalar: Sendable, Hashable {
    case literal(Literal)
    /// A custom or computed trait, or an audience's key.
    case trait(PropertyPath)
    /// A property of the occurrence at hand; only inside `where` or a reducer.
    case property(PropertyPath)
    /// A property of the parent occurrence; only in a funnel child.
    case parentProperty(PropertyPath)
    /// A part of the occurrence's context, or `timestamp`, `receivedAt`, `messageId`, `sourceId`, `type` of its envelope.
    case context(PropertyPath)
    case reduction(EventStream, Reducer)
}

/// All occurrences of one event that pass every filter; the order of filters has no meaning (spec: engage §3.3).
public struct EventStream: Sendable, Hashable {
    public var event: String
    public var filters: [StreamFilter]

    public init(event: String, filters: [StreamFilter] = []) {
        self.event = event
        self.filters = filters
    }
}

public enum StreamFilter: Sendable, Hashable {
    case `where`(Condition)
    case excludingSources([String])
    /// `0 ≤ now − timestamp ≤ span`, both ends included.
    case within(Duration)
    /// `0 < timestamp − parent ≤ span`: strictly after the parent occurrence.
    case withinParent(Duration)
    /// `from ≤ now − timestamp ≤ to`, both ends included.
    case between(Duration, Duration)
    /// `from ≤ timestamp − parent ≤ to`, and strictly after the parent.
    case betweenParent(Duration, Duration)
    /// The latest activity session: ends after this much inactivity (computed traits).
    case expiresAfter(Duration)
}

/// A length of time as it was written. `7 days` and `168 hours` are different text and equal spans.
public struct Duration: Sendable, Hashable {
    public enum Unit: String, Sendable, Hashable, CaseIterable {
        case second
        case minute
        case hour
        case day
        case week
    }

    public var count: Int64
    public var unit: Unit

    public init(_ count: Int64, _ unit: Unit) {
        self.count = count
        self.unit = unit
    }

    /// Saturates far above `maximum`, so that arithmetic with it can't overflow.
    public var span: Instant.Span {
        let (milliseconds, isTooLarge) = count.multipliedReportingOverflow(by: unit.milliseconds)
        if isTooLarge || milliseconds.magnitude > Duration.saturation.magnitude {
            return Instant.Span(milliseconds: count < 0 ? -Duration.saturation : Duration.saturation)
        }
        return Instant.Span(milliseconds: milliseconds)
    }

    /// The longest length of time that a query may name: 36,500 days, about 100 years.
    public static let maximum = Instant.Span.days(36_500)

    private static let saturation: Int64 = 1 << 53
}

extension Duration.Unit {
    var milliseconds: Int64 {
        switch self {
        case .second: 1000
        case .minute: 60_000
        case .hour: 3_600_000
        case .day: 86_400_000
        case .week: 604_800_000
        }
    }
}

/// What becomes of a stream.
public enum Reducer: Sendable, Hashable {
    case count
    case sum(Field)
    case average(Field)
    case minimum(Field, ValueType?)
    case maximum(Field, ValueType?)
    case first(Field)
    case last(Field)
    /// The most frequent value that occurs at least `minimumFrequency` times; ties go to the alphabetically first.
    case mode(Field, ValueType?, minimumFrequency: Int)
    case unique(Field)
    /// `unique(…).count()`.
    case uniqueCount(Field)
}

/// `as number`, `as string`, `as array`.
public enum ValueType: String, Sendable, Hashable, CaseIterable {
    case number
    case string
    case array
}

/// The argument of a reducer.
public enum Field: Sendable, Hashable {
    case property(PropertyPath)
    case context(PropertyPath)
}

/// A dotted path into a JSON object; `$` stands for each element of an array (spec: engage §3.1, §2.3).
public struct PropertyPath: Sendable, Hashable {
    public enum Component: Sendable, Hashable {
        case key(String)
        case elements
    }

    public var components: [Component]

    public init(_ components: [Component]) { self.components = components }

    /// A path of one key, taken literally: dots in it do not separate.
    public init(key: String) { self.components = [.key(key)] }
}

public enum Literal: Sendable, Hashable {
    case number(Double)
    case string(String)
    /// A date or timestamp written without quotes, with the text it was written in.
    case instant(Instant, text: String)
    case boolean(Bool)
}

/// The right side of a comparison (spec: engage §2.4).
public enum Comparator: Sendable, Hashable {
    case equals(Scalar)
    /// True only if the left side exists and differs.
    case differs(Scalar)
    case lessThan(Scalar)
    case lessThanOrEqual(Scalar)
    case greaterThan(Scalar)
    case greaterThanOrEqual(Scalar)
    case oneOf([Literal])
    /// True only if the left side exists and equals none.
    case noneOf([Literal])
    /// Any of the substrings.
    case contains([Literal])
    /// `NOT contains`: true also where the left side is missing.
    case omits([Literal])
    case startsWith(Literal)
    case endsWith(Literal)
    case exists
    case absent
    case beforeDate(Literal)
    case afterDate(Literal)
    case withinLast(Duration)
    case withinNext(Duration)
    case beforeLast(Duration)
    case afterNext(Duration)
}

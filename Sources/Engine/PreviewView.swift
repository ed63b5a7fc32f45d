import Evaluation
public import JSON
public import Model
public import Query

// What a preview shows: how many a definition would be about, which of its conditions they meet, and who else has them.

/// What a preview is asked: a definition that need not be saved, as of an instant.
public struct PreviewQuestion: Sendable {
    public let computation: Computation
    public let definition: Definition
    public let at: Instant
    /// The id of a computation whose holders are compared with those of the definition.
    public let overlapWith: String?
    /// Profiles listed.
    public let sampleSize: Int

    public init(
        _ computation: Computation, _ definition: Definition, at: Instant, overlapWith: String? = nil,
        sampleSize: Int = 0
    ) {
        self.computation = computation
        self.definition = definition
        self.at = at
        self.overlapWith = overlapWith
        self.sampleSize = sampleSize
    }
}

/// A condition of an audience with how many people meet it. Where conditions are joined, so are their counts: an `AND` is a
/// funnel of its operands, an `OR` a collection.
public struct PreviewCondition: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case and
        case or
        /// Everything else, also with `NOT`, `ANY` or `ALL` before it.
        case condition
    }

    public let kind: Kind
    /// In the query language.
    public let text: String
    /// Of `and` and `or`, in the order in which they are written.
    public private(set) var operands: [PreviewCondition]
    /// How many meet this condition alone, of those that qualify.
    public private(set) var matching = 0
    /// How many meet it and, inside an `AND`, all operands before it, or, inside an `OR`, it or any operand before it.
    public private(set) var cumulative = 0

    init(_ condition: Condition) {
        text = condition.text
        switch condition {
        case .and(let operands): (kind, self.operands) = (.and, operands.map { PreviewCondition($0) })
        case .or(let operands): (kind, self.operands) = (.or, operands.map { PreviewCondition($0) })
        default: (kind, operands) = (.condition, [])
        }
    }

    /// The conditions that are asked for their truth, in the order of `leaves` of `add`.
    static func leaves(of condition: Condition) -> [Condition] {
        switch condition {
        case .and(let operands), .or(let operands): operands.flatMap { leaves(of: $0) }
        default: [condition]
        }
    }

    /// Counts 64 profiles, one bit each.
    /// - Parameters:
    ///   - asked: Who qualifies.
    ///   - leaves: Of whom each leaf is true.
    /// - Returns: Of whom the whole is true.
    mutating func add(asked: UInt64, _ leaves: [UInt64]) -> UInt64 {
        var next = 0
        let truth = add(asked: asked, leaves, &next)
        cumulative = matching
        return truth
    }

    private mutating func add(asked: UInt64, _ leaves: [UInt64], _ next: inout Int) -> UInt64 {
        var truth = kind == .or ? 0 : asked
        if operands.isEmpty {
            truth = leaves[next] & asked
            next += 1
        }
        for index in operands.indices {
            let part = operands[index].add(asked: asked, leaves, &next)
            truth = kind == .and ? truth & part : truth | part
            operands[index].cumulative += truth.nonzeroBitCount
        }
        matching += truth.nonzeroBitCount
        return truth
    }
}

/// How many profiles two definitions share.
public struct PreviewOverlap: Sendable, Hashable {
    public var both = 0
    /// In what is previewed, and not in the other.
    public var onlyThis = 0
    public var onlyOther = 0

    public init() {}
}

/// Which values a trait would have.
public struct ValueDistribution: Sendable, Hashable {
    public struct Frequent: Sendable, Hashable {
        public let value: JSONValue
        /// Profiles that have it; of lists, those whose list holds it.
        public let profiles: Int
    }

    /// Where all values are numbers.
    public var minimum: Double?
    /// The lower of the middle two of an even number.
    public var median: Double?
    public var maximum: Double?
    /// The most frequent values, the most frequent first.
    public var frequent: [Frequent] = []
    /// Distinct values; at most `maximumDistinct` are told apart.
    public var distinct = 0
}

/// How many profiles a query would give, and some of them.
public struct PreviewView: Sendable, Hashable {
    public var size = 0
    /// Profiles looked at, of `total`.
    public var done = 0
    public var total = 0
    /// Profiles of the definition's level with an id that it asks for.
    public var qualifying = 0
    public var sample: [MemberView] = []
    /// Per type of id: how many of the profiles have one, and how many values there are (spec: engage §5).
    public var identifiers: [String: IdentifierCount] = [:]
    /// The instant as of which the query was answered.
    public var at = Instant.distantPast
    /// Of audiences.
    public var conditions: PreviewCondition?
    public var overlap: PreviewOverlap?
    /// Of traits, once everybody was looked at.
    public var distribution: ValueDistribution?

    public init() {}

    public struct IdentifierCount: Sendable, Hashable {
        public var profiles = 0
        public var values = 0
    }
}

/// What one step of a preview found; 64 profiles to a word.
public struct PreviewPart: Sendable {
    var looked = 0
    /// Who qualifies.
    var asked: [UInt64] = []
    /// Per word, of whom each leaf is true.
    var leaves: [[UInt64]] = []
    /// Traits: who has a value.
    var holders: [UInt64] = []
    /// Whom the other computation holds, qualifying or not.
    var others: [UInt64] = []
    var values: [JSONValue] = []
    var sample: [MemberView] = []
    var identifiers: [String: PreviewView.IdentifierCount] = [:]
}

/// Puts the parts of a preview together, outside the engine's lock.
public struct PreviewTally: Sendable {
    public private(set) var view = PreviewView()
    private let question: PreviewQuestion
    private var numbers: [Double] = []
    private var areNumbers = true
    private var frequencies: [JSONValue: Int] = [:]

    /// Values that are told apart.
    public static let maximumDistinct = 10_000
    /// Values that are named.
    static let frequentCount = 10

    public init(_ question: PreviewQuestion, total: UInt32) {
        self.question = question
        view.total = Int(total)
        view.at = question.at
        if case .audience(let condition) = question.definition { view.conditions = PreviewCondition(condition) }
        if question.overlapWith != nil { view.overlap = PreviewOverlap() }
    }

    /// Adds what comes next.
    public mutating func add(_ part: PreviewPart) {
        view.done += part.looked
        for (index, asked) in part.asked.enumerated() {
            view.qualifying += asked.nonzeroBitCount
            let held = view.conditions?.add(asked: asked, part.leaves[index]) ?? part.holders[index]
            view.size += held.nonzeroBitCount
            if view.overlap != nil {
                let others = part.others[index]
                view.overlap?.both += (held & others).nonzeroBitCount
                view.overlap?.onlyThis += (held & ~others).nonzeroBitCount
                view.overlap?.onlyOther += (others & ~held).nonzeroBitCount
            }
        }
        view.sample += part.sample.prefix(question.sampleSize - view.sample.count)
        view.identifiers.merge(part.identifiers) { left, right in
            .init(profiles: left.profiles + right.profiles, values: left.values + right.values)
        }
        for value in part.values { add(value) }
        if view.done == view.total, case .trait = question.definition { view.distribution = distribution() }
    }

    /// Profiles that the sample still lacks.
    public var missingSample: Int { question.sampleSize - view.sample.count }

    private mutating func add(_ value: JSONValue) {
        if case .number(let number) = value { numbers.append(number.double) } else { areNumbers = false }
        for element in value.array.map({ Array(Set($0)) }) ?? [value] {
            if frequencies[element] != nil || frequencies.count < PreviewTally.maximumDistinct {
                frequencies[element, default: 0] += 1
            }
        }
    }

    private func distribution() -> ValueDistribution {
        var distribution = ValueDistribution()
        distribution.distinct = frequencies.count
        if areNumbers, !numbers.isEmpty {
            let sorted = numbers.sorted()
            distribution.minimum = sorted.first
            distribution.median = sorted[(sorted.count - 1) / 2]
            distribution.maximum = sorted.last
        }
        // Equally frequent ones in the order of their text, so that the answer is a function of the values.
        distribution.frequent = frequencies.map {
            (value: $0.key, text: String(decoding: $0.key.utf8, as: UTF8.self), profiles: $0.value)
        }
        .sorted { $0.profiles != $1.profiles ? $0.profiles > $1.profiles : $0.text < $1.text }
        .prefix(PreviewTally.frequentCount).map { .init(value: $0.value, profiles: $0.profiles) }
        return distribution
    }
}

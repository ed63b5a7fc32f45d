import Evaluation
import History
import Identity
import Model
import Query
import Scan

/// A preview as far as columns can tell it: what is read, and whom it is about, as of one moment. It is run outside the
/// engine's lock, on several threads; whom it leaves open, the evaluator is asked about afterwards.
public struct PreviewScan: Sendable {
    let plan: ScanPlan
    let source: ScanSource
    /// Qualifying people with one number: kernels may answer for them.
    let single: ProfileSet
    /// Qualifying people whom others were merged into.
    let merged: ProfileSet
    /// Whom the other computation holds.
    let others: ProfileSet?
    let isAudience: Bool

    /// Looks at everybody.
    /// - Parameter progress: Called with profiles looked at and profiles in all, from any thread.
    /// - Returns: `nil` if a file was found damaged: then all are to be asked one by one.
    /// - Throws: `CancellationError` soon after the task was cancelled.
    public func run(
        threads: Int = 2, progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
    ) async throws -> PreviewAnswers? {
        guard let snapshot = source.snapshot() else { return nil }
        return answers(
            try await plan.answers(over: snapshot, asked: single, threads: threads, progress: progress))
    }

    /// The same on the caller's thread.
    func runHere() -> PreviewAnswers? {
        source.snapshot().map { answers(plan.answers(over: $0, asked: single)) }
    }

    private func answers(_ found: [ScanAnswer]) -> PreviewAnswers {
        let count = single.words.count
        func words(_ set: ProfileSet) -> [UInt64] {
            set.words.count >= count ? set.words : set.words + Array(repeating: 0, count: count - set.words.count)
        }
        var open = words(merged)
        for answer in found {
            for (index, word) in answer.undecided.words.enumerated() where index < count {
                open[index] |= word & single.words[index]
            }
        }
        var answers = PreviewAnswers(
            asked: zip(single.words, words(merged)).map { $0 | $1 }, open: open, others: others.map(words))
        if isAudience {
            answers.leaves = found.map { words($0.members) }
        } else if let values = found.first?.values {
            (answers.profiles, answers.bits) = values
        }
        return answers
    }
}

/// What a scan found, 64 profiles to a word.
public struct PreviewAnswers: Sendable {
    /// Who qualifies.
    let asked: [UInt64]
    /// Whom the evaluator is to be asked about.
    let open: [UInt64]
    let others: [UInt64]?
    /// Of audiences: per leaf, of whom it is true.
    var leaves: [[UInt64]] = []
    /// Of traits: who has a value, ascending, and the bits of its cell.
    var profiles: [UInt32] = []
    var bits: [UInt64] = []

    init(asked: [UInt64], open: [UInt64], others: [UInt64]?) {
        self.asked = asked
        self.open = open
        self.others = others
    }

    /// How many the evaluator is to be asked about.
    public var openCount: Int { open.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// The place of the first value of a profile that is not before `profile`.
    func firstValue(from profile: UInt32) -> Int { profiles.partitioningIndex { $0 >= profile } }
}

extension Engine {
    /// Begins a preview of people in the present: takes what a scan reads. `nil` where columns can't tell: of accounts,
    /// of the past, and of damaged files.
    public func beginScan(_ question: PreviewQuestion) -> PreviewScan? {
        let definition = question.computation
        guard definition.level == .users, question.at >= now, history.damage == nil else { return nil }
        let viewpoint = Viewpoint(self, at: question.at)
        let evidence = viewpoint.evidence(definition)
        let queries = PreviewAsking.queries(of: question.definition)
        let plan = ScanPlan(queries.map { ($0, evidence) }, for: history, at: question.at) {
            registry.computation(key: $0) != nil
        }
        let (single, merged) = people.people(
            .users, having: Set(definition.options.filterByExternalIDs), in: identity)
        var others: ProfileSet?
        if let other = question.overlapWith.flatMap({ registry.computation(id: $0) }) {
            guard isPresent(question.at) else { return nil }
            var holders = ProfileSet(bound: ordinalLimit)
            other.states.forEachTelling { holders.insert($0) }
            others = holders
        }
        return PreviewScan(
            plan: plan, source: ScanSource(history, for: plan), single: single, merged: merged, others: others,
            isAudience: definition.kind == .audience)
    }
}

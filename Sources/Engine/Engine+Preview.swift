import Evaluation
import History
import Identity
import JSON
import Model
import Query
import Store

// Previews: what a definition that is not saved would come to (spec: engage §5).

extension Engine {
    /// An instant that is not further ahead is the present: the engine's time follows the clock at a distance.
    private static let present = Instant.Span.minutes(1)

    /// Answers a preview for the profiles with ordinals in `range`, which must begin at a multiple of 64. A preview is a
    /// sequence of such steps, so that it never holds up the Log for long.
    /// - Parameter sampleSize: Profiles to list at most.
    public func preview(_ question: PreviewQuestion, range: Range<UInt32>, sampleSize: Int) -> PreviewPart {
        precondition(range.lowerBound % 64 == 0, "steps of a preview are whole words")
        let definition = question.computation
        let viewpoint = Viewpoint(self, at: question.at)
        let isPresent = !viewpoint.isPast && question.at <= now + Engine.present
        let asking = PreviewAsking(question, evidence: viewpoint.evidence(definition))
        let other = question.overlapWith.flatMap { registry.computation(id: $0) }
        var part = PreviewPart()
        part.looked = range.count
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 64) {
            var word = PreviewAsking.Word(asking)
            for number in first..<min(first + 64, range.upperBound) {
                let profile = ProfileOrdinal(number)
                let bit: UInt64 = 1 << UInt64(number % 64)
                guard viewpoint.canonical(profile) == profile, level(of: profile) == definition.level else { continue }
                if let other, holds(other, profile, viewpoint, isPresent: isPresent) { word.others |= bit }
                guard viewpoint.qualifies(profile, for: definition) else { continue }
                word.asked |= bit
                let subject =
                    isPresent
                    ? subject(profile, level: definition.level) : viewpoint.subject(profile, level: definition.level)
                guard let value = asking.ask(subject, bit, in: history, into: &word) else { continue }
                if definition.kind == .trait { part.values.append(value) }
                tell(profile, value, question.at, sampleSize: sampleSize, into: &part)
            }
            part.asked.append(word.asked)
            part.leaves.append(word.leaves)
            part.holders.append(word.holders)
            part.others.append(word.others)
        }
        return part
    }

    private func holds(
        _ computation: RegisteredComputation, _ profile: ProfileOrdinal, _ viewpoint: Viewpoint, isPresent: Bool
    ) -> Bool {
        if isPresent { return computation.states[profile]?.isTelling == true }
        return !isNothing(viewpoint.evaluate(computation, profile).value, of: computation)
    }

    /// Counts the ids of one whom the preview is about, and lists the first ones.
    private func tell(
        _ profile: ProfileOrdinal, _ value: JSONValue, _ at: Instant, sampleSize: Int, into part: inout PreviewPart
    ) {
        if part.sample.count < sampleSize {
            part.sample.append(MemberView(profile: summary(profile), value: value, since: at, nextChange: nil))
        }
        var seen: Set<String> = []
        for identifier in identity.identifiers(of: profile) {
            part.identifiers[identifier.type, default: .init()].values += 1
            if seen.insert(identifier.type).inserted {
                part.identifiers[identifier.type, default: .init()].profiles += 1
            }
        }
    }
}

/// The queries of a preview, made ready for one step: compiled queries may not leave the engine's lock.
private struct PreviewAsking {
    /// Answers about 64 profiles.
    struct Word {
        var asked: UInt64 = 0
        var leaves: [UInt64]
        var holders: UInt64 = 0
        var others: UInt64 = 0

        init(_ asking: PreviewAsking) { leaves = Array(repeating: 0, count: asking.leaves.count) }
    }

    private let at: Instant
    private let evidence: Evidence
    /// Of audiences: the conditions that are counted, each a query of its own.
    private var leaves: [CompiledQuery] = []
    private var tree: PreviewCondition?
    private let value: CompiledQuery

    init(_ question: PreviewQuestion, evidence: Evidence) {
        at = question.at
        self.evidence = evidence
        value = CompiledQuery(question.definition)
        if case .audience(let condition) = question.definition {
            leaves = PreviewCondition.leaves(of: condition).map { CompiledQuery(.audience($0)) }
            tree = PreviewCondition(condition)
        }
    }

    /// The value on a profile if it is something.
    func ask(_ subject: Subject, _ bit: UInt64, in history: History, into word: inout Word) -> JSONValue? {
        guard var tree else {
            let found = value.evaluate(subject, evidence: evidence, in: history, at: at).value
            if Engine.isNothing(found, isAudience: false, isCounter: value.definition.isCounter) { return nil }
            word.holders |= bit
            return found
        }
        var truths = leaves.map { _ in UInt64(0) }
        for (index, leaf) in leaves.enumerated()
        where leaf.evaluate(subject, evidence: evidence, in: history, at: at).isMember {
            word.leaves[index] |= bit
            truths[index] = bit
        }
        return tree.add(asked: bit, truths) == 0 ? nil : true
    }
}

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

    /// Whether the values that computations have are those of the instant.
    func isPresent(_ instant: Instant) -> Bool { instant >= now && instant <= now + Engine.present }

    /// Answers a preview for the profiles with ordinals in `range`, which must begin at a multiple of 64. A preview is a
    /// sequence of such steps, so that it never holds up the Log for long.
    /// - Parameters:
    ///   - answers: What a scan has found; without it everybody is asked one by one.
    ///   - sampleSize: Profiles to list at most.
    public func preview(
        _ question: PreviewQuestion, answers: PreviewAnswers? = nil, range: Range<UInt32>, sampleSize: Int
    ) -> PreviewPart {
        precondition(range.lowerBound % 64 == 0, "steps of a preview are whole words")
        let step = PreviewStep(self, question, answers)
        var part = PreviewPart()
        part.looked = range.count
        var counts = IdentifierCounts()
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 64) {
            let word = step.word(first..<min(first + 64, range.upperBound))
            for (profile, value) in word.found where identity.exists(profile) {
                identity.count(idsOf: canonical(profile), into: &counts)
                if question.computation.kind == .trait { part.values.append(value) }
                if part.sample.count < sampleSize {
                    part.sample.append(
                        MemberView(profile: summary(profile), value: value, since: question.at, nextChange: nil))
                }
            }
            part.asked.append(word.asked)
            part.leaves.append(word.leaves)
            part.holders.append(word.holders)
            part.others.append(word.others)
        }
        part.identifiers = identity.named(counts).mapValues { .init(profiles: $0.profiles, values: $0.values) }
        return part
    }
}

/// The queries of a preview, each ready to be asked.
struct PreviewAsking {
    /// Of an audience its conditions that are counted, each a query of its own; of a trait the one query.
    static func queries(of definition: Definition) -> [CompiledQuery] {
        switch definition {
        case .audience(let condition):
            PreviewCondition.leaves(of: condition).map { CompiledQuery(.audience($0)) }
        case .trait: [CompiledQuery(definition)]
        }
    }
}

/// One step of a preview. Compiled queries may not leave the engine's lock, so each step has its own.
private struct PreviewStep {
    /// What is found about 64 profiles, one bit each.
    struct Word {
        var asked: UInt64 = 0
        /// Of audiences: of whom each leaf is true.
        var leaves: [UInt64]
        /// Who is a member or has a value.
        var holders: UInt64 = 0
        var others: UInt64 = 0
        /// The same with values, ascending.
        var found: [(profile: ProfileOrdinal, value: JSONValue)] = []
    }

    private let engine: Engine
    private let question: PreviewQuestion
    private let answers: PreviewAnswers?
    private let viewpoint: Viewpoint
    private let isPresent: Bool
    private let evidence: Evidence
    private let queries: [CompiledQuery]
    private let tree: PreviewCondition?
    private let other: RegisteredComputation?

    init(_ engine: Engine, _ question: PreviewQuestion, _ answers: PreviewAnswers?) {
        self.engine = engine
        self.question = question
        self.answers = answers
        viewpoint = Viewpoint(engine, at: question.at)
        isPresent = engine.isPresent(question.at)
        evidence = viewpoint.evidence(question.computation)
        queries = PreviewAsking.queries(of: question.definition)
        if case .audience(let condition) = question.definition {
            tree = PreviewCondition(condition)
        } else {
            tree = nil
        }
        other = question.overlapWith.flatMap { engine.registry.computation(id: $0) }
    }

    func word(_ range: Range<UInt32>) -> Word {
        var word = Word(leaves: Array(repeating: 0, count: tree == nil ? 0 : queries.count))
        var values: [UInt32: JSONValue] = [:]
        var open: UInt64
        if let answers {
            open = take(answers, range, into: &word, &values)
        } else {
            open = 0
            for number in range { open |= self.open(ProfileOrdinal(number), into: &word) }
        }
        while open != 0 {
            let bit = open & (~open &+ 1)
            open &= open &- 1
            ask(ProfileOrdinal(range.lowerBound + UInt32(bit.trailingZeroBitCount)), bit, into: &word, &values)
        }
        if var tree { word.holders = tree.add(asked: word.asked, word.leaves) }
        var holders = word.holders
        while holders != 0 {
            let number = range.lowerBound + UInt32(holders.trailingZeroBitCount)
            holders &= holders &- 1
            word.found.append((ProfileOrdinal(number), values[number] ?? true))
        }
        return word
    }

    /// Takes over what a scan found; gives back whom it left open.
    private func take(
        _ answers: PreviewAnswers, _ range: Range<UInt32>, into word: inout Word, _ values: inout [UInt32: JSONValue]
    ) -> UInt64 {
        let index = Int(range.lowerBound / 64)
        guard index < answers.asked.count else { return 0 }
        word.asked = answers.asked[index]
        word.others = answers.others?[index] ?? 0
        let open = answers.open[index]
        for leaf in word.leaves.indices { word.leaves[leaf] = answers.leaves[leaf][index] & ~open }
        var place = answers.firstValue(from: range.lowerBound)
        while place < answers.profiles.count, answers.profiles[place] < range.upperBound {
            let number = answers.profiles[place]
            let bit: UInt64 = 1 << UInt64(number % 64)
            if open & bit == 0 {
                let value = engine.history.store.json(Cell(rawBits: answers.bits[place]))
                hold(value, number, bit, into: &word, &values)
            }
            place += 1
        }
        return open
    }

    /// The bit of a profile that qualifies, else 0.
    private func open(_ profile: ProfileOrdinal, into word: inout Word) -> UInt64 {
        let definition = question.computation
        guard viewpoint.canonical(profile) == profile, engine.level(of: profile) == definition.level else { return 0 }
        let bit: UInt64 = 1 << UInt64(profile.rawValue % 64)
        if let other, holds(other, profile) { word.others |= bit }
        guard viewpoint.qualifies(profile, for: definition) else { return 0 }
        word.asked |= bit
        return bit
    }

    private func holds(_ computation: RegisteredComputation, _ profile: ProfileOrdinal) -> Bool {
        if isPresent { return computation.states[profile]?.isTelling == true }
        return !engine.isNothing(viewpoint.evaluate(computation, profile).value, of: computation)
    }

    /// Asks the evaluator.
    private func ask(
        _ profile: ProfileOrdinal, _ bit: UInt64, into word: inout Word, _ values: inout [UInt32: JSONValue]
    ) {
        guard engine.identity.exists(profile) else { return }
        let level = question.computation.level
        let subject =
            isPresent ? engine.subject(profile, level: level) : viewpoint.subject(profile, level: level)
        for (index, query) in queries.enumerated() {
            let value = query.evaluate(subject, evidence: evidence, in: engine.history, at: question.at).value
            if tree == nil {
                hold(value, profile.rawValue, bit, into: &word, &values)
            } else if value == true {
                word.leaves[index] |= bit
            }
        }
    }

    /// Notes the value of a trait, if it is something.
    private func hold(
        _ value: JSONValue, _ number: UInt32, _ bit: UInt64, into word: inout Word,
        _ values: inout [UInt32: JSONValue]
    ) {
        guard !Engine.isNothing(value, isAudience: false, isCounter: question.definition.isCounter) else { return }
        word.holders |= bit
        values[number] = value
    }
}

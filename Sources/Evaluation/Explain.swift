public import History
import JSON
public import Model
public import Query

extension Definition {
    /// Explains what this is worth for a subject at an instant. Costs many evaluations: for people's questions, not for
    /// every event.
    public func explain(
        for subject: Subject, evidence: Evidence = .everything, in history: History, at now: Instant
    ) -> Explanation {
        let explainer = Explainer(history: history, evidence: evidence, now: now)
        switch self {
        case .audience(let condition): return explainer.explain(condition, subject)
        case .trait(let scalar): return explainer.explain(scalar, subject)
        }
    }
}

private struct Explainer {
    let history: History
    let evidence: Evidence
    let now: Instant

    // MARK: Conditions

    func explain(_ condition: Condition, _ subject: Subject) -> Explanation {
        switch condition {
        case .or(let operands): return whole(.or, condition, subject, operands.map { explain($0, subject) })
        case .and(let operands): return whole(.and, condition, subject, operands.map { explain($0, subject) })
        case .not(let operand): return whole(.not, condition, subject, [explain(operand, subject)])
        case .any(let operand): return whole(.any, condition, subject, users(operand, subject, deciding: true))
        case .all(let operand): return whole(.all, condition, subject, users(operand, subject, deciding: false))
        case .comparison(let left, let comparator):
            var explanation = whole(.comparison, condition, subject, [])
            var recorder = Recorder(self, subject)
            explanation.value = recorder.record(left, in: &explanation)
            if let right = comparator.rightSide {
                explanation.comparedWith = recorder.record(right, in: &explanation)
            }
            recorder.recordInnerEvents(in: &explanation)
            return explanation
        }
    }

    func explain(_ scalar: Scalar, _ subject: Subject) -> Explanation {
        var explanation = Explanation(kind: .value, text: scalar.text)
        let query = CompiledQuery(.trait(scalar))
        answer(query, subject, in: &explanation)
        var recorder = Recorder(self, subject)
        explanation.value = recorder.record(scalar, in: &explanation)
        recorder.recordInnerEvents(in: &explanation)
        return explanation
    }

    private func whole(
        _ kind: Explanation.Kind, _ condition: Condition, _ subject: Subject, _ children: [Explanation]
    ) -> Explanation {
        var explanation = Explanation(kind: kind, text: condition.text)
        let query = CompiledQuery(.audience(condition))
        explanation.holds = answer(query, subject, in: &explanation).isMember
        explanation.children = children
        return explanation
    }

    /// The users of an account, those who decide first.
    private func users(_ condition: Condition, _ subject: Subject, deciding: Bool) -> [Explanation] {
        let views: [ProfileView]
        switch subject {
        case .user(let profile): views = [profile]
        case .account(_, let users): views = users
        }
        let query = CompiledQuery(.audience(condition))
        let decisive = { (user: ProfileView) in
            query.evaluate(.user(user), evidence: evidence, in: history, at: now).isMember == deciding
        }
        let (first, others) = (views.filter(decisive), views.filter { !decisive($0) })
        return (first + others).prefix(Explanation.maximumUsers).map { user in
            var explanation = explain(condition, .user(user))
            explanation.user = user.ordinals
            return explanation
        }
    }

    // MARK: Since and until

    @discardableResult
    private func answer(_ query: CompiledQuery, _ subject: Subject, in explanation: inout Explanation) -> Evaluation {
        let current = query.evaluate(subject, evidence: evidence, in: history, at: now)
        explanation.changesAt = current.changesAt
        explanation.since = since(query, subject, current)
        return current
    }

    /// Follows the answer from the beginning of time to now, from change to change.
    private func since(_ query: CompiledQuery, _ subject: Subject, _ current: Evaluation) -> Instant? {
        var evaluation = query.evaluate(subject, evidence: evidence, in: history, at: .epoch)
        var since: Instant?
        for _ in 0..<Explanation.maximumSteps {
            guard let next = evaluation.changesAt, next <= now else { return since }
            let following = query.evaluate(subject, evidence: evidence, in: history, at: next)
            if following.value != evaluation.value { since = next }
            evaluation = following
        }
        return nil
    }

}

/// Notes what one comparison or value rests on.
private struct Recorder {
    let explainer: Explainer
    let subject: Subject
    private var roots: [Citations.Root] = []
    private var citations: Citations

    init(_ explainer: Explainer, _ subject: Subject) {
        self.explainer = explainer
        self.subject = subject
        citations = Citations(
            limit: Explanation.maximumEvents,
            evaluator: Evaluator(explainer.history, explainer.evidence, now: explainer.now))
    }

    private var history: History { explainer.history }
    private var evidence: Evidence { explainer.evidence }
    private var now: Instant { explainer.now }

    /// Notes the events and traits that a scalar reads, and returns its value.
    mutating func record(_ scalar: Scalar, in explanation: inout Explanation) -> JSONValue? {
        if case .literal = scalar { return nil }
        let query = CompiledQuery(.trait(scalar))
        let evaluation = query.evaluate(subject, evidence: evidence, in: history, at: now)
        let plan = query.plan(for: history)
        let scope = Scope(subject, plan)
        switch plan.root {
        case .trait(let scalar):
            roots.append(Citations.Root(scalar: scalar, scope: scope))
            if case .reduction(let stream, _) = scalar { record(stream, scope, in: &explanation) }
            if case .trait(let trait) = scalar { record(trait, scope, in: &explanation) }
        case .audience: break
        }
        return evaluation.value
    }

    /// After the last scalar.
    mutating func recordInnerEvents(in explanation: inout Explanation) {
        citations.complete(roots)
        explanation.areInnerEventsCut = citations.areCut
        explanation.innerEvents = citations.inner.map { event(of: $0.stream, $0.row, leavesAt: $0.leavesAt) }
    }

    private mutating func record(_ stream: StreamPlan, _ scope: Scope, in explanation: inout Explanation) {
        var evaluator = Evaluator(history, evidence, now: now)
        let window = evaluator.window(stream, .none, scope)
        let matches = evaluator.matches(stream, window, .none, scope)
        explanation.eventCount += matches.indices.count
        let room = Explanation.maximumEvents - explanation.events.count
        for index in matches.indices.reversed().prefix(max(room, 0)) {
            let row = matches.rows[index]
            citations.add(stream, row)
            explanation.events.append(event(of: stream, row, leavesAt: window.leavesAt(index)))
        }
    }

    private func event(of stream: StreamPlan, _ row: Table.Row, leavesAt: Int64) -> Explanation.CountedEvent {
        Explanation.CountedEvent(
            name: history.eventName(stream.event), messageID: stream.table.messageID(row),
            timestamp: Instant(milliseconds: stream.table.timestamp(row)), offset: stream.table.offset(row),
            leavesAt: leavesAt == never ? nil : Instant(milliseconds: leavesAt))
    }

    private func record(_ trait: TraitPlan, _ scope: Scope, in explanation: inout Explanation) {
        switch scope.profile.computed(trait.key, now) {
        case .absent, .workedOut(.null, _): break
        case .value(let value), .workedOut(let value, _):
            explanation.traits.append(Explanation.ReadTrait(key: trait.key, value: value))
        case .notComputed:
            guard
                let row = history.trait(
                    trait.id, of: scope.profile.ordinals, at: now, receivedUpTo: evidence.receivedUpTo ?? .distantFuture
                )
            else { return }
            explanation.traits.append(
                Explanation.ReadTrait(
                    key: row.key, value: row.value,
                    setBy: Explanation.ReadTrait.Origin(
                        messageID: row.messageID, sourceID: row.sourceID, timestamp: row.timestamp)))
        }
    }
}

extension Query.Comparator {
    fileprivate var rightSide: Scalar? {
        switch self {
        case .equals(let right), .differs(let right), .lessThan(let right), .lessThanOrEqual(let right),
            .greaterThan(let right), .greaterThanOrEqual(let right):
            right
        default: nil
        }
    }
}

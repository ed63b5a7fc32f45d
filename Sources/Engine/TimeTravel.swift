import Evaluation
import History
import Identity
public import JSON
public import Model
import Query
import Store

/// The world as of an instant: what had happened and had been received by then in the past, what is known now in the
/// future.
///
/// Answers are worked out from the history, by the definitions as they are now, so they reach back before a definition
/// was made. Where it existed already, they are what the engine said then: the only thing it can know and the history
/// does not is whether a value that is nothing now was something before, and that stands in the transitions.
struct Viewpoint {
    let engine: Engine
    let instant: Instant
    /// What had been received by then counts; `nil` for now and the future.
    let receivedUpTo: Instant?
    /// Computations that held a value at an instant that was looked at before, for a future that is followed step by step.
    private let held: Held

    private final class Held {
        var keys: Set<Key> = []

        struct Key: Hashable {
            let computation: ComputationNumber
            let profile: ProfileOrdinal
        }
    }

    init(_ engine: Engine, at instant: Instant) {
        self.engine = engine
        self.instant = instant
        receivedUpTo = instant < engine.now ? instant : nil
        held = Held()
    }

    private init(_ engine: Engine, at instant: Instant, receivedUpTo: Instant?, held: Held) {
        self.engine = engine
        self.instant = instant
        self.receivedUpTo = receivedUpTo
        self.held = held
    }

    var isPast: Bool { receivedUpTo != nil }

    /// The same people and the same knowledge at another instant.
    func moved(to instant: Instant) -> Viewpoint {
        Viewpoint(engine, at: instant, receivedUpTo: receivedUpTo, held: held)
    }

    // MARK: Whom it is about

    /// Who stood for the number; `nil` where nobody did yet.
    func canonical(_ profile: ProfileOrdinal) -> ProfileOrdinal? {
        guard let receivedUpTo else { return engine.identity.exists(profile) ? engine.canonical(profile) : nil }
        return engine.identity.canonical(profile, at: receivedUpTo)
    }

    func members(of profile: ProfileOrdinal) -> [ProfileOrdinal] {
        guard let receivedUpTo else { return engine.identity.members(of: engine.canonical(profile)) }
        return engine.identity.members(of: profile, at: receivedUpTo)
    }

    private func users(of account: ProfileOrdinal) -> [ProfileOrdinal] {
        guard let receivedUpTo else { return engine.identity.users(of: account) }
        let links = (try? engine.store.links(ofAccounts: members(of: account))) ?? []
        let users = links.filter { $0.createdAt <= receivedUpTo }.compactMap { canonical($0.user) }
        return Set(users).sorted()
    }

    /// The view of a profile that queries are evaluated on, with other computations worked out on demand.
    func subject(_ profile: ProfileOrdinal, level: Computation.Level) -> Subject {
        switch level {
        case .users: .user(view(profile))
        case .accounts: .account(view(profile), users: users(of: profile).map { view($0) })
        }
    }

    private func view(_ profile: ProfileOrdinal) -> ProfileView {
        ProfileView(members(of: profile)) { key, at in moved(to: at).computedValue(key: key, of: profile) }
    }

    func evidence(_ definition: Computation) -> Evidence {
        var evidence = Engine.evidence(definition)
        evidence.receivedUpTo = receivedUpTo
        return evidence
    }

    func qualifies(_ profile: ProfileOrdinal, for definition: Computation) -> Bool {
        guard let receivedUpTo else { return engine.qualifies(profile, for: definition) }
        return definition.level == .accounts
            || engine.identity.hasIdentifier(
                profile, ofTypes: definition.options.filterByExternalIDs, at: receivedUpTo)
    }

    // MARK: What it comes to

    /// The value of a computation on a profile and until when it stands. A value that is nothing (no member, a counter at
    /// nought) is told apart from none at all, as the engine does.
    func evaluate(_ computation: RegisteredComputation, _ profile: ProfileOrdinal) -> Evaluation {
        var result = compute(computation, profile)
        if result.value == [] { result.value = .null }
        let key = Held.Key(computation: computation.number, profile: profile)
        if !engine.isNothing(result.value, of: computation) {
            if !isPast { held.keys.insert(key) }
        } else if !result.value.isNull, !hadValue(computation, profile, key) {
            result.value = .null
        }
        return result
    }

    private func compute(_ computation: RegisteredComputation, _ profile: ProfileOrdinal) -> Evaluation {
        let definition = computation.definition
        guard definition.enabled else {
            // Switched off, it keeps what it came to.
            guard let state = computation.states[profile], state.since <= instant else {
                return Evaluation(value: .null)
            }
            return Evaluation(value: state.value)
        }
        guard qualifies(profile, for: definition) else {
            return Evaluation(value: definition.kind == .audience ? false : .null)
        }
        return computation.compiled.evaluate(
            subject(profile, level: definition.level), evidence: evidence(definition), in: engine.history, at: instant)
    }

    /// Whether the engine had come to a value before.
    private func hadValue(_ computation: RegisteredComputation, _ profile: ProfileOrdinal, _ key: Held.Key) -> Bool {
        if isPast {
            return
                (try? engine.store.hasTransition(
                    computationID: computation.definition.id, profiles: members(of: profile), upTo: instant)) ?? false
        }
        return held.keys.contains(key) || computation.states[engine.canonical(profile)] != nil
    }

    private func computedValue(key: String, of profile: ProfileOrdinal) -> ComputedValue {
        guard let computation = engine.registry.computation(key: key),
            computation.definition.level == engine.level(of: profile)
        else { return .notComputed }
        if computation.definition.deletedAt != nil {
            guard let state = computation.states[engine.canonical(profile)], state.since <= instant else {
                return .notComputed
            }
            return .value(state.value)
        }
        let evaluation = evaluate(computation, profile)
        return .workedOut(evaluation.value, until: evaluation.changesAt)
    }
}

/// When the value of a computation on a profile will be another if nothing happens.
public enum NextChange: Sendable, Hashable {
    case never
    case at(Instant, value: JSONValue)
    /// Too many looks ahead: it stays as it is until this instant at least.
    case notBefore(Instant)

    public var instant: Instant? {
        switch self {
        case .never: nil
        case .at(let instant, _), .notBefore(let instant): instant
        }
    }
}

extension Engine {
    /// Instants that are looked at for one answer about the future.
    static let maximumLooksAhead = 1000

    /// The value that a computation has or had on a profile; `nil` where there was no such profile.
    public func value(of computationID: String, _ profile: ProfileOrdinal, at instant: Instant) -> AsOfView? {
        guard let computation = registry.computation(id: computationID) else { return nil }
        let viewpoint = Viewpoint(self, at: instant)
        guard let profile = viewpoint.canonical(profile), level(of: profile) == computation.definition.level else {
            return nil
        }
        return asOf(computation, profile, viewpoint)
    }

    /// Profiles with ordinals in `range` that held a value at an instant, as many as `limit`, ascending.
    public func members(
        of computationID: String, at instant: Instant, range: Range<UInt32>, limit: Int
    ) -> [AsOfView] {
        guard let computation = registry.computation(id: computationID) else { return [] }
        let viewpoint = Viewpoint(self, at: instant)
        var found: [AsOfView] = []
        for number in range where found.count < limit {
            let profile = ProfileOrdinal(number)
            guard viewpoint.canonical(profile) == profile, level(of: profile) == computation.definition.level
            else { continue }
            let view = asOf(computation, profile, viewpoint)
            if view.isHeld { found.append(view) }
        }
        return found
    }

    private func asOf(
        _ computation: RegisteredComputation, _ profile: ProfileOrdinal, _ viewpoint: Viewpoint
    ) -> AsOfView {
        let evaluation = viewpoint.evaluate(computation, profile)
        return AsOfView(
            profile: summary(profile), ordinals: viewpoint.members(of: profile), computation: computation.definition,
            value: evaluation.value, changesAt: evaluation.changesAt)
    }

    /// The profile that a `use_…` or `acc_…` stood for at an instant.
    public func profile(segmentID: String, at instant: Instant) -> ProfileOrdinal? {
        ordinal(segmentID: segmentID).flatMap { Viewpoint(self, at: instant).canonical($0) }
    }

    /// The profile that an id led to at an instant.
    public func profile(for identifier: Identifier, at instant: Instant) -> ProfileOrdinal? {
        instant < now ? identity.profile(for: identifier, at: instant) : identity.profile(for: identifier)
    }

    /// Everything that a profile had at an instant: custom traits and the values of what is computed now.
    public func profile(_ profile: ProfileOrdinal, at instant: Instant) -> ProfileAsOf? {
        let viewpoint = Viewpoint(self, at: instant)
        guard let profile = viewpoint.canonical(profile) else { return nil }
        let traits = history.traits(
            of: viewpoint.members(of: profile), at: instant, receivedUpTo: viewpoint.receivedUpTo ?? .distantFuture)
        return ProfileAsOf(
            ordinals: viewpoint.members(of: profile),
            traits: traits.map {
                TraitView(key: $0.key, value: $0.value, at: $0.timestamp, sourceID: $0.sourceID)
            },
            computed: registry.all.filter {
                $0.definition.deletedAt == nil && $0.definition.level == level(of: profile)
            }.map { asOf($0, profile, viewpoint) })
    }

    /// Explains what a computation comes to on a profile at an instant; `nil` where there was no such profile.
    public func explain(_ computationID: String, _ profile: ProfileOrdinal, at instant: Instant) -> WhyView? {
        guard let computation = registry.computation(id: computationID) else { return nil }
        let viewpoint = Viewpoint(self, at: instant)
        guard let profile = viewpoint.canonical(profile), level(of: profile) == computation.definition.level else {
            return nil
        }
        let definition = computation.definition
        let explanation = computation.compiled.definition.explain(
            for: viewpoint.subject(profile, level: definition.level), evidence: viewpoint.evidence(definition),
            in: history, at: instant)
        return WhyView(
            answer: asOf(computation, profile, viewpoint), explanation: explanation,
            qualifies: viewpoint.qualifies(profile, for: definition),
            nextChange: nextChange(of: computation, profile, from: viewpoint),
            reads: registry.all.filter { computation.dependencies.traitKeys.contains($0.definition.key) }
                .filter { $0.definition.deletedAt == nil }.map(\.definition))
    }

    /// When the value of a computation on a profile will be another if nothing happens, as of the engine's time.
    public func nextChange(of computationID: String, _ profile: ProfileOrdinal) -> NextChange {
        guard let computation = registry.computation(id: computationID) else { return .never }
        return nextChange(of: computation, canonical(profile), from: Viewpoint(self, at: now))
    }

    /// The next changes of those that hold a value now, among profiles with ordinals in `range`.
    public func nextChanges(of computationID: String, range: Range<UInt32>) -> [NextChange] {
        guard let computation = registry.computation(id: computationID) else { return [] }
        return range.compactMap { number in
            let profile = ProfileOrdinal(number)
            guard computation.states[profile]?.isTelling == true else { return nil }
            return nextChange(of: computation, profile, from: Viewpoint(self, at: now))
        }
    }

    private func nextChange(
        of computation: RegisteredComputation, _ profile: ProfileOrdinal, from viewpoint: Viewpoint
    ) -> NextChange {
        var evaluation = viewpoint.evaluate(computation, profile)
        let value = evaluation.value
        for _ in 0..<Engine.maximumLooksAhead {
            guard let next = evaluation.changesAt else { return .never }
            evaluation = viewpoint.moved(to: next).evaluate(computation, profile)
            if !Engine.isSame(evaluation.value, value) { return .at(next, value: evaluation.value) }
        }
        return evaluation.changesAt.map { .notBefore($0) } ?? .never
    }

    /// Whether people would call two values the same: not to be a member and never to have been one.
    private static func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
        left == right || ([.null, false].contains(left) && [.null, false].contains(right))
    }
}

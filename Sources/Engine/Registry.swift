import Evaluation
import History
import JSON
import Model
import Query

/// The dense number of a computation, in order of creation; never reused.
struct ComputationNumber: Hashable, Comparable, Sendable {
    let rawValue: UInt32

    static func < (left: ComputationNumber, right: ComputationNumber) -> Bool { left.rawValue < right.rawValue }
}

/// The value of one computation on one profile.
struct ComputedState: Sendable, Equatable {
    /// `true`/`false` for audiences; for traits the value, `.null` where it fell away.
    var value: JSONValue
    /// When the value came about.
    var since: Instant
    /// How often the value changed; part of emission ids.
    var transition: Int

    /// Whether the value says something that a newly known id has to be told.
    var isTelling: Bool {
        switch value {
        case .null, .bool(false): false
        default: true
        }
    }
}

/// One audience or computed trait with everything that it has come to.
final class RegisteredComputation {
    let number: ComputationNumber
    var definition: Computation { didSet { facts = Facts(definition) } }
    private(set) var facts: Facts
    var compiled: CompiledQuery { didSet { isCounter = compiled.definition.isCounter } }
    var dependencies: Dependencies
    /// Position in dependency order: greater than that of every computation whose key the query reads.
    var rank = 0
    let states = StateTable()
    /// Active computations whose query reads this one's key.
    fileprivate(set) var readers: [RegisteredComputation] = []
    /// How many profiles are members, or hold a value.
    var size = 0

    init(number: ComputationNumber, definition: Computation, compiled: CompiledQuery, dependencies: Dependencies) {
        self.number = number
        self.definition = definition
        facts = Facts(definition)
        self.compiled = compiled
        isCounter = compiled.definition.isCounter
        self.dependencies = dependencies
    }

    /// What every evaluation asks of the definition, which is too large to be handed around for it.
    struct Facts {
        let isAudience: Bool
        let level: Computation.Level
        let isActive: Bool
        let filterByExternalIDs: [String]
        let evidence: Evidence

        init(_ definition: Computation) {
            isAudience = definition.kind == .audience
            level = definition.level
            isActive = definition.enabled && definition.deletedAt == nil
            filterByExternalIDs = definition.options.filterByExternalIDs
            evidence = Engine.evidence(definition)
        }
    }

    /// Whether the value is a number of events or of values.
    private(set) var isCounter: Bool

    var isActive: Bool { facts.isActive }

    func setState(_ state: ComputedState?, of profile: ProfileOrdinal) {
        set(state, of: profile, standing: states[profile])
    }

    /// The same for whoever has looked at what stands.
    func set(_ state: ComputedState?, of profile: ProfileOrdinal, standing: ComputedState?) {
        let was = standing?.isTelling ?? false
        states[profile] = state
        let isNow = state?.isTelling ?? false
        size += (isNow ? 1 : 0) - (was ? 1 : 0)
    }
}

extension Definition {
    /// Whether the value is a number of events or of values: nought for those who never had one.
    var isCounter: Bool {
        guard case .trait(.reduction(_, let reducer)) = self else { return false }
        return switch reducer {
        case .count, .uniqueCount: true
        default: false
        }
    }
}

/// All computations, with the inverted indexes that tell which ones an input can touch (design §2).
struct Registry {
    private(set) var all: [RegisteredComputation] = []
    private var byID: [String: RegisteredComputation] = [:]
    private var byKey: [String: RegisteredComputation] = [:]
    private var byEvent: [EventID: [RegisteredComputation]] = [:]
    private var byTrait: [TraitID: [RegisteredComputation]] = [:]
    /// Active ones in dependency order.
    private(set) var active: [RegisteredComputation] = []
    /// Active ones that may say something of a person without a past; `nil` until somebody new comes.
    var askedOfNewcomers: [RegisteredComputation]?

    func computation(id: String) -> RegisteredComputation? { byID[id] }
    func computation(key: String) -> RegisteredComputation? { byKey[key] }
    subscript(number: ComputationNumber) -> RegisteredComputation { all[Int(number.rawValue)] }

    /// Active computations whose query reads this event.
    func touched(by event: EventID) -> [RegisteredComputation] { byEvent[event] ?? [] }
    /// Active computations whose query reads this trait or audience key.
    func touched(by trait: TraitID) -> [RegisteredComputation] { byTrait[trait] ?? [] }

    var nextNumber: ComputationNumber { ComputationNumber(rawValue: UInt32(all.count)) }

    /// Adds without indexing: `reindex` once after the last.
    mutating func add(_ computation: RegisteredComputation) {
        precondition(computation.number == nextNumber, "computations are numbered in order of creation")
        all.append(computation)
        byID[computation.definition.id] = computation
        byKey[computation.definition.key] = computation
    }

    /// After additions and after a change of a query, of `enabled` or of `deletedAt`.
    mutating func reindex(history: History) {
        for computation in all { computation.rank = 0 }
        // Keys in a query that no computation has are custom traits. Cycles were refused when the query was accepted.
        func rank(_ computation: RegisteredComputation) -> Int {
            if computation.rank > 0 { return computation.rank }
            let below = computation.dependencies.traitKeys.sorted().compactMap { byKey[$0] }
                .filter { $0 !== computation }
            computation.rank = (below.map { rank($0) }.max() ?? 0) + 1
            return computation.rank
        }
        for computation in all { _ = rank(computation) }
        active = all.filter(\.isActive).sorted { ($0.rank, $0.number) < ($1.rank, $1.number) }
        askedOfNewcomers = nil
        byEvent = [:]
        byTrait = [:]
        for computation in active {
            for event in computation.dependencies.events.keys.sorted() {
                byEvent[history.eventID(event), default: []].append(computation)
            }
            for key in computation.dependencies.traitKeys.sorted() {
                byTrait[history.traitID(key), default: []].append(computation)
            }
        }
        for computation in all { computation.readers = byTrait[history.traitID(computation.definition.key)] ?? [] }
    }

    /// What each computation reads, for the detection of cycles.
    var traitKeysByKey: [String: Set<String>] {
        Dictionary(
            uniqueKeysWithValues: all.filter { $0.definition.deletedAt == nil }
                .map { ($0.definition.key, $0.dependencies.traitKeys) })
    }
}

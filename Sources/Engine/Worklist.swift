import History
import Identity
import Model

/// The (computation, profile) pairs that one input has touched, in dependency order: a computation comes after every
/// one whose key it reads, so one pass brings all of them up to date.
struct Worklist {
    private struct Item: Comparable {
        let rank: Int
        let computation: ComputationNumber
        let profile: ProfileOrdinal

        static func < (left: Item, right: Item) -> Bool {
            (left.rank, left.computation.rawValue, left.profile.rawValue)
                < (right.rank, right.computation.rawValue, right.profile.rawValue)
        }
    }

    /// Sorted, without repetitions. Short: what one call touches.
    private var items: [Item] = []
    private var next = 0
    /// Ids that came to a profile with this input: they must be told values that did not change.
    var newIdentifiers: [ProfileOrdinal: [Identifier]] = [:]
    /// Likewise for one computation only, after a merge.
    var untold: [WakeUps.Key: [Identifier]] = [:]

    /// People who came to an account with this input: they must be told its values.
    var newUsers: [ProfileOrdinal: [ProfileOrdinal]] = [:]

    mutating func add(_ computation: RegisteredComputation, _ profile: ProfileOrdinal) {
        let item = Item(rank: computation.rank, computation: computation.number, profile: profile)
        let place = items[next...].partitioningIndex { $0 >= item }
        if place == items.count || items[place] != item { items.insert(item, at: place) }
    }

    mutating func pop() -> (ComputationNumber, ProfileOrdinal)? {
        guard next < items.count else { return nil }
        defer { next += 1 }
        return (items[next].computation, items[next].profile)
    }

    /// Computations of the profile's own level, and account-level ones of the accounts of a person.
    mutating func add(_ computations: [RegisteredComputation], _ profile: ProfileOrdinal, in engine: Engine) {
        guard !computations.isEmpty else { return }
        let level = engine.level(of: profile)
        for computation in computations {
            if computation.facts.level == level {
                add(computation, profile)
            } else if level == .users {
                for account in engine.identity.accounts(of: profile) { add(computation, account) }
            }
        }
    }

    /// Everything there is about this profile: it is new, was merged, or has new ids or links.
    mutating func addAll(_ profile: ProfileOrdinal, in engine: Engine) {
        add(engine.registry.active, profile, in: engine)
    }

    /// What a history row can touch.
    mutating func add(_ change: HistoryChange, of profile: ProfileOrdinal, in engine: Engine) {
        if let event = change.event { add(engine.registry.touched(by: event), profile, in: engine) }
        for trait in change.traits { add(engine.registry.touched(by: trait), profile, in: engine) }
    }
}

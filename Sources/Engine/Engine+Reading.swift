import Evaluation
public import History
import Identity
import JSON
public import Model
import Store

/// Questions that people's tools ask. Nothing here changes anything; all answers are as of the engine's own time.
extension Engine {
    // MARK: Computations

    /// Everything that is not deleted, in order of creation.
    public var computations: [ComputationView] {
        registry.all.filter { $0.definition.deletedAt == nil }.map { view($0) }
    }

    public func computation(id: String) -> ComputationView? {
        guard let computation = registry.computation(id: id), computation.definition.deletedAt == nil else {
            return nil
        }
        return view(computation)
    }

    public func computation(key: String) -> ComputationView? {
        registry.computation(key: key).flatMap { computation(id: $0.definition.id) }
    }

    /// Whether a key has been given, also to a computation that was deleted since.
    public func isTaken(key: String) -> Bool { registry.computation(key: key) != nil }

    /// What each computation's query reads, for the detection of cycles while editing.
    public var traitKeysByKey: [String: Set<String>] { registry.traitKeysByKey }

    private func view(_ computation: RegisteredComputation) -> ComputationView {
        let progress = backfillProgress.first { $0.computationID == computation.definition.id }
        return ComputationView(
            definition: computation.definition,
            status: !computation.isActive ? .disabled : progress == nil ? .live : .backfilling,
            size: computation.size, progress: progress,
            consumers: registry.touched(by: history.traitID(computation.definition.key))
                .map(\.definition.key).sorted())
    }

    /// Profiles that hold a value (for audiences: members), ascending by ordinal, beginning after one.
    /// - Parameter isForetold: Whether to work out each one's next change, which takes an evaluation or more.
    public func members(
        of computationID: String, after ordinal: ProfileOrdinal?, limit: Int, isForetold: Bool = false
    ) -> [MemberView] {
        guard let computation = registry.computation(id: computationID) else { return [] }
        var ordinals: [ProfileOrdinal] = []
        computation.states.forEachTelling { profile in
            if ordinal.map({ profile > $0 }) ?? true { ordinals.append(profile) }
        }
        return smallest(limit, of: ordinals).compactMap { member(of: computation, $0, isForetold: isForetold) }
    }

    /// The value of one computation on one profile, member or not, with its next change.
    public func member(of computationID: String, _ profile: ProfileOrdinal) -> MemberView? {
        registry.computation(id: computationID).flatMap {
            member(of: $0, identity.canonical(profile), isForetold: true)
        }
    }

    private func member(
        of computation: RegisteredComputation, _ profile: ProfileOrdinal, isForetold: Bool
    ) -> MemberView? {
        guard let state = computation.states[profile] else { return nil }
        return MemberView(
            profile: summary(profile), value: state.value, since: state.since,
            nextChange: isForetold ? nextChange(of: computation.definition.id, profile) : nil)
    }

    /// The `count` smallest, ascending, without sorting everything.
    private func smallest(_ count: Int, of ordinals: some Sequence<ProfileOrdinal>) -> [ProfileOrdinal] {
        var kept: [ProfileOrdinal] = []
        for ordinal in ordinals {
            if kept.count < count || kept.last.map({ ordinal < $0 }) ?? false {
                let place = kept.partitioningIndex { $0 > ordinal }
                kept.insert(ordinal, at: place)
                if kept.count > count { kept.removeLast() }
            }
        }
        return kept
    }

    // MARK: Profiles

    /// The profile that now has an id or a `use_…`/`acc_…` segment id.
    public func profile(for identifier: Identifier) -> ProfileOrdinal? { identity.profile(for: identifier) }
    public func profile(segmentID: String) -> ProfileOrdinal? { ordinal(segmentID: segmentID).map { canonical($0) } }

    /// The very number that a `use_…` or `acc_…` was given to, merged away or not.
    func ordinal(segmentID: String) -> ProfileOrdinal? {
        guard let row = try? store.profile(segmentID: segmentID), identity.exists(row.ordinal) else { return nil }
        return row.ordinal
    }

    public func exists(_ profile: ProfileOrdinal) -> Bool { identity.exists(profile) }
    public var profileCount: Int { identity.profileCount }
    public func canonical(_ profile: ProfileOrdinal) -> ProfileOrdinal { identity.canonical(profile) }
    public func ordinals(of profile: ProfileOrdinal) -> [ProfileOrdinal] { identity.members(of: profile) }

    /// Every profile that exists, newest first, beginning below an ordinal.
    public func profiles(
        _ collection: Identifier.Collection, before ordinal: ProfileOrdinal?, limit: Int
    ) -> [ProfileSummary] {
        var list: [ProfileSummary] = []
        var next = ordinal?.rawValue ?? identity.counters.nextOrdinal
        while next > 0, list.count < limit {
            next -= 1
            let profile = ProfileOrdinal(next)
            if identity.exists(profile), identity.isCanonical(profile),
                identity.collection(of: profile) == collection
            {
                list.append(summary(profile))
            }
        }
        return list
    }

    public func summary(_ profile: ProfileOrdinal) -> ProfileSummary {
        let traits = customTraits(of: profile)
        func text(_ key: String) -> String? { traits.first { $0.key == key }?.value.string }
        let parts = [text("firstName") ?? text("first_name"), text("lastName") ?? text("last_name")]
        let joined = parts.compactMap(\.self).joined(separator: " ")
        return ProfileSummary(
            ordinal: profile, segmentID: identity.segmentID(of: profile), collection: identity.collection(of: profile),
            createdAt: identity.createdAt(of: profile), name: text("name") ?? (joined.isEmpty ? nil : joined),
            email: identity.values(of: profile, type: "email").last ?? text("email"),
            userID: identity.values(of: profile, type: "user_id").last,
            otherID: identity.values(of: profile, type: "anonymous_id").last
                ?? identity.values(of: profile, type: "group_id").last)
    }

    public func view(of profile: ProfileOrdinal) -> ProfileDetails? {
        let profile = identity.canonical(profile)
        guard identity.exists(profile) else { return nil }
        let isPerson = identity.collection(of: profile) == .users
        let linked = isPerson ? identity.accounts(of: profile) : identity.users(of: profile)
        return ProfileDetails(
            summary: summary(profile), ordinals: identity.members(of: profile),
            identifiers: identity.identifiers(of: profile), traits: customTraits(of: profile),
            computed: computedValues(of: profile), linked: linked.prefix(100).map { summary($0) })
    }

    /// Custom traits as of now, ascending by key.
    public func customTraits(of profile: ProfileOrdinal) -> [TraitView] {
        history.traits(of: identity.members(of: profile), at: now).map {
            TraitView(key: $0.key, value: $0.value, at: $0.timestamp, sourceID: $0.sourceID)
        }
        .sorted { $0.key < $1.key }
    }

    /// Values of computations, in order of their creation.
    public func computedValues(of profile: ProfileOrdinal) -> [ComputedValueView] {
        registry.all.compactMap { computation in
            guard let state = computation.states[profile] else { return nil }
            let definition = computation.definition
            return ComputedValueView(
                computationID: definition.id, key: definition.key, name: definition.name, kind: definition.kind,
                value: state.value, since: state.since, isDeleted: definition.deletedAt != nil)
        }
    }

    /// Events of a profile, newest first, beginning before a (timestamp, message id) place.
    public func timeline(of profile: ProfileOrdinal, before: TimelineEntry?, limit: Int) -> [TimelineEntry] {
        history.timeline(of: identity.members(of: profile), upTo: now, after: before, limit: limit)
    }
}

import Evaluation
import History
import Identity
import JSON
import Model
import Query
import Store

/// Why a value changed.
enum Cause: String {
    case call
    case time
    case backfill
    case merge
}

extension Engine {
    func level(of profile: ProfileOrdinal) -> Computation.Level {
        identity.collection(of: profile) == .users ? .users : .accounts
    }

    /// Evaluates what the list names, and whatever depends on a value that changes, at one instant.
    func run(_ work: inout Worklist, at instant: Instant, cause: Cause) {
        // Whoever a call is about is asked for by most of what it touches.
        var seen: (profile: ProfileOrdinal, level: Computation.Level, subject: Subject)?
        while let (number, profile) = work.pop() {
            let computation = registry[number]
            let level = computation.facts.level
            if seen?.profile != profile || seen?.level != level {
                seen = (profile, level, subject(profile, level: level))
            }
            guard let subject = seen?.subject else { continue }
            evaluate(computation, profile, subject, at: instant, cause: cause, work: &work)
        }
    }

    /// Fires every wake-up due by `limit`, in the order of their instants.
    func fireWakeUps(by limit: Instant) {
        while let (key, due) = wakeUps.nextDue(by: limit) {
            if !jobs.isEmpty {
                catchUp(identity.canonical(key.profile), before: due)
                // That may have armed an earlier one, or have fired this one.
                guard let next = wakeUps.nextDue(by: limit), next.key == key, next.due == due else { continue }
            }
            wakeUps.disarm(key)
            statistics.wakeUpsFired += 1
            changes.wakeups.append(row(of: key, due: nil))
            let computation = registry[key.computation]
            let profile = identity.canonical(key.profile)
            guard computation.isActive, identity.exists(profile) else { continue }
            var work = Worklist()
            work.add(computation, profile)
            run(&work, at: due, cause: .time)
        }
    }

    /// Asks the one evaluator for the value of a computation on a profile, and carries out what follows from it.
    private func evaluate(
        _ computation: RegisteredComputation, _ profile: ProfileOrdinal, _ subject: Subject, at instant: Instant,
        cause: Cause, work: inout Worklist
    ) {
        statistics.evaluations += 1
        let standing = computation.states[profile]
        var value: JSONValue = computation.facts.isAudience ? false : .null
        if qualifies(profile, level: computation.facts.level, ofTypes: computation.facts.filterByExternalIDs) {
            let evaluation = computation.compiled.evaluate(
                subject, evidence: computation.facts.evidence, in: history, at: instant)
            if evaluation.isTruncated { count("truncated_values") }
            value = evaluation.value
            if let due = evaluation.changesAt {
                let key = WakeUps.Key(computation: computation.number, profile: profile)
                if wakeUps.arm(key, due: due) { changes.wakeups.append(row(of: key, due: due)) }
            }
        }
        if standing == nil, isNothing(value, of: computation) { return }
        if value.isEmptyList { value = .null }
        if let standing, standing.value == value {
            tellNewIDs(standing, computation, profile, at: instant, work: work)
        } else {
            let state = ComputedState(value: value, since: instant, transition: (standing?.transition ?? 0) + 1)
            transition(to: state, computation, profile, standing: standing, cause: cause)
            work.add(computation.readers, profile, in: self)
        }
    }

    /// Whether a value says nothing about a profile that never had another: it is not in the audience, has no value, an
    /// empty list, or a count of 0 (spec: engage §1.3).
    func isNothing(_ value: JSONValue, of computation: RegisteredComputation) -> Bool {
        Engine.isNothing(value, isAudience: computation.facts.isAudience, isCounter: computation.isCounter)
    }

    static func isNothing(_ value: JSONValue, isAudience: Bool, isCounter: Bool) -> Bool {
        switch value {
        case .null: true
        case .bool(let bool): isAudience && !bool
        default: isAudience || value.isEmptyList || (isCounter && value == 0)
        }
    }

    /// Whether the profile has an id that the computation asks for (spec: engage §2.7).
    func qualifies(_ profile: ProfileOrdinal, for definition: Computation) -> Bool {
        qualifies(profile, level: definition.level, ofTypes: definition.options.filterByExternalIDs)
    }

    private func qualifies(_ profile: ProfileOrdinal, level: Computation.Level, ofTypes types: [String]) -> Bool {
        level == .accounts || identity.hasIdentifier(profile, ofTypes: types)
    }

    /// Writes a new value and puts the calls that it causes into the outbox.
    private func transition(
        to state: ComputedState, _ computation: RegisteredComputation, _ profile: ProfileOrdinal,
        standing: ComputedState?, cause: Cause
    ) {
        statistics.transitions += 1
        if !firstSyncs.isEmpty { catchUpFirstSyncs(computation, profile) }
        set(state, computation, profile, standing: standing)
        changes.transitions.append(
            TransitionRow(
                id: nextTransition, computationID: computation.definition.id, ordinal: profile, value: state.value,
                at: state.since, offset: position, cause: cause.rawValue))
        nextTransition += 1
        // What a new computation finds is a first sync, what a changed one finds is a change.
        let isFirst = cause == .backfill && computation.definition.updatedAt == computation.definition.createdAt
        emit(state, computation, profile, at: state.since, origin: isFirst ? .firstSync : .change)
    }

    func set(
        _ state: ComputedState, _ computation: RegisteredComputation, _ profile: ProfileOrdinal,
        standing: ComputedState?
    ) {
        computation.set(state, of: profile, standing: standing)
        changes.values.append(
            ComputedValueRow(
                computationID: computation.definition.id, ordinal: profile, value: state.value,
                changedAt: state.since, transition: Int64(state.transition)))
    }

    /// A value that did not change is told to ids that are new, and to people who came to the account that has it
    /// (spec: engage §7.4).
    private func tellNewIDs(
        _ state: ComputedState, _ computation: RegisteredComputation, _ profile: ProfileOrdinal, at instant: Instant,
        work: Worklist
    ) {
        guard state.isTelling else { return }
        let key = WakeUps.Key(computation: computation.number, profile: profile)
        let untold = work.untold[key] ?? []
        let isOfAccounts = computation.definition.level == .accounts
        let joined = isOfAccounts ? work.newUsers[profile] ?? [] : []
        if !joined.isEmpty {
            catchUpFirstSyncs(computation, profile)
            emit(state, computation, profile, at: instant, people: Set(joined))
        }
        for person in isOfAccounts ? identity.users(of: profile) : [profile] where !joined.contains(person) {
            let new = (work.newIdentifiers[person] ?? []) + untold
            guard !new.isEmpty else { continue }
            catchUpFirstSyncs(computation, profile)
            emit(state, computation, profile, at: instant, people: [person]) { combination in
                new.contains { combination.contains($0) }
            }
        }
    }

    /// Puts the calls of a value into the outbox, for every connection that is on. An account's value reaches its
    /// people, or those of them who are named, and by group calls the account itself.
    func emit(
        _ state: ComputedState, _ computation: RegisteredComputation, _ profile: ProfileOrdinal, at instant: Instant,
        origin: Emission.Origin = .change, only connectionOnly: Connection? = nil, salt: String? = nil,
        people peopleOnly: Set<ProfileOrdinal>? = nil, where isWanted: (IDCombination) -> Bool = { _ in true }
    ) {
        if connectionOnly == nil, computation.definition.connections.isEmpty { return }
        let definition = computation.definition
        var candidates = connectionOnly.map { [$0] } ?? definition.connections
        if origin == .firstSync { candidates = candidates.map(\.forFirstSync) }
        let connections = candidates.filter { connection in
            connection.enabled && (connection.sendIdentify || connection.sendTrack || connection.sendGroup)
                && destinations[connection.destinationID]?.enabled == true
        }
        guard !connections.isEmpty else { return }
        let isOfAccounts = definition.level == .accounts
        func transition(of subject: ProfileOrdinal) -> Transition {
            Transition(
                computation: definition, profile: subject, segmentID: identity.segmentID(of: subject),
                accountID: isOfAccounts && subject != profile ? identity.segmentID(of: profile) : nil,
                number: state.transition, value: state.value, at: instant)
        }
        if isOfAccounts, peopleOnly == nil {
            let groupIDs = identity.values(of: profile, type: "group_id")
            for connection in connections where connection.sendGroup {
                guard let destination = destinations[connection.destinationID] else { continue }
                changes.emissions += EmissionBuilder.groupEmissions(
                    transition(of: profile), connection: connection, destination: destination,
                    spaceID: settings.spaceID, groupIDs: groupIDs, origin: origin, salt: salt)
            }
        }
        for person in isOfAccounts ? identity.users(of: profile) : [profile] {
            if let peopleOnly, !peopleOnly.contains(person) { continue }
            let transition = transition(of: person)
            var wasReached = true
            for connection in connections where connection.sendIdentify || connection.sendTrack {
                guard let destination = destinations[connection.destinationID] else { continue }
                let calls = calls(
                    transition, connection: connection, destination: destination, origin: origin, salt: salt,
                    where: isWanted)
                if calls.wasCapped { count("id_combinations_capped") }
                wasReached = wasReached && !calls.hasNoAddress
                changes.emissions += calls.emissions
            }
            if !wasReached { count("emissions_without_addressable_id") }
        }
    }

    /// The calls that tell one person of a value over one connection.
    func calls(
        _ transition: Transition, connection: Connection, destination: Destination, origin: Emission.Origin,
        salt: String? = nil, where isWanted: (IDCombination) -> Bool = { _ in true }
    ) -> (emissions: [Emission], wasCapped: Bool, hasNoAddress: Bool) {
        let (person, definition) = (transition.profile, transition.computation)
        let ids = addressableIDs(of: person, definition).applying(connection.idSync, isExit: transition.isExit) {
            identity.values(of: person, type: $0)
        }
        let (all, wasCapped) = EmissionBuilder.combinations(ids, isExit: transition.isExit)
        let emissions = EmissionBuilder.emissions(
            transition, connection: connection, destination: destination, spaceID: settings.spaceID,
            combinations: all.filter(isWanted),
            enrichment: enrichment(connection, of: person, at: transition.at, without: definition.key),
            origin: origin, salt: salt)
        return (emissions, wasCapped, all.isEmpty)
    }

    /// The traits that a connection wants to go along, as they are at the instant. The computation's own key is not
    /// among them: it would bring a stale value back (spec: engage §7.6).
    private func enrichment(
        _ connection: Connection, of person: ProfileOrdinal, at instant: Instant, without key: String
    ) -> JSONObject {
        guard !connection.enrichment.isEmpty else { return [:] }
        var values = JSONObject()
        var custom: [String: JSONValue]?
        for trait in connection.enrichment where trait.trait != key {
            if case .value(let value) = computedValue(key: trait.trait, of: person) {
                values[trait.name] = value
                continue
            }
            let known =
                custom
                ?? Dictionary(
                    history.traits(of: identity.members(of: person), at: instant).map { ($0.key, $0.value) }
                ) { $1 }
            custom = known
            if let value = known[trait.trait], !value.isNull { values[trait.name] = value }
        }
        return values
    }

    func addressableIDs(of profile: ProfileOrdinal, _ definition: Computation) -> AddressableIDs {
        AddressableIDs(
            userIDs: identity.values(of: profile, type: "user_id"),
            emails: identity.values(of: profile, type: "email"),
            anonymousIDs: definition.options.includesAnonymousUsers
                ? identity.values(of: profile, type: "anonymous_id") : [])
    }

    /// Which events a computation may read (spec: engage §4.5).
    static func evidence(_ definition: Computation) -> Evidence {
        Evidence(
            receivedFrom: definition.options.includeHistoricalData ? nil : definition.createdAt,
            timestampFrom: definition.options.backfillEventDataDays.map { definition.createdAt - .days(Int64($0)) })
    }

    /// The view of a profile that queries are evaluated on.
    func subject(_ profile: ProfileOrdinal, level: Computation.Level) -> Subject {
        switch level {
        case .users: .user(person(profile))
        case .accounts: .account(person(profile), users: identity.users(of: profile).map { person($0) })
        }
    }

    private func person(_ profile: ProfileOrdinal) -> ProfileView {
        ProfileView(identity.members(of: profile)) { [unowned self] key, _ in computedValue(key: key, of: profile) }
    }

    /// What computations say under a key. A deleted one's values read as custom traits (spec: engage §1.6).
    func computedValue(key: String, of profile: ProfileOrdinal) -> ComputedValue {
        guard let computation = registry.computation(key: key),
            computation.definition.level == level(of: profile)
        else { return .notComputed }
        if let state = computation.states[profile] { return .value(state.value) }
        return computation.definition.deletedAt == nil ? .absent : .notComputed
    }

    func row(of key: WakeUps.Key, due: Instant?) -> WakeupRow {
        WakeupRow(computationID: registry[key.computation].definition.id, ordinal: key.profile, due: due)
    }
}

extension JSONValue {
    fileprivate var isEmptyList: Bool {
        guard case .array(let elements) = self else { return false }
        return elements.isEmpty
    }
}

import History
import Identity
import JSON
import Model
import Store

extension Engine {
    /// Applies one call that has not been seen: identity, history, then whatever its change can touch. Returns the
    /// profile it was placed on.
    func apply(_ call: Call, offset: Int64) -> ProfileOrdinal? {
        if let userID = call.userID, suppressed.contains(userID) {
            count("suppressed_calls")
            return nil
        }
        if let exclusion = call.profileExclusion {
            count(exclusion.warning)
            return nil
        }
        guard let document = try? JSONDocument(parsing: call.body) else {
            count("unreadable_calls")
            return nil
        }
        if !jobs.isEmpty || !firstSyncs.isEmpty {
            // Backfills and first syncs see profiles as they were: before this call's ids and events.
            let profiles = identity.promotedIdentifiers(of: call, body: document.root)
                .compactMap { identity.profile(for: $0) }
            catchUp(profiles)
            for profile in profiles { catchUpFirstSyncs(profile) }
        }
        let resolution = identity.resolve(call, body: document.root, offset: offset)
        record(resolution)

        var work = Worklist()
        for (index, merge) in resolution.merges.enumerated() {
            mergeStates(merge, absorbedIDs: resolution.absorbedIdentifiers[index], into: &work)
        }
        for row in resolution.identifiers {
            let profile = identity.canonical(row.owner)
            work.newIdentifiers[profile, default: []].append(row.identifier)
            if resolution.hasNewcomer(profile), level(of: profile) == .users {
                work.add(askedOfNewcomers(), profile, in: self)
            } else {
                work.addAll(profile, in: self)
            }
        }
        for link in resolution.links {
            let account = identity.canonical(link.account)
            work.newUsers[account, default: []].append(identity.canonical(link.user))
            work.addAll(account, in: self)
        }

        let placed = call.kind == .group ? resolution.account : resolution.user
        if let placed {
            let change = insert(call, body: document.root, offset: offset, profile: placed)
            if change.outcome == .expired { count("expired_calls") }
            work.add(change, of: placed, in: self)
        }
        if let user = resolution.user {
            activity[user] = ProfileActivity(
                ordinal: user, updatedAt: now, lastMessageID: call.messageID, lastSourceID: call.sourceID)
        }
        passOn(call, of: resolution.user ?? placed)
        run(&work, at: now, cause: resolution.merges.isEmpty ? .call : .merge)
        return placed
    }

    /// Puts the call's row or rows into the history.
    func insert(_ call: Call, body: JSONView, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        switch call.kind {
        case .identify, .group: history.insertTraits(call, body: body, offset: offset, profile: profile)
        case .track, .page, .screen: history.insertEvent(call, body: body, offset: offset, profile: profile)
        case .alias: HistoryChange(outcome: .nothingToInsert, placedAt: call.timestamp)
        }
    }

    private func record(_ resolution: Resolution) {
        for row in resolution.created { people.note(row.ordinal) }
        for row in resolution.identifiers { people.note(identity.canonical(row.owner)) }
        for merge in resolution.merges {
            people.note(merge.absorbed)
            people.note(merge.survivor)
        }
        changes.profiles += resolution.created
        changes.identifiers += resolution.identifiers
        changes.merges += resolution.merges
        changes.links += resolution.links
        changes.issues += resolution.issues
        for issue in resolution.issues { count("identity_\(issue.kind.rawValue)") }
        if resolution.settingsChanged { changes.meta["identitySettings"] = identity.settings.json }
    }

    /// The survivor takes over what the absorbed profile had come to, so that a person who was in and still is in gets
    /// no false exit and no second entry (spec: engage §7.5). The survivor is evaluated over the union afterwards.
    private func mergeStates(_ merge: MergeRow, absorbedIDs: [Identifier], into work: inout Worklist) {
        let (absorbed, survivor) = (merge.absorbed, merge.survivor)
        for computation in registry.all {
            if !firstSyncs.isEmpty {
                catchUpFirstSyncs(computation, absorbed)
                catchUpFirstSyncs(computation, survivor)
            }
            let key = WakeUps.Key(computation: computation.number, profile: absorbed)
            if wakeUps.disarm(key) { changes.wakeups.append(row(of: key, due: nil)) }
            let old = computation.states[absorbed]
            let standing = computation.states[survivor]
            guard old != nil || standing != nil else { continue }
            // The ids of the side that did not hold the value have not been told of it.
            let union = WakeUps.Key(computation: computation.number, profile: survivor)
            if standing?.isTelling == true, old?.value != standing?.value {
                work.untold[union, default: []] += absorbedIDs
            }
            guard let old else { continue }
            if standing == nil || (computation.definition.kind == .audience && standing?.isTelling == false) {
                if old.isTelling {
                    work.untold[union, default: []] += identity.identifiers(of: survivor)
                        .filter { !absorbedIDs.contains($0) }
                }
                var state = old
                // Numbers never go back, or ids of emissions would repeat.
                state.transition = max(old.transition, standing?.transition ?? 0)
                set(state, computation, survivor, standing: standing)
            }
            computation.setState(nil, of: absorbed)
            changes.deletedValues.append(ValueKey(computationID: computation.definition.id, ordinal: absorbed))
        }
        work.addAll(survivor, in: self)
    }
}

extension Resolution {
    /// Whether the call has made the profile, and nothing of another's past has come to it.
    fileprivate func hasNewcomer(_ profile: ProfileOrdinal) -> Bool {
        merges.isEmpty && created.contains { $0.ordinal == profile }
    }
}

import JSON

/// Applying identity, cohort and subscription calls (spec braze §3, §6). Bodies were checked by their endpoints; what does
/// not fit the data is left out with a note.
extension Workspace {
    mutating func apply(_ kind: Operation.Kind, _ body: JSONObject, at now: EpochMilliseconds) -> [Outcome] {
        switch kind {
        case .aliasNew:
            each(body, "user_aliases") { workspace, entry, outcome in workspace.newAlias(entry, at: now, &outcome) }
        case .aliasUpdate:
            each(body, "alias_updates") { workspace, entry, outcome in workspace.renameAlias(entry, at: now, &outcome) }
        case .identify: identify(body, at: now)
        case .merge:
            each(body, "merge_updates") { workspace, entry, outcome in workspace.mergeUpdate(entry, at: now, &outcome) }
        case .delete: delete(body)
        case .rename:
            each(body, "external_id_renames") { workspace, entry, outcome in workspace.rename(entry, at: now, &outcome)
            }
        case .removeDeprecated:
            each(body, "external_ids") { workspace, entry, outcome in
                let isRemoved = entry.string.map { workspace.removeDeprecatedID($0) } ?? false
                outcome.effect = isRemoved ? .updated : .nothing
            }
        case .cohort: putCohort(body)
        case .cohortUsers: changeCohort(body, at: now)
        case .subscribe: setSubscriptions(body)
        }
    }

    private mutating func each(
        _ body: JSONObject, _ array: String, _ apply: (inout Workspace, JSONValue, inout Outcome) -> Void
    ) -> [Outcome] {
        var outcomes: [Outcome] = []
        for (index, entry) in (body[array]?.array ?? []).enumerated() {
            let identity = entry.string ?? entry["external_id"]?.string ?? entry["alias_name"]?.string
            var outcome = Outcome(array: array, index: index, identity: identity, effect: .nothing)
            apply(&self, entry, &outcome)
            outcomes.append(outcome)
        }
        return outcomes
    }

    // MARK: Aliases (§3.1)

    private mutating func newAlias(_ entry: JSONValue, at now: EpochMilliseconds, _ outcome: inout Outcome) {
        guard let alias = Alias(entry) else { return outcome.notes.append("alias_name and alias_label are required") }
        guard byAlias[alias] == nil else { return outcome.notes.append("the alias belongs to a user already") }
        if let id = entry["external_id"]?.string, !id.isEmpty {
            guard let ordinal = ordinal(externalID: id) else {
                return outcome.notes.append("no user has the external ID, so no user gets the alias")
            }
            outcome.ordinal = ordinal
            guard addAlias(alias, to: ordinal) else {
                return outcome.notes.append("the user has an alias with this label")
            }
            update(ordinal, at: now) { _ in }
            outcome.effect = .updated
        } else {
            let ordinal = create(at: now)
            addAlias(alias, to: ordinal)
            outcome.ordinal = ordinal
            outcome.effect = .created
        }
    }

    private mutating func renameAlias(_ entry: JSONValue, at now: EpochMilliseconds, _ outcome: inout Outcome) {
        guard let label = entry["alias_label"]?.string, let old = entry["old_alias_name"]?.string,
            let new = entry["new_alias_name"]?.string, !new.isEmpty
        else { return outcome.notes.append("alias_label, old_alias_name and new_alias_name are required") }
        guard let ordinal = byAlias[Alias(label: label, name: old)] else {
            return outcome.notes.append("no user has this alias")
        }
        outcome.ordinal = ordinal
        guard byAlias[Alias(label: label, name: new)] == nil else {
            return outcome.notes.append("the new name is taken")
        }
        removeAlias(Alias(label: label, name: old))
        addAlias(Alias(label: label, name: new), to: ordinal)
        update(ordinal, at: now) { _ in }
        outcome.effect = .updated
    }

    // MARK: Identify (§3.2)

    private mutating func identify(_ body: JSONObject, at now: EpochMilliseconds) -> [Outcome] {
        let merges = body["merge_behavior"]?.string != "none"
        let sources: [(String, (Workspace, JSONValue) -> Int?)] = [
            (
                "aliases_to_identify",
                { workspace, entry in Alias(entry["user_alias"]).flatMap { workspace.byAlias[$0] } }
            ),
            (
                "emails_to_identify",
                { workspace, entry in
                    workspace.prioritised(workspace.byEmail[entry["email"]?.string?.lowercased() ?? ""] ?? [], entry)
                }
            ),
            (
                "phone_numbers_to_identify",
                { workspace, entry in
                    let number = entry["phone"]?.string.flatMap { Phone.normalise($0, country: nil) } ?? ""
                    return workspace.prioritised(workspace.byPhone[number] ?? [], entry)
                }
            ),
        ]
        var outcomes: [Outcome] = []
        for (array, find) in sources {
            outcomes += each(body, array) { workspace, entry, outcome in
                let alias = array == "aliases_to_identify" ? Alias(entry["user_alias"]) : nil
                workspace.identify(
                    find(workspace, entry), alias: alias, as: entry["external_id"]?.string, merges, at: now, &outcome)
            }
        }
        return outcomes
    }

    private mutating func identify(
        _ source: Int?, alias: Alias?, as id: String?, _ merges: Bool, at now: EpochMilliseconds,
        _ outcome: inout Outcome
    ) {
        guard let id, !id.isEmpty else { return outcome.notes.append("external_id is required") }
        guard let source, let anonymous = profiles[source] else {
            return outcome.notes.append("no user matches, or more than one")
        }
        outcome.ordinal = source
        guard anonymous.externalID == nil else { return outcome.notes.append("the user is identified already") }
        guard let target = ordinal(externalID: id), let identified = profiles[target] else {
            setExternalID(id, on: source)
            update(source, at: now) { _ in }
            outcome.effect = .updated
            return
        }
        outcome.ordinal = target
        if let alias, identified.aliases.contains(where: { $0.label == alias.label }) {
            return outcome.notes.append("the identified user has an alias with this label: not combined")
        }
        if merges {
            merge(source, into: target, at: now)
        } else {
            delete(source)
            if let alias { addAlias(alias, to: target) }
        }
        outcome.effect = .updated
        outcome.notes.append("combined with the anonymous profile \(anonymous.brazeID)")
    }

    /// One of several by `prioritization`; `nil` where it stays ambiguous.
    func prioritised(_ candidates: [Int], _ entry: JSONValue) -> Int? {
        var left = candidates.compactMap { profiles[$0] }
        for rule in (entry["prioritization"]?.array ?? []).compactMap(\.string) where left.count > 1 {
            switch rule {
            case "identified":
                left = left.contains { $0.externalID != nil } ? left.filter { $0.externalID != nil } : left
            case "unidentified":
                left = left.contains { $0.externalID == nil } ? left.filter { $0.externalID == nil } : left
            case "most_recently_updated":
                left = left.max { ($0.updatedAt, $0.touch) < ($1.updatedAt, $1.touch) }.map { [$0] } ?? []
            case "least_recently_updated":
                left = left.min { ($0.updatedAt, $0.touch) < ($1.updatedAt, $1.touch) }.map { [$0] } ?? []
            default: break
            }
        }
        return left.count == 1 ? left[0].ordinal : nil
    }

    // MARK: Merge (§3.3)

    /// A user by one of the identifiers that merge and delete take.
    func find(_ identifier: JSONValue?) -> Int? {
        guard let identifier else { return nil }
        if let id = identifier["external_id"]?.string { return ordinal(externalID: id) }
        if let alias = Alias(identifier["user_alias"]) { return byAlias[alias] }
        if let id = identifier["braze_id"]?.string { return ordinal(brazeID: id) }
        if let email = identifier["email"]?.string { return prioritised(byEmail[email.lowercased()] ?? [], identifier) }
        if let phone = identifier["phone"]?.string.flatMap({ Phone.normalise($0, country: nil) }) {
            return prioritised(byPhone[phone] ?? [], identifier)
        }
        return nil
    }

    private mutating func mergeUpdate(_ entry: JSONValue, at now: EpochMilliseconds, _ outcome: inout Outcome) {
        guard let source = find(entry["identifier_to_merge"]), let target = find(entry["identifier_to_keep"]) else {
            return outcome.notes.append("one of the users does not exist, or several match")
        }
        outcome.ordinal = target
        guard source != target else { return outcome.notes.append("both identifiers name the same user") }
        merge(source, into: target, at: now)
        outcome.effect = .updated
    }

    /// Kept values win, missing ones are filled, counts add up; the merged profile is gone.
    mutating func merge(_ source: Int, into target: Int, at now: EpochMilliseconds) {
        guard let gone = profiles[source], let kept = profiles[target] else { return }
        delete(source)
        if kept.email == nil, let email = gone.email { setEmail(email, on: target) }
        if kept.phone == nil, let phone = gone.phone { setPhone(phone, on: target) }
        for alias in gone.aliases { addAlias(alias, to: target) }
        for id in gone.deprecatedIDs { addDeprecatedID(id, to: target) }
        update(target, at: now) { profile in
            for (field, value) in gone.fields.pairs where profile.fields[field] == nil { profile.fields[field] = value }
            for (name, value) in gone.attributes.pairs where profile.attributes[name] == nil {
                profile.attributes[name] = value
            }
            for (name, value) in gone.events.pairs {
                profile.events.update(name, default: Occurrences()) { $0.merge(value, now: now) }
            }
            for (name, value) in gone.purchases.pairs {
                profile.purchases.update(name, default: PurchaseSummary(count: 0, first: value.first, last: value.last))
                { summary in
                    summary.count += value.count
                    summary.first = min(summary.first, value.first)
                    summary.last = max(summary.last, value.last)
                }
            }
            profile.revenueCents = profile.revenueCents.addingClamped(gone.revenueCents)
            for token in gone.pushTokens where !profile.pushTokens.contains(token) { profile.pushTokens.append(token) }
            profile.pushTokens = profile.pushTokens.suffix(Workspace.pushTokensPerProfile)
            for app in gone.apps where !profile.apps.contains(app) { profile.apps.append(app) }
            profile.apps = profile.apps.suffix(Workspace.pushTokensPerProfile)
            profile.subscriptions.merge(gone.subscriptions) { kept, _ in kept }
            for cohort in gone.cohorts where !profile.cohorts.contains(cohort) { profile.cohorts.append(cohort) }
        }
    }

    // MARK: Delete, rename (§3.4, §3.5)

    static let deleteSelectors = ["external_ids", "user_aliases", "braze_ids", "email_addresses", "phone_numbers"]

    /// The users that a delete call names.
    func found(_ body: JSONObject) -> [(array: String, index: Int, ordinal: Int?)] {
        Workspace.deleteSelectors.flatMap { array in
            (body[array]?.array ?? []).enumerated().map { index, entry in
                let ordinal: Int?
                switch array {
                case "external_ids": ordinal = entry.string.flatMap { self.ordinal(externalID: $0) }
                case "braze_ids": ordinal = entry.string.flatMap { self.ordinal(brazeID: $0) }
                case "user_aliases": ordinal = Alias(entry).flatMap { byAlias[$0] }
                default: ordinal = find(entry)
                }
                return (array, index, ordinal)
            }
        }
    }

    private mutating func delete(_ body: JSONObject) -> [Outcome] {
        var outcomes: [Outcome] = []
        for (array, index, ordinal) in found(body) {
            let entry = body[array]?[index]
            var outcome = Outcome(array: array, index: index, identity: entry?.string, effect: .nothing)
            if let ordinal {
                delete(ordinal)
                outcome.effect = .updated
                outcome.notes.append("deleted")
            } else {
                outcome.notes.append("no such user, or several match")
            }
            outcomes.append(outcome)
        }
        return outcomes
    }

    /// Why a rename is impossible; `nil` where it is possible.
    func renameProblem(_ entry: JSONValue) -> String? {
        guard let current = entry["current_external_id"]?.string, let new = entry["new_external_id"]?.string,
            !new.isEmpty
        else {
            return "current_external_id and new_external_id are required"
        }
        guard new.utf8.count <= Identity.externalIDBytes else { return "\(new.prefix(40))…: longer than 987 bytes" }
        guard byExternalID[current] != nil else { return "\(current): no user has this external ID" }
        guard ordinal(externalID: new) == nil else { return "\(new): the external ID is in use" }
        return nil
    }

    private mutating func rename(_ entry: JSONValue, at now: EpochMilliseconds, _ outcome: inout Outcome) {
        outcome.identity = entry["current_external_id"]?.string
        if let problem = renameProblem(entry) { return outcome.notes.append(problem) }
        guard let current = entry["current_external_id"]?.string, let new = entry["new_external_id"]?.string,
            let ordinal = byExternalID[current]
        else { return }
        setExternalID(new, on: ordinal)
        addDeprecatedID(current, to: ordinal)
        update(ordinal, at: now) { _ in }
        outcome.ordinal = ordinal
        outcome.effect = .updated
    }

    // MARK: Cohorts (§6)

    private mutating func putCohort(_ body: JSONObject) -> [Outcome] {
        guard let id = body["cohort_id"]?.string, let partner = body["partner"]?.string else { return [] }
        let name = body["name"]?.string ?? id
        if let index = cohorts.firstIndex(where: { $0.id == id && $0.partner == partner }) {
            cohorts[index].name = name
        } else {
            cohorts.append(Cohort(partner: partner, id: id, name: name))
        }
        return [Outcome(array: "cohort", index: 0, identity: id, effect: .updated)]
    }

    private mutating func changeCohort(_ body: JSONObject, at now: EpochMilliseconds) -> [Outcome] {
        guard let id = body["cohort_id"]?.string, let partner = body["partner"]?.string else { return [] }
        if cohort(partner, id) == nil { cohorts.append(Cohort(partner: partner, id: id, name: id)) }
        let key = "\(partner):\(id)"
        var outcomes: [Outcome] = []
        for (index, change) in (body["cohort_changes"]?.array ?? []).enumerated() {
            let removes = change["should_remove"]?.bool == true
            for (identity, ordinal) in members(change) {
                var outcome = Outcome(
                    array: "cohort_changes", index: index, identity: identity, ordinal: ordinal, effect: .nothing)
                if let ordinal {
                    update(ordinal, at: now) { profile in
                        profile.cohorts.removeAll { $0 == key }
                        if !removes { profile.cohorts.append(key) }
                    }
                    outcome.effect = .updated
                    outcome.notes.append(removes ? "removed" : "added")
                } else {
                    outcome.notes.append("unknown users are skipped")
                }
                outcomes.append(outcome)
            }
        }
        return outcomes
    }

    private func members(_ change: JSONValue) -> [(identity: String, ordinal: Int?)] {
        var members: [(identity: String, ordinal: Int?)] = []
        for id in (change["user_ids"]?.array ?? []).compactMap(\.string) {
            members.append((id, ordinal(externalID: id)))
        }
        for entry in change["aliases"]?.array ?? [] {
            if let alias = Alias(entry) { members.append(("\(alias.label):\(alias.name)", byAlias[alias])) }
        }
        let devices = (change["device_ids"]?.array ?? []).compactMap(\.string)
        guard !devices.isEmpty else { return members }
        // Only anonymous profiles are addressed by device.
        var byDevice: [String: Int] = [:]
        profiles.forEach { profile in
            guard profile.externalID == nil else { return true }
            for token in profile.pushTokens {
                if let device = token["device_id"]?.string { byDevice[device] = profile.ordinal }
            }
            return true
        }
        for device in devices { members.append((device, byDevice[device])) }
        return members
    }

    // MARK: Subscription groups

    private mutating func setSubscriptions(_ body: JSONObject) -> [Outcome] {
        each(body, "subscription_groups") { workspace, group, outcome in
            guard let id = group["subscription_group_id"]?.string, let state = group["subscription_state"]?.string
            else { return }
            var ordinals: [Int] = []
            func strings(_ names: String...) -> [String] {
                names.flatMap { group[$0]?.array?.compactMap(\.string) ?? [group[$0]?.string].compactMap { $0 } }
            }
            for id in strings("external_id", "external_ids") {
                ordinals += [workspace.ordinal(externalID: id)].compactMap { $0 }
            }
            for email in strings("email", "emails") { ordinals += workspace.byEmail[email.lowercased()] ?? [] }
            for phone in strings("phone", "phones") {
                ordinals += Phone.normalise(phone, country: nil).flatMap { workspace.byPhone[$0] } ?? []
            }
            for ordinal in ordinals { workspace.profiles.update(ordinal) { $0.subscriptions[id.lowercased()] = state } }
            outcome.identity = id
            outcome.effect = ordinals.isEmpty ? .nothing : .updated
            outcome.notes.append("\(ordinals.count) users")
        }
    }
}

import JSON

/// Applying `/users/track` (spec braze §1.7: attributes, then events, then purchases).
extension Workspace {
    /// Limits of §2.4 and §2.5, and the sandbox's own bound on one profile's attributes.
    static let eventNamesPerProfile = 20_000
    static let productsPerWorkspace = 5_000
    static let attributesPerProfile = 10_000
    static let pushTokensPerProfile = 100

    /// `now` is when the call was received.
    mutating func apply(_ batch: TrackBatch, at now: EpochMilliseconds, switches: SandboxSwitches) -> [Outcome] {
        var outcomes: [Outcome] = []
        outcomes.reserveCapacity(batch.acceptedCount)
        for item in batch.attributes { outcomes.append(apply(item, at: now, switches: switches)) }
        for item in batch.events { outcomes.append(apply(item, at: now)) }
        for item in batch.purchases { outcomes.append(apply(item, at: now)) }
        dataPoints += outcomes.reduce(0) { $0 + $1.dataPoints }
        return outcomes
    }

    // MARK: Attributes

    private mutating func apply(
        _ item: TrackItem<AttributesObject>, at now: EpochMilliseconds, switches: SandboxSwitches
    ) -> Outcome {
        var outcome = Outcome(
            array: "attributes", index: item.index, identity: item.object.identity?.text, effect: .updated,
            notes: item.notes)
        let before = profiles.nextOrdinal
        let target: Int?
        if let identity = item.object.identity {
            target = resolveOrCreate(identity, updateExistingOnly: item.object.updateExistingOnly, at: now)
        } else {
            target = create(at: now)
        }
        guard let ordinal = target else {
            return nothing(outcome, item.object.updateExistingOnly, item.object.identity)
        }
        outcome.ordinal = ordinal
        if ordinal >= before { outcome.effect = .created }
        let country = item.object.object["country"]?.string.flatMap(Country.code)
        for (key, value) in item.object.object.members where !AttributesObject.controlKeys.contains(key) {
            set(key, value, country: country, of: item.object, on: ordinal, at: now, switches: switches, &outcome)
        }
        update(ordinal, at: now) { _ in }
        return outcome
    }

    private func nothing(_ outcome: Outcome, _ updateExistingOnly: Bool?, _ identity: Identity?) -> Outcome {
        var outcome = outcome
        outcome.effect = .nothing
        switch identity {
        case .alias? where updateExistingOnly != true:
            outcome.notes.append("no user has this alias; send \"_update_existing_only\": false to create one")
        case .brazeID?: outcome.notes.append("no user has this braze_id")
        default: outcome.notes.append("no such user, and _update_existing_only is true")
        }
        return outcome
    }

    private mutating func set(
        _ key: String, _ value: JSONValue, country: String?, of object: AttributesObject, on ordinal: Int,
        at now: EpochMilliseconds, switches: SandboxSwitches, _ outcome: inout Outcome
    ) {
        switch key {
        case "email":
            outcome.dataPoints += 1
            setEmail(value.string?.lowercased(), on: ordinal)
        case "phone":
            let hint = country ?? profiles[ordinal]?.fields[StandardField.country.rawValue]?.string
            let number = value.string.flatMap { Phone.normalise($0, country: hint) }
            guard value.isNull || number != nil else {
                outcome.notes.append("phone is not a telephone number")
                return
            }
            outcome.dataPoints += 1
            setPhone(number, on: ordinal)
        case "subscription_groups": subscribe(value, of: ordinal)
        case "push_tokens": addPushTokens(value, to: ordinal)
        case _ where StandardField.otherReserved.contains(key):
            outcome.notes.append("\(key) is reserved and was not processed")
        default:
            if let field = StandardField.byName[key] {
                switch field.normalise(value) {
                case .store(let value): profiles.update(ordinal) { $0.fields[field.rawValue] = value }
                case .clear: profiles.update(ordinal) { $0.fields[field.rawValue] = nil }
                case .ignore(let reason):
                    outcome.notes.append("\(key) \(reason)")
                    return
                }
                if field.isBillable { outcome.dataPoints += 1 }
            } else {
                setAttribute(
                    key, value, merges: object.mergesObjects, on: ordinal, at: now, switches: switches, &outcome)
            }
        }
    }

    private mutating func setAttribute(
        _ name: String, _ value: JSONValue, merges: Bool, on ordinal: Int, at now: EpochMilliseconds,
        switches: SandboxSwitches, _ outcome: inout Outcome
    ) {
        guard name.count <= 255 else {
            outcome.notes.append("an attribute name is longer than 255 characters")
            return
        }
        let entry = attributes.entry(name)
        guard entry?.isBlocklisted != true else {
            outcome.notes.append("\(name) is blocklisted")
            return
        }
        var change = AttributeUpdate.read(value, merges: merges)
        if let forced = entry?.forced { change = AttributeUpdate.force(change, sent: value, to: forced) }
        let current = attributes.number(name).flatMap { profiles[ordinal]?.attributes[$0] }
        switch change.apply(to: current, arrayCap: switches.arrayCap) {
        case .unchanged(let reason): outcome.notes.append("\(name): \(reason)")
        case .removed:
            outcome.dataPoints += change.dataPoints
            guard let number = attributes.number(name) else { return }
            profiles.update(ordinal) { $0.attributes[number] = nil }
        case .value(let next):
            guard current != nil || (profiles[ordinal]?.attributes.count ?? 0) < Workspace.attributesPerProfile else {
                outcome.notes.append(
                    "\(name): the user has \(Workspace.attributesPerProfile) attributes, the sandbox's limit")
                return
            }
            outcome.dataPoints += change.dataPoints
            let number = attributes.register(name, at: now)
            attributes.update(number) { entry in
                entry.lastSeen = max(entry.lastSeen, now)
                guard entry.forced == nil, entry.detected != next.type else { return }
                if entry.detected != nil { entry.typeChanges += 1 }
                entry.detected = next.type
            }
            profiles.update(ordinal) { $0.attributes[number] = next }
        }
    }

    /// The state follows every profile that shares the address (§2.2).
    private mutating func subscribe(_ value: JSONValue, of ordinal: Int) {
        var sharing = [ordinal]
        if let email = profiles[ordinal]?.email, let all = byEmail[email] { sharing = all }
        for group in value.array ?? [] {
            guard let id = group["subscription_group_id"]?.string, let state = group["subscription_state"]?.string
            else { continue }
            for ordinal in sharing { profiles.update(ordinal) { $0.subscriptions[id.lowercased()] = state } }
        }
    }

    private mutating func addPushTokens(_ value: JSONValue, to ordinal: Int) {
        profiles.update(ordinal) { profile in
            for token in value.array ?? [] where !profile.pushTokens.contains(token) {
                profile.pushTokens.append(token)
                if let app = token["app_id"]?.string, !profile.apps.contains(app) { profile.apps.append(app) }
            }
            profile.pushTokens = profile.pushTokens.suffix(Workspace.pushTokensPerProfile)
            profile.apps = profile.apps.suffix(Workspace.pushTokensPerProfile)
        }
    }

    // MARK: Events and purchases

    private mutating func apply(_ item: TrackItem<EventObject>, at now: EpochMilliseconds) -> Outcome {
        let event = item.object
        var outcome = Outcome(
            array: "events", index: item.index, identity: event.identity.text, effect: .updated, notes: item.notes)
        guard events.entry(event.name)?.isBlocklisted != true else {
            outcome.effect = .nothing
            outcome.notes.append("event '\(event.name)' is blocklisted")
            return outcome
        }
        let before = profiles.nextOrdinal
        guard let ordinal = resolveOrCreate(event.identity, updateExistingOnly: event.updateExistingOnly, at: now)
        else {
            return nothing(outcome, event.updateExistingOnly, event.identity)
        }
        outcome.ordinal = ordinal
        if ordinal >= before { outcome.effect = .created }
        let number = events.register(event.name, at: min(event.time, now))
        let time = min(event.time, now)
        if event.time > now { outcome.notes.append("time lies in the future and was taken as now") }
        var enabled: [(String, JSONValue)] = []
        events.update(number) { entry in
            entry.add(at: time, now: now)
            for (key, value) in event.properties.members {
                if entry.enabledProperties.contains(key) { enabled.append((key, value)) }
                if entry.seenProperties.count < 256, !entry.seenProperties.contains(key) {
                    entry.seenProperties.append(key)
                }
            }
        }
        outcome.dataPoints = 1 + enabled.count
        update(ordinal, at: now) { profile in
            profile.events.update(number, default: Occurrences()) { $0.add(at: time, properties: enabled, now: now) }
            if let app = event.appID, !profile.apps.contains(app), profile.apps.count < Workspace.pushTokensPerProfile {
                profile.apps.append(app)
            }
        }
        if let profile = profiles[ordinal], profile.events.count > Workspace.eventNamesPerProfile,
            let id = profile.externalID
        {
            blockedIDs.insert(id)
            outcome.notes.append(
                "more than \(Workspace.eventNamesPerProfile) event names: the profile is blocked from now on")
        }
        return outcome
    }

    private mutating func apply(_ item: TrackItem<PurchaseObject>, at now: EpochMilliseconds) -> Outcome {
        let purchase = item.object
        var outcome = Outcome(
            array: "purchases", index: item.index, identity: purchase.identity.text, effect: .updated, notes: item.notes
        )
        guard products.number(purchase.productID) != nil || products.entries.count < Workspace.productsPerWorkspace
        else {
            outcome.effect = .nothing
            outcome.notes.append("the workspace has \(Workspace.productsPerWorkspace) products already")
            return outcome
        }
        let before = profiles.nextOrdinal
        guard let ordinal = resolveOrCreate(purchase.identity, updateExistingOnly: purchase.updateExistingOnly, at: now)
        else {
            return nothing(outcome, purchase.updateExistingOnly, purchase.identity)
        }
        outcome.ordinal = ordinal
        if ordinal >= before { outcome.effect = .created }
        let time = min(purchase.time, now)
        let number = products.register(purchase.productID, at: time)
        products.update(number) { $0.count += purchase.quantity }
        outcome.dataPoints = 1
        let cents = Int64(clamping: Int((purchase.price * 100).rounded().clamped(to: -1e15...1e15)) * purchase.quantity)
        update(ordinal, at: now) { profile in
            profile.revenueCents = profile.revenueCents.addingClamped(cents)
            profile.purchases.update(number, default: PurchaseSummary(count: 0, first: time, last: time)) { summary in
                summary.count += purchase.quantity
                summary.first = min(summary.first, time)
                summary.last = max(summary.last, time)
            }
        }
        return outcome
    }
}

extension Double {
    fileprivate func clamped(to range: ClosedRange<Double>) -> Double {
        min(max(self, range.lowerBound), range.upperBound)
    }
}

extension Int64 {
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}

extension AttributeUpdate {
    /// A write to an attribute whose type an operator fixed (§2.2, type registry).
    static func force(_ update: AttributeUpdate, sent: JSONValue, to type: AttributeType) -> AttributeUpdate {
        guard case .set(let value) = update, value.type != type else { return update }
        switch (type, sent) {
        case (.boolean, .string(let text)) where ["1", "true", "t"].contains(text.lowercased()):
            return .set(.boolean(true))
        case (.boolean, .string(let text)) where ["0", "false", "f"].contains(text.lowercased()):
            return .set(.boolean(false))
        case (.boolean, .number(let number)) where number.double == 1 || number.double == 0:
            return .set(.boolean(number.double == 1))
        case (.number, .string(let text)):
            if let number = JSONNumber(literal: text), number.double.isFinite { return .set(.number(number)) }
        case (.string, .string(let text)): return .set(.string(text))
        case (.objects, .array(let elements)) where elements.isEmpty: return .set(.objects([]))
        default: break
        }
        return .ignored("the type is fixed as \(type.title); this value cannot be read as one")
    }
}

import JSON

/// The whole state as lines of JSON, so that the journal before it can go. The last line tells that nothing is missing.
struct Snapshot: Sendable {
    private let state: SandboxState

    /// A copy that shares its pages with the living state. Make it under the lock, write it outside.
    init(of state: SandboxState) {
        var copy = state
        copy.workspaces = state.workspaces.map(\.light)
        copy.log = RequestLog()
        copy.exports = []
        self.state = copy
    }

    func write<Failure: Error>(_ line: (JSONValue) throws(Failure) -> Void) throws(Failure) {
        try line([
            "sandbox": 1, "now": .number(Int(state.now)), "switches": state.switches.json,
            "partner": [
                "partner_api_key": .string(state.partner.partnerKey),
                "client_secret": .string(state.partner.clientSecret),
            ],
            "keys": .array(state.keys.map(\.json)),
        ])
        for workspace in state.workspaces {
            try line(["workspace": .object(workspace.stored)])
            // No early end: an error is kept and thrown after the pass.
            var failure: Failure?
            workspace.profiles.forEach { profile in
                do throws(Failure) {
                    try line(["profile": profile.stored])
                } catch {
                    failure = error
                }
                return failure == nil
            }
            if let failure { throw failure }
        }
        for operation in state.pending.all { try line(["pending": operation.json]) }
        try line(["end": true])
    }

    /// Reads lines back into a state.
    struct Reader {
        private(set) var isComplete = false

        mutating func read(_ line: JSONValue, into state: inout SandboxState) {
            if let stored = line["profile"] {
                guard let profile = Profile(stored: stored), !state.workspaces.isEmpty else { return }
                state.workspaces[state.workspaces.count - 1].restore(profile)
            } else if let stored = line["workspace"]?.object {
                if let workspace = Workspace(stored: stored) { state.workspaces.append(workspace) }
            } else if let stored = line["pending"] {
                if let operation = Operation(stored, switches: state.switches) { state.pending.add(operation) }
            } else if line["end"] == true {
                for index in state.workspaces.indices { state.workspaces[index].finishRestoring() }
                isComplete = true
            } else if line["sandbox"] == 1 {
                if let switches = line["switches"]?.object {
                    // One switch at a time: a name that a later version dropped does not take the others with it.
                    for (name, value) in switches.members { try? state.switches.set([name: value]) }
                }
                state.partner.partnerKey = line["partner"]?["partner_api_key"]?.string ?? state.partner.partnerKey
                state.partner.clientSecret = line["partner"]?["client_secret"]?.string ?? state.partner.clientSecret
                state.keys = (line["keys"]?.array ?? []).compactMap { APIKey($0) }
                state.restoreNow(EpochMilliseconds(line["now"]?.integer ?? 0))
            }
        }
    }
}

extension Workspace {
    fileprivate var stored: JSONObject {
        [
            "id": .string(id), "name": .string(name), "salt": .string(String(salt, radix: 16)),
            "time_zone": .string(timeZone),
            "touches": .number(touches), "data_points": .number(dataPoints), "next": .number(profiles.nextOrdinal),
            "attributes": .array(attributes.entries.map(\.stored)), "events": .array(events.entries.map(\.stored)),
            "products": .array(
                products.entries.map { [.string($0.name), .number(Int($0.firstSeen)), .number($0.count)] }),
            "blocked": .array(blockedIDs.sorted().map { .string($0) }), "cohorts": .array(cohorts.map(\.json)),
            "segments": .array(
                segments.map { segment in
                    var object = segment.json
                    object["sizes"] = .array(segment.sizes.map { [.number($0.day), .number($0.size)] })
                    return .object(object)
                }),
            "campaigns": .array(messages.filter { $0.kind == .campaign }.map { .object($0.json) }),
            "canvases": .array(messages.filter { $0.kind == .canvas }.map { .object($0.json) }),
            "sends": .array(sends.map { .object($0.json) }),
        ]
    }

    fileprivate init?(stored: JSONObject) {
        guard let id = stored["id"]?.string, let salt = stored["salt"]?.string.flatMap({ UInt64($0, radix: 16) }) else {
            return nil
        }
        self.init(id: id, name: stored["name"]?.string ?? id, salt: salt)
        timeZone = stored["time_zone"]?.string ?? "UTC"
        dataPoints = stored["data_points"]?.integer ?? 0
        restoreTouches(stored["touches"]?.integer ?? 0)
        pendingOrdinal = stored["next"]?.integer ?? 0
        for entry in stored["attributes"]?.array ?? [] {
            AttributeEntry(stored: entry).map { _ = attributes.append($0) }
        }
        for entry in stored["events"]?.array ?? [] { EventEntry(stored: entry).map { _ = events.append($0) } }
        for entry in stored["products"]?.array ?? [] {
            guard let name = entry[0]?.string else { continue }
            var product = ProductEntry(name: name, at: EpochMilliseconds(entry[1]?.integer ?? 0))
            product.count = entry[2]?.integer ?? 0
            products.append(product)
        }
        blockedIDs = Set((stored["blocked"]?.array ?? []).compactMap(\.string))
        cohorts = (stored["cohorts"]?.array ?? []).compactMap { entry in
            guard let id = entry["id"]?.string, let partner = entry["partner"]?.string else { return nil }
            return Cohort(partner: partner, id: id, name: entry["name"]?.string ?? id)
        }
        for body in (stored["segments"]?.array ?? []).compactMap(\.object) {
            guard var segment = readSegment(body, at: 0) else { continue }
            segment.sizes = (body["sizes"]?.array ?? []).compactMap { entry in
                entry[0]?.integer.flatMap { day in entry[1]?.integer.map { (day, $0) } }
            }
            segments.append(segment)
        }
        messages += (stored["campaigns"]?.array ?? []).compactMap(\.object).compactMap {
            readMessage(.campaign, $0, at: 0)
        }
        messages += (stored["canvases"]?.array ?? []).compactMap(\.object).compactMap {
            readMessage(.canvas, $0, at: 0)
        }
        sends = (stored["sends"]?.array ?? []).compactMap(\.object).compactMap { Send($0) }
    }

    fileprivate mutating func finishRestoring() { profiles.skip(to: pendingOrdinal) }
}

extension AttributeEntry {
    fileprivate var stored: JSONValue {
        [
            "n": .string(name), "f": .number(Int(firstSeen)), "l": .number(Int(lastSeen)),
            "t": .string(orNull: detected?.rawValue),
            "force": .string(orNull: forced?.rawValue), "b": .bool(isBlocklisted), "c": .number(typeChanges),
        ]
    }

    fileprivate init?(stored: JSONValue) {
        guard let name = stored["n"]?.string else { return nil }
        self.init(name: name, at: EpochMilliseconds(stored["f"]?.integer ?? 0))
        lastSeen = EpochMilliseconds(stored["l"]?.integer ?? 0)
        detected = stored["t"]?.string.flatMap(AttributeType.init(rawValue:))
        forced = stored["force"]?.string.flatMap(AttributeType.init(rawValue:))
        isBlocklisted = stored["b"]?.bool ?? false
        typeChanges = stored["c"]?.integer ?? 0
    }
}

extension EventEntry {
    fileprivate var stored: JSONValue {
        [
            "n": .string(name), "f": .number(Int(firstSeen)), "l": .number(Int(lastSeen)), "c": .number(count),
            "b": .bool(isBlocklisted), "p": .array(enabledProperties.map { .string($0) }),
            "s": .array(seenProperties.map { .string($0) }),
            "h": .array(hourly.sorted { $0.key < $1.key }.map { [.number($0.key), .number($0.value)] }),
        ]
    }

    fileprivate init?(stored: JSONValue) {
        guard let name = stored["n"]?.string else { return nil }
        self.init(name: name, at: EpochMilliseconds(stored["f"]?.integer ?? 0))
        lastSeen = EpochMilliseconds(stored["l"]?.integer ?? 0)
        count = stored["c"]?.integer ?? 0
        isBlocklisted = stored["b"]?.bool ?? false
        enabledProperties = (stored["p"]?.array ?? []).compactMap(\.string)
        seenProperties = (stored["s"]?.array ?? []).compactMap(\.string)
        for entry in stored["h"]?.array ?? [] {
            if let hour = entry[0]?.integer, let value = entry[1]?.integer { hourly[hour] = value }
        }
    }
}

extension Profile {
    var stored: JSONValue {
        var object: [(key: String, value: JSONValue)] = [
            ("o", .number(ordinal)), ("c", .number(Int(createdAt))), ("u", .number(Int(updatedAt))),
            ("t", .number(touch)),
            ("s", .string(String(salt, radix: 16))),
        ]
        func put(_ name: String, _ value: JSONValue, unless isEmpty: Bool) {
            if !isEmpty { object.append((name, value)) }
        }
        func pairs<Value>(_ map: NameMap<Value>, _ json: (Value) -> JSONValue) -> JSONValue {
            .array(map.pairs.map { [.number(Int($0.name)), json($0.value)] })
        }
        put("id", .string(orNull: externalID), unless: externalID == nil)
        put("old", .array(deprecatedIDs.map { .string($0) }), unless: deprecatedIDs.isEmpty)
        put("aliases", .array(aliases.map(\.json)), unless: aliases.isEmpty)
        put("email", .string(orNull: email), unless: email == nil)
        put("phone", .string(orNull: phone), unless: phone == nil)
        put("fields", pairs(fields) { $0 }, unless: fields.isEmpty)
        put("a", pairs(attributes, \.stored), unless: attributes.isEmpty)
        put("e", pairs(events, \.stored), unless: events.isEmpty)
        put(
            "p", pairs(purchases) { [.number($0.count), .number(Int($0.first)), .number(Int($0.last))] },
            unless: purchases.isEmpty)
        put("revenue", .number(Int(revenueCents)), unless: revenueCents == 0)
        put("tokens", .array(pushTokens), unless: pushTokens.isEmpty)
        put("apps", .array(apps.map { .string($0) }), unless: apps.isEmpty)
        let groups = subscriptions.sorted { $0.key < $1.key }
        put("groups", .array(groups.map { [.string($0.key), .string($0.value)] }), unless: groups.isEmpty)
        put("cohorts", .array(cohorts.map { .string($0) }), unless: cohorts.isEmpty)
        return .object(JSONObject(object))
    }

    init?(stored: JSONValue) {
        guard let ordinal = stored["o"]?.integer, let created = stored["c"]?.integer, let touch = stored["t"]?.integer,
            let salt = stored["s"]?.string.flatMap({ UInt64($0, radix: 16) })
        else { return nil }
        self.init(ordinal: ordinal, createdAt: EpochMilliseconds(created), salt: salt, touch: touch)
        updatedAt = EpochMilliseconds(stored["u"]?.integer ?? created)
        func strings(_ name: String) -> [String] { (stored[name]?.array ?? []).compactMap(\.string) }
        func each(_ name: String, _ body: (Int32, JSONValue) -> Void) {
            for pair in stored[name]?.array ?? [] {
                if let number = pair[0]?.integer, let value = pair[1] { body(Int32(number), value) }
            }
        }
        externalID = stored["id"]?.string
        deprecatedIDs = strings("old")
        aliases = (stored["aliases"]?.array ?? []).compactMap { Alias($0) }
        email = stored["email"]?.string
        phone = stored["phone"]?.string
        var fields = NameMap<JSONValue>()
        each("fields") { fields[$0] = $1 }
        self.fields = fields
        var attributes = NameMap<AttributeValue>()
        each("a") { attributes[$0] = AttributeValue(stored: $1) }
        self.attributes = attributes
        var events = NameMap<Occurrences>()
        each("e") { events[$0] = Occurrences(stored: $1) }
        self.events = events
        var purchases = NameMap<PurchaseSummary>()
        each("p") { number, value in
            guard let count = value[0]?.integer, let first = value[1]?.integer, let last = value[2]?.integer else {
                return
            }
            purchases[number] = PurchaseSummary(
                count: count, first: EpochMilliseconds(first), last: EpochMilliseconds(last))
        }
        self.purchases = purchases
        revenueCents = Int64(stored["revenue"]?.integer ?? 0)
        pushTokens = stored["tokens"]?.array ?? []
        apps = strings("apps")
        for pair in stored["groups"]?.array ?? [] {
            if let id = pair[0]?.string, let state = pair[1]?.string { subscriptions[id] = state }
        }
        cohorts = strings("cohorts")
    }
}

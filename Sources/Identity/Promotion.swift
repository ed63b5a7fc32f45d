import JSON
import Model

/// An id that a call brings along.
struct PromotedID: Sendable {
    let type: UInt16
    let value: String
    /// Its place in the identifier table; `IdentifierTable.none` while it is mapped to no profile.
    var entry: UInt32 = IdentifierTable.none
}

/// The ids of one call: found, normalised, without blocked values and unconfigured types (spec: collection §4.2–4.4).
struct Promotion: Sendable {
    var users: [PromotedID] = []
    var accounts: [PromotedID] = []
    var issues: [(kind: IdentityIssue.Kind, identifier: Identifier?)] = []
    /// Ids in `context.externalIds` whose types nobody has configured yet.
    var unknown: [(name: TypeTable.Name, value: String)] = []

    /// Empties it for the next call, keeping its memory.
    mutating func removeAll() {
        users.removeAll(keepingCapacity: true)
        accounts.removeAll(keepingCapacity: true)
        issues.removeAll(keepingCapacity: true)
        unknown.removeAll(keepingCapacity: true)
    }

    /// Longer group ids are left out (spec §1.7).
    private static let groupIDLengthMaximum = 500

    mutating func gather(_ call: Call, body: JSONValue, types: TypeTable) {
        add(.userID, call.userID, types)
        // An alias is resolved by its userId alone (spec §4.8).
        guard call.kind != .alias else { return }
        add(.anonymousID, call.anonymousID, types)
        switch call.kind {
        case .identify, .group: gather(members: body["traits"], types)
        case .track, .page, .screen:
            gather(members: body["properties"], areProperties: true, types)
        case .alias: break
        }
        let context = body["context"]
        if let context, context.object != nil { gather(context: context, types) }
        let groupID = call.groupID ?? (call.kind == .group ? nil : Self.text(context?["groupId"]))
        if let groupID, groupID.count <= Self.groupIDLengthMaximum { add(.groupID, groupID, types) }
    }

    private mutating func gather(members: JSONValue?, areProperties: Bool = false, _ types: TypeTable) {
        guard let object = members?.object else { return }
        if !areProperties || types.settings.promotesPropertiesEmail { add(.email, Self.text(object["email"]), types) }
        if !areProperties, types.rule(BuiltInType.crossDomainID.rawValue) != nil {
            add(.crossDomainID, Self.text(object["crossDomainId"]), types)
        }
        guard !types.traitKeys.isEmpty else { return }
        for member in object.members {
            if let type = types.traitKeys[member.key] { add(type, Self.text(member.value), types) }
        }
    }

    private mutating func gather(context: JSONValue, _ types: TypeTable) {
        gather(members: context["traits"], types)
        if let device = context["device"] { gather(device: device, types) }
        add(.gaClientID, Self.text(context["integrations"]?["Google Analytics"]?["clientId"]), types)
        add(.brazeID, Self.text(context["Braze"]?["braze_id"]), types)
        for item in context["externalIds"]?.array ?? [] { gather(externalID: item, types) }
    }

    private mutating func gather(device: JSONValue, _ types: TypeTable) {
        let own: (id: BuiltInType, idfa: BuiltInType, token: BuiltInType)
        switch device["type"]?.string?.lowercased() {
        case "android": own = (.androidID, .androidIDFA, .androidPushToken)
        case "ios": own = (.iosID, .iosIDFA, .iosPushToken)
        default: return
        }
        add(own.id, Self.text(device["id"]), types)
        add(own.token, Self.text(device["token"]), types)
        // Only with the person's consent to tracking.
        if device["adTrackingEnabled"]?.bool == true { add(own.idfa, Self.text(device["advertisingId"]), types) }
    }

    private mutating func gather(externalID item: JSONValue, _ types: TypeTable) {
        guard let value = Self.text(item["id"]), let type = item["type"]?.string?.lowercased(),
            let collection = item["collection"]?.string.flatMap(Identifier.Collection.init(rawValue:)),
            item["encoding"]?.string == "none", IdentitySettings.isTypeName(type),
            BuiltInType(name: type).map({ $0.collection == collection }) ?? true
        else {
            issues.append((.externalIDIgnored, nil))
            return
        }
        if let number = types.knownNumber(of: collection, type), types.rule(number) != nil {
            add(number, value, types)
        } else if !value.isEmpty {
            unknown.append((TypeTable.Name(collection: collection, type: type), value))
        }
    }

    // MARK: Values

    private mutating func add(_ type: BuiltInType, _ value: String?, _ types: TypeTable) {
        add(type.rawValue, value, types)
    }

    /// Takes the id in unless it is blocked, of a type without rule, empty or there already.
    mutating func add(_ type: UInt16, _ value: String?, _ types: TypeTable) {
        guard var value, let rule = types.rule(type) else { return }
        if type == BuiltInType.email.rawValue { value = value.normalisedAddress }
        guard !value.isEmpty else { return }
        guard !rule.blocked.matches(value) else {
            let identifier = types.identifier(type, value)
            if !issues.contains(where: { $0.identifier == identifier }) { issues.append((.valueBlocked, identifier)) }
            return
        }
        switch types.names[Int(type)].collection {
        case .users: users.appendUnlessThere(PromotedID(type: type, value: value))
        case .accounts: accounts.appendUnlessThere(PromotedID(type: type, value: value))
        }
    }

    /// Strings as they are and numbers as decimal text; null, booleans, arrays and objects are no ids (spec §4.2).
    private static func text(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let string): string
        case .number(let number): number.text
        default: nil
        }
    }
}

extension [PromotedID] {
    fileprivate mutating func appendUnlessThere(_ id: PromotedID) {
        if !contains(where: { $0.type == id.type && $0.value.hasSameBytes(as: id.value) }) { append(id) }
    }
}

extension String {
    /// An e-mail address without surrounding white space, in lower case (spec §4.2).
    var normalisedAddress: String {
        let isNormal = utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && !(byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z"))
        }
        if isNormal { return self }
        let start = drop { $0.isWhitespace }
        let end = start.lastIndex { !$0.isWhitespace }.map { start.index(after: $0) } ?? start.startIndex
        return start[..<end].lowercased()
    }
}

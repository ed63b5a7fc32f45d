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

    mutating func gather(_ call: Call, body: JSONView, types: TypeTable) {
        body.withGlance { gather(call, $0, types) }
    }

    private mutating func gather(_ call: Call, _ body: JSONGlance, _ types: TypeTable) {
        add(.userID, call.userID, types)
        // An alias is resolved by its userId alone (spec §4.8).
        guard call.kind != .alias else { return }
        add(.anonymousID, call.anonymousID, types)
        // `traits` counts on identify and group, `properties` on the others (spec §4.2).
        let hasTraits = call.kind == .identify || call.kind == .group
        var members: JSONGlance?
        var context: JSONGlance?
        for (key, value) in body.members {
            if key.isText(Name.context) {
                context = value
            } else if hasTraits ? key.isText(Name.traits) : key.isText(Name.properties) {
                members = value
            }
        }
        if let members { gather(members: members, areProperties: !hasTraits, types) }
        let contextGroupID = context.flatMap { gather(context: $0, types) }
        if let groupID = call.groupID ?? (call.kind == .group ? nil : contextGroupID),
            groupID.count <= Self.groupIDLengthMaximum
        {
            add(.groupID, groupID, types)
        }
    }

    private mutating func gather(members: JSONGlance, areProperties: Bool, _ types: TypeTable) {
        if !areProperties || types.settings.promotesPropertiesEmail { add(.email, members[Name.email], types) }
        if !areProperties, types.rule(BuiltInType.crossDomainID.rawValue) != nil {
            add(.crossDomainID, members[Name.crossDomainID], types)
        }
        guard !types.traitKeys.isEmpty else { return }
        for member in members.members {
            guard let key = member.key.string, let type = types.traitKeys[key] else { continue }
            // Of a repeated name the last one counts.
            add(type, members[key].flatMap(Self.text), types)
        }
    }

    /// Returns `context.groupId`.
    private mutating func gather(context: JSONGlance, _ types: TypeTable) -> String? {
        var (traits, device, integrations): (JSONGlance?, JSONGlance?, JSONGlance?)
        var (braze, externalIDs, groupID): (JSONGlance?, JSONGlance?, JSONGlance?)
        for (key, value) in context.members {
            if key.isText(Name.traits) {
                traits = value
            } else if key.isText(Name.device) {
                device = value
            } else if key.isText(Name.integrations) {
                integrations = value
            } else if key.isText(Name.braze) {
                braze = value
            } else if key.isText(Name.externalIDs) {
                externalIDs = value
            } else if key.isText(Name.groupID) {
                groupID = value
            }
        }
        if let traits { gather(members: traits, areProperties: false, types) }
        if let device { gather(device: device, types) }
        add(.gaClientID, integrations?[Name.googleAnalytics]?[Name.clientID], types)
        add(.brazeID, braze?[Name.brazeID], types)
        if let externalIDs { for item in externalIDs.elements { gather(externalID: item, types) } }
        return groupID.flatMap(Self.text)
    }

    private mutating func gather(device: JSONGlance, _ types: TypeTable) {
        let own: (id: BuiltInType, idfa: BuiltInType, token: BuiltInType)
        switch device[Name.type]?.string?.lowercased() {
        case "android": own = (.androidID, .androidIDFA, .androidPushToken)
        case "ios": own = (.iosID, .iosIDFA, .iosPushToken)
        default: return
        }
        add(own.id, device[Name.id], types)
        add(own.token, device[Name.token], types)
        // Only with the person's consent to tracking.
        if device[Name.adTrackingEnabled]?.bool == true { add(own.idfa, device[Name.advertisingID], types) }
    }

    private mutating func gather(externalID item: JSONGlance, _ types: TypeTable) {
        guard let value = item[Name.id].flatMap(Self.text), let type = item[Name.type]?.string?.lowercased(),
            let collection = item[Name.collection]?.string.flatMap(Identifier.Collection.init(rawValue:)),
            item[Name.encoding]?.isText(Name.none) == true, IdentitySettings.isTypeName(type),
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

    private mutating func add(_ type: BuiltInType, _ value: JSONGlance?, _ types: TypeTable) {
        if let value { add(type.rawValue, Self.text(value), types) }
    }

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
    private static func text(_ value: JSONGlance) -> String? {
        switch value.kind {
        case .string: value.string
        case .number: value.number?.text
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

/// Where ids stand in a message. Static strings are compared without being made.
private enum Name {
    static let context: StaticString = "context"
    static let traits: StaticString = "traits"
    static let properties: StaticString = "properties"
    static let device: StaticString = "device"
    static let integrations: StaticString = "integrations"
    static let braze: StaticString = "Braze"
    static let externalIDs: StaticString = "externalIds"
    static let groupID: StaticString = "groupId"
    static let email: StaticString = "email"
    static let crossDomainID: StaticString = "crossDomainId"
    static let googleAnalytics: StaticString = "Google Analytics"
    static let clientID: StaticString = "clientId"
    static let brazeID: StaticString = "braze_id"
    static let type: StaticString = "type"
    static let id: StaticString = "id"
    static let token: StaticString = "token"
    static let adTrackingEnabled: StaticString = "adTrackingEnabled"
    static let advertisingID: StaticString = "advertisingId"
    static let collection: StaticString = "collection"
    static let encoding: StaticString = "encoding"
    static let none: StaticString = "none"
}

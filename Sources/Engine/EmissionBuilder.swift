import JSON
import Model

/// The ids of a person that calls to destinations carry (spec: engage §7.4), each list in the order in which the ids
/// became known.
struct AddressableIDs: Equatable {
    var userIDs: [String] = []
    var emails: [String] = []
    /// Empty unless the computation includes anonymous users.
    var anonymousIDs: [String] = []
    /// Ids that a connection asks for under names of its own.
    var custom: [CustomIDs] = []

    struct CustomIDs: Equatable {
        var type: String
        var name: String
        var values: [String]
    }

    /// The ids with what a connection says about them. `values` tells the values of a type in the order in which they
    /// became known. Exits carry every value, so that whatever was told of the entry learns of the exit (§7.4).
    func applying(_ rules: [IDSync], isExit: Bool, values: (String) -> [String]) -> AddressableIDs {
        var ids = self
        for rule in rules {
            let known = values(rule.externalID)
            let chosen =
                switch rule.strategy {
                case _ where isExit: known
                case .first: Array(known.prefix(1))
                case .last: Array(known.suffix(1))
                case .all: known
                }
            switch rule.mapTo {
            case "user_id": ids.userIDs = chosen
            case "email": ids.emails = chosen
            case "anonymous_id": ids.anonymousIDs = chosen
            default:
                if !chosen.isEmpty {
                    ids.custom.append(CustomIDs(type: rule.externalID, name: rule.mapTo, values: chosen))
                }
            }
        }
        return ids
    }
}

/// One choice of ids for one call.
struct IDCombination: Hashable {
    var userID: String?
    var email: String?
    var anonymousID: String?
    var custom: [CustomID] = []

    struct CustomID: Hashable {
        var type: String
        var name: String
        var value: String
    }

    /// Whether the call tells the id. Ids of other types may stand in the place of the user id.
    func contains(_ identifier: Identifier) -> Bool {
        switch identifier.type {
        case "user_id": userID == identifier.value
        case "email": email == identifier.value
        case "anonymous_id": anonymousID == identifier.value
        default: userID == identifier.value || custom.contains { $0.value == identifier.value }
        }
    }
}

/// What happened to one value, in the words that an emission needs.
struct Transition {
    let computation: Computation
    let profile: ProfileOrdinal
    let segmentID: String
    /// Of the account whose value it is, where it is told to people of an account.
    var accountID: String?
    /// Counts the changes of this computation on this profile from 1; part of the message id.
    let number: Int
    let value: JSONValue
    let at: Instant

    var isExit: Bool { computation.kind == .audience && value != .bool(true) }
}

/// Turns transitions into the calls that destinations get (spec: engage §7.2–7.4).
enum EmissionBuilder {
    /// Exits multiply all known ids; beyond this many the rest is left out and counted.
    static let combinationLimit = 100

    /// The sets of ids to address. Entries and trait values: each id at least once. Exits: every combination, so that
    /// whatever combination was ever told of the entry learns of the exit.
    static func combinations(_ ids: AddressableIDs, isExit: Bool) -> (list: [IDCombination], wasCapped: Bool) {
        func pick(_ list: [String], _ index: Int) -> String? { list.isEmpty ? nil : list[index % list.count] }
        func custom(_ index: Int) -> [IDCombination.CustomID] {
            ids.custom.map {
                IDCombination.CustomID(type: $0.type, name: $0.name, value: $0.values[index % $0.values.count])
            }
        }
        if ids.userIDs.isEmpty, ids.anonymousIDs.isEmpty {
            let list = ids.emails.enumerated().map { index, email in
                IDCombination(email: email, anonymousID: StableID.anonymousID(email: email), custom: custom(index))
            }
            return (Array(list.prefix(combinationLimit)), list.count > combinationLimit)
        }
        guard isExit else {
            let lists = [ids.userIDs.count, ids.emails.count, ids.anonymousIDs.count] + ids.custom.map(\.values.count)
            let count = lists.max() ?? 0
            let list = (0..<min(count, combinationLimit)).map {
                IDCombination(
                    userID: pick(ids.userIDs, $0), email: pick(ids.emails, $0),
                    anonymousID: pick(ids.anonymousIDs, $0), custom: custom($0))
            }
            return (list, count > combinationLimit)
        }
        var list: [IDCombination] = []
        for user in 0..<max(ids.userIDs.count, 1) {
            for email in 0..<max(ids.emails.count, 1) {
                for anonymous in 0..<max(ids.anonymousIDs.count, 1) {
                    guard list.count < combinationLimit else { return (list, true) }
                    list.append(
                        IDCombination(
                            userID: pick(ids.userIDs, user), email: pick(ids.emails, email),
                            anonymousID: pick(ids.anonymousIDs, anonymous), custom: custom(list.count)))
                }
            }
        }
        return (list, false)
    }

    /// The calls to one person for one connection and the given combinations. `enrichment` holds the traits that go
    /// along.
    static func emissions(
        _ transition: Transition, connection: Connection, destination: Destination, spaceID: String,
        combinations: [IDCombination], enrichment: JSONObject = [:], origin: Emission.Origin = .change,
        salt: String? = nil
    ) -> [Emission] {
        var kinds: [Emission.Kind] = []
        if connection.sendIdentify { kinds.append(.identify) }
        if connection.sendTrack { kinds.append(.track) }
        var emissions: [Emission] = []
        for combination in combinations {
            for kind in kinds {
                var parts = [
                    transition.computation.id, transition.segmentID, String(transition.number), destination.id,
                    kind.rawValue, combination.userID ?? "", combination.email ?? "", combination.anonymousID ?? "",
                ]
                // A person may be in two accounts, and both may come to the same value.
                if let accountID = transition.accountID { parts.append(accountID) }
                for id in combination.custom { parts += [id.type, id.value] }
                if let salt { parts.append(salt) }
                var call = call(
                    transition, kind: kind, connection: connection, destination: destination, spaceID: spaceID)
                address(&call, kind: kind, to: combination, enrichment: enrichment)
                emissions.append(
                    emission(
                        transition, kind, call, messageID: parts, destinationID: destination.id, origin: origin))
            }
        }
        return emissions
    }

    /// The group calls about an account itself.
    static func groupEmissions(
        _ transition: Transition, connection: Connection, destination: Destination, spaceID: String, groupIDs: [String],
        origin: Emission.Origin, salt: String? = nil
    ) -> [Emission] {
        groupIDs.prefix(combinationLimit).map { groupID in
            var call = call(
                transition, kind: .group, connection: connection, destination: destination, spaceID: spaceID)
            call["groupId"] = .string(groupID)
            var parts = [
                transition.computation.id, transition.segmentID, String(transition.number), destination.id, "group",
                groupID,
            ]
            if let salt { parts.append(salt) }
            return emission(
                transition, .group, call, messageID: parts, destinationID: destination.id, origin: origin)
        }
    }

    private static func emission(
        _ transition: Transition, _ kind: Emission.Kind, _ call: JSONObject, messageID parts: [String],
        destinationID: String, origin: Emission.Origin
    ) -> Emission {
        var call = call
        let messageID = StableID.make(prefix: "personas_", parts: parts)
        call["messageId"] = .string(messageID)
        return Emission(
            destinationID: destinationID, computationID: transition.computation.id,
            computationKey: transition.computation.key, profile: transition.profile, kind: kind,
            messageID: messageID, timestamp: transition.at, payload: JSONValue.object(call).utf8,
            origin: origin)
    }

    /// Writes ids and further traits into a call (spec: engage §7.6, §7.7).
    private static func address(
        _ call: inout JSONObject, kind: Emission.Kind, to ids: IDCombination, enrichment: JSONObject
    ) {
        let bagName = kind == .track ? "properties" : "traits"
        var bag = call[bagName]?.object ?? [:]
        var context = call["context"]?.object ?? [:]
        call["userId"] = ids.userID.map { .string($0) }
        call["anonymousId"] = ids.anonymousID.map { .string($0) }
        for (name, value) in enrichment.members where bag[name] == nil { bag[name] = value }
        for id in ids.custom where bag[id.name] == nil { bag[id.name] = .string(id.value) }
        if let email = ids.email {
            if kind == .track {
                context["traits"] = ["email": .string(email)]
            } else if bag["email"] == nil || enrichment["email"] != nil {
                bag["email"] = .string(email)
            }
        }
        if !ids.custom.isEmpty {
            context["externalIds"] = .array(
                ids.custom.map {
                    [
                        "id": .string($0.value), "type": .string($0.type), "collection": "users", "encoding": "none",
                    ]
                })
        }
        call[bagName] = .object(bag)
        call["context"] = .object(context)
    }

    private static func call(
        _ transition: Transition, kind: Emission.Kind, connection: Connection, destination: Destination,
        spaceID: String
    ) -> JSONObject {
        let computation = transition.computation
        let isAudience = computation.kind == .audience
        let name = connection.keyName ?? computation.key
        var call: JSONObject = ["type": .string(kind.rawValue), "messageId": ""]
        call["context"] = [
            "integrations": ["personas": false],
            "library": ["name": "unknown", "version": "unknown"],
            "personas": [
                "computation_class": isAudience ? "audience" : "trait",
                "computation_id": .string(computation.id),
                "computation_key": .string(computation.key),
                "namespace": .string(spaceID),
                "space_id": .string(spaceID),
            ],
        ]
        if kind == .track {
            let event =
                isAudience
                ? (transition.isExit ? connection.exitEvent : connection.enterEvent) : connection.computeEvent
            call["event"] = .string(event)
            call["properties"] = [
                isAudience ? "audience_key" : "trait_key": .string(computation.key), name: transition.value,
            ]
        } else {
            call["traits"] = [name: transition.value]
        }
        call["integrations"] = .object(["All": false, destination.name: true])
        let time = JSONValue.string(transition.at.description)
        call["timestamp"] = time
        call["originalTimestamp"] = time
        call["receivedAt"] = time
        var mapping = JSONObject()
        if connection.updateExistingOnly { mapping["updateExistingOnly"] = true }
        if let keyName = connection.keyName { mapping["key"] = .string(keyName) }
        if !mapping.isEmpty { call["mapping"] = .object(mapping) }
        return call
    }
}

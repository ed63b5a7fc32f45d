import JSON
import Model

/// The ids of a person that calls to destinations carry (spec: engage §7.4), each list in the order in which the ids
/// became known.
struct AddressableIDs: Equatable {
    var userIDs: [String] = []
    var emails: [String] = []
    /// Empty unless the computation includes anonymous users.
    var anonymousIDs: [String] = []
}

/// One choice of ids for one call.
struct IDCombination: Hashable {
    var userID: String?
    var email: String?
    var anonymousID: String?

    func contains(_ identifier: Identifier) -> Bool {
        switch identifier.type {
        case "user_id": userID == identifier.value
        case "email": email == identifier.value
        case "anonymous_id": anonymousID == identifier.value
        default: false
        }
    }
}

/// What happened to one value, in the words that an emission needs.
struct Transition {
    let computation: Computation
    let profile: ProfileOrdinal
    let segmentID: String
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
        if ids.userIDs.isEmpty, ids.anonymousIDs.isEmpty {
            let list = ids.emails.map { IDCombination(email: $0, anonymousID: StableID.anonymousID(email: $0)) }
            return (Array(list.prefix(combinationLimit)), list.count > combinationLimit)
        }
        func pick(_ list: [String], _ index: Int) -> String? { list.isEmpty ? nil : list[index % list.count] }
        guard isExit else {
            let count = max(ids.userIDs.count, ids.emails.count, ids.anonymousIDs.count)
            let list = (0..<min(count, combinationLimit)).map {
                IDCombination(
                    userID: pick(ids.userIDs, $0), email: pick(ids.emails, $0),
                    anonymousID: pick(ids.anonymousIDs, $0))
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
                            anonymousID: pick(ids.anonymousIDs, anonymous)))
                }
            }
        }
        return (list, false)
    }

    /// The calls for one connection and the given combinations.
    static func emissions(
        _ transition: Transition, connection: Connection, destination: Destination, spaceID: String,
        combinations: [IDCombination], origin: Emission.Origin = .change, salt: String? = nil
    ) -> [Emission] {
        var emissions: [Emission] = []
        for combination in combinations {
            var kinds: [Emission.Kind] = []
            if connection.sendIdentify { kinds.append(.identify) }
            if connection.sendTrack { kinds.append(.track) }
            for kind in kinds {
                let messageID = StableID.make(
                    prefix: "personas_",
                    parts: [
                        transition.computation.id, transition.segmentID, String(transition.number),
                        destination.id, kind.rawValue, combination.userID ?? "",
                        combination.email ?? "", combination.anonymousID ?? "",
                    ] + (salt.map { [$0] } ?? []))
                let call = call(
                    transition, kind: kind, connection: connection, destination: destination, spaceID: spaceID,
                    combination: combination, messageID: messageID)
                emissions.append(
                    Emission(
                        destinationID: destination.id, computationID: transition.computation.id,
                        computationKey: transition.computation.key, profile: transition.profile, kind: kind,
                        messageID: messageID, timestamp: transition.at, payload: JSONValue.object(call).utf8,
                        origin: origin))
            }
        }
        return emissions
    }

    private static func call(
        _ transition: Transition, kind: Emission.Kind, connection: Connection, destination: Destination,
        spaceID: String, combination: IDCombination, messageID: String
    ) -> JSONObject {
        let computation = transition.computation
        let isAudience = computation.kind == .audience
        var call: JSONObject = ["type": .string(kind.rawValue), "messageId": .string(messageID)]
        if let userID = combination.userID { call["userId"] = .string(userID) }
        if let anonymousID = combination.anonymousID { call["anonymousId"] = .string(anonymousID) }
        var context: JSONObject = [
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
        switch kind {
        case .identify, .group:
            var traits: JSONObject = [computation.key: transition.value]
            if let email = combination.email, computation.key != "email" { traits["email"] = .string(email) }
            call["traits"] = .object(traits)
        case .track:
            let event =
                isAudience
                ? (transition.isExit ? connection.exitEvent : connection.enterEvent) : connection.computeEvent
            call["event"] = .string(event)
            call["properties"] = [
                isAudience ? "audience_key" : "trait_key": .string(computation.key),
                computation.key: transition.value,
            ]
            if let email = combination.email { context["traits"] = ["email": .string(email)] }
        }
        call["context"] = .object(context)
        call["integrations"] = .object(["All": false, destination.name: true])
        let time = JSONValue.string(transition.at.description)
        call["timestamp"] = time
        call["originalTimestamp"] = time
        call["receivedAt"] = time
        return call
    }
}

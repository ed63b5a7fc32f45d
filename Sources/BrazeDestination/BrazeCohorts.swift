public import Delivery
public import JSON
public import Model

/// Braze cohorts as a destination: the members of audiences by `POST /partners/segment/cohorts…` (braze §6,
/// braze-destination §11), beside or instead of a custom attribute.
///
/// Promises: a cohort is created, under the audience's key, before the first members are told; members come and go as
/// differences, of each person the latest only, 1,000 a request; the two secrets stand in the bodies that leave and
/// nowhere else. Braze skips people whom it does not know, so cohorts complement the Braze destination.
public struct BrazeCohorts: DestinationAdapter {
    public static let kind = "braze_cohorts"
    public static let secretSettings: Set<String> = ["partner_api_key", "client_secret"]
    /// Calls of sources are no memberships.
    public static let presets: [MappingPreset] = []

    let endpoint: String
    private let partnerKey: String
    private let clientSecret: String
    private let aliasLabel: String?

    public init(settings: JSONObject) throws(SettingsError) {
        endpoint = try BrazeSettings.endpoint(in: settings)
        partnerKey = try Self.secret(
            "partner_api_key", in: settings,
            remedy: "Braze gives it to partners. Without one, send audiences as attributes: add a Braze destination")
        clientSecret = try Self.secret(
            "client_secret", in: settings,
            remedy: "In Braze open Partner Integrations > Technology Partners > Segment and create a data import key")
        aliasLabel = try BrazeSettings.text("anonymous_alias_label", in: settings)
    }

    private static func secret(
        _ field: String, in settings: JSONObject, remedy: String
    ) throws(SettingsError) -> String {
        guard let secret = try BrazeSettings.text(field, in: settings) else {
            throw SettingsError(field: field, message: "is missing", remedy: remedy)
        }
        return secret
    }

    /// 1,000 ids a request; 250,000 requests an hour are 69 a second.
    public var limits: DestinationLimits {
        DestinationLimits(
            objectsPerRequest: 1000, bytesPerRequest: 4_000_000, bytesPerObject: 10_000, requestsPerSecond: 60,
            keepsArraysApart: true)
    }

    /// Cohorts may be billed (braze §6): each member that comes or goes counts as one.
    public var pricing: Pricing { Pricing(value: { _, _ in 1 }, occurrence: { _ in 1 }) }

    public var ledgerScope: String { BrazeSettings.fingerprint("cohorts \(endpoint) \(partnerKey) \(clientSecret)") }

    // MARK: Emissions

    public func map(_ emission: Emission) -> Mapping {
        if emission.kind == .delete { return .nothing }
        guard let call = try? JSONValue(parsing: emission.payload) else {
            return .refused(reason: "The call in the outbox is not valid JSON")
        }
        guard emission.origin != .source, call.at("context.personas.computation_class") == "audience",
            let id = call.at("context.personas.computation_id")?.string,
            let key = call.at("context.personas.computation_key")?.string
        else { return .refused(reason: "A cohort holds the members of an audience; this is none") }
        let name = call.at("mapping.key")?.string ?? key
        let bag = emission.kind == .track ? "properties" : "traits"
        guard emission.kind == .identify || emission.kind == .track, let isMember = call[bag]?[name]?.bool else {
            return .refused(reason: "The call does not say whether somebody is a member")
        }
        var identity: JSONObject = ["cohort_name": .string(name)]
        let person: String
        if let user = call["userId"]?.string, !user.isEmpty {
            identity["user_id"] = .string(user)
            person = BrazeIdentity.Primary.externalID(user).person
        } else if let label = aliasLabel, let anonymous = call["anonymousId"]?.string, !anonymous.hasPrefix("eml_") {
            identity["alias"] = ["alias_name": .string(anonymous), "alias_label": .string(label)]
            person = BrazeIdentity.Primary.alias(name: anonymous, label: label).person
        } else {
            return .refused(
                reason: "Braze finds members of cohorts by a user id; this person has none. Anonymous persons are sent "
                    + "only under an alias (destination setting anonymous_alias_label)")
        }
        // One person in two cohorts is two: they are told in requests of their own.
        return .update(
            person: "\(id) \(person)",
            AttributeUpdate(array: id, identity: identity, values: ["is_member": .bool(isMember)]))
    }

    // MARK: Requests

    public func request(for objects: [OutgoingObject]) -> DestinationRequest {
        var (added, removed) = (Change(), Change())
        for object in objects {
            guard let member = try? JSONValue(parsing: object.json) else { continue }
            if member["is_member"] == true { added.insert(member) } else { removed.insert(member) }
        }
        let changes = [added.json(isRemoval: false), removed.json(isRemoval: true)].compactMap(\.self)
        return request(
            "/partners/segment/cohorts/users",
            ["cohort_id": .string(objects.first?.array ?? ""), "cohort_changes": .array(changes)])
    }

    /// Those who come, or those who go.
    private struct Change {
        var userIDs: [JSONValue] = []
        var aliases: [JSONValue] = []

        mutating func insert(_ member: JSONValue) {
            if let id = member["user_id"] { userIDs.append(id) }
            if let alias = member["alias"] { aliases.append(alias) }
        }

        func json(isRemoval: Bool) -> JSONValue? {
            guard !userIDs.isEmpty || !aliases.isEmpty else { return nil }
            var change = JSONObject()
            if !userIDs.isEmpty { change["user_ids"] = .array(userIDs) }
            if !aliases.isEmpty { change["aliases"] = .array(aliases) }
            if isRemoval { change["should_remove"] = true }
            return .object(change)
        }
    }

    /// Creates the cohort, or tells its new name.
    public func preparation(for objects: [OutgoingObject], at instant: Instant) -> Preparation? {
        guard let first = objects.first, let name = (try? JSONValue(parsing: first.json))?["cohort_name"] else {
            return nil
        }
        return Preparation(
            key: "\(first.array) \(name)",
            request: request(
                "/partners/segment/cohorts",
                ["cohort_id": .string(first.array), "name": name, "created_at": .string(instant.description)]))
    }

    /// An empty list of changes is a test of the secrets.
    public var probe: DestinationRequest? {
        request(
            "/partners/segment/cohorts/users", ["cohort_id": "muster_connection_test", "cohort_changes": []])
    }

    private func request(_ path: String, _ body: JSONObject) -> DestinationRequest {
        DestinationRequest(
            url: endpoint + path,
            headers: [DestinationRequest.Header("User-Agent", "partner-Muster-Muster/\(BrazeDestination.version)")],
            body: JSONValue.object(body).utf8)
    }

    /// The secrets join when a request leaves, so that records of requests don't hold them.
    public func seal(_ request: DestinationRequest, at instant: Instant) -> DestinationRequest {
        guard var body = (try? JSONValue(parsing: request.body))?.object else { return request }
        body["partner_api_key"] = .string(partnerKey)
        body["client_secret"] = .string(clientSecret)
        var sealed = request
        sealed.body = JSONValue.object(body).utf8
        return sealed
    }

    // MARK: Answers

    public func interpret(_ response: DestinationResponse, to objects: [OutgoingObject]) -> Verdict {
        let answer = BrazeAnswer(response)
        switch response.status {
        case 200..<300:
            if let message = answer.refusal { return .notTaken(message: message) }
            return .taken(rejected: [:], unplaced: [])
        case 300..<400, 401, 403, 404, 405: return .misconfigured(reason: misconfiguration(answer))
        case 413: return .tooLarge(message: answer.message)
        case 429: return .throttled(message: answer.message)
        case 408, 423, 500...: return .unavailable(message: answer.message)
        default: return .refused(message: answer.message)
        }
    }

    public func interpretProbe(_ response: DestinationResponse) -> ProbeVerdict {
        let answer = BrazeAnswer(response)
        switch response.status {
        case 200..<300, 400, 429: return .working
        case 408, 423, 500...: return .unavailable(reason: "\(endpoint) answered \(answer.message)")
        default: return .misconfigured(reason: misconfiguration(answer))
        }
    }

    private func misconfiguration(_ answer: BrazeAnswer) -> String {
        "Braze at \(endpoint) does not take cohorts (\(answer.message)). Check the partner key, which is another one in "
            + "the US than in the EU, the data import key (client_secret), and the data centre"
    }
}

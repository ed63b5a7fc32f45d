public import Delivery
import JSON

// What Braze bills, and how to see what it holds.

extension BrazeDestination {
    /// Data points (braze §7.1): one for each value that is set, also when it is unchanged, one per key of a nested object
    /// and one per element of an incremental change; one per event and per purchase. Identifiers and subscription states
    /// are free.
    public var pricing: Pricing {
        Pricing(
            value: { Self.dataPoints(of: $1, named: $0) },
            occurrence: { object in
                guard let array = BrazeArray(rawValue: object.array), !array.isOfTrack else { return 1 }
                return array.isTrigger ? Self.dataPoints(ofTrigger: object) : 0
            })
    }

    /// A triggered message is no data point; attributes that travel with its recipients are.
    private static func dataPoints(ofTrigger object: OutgoingObject) -> Int {
        let recipients = (try? JSONValue(parsing: object.json))?["recipients"]?.array ?? []
        return recipients.reduce(0) { sum, recipient in
            (recipient["attributes"]?.object?.members ?? []).reduce(sum) {
                $0 + dataPoints(of: $1.value, named: $1.key)
            }
        }
    }

    private static let freeNames: Set<String> = [
        "email_subscribe", "push_subscribe", "subscription_groups", "external_id", "braze_id", "user_alias",
        "_update_existing_only",
    ]

    static func dataPoints(of value: JSONValue, named name: String) -> Int {
        freeNames.contains(name) ? 0 : max(1, leaves(value))
    }

    private static func leaves(_ value: JSONValue) -> Int {
        switch value {
        case .object(let object):
            object.members.reduce(0) { sum, member in
                // Elements that are added or removed cost each; a whole list costs once.
                if ["add", "remove", "$add", "$remove", "$update"].contains(member.key), let list = member.value.array {
                    return sum + list.count
                }
                return sum + max(1, leaves(member.value))
            }
        default: 1
        }
    }

    /// The same probe at every other data centre: only one of them knows the key. Asked after a 401 only, and only from
    /// one address of Braze's to others of Braze's.
    public var alternatives: [Alternative] {
        guard let probe, RESTEndpoint.isREST(settings.endpoint) else { return [] }
        return RESTEndpoint.instances.filter { $0.address != settings.endpoint }.map { name, address in
            var other = probe
            other.url = address + "/users/track"
            return Alternative(name: name, probe: other)
        }
    }

    /// `POST /users/export/ids` (braze §4.3): 50 ids per request, 250 requests per minute. Custom attributes are compared;
    /// only people with a user id can be asked about.
    public var lookup: Lookup? {
        let settings = settings
        let prefix = "external_id:"
        return Lookup(
            personsPerRequest: 50, requestsPerMinute: 250, canFind: { $0.hasPrefix(prefix) },
            covers: { !UserProfileMapping.isReserved($0) },
            request: { persons in
                let body: JSONValue = [
                    "external_ids": .array(persons.map { .string(String($0.dropFirst(prefix.count))) }),
                    "fields_to_export": ["external_id", "custom_attributes"],
                ]
                return DestinationRequest(
                    url: settings.endpoint + "/users/export/ids",
                    headers: [
                        DestinationRequest.Header("Authorization", "Bearer \(settings.apiKey)"),
                        DestinationRequest.Header("User-Agent", "partner-Muster-Muster/\(Self.version)"),
                    ], body: body.utf8)
            },
            interpret: { Self.interpretLookup($0, endpoint: settings.endpoint) })
    }

    private static func interpretLookup(_ response: DestinationResponse, endpoint: String) -> LookupVerdict {
        let answer = BrazeAnswer(response)
        switch response.status {
        case 200..<300:
            guard let users = (try? JSONValue(parsing: response.body))?["users"]?.array else {
                return .unavailable(message: "\(endpoint) answered without users")
            }
            var found: [String: JSONObject] = [:]
            for user in users {
                guard let id = user["external_id"]?.string else { continue }
                found["external_id:\(id)"] = user["custom_attributes"]?.object ?? [:]
            }
            return .found(found)
        case 429: return .throttled(message: answer.message)
        case 401:
            return .misconfigured(reason: "Braze at \(endpoint) does not accept the API key (\(answer.message))")
        case 403:
            return .misconfigured(
                reason: "The API key may not read profiles (\(answer.message)): create one with the permissions "
                    + "users.track and users.export.ids")
        case 408, 500...: return .unavailable(message: answer.message)
        default: return .misconfigured(reason: "\(endpoint) does not answer as expected: \(answer.message)")
        }
    }
}

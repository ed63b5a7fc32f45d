import Delivery
import JSON
import Model
import Testing

@testable import BrazeDestination

/// A Braze destination with an app id, unless settings say otherwise.
func braze(_ changes: JSONObject = [:]) throws -> BrazeDestination {
    var settings: JSONObject = ["endpoint": "US-01", "api_key": "secret-key", "app_id": "app"]
    for (name, value) in changes.members { settings[name] = value.isNull ? nil : value }
    return try BrazeDestination(settings: settings)
}

func emission(_ kind: Emission.Kind, _ call: JSONValue, sequence: Int64 = 1) -> Emission {
    Emission(
        sequence: sequence, destinationID: "dst", computationID: "aud_1", computationKey: "big_spenders",
        profile: ProfileOrdinal(1), kind: kind, messageID: "personas_\(sequence)", timestamp: .epoch,
        payload: call.utf8)
}

/// The objects that Braze would be sent for an emission that nothing is known of.
func objects(_ mapping: Mapping) throws -> [(array: String, object: JSONValue)] {
    switch mapping {
    case .update(_, let update):
        return [(update.array, .object(JSONObject(update.values.members + update.identity.members)))]
    case .occurrence(_, let occurrence):
        return try occurrence.objects.map { ($0.array, try JSONValue(parsing: $0.json)) }
    case .nothing: return []
    case .refused(let reason):
        Issue.record("refused: \(reason)")
        return []
    }
}

func refusal(_ mapping: Mapping) -> String? {
    if case .refused(let reason) = mapping { reason } else { nil }
}

/// The body of the one request that the emissions would make.
func body(_ destination: BrazeDestination, _ emissions: [Emission]) throws -> JSONValue {
    let outgoing = try emissions.flatMap { emission in
        try objects(destination.map(emission)).map { OutgoingObject(array: $0.array, json: $0.object.utf8) }
    }
    return try JSONValue(parsing: destination.request(for: outgoing).body)
}

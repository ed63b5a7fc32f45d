import Delivery
import JSON
import Model

/// *Track Event*: track calls become objects of `events` (spec: braze-destination §5).
struct TrackEventMapping {
    let settings: BrazeSettings
    let options: MappingOptions

    func map(_ call: JSONValue) throws(MappingError) -> Mapping {
        var fields = resolve(call)
        options.apply(to: &fields, of: call)
        fields["properties"] = options.renamingKeys(fields["properties"])
        var identity = try BrazeIdentity(fields: fields)
        let note = options.isOfComputation ? identity.leaveOutBadEmail() : nil
        let object = try Self.object(fields: fields, identity: identity, appID: settings.appID)
        return .occurrence(
            person: identity.person,
            Occurrence(objects: [OutgoingObject(array: BrazeArray.events.rawValue, object)], note: note))
    }

    /// The default mapping: which path fills which field.
    func resolve(_ call: JSONValue) -> JSONObject {
        var fields = call.identifierFields(settings)
        fields["email"] = call.first(of: "context.traits.email", "properties.email")
        fields["name"] =
            options.text("eventName").map { .string(MappingOptions.template($0, in: call)) }
            ?? options.renamingEvent(call.at("event"))
        fields["time"] = call.at("receivedAt")
        fields["properties"] = call.at("properties")
        return fields
    }

    static func object(fields: JSONObject, identity: BrazeIdentity, appID: String?) throws(MappingError) -> JSONObject {
        guard let name = try Coercion.text(fields["name"], field: "name") else {
            throw MappingError(field: "name", message: "the event has no name")
        }
        guard let time = try Coercion.instant(fields["time"], field: "time") else {
            throw MappingError(field: "time", message: "the event has no time")
        }
        var object = identity.allMembers
        if let appID { object["app_id"] = .string(appID) }
        object["name"] = .string(name)
        object["time"] = .string(time.description)
        object["properties"] = try Self.properties(fields["properties"]).map { .object($0) }
        object["_update_existing_only"] = .bool(
            try Coercion.boolean(fields["_update_existing_only"], field: "_update_existing_only") ?? false)
        return object
    }

    /// As they are; absent or null leaves them out.
    static func properties(_ value: JSONValue?) throws(MappingError) -> JSONObject? {
        switch value {
        case nil, .null?: return nil
        case .object(let object)?: return object
        default: throw MappingError(field: "properties", message: "is not an object")
        }
    }
}

import Delivery
import JSON
import Model

/// *Update User Profile*: identify calls become objects of `attributes` (spec: braze-destination §4).
struct UserProfileMapping {
    let settings: BrazeSettings
    let options: MappingOptions

    func map(_ call: JSONValue) throws(MappingError) -> Mapping {
        var fields = options.action == .groupAttribute ? try resolveGroup(call) : resolve(call)
        options.apply(to: &fields, of: call)
        fields["custom_attributes"] = options.renamingKeys(fields["custom_attributes"])
        var identity = try BrazeIdentity(fields: fields)
        var notes: [String] = []
        if options.isOfComputation, let note = identity.leaveOutBadEmail() { notes.append(note) }
        let ownKey = options.keyName ?? call["context"]?["personas"]?["computation_key"]?.string
        let values = try values(&fields, of: ownKey, &notes)
        if let key = ownKey, call["traits"]?[key] != nil,
            values[key] == nil, Self.isReserved(key)
        {
            throw MappingError(
                message: "Braze keeps the name '\(key)' for itself: give the audience or trait another key")
        }
        var members = identity.members
        members["_update_existing_only"] = .bool(
            try Coercion.boolean(fields["_update_existing_only"], field: "_update_existing_only") ?? false)
        let note = notes.isEmpty ? nil : notes.joined(separator: ". ")
        return Self.mapping(identity: identity, members: members, values: values, note: note)
    }

    /// The values; of a call that tells the value of an audience or trait without fields that can't be sent.
    private func values(
        _ fields: inout JSONObject, of ownKey: String?, _ notes: inout [String]
    ) throws(MappingError) -> JSONObject {
        while true {
            do {
                return try Self.values(fields: fields)
            } catch {
                guard options.isOfComputation, let field = error.field?.prefix(while: { $0 != "." }).description,
                    field != ownKey, fields[field] != nil
                else { throw error }
                fields[field] = nil
                notes.append("Sent without \(error)")
            }
        }
    }

    /// The default mapping: which path fills which field.
    func resolve(_ call: JSONValue) -> JSONObject {
        var fields = call.identifierFields(settings)
        if let traits = call["traits"] {
            fields["email"] = traits.step("email")
            fields["first_name"] = traits.step("firstName")
            fields["last_name"] = traits.step("lastName")
            fields["gender"] = traits.step("gender")
            fields["home_city"] = traits.step("address")?.step("city")
            fields["image_url"] = traits.step("avatar")
            fields["phone"] = traits.step("phone")
            fields["custom_attributes"] = traits
        }
        if let location = call["context"]?.step("location") {
            fields["country"] = location.step("country")
            var coordinates = JSONObject()
            coordinates["latitude"] = location["latitude"]
            coordinates["longitude"] = location["longitude"]
            fields["current_location"] = .object(coordinates)
        }
        return fields
    }

    /// A group call makes an attribute that says so, under the name that Segment's classic destination gives it (§16).
    private func resolveGroup(_ call: JSONValue) throws(MappingError) -> JSONObject {
        guard let group = try Coercion.text(call.at("groupId"), field: "groupId") else {
            throw MappingError(field: "groupId", message: "is missing")
        }
        var fields = call.identifierFields(settings)
        fields["email"] = call.first(of: "context.traits.email")
        let prefix = options.text("attributePrefix") ?? "ab_segment_group_"
        fields["custom_attributes"] = .object([prefix + group: true])
        return fields
    }

    // MARK: Names

    /// Custom attributes of these names are not sent: some have mapped twins, the others would be taken for identifiers
    /// or switches (§4, rule 2).
    private static let removedNames: Set<String> = [
        "firstName", "lastName", "avatar", "external_id", "user_alias", "email", "braze_id", "time", "products",
        "properties", "_update_existing_only", "enable_batching", "batch_size",
    ]

    /// Fields of the profile: set from the mapped field or not at all (§4, rule 1). `subscription_groups` is the exception.
    private static let standardNames: Set<String> = [
        "country", "current_location", "date_of_first_session", "date_of_last_session", "dob", "email",
        "email_subscribe", "email_open_tracking_disabled", "email_click_tracking_disabled", "facebook", "first_name",
        "gender", "home_city", "image_url", "language", "last_name", "marked_email_as_spam_at", "phone",
        "push_subscribe", "push_tokens", "time_zone", "twitter",
    ]

    private static let reservedNames = removedNames.union(standardNames)

    static func isReserved(_ name: String) -> Bool { reservedNames.contains(name) }

    /// These cost nothing at Braze and are set by other ways as well, so they are always sent (§19).
    private static let pinnedNames: Set<String> = [
        "country", "language", "email_subscribe", "push_subscribe", "subscription_groups",
    ]

    private static func pinned(_ values: JSONObject) -> Set<String> {
        Set(values.members.lazy.map(\.key).filter(pinnedNames.contains))
    }

    /// What a field's value must be.
    private enum FieldKind {
        case text, date, day, flag, gender, address, object, location, pushTokens, subscriptionGroups
    }

    /// The fields, and whether null is kept, which unsets one (§4). Most calls fill a few of them.
    private static let fieldKinds: [String: (kind: FieldKind, keepsNull: Bool)] = [
        "country": (.text, true), "current_location": (.location, false), "date_of_first_session": (.date, true),
        "date_of_last_session": (.date, true), "dob": (.day, true), "email_subscribe": (.text, false),
        "email_open_tracking_disabled": (.flag, false), "email_click_tracking_disabled": (.flag, false),
        "facebook": (.object, false), "first_name": (.text, true), "gender": (.gender, true),
        "home_city": (.text, true), "image_url": (.address, true), "language": (.text, true),
        "last_name": (.text, false), "marked_email_as_spam_at": (.date, true), "phone": (.text, true),
        "push_subscribe": (.text, false), "push_tokens": (.pushTokens, false), "time_zone": (.text, false),
        "twitter": (.object, false), "subscription_groups": (.subscriptionGroups, false),
    ]

    private static func coerced(
        _ value: JSONValue, to kind: FieldKind, _ name: String
    ) throws(MappingError) -> JSONValue? {
        switch kind {
        case .text: try Coercion.text(value, field: name).map { .string($0) }
        case .date: try Coercion.instant(value, field: name).map { .string($0.description) }
        case .day: try Coercion.instant(value, field: name).map { .string(String($0.description.prefix { $0 != "T" })) }
        case .flag: try Coercion.boolean(value, field: name).map { .bool($0) }
        case .gender: try Coercion.text(value, field: name).map { .string(Coercion.gender($0)) }
        case .address: try Coercion.uri(value, field: name).map { .string($0) }
        case .object: value.object.map { .object($0) }
        case .location: try location(value)
        case .pushTokens: try pushTokens(value)
        case .subscriptionGroups: try subscriptionGroups(value)
        }
    }

    // MARK: The object

    /// Everything of the object but identifiers and switches.
    static func values(fields: JSONObject) throws(MappingError) -> JSONObject {
        var values = customAttributes(fields["custom_attributes"])

        for (name, value) in fields.members {
            guard let field = fieldKinds[name] else { continue }
            if let coerced = try coerced(value, to: field.kind, name) {
                values[name] = coerced
            } else if field.keepsNull, value.isNull {
                values[name] = .null
            }
        }
        // The address is an identifier where nothing else is; `mapping` puts a usable one in its place.
        if fields["email"] == .null { values["email"] = .null }
        return values
    }

    private static func customAttributes(_ value: JSONValue?) -> JSONObject {
        guard let object = value?.object else { return [:] }
        // Mostly there is nothing to leave out.
        guard object.members.contains(where: { isReserved($0.key) }) else { return object }
        return JSONObject(object.members.filter { !isReserved($0.key) })
    }

    /// One coordinate alone is sent; none leaves the location out.
    private static func location(_ value: JSONValue?) throws(MappingError) -> JSONValue? {
        guard let value, !value.isNull else { return nil }
        var location = JSONObject()
        for name in ["latitude", "longitude"] {
            if let number = try Coercion.number(value[name], field: "current_location.\(name)") {
                location[name] = .number(number)
            }
        }
        return location.isEmpty ? nil : .object(location)
    }

    private static func pushTokens(_ value: JSONValue?) throws(MappingError) -> JSONValue? {
        guard let elements = Coercion.list(value), !elements.isEmpty else { return nil }
        return .array(
            try elements.map { element throws(MappingError) in
                try object(element, "push_tokens", required: ["app_id", "token"], optional: ["device_id"])
            })
    }

    private static func subscriptionGroups(_ value: JSONValue?) throws(MappingError) -> JSONValue? {
        guard let elements = Coercion.list(value), !elements.isEmpty else { return nil }
        return .array(
            try elements.map { element throws(MappingError) in
                let group = try object(
                    element, "subscription_groups", required: ["subscription_group_id", "subscription_state"])
                guard let state = group["subscription_state"]?.string, ["subscribed", "unsubscribed"].contains(state)
                else {
                    throw MappingError(
                        field: "subscription_groups.subscription_state",
                        message: "is neither 'subscribed' nor 'unsubscribed'")
                }
                return group
            })
    }

    /// An object of texts with declared members; others are dropped.
    private static func object(
        _ value: JSONValue, _ field: String, required: [String], optional: [String] = []
    ) throws(MappingError) -> JSONValue {
        var object = JSONObject()
        for name in required + optional {
            let text = try Coercion.text(value[name], field: "\(field).\(name)")
            if text == nil, required.contains(name) {
                throw MappingError(field: "\(field).\(name)", message: "is missing")
            }
            object[name] = text.map { .string($0) }
        }
        return .object(object)
    }

    // MARK: For delivery

    /// Values with operators (`{"inc": 1}`, `$add` …) add to what is there: such an object is told once and never merged
    /// or compared. Any other is a state of which the latest counts.
    private static func mapping(
        identity: BrazeIdentity, members: JSONObject, values: JSONObject, note: String?
    ) -> Mapping {
        var values = values
        if identity.primary != nil, let email = identity.email { values["email"] = .string(email) }
        if identity.primary == nil { values["email"] = nil }
        let array = BrazeArray.attributes.rawValue
        let isIncremental = values.members.contains { $0.key == "_merge_objects" || holdsOperator($0.value) }
        guard isIncremental else {
            return .update(
                person: identity.person,
                AttributeUpdate(
                    array: array, identity: members, values: values, pinned: pinned(values), note: note))
        }
        return .occurrence(
            person: identity.person,
            Occurrence(
                objects: [OutgoingObject(array: array, JSONObject(values.members + members.members))],
                touchedNames: Set(values.keys), note: note))
    }

    private static let operators: Set<String> = ["inc", "add", "remove", "$add", "$remove", "$update"]

    private static func holdsOperator(_ value: JSONValue) -> Bool {
        guard let object = value.object else { return false }
        return object.keys.contains(where: operators.contains)
    }
}

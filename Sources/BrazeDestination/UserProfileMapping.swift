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
        let ownKey = options.keyName ?? call.at("context.personas.computation_key")?.string
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
        fields["email"] = call.at("traits.email")
        fields["country"] = call.at("context.location.country")
        if let location = call.at("context.location") {
            var coordinates = JSONObject()
            coordinates["latitude"] = location["latitude"]
            coordinates["longitude"] = location["longitude"]
            fields["current_location"] = .object(coordinates)
        }
        fields["first_name"] = call.at("traits.firstName")
        fields["last_name"] = call.at("traits.lastName")
        fields["gender"] = call.at("traits.gender")
        fields["home_city"] = call.at("traits.address.city")
        fields["image_url"] = call.at("traits.avatar")
        fields["phone"] = call.at("traits.phone")
        fields["custom_attributes"] = call.at("traits")
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

    static func isReserved(_ name: String) -> Bool { removedNames.contains(name) || standardNames.contains(name) }

    /// These cost nothing at Braze and are set by other ways as well, so they are always sent (§19).
    private static let pinnedNames: Set<String> = [
        "country", "language", "email_subscribe", "push_subscribe", "subscription_groups",
    ]

    /// What fields do with null (§4).
    private enum NullRule { case kept, removed }

    // MARK: The object

    /// Everything of the object but identifiers and switches.
    static func values(fields: JSONObject) throws(MappingError) -> JSONObject {
        var values = customAttributes(fields["custom_attributes"])

        func put(_ name: String, _ rule: NullRule, _ value: JSONValue?) {
            if let value { values[name] = value } else if rule == .kept, fields[name] == .null { values[name] = .null }
        }
        func putText(_ name: String, _ rule: NullRule) throws(MappingError) {
            put(name, rule, try Coercion.text(fields[name], field: name).map { .string($0) })
        }
        func putDate(_ name: String, _ rule: NullRule) throws(MappingError) {
            put(name, rule, try Coercion.instant(fields[name], field: name).map { .string($0.description) })
        }
        func putBool(_ name: String) throws(MappingError) {
            put(name, .removed, try Coercion.boolean(fields[name], field: name).map { .bool($0) })
        }

        try putText("country", .kept)
        put("current_location", .removed, try location(fields["current_location"]))
        try putDate("date_of_first_session", .kept)
        try putDate("date_of_last_session", .kept)
        let birth = try Coercion.instant(fields["dob"], field: "dob")
        put("dob", .kept, birth.map { .string(String($0.description.prefix { $0 != "T" })) })
        try putText("email_subscribe", .removed)
        try putBool("email_open_tracking_disabled")
        try putBool("email_click_tracking_disabled")
        put("facebook", .removed, fields["facebook"]?.object.map { .object($0) })
        try putText("first_name", .kept)
        let gender = try Coercion.text(fields["gender"], field: "gender")
        put("gender", .kept, gender.map { .string(Coercion.gender($0)) })
        try putText("home_city", .kept)
        put("image_url", .kept, try Coercion.uri(fields["image_url"], field: "image_url").map { .string($0) })
        try putText("language", .kept)
        try putText("last_name", .removed)
        try putDate("marked_email_as_spam_at", .kept)
        try putText("phone", .kept)
        try putText("push_subscribe", .removed)
        put("push_tokens", .removed, try pushTokens(fields["push_tokens"]))
        try putText("time_zone", .removed)
        put("twitter", .removed, fields["twitter"]?.object.map { .object($0) })
        put("subscription_groups", .removed, try subscriptionGroups(fields["subscription_groups"]))
        // The address is an identifier where nothing else is; `mapping` puts a usable one in its place.
        if fields["email"] == .null { values["email"] = .null }
        return values
    }

    private static func customAttributes(_ value: JSONValue?) -> JSONObject {
        guard let object = value?.object else { return [:] }
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
                    array: array, identity: members, values: values, pinned: pinnedNames, note: note))
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

import JSON

/// The checks that decide whether an object of `/users/track` is accepted (spec braze §1.4, §2). What passes may still
/// have no effect: over-long values, unusable types and blocklisted names are dropped later, silently, as Braze does.
struct ObjectChecks {
    let texts: ErrorTexts
    let propertyBytes: Int

    static let eventReserved: Set<String> = ["time", "event_name"]
    static let purchaseReserved: Set<String> = ["time", "product_id", "quantity", "event_name", "price", "currency"]
    static let keysPerEvent = 256
    static let nameCharacters = 255

    func attributes(_ object: JSONObject) throws(ObjectError) -> AttributesObject {
        let imports = object["push_token_import"]?.bool == true
        var identity: Identity?
        if imports {
            let known = object["external_id"]?.string ?? object["braze_id"]?.string ?? ""
            guard known.isEmpty, object["push_tokens"]?.array?.isEmpty == false else {
                throw ObjectError("BAD_PUSH_TOKEN_IMPORT")
            }
        } else {
            identity = try Identity.read(object, texts: texts)
        }
        if case .string(let email)? = object["email"], !Email.isValid(email) { throw ObjectError(texts.emailInvalid) }
        if object["email_subscription_info"] != nil { throw ObjectError("INVALID_ATTRIBUTE_EMAIL_SUBSCRIPTION_INFO") }
        try subscriptionState(object["email_subscribe"], "BAD_EMAIL_SUBSCRIPTION_STATE")
        try subscriptionState(object["push_subscribe"], "BAD_PUSH_SUBSCRIPTION_STATE")
        if let location = object["current_location"], !location.isNull {
            guard location["longitude"]?.double != nil, location["latitude"]?.double != nil else {
                throw ObjectError("BAD_LOCATION_UPDATE")
            }
        }
        try pushTokens(object["push_tokens"])
        try subscriptionGroups(object["subscription_groups"])
        return AttributesObject(
            identity: identity, updateExistingOnly: object["_update_existing_only"]?.bool,
            mergesObjects: object["_merge_objects"]?.bool == true, object: object)
    }

    func event(_ object: JSONObject, notes: inout [String]) throws(ObjectError) -> EventObject {
        let identity = try Identity.read(object, texts: texts)
        let name = try name(object["name"], "name")
        let time = try time(object["time"])
        return EventObject(
            identity: identity, updateExistingOnly: object["_update_existing_only"]?.bool, name: name, time: time,
            properties: try properties(object["properties"], reserved: ObjectChecks.eventReserved, notes: &notes),
            appID: object["app_id"]?.string, object: object)
    }

    func purchase(_ object: JSONObject, notes: inout [String]) throws(ObjectError) -> PurchaseObject {
        let identity = try Identity.read(object, texts: texts)
        let product = try name(object["product_id"], "product_id")
        guard let currency = object["currency"]?.string else { throw ObjectError("'currency' is required") }
        guard Currency.isKnown(currency.uppercased()) else { throw ObjectError("'currency' is not valid") }
        guard let priceValue = object["price"], !priceValue.isNull else { throw ObjectError("'price' is required") }
        guard let price = priceValue.double ?? priceValue.string.flatMap(Double.init), price.isFinite else {
            throw ObjectError("'price' is not valid")
        }
        var quantity = 1
        if let value = object["quantity"], !value.isNull {
            guard let number = value.integer, (1...100).contains(number) else { throw ObjectError(ErrorTexts.quantity) }
            quantity = number
        }
        let time = try time(object["time"])
        return PurchaseObject(
            identity: identity, updateExistingOnly: object["_update_existing_only"]?.bool, productID: product,
            currency: currency.uppercased(), price: price, quantity: quantity, time: time,
            properties: try properties(object["properties"], reserved: ObjectChecks.purchaseReserved, notes: &notes),
            object: object)
    }

    private func name(_ value: JSONValue?, _ field: String) throws(ObjectError) -> String {
        guard let value, !value.isNull, value != "" else { throw ObjectError("'\(field)' is required") }
        guard let name = value.string, name.count <= ObjectChecks.nameCharacters else {
            throw ObjectError("'\(field)' is not valid")
        }
        return name
    }

    private func time(_ value: JSONValue?) throws(ObjectError) -> EpochMilliseconds {
        guard let value, !value.isNull, value != "" else { throw ObjectError("'time' is required") }
        guard let time = value.string.flatMap(DateText.parse) else { throw ObjectError("'time' is not valid") }
        return time
    }

    /// Properties within limits: the first 256 keys, without values that Braze would not keep (§2.3).
    func properties(
        _ value: JSONValue?, reserved: Set<String>, notes: inout [String]
    ) throws(ObjectError) -> JSONObject {
        guard let value, !value.isNull else { return JSONObject() }
        guard let object = value.object else { throw ObjectError(ErrorTexts.properties) }
        var kept: [(key: String, value: JSONValue)] = []
        for (key, value) in object.members {
            guard !reserved.contains(key), !key.isEmpty, key.count <= ObjectChecks.nameCharacters, !key.hasPrefix("$")
            else {
                throw ObjectError(ErrorTexts.properties)
            }
            guard kept.count < ObjectChecks.keysPerEvent else { continue }
            if case .string(let text) = value, text.count > ObjectChecks.nameCharacters {
                notes.append("property '\(key)' is longer than 255 characters and was dropped")
            } else {
                kept.append((key, value))
            }
        }
        if object.count > ObjectChecks.keysPerEvent {
            notes.append("kept the first 256 of \(object.count) properties")
        }
        if JSONValue.object(object).utf8.count > propertyBytes { throw ObjectError(ErrorTexts.properties) }
        return JSONObject(kept)
    }

    private func subscriptionState(_ value: JSONValue?, _ type: String) throws(ObjectError) {
        guard let value, !value.isNull else { return }
        guard ["opted_in", "subscribed", "unsubscribed"].contains(value.string) else { throw ObjectError(type) }
    }

    private func pushTokens(_ value: JSONValue?) throws(ObjectError) {
        guard let value, !value.isNull else { return }
        guard let tokens = value.array else { throw ObjectError("BAD_PUSH_TOKEN_VALUE") }
        for token in tokens {
            guard token["token"]?.string?.isEmpty == false else { throw ObjectError("BAD_PUSH_TOKEN_STRING") }
            guard token["app_id"]?.string?.isEmpty == false else { throw ObjectError("BAD_PUSH_TOKEN_APP_ID") }
            if let device = token["device_id"], !device.isNull {
                guard let text = device.string, (8...255).contains(text.utf8.count) else {
                    throw ObjectError("BAD_DEVICE_ID")
                }
            }
        }
    }

    private func subscriptionGroups(_ value: JSONValue?) throws(ObjectError) {
        guard let value, !value.isNull else { return }
        guard let groups = value.array else { throw ObjectError("BAD_SUBSCRIPTION_GROUP_ARRAY") }
        for group in groups {
            guard group.object != nil else { throw ObjectError("BAD_SUBSCRIPTION_GROUP_HASH") }
            guard let id = group["subscription_group_id"]?.string, SubscriptionGroup.isID(id) else {
                throw ObjectError("BAD_SUBSCRIPTION_GROUP_ID")
            }
            guard ["subscribed", "unsubscribed"].contains(group["subscription_state"]?.string) else {
                throw ObjectError("BAD_SUBSCRIPTION_GROUP_STATE")
            }
        }
    }
}

enum SubscriptionGroup {
    /// A UUID in its usual spelling.
    static func isID(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [8, 4, 4, 4, 12] && parts.allSatisfy { $0.allSatisfy(\.isHexDigit) }
    }
}

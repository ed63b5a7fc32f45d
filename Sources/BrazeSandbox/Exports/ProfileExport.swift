import JSON

/// A profile as `/users/export/ids` and the segment export print it (spec braze §4.3). Null and empty fields are left out.
extension Workspace {
    /// The fields that can be asked for.
    static let exportFields = [
        "external_id", "braze_id", "user_aliases", "created_at", "random_bucket", "first_name", "last_name", "email",
        "phone", "dob", "gender", "country", "home_city", "language", "time_zone", "last_coordinates", "total_revenue",
        "email_subscribe", "push_subscribe", "custom_attributes", "custom_events", "purchases", "devices",
        "push_tokens",
        "apps",
    ]

    /// Custom events and purchases that happened last before this are not listed; their counts live on.
    static let exportedFor: EpochMilliseconds = 90 * DateText.day

    /// - Parameter fields: the names to export; `nil`: all.
    /// - Parameter attributeNames: only these custom attributes; `nil`: all.
    func export(
        _ profile: Profile, fields: Set<String>?, attributeNames: Set<String>? = nil, at now: EpochMilliseconds
    ) -> JSONObject {
        var object: [(key: String, value: JSONValue)] = []
        func put(_ name: String, _ value: @autoclosure () -> JSONValue?) {
            guard fields?.contains(name) ?? true, let value = value() else { return }
            switch value {
            case .null, .string(""), .array([]): return
            case .object(let inner) where inner.isEmpty: return
            default: object.append((name, value))
            }
        }
        func field(_ field: StandardField) -> JSONValue? { profile.fields[field.rawValue] }
        put("external_id", profile.externalID.map { .string($0) })
        put("braze_id", .string(profile.brazeID))
        put("user_aliases", .array(profile.aliases.map(\.json)))
        put("created_at", .string(DateText.exported(profile.createdAt)))
        put("random_bucket", .number(profile.randomBucket))
        put("first_name", field(.firstName))
        put("last_name", field(.lastName))
        put("email", profile.email.map { .string($0) })
        put("phone", profile.phone.map { .string($0) })
        put("dob", field(.birthDate))
        put("gender", field(.gender))
        put("country", field(.country))
        put("home_city", field(.homeCity))
        put("language", field(.language))
        put("time_zone", field(.timeZone))
        put("last_coordinates", field(.location))
        put("total_revenue", profile.purchases.isEmpty ? nil : .number(Double(profile.revenueCents) / 100))
        put("email_subscribe", field(.emailSubscribe))
        put("push_subscribe", field(.pushSubscribe))
        put("facebook", field(.facebook))
        put("twitter", field(.twitter))
        put("custom_attributes", .object(exportedAttributes(profile, only: attributeNames)))
        put("custom_events", .array(exportedEvents(profile, at: now)))
        put("purchases", .array(exportedPurchases(profile, at: now)))
        put("devices", .array(profile.pushTokens.compactMap { token in token["device_id"].map { ["device_id": $0] } }))
        put("push_tokens", .array(profile.pushTokens))
        put("apps", .array(profile.apps.map { ["name": .string($0)] }))
        return JSONObject(object)
    }

    private func exportedAttributes(_ profile: Profile, only names: Set<String>?) -> JSONObject {
        var members: [(key: String, value: JSONValue)] = []
        for (number, value) in profile.attributes.pairs {
            let entry = attributes.entries[Int(number)]
            guard !entry.isBlocklisted, names?.contains(entry.name) ?? true else { continue }
            members.append((entry.name, value.json))
        }
        return JSONObject(members)
    }

    private func exportedEvents(_ profile: Profile, at now: EpochMilliseconds) -> [JSONValue] {
        profile.events.pairs.filter { $0.value.last > now - Workspace.exportedFor }.map { number, value in
            [
                "name": .string(events.name(number)), "first": .string(DateText.iso(value.first)),
                "last": .string(DateText.iso(value.last)), "count": .number(value.count),
            ]
        }
    }

    private func exportedPurchases(_ profile: Profile, at now: EpochMilliseconds) -> [JSONValue] {
        profile.purchases.pairs.filter { $0.value.last > now - Workspace.exportedFor }.map { number, value in
            [
                "name": .string(products.name(number)), "first": .string(DateText.iso(value.first)),
                "last": .string(DateText.iso(value.last)), "count": .number(value.count),
            ]
        }
    }
}

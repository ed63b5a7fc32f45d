import JSON

/// A profile as the pages show it (spec braze §4.2).
extension Workspace {
    /// One line of a list of users.
    func summary(_ profile: Profile) -> JSONObject {
        [
            "braze_id": .string(profile.brazeID), "external_id": .string(orNull: profile.externalID),
            "email": .string(orNull: profile.email), "phone": .string(orNull: profile.phone),
            "name": .string(orNull: fullName(profile)), "aliases": .array(profile.aliases.map(\.json)),
            "attribute_count": .number(profile.attributes.count),
            "event_count": .number(profile.events.pairs.reduce(0) { $0 + $1.value.count }),
            "created_at": .number(Int(profile.createdAt)), "updated_at": .number(Int(profile.updatedAt)),
        ]
    }

    /// How a list names a user.
    func label(_ profile: Profile) -> String {
        profile.externalID ?? profile.email ?? profile.phone ?? profile.aliases.first.map { "\($0.label):\($0.name)" }
            ?? profile.brazeID
    }

    private func fullName(_ profile: Profile) -> String? {
        let names = [StandardField.firstName, .lastName].compactMap { profile.fields[$0.rawValue]?.string }
        return names.isEmpty ? nil : names.joined(separator: " ")
    }

    func page(_ profile: Profile, at now: EpochMilliseconds) -> JSONObject {
        var page = summary(profile)
        page["now"] = .number(Int(now))
        page["random_bucket"] = .number(profile.randomBucket)
        page["deprecated_ids"] = .array(profile.deprecatedIDs.map { .string($0) })
        page["is_blocked"] = .bool(profile.externalID.map { blockedIDs.contains($0) } ?? false)
        page["fields"] = .array(
            StandardField.allCases.compactMap { field in
                profile.fields[field.rawValue].map { ["name": .string(field.name), "value": $0] }
            })
        page["attributes"] = .array(
            profile.attributes.pairs.map { number, value in attribute(attributes.entries[Int(number)], value) }
                .sorted { ($0["name"]?.string ?? "") < ($1["name"]?.string ?? "") })
        page["events"] = .array(
            profile.events.pairs.sorted { $0.value.last > $1.value.last }.map { number, value in
                [
                    "name": .string(events.name(number)), "count": .number(value.count),
                    "first": .number(Int(value.first)),
                    "last": .number(Int(value.last)),
                ]
            })
        page["purchases"] = .array(
            profile.purchases.pairs.map { number, value in
                [
                    "name": .string(products.name(number)), "count": .number(value.count),
                    "first": .number(Int(value.first)), "last": .number(Int(value.last)),
                ]
            })
        page["revenue"] = .number(Double(profile.revenueCents) / 100)
        page["push_tokens"] = .array(profile.pushTokens)
        page["apps"] = .array(profile.apps.map { .string($0) })
        page["subscriptions"] = .array(
            profile.subscriptions.sorted { $0.key < $1.key }.map {
                ["id": .string($0.key), "state": .string($0.value)]
            })
        page["cohorts"] = .array(
            profile.cohorts.map { key in
                let cohort = cohorts.first { $0.key == key }
                return cohort?.json ?? ["partner": "", "id": .string(key), "name": .string(key)]
            })
        page["raw"] = .object(export(profile, fields: nil, at: now))
        return page
    }

    private func attribute(_ entry: AttributeEntry, _ value: AttributeValue) -> JSONValue {
        var object: JSONObject = [
            "name": .string(entry.name), "type": .string(value.type.rawValue), "type_title": .string(value.type.title),
            "value": value.json, "blocklisted": .bool(entry.isBlocklisted),
        ]
        if case .time(let instant) = value { object["instant"] = .number(Int(instant)) }
        // A value of an older type drops out of filters of the registered one (§2.2).
        if let registered = entry.type, registered != value.type {
            object["registered_type"] = .string(registered.title)
        }
        return .object(object)
    }
}

import Delivery
import JSON

/// The actions that join, rename and delete users, and set subscriptions (spec: braze-destination §7, §8, §15, §17).
struct AccountMapping {
    let settings: BrazeSettings
    let options: MappingOptions
    let call: JSONValue

    /// *Create Alias*: another name for a user, or a user known by nothing else.
    func createAlias() throws(MappingError) -> Mapping {
        var fields = JSONObject()
        if call["type"] == "alias" {
            fields["external_id"] = call.at("userId")
            fields["alias_name"] = call.at("previousId")
            fields["alias_label"] = settings.anonymousAliasLabel.map { .string($0) }
        } else {
            fields["external_id"] = call.at("userId")
            fields["alias_name"] = call.at("properties.alias_name")
            fields["alias_label"] = call.at("properties.alias_label")
        }
        options.apply(to: &fields, of: call)
        let name = try required("alias_name", fields)
        let label = try required(
            "alias_label", fields,
            remedy: "set a label in the connection (field alias_label) or in the destination (anonymous_alias_label)")
        var object: JSONObject = ["alias_name": .string(name), "alias_label": .string(label)]
        let id = try Coercion.text(fields["external_id"], field: "external_id")
        if let id { object["external_id"] = .string(id) }
        return Self.occurrence(
            .userAliases, .object(object), person: id.map { "external_id:\($0)" } ?? "user_alias:\(label):\(name)")
    }

    /// *Identify User*: what is known under an alias becomes the user's. An identify call without both ids asks for
    /// nothing.
    func identifyUser() throws(MappingError) -> Mapping {
        let isAlias = call["type"] == "alias"
        var fields = JSONObject()
        fields["external_id"] = call.at("userId")
        fields["user_alias"] = [
            "alias_name": call.at(isAlias ? "previousId" : "anonymousId") ?? .null,
            "alias_label": .string(orNull: settings.anonymousAliasLabel),
        ]
        options.apply(to: &fields, of: call)
        let alias = fields["user_alias"]
        let name = try Coercion.text(alias?["alias_name"], field: "user_alias.alias_name")
        let id = try Coercion.text(fields["external_id"], field: "external_id")
        guard let id, let name, !name.hasPrefix("eml_") else {
            if isAlias { throw MappingError(field: id == nil ? "external_id" : "user_alias", message: "is missing") }
            return .nothing
        }
        let label = try required(
            "alias_label", alias?.object ?? [:],
            remedy: "set it in the connection (field user_alias.alias_label) or in the destination "
                + "(anonymous_alias_label)")
        let object: JSONValue = [
            "external_id": .string(id), "user_alias": ["alias_name": .string(name), "alias_label": .string(label)],
        ]
        let array: BrazeArray =
            switch options.text("mergeBehavior") {
            case "merge"?: .aliasesToMerge
            case "none"?: .aliasesNotToMerge
            default: .aliasesToIdentify
            }
        // The alias stays, and leads to the user from then on.
        let visitor = BrazeIdentity.Primary.alias(name: name, label: label).person
        return Self.occurrence(array, object, person: "external_id:\(id)", follows: [visitor], joins: [visitor])
    }

    /// `/users/merge`: two users that are known by ids become one.
    func mergeUsers() throws(MappingError) -> Mapping {
        var fields = JSONObject()
        fields["previous_id"] = call.at("previousId")
        fields["external_id"] = call.at("userId")
        options.apply(to: &fields, of: call)
        let previous = try required("previous_id", fields)
        let id = try required("external_id", fields)
        guard previous != id else { return .nothing }
        return Self.occurrence(
            .mergeUpdates,
            [
                "identifier_to_merge": ["external_id": .string(previous)],
                "identifier_to_keep": ["external_id": .string(id)],
            ], person: "external_id:\(id)", follows: [BrazeIdentity.Primary.externalID(previous).person])
    }

    func deleteUser() throws(MappingError) -> Mapping {
        var fields = JSONObject()
        fields["external_id"] = call.at("userId")
        options.apply(to: &fields, of: call)
        let id = try required("external_id", fields)
        return Self.occurrence(.externalIDs, .string(id), person: "external_id:\(id)")
    }

    /// `/v2/subscription/status/set`: the group call's id names the subscription group.
    func setSubscription() throws(MappingError) -> Mapping {
        var fields = call.identifierFields(settings)
        fields["email"] = call.first(of: "traits.email", "context.traits.email")
        fields["subscription_group_id"] = call.at("groupId")
        fields["subscription_state"] = call.first(of: "traits.subscription_state", "traits.subscriptionState")
        options.apply(to: &fields, of: call)
        let group = try required("subscription_group_id", fields)
        let state = try required("subscription_state", fields)
        guard ["subscribed", "unsubscribed"].contains(state) else {
            throw MappingError(
                field: "subscription_state", message: "'\(state)' is neither 'subscribed' nor 'unsubscribed'")
        }
        let identity = try BrazeIdentity(fields: fields)
        var object: JSONObject = [
            "subscription_group_id": .string(group), "subscription_state": .string(state),
        ]
        switch (identity.primary, identity.email) {
        case (.externalID(let id)?, _): object["external_ids"] = [.string(id)]
        case (_, let email?): object["emails"] = [.string(email)]
        default:
            throw MappingError(message: "Braze sets subscriptions of people with a user id or an e-mail address only")
        }
        return Self.occurrence(.subscriptionGroups, .object(object), person: identity.person)
    }

    private func required(_ field: String, _ fields: JSONObject, remedy: String? = nil) throws(MappingError) -> String {
        guard let text = try Coercion.text(fields[field], field: field) else {
            throw MappingError(field: field, message: "is missing" + (remedy.map { ": \($0)" } ?? ""))
        }
        return text
    }

    private static func occurrence(
        _ array: BrazeArray, _ object: JSONValue, person: String, follows: [String] = [], joins: [String] = []
    ) -> Mapping {
        .occurrence(
            person: person,
            Occurrence(
                objects: [OutgoingObject(array: array.rawValue, json: object.utf8)], follows: follows, joins: joins))
    }
}

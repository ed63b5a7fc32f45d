import Delivery
import JSON

/// *Trigger Campaign* and *Trigger Canvas*: an event sends a message that waits for it in Braze (spec:
/// braze-destination §10). The message goes to the event's user, to a list that stands in the event, or to everybody in
/// the message's own audience.
///
/// Braze knows no key by which it could tell a repeat: a request whose answer was lost may send twice, which is
/// declared and counted as with events.
struct TriggerMapping {
    let settings: BrazeSettings
    let options: MappingOptions
    let call: JSONValue
    /// `campaignTrigger` or `canvasTrigger`.
    let array: BrazeArray

    private static let recipientsMaximum = 50
    private static let propertyBytesMaximum = 50 << 10
    /// What Braze asks for where several profiles have the address.
    private static let defaultPrioritization: [JSONValue] = ["identified", "most_recently_updated"]

    private var isCampaign: Bool { array == .campaignTrigger }
    private var idField: String { isCampaign ? "campaign_id" : "canvas_id" }
    private var propertiesField: String { isCampaign ? "trigger_properties" : "canvas_entry_properties" }

    func map() throws(MappingError) -> Mapping {
        guard
            let id = try Coercion.text(
                options.text(isCampaign ? "campaignId" : "canvasId").map { .string($0) }, field: idField)
        else { throw MappingError(field: idField, message: "is missing: take it from the message's page in Braze") }
        var body: JSONObject = [idField: .string(id)]
        if isCampaign, let sendID = options.text("sendId") {
            body["send_id"] = try Coercion.text(MappingOptions.resolve(sendID, in: call), field: "send_id")
                .map { .string($0) }
        }
        body[propertiesField] = try properties()
        if isCampaign, let attachments = try attachments() { body["attachments"] = .array(attachments) }
        if let audience = options.object("audience") { body["audience"] = .object(audience) }
        var fields = call.identifierFields(settings)
        fields["email"] = call.first(of: "context.traits.email", "properties.email")
        options.apply(to: &fields, of: call)
        let sender = (try? BrazeIdentity(fields: fields).person) ?? "\(array.rawValue):\(id)"
        if options.text("to") == "broadcast" {
            body["broadcast"] = true
            return Self.occurrence(array, body, person: sender)
        }
        let recipients = options.text("to") == "list" ? try listed() : [try user(fields)]
        guard !recipients.isEmpty else { throw MappingError(field: "recipients", message: "the list is empty") }
        guard recipients.count <= Self.recipientsMaximum else {
            throw MappingError(
                field: "recipients",
                message: "the list has \(recipients.count) people; Braze takes \(Self.recipientsMaximum) per message")
        }
        body["recipients"] = .array(recipients.map(\.object))
        return Self.occurrence(array, body, person: sender, recipients)
    }

    /// Everything that the event says, unless the trigger names what is to go along.
    private func properties() throws(MappingError) -> JSONValue? {
        let found =
            options.resolved("properties", in: call).map { JSONValue.object($0) } ?? call.at("properties") ?? .null
        guard !found.isNull else { return nil }
        guard found.object != nil else { throw MappingError(field: propertiesField, message: "is not an object") }
        let bytes = found.utf8.count
        guard bytes <= Self.propertyBytesMaximum else {
            throw MappingError(
                field: propertiesField, message: "has \(bytes) bytes; Braze takes \(Self.propertyBytesMaximum)")
        }
        return found
    }

    private func attachments() throws(MappingError) -> [JSONValue]? {
        guard let table = options.resolved("attachments", in: call), !table.isEmpty else { return nil }
        var attachments: [JSONValue] = []
        for (name, value) in table.members {
            guard let url = try Coercion.uri(value, field: "attachments.\(name)") else { continue }
            attachments.append(["file_name": .string(name), "url": .string(url)])
        }
        return attachments.isEmpty ? nil : attachments
    }

    // MARK: Recipients

    private struct Recipient {
        var person: String
        var object: JSONValue
        var attributes: [String]
    }

    /// Whom the event is about.
    private func user(_ fields: JSONObject) throws(MappingError) -> Recipient {
        var object = JSONObject()
        if let id = fields["external_id"] { object["external_user_id"] = id }
        if let alias = fields["user_alias"] { object["user_alias"] = alias }
        if let email = fields["email"] { object["email"] = email }
        guard let recipient = try recipient(object, field: "recipients") else {
            throw MappingError(
                message: "A message needs somebody to go to: the event has no user id and no e-mail address. Anonymous "
                    + "persons are reached only under an alias (destination setting anonymous_alias_label)")
        }
        return recipient
    }

    /// Ids, or objects as Braze takes them.
    private func listed() throws(MappingError) -> [Recipient] {
        let directive = options.text("recipients") ?? "$.properties.recipients"
        let elements = Coercion.list(MappingOptions.resolve(directive, in: call)) ?? []
        var recipients: [Recipient] = []
        for (index, element) in elements.enumerated() {
            let field = "recipients[\(index)]"
            let object = element.object ?? ["external_user_id": element]
            guard let recipient = try recipient(object, field: field) else {
                throw MappingError(
                    field: field, message: "names nobody: it needs an external_user_id, a user_alias or an email")
            }
            recipients.append(recipient)
        }
        return recipients
    }

    /// One recipient under one identifier; `nil` where there is none.
    private func recipient(_ fields: JSONObject, field: String) throws(MappingError) -> Recipient? {
        var object = JSONObject()
        let person: String
        let alias = fields["user_alias"]
        if let id = try Coercion.text(fields["external_user_id"], field: "\(field).external_user_id") {
            object["external_user_id"] = .string(id)
            person = BrazeIdentity.Primary.externalID(id).person
        } else if let name = try Coercion.text(alias?["alias_name"], field: "\(field).user_alias.alias_name"),
            let label = try Coercion.text(alias?["alias_label"], field: "\(field).user_alias.alias_label")
        {
            object["user_alias"] = ["alias_name": .string(name), "alias_label": .string(label)]
            person = BrazeIdentity.Primary.alias(name: name, label: label).person
        } else if let email = try Coercion.text(fields["email"], field: "\(field).email")?.trimmingSpaces,
            !email.isEmpty
        {
            object["email"] = .string(email)
            object["prioritization"] = .array(Self.defaultPrioritization)
            person = "email:\(email)"
        } else {
            return nil
        }
        let priorities = ["firstPriority", "secondPriority"].compactMap(options.text)
        if !priorities.isEmpty { object["prioritization"] = .array(priorities.map { .string($0) }) }
        if let own = fields[propertiesField], own.object != nil { object[propertiesField] = own }
        var attributes = fields["attributes"]?.object ?? [:]
        for (name, value) in options.resolved("attributes", in: call)?.members ?? [] { attributes[name] = value }
        if !attributes.isEmpty { object["attributes"] = .object(attributes) }
        // Whom Braze does not know it makes only where it is told something of them.
        if options.isOn("createUsers") { object["send_to_existing_only"] = false }
        return Recipient(person: person, object: .object(object), attributes: attributes.keys.map(\.self))
    }

    /// What was said of its recipients before arrives before the message does.
    private static func occurrence(
        _ array: BrazeArray, _ body: JSONObject, person: String, _ recipients: [Recipient] = []
    ) -> Mapping {
        let others = Set(recipients.map(\.person)).subtracting([person]).sorted()
        var occurrence = Occurrence(
            objects: [OutgoingObject(array: array.rawValue, body)],
            touchedNames: Set(recipients.flatMap(\.attributes)), follows: others)
        if !occurrence.touchedNames.isEmpty { occurrence.touchedOthers = others }
        return .occurrence(person: person, occurrence)
    }
}

extension BrazeAction {
    /// Where a triggered message goes.
    var triggerArray: BrazeArray { self == .triggerCanvas ? .canvasTrigger : .campaignTrigger }
}

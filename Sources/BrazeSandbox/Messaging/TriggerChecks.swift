import JSON

/// What a trigger call must look like before anybody is looked up (spec braze §5.7).
struct TriggerChecks {
    let kind: Message.Kind
    let body: JSONObject

    private static let contextBytes = 50 << 10
    private static let priorities: Set<String> = [
        "identified", "unidentified", "most_recently_updated", "least_recently_updated",
    ]

    /// The properties for the message; Canvases take them under an older name, too.
    static func properties(of kind: Message.Kind, in body: JSONObject) -> JSONValue? {
        switch kind {
        case .campaign: body["trigger_properties"]
        case .canvas: body["context"] ?? body["canvas_entry_properties"]
        }
    }

    private var propertyNames: [String] {
        kind == .campaign ? ["trigger_properties"] : ["context", "canvas_entry_properties"]
    }

    func run() throws(CallError) {
        if let flag = body["broadcast"], flag.bool == nil { throw CallError(400, "'broadcast' must be a boolean") }
        if let audience = body["audience"], !audience.isNull, audience.object == nil {
            throw CallError(400, "'audience' must be an object")
        }
        if let id = body["send_id"], !id.isNull, id.string == nil { throw CallError(400, "'send_id' must be a string") }
        try checkProperties(body, "")
        try checkAttachments()
        guard let recipients = body["recipients"], !recipients.isNull else { return }
        guard let recipients = recipients.array else {
            throw CallError(400, "'recipients' must be an array of objects")
        }
        for (index, recipient) in recipients.enumerated() {
            guard let recipient = recipient.object else {
                throw CallError(400, "'recipients' must be an array of objects")
            }
            try check(recipient, "recipients[\(index)]")
        }
    }

    private func checkProperties(_ object: JSONObject, _ place: String) throws(CallError) {
        for name in propertyNames {
            guard let properties = object[name], !properties.isNull else { continue }
            guard properties.object != nil else { throw CallError(400, "'\(place)\(name)' must be an object") }
            guard properties.utf8.count <= Self.contextBytes else {
                throw CallError(400, "The context may have at most 50 KB")
            }
        }
    }

    private func checkAttachments() throws(CallError) {
        guard let attachments = body["attachments"], !attachments.isNull else { return }
        guard kind == .campaign else { throw CallError(400, "'attachments' are for campaigns") }
        let areFine = attachments.array?.allSatisfy {
            $0["file_name"]?.string?.isEmpty == false && $0["url"]?.string?.isEmpty == false
        }
        guard areFine == true else { throw CallError(400, "Each of 'attachments' needs a 'file_name' and a 'url'") }
    }

    private func check(_ recipient: JSONObject, _ place: String) throws(CallError) {
        let alias = recipient["user_alias"].flatMap(Alias.init)
        if recipient["user_alias"] != nil, alias == nil {
            throw CallError(400, "'\(place).user_alias' needs an 'alias_name' and an 'alias_label'")
        }
        let id = recipient["external_user_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let email = recipient["email"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        switch [id != nil, alias != nil, email != nil].count(where: { $0 }) {
        case 0: throw CallError(400, "'\(place)' needs an 'external_user_id', a 'user_alias' or an 'email'")
        case 1: break
        default: throw CallError(400, "'\(place)' has more than one identifier")
        }
        let priorities = recipient["prioritization"]?.array
        if email != nil, priorities?.isEmpty != false {
            throw CallError(400, "'\(place)' is known by 'email' and needs a 'prioritization'")
        }
        if let unknown = priorities?.first(where: { !Self.priorities.contains($0.string ?? "") }) {
            throw CallError(400, "'\(place).prioritization' has the unknown value \(unknown)")
        }
        if let flag = recipient["send_to_existing_only"], flag.bool == nil {
            throw CallError(400, "'\(place).send_to_existing_only' must be a boolean")
        }
        if let attributes = recipient["attributes"], attributes.object == nil {
            throw CallError(400, "'\(place).attributes' must be an object")
        }
        try checkProperties(recipient, "\(place).")
    }
}

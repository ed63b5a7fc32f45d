import JSON

/// Who an object is about (spec: braze-destination §3.1). Braze takes exactly one primary identifier; an e-mail address
/// beside it is a field of the profile, and alone it finds or makes a profile.
struct BrazeIdentity: Hashable {
    enum Primary: Hashable {
        case externalID(String)
        case brazeID(String)
        case alias(name: String, label: String)

        /// The person in the ledger and in the order of requests.
        var person: String {
            switch self {
            case .externalID(let id): "external_id:" + id
            case .brazeID(let id): "braze_id:" + id
            case .alias(let name, let label): "user_alias:\(label):\(name)"
            }
        }
    }

    var primary: Primary?
    var email: String?
    /// Only where the action takes it as an identifier.
    var phone: String?

    /// Bytes in an external id; Braze refuses longer ones for good.
    private static let longestExternalID = 987

    /// The identifiers of the resolved fields `external_id`, `braze_id`, `user_alias` and `email`. An incomplete alias
    /// is ignored. Only e-commerce events may tell of people by their `phone`.
    init(fields: JSONObject, takesPhone: Bool = false) throws(MappingError) {
        if let id = try Coercion.text(fields["external_id"], field: "external_id") {
            guard id.utf8.count <= Self.longestExternalID else {
                throw MappingError(
                    field: "external_id",
                    message: "the user id has \(id.utf8.count) bytes; Braze takes \(Self.longestExternalID)")
            }
            primary = .externalID(id)
        } else if let id = try Coercion.text(fields["braze_id"], field: "braze_id") {
            primary = .brazeID(id)
        } else if let alias = fields["user_alias"]?.object,
            let name = try Coercion.text(alias["alias_name"], field: "user_alias.alias_name"),
            let label = try Coercion.text(alias["alias_label"], field: "user_alias.alias_label")
        {
            primary = .alias(name: name, label: label)
        }
        email = try Coercion.text(fields["email"], field: "email")?.trimmingSpaces
        if email?.isEmpty == true { email = nil }
        if takesPhone { phone = try Coercion.text(fields["phone"], field: "phone") }
        guard primary != nil || email != nil || phone != nil else {
            throw MappingError(
                message:
                    "Braze can't know who this is: /users/track takes identified users only, and the person has no "
                    + "user id, no e-mail address and no Braze id. "
                    + "Anonymous persons are sent only under an alias (destination setting anonymous_alias_label)")
        }
    }

    /// Leaves an e-mail address out that Braze would refuse the whole object for, where somebody else is named already;
    /// says so.
    mutating func leaveOutBadEmail() -> String? {
        guard primary != nil, let email, !Self.isAddress(email) else { return nil }
        self.email = nil
        return "Sent without the e-mail address '\(email)', which Braze would refuse"
    }

    /// Whether a text looks like an e-mail address: one `@`, a dot in the host, no white space. Braze's own check is
    /// not published; what it refuses beyond this is parked with its words.
    static func isAddress(_ text: String) -> Bool {
        guard text.utf8.count <= 255, !text.contains(where: { $0.isWhitespace || "<>,;\"".contains($0) }) else {
            return false
        }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[0].hasPrefix("."), !parts[0].hasSuffix(".") else {
            return false
        }
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2 && labels.allSatisfy { !$0.isEmpty }
    }

    /// Orders requests and names the person in the ledger.
    var person: String {
        primary?.person ?? email.map { "email:\($0)" } ?? "phone:\(phone ?? "")"
    }

    /// The members that say who it is, without the e-mail address beside a primary identifier.
    var members: JSONObject {
        switch primary {
        case .externalID(let id): ["external_id": .string(id)]
        case .brazeID(let id): ["braze_id": .string(id)]
        case .alias(let name, let label):
            ["user_alias": ["alias_name": .string(name), "alias_label": .string(label)]]
        case nil: email.map { ["email": .string($0)] } ?? [:]
        }
    }

    /// The members with the e-mail address.
    var allMembers: JSONObject {
        var members = members
        if let email { members["email"] = .string(email) }
        if let phone { members["phone"] = .string(phone) }
        return members
    }
}

extension JSONValue {
    /// What stands at a dotted path. `nil` where it leads nowhere; a null on the way ends it with null.
    func at(_ path: String) -> JSONValue? {
        // Mapping asks for dozens of paths per call: keys are cut out of the bytes without an array of them.
        var path = path
        return path.withUTF8 { bytes in
            var value = self
            var rest = bytes[...]
            while !rest.isEmpty {
                let key = rest.prefix { $0 != UInt8(ascii: ".") }
                rest = rest[key.endIndex...].dropFirst()
                guard !key.isEmpty else { continue }
                if value.isNull { return .null }
                guard let next = value[String(decoding: key, as: UTF8.self)] else { return nil }
                value = next
            }
            return value
        }
    }

    /// The first of the paths that leads to something other than null.
    func first(of paths: String...) -> JSONValue? {
        paths.lazy.compactMap { at($0) }.first { !$0.isNull }
    }

    /// One step of a path: null leads to null.
    func step(_ key: String) -> JSONValue? { isNull ? .null : self[key] }

    /// The identifier fields that all actions resolve alike.
    func identifierFields(_ settings: BrazeSettings) -> JSONObject {
        var fields = JSONObject()
        fields.reserveCapacity(8)
        fields["external_id"] = self["userId"]
        let context = self["context"]
        let brazeID = [
            self["properties"]?["braze_id"], self["integrations"]?["Braze"]?["braze_id"],
            context?["integrations"]?["Braze"]?["braze_id"],
        ].lazy.compactMap(\.self).first { !$0.isNull }
        fields["braze_id"] = brazeID ?? context?["externalIds"]?.array?.first { $0["type"] == "braze_id" }?["id"]
        // Ids that stand for an e-mail address (engage §7.4) name nobody anonymous.
        if let label = settings.anonymousAliasLabel, let id = self["anonymousId"]?.string, !id.hasPrefix("eml_") {
            fields["user_alias"] = ["alias_name": .string(id), "alias_label": .string(label)]
        }
        return fields
    }
}

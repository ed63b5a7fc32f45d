import JSON

extension Sandbox {
    static let entriesPerCall = 50

    /// `POST /users/export/ids` (spec braze §4.3).
    func exportIDs(_ call: Call) throws(CallError) -> SandboxAnswer {
        let body = call.body
        let ids = try strings(body["external_ids"], "external_ids")
        let aliases = body["user_aliases"]?.array ?? []
        guard ids.count + aliases.count <= Sandbox.entriesPerCall else {
            throw CallError(400, "The max number of external_ids and aliases per request was exceeded")
        }
        let fields = try exportFields(body, required: call.switches.requireFieldsToExport)
        let single = ["device_id", "email_address", "phone"].filter { body[$0]?.string?.isEmpty == false }
        guard single.count <= 1 else {
            throw CallError(400, "Only one of 'device_id', 'email_address' or 'phone' may be provided")
        }
        let brazeID = body["braze_id"]?.string
        guard !ids.isEmpty || !aliases.isEmpty || !single.isEmpty || brazeID != nil else {
            throw CallError(
                400,
                "One of 'external_ids', 'user_aliases', 'device_id', 'braze_id', 'email_address' or 'phone' is required"
            )
        }
        return try withState { state throws(CallError) in
            guard let index = state.workspaceIndex(call.workspace) else { throw CallError(401, "Invalid API Key") }
            let workspace = state.workspaces[index]
            var found: [Int] = []
            var invalid: [JSONValue] = []
            for id in ids {
                if let ordinal = workspace.ordinal(externalID: id) {
                    found.append(ordinal)
                } else {
                    invalid.append(.string(id))
                }
            }
            found += aliases.compactMap { Alias($0).flatMap { workspace.resolve(.alias($0)) } }
            if let brazeID { found += [workspace.ordinal(brazeID: brazeID)].compactMap { $0 } }
            if let address = body["email_address"]?.string { found += workspace.byEmail[address.lowercased()] ?? [] }
            if let phone = body["phone"]?.string.flatMap({ Phone.normalise($0, country: nil) }) {
                found += workspace.byPhone[phone] ?? []
            }
            if let device = body["device_id"]?.string {
                workspace.profiles.forEach { profile in
                    if profile.pushTokens.contains(where: { $0["device_id"]?.string == device }) {
                        found.append(profile.ordinal)
                    }
                    return true
                }
            }
            var seen: Set<Int> = []
            let users = found.filter { seen.insert($0).inserted }.compactMap { workspace.profile($0) }.map {
                JSONValue.object(workspace.export($0, fields: fields, at: state.now))
            }
            var reply: JSONObject = ["message": "success", "users": .array(users)]
            if !invalid.isEmpty { reply["invalid_user_ids"] = .array(invalid) }
            return SandboxAnswer(201, .object(reply))
        }
    }

    func exportFields(_ body: JSONObject, required: Bool) throws(CallError) -> Set<String>? {
        guard let value = body["fields_to_export"], !value.isNull else {
            guard !required else { throw CallError(400, "'fields_to_export' is required") }
            return nil
        }
        guard let names = value.array?.compactMap(\.string), !names.isEmpty, names.count == value.array?.count else {
            throw CallError(400, "'fields_to_export' must be an array of field names")
        }
        return Set(names)
    }

    func strings(_ value: JSONValue?, _ name: String) throws(CallError) -> [String] {
        guard let value, !value.isNull else { return [] }
        guard let elements = value.array, elements.allSatisfy({ $0.string != nil }) else {
            throw CallError(400, "'\(name)' must be an array of strings")
        }
        return elements.compactMap(\.string)
    }
}

import Foundation
import JSON

extension Sandbox {
    func settingsAPI(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        switch (call.request.method, call.parts.joined(separator: "/")) {
        case ("GET", "switches"):
            return withState { state in SandboxAnswer(200, Sandbox.page(state.switches)) }
        case ("PUT", "switches"):
            return try withState { state throws(CallError) in
                var changed = state.switches
                do throws(SwitchError) { try changed.set(call.body) } catch { throw CallError(400, error.description) }
                try accept(
                    Operation(workspace: "", at: state.now, due: state.now, change: .setting(.switches, call.body)),
                    &state)
                return SandboxAnswer(200, Sandbox.page(state.switches))
            }
        case ("GET", "faults"): return withState { state in SandboxAnswer(200, state.faults.json) }
        case ("PUT", "faults"):
            return try withState { state throws(CallError) in
                do throws(SwitchError) { try state.faults.set(call.body) } catch {
                    throw CallError(400, error.description)
                }
                return SandboxAnswer(200, state.faults.json)
            }
        case ("DELETE", "faults"):
            return withState { state in
                state.faults = Faults()
                return SandboxAnswer(200, state.faults.json)
            }
        case ("GET", "keys"): return keyList()
        case ("POST", "keys"): return try createKey(call)
        case ("POST", _) where call.parts.count == 3 && call.parts[0] == "keys" && call.parts[2] == "revoke":
            return try revokeKey(call)
        case ("GET", "partner"):
            return withState { state in SandboxAnswer(200, Sandbox.page(state.partner)) }
        case ("PUT", "partner"):
            for name in ["partner_api_key", "client_secret"] {
                if let value = call.body[name], value.string?.isEmpty ?? true {
                    throw CallError(400, "\(name) must be a text.")
                }
            }
            try set(.partner, call.body, call)
            return withState { state in SandboxAnswer(200, Sandbox.page(state.partner)) }
        case ("POST", "workspaces"): return try saveWorkspace(call)
        case ("POST", "reset"):
            try set(.reset, JSONObject(), call)
            return SandboxAnswer(200, ["message": "success"])
        default: throw notAllowed(call)
        }
    }

    private static func page(_ switches: SandboxSwitches) -> JSONValue {
        [
            "switches": .array(
                SandboxSwitches.entries.map { entry in
                    [
                        "name": .string(entry.name), "value": entry.get(switches), "summary": .string(entry.summary),
                        "unit": .string(orNull: entry.unit), "choices": .array(entry.choices),
                        "default": entry.get(SandboxSwitches()),
                        "range": entry.range.map { [.number($0.lowerBound), .number($0.upperBound)] } ?? .null,
                    ]
                })
        ]
    }

    private static func page(_ partner: PartnerKeys) -> JSONValue {
        ["partner_api_key": .string(partner.partnerKey), "client_secret": .string(partner.clientSecret)]
    }

    private func keyList() -> SandboxAnswer {
        withState { state in
            let keys = state.keys.map { key in
                var object = key.json.object ?? JSONObject()
                object["masked"] = .string(Sandbox.mask(key.secret))
                object["last_seen"] = key.lastSeen.map { .number(Int($0)) } ?? .null
                return JSONValue.object(object)
            }
            return SandboxAnswer(
                200, ["keys": .array(keys), "permissions": .array(APIKey.allPermissions.map { .string($0) })])
        }
    }

    private func createKey(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        let name = (call.body["name"]?.string ?? "").trimmed
        guard !name.isEmpty, name.count <= 100 else {
            throw CallError(400, "Give the key a name of at most 100 characters.")
        }
        let permissions = call.body["permissions"]?.array?.compactMap(\.string) ?? APIKey.allPermissions
        guard !permissions.isEmpty else { throw CallError(400, "Choose at least one permission.") }
        if let unknown = permissions.first(where: { !APIKey.allPermissions.contains($0) }) {
            throw CallError(400, "There is no permission \(unknown).")
        }
        let allowlist = call.body["allowlist"]?.array?.compactMap(\.string).map(\.trimmed).filter { !$0.isEmpty } ?? []
        if let bad = allowlist.first(where: { !APIKey.isRule($0) }) {
            throw CallError(400, "\(bad) is neither an IP address nor an IPv4 network such as 10.0.0.0/8.")
        }
        let secret = call.body["secret"]?.string ?? UUID().uuidString.lowercased()
        guard (8...200).contains(secret.utf8.count), secret.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "\"" })
        else {
            throw CallError(400, "secret must have 8 to 200 ASCII characters without spaces and quotes.")
        }
        let key = try withState { state throws(CallError) in
            guard !state.keys.contains(where: { $0.secret == secret }) else {
                throw CallError(409, "A key with this secret exists.")
            }
            return APIKey(
                id: "key-\(state.keys.count + 1)", name: name, secret: secret, workspace: call.workspace,
                permissions: Set(permissions), allowlist: allowlist, createdAt: state.now)
        }
        try set(.key, key.json.object ?? JSONObject(), call)
        return SandboxAnswer(201, key.json)
    }

    private func revokeKey(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        let key = try withState { state throws(CallError) in
            guard let key = state.keys.first(where: { $0.id == call.parts[1] }) else {
                throw CallError(404, "There is no such key.")
            }
            return key
        }
        var body = key.json.object ?? JSONObject()
        body["revoked"] = true
        try set(.key, body, call)
        return SandboxAnswer(200, .object(body))
    }

    private func saveWorkspace(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        var body: JSONObject = [:]
        let id = (call.body["id"]?.string ?? "").trimmed
        guard !id.isEmpty, id.utf8.count <= 40,
            id.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") })
        else {
            throw CallError(400, "id may have up to 40 letters, digits and -.")
        }
        body["id"] = .string(id)
        if let name = call.body["name"]?.string?.trimmed, !name.isEmpty {
            body["name"] = .string(String(name.prefix(100)))
        }
        if let zone = call.body["time_zone"]?.string {
            guard TimeZone(identifier: zone) != nil else {
                throw CallError(400, "\(zone) is no IANA time zone such as Europe/Berlin.")
            }
            body["time_zone"] = .string(zone)
        }
        body["salt"] = .string(String(UInt64.random(in: .min ... .max), radix: 16))
        try set(.workspace, body, call)
        return SandboxAnswer(200, ["message": "success"])
    }

    /// What the frame of every page shows.
    func stateAPI(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        guard call.request.method == "GET" else { throw notAllowed(call) }
        return try withWorkspace(call) { state, workspace throws(CallError) in
            let statuses = state.log.statusCounts.sorted { $0.key < $1.key }
            return SandboxAnswer(
                200,
                [
                    "revision": .number(state.revision), "now": .number(Int(state.now)),
                    "workspace": .string(workspace.id), "time_zone": .string(workspace.timeZone),
                    "workspaces": .array(state.workspaces.map { ["id": .string($0.id), "name": .string($0.name)] }),
                    "users": .number(workspace.profiles.count), "data_points": .number(workspace.dataPoints),
                    "attributes": .number(workspace.attributes.entries.count),
                    "events": .number(workspace.events.entries.count),
                    "segments": .number(workspace.segments.count { !$0.isArchived }),
                    "requests": .number(state.log.nextNumber - 1), "pending": .number(state.pending.count),
                    "statuses": .array(statuses.map { ["status": .number($0.key), "count": .number($0.value)] }),
                    "faults_active": .bool(state.faults.isActive),
                    "key": .string(orNull: state.keys.first { $0.workspace == workspace.id && !$0.isRevoked }?.secret),
                ])
        }
    }
}

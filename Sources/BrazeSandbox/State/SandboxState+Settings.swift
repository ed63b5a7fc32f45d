import JSON

/// Changes made in the pages or at start. The bodies were checked before they were journaled; here they only take effect.
extension SandboxState {
    mutating func apply(
        _ setting: Operation.Setting, _ body: JSONObject, in workspace: String, at now: EpochMilliseconds
    ) {
        switch setting {
        case .workspace:
            guard let id = body["id"]?.string else { return }
            if let index = workspaceIndex(id) {
                if let name = body["name"]?.string { workspaces[index].name = name }
                if let zone = body["time_zone"]?.string { workspaces[index].timeZone = zone }
            } else {
                let salt = body["salt"]?.string.flatMap { UInt64($0, radix: 16) } ?? 0
                var new = Workspace(id: id, name: body["name"]?.string ?? id, salt: salt)
                new.timeZone = body["time_zone"]?.string ?? "UTC"
                workspaces.append(new)
            }
        case .key:
            guard let key = APIKey(.object(body)) else { return }
            if let index = keys.firstIndex(where: { $0.id == key.id }) {
                keys[index].isRevoked = key.isRevoked
            } else {
                keys.append(key)
            }
        case .switches:
            // Checked when it was accepted; a journal of a later version may know more switches.
            try? switches.set(body)
        case .partner:
            partner.partnerKey = body["partner_api_key"]?.string ?? partner.partnerKey
            partner.clientSecret = body["client_secret"]?.string ?? partner.clientSecret
        case .reset:
            guard let index = workspaceIndex(workspace) else { return }
            let old = workspaces[index]
            workspaces[index] = Workspace(id: old.id, name: old.name, salt: SplitMix.hash(old.salt))
            workspaces[index].timeZone = old.timeZone
        case .segment, .campaign, .canvas, .attribute, .event, .block, .segmentSize, .send:
            guard let index = workspaceIndex(workspace) else { return }
            workspaces[index].apply(setting, body, at: now)
        }
    }
}

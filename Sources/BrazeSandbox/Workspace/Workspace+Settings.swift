import JSON

/// Changes made in a workspace's pages.
extension Workspace {
    mutating func apply(_ setting: Operation.Setting, _ body: JSONObject, at now: EpochMilliseconds) {
        switch setting {
        case .attribute:
            guard let name = body["name"]?.string else { return }
            let number = attributes.register(name, at: now)
            attributes.update(number) { entry in
                if let type = body["type"] { entry.forced = type.string.flatMap(AttributeType.init(rawValue:)) }
                if let blocklisted = body["blocklisted"]?.bool { entry.isBlocklisted = blocklisted }
            }
        case .event:
            guard let name = body["name"]?.string else { return }
            let number = events.register(name, at: now)
            events.update(number) { entry in
                if let blocklisted = body["blocklisted"]?.bool { entry.isBlocklisted = blocklisted }
                if let properties = body["properties"]?.array {
                    entry.enabledProperties = properties.compactMap(\.string)
                }
            }
        case .block:
            guard let id = body["external_id"]?.string else { return }
            if body["blocked"]?.bool == false { blockedIDs.remove(id) } else { blockedIDs.insert(id) }
        case .segment, .campaign, .canvas, .segmentSize, .workspace, .key, .switches, .partner:
            break
        }
    }

    mutating func apply(
        _ kind: Operation.Kind, _ body: JSONObject, at now: EpochMilliseconds, switches: SandboxSwitches
    ) -> [Outcome] {
        []
    }
}

import JSON

extension Sandbox {
    static let enabledPropertiesPerWorkspace = 20
    static let blocklistEntries = 300

    /// What the builder can choose from, and the settings of attributes and events.
    func catalogueAPI(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        switch (call.request.method, call.parts.joined(separator: "/")) {
        case ("GET", "catalogue"):
            return try withWorkspace(call) { state, workspace throws(CallError) in
                SandboxAnswer(200, Sandbox.catalogue(state, workspace))
            }
        case ("POST", "attributes"): return try setAttribute(call)
        case ("POST", "events"): return try setEvent(call)
        case ("POST", "blocked"):
            guard let id = call.body["external_id"]?.string, !id.isEmpty else {
                throw CallError(400, "external_id is missing.")
            }
            try set(.block, ["external_id": .string(id), "blocked": .bool(call.body["blocked"]?.bool ?? true)], call)
            return SandboxAnswer(200, ["message": "success"])
        default: throw notAllowed(call)
        }
    }

    private static func catalogue(_ state: SandboxState, _ workspace: Workspace) -> JSONValue {
        let legacy = state.switches.operatorLabels == .legacy
        return [
            "now": .number(Int(state.now)), "time_zone": .string(workspace.timeZone),
            "attributes": .array(workspace.attributes.entries.sorted { $0.name < $1.name }.map(\.json)),
            "events": .array(workspace.events.entries.sorted { $0.name < $1.name }.map(\.json)),
            "fields": .array(Filter.fieldNames.map { .string($0) }),
            "cohorts": .array(workspace.cohorts.map(\.json)),
            "segments": .array(
                workspace.segments.filter { !$0.isArchived }.map { segment in
                    [
                        "id": .string(segment.id), "name": .string(segment.name),
                        "nestable": .bool(segment.definition.segmentIDs.isEmpty),
                    ]
                }),
            "types": .array(AttributeType.allCases.map { type($0, legacy: legacy) }),
            "blocked": .array(workspace.blockedIDs.sorted().map { .string($0) }),
            "enabled_properties_limit": .number(enabledPropertiesPerWorkspace),
        ]
    }

    private static func type(_ type: AttributeType, legacy: Bool) -> JSONValue {
        [
            "name": .string(type.rawValue), "title": .string(type.title),
            "operators": .array(
                AttributeOperator.offered(for: type).map { comparison in
                    let old = comparison.legacyLabel(for: type)
                    return [
                        "name": .string(comparison.rawValue),
                        "label": .string(legacy ? old ?? comparison.label : comparison.label),
                        "formerly": .string(orNull: legacy ? nil : old),
                        "operand": .string(comparison.operand.rawValue),
                    ]
                }),
        ]
    }

    private func setAttribute(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        guard let name = call.body["name"]?.string, !name.isEmpty, name.count <= 255 else {
            throw CallError(400, "name must be the name of a custom attribute.")
        }
        guard StandardField.byName[name] == nil, !StandardField.otherReserved.contains(name) else {
            throw CallError(400, "\(name) is a reserved profile field, not a custom attribute.")
        }
        if let type = call.body["type"], !type.isNull, type.string.flatMap(AttributeType.init(rawValue:)) == nil {
            let names = AttributeType.allCases.map(\.rawValue).joined(separator: ", ")
            throw CallError(400, "type must be null (detect automatically) or one of \(names).")
        }
        if call.body["blocklisted"]?.bool == true {
            let count = try withWorkspace(call) { _, workspace throws(CallError) in
                workspace.attributes.entries.count { $0.isBlocklisted && $0.name != name }
            }
            guard count < Sandbox.blocklistEntries else {
                throw CallError(400, "The blocklist is full: 300 attributes.")
            }
        }
        try set(.attribute, call.body, call)
        return SandboxAnswer(200, ["message": "success"])
    }

    private func setEvent(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        guard let name = call.body["name"]?.string, !name.isEmpty, name.count <= 255 else {
            throw CallError(400, "name must be the name of a custom event.")
        }
        let counts = try withWorkspace(call) { _, workspace throws(CallError) in
            let others = workspace.events.entries.filter { $0.name != name }
            return (others.reduce(0) { $0 + $1.enabledProperties.count }, others.count { $0.isBlocklisted })
        }
        if let properties = call.body["properties"]?.array {
            guard counts.0 + properties.count <= Sandbox.enabledPropertiesPerWorkspace else {
                throw CallError(
                    400,
                    "A workspace can enable 20 event properties for segmentation; \(counts.0) are in use elsewhere.")
            }
        }
        guard call.body["blocklisted"]?.bool != true || counts.1 < Sandbox.blocklistEntries else {
            throw CallError(400, "The blocklist is full: 300 events.")
        }
        try set(.event, call.body, call)
        return SandboxAnswer(200, ["message": "success"])
    }
}

extension AttributeEntry {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "type": .string(orNull: type?.rawValue), "type_text": .string(typeText),
            "forced": .bool(forced != nil), "blocklisted": .bool(isBlocklisted), "type_changes": .number(typeChanges),
            "first_seen": .number(Int(firstSeen)), "last_seen": .number(Int(lastSeen)),
        ]
    }
}

extension EventEntry {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "count": .number(count), "blocklisted": .bool(isBlocklisted),
            "first_seen": .number(Int(firstSeen)), "last_seen": .number(Int(lastSeen)),
            "enabled_properties": .array(enabledProperties.map { .string($0) }),
            "seen_properties": .array(seenProperties.sorted().map { .string($0) }),
        ]
    }
}

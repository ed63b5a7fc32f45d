import JSON

/// `/campaigns/trigger/send` and `/canvas/trigger/send` (spec braze §5.7): they say whom a message would reach and keep
/// the record. Nothing is sent.
extension Sandbox {
    static let recipientsPerCall = 50

    func triggerCampaign(_ call: Call) throws(CallError) -> SandboxAnswer { try trigger(call, .campaign) }

    func triggerCanvas(_ call: Call) throws(CallError) -> SandboxAnswer { try trigger(call, .canvas) }

    private func trigger(_ call: Call, _ kind: Message.Kind) throws(CallError) -> SandboxAnswer {
        let label = kind == .campaign ? "Campaign" : "Canvas"
        guard let id = call.body["\(kind.rawValue)_id"]?.string, !id.isEmpty else {
            throw CallError(400, "Invalid \(label) ID")
        }
        try TriggerChecks(kind: kind, body: call.body).run()
        let recipients = call.body["recipients"]?.array ?? []
        let isBroadcast = call.body["broadcast"]?.bool == true
        guard recipients.count <= Sandbox.recipientsPerCall else {
            throw CallError(400, "The max number of recipients per request was exceeded")
        }
        guard !recipients.isEmpty || isBroadcast else { throw CallError(400, "No Recipients") }
        guard recipients.isEmpty || !isBroadcast else {
            throw CallError(400, "'broadcast' must not be true when 'recipients' are given")
        }
        let written = try attributes(of: recipients, call)
        let (message, workspace, audience, named) = try workspace(call) { state, index throws(CallError) in
            guard let message = state.workspaces[index].message(kind, id) else {
                throw CallError(400, "Invalid \(label) ID")
            }
            guard !message.isArchived else { throw CallError(400, "\(label) is archived") }
            if recipients.isEmpty {
                let verdict = state.limiter.take(.broadcast, at: state.now, switches: state.switches)
                guard verdict.isAllowed else { throw CallError(429, "Rate limit exceeded") }
            }
            // Attributes that travel with a recipient are there before the message is built.
            if let written {
                try accept(
                    Operation(
                        workspace: call.workspace, at: state.now, due: state.now, change: .track(written),
                        request: call.number),
                    &state)
            }
            let named = recipients.map { state.workspaces[index].recipient($0) }
            return (message, state.workspaces[index].light, state.audience(state.workspaces[index]), named)
        }
        var definitions = workspace.definitions(of: message)
        do throws(DefinitionError) {
            if let connected = call.body["audience"], !connected.isNull {
                definitions += try ConnectedAudience.definitions(connected, in: workspace)
            }
            let result: (count: Int, listed: [Int])
            if recipients.isEmpty {
                let members = try audience.members(of: definitions, limit: Send.listed)
                result = (members.count, members.listed)
            } else {
                // Recipients and the message's own target are intersected.
                var reached: [Int] = []
                for profile in named.compactMap({ $0 }).compactMap({ audience.profiles[$0] }) {
                    var isReached = true
                    for definition in definitions where isReached {
                        isReached = try audience.contains(profile, in: definition)
                    }
                    if isReached, !reached.contains(profile.ordinal) { reached.append(profile.ordinal) }
                }
                result = (reached.count, Array(reached.prefix(Send.listed)))
            }
            return try record(
                call, message, result, skipped: recipients.isEmpty ? 0 : recipients.count - result.count, workspace)
        } catch {
            throw CallError(error)
        }
    }

    private func record(
        _ call: Call, _ message: Message, _ result: (count: Int, listed: [Int]), skipped: Int, _ workspace: Workspace
    ) throws(DefinitionError) -> SandboxAnswer {
        let notice = skipped > 0 ? "\(skipped) of the recipients are unknown or not in the message's audience" : nil
        do throws(CallError) {
            let id = try self.workspace(call) { state, _ throws(CallError) in
                let id = String(state.generator.next(), radix: 16) + String(state.generator.next(), radix: 16)
                let send = Send(
                    id: id, at: state.now, kind: message.kind, messageID: message.id, count: result.count,
                    recipients: result.listed.compactMap { workspace.profile($0) }.map { workspace.label($0) },
                    source: "api", notice: notice, sendID: call.body["send_id"]?.string,
                    properties: TriggerChecks.properties(of: message.kind, in: call.body))
                try accept(
                    Operation(
                        workspace: call.workspace, at: state.now, due: state.now, change: .setting(.send, send.json)),
                    &state)
                return id
            }
            var reply: JSONObject = ["dispatch_id": .string(id), "message": "success"]
            if let notice { reply["notice"] = .string(notice) }
            return SandboxAnswer(201, .object(reply))
        } catch {
            throw DefinitionError(error.message)
        }
    }

    /// The attributes that recipients carry, as a track call.
    private func attributes(of recipients: [JSONValue], _ call: Call) throws(CallError) -> TrackBatch? {
        var objects: [JSONValue] = []
        for recipient in recipients {
            guard var object = recipient["attributes"]?.object else { continue }
            if let id = recipient["external_user_id"] { object["external_id"] = id }
            if let alias = recipient["user_alias"] { object["user_alias"] = alias }
            if let email = recipient["email"] { object["email"] = email }
            object["_update_existing_only"] = .bool(recipient["send_to_existing_only"]?.bool ?? true)
            objects.append(.object(object))
        }
        guard !objects.isEmpty else { return nil }
        let batch = TrackBatch(checking: ["attributes": .array(objects)], switches: call.switches)
        guard batch.refused.isEmpty else { throw CallError(400, batch.refused[0].type) }
        return batch
    }
}

extension Workspace {
    fileprivate func recipient(_ entry: JSONValue) -> Int? {
        if let id = entry["external_user_id"]?.string { return ordinal(externalID: id) }
        if let alias = Alias(entry["user_alias"]) { return byAlias[alias] }
        return find(entry)
    }
}

/// `audience` of a trigger call: AND, OR and custom attributes (spec braze §5.7, connected audience).
enum ConnectedAudience {
    /// The object as definitions whose intersection it is.
    static func definitions(_ value: JSONValue, in workspace: Workspace) throws(DefinitionError) -> [AudienceDefinition]
    {
        if let parts = value["AND"]?.array {
            var all: [AudienceDefinition] = []
            for part in parts { all += try definitions(part, in: workspace) }
            return all
        }
        if let parts = value["OR"]?.array {
            var filters: [Filter] = []
            for part in parts { filters.append(try filter(part, in: workspace)) }
            return [AudienceDefinition(groups: [FilterGroup(join: .or, filters: filters)])]
        }
        return [AudienceDefinition(groups: [FilterGroup(join: .and, filters: [try filter(value, in: workspace)])])]
    }

    private static func filter(_ value: JSONValue, in workspace: Workspace) throws(DefinitionError) -> Filter {
        guard let attribute = value["custom_attribute"], let name = attribute["custom_attribute_name"]?.string,
            let comparison = attribute["comparison"]?.string
        else {
            throw DefinitionError("The sandbox knows AND, OR (of filters) and custom_attribute in an audience.")
        }
        let type = workspace.attributes.entry(name)?.type ?? .string
        guard let (op, operand) = filter(comparison, type, attribute["value"] ?? .null) else {
            throw DefinitionError("\(comparison) is no comparison of the \(type.title) attribute \(name).")
        }
        var json: JSONObject = [
            "kind": "attribute", "name": .string(name), "type": .string(type.rawValue), "op": .string(op.rawValue),
        ]
        if !operand.isNull { json["value"] = operand }
        return try FilterReader(workspace: workspace).read(.object(json))
    }

    private static func filter(_ name: String, _ type: AttributeType, _ value: JSONValue) -> (
        AttributeOperator, JSONValue
    )? {
        switch (name, type) {
        case ("exists", .array): (.hasAValue, .null)
        case ("does_not_exist", .array): (.isEmpty, .null)
        case ("exists", _): (.isNotBlank, .null)
        case ("does_not_exist", _): (.isBlank, .null)
        case ("equals", .string): (.isAnyOf, [value])
        case ("not_equal", .string): (.isNoneOf, [value])
        case ("matches_regex", .string): (.matchesRegex, value)
        case ("does_not_match_regex", .string): (.doesNotMatchRegex, value)
        case ("includes_value", .array): (.includesAnyOf, [value])
        case ("does_not_include_value", .array): (.includesNoneOf, [value])
        case ("equals", .number): (.exactly, value)
        case ("not_equal", .number): (.doesNotEqual, value)
        case ("greater_than", .number): (.moreThan, value)
        case ("less_than", .number): (.lessThan, value)
        case ("equals", .boolean): (value == true ? .isTrue : .isFalse, .null)
        case ("does_not_equal", .boolean): (value == true ? .isFalseOrNotSet : .isTrueOrNotSet, .null)
        case ("less_than_x_days_ago", .time): (.lessThanDaysAgo, value)
        case ("greater_than_x_days_ago", .time): (.moreThanDaysAgo, value)
        case ("less_than_x_days_in_the_future", .time): (.inLessThanDays, value)
        case ("greater_than_x_days_in_the_future", .time): (.inMoreThanDays, value)
        case ("before", .time): (.before, value)
        case ("after", .time): (.after, value)
        default: nil
        }
    }
}

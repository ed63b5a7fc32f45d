import JSON

/// The identity endpoints (spec braze §3): they check shapes and counts, queue the change and answer at once.
extension Sandbox {
    static let tooManyIDs = "The max number of ids per request was exceeded"
    static let tooManyAliases = "The max number of external_ids and aliases per request was exceeded"

    /// Journals and queues a call; its effect follows after the ingestion delay.
    func queue(_ kind: Operation.Kind, _ body: JSONObject, _ call: Call) throws(CallError) {
        try withState { state throws(CallError) in try queue(kind, body, call, &state) }
    }

    private func queue(_ kind: Operation.Kind, _ body: JSONObject, _ call: Call, _ state: inout SandboxState)
        throws(CallError)
    {
        try accept(
            Operation(
                workspace: call.workspace, at: state.now, due: state.dueTime(), change: .call(kind, body),
                request: call.number),
            &state)
    }

    func workspace<Result>(
        _ call: Call, _ body: (inout SandboxState, Int) throws(CallError) -> sending Result
    ) throws(CallError) -> sending Result {
        try withState { state throws(CallError) in
            guard let index = state.workspaceIndex(call.workspace) else { throw CallError(401, "Invalid API Key") }
            return try body(&state, index)
        }
    }

    /// The objects of an array that must be there, at most 50.
    private func objects(_ call: Call, _ name: String, _ excess: String) throws(CallError) -> [JSONValue] {
        guard let array = call.body[name]?.array, !array.isEmpty, array.allSatisfy({ $0.object != nil }) else {
            throw CallError(400, "'\(name)' must be an array of objects")
        }
        guard array.count <= Sandbox.entriesPerCall else { throw CallError(400, excess) }
        return array
    }

    func newAliases(_ call: Call) throws(CallError) -> SandboxAnswer {
        let entries = try objects(call, "user_aliases", Sandbox.tooManyAliases)
        let bad = entries.indices.filter { Alias(entries[$0]) == nil }
        guard bad.count < entries.count else { throw CallError(400, "'alias_name' and 'alias_label' are required") }
        try queue(.aliasNew, ["user_aliases": .array(entries)], call)
        var reply: JSONObject = ["aliases_processed": .number(entries.count - bad.count), "message": "success"]
        if !bad.isEmpty {
            reply["errors"] = Sandbox.errors(bad, "user_aliases", "'alias_name' and 'alias_label' are required")
        }
        return SandboxAnswer(201, .object(reply))
    }

    func updateAliases(_ call: Call) throws(CallError) -> SandboxAnswer {
        let entries = try objects(call, "alias_updates", Sandbox.tooManyAliases)
        for entry in entries {
            for name in ["alias_label", "old_alias_name", "new_alias_name"] where entry[name]?.string?.isEmpty ?? true {
                throw CallError(400, "'\(name)' is required")
            }
        }
        try queue(.aliasUpdate, ["alias_updates": .array(entries)], call)
        return SandboxAnswer(201, ["aliases_processed": .number(entries.count), "message": "success"])
    }

    private static func errors(_ indices: [Int], _ array: String, _ type: String) -> JSONValue {
        .array(indices.map { ["type": .string(type), "input_array": .string(array), "index": .number($0)] })
    }

    func identify(_ call: Call) throws(CallError) -> SandboxAnswer {
        let arrays = [
            ("aliases_to_identify", "user_alias"), ("emails_to_identify", "email"),
            ("phone_numbers_to_identify", "phone"),
        ]
        var body = JSONObject()
        var total = 0
        for (array, key) in arrays {
            guard let value = call.body[array], !value.isNull else { continue }
            guard let entries = value.array else { throw CallError(400, "'\(array)' must be an array of objects") }
            for entry in entries {
                guard entry["external_id"]?.string?.isEmpty == false else {
                    throw CallError(400, "'external_id' is required")
                }
                guard key == "user_alias" ? Alias(entry[key]) != nil : entry[key]?.string?.isEmpty == false else {
                    throw CallError(400, "'\(key)' is required")
                }
                if key != "user_alias" { try checkPrioritization(entry) }
            }
            total += entries.count
            body[array] = value
        }
        guard total > 0 else {
            throw CallError(
                400, "One of 'aliases_to_identify', 'emails_to_identify' or 'phone_numbers_to_identify' is required")
        }
        guard total <= Sandbox.entriesPerCall else { throw CallError(400, Sandbox.tooManyAliases) }
        if let behaviour = call.body["merge_behavior"] { body["merge_behavior"] = behaviour }
        try queue(.identify, body, call)
        return SandboxAnswer(201, ["aliases_processed": .number(total), "message": "success"])
    }

    private func checkPrioritization(_ entry: JSONValue) throws(CallError) {
        let known: Set<String> = ["identified", "unidentified", "most_recently_updated", "least_recently_updated"]
        guard let rules = entry["prioritization"]?.array, !rules.isEmpty,
            rules.allSatisfy({ $0.string.map { known.contains($0) } ?? false })
        else { throw CallError(400, "'prioritization' must be an array of \(known.sorted().joined(separator: ", "))") }
    }

    func merge(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard let updates = call.body["merge_updates"]?.array, !updates.isEmpty,
            updates.allSatisfy({ $0.object != nil })
        else {
            throw CallError(400, "'merge_updates' must be an array of objects")
        }
        guard updates.count <= Sandbox.entriesPerCall else {
            throw CallError(400, "a single request may not contain more than 50 merge updates")
        }
        for update in updates {
            guard Set(update.object?.keys ?? []) == ["identifier_to_merge", "identifier_to_keep"] else {
                throw CallError(400, "'merge_updates' must only have 'identifier_to_merge' and 'identifier_to_keep'")
            }
            for side in ["identifier_to_merge", "identifier_to_keep"] {
                let known = ["external_id", "user_alias", "email", "phone"].filter { update[side]?[$0] != nil }
                guard known.count == 1 else {
                    throw CallError(
                        400,
                        "identifiers must be objects with an 'external_id' property that is a string, or 'user_alias' property that is an object, or 'email' property that is a string, or 'phone' property that is a string"
                    )
                }
                if let entry = update[side], known == ["email"] || known == ["phone"] { try checkPrioritization(entry) }
            }
        }
        try queue(.merge, ["merge_updates": .array(updates)], call)
        return SandboxAnswer(202, ["message": "success"])
    }

    func delete(_ call: Call) throws(CallError) -> SandboxAnswer {
        let given = Workspace.deleteSelectors.filter { call.body[$0].map { !$0.isNull } ?? false }
        guard given.count == 1, let array = given.first, let entries = call.body[array]?.array, !entries.isEmpty else {
            throw CallError(
                400, "Exactly one of \(Workspace.deleteSelectors.map { "'\($0)'" }.joined(separator: ", ")) is required"
            )
        }
        guard entries.count <= Sandbox.entriesPerCall else { throw CallError(400, Sandbox.tooManyIDs) }
        let body: JSONObject = [array: .array(entries)]
        let count = try workspace(call) { state, index throws(CallError) in
            let found = Set(state.workspaces[index].found(body).compactMap(\.ordinal))
            try queue(.delete, body, call, &state)
            return found.count
        }
        return SandboxAnswer(201, ["deleted": .number(count), "message": "success"])
    }

    func rename(_ call: Call) throws(CallError) -> SandboxAnswer {
        let entries = try objects(call, "external_id_renames", Sandbox.tooManyIDs)
        let (renamed, problems) = try workspace(call) { state, index throws(CallError) in
            var renamed: [JSONValue] = []
            var problems: [JSONValue] = []
            for entry in entries {
                if let problem = state.workspaces[index].renameProblem(entry) {
                    problems.append(.string(problem))
                } else if let id = entry["new_external_id"] {
                    renamed.append(id)
                }
            }
            try queue(.rename, ["external_id_renames": .array(entries)], call, &state)
            return (renamed, problems)
        }
        return SandboxAnswer(
            201, ["message": "success", "external_ids": .array(renamed), "rename_errors": .array(problems)])
    }

    func removeDeprecated(_ call: Call) throws(CallError) -> SandboxAnswer {
        let ids = try strings(call.body["external_ids"], "external_ids")
        guard !ids.isEmpty else { throw CallError(400, "'external_ids' must be an array of strings") }
        guard ids.count <= Sandbox.entriesPerCall else { throw CallError(400, Sandbox.tooManyIDs) }
        let (removed, problems) = try workspace(call) { state, index throws(CallError) in
            let workspace = state.workspaces[index]
            let removed = ids.filter { workspace.byDeprecatedID[$0] != nil }
            let problems = ids.filter { workspace.byDeprecatedID[$0] == nil }.map {
                JSONValue.string("\($0): not a deprecated external ID")
            }
            try queue(.removeDeprecated, ["external_ids": .array(removed.map { .string($0) })], call, &state)
            return (removed, problems)
        }
        return SandboxAnswer(
            201,
            [
                "message": "success", "removed_ids": .array(removed.map { .string($0) }),
                "removal_errors": .array(problems),
            ])
    }
}

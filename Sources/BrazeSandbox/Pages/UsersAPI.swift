import JSON

extension Sandbox {
    static let callsShown = 50

    func usersAPI(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        switch (call.request.method, call.parts.count) {
        case ("GET", 1): return try userList(call)
        case ("GET", 2): return try userPage(call, brazeID: call.parts[1])
        case ("DELETE", 2):
            try withState { state throws(CallError) in
                guard let index = state.workspaceIndex(call.workspace),
                    state.workspaces[index].ordinal(brazeID: call.parts[1]) != nil
                else { throw CallError(404, "There is no such user.") }
                let body: JSONObject = ["braze_ids": [.string(call.parts[1])]]
                try accept(
                    Operation(
                        workspace: call.workspace, at: state.now, due: state.dueTime(), change: .call(.delete, body)),
                    &state)
            }
            return SandboxAnswer(200, ["message": "success"])
        default: throw notAllowed(call)
        }
    }

    /// Users by search text, or all; most recently updated first.
    private func userList(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        let search = (call.request.parameter("search") ?? "").trimmed
        let offset = call.integer("offset", default: 0, in: 0...1_000_000)
        let limit = call.integer("limit", default: 50, in: 1...500)
        let (now, workspace, exact) = try withWorkspace(call) { state, workspace throws(CallError) in
            (state.now, workspace.light, search.isEmpty ? [] : UserSearch(search).exact(in: workspace))
        }
        var total = 0
        var found: [Profile] = []
        if search.isEmpty {
            total = workspace.profiles.count
            found = newest(in: workspace.profiles, offset: offset, limit: limit)
        } else {
            let ordinals = UserSearch(search).find(in: workspace, after: exact)
            total = ordinals.count
            found = ordinals.dropFirst(offset).prefix(limit).compactMap { workspace.profile($0) }
        }
        return SandboxAnswer(
            200,
            [
                "total": .number(total), "offset": .number(offset), "now": .number(Int(now)),
                "users": .array(found.map { .object(workspace.summary($0)) }),
            ])
    }

    /// A page of the profiles by last update. Keeps only the newest `offset + limit` while it passes over all.
    private func newest(in profiles: ProfileTable, offset: Int, limit: Int) -> [Profile] {
        let wanted = offset + limit
        var kept: [(touch: Int, ordinal: Int)] = []
        profiles.forEach { profile in
            kept.append((profile.touch, profile.ordinal))
            if kept.count >= 2 * wanted + 1000 {
                kept.sort { $0.touch > $1.touch }
                kept.removeLast(kept.count - wanted)
            }
            return true
        }
        kept.sort { $0.touch > $1.touch }
        return kept.dropFirst(offset).prefix(limit).compactMap { profiles[$0.ordinal] }
    }

    private func userPage(_ call: PageCall, brazeID: String) throws(CallError) -> SandboxAnswer {
        let (now, workspace, audience, calls) = try withWorkspace(call) { state, workspace throws(CallError) in
            guard let ordinal = workspace.ordinal(brazeID: brazeID) else {
                throw CallError(
                    404, "There is no user with the Braze ID \(brazeID). It may have been merged or deleted.")
            }
            return (
                state.now, workspace.light, state.audience(workspace),
                Sandbox.calls(touching: ordinal, in: state, workspace.id)
            )
        }
        guard let profile = workspace.ordinal(brazeID: brazeID).flatMap({ workspace.profile($0) }) else {
            throw CallError(404, "There is no such user.")
        }
        var page = workspace.page(profile, at: now)
        var memberships: [JSONValue] = []
        for segment in workspace.segments where !segment.isArchived {
            // A pattern that is too slow keeps its segment out of the list rather than the page from showing.
            if (try? audience.contains(profile, in: segment.definition)) == true {
                memberships.append(["id": .string(segment.id), "name": .string(segment.name)])
            }
        }
        page["segments"] = .array(memberships)
        page["segment_count"] = .number(workspace.segments.count { !$0.isArchived })
        page["calls"] = .array(calls)
        return SandboxAnswer(200, .object(page))
    }

    /// The last calls in the request log that touched a profile.
    static func calls(touching ordinal: Int, in state: SandboxState, _ workspace: String) -> [JSONValue] {
        var calls: [JSONValue] = []
        for entry in state.log.all.reversed() where entry.workspace == workspace {
            let outcomes = entry.outcomes.filter { $0.ordinal == ordinal }
            guard !outcomes.isEmpty else { continue }
            calls.append([
                "number": .number(entry.number), "at": .number(Int(entry.at)), "method": .string(entry.method),
                "path": .string(entry.path), "status": .number(entry.status),
                "outcomes": .array(outcomes.map(\.json)),
            ])
            if calls.count == callsShown { break }
        }
        return calls
    }
}

extension Outcome {
    var json: JSONValue {
        [
            "array": .string(array), "index": .number(index), "identity": .string(orNull: identity),
            "effect": .string(effect.rawValue), "notes": .array(notes.map { .string($0) }),
            "data_points": .number(dataPoints),
        ]
    }
}

/// Finds users as Braze's search does (spec braze §4.2): by external id, Braze ID, email, phone, push token or
/// `label:name`; and, because a sandbox is small, by the start of an external id or email.
struct UserSearch {
    let text: String
    static let resultsKept = 1000

    init(_ text: String) { self.text = text }

    /// Users whom the text names exactly. Needs the workspace's indexes.
    func exact(in workspace: Workspace) -> [Int] {
        var exact: [Int] = []
        exact += [workspace.ordinal(externalID: text), workspace.ordinal(brazeID: text)].compactMap { $0 }
        exact += workspace.byEmail[text.lowercased()] ?? []
        if let phone = Phone.normalise(text, country: nil) { exact += workspace.byPhone[phone] ?? [] }
        if let colon = text.firstIndex(of: ":") {
            let alias = Alias(label: String(text[..<colon]), name: String(text[text.index(after: colon)...]))
            exact += [workspace.resolve(.alias(alias))].compactMap { $0 }
        }
        return exact
    }

    /// The exact hits and whoever begins like the text.
    func find(in workspace: Workspace, after exact: [Int]) -> [Int] {
        var seen: Set<Int> = []
        var found = exact.filter { seen.insert($0).inserted }
        let lower = text.lowercased()
        workspace.profiles.forEach { profile in
            let isHit =
                profile.externalID?.lowercased().hasPrefix(lower) == true || profile.email?.hasPrefix(lower) == true
                || profile.pushTokens.contains { $0["token"]?.string == text }
            if isHit, seen.insert(profile.ordinal).inserted { found.append(profile.ordinal) }
            return found.count < UserSearch.resultsKept
        }
        return found
    }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

import Foundation
import JSON

extension Sandbox {
    func segmentsAPI(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        let action = call.parts.count > 2 ? call.parts[2] : ""
        switch (call.request.method, call.parts.count, action) {
        case ("GET", 1, _): return try segmentList(call)
        case ("POST", 1, _): return try saveSegment(call, id: nil)
        case ("POST", 2, _) where call.parts[1] == "preview": return try previewSegment(call)
        case ("GET", 2, _): return try segmentPage(call, try segment(call))
        case ("PUT", 2, _): return try saveSegment(call, id: try segment(call).id)
        case ("GET", 3, "members"):
            return try members(call, of: [try segment(call).definition])
        case ("POST", 3, "lookup"): return try lookUp(call, in: try segment(call).definition)
        case ("POST", 3, "archive"):
            let segment = try segment(call)
            try set(
                .segment, ["id": .string(segment.id), "archived": .bool(call.body["archived"]?.bool ?? true)], call)
            return try segmentPage(call, try self.segment(call))
        default: throw notAllowed(call)
        }
    }

    private func segment(_ call: PageCall) throws(CallError) -> Segment {
        try withWorkspace(call) { _, workspace throws(CallError) in
            guard let segment = workspace.segment(call.parts[1]) else {
                throw CallError(404, "There is no segment with the id \(call.parts[1]).")
            }
            return segment
        }
    }

    /// Archived segments come last. `sizes=false` leaves the counting out.
    private func segmentList(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        let (workspace, audience) = try withWorkspace(call) { state, workspace throws(CallError) in
            (workspace.light, state.audience(workspace))
        }
        let describer = workspace.describer
        var list: [JSONValue] = []
        for segment in workspace.segments.sorted(by: {
            ($0.isArchived ? 1 : 0, $1.updatedAt) < ($1.isArchived ? 1 : 0, $0.updatedAt)
        }) {
            var object = segment.json
            object["text"] = .string(describer.text(segment.definition))
            let users = workspace.dependents(of: segment.id)
            object["used_in"] = .array(users.messages.map(\.reference) + users.segments.map(\.reference))
            if !segment.isArchived, call.request.parameter("sizes") != "false" {
                object["size"] =
                    (try? audience.members(of: [segment.definition], limit: 0)).map { .number($0.count) } ?? .null
            }
            list.append(.object(object))
        }
        return SandboxAnswer(200, ["segments": .array(list), "users": .number(workspace.profiles.count)])
    }

    private func segmentPage(_ call: PageCall, _ segment: Segment) throws(CallError) -> SandboxAnswer {
        let workspace = try withWorkspace(call) { _, workspace throws(CallError) in workspace.light }
        var object = segment.json
        object["text"] = .string(workspace.describer.text(segment.definition))
        object["warnings"] = .array(segment.definition.warnings.map { .string($0) })
        let users = workspace.dependents(of: segment.id)
        object["used_in"] = .array(users.messages.map(\.reference) + users.segments.map(\.reference))
        object["sizes"] = .array(
            segment.sizes.map {
                ["day": .string(DateText.dateOnly(EpochMilliseconds($0.day) * DateText.day)), "size": .number($0.size)]
            })
        return SandboxAnswer(200, .object(object))
    }

    private func saveSegment(_ call: PageCall, id: String?) throws(CallError) -> SandboxAnswer {
        let name = (call.body["name"]?.string ?? "").trimmed
        guard !name.isEmpty, name.count <= 255 else {
            throw CallError(400, "Give the segment a name of at most 255 characters.")
        }
        let newID = id ?? call.body["id"]?.string ?? UUID().uuidString.lowercased()
        guard newID.utf8.count <= 64,
            newID.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        else {
            throw CallError(400, "An id may have up to 64 letters, digits, - and _.")
        }
        let segment = try withState { state throws(CallError) in
            guard let index = state.workspaceIndex(call.workspace) else {
                throw CallError(404, "The workspace is gone.")
            }
            let workspace = state.workspaces[index]
            do throws(DefinitionError) {
                let definition = try AudienceDefinition(call.body, in: workspace)
                try definition.checkMembership(in: workspace, ownID: newID)
                if let twin = workspace.segments.first(where: { $0.name == name && $0.id != newID && !$0.isArchived }) {
                    throw DefinitionError("The name is taken by another segment (\(twin.id)).")
                }
                let old = workspace.segment(newID)
                let segment = Segment(
                    id: newID, name: name, description: call.body["description"]?.string ?? old?.description ?? "",
                    tags: call.body["tags"]?.array?.compactMap(\.string) ?? old?.tags ?? [],
                    teams: call.body["teams"]?.array?.compactMap(\.string) ?? old?.teams ?? [], definition: definition,
                    createdAt: old?.createdAt ?? state.now, updatedAt: state.now, isArchived: old?.isArchived ?? false)
                return segment
            } catch {
                throw CallError(error)
            }
        }
        try set(.segment, segment.json, call)
        return try segmentPage(call, segment)
    }

    /// A definition that is not saved: its size, first members and warnings.
    private func previewSegment(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        let (workspace, audience) = try withWorkspace(call) { state, workspace throws(CallError) in
            (workspace.light, state.audience(workspace))
        }
        do throws(DefinitionError) {
            let definition = try AudienceDefinition(call.body, in: workspace)
            try definition.checkMembership(in: workspace, ownID: call.body["id"]?.string)
            if let user = call.body["user"]?.string {
                return try verdict(call, on: user, definition, workspace, audience)
            }
            let result = try audience.members(of: [definition], limit: call.integer("limit", default: 20, in: 0...200))
            var answer = Sandbox.reach(result, workspace, audience)
            answer["text"] = .string(workspace.describer.text(definition))
            answer["warnings"] = .array(definition.warnings.map { .string($0) })
            return SandboxAnswer(200, .object(answer))
        } catch {
            throw CallError(error)
        }
    }

    /// Size, reachability and listed members.
    static func reach(_ result: Audience.Result, _ workspace: Workspace, _ audience: Audience) -> JSONObject {
        [
            "size": .number(result.count), "users": .number(audience.profiles.count),
            "with_email": .number(result.withEmail), "with_push": .number(result.withPush),
            "now": .number(Int(audience.now)),
            "revision": .number(audience.revision),
            "members": .array(
                result.listed.compactMap { audience.profiles[$0] }.map { .object(workspace.summary($0)) }),
        ]
    }

    func members(_ call: PageCall, of definitions: [AudienceDefinition]) throws(CallError) -> SandboxAnswer {
        let (workspace, audience) = try withWorkspace(call) { state, workspace throws(CallError) in
            (workspace.light, state.audience(workspace))
        }
        do throws(DefinitionError) {
            let result = try audience.members(
                of: definitions, offset: call.integer("offset", default: 0, in: 0...Int(Int32.max)),
                limit: call.integer("limit", default: 50, in: 0...500))
            if call.parts.first == "segments", let segment = workspace.segment(call.parts[1]) {
                record(size: result.count, of: segment, call, at: audience.now)
            }
            return SandboxAnswer(200, .object(Sandbox.reach(result, workspace, audience)))
        } catch {
            throw CallError(error)
        }
    }

    /// Keeps a segment's size of the day; journaled once a day, so that a polling page does not fill the disk.
    func record(size: Int, of segment: Segment, _ call: PageCall, at now: EpochMilliseconds) {
        let day = Int(DateText.floorDivide(now, DateText.day))
        guard segment.sizes.last.map({ $0.day != day || $0.size != size }) ?? true else { return }
        let body: JSONObject = ["id": .string(segment.id), "day": .number(day), "size": .number(size)]
        if segment.sizes.last?.day == day {
            withState { state in
                guard let index = state.workspaceIndex(call.workspace) else { return }
                state.workspaces[index].apply(.segmentSize, body, at: now)
            }
        } else {
            // A size that could not be journaled is seen again with the next look.
            try? set(.segmentSize, body, call)
        }
    }

    private func lookUp(_ call: PageCall, in definition: AudienceDefinition) throws(CallError) -> SandboxAnswer {
        let (workspace, audience) = try withWorkspace(call) { state, workspace throws(CallError) in
            (workspace.light, state.audience(workspace))
        }
        do throws(DefinitionError) {
            return try verdict(call, on: call.body["user"]?.string ?? "", definition, workspace, audience)
        } catch {
            throw CallError(error)
        }
    }

    /// User Lookup (spec braze §5.5): by external id or Braze ID, not by email.
    private func verdict(
        _ call: PageCall, on text: String, _ definition: AudienceDefinition, _ workspace: Workspace,
        _ audience: Audience
    ) throws(DefinitionError) -> SandboxAnswer {
        let text = text.trimmed
        guard !text.isEmpty else { throw DefinitionError("Enter an external ID or a Braze ID.") }
        let found = withState { state in
            state.workspaceIndex(call.workspace).flatMap { index in
                state.workspaces[index].ordinal(externalID: text) ?? state.workspaces[index].ordinal(brazeID: text)
            }
        }
        guard let ordinal = found,
            let profile = audience.profiles[ordinal]
        else {
            if Email.isValid(text) {
                throw DefinitionError("User Lookup takes an external ID or a Braze ID, not an email address.")
            }
            throw DefinitionError("There is no user with the external ID or Braze ID \(text).")
        }
        let compiled = try CompiledAudience(definition, in: audience)
        let describer = workspace.describer
        let unmet = compiled.unmet(profile) { describer.text($0) }
        try compiled.checkSpeed()
        return SandboxAnswer(
            200,
            [
                "matches": .bool(unmet.isEmpty), "unmet": .array(unmet.map { .string($0) }),
                "user": .object(workspace.summary(profile)),
            ])
    }
}

extension Segment {
    fileprivate var reference: JSONValue {
        ["kind": "segment", "id": .string(id), "name": .string(name), "archived": .bool(isArchived)]
    }
}

extension Message {
    fileprivate var reference: JSONValue {
        ["kind": .string(kind.rawValue), "id": .string(id), "name": .string(name), "archived": .bool(isArchived)]
    }
}

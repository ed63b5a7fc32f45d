import Foundation
import JSON

extension Sandbox {
    /// Campaigns and Canvases: the *target users* step, the reachable audience, dry runs.
    func messagesAPI(_ call: PageCall, _ kind: Message.Kind) throws(CallError) -> SandboxAnswer {
        let action = call.parts.count > 2 ? call.parts[2] : ""
        switch (call.request.method, call.parts.count, action) {
        case ("GET", 1, _):
            return try withWorkspace(call) { _, workspace throws(CallError) in
                let list = workspace.messages.filter { $0.kind == kind }.map { workspace.page($0) }
                return SandboxAnswer(200, ["messages": .array(list)])
            }
        case ("POST", 1, _): return try saveMessage(call, kind, id: nil)
        case ("POST", 2, _) where call.parts[1] == "preview":
            let draft = try draft(call, kind, id: "preview")
            return try members(call, of: draft)
        case ("GET", 2, _):
            let message = try message(call, kind)
            return try withWorkspace(call) { _, workspace throws(CallError) in
                SandboxAnswer(200, workspace.page(message))
            }
        case ("PUT", 2, _): return try saveMessage(call, kind, id: try message(call, kind).id)
        case ("GET", 3, "audience"): return try members(call, of: try message(call, kind))
        case ("POST", 3, "archive"):
            let message = try message(call, kind)
            let body: JSONObject = ["id": .string(message.id), "archived": .bool(call.body["archived"]?.bool ?? true)]
            try set(kind == .campaign ? .campaign : .canvas, body, call)
            return SandboxAnswer(200, ["message": "success"])
        case ("POST", 3, "send"): return try dryRun(call, try message(call, kind))
        default: throw notAllowed(call)
        }
    }

    private func message(_ call: PageCall, _ kind: Message.Kind) throws(CallError) -> Message {
        try withWorkspace(call) { _, workspace throws(CallError) in
            guard let message = workspace.message(kind, call.parts[1]) else {
                throw CallError(404, "There is no \(kind.rawValue) with the id \(call.parts[1]).")
            }
            return message
        }
    }

    private func draft(_ call: PageCall, _ kind: Message.Kind, id: String) throws(CallError) -> Message {
        try withWorkspace(call) { state, workspace throws(CallError) in
            let ids = call.body["segments"]?.array?.compactMap(\.string) ?? []
            for id in ids {
                guard let segment = workspace.segment(id) else {
                    throw CallError(400, "There is no segment with the id \(id).")
                }
                guard !segment.isArchived else { throw CallError(400, "The segment \"\(segment.name)\" is archived.") }
            }
            do throws(DefinitionError) {
                let filters = try AudienceDefinition(
                    call.body["filters"]?.object ?? JSONObject(), in: workspace, needsFilter: false)
                for id in filters.segmentIDs where workspace.segment(id)?.isArchived ?? true {
                    throw DefinitionError("There is no active segment with the id \(id).")
                }
                let old = workspace.message(kind, id)
                return Message(
                    kind: kind, id: id, name: (call.body["name"]?.string ?? "").trimmed, segmentIDs: ids,
                    filters: filters,
                    createdAt: old?.createdAt ?? state.now, updatedAt: state.now, isArchived: old?.isArchived ?? false)
            } catch {
                throw CallError(error)
            }
        }
    }

    private func saveMessage(_ call: PageCall, _ kind: Message.Kind, id: String?) throws(CallError) -> SandboxAnswer {
        let draft = try draft(call, kind, id: id ?? UUID().uuidString.lowercased())
        guard !draft.name.isEmpty, draft.name.count <= 255 else {
            throw CallError(400, "Give the \(kind.rawValue) a name of at most 255 characters.")
        }
        guard !draft.segmentIDs.isEmpty || !draft.filters.filters.isEmpty else {
            throw CallError(
                400, "Choose at least one segment or add a filter: the sandbox does not target everyone by accident.")
        }
        try set(kind == .campaign ? .campaign : .canvas, draft.json, call)
        return try withWorkspace(call) { _, workspace throws(CallError) in SandboxAnswer(200, workspace.page(draft)) }
    }

    private func members(_ call: PageCall, of message: Message) throws(CallError) -> SandboxAnswer {
        let definitions = try withWorkspace(call) { _, workspace throws(CallError) in workspace.definitions(of: message)
        }
        return try members(call, of: definitions)
    }

    /// Evaluates now, as a send would, and keeps the record. Nothing is sent.
    private func dryRun(_ call: PageCall, _ message: Message) throws(CallError) -> SandboxAnswer {
        guard !message.isArchived else { throw CallError(400, "The \(message.kind.rawValue) is archived.") }
        let (workspace, audience) = try withWorkspace(call) { state, workspace throws(CallError) in
            (workspace.light, state.audience(workspace))
        }
        do throws(DefinitionError) {
            let result = try audience.members(of: workspace.definitions(of: message), limit: Send.listed)
            let send = Send(
                id: UUID().uuidString.lowercased(), at: audience.now, kind: message.kind, messageID: message.id,
                count: result.count,
                recipients: result.listed.compactMap { audience.profiles[$0] }.map { workspace.label($0) },
                source: "page")
            do throws(CallError) { try set(.send, send.json, call) } catch { throw DefinitionError(error.message) }
            return SandboxAnswer(201, .object(send.json))
        } catch {
            throw CallError(error)
        }
    }

    func sendsAPI(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        guard call.request.method == "GET" else { throw notAllowed(call) }
        return try withWorkspace(call) { _, workspace throws(CallError) in
            let id = call.request.parameter("message")
            let sends = workspace.sends.reversed().filter { id == nil || $0.messageID == id }.map { send in
                var object = send.json
                object["name"] = .string(workspace.message(send.kind, send.messageID)?.name ?? send.messageID)
                return JSONValue.object(object)
            }
            return SandboxAnswer(200, ["sends": .array(sends)])
        }
    }
}

extension Workspace {
    /// Whom a message is for: all its segments and its filters (spec braze §5.7).
    func definitions(of message: Message) -> [AudienceDefinition] {
        message.segmentIDs.compactMap { segment($0)?.definition } + [message.filters]
    }

    func page(_ message: Message) -> JSONValue {
        var object = message.json
        object["kind"] = .string(message.kind.rawValue)
        object["segment_names"] = .array(message.segmentIDs.map { .string(segment($0)?.name ?? $0) })
        object["text"] = message.filters.filters.isEmpty ? .null : .string(describer.text(message.filters))
        object["send_count"] = .number(sends.count { $0.messageID == message.id })
        return .object(object)
    }
}

import JSON

/// A request to the pages' own API, `/sandbox/api/…`, which scripts may use too.
struct PageCall {
    let request: SandboxRequest
    /// Path below `/sandbox/api`, percent-decoded.
    let parts: [String]
    /// Id of the workspace that is looked at.
    let workspace: String
    let body: JSONObject

    func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        let value = request.parameter(name).flatMap { Int($0) } ?? fallback
        return min(max(value, range.lowerBound), range.upperBound)
    }
}

extension Sandbox {
    /// Answers everything that is not Braze's API; `nil` where the path is none of the pages'.
    func pages(_ request: SandboxRequest) -> SandboxAnswer? {
        let path = request.path
        if path == "/" || path == "/sandbox" {
            return SandboxAnswer(status: 302, headers: [("location", "/sandbox/users")], body: [])
        }
        guard path.hasPrefix("/sandbox/") else { return nil }
        let parts = path.split(separator: "/").dropFirst().map { PercentText.decode($0.replacing("+", with: "%2B")) }
        guard parts.first == "api" else { return page(request, Array(parts)) }
        do throws(CallError) {
            return try api(request, Array(parts.dropFirst()))
        } catch {
            return error.answer
        }
    }

    private func api(_ request: SandboxRequest, _ parts: [String]) throws(CallError) -> SandboxAnswer {
        var body = JSONObject()
        if request.method != "GET" {
            try checkOrigin(request)
            if let bytes = request.body, !bytes.isEmpty {
                // A form cannot send this content type, so another site cannot make a browser change anything here.
                guard request.header("content-type")?.lowercased().hasPrefix("application/json") == true else {
                    throw CallError(415, "Send JSON with the header Content-Type: application/json.")
                }
                guard let value = try? JSONValue(parsing: bytes), let object = value.object else {
                    throw CallError(400, "The body must be a JSON object.")
                }
                body = object
            } else if request.body == nil {
                throw CallError(413, "The body is larger than 4 MB.")
            }
        }
        let wanted = request.parameter("workspace")
        let workspace = withState { state in
            wanted.map { state.workspaceIndex($0) != nil ? $0 : nil } ?? state.workspaces.first?.id
        }
        guard let workspace else { throw CallError(404, "There is no workspace \(wanted ?? "").") }
        let call = PageCall(request: request, parts: parts, workspace: workspace, body: body)
        switch parts.first {
        case "state": return try stateAPI(call)
        case "users": return try usersAPI(call)
        case "catalogue", "attributes", "events", "blocked": return try catalogueAPI(call)
        case "segments": return try segmentsAPI(call)
        case "campaigns": return try messagesAPI(call, .campaign)
        case "canvases": return try messagesAPI(call, .canvas)
        case "sends": return try sendsAPI(call)
        case "requests": return try requestsAPI(call)
        case "switches", "faults", "keys", "partner", "workspaces", "reset": return try settingsAPI(call)
        default: throw CallError(404, "There is no /sandbox/api/\(parts.joined(separator: "/")).")
        }
    }

    /// Changes come from this server's own pages or from programs, not from other sites.
    private func checkOrigin(_ request: SandboxRequest) throws(CallError) {
        guard let origin = request.header("origin"), let host = request.header("host") else { return }
        guard origin.hasSuffix("//" + host) else { throw CallError(403, "Another site may not change the sandbox.") }
    }

    func notAllowed(_ call: PageCall) -> CallError {
        CallError(405, "\(call.request.method) is not possible on \(call.request.path).")
    }

    /// Works on the call's workspace as it is now.
    func withWorkspace<Result>(
        _ call: PageCall, _ body: (SandboxState, Workspace) throws(CallError) -> sending Result
    ) throws(CallError) -> sending Result {
        try withState { state throws(CallError) in
            guard let index = state.workspaceIndex(call.workspace) else {
                throw CallError(404, "The workspace is gone.")
            }
            return try body(state, state.workspaces[index])
        }
    }

    /// Journals and applies a change that was checked.
    func set(_ setting: Operation.Setting, _ body: JSONObject, _ call: PageCall) throws(CallError) {
        try withState { state throws(CallError) in
            try accept(
                Operation(workspace: call.workspace, at: state.now, due: state.now, change: .setting(setting, body)),
                &state)
        }
    }

    /// A copy to evaluate segments on.
    func audience(_ call: PageCall) throws(CallError) -> Audience {
        try withWorkspace(call) { state, workspace throws(CallError) in state.audience(workspace) }
    }
}

extension CallError {
    init(_ error: DefinitionError) { self.init(400, error.description) }
}

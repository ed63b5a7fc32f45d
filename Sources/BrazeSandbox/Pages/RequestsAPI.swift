import JSON

extension Sandbox {
    /// The request log: `status=2xx|4xx|5xx|lost`, `path=`, `before=` a number, `limit=`.
    func requestsAPI(_ call: PageCall) throws(CallError) -> SandboxAnswer {
        guard call.request.method == "GET" else { throw notAllowed(call) }
        if call.parts.count == 2 {
            return try withState { state throws(CallError) in
                guard let entry = Int(call.parts[1]).flatMap({ state.log.entry($0) }) else {
                    throw CallError(404, "The log keeps the last 2,000 requests; this one is not among them.")
                }
                return SandboxAnswer(200, .object(Sandbox.page(entry, state)))
            }
        }
        let limit = call.integer("limit", default: 50, in: 1...500)
        let before = call.integer("before", default: .max, in: 1...Int.max)
        let status = call.request.parameter("status") ?? ""
        let path = call.request.parameter("path") ?? ""
        return withState { state in
            var entries: [JSONValue] = []
            for entry in state.log.all.reversed() where entry.number < before {
                // Calls without a valid key belong to no workspace and show in all of them.
                guard entry.workspace == nil || entry.workspace == call.workspace else { continue }
                guard path.isEmpty || entry.path.hasPrefix(path), Sandbox.hasStatus(entry, status) else { continue }
                entries.append(.object(Sandbox.summary(entry)))
                if entries.count == limit { break }
            }
            return SandboxAnswer(
                200,
                [
                    "requests": .array(entries), "now": .number(Int(state.now)),
                    "total": .number(state.log.nextNumber - 1),
                ])
        }
    }

    private static func hasStatus(_ entry: RequestLog.Entry, _ wanted: String) -> Bool {
        switch wanted {
        case "": true
        case "lost": entry.status == 0
        case "problems": entry.status < 200 || entry.status >= 300 || entry.outcomes.contains { $0.effect == .refused }
        default: wanted.utf8.count == 3 && String(entry.status / 100) + "xx" == wanted
        }
    }

    private static func summary(_ entry: RequestLog.Entry) -> JSONObject {
        [
            "number": .number(entry.number), "at": .number(Int(entry.at)), "method": .string(entry.method),
            "path": .string(entry.path), "status": .number(entry.status), "key": .string(orNull: entry.key),
            "fault": .string(orNull: entry.fault), "bytes": .number(entry.requestBytes),
            "objects": .number(entry.outcomes.count),
            "refused": .number(entry.outcomes.count { $0.effect == .refused }),
            "waiting": .number(entry.outcomes.count { $0.effect == .waiting }),
            "without_effect": .number(entry.outcomes.count { $0.effect == .nothing }),
            "data_points": .number(entry.outcomes.reduce(0) { $0 + $1.dataPoints }),
        ]
    }

    private static func page(_ entry: RequestLog.Entry, _ state: SandboxState) -> JSONObject {
        var object = summary(entry)
        func fields(_ list: [(name: String, value: String)]) -> JSONValue {
            .array(list.map { ["name": .string($0.name), "value": .string($0.value)] })
        }
        let workspace = entry.workspace.flatMap { state.workspaceIndex($0) }.map { state.workspaces[$0] }
        object["remote"] = .string(orNull: entry.remote)
        object["workspace"] = .string(orNull: entry.workspace)
        object["request_headers"] = fields(entry.headers)
        object["request_body"] = .string(String(decoding: entry.requestBody, as: UTF8.self))
        object["request_cut"] = .bool(entry.requestBody.count < entry.requestBytes)
        object["answer_headers"] = fields(entry.answerHeaders)
        object["answer_body"] = .string(String(decoding: entry.answerBody, as: UTF8.self))
        object["outcomes"] = .array(
            entry.outcomes.map { outcome in
                var json = outcome.json.object ?? JSONObject()
                json["braze_id"] = .string(orNull: outcome.ordinal.flatMap { workspace?.profile($0)?.brazeID })
                return .object(json)
            })
        return object
    }
}

import JSON

/// What every call of the REST API passes, in this order (spec braze §1.4): key, path, permission, rate limit, content
/// type, size, JSON; then the endpoint's own checks.
extension Sandbox {
    func gate(_ request: SandboxRequest) -> SandboxAnswer {
        let endpoint = Endpoint.find(request)
        let admission = withState { state in admit(request, endpoint, &state) }
        var answer: SandboxAnswer
        if let early = admission.answer {
            answer = early
        } else {
            do throws(CallError) {
                guard let endpoint else { throw CallError(404, "Not Found") }
                answer = try endpoint.handler(self)(try call(request, endpoint, admission))
            } catch {
                answer = error.answer
            }
        }
        answer.headers += admission.headers
        answer.isLost = admission.fault == .lostAnswer || admission.fault == .lostRequest
        answer.delayMilliseconds = admission.delayMilliseconds
        let finished = answer
        withState { state in
            state.log.answer(
                admission.number, status: finished.isLost ? 0 : finished.status, headers: finished.headers,
                body: finished.body)
        }
        return answer
    }

    /// What the first half of the gate found.
    struct Admission: Sendable {
        var number = 0
        var receivedAt: EpochMilliseconds = 0
        var workspace = ""
        var switches = SandboxSwitches()
        var headers: [(String, String)] = []
        var delayMilliseconds = 0
        var fault: Faults.Kind?
        /// Set where the call ends here.
        var answer: SandboxAnswer?
    }

    private func admit(_ request: SandboxRequest, _ endpoint: Endpoint?, _ state: inout SandboxState) -> Admission {
        var admission = Admission()
        admission.receivedAt = state.now
        admission.switches = state.switches
        admission.delayMilliseconds = state.faults.delayMilliseconds
        admission.fault = state.faults.draw(&state.generator)
        admission.number = state.log.add { number in
            RequestLog.Entry(
                number: number, at: state.now, method: request.method,
                path: request.query.isEmpty ? request.path : "\(request.path)?\(request.query)",
                headers: Sandbox.shownHeaders(request), remote: request.remoteAddress,
                requestBytes: request.body?.count ?? SandboxRequest.maximumBodyBytes + 1,
                requestBody: Array((request.body ?? []).prefix(RequestLog.bodyBytesKept)),
                fault: admission.fault?.rawValue)
        }
        let pool = endpoint?.pool ?? .general
        // Calls that do not get as far as the limit still see it in their headers.
        let glance = state.limiter.take(pool, at: state.now, switches: state.switches, counting: false)
        admission.headers = RateLimiter.headers(glance, at: state.now, mode: state.switches.rateMode)
        if admission.fault == .error {
            admission.answer = .message(
                state.faults.isDown ? 503 : state.faults.errorStatus, "Injected by a fault knob of the sandbox")
            return admission
        }
        if admission.fault == .lostRequest {
            admission.answer = .message(503, "The connection was closed by a fault knob of the sandbox")
            return admission
        }
        do throws(CallError) {
            let key = endpoint?.needsKey == false ? nil : try authorise(request, endpoint, &state)
            admission.workspace = key.map { state.keys[$0].workspace } ?? state.workspaces.first?.id ?? ""
            state.log.update(admission.number) { entry in
                entry.key = key.map { state.keys[$0].name } ?? "partner"
                entry.workspace = admission.workspace
            }
            var verdict = state.limiter.take(pool, at: state.now, switches: state.switches)
            if admission.fault == .tooMany {
                verdict = RateLimiter.Verdict(
                    isAllowed: false, limit: verdict.limit, remaining: 0, resetsAt: state.now + 1000)
            }
            admission.headers = RateLimiter.headers(verdict, at: state.now, mode: state.switches.rateMode)
            guard verdict.isAllowed else { throw CallError(429, "Rate limit exceeded") }
        } catch {
            admission.answer = error.answer
        }
        return admission
    }

    /// Key, path, permission. The index of the key.
    private func authorise(
        _ request: SandboxRequest, _ endpoint: Endpoint?, _ state: inout SandboxState
    ) throws(CallError) -> Int {
        var secret: String?
        if let header = request.header("authorization") {
            let parts = header.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer" { secret = String(parts[1]) }
        } else if state.switches.legacyKey, let body = request.body {
            secret = (try? JSONValue(parsing: body))?["api_key"]?.string ?? request.parameter("api_key")
        }
        guard let secret, let index = state.key(secret: secret) else { throw CallError(401, "Invalid API Key") }
        state.keys[index].lastSeen = state.now
        let key = state.keys[index]
        guard key.admits(request.remoteAddress) else { throw CallError(403, "Access Denied") }
        guard let endpoint else {
            if Endpoint.isTrailingSlashVariant(request.method, request.path) { throw CallError(403, "Access Denied") }
            throw CallError(404, "Not Found")
        }
        guard key.permissions.contains(endpoint.permission) else { throw CallError(403, "Access Denied") }
        return index
    }

    /// Content type, size, JSON.
    private func call(
        _ request: SandboxRequest, _ endpoint: Endpoint, _ admission: Admission
    ) throws(CallError) -> Call {
        var body = JSONObject()
        if endpoint.method == "POST" {
            let type = (request.header("content-type") ?? "").split(separator: ";").first ?? ""
            guard type.lowercased().filter({ !$0.isWhitespace }) == "application/json" else {
                throw CallError(415, "Unsupported Media Type")
            }
            guard let bytes = request.body, bytes.count <= SandboxRequest.maximumBodyBytes else {
                throw CallError(413, "Payload Too Large")
            }
            let value: JSONValue
            do {
                value = try JSONValue(parsing: bytes)
            } catch {
                throw CallError(400, ErrorTexts.parse)
            }
            // Another JSON value has no usable member; the endpoint says what it misses.
            body = value.object ?? JSONObject()
        }
        return Call(
            workspace: admission.workspace, body: body, request: request, number: admission.number,
            receivedAt: admission.receivedAt, switches: admission.switches)
    }

    /// Headers worth showing; the key is masked.
    static func shownHeaders(_ request: SandboxRequest) -> [(name: String, value: String)] {
        let hidden: Set<String> = [
            "host", "connection", "accept", "accept-encoding", "content-length", "transfer-encoding",
        ]
        return request.headers.filter { !hidden.contains($0.name) }.prefix(40).map { header in
            guard header.name == "authorization" else { return (header.name, String(header.value.prefix(1000))) }
            return (header.name, mask(header.value))
        }
    }

    /// `Bearer ••••6789`: enough to tell keys apart.
    static func mask(_ secret: String) -> String {
        let scheme = secret.hasPrefix("Bearer ") ? "Bearer " : ""
        let rest = secret.dropFirst(scheme.count)
        return scheme + "••••" + (rest.count > 8 ? rest.suffix(4) : "")
    }
}

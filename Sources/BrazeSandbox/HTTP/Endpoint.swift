import JSON

/// A checked call of the REST API on its way to its handler.
struct Call: Sendable {
    let workspace: String
    let body: JSONObject
    let request: SandboxRequest
    /// Number in the request log.
    let number: Int
    let receivedAt: EpochMilliseconds
    let switches: SandboxSwitches
}

/// A path of Braze's REST API.
struct Endpoint: Sendable {
    let method: String
    let path: String
    let permission: String
    let pool: RateLimiter.Pool
    let handler: @Sendable (Sandbox) -> (Call) throws(CallError) -> SandboxAnswer

    init(
        _ method: String, _ path: String, _ permission: String, _ pool: RateLimiter.Pool,
        _ handler: @escaping @Sendable (Sandbox) -> (Call) throws(CallError) -> SandboxAnswer
    ) {
        self.method = method
        self.path = path
        self.permission = permission
        self.pool = pool
        self.handler = handler
    }

    static let all: [Endpoint] = [
        Endpoint("POST", "/users/track", "users.track", .track) { $0.track },
        Endpoint("POST", "/users/export/ids", "users.export.ids", .exportIDs) { $0.exportIDs },
    ]

    private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ("\($0.method) \($0.path)", $0) })

    static func find(_ method: String, _ path: String) -> Endpoint? { byPath["\(method) \(path)"] }

    /// A known path with a slash at its end: Braze answers 403, never as if the slash were not there (§1.1).
    static func isTrailingSlashVariant(_ method: String, _ path: String) -> Bool {
        guard path.hasSuffix("/") else { return false }
        var path = path
        while path.hasSuffix("/") { path.removeLast() }
        return find(method, path) != nil
    }
}

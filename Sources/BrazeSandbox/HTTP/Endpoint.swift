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
        Endpoint("POST", "/users/track/sync", "users.track.sync", .trackSync) { $0.trackSync },
        Endpoint("POST", "/users/track/bulk", "users.track.bulk", .trackBulk) { $0.trackBulk },
        Endpoint("POST", "/users/alias/new", "users.alias.new", .identity) { $0.newAliases },
        Endpoint("POST", "/users/alias/update", "users.alias.update", .identity) { $0.updateAliases },
        Endpoint("POST", "/users/identify", "users.identify", .identity) { $0.identify },
        Endpoint("POST", "/users/merge", "users.merge", .identity) { $0.merge },
        Endpoint("POST", "/users/delete", "users.delete", .identity) { $0.delete },
        Endpoint("POST", "/users/external_ids/rename", "users.external_ids.rename", .rename) { $0.rename },
        Endpoint("POST", "/users/external_ids/remove", "users.external_ids.remove", .removeID) { $0.removeDeprecated },
        Endpoint("POST", "/users/export/ids", "users.export.ids", .exportIDs) { $0.exportIDs },
        Endpoint("POST", "/users/export/segment", "users.export.segment", .general) { $0.exportSegment },
        Endpoint("POST", "/export/segment/cancel", "segments.list", .general) { $0.cancelExport },
        Endpoint("GET", "/segments/list", "segments.list", .general) { $0.segmentsList },
        Endpoint("GET", "/segments/details", "segments.details", .general) { $0.segmentDetails },
        Endpoint("GET", "/segments/data_series", "segments.data_series", .general) { $0.segmentSeries },
        Endpoint("GET", "/custom_attributes", "custom_attributes.get", .lists) { $0.attributesList },
        Endpoint("GET", "/events/list", "events.list", .lists) { $0.eventsList },
        Endpoint("GET", "/events", "events.get", .lists) { $0.eventsFull },
        Endpoint("GET", "/events/data_series", "events.data_series", .general) { $0.eventsSeries },
        Endpoint("GET", "/purchases/product_list", "purchases.product_list", .lists) { $0.productsList },
        Endpoint("GET", "/campaigns/list", "campaigns.list", .general) { $0.campaignsList },
        Endpoint("GET", "/campaigns/details", "campaigns.details", .general) { $0.campaignDetails },
        Endpoint("GET", "/canvas/list", "canvas.list", .general) { $0.canvasesList },
        Endpoint("GET", "/canvas/details", "canvas.details", .general) { $0.canvasDetails },
        Endpoint("POST", "/campaigns/trigger/send", "campaigns.trigger.send", .general) { $0.triggerCampaign },
        Endpoint("POST", "/canvas/trigger/send", "canvas.trigger.send", .general) { $0.triggerCanvas },
        Endpoint("POST", "/subscription/status/set", "subscription.status.set", .subscription) { $0.setSubscription },
        Endpoint("POST", "/v2/subscription/status/set", "subscription.status.set", .subscription) {
            $0.setSubscriptionsV2
        },
        Endpoint("GET", "/subscription/status/get", "subscription.status.get", .general) { $0.subscriptionStatus },
        Endpoint("GET", "/subscription/user/status", "subscription.groups.get", .general) { $0.subscriptionsOfUser },
    ]

    /// Cohort calls carry their secrets in the body: they pass without a key.
    private static let cohorts = Endpoint("POST", "/partners/*/cohorts", "", .cohorts) { sandbox in
        { call throws(CallError) in try sandbox.cohorts(call, path: call.request.path) }
    }

    static func find(_ request: SandboxRequest) -> Endpoint? {
        Sandbox.isCohortPath(request) ? cohorts : find(request.method, request.path)
    }

    var needsKey: Bool { pool != .cohorts }

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

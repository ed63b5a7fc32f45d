import HTTPTypes
import Hummingbird
import JSON
import Model
import NIOCore

extension Ingest {
    /// The settings that client libraries fetch before they send (spec: collection §1.11). What they must hold, and why,
    /// is listed there: above all our own host, as clients send to the one that they find here.
    func settings(_ request: Request, writeKey: String) -> Response {
        guard let source = sources.source(writeKey: writeKey) else {
            return reply(to: request, status: .notFound, code: "not_found", message: "No source has this write key")
        }
        let host = configuration.publicHost ?? request.head.authority ?? "localhost"
        var headers = headers(for: request)
        headers[.cacheControl] = "public, max-age=120"
        // The body tells hosts apart.
        if configuration.publicHost == nil { headers[.vary] = headers[.vary].map { $0 + ", Host" } ?? "Host" }
        let body = Ingest.settings(writeKey: source.writeKey, apiHost: host + "/v1")
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body.utf8)))
    }

    static func settings(writeKey: String, apiHost: String) -> JSONValue {
        let enabledByDefault: JSONValue = ["__default": ["enabled": true]]
        return [
            "integrations": [
                "Segment.io": [
                    "apiKey": .string(writeKey), "apiHost": .string(apiHost), "unbundledIntegrations": [],
                    "addBundledMetadata": true, "maybeBundledConfigIds": [:],
                    "versionSettings": ["version": "4.4.7", "componentTypes": ["browser"]],
                    "httpConfig": retrySettings,
                ]
            ],
            "plan": ["track": enabledByDefault, "identify": enabledByDefault, "group": enabledByDefault],
            "edgeFunction": [:], "middlewareSettings": ["routingRules": []], "enabledMiddleware": [:],
            "metrics": ["sampleRate": 0], "legacyVideoPluginsEnabled": false, "remotePlugins": [],
        ]
    }

    /// Makes the newer clients retry with bounds and heed Retry-After.
    private static let retrySettings: JSONValue = [
        "rateLimitConfig": ["enabled": true, "maxRetryCount": 100, "maxRetryInterval": 300],
        "backoffConfig": [
            "enabled": true, "maxRetryCount": 100, "baseBackoffInterval": 0.5, "maxBackoffInterval": 300,
            "maxTotalBackoffDuration": 43_200, "jitterPercent": 10, "default4xxBehavior": "drop",
            "default5xxBehavior": "retry",
            "statusCodeOverrides": [
                "408": "retry", "410": "retry", "429": "retry", "460": "retry", "501": "drop", "505": "drop",
            ],
        ],
    ]
}

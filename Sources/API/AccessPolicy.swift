import Crypto
import Foundation
import HTTPTypes
public import Hummingbird
import JSON
import NIOCore

/// Who may use the API and the console.
///
/// Without a password everybody who reaches the server may; it must then listen on loopback only, and it answers only
/// requests for a loopback name, so that no web page reaches it by pointing a name of its own at this machine. With a
/// password every request needs it. Foreign web pages never get through: no CORS headers, foreign origins are refused,
/// changes need a JSON content type, which a form can't send. Tracking paths are not behind this.
public struct AccessPolicy: Sendable {
    private let passwordDigest: SHA256.Digest?
    private let ownHosts: Set<String>

    /// `ownHosts` are names besides loopback under which the server is reached, for example behind a proxy that changes
    /// `Host`; with ports where these are not the standard ones.
    public init(password: String?, ownHosts: Set<String> = []) {
        passwordDigest = password.map { SHA256.hash(data: Data($0.utf8)) }
        self.ownHosts = Set(ownHosts.map { $0.lowercased() })
    }

    public var needsPassword: Bool { passwordDigest != nil }

    /// What speaks against the request, or nothing.
    func objection(to request: Request) -> APIError? {
        let host = (request.head.authority ?? "").lowercased()
        if passwordDigest == nil, !host.isEmpty, !AccessPolicy.isLoopback(host), !ownHosts.contains(host) {
            return APIError(
                .forbidden,
                "This server has no admin password, so it answers only under a loopback name such as localhost."
                    + " Set an admin password to reach it as '\(host.prefixText)'.")
        }
        if let objection = foreignPage(request, host: host) { return objection }
        if let passwordDigest {
            let isRight = AccessPolicy.credentials(in: request.headers).contains { candidate in
                // Digests compare in constant time.
                SHA256.hash(data: Data(candidate.utf8)) == passwordDigest
            }
            if !isRight {
                return APIError(
                    .unauthorized,
                    "The admin password is needed: send it as 'Authorization: Bearer <password>' or with Basic.")
            }
        }
        return contentType(request)
    }

    private func foreignPage(_ request: Request, host: String) -> APIError? {
        let refusal = APIError(.forbidden, "Web pages of other sites may not use this server.")
        if let origin = request.headers[.origin]?.lowercased() {
            guard let separator = origin.range(of: "://") else { return refusal }
            let originHost = String(origin[separator.upperBound...])
            if originHost != host, !ownHosts.contains(originHost) { return refusal }
        }
        let isNavigation = request.method == .get && request.headers[.secFetchMode] == "navigate"
        if request.headers[.secFetchSite] == "cross-site", !isNavigation { return refusal }
        return nil
    }

    private func contentType(_ request: Request) -> APIError? {
        guard [.post, .put, .patch, .delete].contains(request.method) else { return nil }
        if request.method == .delete, request.headers[.contentType] == nil, request.headers[.origin] == nil {
            return nil
        }
        let type = (request.headers[.contentType] ?? "").lowercased()
            .prefix { $0 != ";" }.filter { !$0.isWhitespace }
        if type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json")) { return nil }
        return APIError(.unsupportedMediaType, "Send JSON, with the header 'Content-Type: application/json'.")
    }

    /// What the request offers as password: a Bearer token, or either field of Basic.
    private static func credentials(in headers: HTTPFields) -> [String] {
        guard let header = headers[.authorization] else { return [] }
        let parts = header.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return [] }
        switch parts[0].lowercased() {
        case "bearer": return [parts[1]]
        case "basic":
            guard let text = Base64.decode(parts[1]) else { return [] }
            let fields = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return fields.filter { !$0.isEmpty }
        default: return []
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host.hasPrefix("[") { return host.hasPrefix("[::1]") }
        let name = host.prefix { $0 != ":" }
        if name == "localhost" || name.hasSuffix(".localhost") { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// Keeps everybody out who is not let in by a policy, and turns errors into answers.
public struct AccessMiddleware<Context: RequestContext>: RouterMiddleware {
    private let policy: AccessPolicy
    private let errorShape: ErrorShape

    public init(policy: AccessPolicy) { self.init(policy: policy, errorShape: .management) }

    init(policy: AccessPolicy, errorShape: ErrorShape) {
        self.policy = policy
        self.errorShape = errorShape
    }

    public func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response: Response
        if let objection = policy.objection(to: request) {
            response = Answer.failure([objection], shape: errorShape)
        } else {
            do {
                response = try await next(request, context)
            } catch {
                response = Answer.failure(Answer.errors(from: error, logger: context.logger), shape: errorShape)
            }
        }
        response.headers[.requestID] = String(UInt64.random(in: .min ... .max), radix: 36)
        return response
    }
}

extension HTTPField.Name {
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .referer
    static let secFetchMode = HTTPField.Name("Sec-Fetch-Mode") ?? .referer
    static let requestID = HTTPField.Name("Request-Id") ?? .server
    static let resourcePolicy = HTTPField.Name("Cross-Origin-Resource-Policy") ?? .server
    static let noSniff = HTTPField.Name("X-Content-Type-Options") ?? .server
}

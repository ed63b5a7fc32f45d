import HTTPTypes
import Hummingbird
import JSON
import NIOCore

// Answers in the one shape that every client library understands (spec: collection §1.8), with the CORS headers that
// browsers need on each of them, errors included (§1.10).

/// A header name that is known to be one.
private func headerName(_ text: StaticString) -> HTTPField.Name {
    guard let name = HTTPField.Name(text.description) else { preconditionFailure("\(text) is no header name") }
    return name
}

enum Header {
    static let rateLimitReset = headerName("X-RateLimit-Reset")
    static let retryCount = headerName("X-Retry-Count")
    static let forwardedFor = headerName("X-Forwarded-For")
}

private let successBody = ByteBuffer(string: #"{"success":true}"#)
private let clientHeaders = "authorization, content-type, x-retry-count"

extension Ingest {
    func success(to request: Request) -> Response {
        Response(status: .ok, headers: headers(for: request), body: ResponseBody(byteBuffer: successBody))
    }

    /// An error. `code` and `message` must both be there: Python retries a body without them ten times.
    func reply(
        to request: Request, status: HTTPResponse.Status, code: String, message: String, retryAfterSeconds: Int? = nil
    ) -> Response {
        var headers = headers(for: request)
        if let retryAfterSeconds {
            headers[.retryAfter] = String(retryAfterSeconds)
            headers[Header.rateLimitReset] = String(retryAfterSeconds)
        }
        let body: JSONValue = [
            "success": false, "code": .string(code), "message": .string(message), "error": .string(message),
        ]
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body.utf8)))
    }

    func refuse(_ request: Request, _ code: IngestCode, _ message: String) -> Response {
        reply(to: request, status: .badRequest, code: code.rawValue, message: message)
    }

    /// Asks the client to send again: clients that were refused together should not all come back together.
    func postpone(
        _ request: Request, _ status: HTTPResponse.Status, _ code: IngestCode, _ message: String, seconds: Int
    ) -> Response {
        let jittered = min(300, max(1, seconds + Int.random(in: 0...max(2, seconds))))
        return reply(
            to: request, status: status, code: code.rawValue, message: message, retryAfterSeconds: jittered)
    }

    func preflight(_ request: Request) -> Response {
        var headers = headers(for: request)
        headers[.contentType] = nil
        headers[.accessControlAllowMethods] = "GET, POST, OPTIONS"
        headers[.accessControlAllowHeaders] = request.headers[.accessControlRequestHeaders] ?? clientHeaders
        headers[.accessControlMaxAge] = "86400"
        // Not 204: two clients take any 2xx but 200 for a failure, and no tracking path shall answer so.
        return Response(status: .ok, headers: headers)
    }

    func headers(for request: Request) -> HTTPFields {
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        if configuration.allowsCredentials, let origin = request.headers[.origin] {
            headers[.accessControlAllowOrigin] = origin
            headers[.accessControlAllowCredentials] = "true"
            headers[.vary] = "Origin"
        } else {
            headers[.accessControlAllowOrigin] = "*"
        }
        headers[.accessControlExposeHeaders] = "Retry-After, X-RateLimit-Reset"
        return headers
    }

    /// Reads a body and forgets it; telemetry of the client libraries (spec: collection §1.14).
    func discard(_ request: Request) async throws -> Response {
        for try await _ in request.body {}
        return success(to: request)
    }

    /// The address of the person's device: the peer, or what the outermost trusted proxy saw (spec: collection §2.2-9).
    func clientAddress(_ request: Request, peer: String?) -> String? {
        guard configuration.proxyCount > 0 else { return peer }
        let hops = request.headers[values: Header.forwardedFor].flatMap { $0.split(separator: ",") }
        guard let hop = hops.suffix(configuration.proxyCount).first else { return peer }
        return String(hop.drop { $0 == " " }.prefix { $0 != " " })
    }
}

import Engine
import HTTPTypes
import Hummingbird
import JSON
import Logging
import NIOCore
import Query

/// In which form errors are told: the Public API and the Profile API have one each.
enum ErrorShape: Sendable {
    /// `{"errors":[{type,message,field,status}]}` (spec: engage §6).
    case management
    /// `{"error":{code,message}}` (spec: collection §5.1).
    case profile
}

/// Answers in JSON.
enum Answer {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "application/json; charset=utf-8"
        headers[.cacheControl] = "no-store"
        headers[.noSniff] = "nosniff"
        headers[.resourcePolicy] = "same-origin"
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.utf8)))
    }

    static func failure(_ errors: [APIError], shape: ErrorShape) -> Response {
        let first = errors.first ?? APIError(.internalError, "Something went wrong.")
        var response: Response
        switch shape {
        case .management: response = json(["errors": .array(errors.map(\.json))], status: first.kind.status)
        case .profile:
            let error: JSONValue = ["code": .string(profileCode(first.kind)), "message": .string(first.message)]
            response = json(["error": error], status: first.kind.status)
        }
        if first.kind == .unavailable { response.headers[.retryAfter] = "2" }
        if first.kind == .unauthorized {
            response.headers[.wwwAuthenticate] = "Basic realm=\"Muster\", charset=\"UTF-8\""
        }
        return response
    }

    private static func profileCode(_ kind: APIError.Kind) -> String {
        switch kind {
        case .unauthorized: "authentication_error"
        case .validation: "validation_error"
        case .notFound: "not_found"
        default: "invalid_request_error"
        }
    }

    /// What to tell about an error that a handler threw. What nobody outside can have caused is logged, not told.
    static func errors(from error: any Error, logger: Logger) -> [APIError] {
        switch error {
        case let error as APIError: return [error]
        case let errors as APIErrors: return errors.errors
        case let error as CommandError: return [APIError(error)]
        case let error as HTTPError:
            return [
                APIError(
                    error.status.code == 404 ? .notFound : .badRequest, error.body ?? "The request is not understood.")
            ]
        case is CancellationError: return [APIError(.unavailable, "The server is stopping: ask again.")]
        default:
            logger.error("request failed", metadata: ["error": "\(error)"])
            return [APIError(.internalError, "The server could not do this; its log says why.")]
        }
    }
}

extension APIError {
    init(_ error: CommandError) {
        let kind: Kind =
            switch error.code {
            case .notFound: .notFound
            case .conflict: .conflict
            case .invalid: .validation
            }
        let text = error.message
        // Messages of the engine begin in lower case and have no full stop.
        let sentence = text.prefix(1).uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
        self.init(kind, field: error.field, sentence)
    }
}

extension QueryErrors {
    /// As errors of the member that holds the query.
    func apiErrors(field: String) -> APIErrors {
        APIErrors(
            errors: errors.map { error in
                let advice = error.suggestion.map { ": \($0)" } ?? ""
                return APIError(
                    .validation, field: field,
                    "Line \(error.line), column \(error.column): \(error.message)\(advice).", data: error.json)
            })
    }
}

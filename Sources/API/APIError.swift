import HTTPTypes
import JSON

/// What is told to somebody whose request can't be carried out. The message says what to do.
struct APIError: Error, Hashable {
    enum Kind: String {
        case badRequest = "bad-request"
        case unauthorized
        case forbidden
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case conflict
        case contentTooLarge = "content-too-large"
        case unsupportedMediaType = "unsupported-media-type"
        case validation
        case unavailable
        case internalError = "internal-error"

        var status: HTTPResponse.Status {
            switch self {
            case .badRequest, .validation: .badRequest
            case .unauthorized: .unauthorized
            case .forbidden: .forbidden
            case .notFound: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .conflict: .conflict
            case .contentTooLarge: .contentTooLarge
            case .unsupportedMediaType: .unsupportedMediaType
            case .unavailable: .serviceUnavailable
            case .internalError: .internalServerError
            }
        }
    }

    var kind: Kind
    /// The member of the body or the query parameter at fault, dotted.
    var field: String?
    var message: String
    /// Details for programs, for example the places in a query.
    var data: JSONValue?

    init(_ kind: Kind, field: String? = nil, _ message: String, data: JSONValue? = nil) {
        self.kind = kind
        self.field = field
        self.message = message
        self.data = data
    }

    static func notFound(_ what: String, id: String) -> APIError {
        APIError(.notFound, "There is no \(what) '\(id.prefix(80))'. List them to see which exist.")
    }

    var json: JSONValue {
        var object: JSONObject = [
            "type": .string(kind.rawValue), "message": .string(message), "status": .number(kind.status.code),
        ]
        if let field { object["field"] = .string(field) }
        if let data { object["data"] = data }
        return .object(object)
    }
}

/// Several things that are wrong with one request.
struct APIErrors: Error {
    var errors: [APIError]
}

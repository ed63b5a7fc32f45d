public import Hummingbird

/// Says in words that nothing is at a path, or nothing of that method. Stands before all routes of a server.
public struct UnknownPathMiddleware<Context: RequestContext>: RouterMiddleware {
    public init() {}

    public func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound && error.body == nil {
            let objection = APIError(
                .notFound,
                "There is nothing at \(request.method.rawValue) \(request.uri.path.prefixText). The console is at /, the "
                    + "paths of the API are listed in docs/api.md.")
            return Answer.failure([objection], shape: .management)
        }
    }
}

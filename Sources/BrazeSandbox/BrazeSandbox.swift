import HTTPTypes
/// # BrazeSandbox
///
/// Braze, seen from outside, on this machine: the REST API that Muster sends to with Braze's validation, error texts,
/// limits and headers; user profiles with custom attributes and custom events; a segment builder with Braze's filters;
/// campaign and Canvas targeting that shows who would be reached; knobs that make things go wrong. It imports nothing of
/// the engine, so what it shows is what arrived.
///
/// Promises: a call that was answered with success survives a kill (with a data directory); the same calls with the same
/// clock and seed give the same state; nothing is dropped without a note in the request log; memory per profile and for
/// logs is bounded. Sending messages is out of scope: campaigns and Canvases only show whom they would reach.
///
/// Specification: `spec/braze.md`; user documentation: `docs/sandbox.md`.
public import Hummingbird
public import Logging
import NIOCore

/// The sandbox as a server.
public struct BrazeSandboxServer: Sendable {
    public let configuration: SandboxConfiguration
    let sandbox: Sandbox

    /// - Throws: if the data directory cannot be read or written.
    public init(_ configuration: SandboxConfiguration = SandboxConfiguration()) throws {
        self.configuration = configuration
        sandbox = try Sandbox(configuration)
    }

    /// Answers one request without a socket.
    public func answer(_ request: SandboxRequest) -> SandboxAnswer { sandbox.answer(request) }

    /// The HTTP application, for `run` or for tests.
    ///
    /// - Parameter onServerRunning: is told the port that was bound.
    public func application(
        logger: Logger = Logger(label: "muster.sandbox"),
        onServerRunning: @escaping @Sendable (Int?) async -> Void = { _ in }
    ) -> some ApplicationProtocol {
        let sandbox = sandbox
        return Application(
            responder: CallbackResponder { request, context in
                await SandboxResponder(sandbox: sandbox).respond(to: request, context: context)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "braze-sandbox"),
            onServerRunning: { channel in await onServerRunning(channel.localAddress?.port) },
            logger: logger)
    }

    /// Serves until the task is cancelled or the process is told to end.
    public func run(
        logger: Logger = Logger(label: "muster.sandbox"),
        onServerRunning: @escaping @Sendable (Int?) async -> Void = { _ in }
    ) async throws {
        try await application(logger: logger, onServerRunning: onServerRunning).runService()
    }
}

/// The connection is at hand, because a fault knob closes it.
struct SandboxContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

struct SandboxResponder: Sendable {
    let sandbox: Sandbox

    func respond(to request: Request, context: SandboxContext) async -> Response {
        var body: [UInt8]? = []
        do {
            let buffer = try await request.body.collect(upTo: SandboxRequest.maximumBodyBytes + 1)
            body = buffer.readableBytes > SandboxRequest.maximumBodyBytes ? nil : Array(buffer.readableBytesView)
        } catch {
            body = nil
        }
        var headers: [(name: String, value: String)] = []
        for field in request.headers { headers.append((field.name.canonicalName, field.value)) }
        if let authority = request.head.authority { headers.append(("host", authority)) }
        let answer = sandbox.answer(
            SandboxRequest(
                request.method.rawValue, request.uri.path, query: request.uri.query ?? "", headers: headers, body: body,
                remoteAddress: context.channel.remoteAddress?.ipAddress))
        if answer.delayMilliseconds > 0 { try? await Task.sleep(for: .milliseconds(answer.delayMilliseconds)) }
        if answer.isLost { try? await context.channel.close() }
        var fields = HTTPFields()
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
        }
        return Response(
            status: HTTPResponse.Status(code: answer.status), headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
}

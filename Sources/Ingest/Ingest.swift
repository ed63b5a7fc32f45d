public import EventLog
import HTTPTypes
public import Hummingbird
public import Model
import NIOCore

/// The tracking API that Segment's client libraries talk to (spec: collection §1 and §2): HTTP in, calls into the Log.
///
/// Promises:
///
/// * `200 {"success":true}` leaves only after the Log has every accepted message of the request on disk, and waits for
///   nothing else.
/// * A request that will never be accepted is answered 400; too much at once, 429; a failing disk, 503, both with a
///   `Retry-After`. No tracking path answers with anything that makes a client retry for ever.
/// * Limits hold before memory is spent: a body is read and decompressed no further than it may be long.
/// * Whatever is dropped is counted under a code in the journal, and can be looked at there.
///
/// Ingest knows nothing about profiles. De-duplication by message id is the engine's.
public final class Ingest: Sendable {
    public let log: EventLog
    public let sources: SourceDirectory
    public let journal: IngestJournal
    public let configuration: IngestConfiguration
    let clock: any InstantSource
    let gate: ReceiptGate
    let rateLimiter: RateLimiter?
    let admission: Admission
    let processing: Admission

    /// The engine that applies the Log must keep its time behind the same `gate`.
    public init(
        log: EventLog, sources: SourceDirectory, journal: IngestJournal, clock: any InstantSource,
        gate: ReceiptGate? = nil, configuration: IngestConfiguration = IngestConfiguration()
    ) {
        self.log = log
        self.sources = sources
        self.journal = journal
        self.clock = clock
        self.gate = gate ?? ReceiptGate(clock: clock)
        self.configuration = configuration
        admission = Admission(bytesMax: configuration.heldBytesMax)
        processing = Admission(bytesMax: configuration.processedBytesMax)
        self.rateLimiter = configuration.messagesPerSecondMax.map { RateLimiter(messagesPerSecond: $0) }
    }

    /// Adds every path of the tracking API. The client's address is known if the router's context is a
    /// `RemoteAddressRequestContext`.
    public func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        for kind in Call.Kind.allCases {
            for name in [kind.name, String(kind.name.prefix(1))] {
                addReception(to: router, path: "/v1/\(name)", reception: .message(kind))
            }
        }
        for name in ["batch", "b", "import"] { addReception(to: router, path: "/v1/\(name)", reception: .batch) }
        add(to: router, path: "/v1/m", methods: [.post]) { ingest, request, _ in
            try await ingest.discard(request)
        }
        add(to: router, path: "/v1/projects/{writeKey}/settings", methods: [.get, .head]) { ingest, request, context in
            ingest.settings(request, writeKey: context.parameters.get("writeKey") ?? "")
        }
        router.on("/v1/pixel/{type}", method: .get) { request, context in
            await self.pixel(request, type: context.parameters.get("type") ?? "", peer: peerAddress(context))
        }
    }

    private func addReception<Context: RequestContext>(
        to router: some RouterMethods<Context>, path: String, reception: Reception
    ) {
        add(to: router, path: path, methods: [.post]) { ingest, request, context in
            try await ingest.receive(request, as: reception) { peerAddress(context) }
        }
    }

    /// Adds the handler for `methods`, the answer to preflights, and 405 for everything else.
    private func add<Context: RequestContext>(
        to router: some RouterMethods<Context>, path: String, methods: [HTTPRequest.Method],
        handler: @escaping @Sendable (Ingest, Request, Context) async throws -> Response
    ) {
        for method in methods {
            router.on("\(path)", method: method) { request, context in try await handler(self, request, context) }
        }
        router.on("\(path)", method: .options) { request, _ in self.preflight(request) }
        for method in [HTTPRequest.Method.get, .head, .post, .put, .delete, .patch] where !methods.contains(method) {
            router.on("\(path)", method: method) { request, _ in
                self.reply(
                    to: request, status: .methodNotAllowed, code: "method_not_allowed",
                    message: "Use \(methods.map(\.rawValue).joined(separator: " or ")) on this path")
            }
        }
    }
}

private func peerAddress(_ context: some RequestContext) -> String? {
    (context as? any RemoteAddressRequestContext)?.remoteAddress?.ipAddress
}

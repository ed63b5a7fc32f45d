public import Delivery
public import Engine
public import EventLog
import HTTPTypes
public import Hummingbird
public import Ingest
import JSON
public import Model
import Synchronization

/// The HTTP API for people's tools: the vendor's Public API for audiences and computed traits, its Profile API, and what
/// Muster adds for sources, destinations, debuggers and the console (docs/api.md).
///
/// Promises: what is answered has been applied, since changes go through the Log and come back; every error names the
/// field and the remedy; bodies are bounded and unknown members refused; no answer holds a destination's secrets; nobody
/// gets in past the `AccessPolicy`.
public struct API: Sendable {
    public struct Configuration: Sendable {
        public var access: AccessPolicy
        public var clock: any InstantSource
        /// Set when the server was started with a clock that tests move.
        public var testClock: TestClockControl?
        public var version: String
        public var destinationKinds: [DestinationKind]

        public init(
            access: AccessPolicy, clock: any InstantSource, testClock: TestClockControl? = nil, version: String,
            destinationKinds: [DestinationKind]
        ) {
            self.access = access
            self.clock = clock
            self.testClock = testClock
            self.version = version
            self.destinationKinds = destinationKinds
        }
    }

    let configuration: Configuration
    let engine: EngineService
    let log: EventLog
    let journal: IngestJournal
    let delivery: DeliveryService
    let activity: ActivityRecorder
    let previews = PreviewShelf()
    let reconciliations = ReconciliationShelf()
    let backfillPace = BackfillPace()
    let profileCounter = ProfileCounter()
    let startedAt: Instant

    public init(
        configuration: Configuration, engine: EngineService, log: EventLog, journal: IngestJournal,
        delivery: DeliveryService
    ) {
        self.configuration = configuration
        self.engine = engine
        self.log = log
        self.journal = journal
        self.delivery = delivery
        activity = ActivityRecorder()
        startedAt = configuration.clock.now()
    }

    var spaceID: String { engine.readState { $0.settings.spaceID } }
    func now() -> Instant { configuration.clock.now() }

    /// Adds every path of docs/api.md, behind the access policy.
    public func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        let management = router.group().add(middleware: AccessMiddleware(policy: configuration.access))
        let ready = ReadinessMiddleware<Context>(engine: engine)
        addStatusRoutes(to: RouteTable<Context>(group: management, spaceID: spaceID))
        let routes = RouteTable<Context>(group: management.group().add(middleware: ready), spaceID: spaceID)
        addSpaceRoutes(to: routes)
        for kind in ComputationWords.all { addComputationRoutes(kind, to: routes) }
        addSchemaRoutes(to: routes)
        addProfileRoutes(to: routes)
        addSourceRoutes(to: routes)
        addDestinationRoutes(to: routes)
        addSourceConnectionRoutes(to: routes)
        addEventTesterRoutes(to: routes)
        addDeliveryRoutes(to: routes)
        addParkedRoutes(to: routes)
        addEconomyRoutes(to: routes)
        addEstimateRoutes(to: routes)
        addReconciliationRoutes(to: routes)
        addRegulationRoutes(to: routes)
        addRetentionRoutes(to: routes)
        if let testClock = configuration.testClock { addTestClockRoutes(testClock, to: routes) }
        let profiles = router.group().add(
            middleware: AccessMiddleware(policy: configuration.access, errorShape: .profile)
        ).add(middleware: ready)
        addProfileAPIRoutes(to: RouteTable<Context>(group: profiles, spaceID: spaceID))
        addIdentifierRemoval(to: RouteTable<Context>(group: profiles, spaceID: spaceID))
    }

    private func addSpaceRoutes(to routes: RouteTable<some RequestContext>) {
        let space: JSONValue = ["id": .string(spaceID), "name": "Muster", "slug": "muster"]
        routes.get("/spaces") { request in
            ["spaces": [space], "pagination": try Paging(request.query).json(next: nil, total: 1)]
        }
        routes.getInSpace("") { _ in ["space": space] }
        routes.postInSpace("/queries/check") { try checkQuery($0) }
    }
}

/// Turns requests away while the history is incomplete: they would wait for it and hold up everybody else.
struct ReadinessMiddleware<Context: RequestContext>: RouterMiddleware {
    let engine: EngineService

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard engine.historyState.phase == .ready else {
            throw APIError(
                .unavailable,
                "The history is being read from the Log. Calls are stored meanwhile; ask again when GET /status says "
                    + "history.state = ready.")
        }
        return try await next(request, context)
    }
}

/// Moves the clock of a server that was started for tests.
public struct TestClockControl: Sendable {
    let advance: @Sendable (Instant.Span) async throws -> Void

    /// `advance` moves the clock forward and returns when the engine's time has followed.
    public init(advance: @escaping @Sendable (Instant.Span) async throws -> Void) { self.advance = advance }
}

/// Adds routes whose handlers take a request that was read whole and give the `data` of the answer.
struct RouteTable<Context: RequestContext> {
    typealias Handler = @Sendable (APIRequest) async throws -> JSONValue

    let group: any RouterMethods<Context>
    let spaceID: String

    func get(_ path: String, _ handler: @escaping Handler) { on(.get, path, handler) }
    func post(_ path: String, _ handler: @escaping Handler) { on(.post, path, handler) }
    func patch(_ path: String, _ handler: @escaping Handler) { on(.patch, path, handler) }
    func delete(_ path: String, _ handler: @escaping Handler) { on(.delete, path, handler) }

    func getInSpace(_ path: String, _ handler: @escaping Handler) { inSpace(.get, path, handler) }
    func postInSpace(_ path: String, _ handler: @escaping Handler) { inSpace(.post, path, handler) }
    func putInSpace(_ path: String, _ handler: @escaping Handler) { inSpace(.put, path, handler) }
    func patchInSpace(_ path: String, _ handler: @escaping Handler) { inSpace(.patch, path, handler) }
    func deleteInSpace(_ path: String, _ handler: @escaping Handler) { inSpace(.delete, path, handler) }

    private func on(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler) {
        raw(method, path) { request in Answer.json(["data": try await handler(request)]) }
    }

    private func inSpace(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler) {
        let spaceID = spaceID
        on(method, "/spaces/:space" + path) { request in
            try request.checkSpace(spaceID)
            return try await handler(request)
        }
    }

    /// A route whose handler makes the whole response.
    func raw(
        _ method: HTTPRequest.Method, _ path: String,
        _ handler: @escaping @Sendable (APIRequest) async throws -> Response
    ) {
        _ = group.on(RouterPath(path), method: method) { request, context in
            try await handler(try await APIRequest(request, context: context))
        }
    }
}

extension APIRequest {
    func checkSpace(_ id: String) throws(APIError) {
        let space = parameter("space")
        guard space == id || space == "default" else {
            throw APIError(.notFound, "There is no space '\(space.prefixText)': this server has one, '\(id)'.")
        }
    }
}

public import AsyncHTTPClient
public import JSON
public import Logging
public import Model
public import ServiceLifecycle
public import Store
import Synchronization

/// Delivers the outbox to every destination, each by a runner of its own, so that one dead destination never slows
/// another.
///
/// ```swift
/// let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .delivery)
/// let delivery = DeliveryService(store: store, clock: clock, client: client, adapters: [BrazeDestination.self], …)
/// delivery.destinationsChanged(state.destinations)   // at start and whenever definitions change
/// delivery.notifyOutbox()                            // after each commit that wrote emissions
/// try await delivery.run()                           // in a ServiceGroup, or until the task is cancelled
/// ```
public final class DeliveryService: Service {
    let store: StateStore
    let clock: any InstantSource
    let sender: HTTPSender
    private let kinds: [String: any DestinationAdapter.Type]
    let configuration: DeliveryConfiguration
    private let facts: @Sendable (String) -> ComputationFacts?
    private let logger: Logger
    private let state: Mutex<State>
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    private struct State {
        var wanted: [Destination] = []
        var runners: [String: Runner] = [:]
        /// Destinations without a runner, and why.
        var idle: [String: DestinationActivity] = [:]
        var nextSeed: UInt64
    }

    private struct Runner {
        var runner: DestinationRunner
        var task: Task<Void, Never>
    }

    /// - Parameters:
    ///   - client: With the configuration `.delivery`; stays the caller's to shut down, after `run` has returned.
    ///   - adapters: The kinds of destinations that are known.
    ///   - seed: For the random part of waiting times.
    ///   - facts: What is known of a computation, for judging spikes; is called from a thread that may wait.
    public init(
        store: StateStore, clock: any InstantSource, client: HTTPClient, adapters: [any DestinationAdapter.Type],
        configuration: DeliveryConfiguration = DeliveryConfiguration(),
        seed: UInt64 = .random(in: .min ... .max),
        facts: @escaping @Sendable (String) -> ComputationFacts? = { _ in nil },
        logger: Logger
    ) {
        self.store = store
        self.clock = clock
        sender = HTTPSender(client: client, answerTimeout: configuration.answerTimeout)
        kinds = Dictionary(adapters.map { ($0.kind, $0) }) { $1 }
        self.configuration = configuration
        self.facts = facts
        self.logger = logger
        state = Mutex(State(nextSeed: seed))
        (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What happens elsewhere

    /// All destinations as they are defined now. Changed settings take effect after the requests under way have ended.
    public func destinationsChanged(_ destinations: [Destination]) {
        state.withLock { $0.wanted = destinations }
        changed.yield()
    }

    /// The outbox holds new emissions. Cheap; call it after every commit that wrote some.
    public func notifyOutbox() { postToAll { $0.outboxGrew = true } }

    /// These profiles were deleted, their waiting emissions with them: nothing more is to be said about them.
    public func profilesDeleted(_ profiles: [ProfileOrdinal]) { postToAll { $0.deletedProfiles.formUnion(profiles) } }

    // MARK: What people ask for

    /// Tries a paused destination again at once.
    public func resume(destinationID: String) { post(to: destinationID) { $0.mustResume = true } }

    /// Lets parked emissions wait again. Returns how many.
    @discardableResult
    public func redrive(destinationID: String, _ filter: ParkedFilter = ParkedFilter()) async throws -> Int {
        let count = try await onThread { [store] in try store.redrive(destinationID: destinationID, filter) }
        if count > 0 { post(to: destinationID) { $0.mustRescan = true } }
        return count
    }

    /// Ends a spike: what was held is sent, or with `discarding` dropped. Returns how many emissions were dropped.
    @discardableResult
    public func endSpike(destinationID: String, computationID: String, discarding: Bool) async throws -> Int {
        let now = clock.now()
        let count = try await onThread { [store] in
            try store.endSpike(
                destinationID: destinationID, computationID: computationID, discarding: discarding, at: now)
        }
        post(to: destinationID) { $0.spikesChanged = true }
        return count
    }

    /// How delivery stands, by destination.
    public func activities() -> [String: DestinationActivity] {
        let (runners, idle) = state.withLock { ($0.runners, $0.idle) }
        return idle.merging(runners.mapValues(\.runner.activity)) { $1 }
    }

    /// Checks settings; the error names the field and the remedy.
    public func validate(kind: String, settings: JSONObject) throws(SettingsError) {
        _ = try adapter(kind: kind, settings: settings)
    }

    /// Names of settings that must never be shown.
    public func secretSettings(kind: String) -> Set<String> { kinds[kind]?.secretSettings ?? [] }

    /// How calls of sources can be mapped.
    public func presets(kind: String) -> [MappingPreset] { kinds[kind]?.presets ?? [] }

    /// Mappings of which a connection may hold any number.
    public func triggers(kind: String) -> [MappingPreset] { kinds[kind]?.triggers ?? [] }

    /// Tests settings against the destination, without changing anything there.
    public func testConnection(kind: String, settings: JSONObject) async throws(SettingsError) -> ProbeVerdict {
        let adapter = try adapter(kind: kind, settings: settings)
        guard let probe = adapter.probe else { return .working }
        let sealed = adapter.seal(probe, at: clock.now())
        let verdict = adapter.verdict(onProbe: await sender.send(sealed))
        guard case .misconfigured(let reason) = verdict else { return verdict }
        return .misconfigured(
            reason: await Diagnosis(sender: sender).explain(reason, adapter.alternatives, adapter))
    }

    /// Reads back what a destination holds; `nil` where its kind can't say.
    public func holdingsReader(_ destination: Destination) throws(SettingsError) -> HoldingsReader? {
        let adapter = try mapper(destination)
        return adapter.lookup.map { HoldingsReader(lookup: $0, adapter: adapter, sender: sender, clock: clock) }
    }

    /// What a destination would be sent for some calls, without sending anything.
    public func mapper(_ destination: Destination) throws(SettingsError) -> any DestinationAdapter {
        try adapter(kind: destination.kind, settings: destination.settings)
    }

    func adapter(kind: String, settings: JSONObject) throws(SettingsError) -> any DestinationAdapter {
        guard let type = kinds[kind] else {
            throw SettingsError(
                field: "kind", message: "there is no kind of destination '\(kind)'",
                remedy: "Use one of: \(kinds.keys.sorted().joined(separator: ", "))")
        }
        return try type.init(settings: settings)
    }

    func post(to destinationID: String, _ write: @Sendable (inout Mailbox.Letters) -> Void) {
        state.withLock { $0.runners[destinationID]?.runner }?.mailbox.post(write)
    }

    private func postToAll(_ write: @Sendable (inout Mailbox.Letters) -> Void) {
        for runner in state.withLock({ $0.runners.values.map(\.runner) }) { runner.mailbox.post(write) }
    }

    // MARK: Running

    /// Works until graceful shutdown or cancellation; requests under way may end first.
    public func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                for await _ in changes { await reconcile() }
            } onGracefulShutdown: {
                self.changed.finish()
            }
            let runners = state.withLock { $0.runners }
            for runner in runners.values { runner.runner.mailbox.post { $0.mustStop = true } }
            for runner in runners.values { await runner.task.value }
        } onCancel: {
            changed.finish()
            for runner in state.withLock({ $0.runners.values.map(\.task) }) { runner.cancel() }
        }
    }

    /// Starts, stops and replaces runners until they are what is wanted.
    private func reconcile() async {
        let wanted = state.withLock { $0.wanted }
        let pauses = (try? await onThread { [store] in try store.pauses() }) ?? [:]
        let ids = Set(wanted.map(\.id))
        for (id, runner) in state.withLock({ $0.runners }) where !ids.contains(id) {
            runner.runner.mailbox.post { $0.mustStop = true }
            await runner.task.value
            state.withLock { $0.runners[id] = nil }
        }
        state.withLock { $0.idle = $0.idle.filter { ids.contains($0.key) } }
        for destination in wanted { await reconcile(destination, pause: pauses[destination.id]) }
    }

    private func reconcile(_ destination: Destination, pause: DestinationPause?) async {
        let id = destination.id
        var pause = pause
        if let old = state.withLock({ $0.runners[id] }) {
            let was = old.runner.destination
            if was.settings == destination.settings, was.kind == destination.kind, destination.enabled {
                old.runner.mailbox.post { $0.spikeGuard = destination.spikeGuard }
                return
            }
            old.runner.mailbox.post { $0.mustStop = true }
            await old.task.value
            state.withLock { $0.runners[id] = nil }
            // What stood in the way of the old settings says nothing of the new ones.
            pause = nil
            await clearPause(id)
        }
        guard destination.enabled else {
            state.withLock { $0.idle[id] = DestinationActivity(phase: .disabled) }
            return
        }
        do {
            let adapter = try adapter(kind: destination.kind, settings: destination.settings)
            start(destination, adapter, pause)
        } catch {
            logger.warning(
                "destination has unusable settings", metadata: ["destination": "\(id)", "field": "\(error.field)"])
            state.withLock { $0.idle[id] = DestinationActivity(phase: .invalid(error)) }
        }
    }

    private func clearPause(_ id: String) async {
        do {
            try await onThread { [store] in try store.setPause(nil, destinationID: id) }
        } catch {
            logger.error("can't clear a pause", metadata: ["destination": "\(id)", "error": "\(error)"])
        }
    }

    private func start(_ destination: Destination, _ adapter: any DestinationAdapter, _ pause: DestinationPause?) {
        let seed = state.withLock { state in
            state.nextSeed &+= 1
            return state.nextSeed
        }
        let runner = DestinationRunner(
            destination: destination, adapter: adapter, store: store, sender: sender, clock: clock,
            configuration: configuration, seed: seed, facts: facts, logger: logger)
        let task = Task { await runner.run(pause: pause) }
        state.withLock { state in
            state.idle[destination.id] = nil
            state.runners[destination.id] = Runner(runner: runner, task: task)
        }
    }
}

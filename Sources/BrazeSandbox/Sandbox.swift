import JSON
import Logging
import Synchronization

/// The sandbox without a socket: requests in, answers out. All state is behind one lock; a request holds it twice for
/// some microseconds, and scans of many profiles work on a copy outside of it.
final class Sandbox: Sendable {
    let state: Mutex<SandboxState>
    let journal: Journal?
    private let clock: @Sendable () -> EpochMilliseconds
    private let logger = Logger(label: "muster.sandbox")

    init(_ configuration: SandboxConfiguration) throws {
        clock = configuration.clock
        var state = SandboxState(seed: configuration.seed)
        state.switches = configuration.switches
        if let directory = configuration.dataDirectory {
            journal = try Journal(
                directory: directory, compactionBytes: configuration.compactionBytes, restoring: &state)
        } else {
            journal = nil
        }
        state.advance(to: clock())
        try Sandbox.prepare(&state, configuration, journal)
        self.state = Mutex(state)
    }

    /// Creates what every sandbox has: a workspace, and the keys the configuration names.
    private static func prepare(
        _ state: inout SandboxState, _ configuration: SandboxConfiguration, _ journal: Journal?
    ) throws {
        func set(_ setting: Operation.Setting, _ body: JSONObject, in workspace: String = "") throws {
            let operation = Operation(
                workspace: workspace, at: state.now, due: state.now, change: .setting(setting, body))
            _ = try journal?.append(operation.json)
            state.accept(operation)
        }
        if state.workspaces.isEmpty {
            try set(.switches, configuration.switches.json.object ?? JSONObject())
            let salt = String(SplitMix.hash(configuration.seed), radix: 16)
            try set(.workspace, ["id": "sandbox", "name": "Sandbox", "time_zone": "UTC", "salt": .string(salt)])
        }
        for key in configuration.keys where !state.keys.contains(where: { $0.secret == key.secret }) {
            let workspace = key.workspace ?? state.workspaces[0].id
            if state.workspaceIndex(workspace) == nil {
                let salt = String(SplitMix.hash(configuration.seed &+ UInt64(state.workspaces.count)), radix: 16)
                try set(.workspace, ["id": .string(workspace), "name": .string(workspace), "salt": .string(salt)])
            }
            let new = APIKey(
                id: "key-\(state.keys.count + 1)", name: key.name, secret: key.secret, workspace: workspace,
                permissions: key.permissions.map { Set($0) } ?? Set(APIKey.allPermissions), allowlist: key.allowlist,
                createdAt: state.now)
            try set(.key, new.json.object ?? JSONObject())
        }
    }

    /// Works on the state with everything applied that is due by now.
    func withState<Result, Failure: Error>(
        _ body: (inout SandboxState) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try state.withLock { state throws(Failure) in
            state.advance(to: clock())
            return try body(&state)
        }
    }

    /// Journals an operation, then takes it in. The write happens under the lock, because the journal's order is the
    /// order in which a restart applies.
    func accept(_ operation: Operation, _ state: inout SandboxState) throws(CallError) {
        var isLong = false
        do throws(Journal.Failure) {
            isLong = try journal?.append(operation.json) ?? false
        } catch {
            throw CallError(500, "The sandbox cannot write its journal: \(error.description)")
        }
        state.accept(operation)
        if isLong { compact(state) }
    }

    /// Replaces the journal by a snapshot, beside the traffic. A failure leaves the older files, which are complete.
    private func compact(_ state: SandboxState) {
        guard let journal, let generation = try? journal.beginCompaction() else { return }
        let snapshot = Snapshot(of: state)
        let logger = logger
        Task.detached(priority: .utility) {
            do throws(Journal.Failure) {
                try journal.finishCompaction(snapshot, generation: generation)
            } catch {
                logger.error("the snapshot was not written", metadata: ["reason": "\(error.description)"])
            }
        }
    }

    /// Answers a request of the REST API. Pages are answered by ``PageRouter``.
    func answer(_ request: SandboxRequest) -> SandboxAnswer {
        if let pages = pages(request) { return pages }
        return gate(request)
    }

}

import JSON

/// Everything the sandbox knows. A value without clock or file: instants come in, operations go through `apply`.
struct SandboxState: Sendable {
    var workspaces: [Workspace] = []
    var keys: [APIKey] = []
    var switches = SandboxSwitches()
    var partner = PartnerKeys()
    var pending = PendingQueue()
    /// The greatest instant seen; time never goes back.
    private(set) var now: EpochMilliseconds = .min
    /// Grows with every applied operation: pages ask again only when it changed.
    private(set) var revision = 0

    // Not kept over a restart.
    var faults = Faults()
    var limiter = RateLimiter()
    var log = RequestLog()
    var exports: [SegmentExport] = []
    var generator: SplitMix

    init(seed: UInt64) { generator = SplitMix(seed: seed) }

    func workspaceIndex(_ id: String) -> Int? { workspaces.firstIndex { $0.id == id } }

    func key(secret: String) -> Int? { keys.firstIndex { $0.secret == secret && !$0.isRevoked } }

    /// Moves time on and applies what has become due.
    mutating func advance(to instant: EpochMilliseconds) {
        now = max(now, instant)
        while let operation = pending.next(at: now) { apply(operation) }
    }

    /// Continues time after a snapshot without applying anything.
    mutating func restoreNow(_ instant: EpochMilliseconds) { now = max(now, instant) }

    /// When an operation that is received now takes effect (spec braze §1.7).
    mutating func dueTime() -> EpochMilliseconds {
        let delay = EpochMilliseconds(switches.applyDelayMilliseconds)
        if switches.shuffleRequests {
            return now + (delay > 0 ? EpochMilliseconds.random(in: 0...2 * delay, using: &generator) : 0)
        }
        return max(now + delay, pending.lastDue ?? .min)
    }

    /// Takes in an operation: now if it is a setting or due, else later. Journal it before.
    mutating func accept(_ operation: Operation) {
        if operation.isSetting {
            apply(operation)
        } else {
            pending.add(operation)
            advance(to: now)
        }
    }

    private mutating func apply(_ operation: Operation) {
        revision += 1
        let outcomes: [Outcome]
        switch operation.change {
        case .track(let batch):
            guard let index = workspaceIndex(operation.workspace) else { return }
            outcomes = workspaces[index].apply(batch, at: operation.at, switches: switches)
        case .call(let kind, let body):
            guard let index = workspaceIndex(operation.workspace) else { return }
            outcomes = workspaces[index].apply(kind, body, at: operation.at)
        case .setting(let setting, let body):
            outcomes = []
            apply(setting, body, in: operation.workspace, at: operation.at)
        }
        guard let request = operation.request, !outcomes.isEmpty else { return }
        log.update(request) { entry in
            entry.outcomes.removeAll { $0.effect == .waiting }
            entry.outcomes.append(contentsOf: outcomes)
        }
    }
}

/// The two secrets of cohort calls (spec braze §6).
struct PartnerKeys: Sendable {
    var partnerKey = "sandbox-partner-key"
    var clientSecret = "sandbox-client-secret"
}

/// Counts calls against Braze's rate limits (spec braze §1.5). Windows are aligned to the clock.
struct RateLimiter: Sendable {
    /// Endpoints that share an allowance.
    enum Pool: Hashable, Sendable {
        case track, trackSync, trackBulk, identity, rename, removeID, exportIDs, lists, broadcast, subscription, cohorts
        case general
    }

    struct Allowance: Sendable {
        let limit: Int
        let window: EpochMilliseconds
    }

    /// What a call is told.
    struct Verdict: Sendable {
        let isAllowed: Bool
        let limit: Int
        let remaining: Int
        /// End of the window that was reported or that refused the call.
        let resetsAt: EpochMilliseconds
    }

    private struct Key: Hashable {
        let pool: Pool
        let window: EpochMilliseconds
    }

    private struct Count {
        var start: EpochMilliseconds
        var calls: Int
    }

    private var counts: [Key: Count] = [:]

    /// The allowances of a pool; the first one is reported in headers.
    static func allowances(_ pool: Pool, _ switches: SandboxSwitches) -> [Allowance] {
        if switches.rateMode == .tiny { return [Allowance(limit: switches.tinyLimit, window: 3000)] }
        switch pool {
        case .track:
            let burst = Allowance(limit: 3000, window: 3000)
            guard switches.rateMode == .hourlyAndBurst else { return [burst] }
            return [Allowance(limit: switches.hourlyLimit, window: 3_600_000), burst]
        case .trackSync: return [Allowance(limit: 500, window: 60_000)]
        case .trackBulk: return [Allowance(limit: 50, window: 1000)]
        case .identity: return [Allowance(limit: 20_000, window: 60_000)]
        case .rename, .removeID: return [Allowance(limit: 1000, window: 60_000)]
        case .exportIDs: return [Allowance(limit: 250, window: 60_000)]
        case .lists: return [Allowance(limit: 1000, window: 3_600_000)]
        case .broadcast: return [Allowance(limit: 250, window: 60_000)]
        case .subscription: return [Allowance(limit: 5000, window: 60_000)]
        case .cohorts, .general: return [Allowance(limit: 250_000, window: 3_600_000)]
        }
    }

    /// Counts a call, unless one of the allowances is used up or `counting` is off.
    mutating func take(
        _ pool: Pool, at now: EpochMilliseconds, switches: SandboxSwitches, counting: Bool = true
    ) -> Verdict {
        let allowances = RateLimiter.allowances(pool, switches)
        // In tiny mode every pool has the same small allowance of its own.
        var used: [Int] = []
        var refusedBy: Int?
        for (index, allowance) in allowances.enumerated() {
            let start = now - now % allowance.window
            let count = counts[Key(pool: pool, window: allowance.window)]
            let calls = count?.start == start ? count?.calls ?? 0 : 0
            used.append(calls)
            if calls >= allowance.limit, refusedBy == nil { refusedBy = index }
        }
        let reported = refusedBy ?? 0
        let allowance = allowances[reported]
        let resetsAt = now - now % allowance.window + allowance.window
        if refusedBy != nil {
            return Verdict(isAllowed: !counting, limit: allowance.limit, remaining: 0, resetsAt: resetsAt)
        }
        if counting {
            for (index, allowance) in allowances.enumerated() {
                counts[Key(pool: pool, window: allowance.window)] = Count(
                    start: now - now % allowance.window, calls: used[index] + 1)
            }
        }
        return Verdict(
            isAllowed: true, limit: allowance.limit, remaining: allowance.limit - used[0] - (counting ? 1 : 0),
            resetsAt: resetsAt)
    }

    /// Header names and values for an answer (§1.5): epoch seconds, or seconds left under MAU contracts, whose 429
    /// carries only the time to wait.
    static func headers(_ verdict: Verdict, at now: EpochMilliseconds, mode: SandboxSwitches.RateMode) -> [(
        String, String
    )] {
        let secondsLeft = max(1, (verdict.resetsAt - now + 999) / 1000)
        if mode == .hourlyAndBurst, !verdict.isAllowed { return [("x-ratelimit-retry-after", String(secondsLeft))] }
        let reset = mode == .hourlyAndBurst ? secondsLeft : (verdict.resetsAt + 999) / 1000
        return [
            ("x-ratelimit-limit", String(verdict.limit)), ("x-ratelimit-remaining", String(verdict.remaining)),
            ("x-ratelimit-reset", String(reset)),
        ]
    }
}

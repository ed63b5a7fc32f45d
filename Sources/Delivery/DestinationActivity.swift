public import Model

/// How delivery to one destination stands at the moment. Counts of all time are the store's (`DestinationCounts`).
public struct DestinationActivity: Sendable, Hashable {
    public enum Phase: Sendable, Hashable {
        /// Sends, or has nothing to send.
        case working
        /// Waits as the destination advised.
        case throttled(until: Instant)
        /// Tries again later, for a passing reason in words.
        case retrying(reason: String, until: Instant)
        /// Stands still until somebody changes what the reason says, or a probe finds it changed.
        case paused(reason: String, since: Instant)
        /// Settings that can't be used.
        case invalid(SettingsError)
        /// Switched off.
        case disabled
    }

    public var phase: Phase
    /// Emissions in memory: waiting or under way. More may wait in the outbox.
    public var held = 0
    public var requestsInFlight = 0
    public var lastDeliveredAt: Instant?
    /// Requests since the start whose answer was lost: they may have taken effect.
    public var unknownOutcomes = 0

    public init(phase: Phase) { self.phase = phase }
}

extension DeliveryQueue {
    func activity(now: Instant) -> DestinationActivity {
        let phase: DestinationActivity.Phase
        if let standstill {
            phase = .paused(reason: standstill.reason, since: standstill.since)
        } else if !failures.isEmpty {
            phase = .retrying(reason: failures.reason, until: failures.until)
        } else if throttles.until > now {
            phase = .throttled(until: throttles.until)
        } else {
            phase = .working
        }
        var activity = DestinationActivity(phase: phase)
        activity.held = held.count
        activity.requestsInFlight = inFlight.count
        activity.lastDeliveredAt = lastDeliveredAt
        activity.unknownOutcomes = unknownOutcomes
        return activity
    }
}

import Synchronization

/// Keeps the engine's time behind what is still on its way into the Log.
///
/// A request is stamped with `receivedAt`, then parsed and made durable; for those few milliseconds the engine does not
/// know of it. If its time ran ahead meanwhile, a wake-up could fire that the call, by its `receivedAt`, comes before.
/// So whoever stamps a record enters the gate with the stamp and leaves it when the Log has the record, and the
/// engine advances no further than `horizon`. That makes state a function of the Log alone (design §1.4).
public final class ReceiptGate: Sendable {
    /// One stamp on its way.
    public struct Ticket: Sendable, Hashable {
        fileprivate let number: UInt64
        public let receivedAt: Instant
    }

    private struct State {
        var next: UInt64 = 0
        var open: [UInt64: Instant] = [:]
    }

    private let clock: any InstantSource
    private let state = Mutex(State())

    public init(clock: any InstantSource) { self.clock = clock }

    /// Stamps something that has just been received.
    public func enter() -> Ticket {
        state.withLock { state in
            let ticket = Ticket(number: state.next, receivedAt: clock.now())
            state.next += 1
            state.open[ticket.number] = ticket.receivedAt
            return ticket
        }
    }

    /// The record is in the Log, or was refused.
    public func leave(_ ticket: Ticket) {
        _ = state.withLock { $0.open.removeValue(forKey: ticket.number) }
    }

    /// The latest instant that no record yet to come can precede.
    public func horizon() -> Instant {
        state.withLock { state in min(clock.now(), state.open.values.min() ?? .distantFuture) }
    }
}

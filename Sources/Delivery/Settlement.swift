import JSON
import Model
import Store

/// What became of emissions in one step: the machine's side of a record in the store.
struct Settlement: Sendable {
    enum Fate: Sendable, Hashable {
        /// Acknowledged; leaves the outbox.
        case delivered
        /// A newer value took its place; leaves the outbox.
        case superseded(by: Int64)
        /// The destination has the value already; leaves the outbox.
        case unchanged
        /// Can't be sent at all; leaves the outbox.
        case refused
        /// Set aside until somebody redrives it.
        case parked
        /// Goes on waiting.
        case retrying
        /// Goes on waiting, though it may have arrived.
        case unknown
    }

    struct Entry: Sendable {
        var emission: EmissionReference
        var fate: Fate
        /// In words; empty where there is nothing to say.
        var detail: String
    }

    var entries: [Entry] = []
    /// Values to note in the ledger, in this order; `nil` forgets one.
    var ledger: [(key: LedgerKey, known: Known?)] = []

    /// Requests that ended without an answer and may have taken effect.
    var unknownOutcomes = 0
    /// How often occurrences that are now delivered may have arrived besides.
    var possibleDuplicates = 0
    /// What was billed, by computation.
    var dataPoints: [String: Int] = [:]

    /// Whether persons became one with others.
    var hasJoined = false
    /// Whether emissions have left the window unsettled.
    var mustReread = false

    var isEmpty: Bool { entries.isEmpty && ledger.isEmpty }

    mutating func note(_ person: String, _ name: String, _ known: Known?) {
        note(LedgerKey(externalID: person, attribute: name), known)
    }

    mutating func note(_ key: LedgerKey, _ known: Known?) { ledger.append((key, known)) }

    mutating func add(_ emission: EmissionReference, _ fate: Fate, _ detail: String = "") {
        entries.append(Entry(emission: emission, fate: fate, detail: detail))
    }
}

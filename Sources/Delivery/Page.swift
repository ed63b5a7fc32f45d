import JSON
import Model
import Store

/// A page of the outbox, mapped, with what the ledger says about the values in it.
struct Page: Sendable {
    var emissions: [(emission: EmissionReference, mapping: Mapping)] = []
    var isLast: Bool
    private var ledger: [LedgerKey: Known] = [:]

    init(
        store: StateStore, destinationID: String, after cursor: Int64, limit: Int, adapter: any DestinationAdapter
    ) throws {
        let rows = try store.pending(destinationID: destinationID, after: cursor, limit: limit)
        isLast = rows.count < limit
        emissions.reserveCapacity(rows.count)
        var keys: Set<LedgerKey> = []
        for row in rows {
            guard let emission = EmissionReference(row.emission) else { continue }
            let mapping = adapter.map(row.emission)
            if case .update(let person, let update) = mapping {
                for name in update.values.keys { keys.insert(LedgerKey(externalID: person, attribute: name)) }
            }
            emissions.append((emission, mapping))
        }
        // A transition at the edge may go on in the next page: leave it for that one.
        if !isLast, let last = emissions.last?.emission {
            let whole = emissions.prefix { !$0.emission.isSameTransition(as: last) }.count
            if whole > 0 { emissions.removeLast(emissions.count - whole) }
        }
        guard !keys.isEmpty else { return }
        for (key, value) in try store.acknowledgedValues(destinationID: destinationID, keys) {
            ledger[key] = Known(stored: value)
        }
    }

    /// What the destination is known to hold of a mapping's values, where the ledger has changed since it was read.
    func known(_ mapping: Mapping, since changes: [LedgerKey: JSONValue]) -> [String: Known] {
        guard !(ledger.isEmpty && changes.isEmpty), case .update(let person, let update) = mapping else { return [:] }
        var known: [String: Known] = [:]
        for name in update.values.keys {
            let key = LedgerKey(externalID: person, attribute: name)
            known[name] = changes[key].map(Known.init(stored:)) ?? ledger[key]
        }
        return known
    }
}

import JSON
import Model
import Store

/// A page of the outbox, mapped, with what the ledger says about the values in it.
struct Page: Sendable {
    struct Entry: Sendable {
        var emission: EmissionReference
        var mapping: Mapping
        /// What the ledger holds of the mapping's values.
        var known: [String: Known] = [:]
    }

    var entries: [Entry] = []
    var isLast: Bool

    init(
        store: StateStore, destinationID: String, after cursor: Int64, limit: Int, adapter: any DestinationAdapter,
        hasJoined: Bool
    ) throws {
        let rows = try store.pending(destinationID: destinationID, after: cursor, limit: limit)
        isLast = rows.count < limit
        entries.reserveCapacity(rows.count)
        for row in rows {
            guard let emission = EmissionReference(row.emission) else { continue }
            entries.append(Entry(emission: emission, mapping: adapter.map(row.emission)))
        }
        // A transition at the edge may go on in the next page: leave it for that one.
        if !isLast, let last = entries.last?.emission {
            let whole = entries.count - entries.reversed().prefix { $0.emission.isSameTransition(as: last) }.count
            if whole > 0 { entries.removeLast(entries.count - whole) }
        }
        try store.readLedger(destinationID: destinationID) { ledger in
            for index in entries.indices {
                if hasJoined { try follow(index, ledger) }
                guard case .update(let person, let update) = entries[index].mapping else { continue }
                for (name, _) in update.values.members {
                    guard let value = try ledger.value(of: person, name) else { continue }
                    entries[index].known[name] = Known(stored: value)
                }
            }
        }
    }

    /// Says of the person who it is now what is said under a name that once was another's. Else a value that was parked
    /// under an alias, and is redriven when the alias has become a user's, would undo what the user became since.
    private mutating func follow(_ index: Int, _ ledger: LedgerReader) throws {
        guard let person = entries[index].mapping.person else { return }
        let key = RunnerMark.successor(of: person)
        guard let successor = try ledger.value(of: key.externalID, key.attribute)?[0]?.string else { return }
        entries[index].mapping = entries[index].mapping.said(of: successor)
    }
}

/// What was acknowledged since the ledger was asked about a page. Found by person, for most have nothing here.
struct RecentAcknowledgements: Sendable {
    private var entries: [(entry: LedgerEntry, previous: Int)] = []
    /// The last entry of each hash of a person.
    private var last: [Int: Int] = [:]

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        last.removeAll(keepingCapacity: true)
    }

    mutating func add(_ added: [LedgerEntry]) {
        for entry in added {
            let place = entries.count
            let previous = last.updateValue(place, forKey: entry.key.externalID.hashValue) ?? -1
            entries.append((entry, previous))
        }
    }

    /// What the ledger holds now of a person's values, of which `known` was read before.
    func update(_ known: inout [String: Known], of person: String, _ names: [(key: String, value: JSONValue)]) {
        guard !entries.isEmpty, var place = last[person.hashValue] else { return }
        var seen: Set<String> = []
        while place >= 0 {
            let (entry, previous) = entries[place]
            place = previous
            guard entry.key.externalID == person, names.contains(where: { $0.key == entry.key.attribute }),
                seen.insert(entry.key.attribute).inserted
            else { continue }
            known[entry.key.attribute] = entry.json.flatMap { try? JSONValue(parsing: $0) }.flatMap(Known.init(stored:))
        }
    }
}

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

/// What was acknowledged last: at least everything that the ledger, when it was asked about a page, did not hold yet. In
/// two halves, so that each acknowledgement is noted once and the older half can go when it is on disk. Found by person,
/// for most have nothing here.
struct RecentAcknowledgements: Sendable {
    private var newer = Half()
    private var older = Half()
    /// The transaction with which all of the older half is in the ledger.
    private var olderIn = 0

    private struct Half: Sendable {
        var entries: [(entry: LedgerEntry, previous: Int)] = []
        /// The last entry of each person.
        var last: [String: Int] = [:]

        mutating func add(_ entry: LedgerEntry) {
            let previous = last.updateValue(entries.count, forKey: entry.key.externalID) ?? -1
            entries.append((entry, previous))
        }

        /// A person's entries, the last first.
        func walk(_ person: String, _ body: (LedgerEntry) -> Void) {
            guard !entries.isEmpty, var place = last[person] else { return }
            while place >= 0 {
                body(entries[place].entry)
                place = entries[place].previous
            }
        }
    }

    /// Entries that are worth a new half.
    private static let half = 4_096

    mutating func removeAll() {
        newer = Half()
        older = Half()
    }

    mutating func add(_ added: [LedgerEntry]) {
        for index in added.indices { newer.add(added[index]) }
    }

    /// Before the ledger is asked about a page: forgets what it holds. `written` is the last transaction that has ended,
    /// `pending` the one with which everything that was added is written.
    mutating func turn(written: Int, pending: Int) {
        guard newer.entries.count >= Self.half, written >= olderIn else { return }
        older = newer
        olderIn = pending
        newer = Half()
        newer.entries.reserveCapacity(Self.half * 2)
        newer.last.reserveCapacity(Self.half * 2)
    }

    /// What the ledger holds now of a person's values, of which `known` was read before.
    func update(_ known: inout [String: Known], of person: String, _ names: [(key: String, value: JSONValue)]) {
        var seen: Set<String> = []
        func take(_ entry: LedgerEntry) {
            let name = entry.key.attribute
            guard names.contains(where: { $0.key == name }), seen.insert(name).inserted else { return }
            known[name] = entry.json.flatMap { try? JSONValue(parsing: $0) }.flatMap(Known.init(stored:))
        }
        newer.walk(person, take)
        older.walk(person, take)
    }
}

import GRDB
public import Model
import Synchronization

// What people look at that stands in entries: the journal's tail in memory is asked first, then the file. The file is read as
// it is afterwards, so what was sealed meanwhile is found there and left out of the tail's answer.

extension StateStore {
    /// Transitions of these numbers, newest first.
    public func transitions(
        profiles: [ProfileOrdinal], computationID: String? = nil, before id: Int64? = nil, limit: Int
    ) throws -> [TransitionRow] {
        try transitions(of: profiles, limit: limit) {
            $1 == computationID || computationID == nil
        } isWanted: { row in
            row.id < id ?? .max
        }
    }

    /// Whether a computation ever came to a value for any of these numbers, up to an instant.
    public func hasTransition(computationID: String, profiles: [ProfileOrdinal], upTo instant: Instant) throws -> Bool {
        try !transitions(of: profiles, limit: 1) {
            $1 == computationID
        } isWanted: {
            $0.at <= instant
        }.isEmpty
    }

    private func transitions(
        of profiles: [ProfileOrdinal], limit: Int, among isWantedComputation: (Int64, String) -> Bool,
        isWanted: (TransitionRow) -> Bool
    ) throws -> [TransitionRow] {
        let limit = max(0, limit)
        let ordinals = Set(profiles.map(\.rawValue)).sorted()
        let known = try read { try computationIDs($0) }
        // A computation may be newer than that: the next look knows it.
        func row(_ entry: PackedEntry, _ bytes: UnsafeRawBufferPointer) throws -> TransitionRow? {
            let number = try entry.computation(in: bytes)
            guard let id = known[number], isWantedComputation(number, id) else { return nil }
            let row = try entry.transition(in: bytes, computationID: id)
            return isWanted(row) ? row : nil
        }
        let newest = try tail.withLock { tail in
            var found: [(number: Int64, row: TransitionRow)] = []
            for ordinal in ordinals {
                var count = 0
                try tail.forEachTransition(of: ordinal) { number, entry, bytes in
                    if let row = try row(entry, bytes) {
                        found.append((number, row))
                        count += 1
                    }
                    return count < limit
                }
            }
            return found
        }
        return try read { db in
            let sealed = try Runs.sealed(db)
            var rows = newest.filter { $0.number > sealed }.map(\.row)
            // Runs follow each other in time: older ones can't have newer transitions.
            for run in try Runs.live(db, .past).reversed() where rows.count < limit {
                try Runs.forEach(db, in: run, .past, of: ordinals) { entry, bytes in
                    if let row = try row(entry, bytes) { rows.append(row) }
                }
            }
            rows.sort { $0.id > $1.id }
            return Array(rows.prefix(limit))
        }
    }

    private func computationIDs(_ db: Database) throws -> [Int64: String] {
        var ids: [Int64: String] = [:]
        try RawStatement(db, "SELECT number, id FROM computations").forEach { ids[$0.int64(0)] = $0.string(1) }
        return ids
    }

    /// The latest activity among these numbers.
    public func activity(of profiles: [ProfileOrdinal]) throws -> ProfileActivity? {
        var ordinals = Set(profiles.map(\.rawValue)).sorted()
        let newest = try tail.withLock { tail in
            var found: [(number: Int64, activity: ProfileActivity)] = []
            for ordinal in ordinals {
                try tail.withActivity(of: ordinal) { found.append(($0, try $1.activity(in: $2))) }
            }
            return found
        }
        return try read { db in
            let sealed = try Runs.sealed(db)
            var found = newest.filter { $0.number > sealed }.map(\.activity)
            for run in try Runs.live(db, .present).reversed() {
                // Older runs may hold an older one of the same profile.
                ordinals.removeAll { ordinal in found.contains { $0.ordinal.rawValue == ordinal } }
                guard !ordinals.isEmpty else { break }
                try Runs.forEach(db, in: run, .present, of: ordinals) { entry, bytes in
                    if entry.minor == UInt64(Slot.activity) { found.append(try entry.activity(in: bytes)) }
                }
            }
            // The lower number where both are of one instant.
            return found.max { ($0.updatedAt, $1.ordinal) < ($1.updatedAt, $0.ordinal) }
        }
    }
}

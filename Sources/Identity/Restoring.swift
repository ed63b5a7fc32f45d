public import Model

/// Rows that make no graph.
public struct IdentityRestoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}

extension IdentityResolver {
    /// The graph that the rows describe, which a resolver handed out before. Profiles ascend by ordinal and
    /// identifiers by sequence.
    public convenience init(
        settings: IdentitySettings, counters: IdentityCounters, profiles rows: [ProfileRow],
        identifiers: [IdentifierRow], links: [LinkRow], merges: [MergeRow]
    ) throws(IdentityRestoreError) {
        self.init(settings: settings)
        table = IdentifierTable(minimumCapacity: identifiers.count)
        nextMapping = counters.nextMapping
        profiles.reserveCapacity(Int(counters.nextOrdinal))
        for row in rows {
            guard row.ordinal.rawValue >= profiles.count, row.ordinal.rawValue < counters.nextOrdinal else {
                throw IdentityRestoreError(description: "profile \(row.ordinal.rawValue) is out of order")
            }
            appendDeleted(upTo: row.ordinal.rawValue)
            try append(row)
        }
        appendDeleted(upTo: counters.nextOrdinal)
        for row in rows {
            guard let canonical = row.mergedInto else { continue }
            guard exists(canonical), self[canonical].canonical == canonical.rawValue, canonical != row.ordinal else {
                throw IdentityRestoreError(
                    description: "profile \(row.ordinal.rawValue) is merged into one that is not canonical")
            }
            unite(row.ordinal.rawValue, into: canonical.rawValue)
        }
        for row in merges {
            self.merges[row.absorbed.rawValue] = MergePoint(
                survivor: row.survivor.rawValue, at: row.at.milliseconds)
        }
        for row in identifiers {
            guard exists(row.owner), row.sequence < nextMapping else {
                throw IdentityRestoreError(description: "mapping \(row.sequence) belongs to no profile")
            }
            let name = TypeTable.Name(collection: row.identifier.collection, type: row.identifier.type)
            addMapping(
                type: types.number(of: name), value: row.identifier.value, owner: row.owner.rawValue,
                createdAt: row.createdAt.milliseconds)
        }
        for row in links where exists(row.user) && exists(row.account) {
            self.links.unite(
                user: self[row.user].canonical, account: self[row.account].canonical,
                createdAt: row.createdAt.milliseconds)
        }
    }

    private func append(_ row: ProfileRow) throws(IdentityRestoreError) {
        guard let segmentID = SegmentID(row.segmentID, collection: row.collection, createdAt: row.createdAt) else {
            throw IdentityRestoreError(description: "'\(row.segmentID)' is no segment id of Muster's")
        }
        profiles.append(
            ProfileEntry(
                segmentID: segmentID, createdAt: row.createdAt.milliseconds, collection: row.collection,
                canonical: row.ordinal.rawValue, nextMember: row.ordinal.rawValue))
    }

    /// Fills the places of deleted profiles.
    private func appendDeleted(upTo end: UInt32) {
        while profiles.count < end {
            let ordinal = UInt32(profiles.count)
            var gap = ProfileEntry(
                segmentID: SegmentID(offset: 0, collection: .users, messageID: ""), createdAt: 0, collection: .users,
                canonical: ordinal, nextMember: ordinal)
            gap.isDeleted = true
            profiles.append(gap)
        }
    }
}

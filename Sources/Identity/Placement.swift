import Model

// The algorithm of spec §4.5 with the merges of §4.6 and the caps of §4.7.

extension IdentityResolver {
    /// The canonical profile of the ids, made, extended or merged as the rules say; `nil` if none is left of them.
    func place(
        _ ids: inout [PromotedID], _ collection: Identifier.Collection, _ origin: Origin,
        _ resolution: inout Resolution
    ) -> ProfileOrdinal? {
        guard let first = ids.first else { return nil }
        var isKnown = true
        var owner: UInt32?
        for index in ids.indices {
            ids[index].entry = table.find(ids[index].type, ids[index].value)
            guard ids[index].entry != IdentifierTable.none else {
                isKnown = false
                continue
            }
            let canonical = canonicalOwner(ids[index].entry)
            if index == 0 { owner = canonical }
            if owner != canonical { isKnown = false }
        }
        if isKnown, let owner { return ProfileOrdinal(owner) }
        if ids.count == 1 {
            // A single id always resolves: limits are at least 1.
            let profile = create(collection, origin, &resolution)
            map(first, to: profile, origin, &resolution)
            return ProfileOrdinal(profile)
        }
        sort(&ids)
        return placeWithinLimits(&ids, collection, origin, &resolution)
    }

    private func placeWithinLimits(
        _ ids: inout [PromotedID], _ collection: Identifier.Collection, _ origin: Origin,
        _ resolution: inout Resolution
    ) -> ProfileOrdinal? {
        while !ids.isEmpty {
            let owners = owners(of: ids)
            if let violated = violatedRule(ids, owners, at: origin.receivedAt) {
                let dropped = ids.remove(at: lowestPriority(ids))
                resolution.issues.append(
                    origin.issue(
                        violated.window == nil ? .valueLimit : .valueTimeLimit,
                        types.identifier(dropped.type, dropped.value)))
                continue
            }
            guard let parent = owners.min(by: isOlder) else {
                let profile = create(collection, origin, &resolution)
                mapMissing(ids, to: profile, origin, &resolution)
                return ProfileOrdinal(profile)
            }
            let absorbed = owners.filter { $0 != parent }.sorted(by: isOlder)
            let total = absorbed.reduce(Int(profiles[Int(parent)].absorbed)) {
                $0 + 1 + Int(profiles[Int($1)].absorbed)
            }
            if !absorbed.isEmpty, total > Self.mergesMaximum {
                resolution.issues.append(origin.issue(.mergeLimit))
                // Ids are sorted by priority.
                return ids.first { $0.entry != IdentifierTable.none }.map { ProfileOrdinal(canonicalOwner($0.entry)) }
            }
            for profile in absorbed { merge(profile, into: parent, origin, &resolution) }
            mapMissing(ids, to: parent, origin, &resolution)
            return ProfileOrdinal(parent)
        }
        return nil
    }

    /// By priority, then by bytes, so that the order within the call makes no difference.
    func sort(_ ids: inout [PromotedID]) {
        ids.sort { left, right in
            left.type == right.type
                ? left.value.precedesInBytes(right.value) : rank(left.type) < rank(right.type)
        }
    }

    private func rank(_ type: UInt16) -> Int { types.rule(type)?.rank ?? .max }

    private func owners(of ids: [PromotedID]) -> [UInt32] {
        var owners: [UInt32] = []
        for id in ids where id.entry != IdentifierTable.none {
            let owner = canonicalOwner(id.entry)
            if !owners.contains(owner) { owners.append(owner) }
        }
        return owners
    }

    /// The rule of highest priority that a profile united from the owners and ids would break by growing; `nil` if it
    /// would break none.
    ///
    /// Values count while their mapping is within the rule's window. An id of the call counts in any case, also on the
    /// side of its owner: otherwise a profile's own old id would seem to be new to it (spec §4.5: one identifier alone
    /// can always resolve).
    private func violatedRule(_ ids: [PromotedID], _ owners: [UInt32], at now: Instant) -> TypeTable.Rule? {
        var union = Array(repeating: 0, count: types.names.count)
        var most = union
        for id in ids where id.entry == IdentifierTable.none { union[Int(id.type)] += 1 }
        for owner in owners {
            var own = Array(repeating: 0, count: types.names.count)
            forEachIdentifier(of: owner) { entry, mapped in
                guard let rule = types.rule(mapped.type) else { return }
                let counts =
                    rule.window.map { now.milliseconds - mapped.createdAt <= $0 } ?? true
                    || ids.contains { $0.entry == entry }
                if counts { own[Int(mapped.type)] += 1 }
            }
            for type in own.indices where own[type] > 0 {
                union[type] += own[type]
                most[type] = max(most[type], own[type])
            }
        }
        return union.indices.compactMap { type -> TypeTable.Rule? in
            guard union[type] > most[type], let rule = types.rule(UInt16(type)), union[type] > rule.limit else {
                return nil
            }
            return rule
        }.min { $0.rank < $1.rank }
    }

    /// Which id to leave out: of the type of lowest priority one that is mapped nowhere yet, and of those the greatest.
    private func lowestPriority(_ ids: [PromotedID]) -> Int {
        let type = ids[ids.count - 1].type
        // Sorted: those of the last type are at the end, ascending.
        return ids.lastIndex { $0.type == type && $0.entry == IdentifierTable.none } ?? ids.count - 1
    }

    /// Created earlier; of two created at one instant the one with the smaller segment id.
    private func isOlder(_ left: UInt32, _ right: UInt32) -> Bool {
        let (first, second) = (profiles[Int(left)], profiles[Int(right)])
        return (first.createdAt, first.segmentID) < (second.createdAt, second.segmentID)
    }

    // MARK: Changes

    private func create(
        _ collection: Identifier.Collection, _ origin: Origin, _ resolution: inout Resolution
    ) -> UInt32 {
        let ordinal = UInt32(profiles.count)
        let segmentID = SegmentID(offset: origin.offset, collection: collection, messageID: origin.messageID)
        let createdAt = origin.receivedAt
        profiles.append(
            ProfileEntry(
                segmentID: segmentID, createdAt: createdAt.milliseconds, collection: collection, canonical: ordinal,
                nextMember: ordinal))
        resolution.created.append(
            ProfileRow(
                ordinal: ProfileOrdinal(ordinal), collection: collection,
                segmentID: segmentID.text(collection: collection, createdAt: createdAt), createdAt: createdAt,
                firstMessageID: origin.messageID, firstSourceID: origin.sourceID))
        return ordinal
    }

    private func mapMissing(
        _ ids: [PromotedID], to profile: UInt32, _ origin: Origin, _ resolution: inout Resolution
    ) {
        for id in ids where id.entry == IdentifierTable.none {
            guard profiles[Int(profile)].mappings < Self.mappingsMaximum else {
                resolution.issues.append(origin.issue(.mappingLimit, types.identifier(id.type, id.value)))
                continue
            }
            map(id, to: profile, origin, &resolution)
        }
    }

    private func map(
        _ id: PromotedID, to profile: UInt32, _ origin: Origin, _ resolution: inout Resolution
    ) {
        let createdAt = origin.receivedAt
        addMapping(type: id.type, value: id.value, owner: profile, createdAt: createdAt.milliseconds)
        resolution.identifiers.append(
            IdentifierRow(
                identifier: types.identifier(id.type, id.value), owner: ProfileOrdinal(profile),
                sequence: nextMapping, createdAt: createdAt, sourceID: origin.sourceID,
                firstMessageID: origin.messageID))
        nextMapping += 1
    }

    /// Puts an id into the table and into the ring of its owner's canonical profile.
    func addMapping(type: UInt16, value: String, owner: UInt32, createdAt: Int64) {
        let entry = table.insert(type, value, owner: owner, createdAt: createdAt)
        let canonical = Int(profiles[Int(owner)].canonical)
        let ring = profiles[canonical].anyIdentifier
        if ring != IdentifierTable.none {
            table.setNext(entry, table[ring].next)
            table.setNext(ring, entry)
        }
        profiles[canonical].anyIdentifier = entry
        profiles[canonical].mappings += 1
    }

    private func merge(
        _ absorbed: UInt32, into parent: UInt32, _ origin: Origin, _ resolution: inout Resolution
    ) {
        resolution.absorbedIdentifiers.append(identifiers(of: ProfileOrdinal(absorbed)))
        unite(absorbed, into: parent)
        merges[absorbed] = MergePoint(survivor: parent, at: origin.receivedAt.milliseconds)
        links.unite(absorbed, into: parent, isUser: profiles[Int(parent)].collection == .users)
        resolution.merges.append(
            MergeRow(
                absorbed: ProfileOrdinal(absorbed), survivor: ProfileOrdinal(parent), at: origin.receivedAt,
                offset: origin.offset, messageID: origin.messageID))
    }

    /// Makes two canonical profiles one: joins their rings of members and ids and points all members at the parent.
    func unite(_ absorbed: UInt32, into parent: UInt32) {
        var member = absorbed
        repeat {
            profiles[Int(member)].canonical = parent
            member = profiles[Int(member)].nextMember
        } while member != absorbed
        let next = profiles[Int(parent)].nextMember
        profiles[Int(parent)].nextMember = profiles[Int(absorbed)].nextMember
        profiles[Int(absorbed)].nextMember = next

        let (own, other) = (profiles[Int(parent)].anyIdentifier, profiles[Int(absorbed)].anyIdentifier)
        if own == IdentifierTable.none {
            profiles[Int(parent)].anyIdentifier = other
        } else if other != IdentifierTable.none {
            let next = table[own].next
            table.setNext(own, table[other].next)
            table.setNext(other, next)
        }
        profiles[Int(absorbed)].anyIdentifier = IdentifierTable.none
        profiles[Int(parent)].mappings += profiles[Int(absorbed)].mappings
        profiles[Int(absorbed)].mappings = 0
        profiles[Int(parent)].absorbed += profiles[Int(absorbed)].absorbed + 1
        profiles[Int(absorbed)].absorbed = 0
    }

    func link(
        _ user: ProfileOrdinal, _ account: ProfileOrdinal, at instant: Instant, _ resolution: inout Resolution
    ) {
        guard links.add(user: user.rawValue, account: account.rawValue, createdAt: instant.milliseconds) else { return }
        resolution.links.append(LinkRow(user: user, account: account, createdAt: instant))
    }

    // MARK: Walking

    func canonicalOwner(_ entry: UInt32) -> UInt32 { profiles[Int(table[entry].owner)].canonical }

    /// Walks the ids of a canonical profile in no particular order.
    func forEachIdentifier(of canonical: UInt32, _ body: (UInt32, IdentifierTable.Entry) -> Void) {
        let start = profiles[Int(canonical)].anyIdentifier
        guard start != IdentifierTable.none else { return }
        var entry = start
        repeat {
            let mapped = table[entry]
            body(entry, mapped)
            entry = mapped.next
        } while entry != start
    }
}

public import Model

// What people order.

/// What an operation ordered by people took out of the graph.
public struct IdentityRemoval: Sendable, Hashable {
    public var identifiers: [Identifier] = []
    /// A canonical profile and those merged into it, one by one.
    public var profiles: [ProfileOrdinal] = []

    public init() {}
}

/// Why one id can't be removed (spec: collection §5.7).
public enum IdentifierRemovalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Accounts keep their `group_id`, and the last `user_id` stays.
    case unsupportedType
    /// No profile has the id, or another profile than the one given.
    case notFound

    public var description: String {
        switch self {
        case .unsupportedType: "this id can't be removed: an account's group_id and the last user_id of a person stay"
        case .notFound: "the profile has no such id"
        }
    }
}

extension IdentityResolver {
    /// Takes one id off a profile (spec §5.7). It may come back with a later call.
    public func remove(_ identifier: Identifier, from profile: ProfileOrdinal) throws(IdentifierRemovalError)
        -> IdentityRemoval
    {
        guard let entry = entry(of: identifier), canonicalOwner(entry) == self[profile].canonical else {
            throw .notFound
        }
        switch table[entry].type {
        case BuiltInType.groupID.rawValue: throw .unsupportedType
        case BuiltInType.userID.rawValue where values(of: profile, type: BuiltInType.userID.name).count == 1:
            throw .unsupportedType
        default: break
        }
        takeOut(entry, of: self[profile].canonical)
        var removal = IdentityRemoval()
        removal.identifiers = [identifier]
        return removal
    }

    /// Deletes a whole profile with everything merged into it (spec §6.4). Its numbers are never used again.
    public func delete(_ profile: ProfileOrdinal) -> IdentityRemoval {
        var removal = IdentityRemoval()
        guard exists(profile) else { return removal }
        let canonical = canonical(profile)
        removal.identifiers = identifiers(of: canonical)
        removal.profiles = members(of: canonical)
        while self[canonical].anyIdentifier != IdentifierTable.none {
            takeOut(self[canonical].anyIdentifier, of: canonical.rawValue)
        }
        links.remove(canonical.rawValue, isUser: collection(of: canonical) == .users)
        for member in removal.profiles {
            let ordinal = Int(member.rawValue)
            merges[member.rawValue] = nil
            profiles[ordinal].isDeleted = true
            profiles[ordinal].canonical = member.rawValue
            profiles[ordinal].nextMember = member.rawValue
            profiles[ordinal].absorbed = 0
        }
        return removal
    }

    private func takeOut(_ entry: UInt32, of canonical: UInt32) {
        let next = table[entry].next
        if next == entry {
            profiles[Int(canonical)].anyIdentifier = IdentifierTable.none
        } else {
            var previous = next
            while table[previous].next != entry { previous = table[previous].next }
            table.setNext(previous, next)
            profiles[Int(canonical)].anyIdentifier = previous
        }
        profiles[Int(canonical)].mappings -= 1
        table.remove(entry)
    }
}

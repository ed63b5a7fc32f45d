public import Model

// The graph as it was at an instant of the past. What was deleted since is not in it.

extension IdentityResolver {
    /// The profile that the number stood for at an instant; `nil` where it did not exist yet, or exists no longer.
    public func canonical(_ profile: ProfileOrdinal, at instant: Instant) -> ProfileOrdinal? {
        guard exists(profile), self[profile].createdAt <= instant.milliseconds else { return nil }
        var root = profile.rawValue
        while let merge = merges[root], merge.at <= instant.milliseconds { root = merge.survivor }
        return ProfileOrdinal(root)
    }

    /// All numbers that the profile had at an instant, ascending.
    public func members(of profile: ProfileOrdinal, at instant: Instant) -> [ProfileOrdinal] {
        guard let root = canonical(profile, at: instant) else { return [] }
        return members(of: profile).filter { canonical($0, at: instant) == root }
    }

    /// Whether the profile had an id of any of the types at an instant. Ids that were removed since don't count.
    public func hasIdentifier(_ profile: ProfileOrdinal, ofTypes names: [String], at instant: Instant) -> Bool {
        let members = members(of: profile, at: instant)
        var found = false
        forEachIdentifier(of: canonical(profile).rawValue) { _, mapped in
            guard !found, mapped.createdAt <= instant.milliseconds else { return }
            found = names.contains(types.names[Int(mapped.type)].type) && members.contains(ProfileOrdinal(mapped.owner))
        }
        return found
    }

    /// Whom an id led to at an instant.
    public func profile(for identifier: Identifier, at instant: Instant) -> ProfileOrdinal? {
        guard let entry = entry(of: identifier), table[entry].createdAt <= instant.milliseconds else { return nil }
        return canonical(ProfileOrdinal(table[entry].owner), at: instant)
    }
}

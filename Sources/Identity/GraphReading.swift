public import Model

// Looking at the graph.

extension IdentityResolver {
    /// The number of profiles ever made, accounts and deleted ones included; all ordinals are below it.
    public var profileCount: Int { profiles.count }

    public func collection(of profile: ProfileOrdinal) -> Identifier.Collection { self[profile].collection }
    public func createdAt(of profile: ProfileOrdinal) -> Instant { Instant(milliseconds: self[profile].createdAt) }

    /// `use_…` or `acc_…` of this number, also where it has been merged away.
    public func segmentID(of profile: ProfileOrdinal) -> String {
        self[profile].segmentID.text(collection: collection(of: profile), createdAt: createdAt(of: profile))
    }

    /// False for deleted profiles.
    public func exists(_ profile: ProfileOrdinal) -> Bool {
        Int(profile.rawValue) < profiles.count && !self[profile].isDeleted
    }

    /// The profile that the number stands for today. O(1); applying it twice changes nothing.
    public func canonical(_ profile: ProfileOrdinal) -> ProfileOrdinal { ProfileOrdinal(self[profile].canonical) }

    public func isCanonical(_ profile: ProfileOrdinal) -> Bool { self[profile].canonical == profile.rawValue }

    /// All numbers of a profile, ascending: the canonical one and those merged into it.
    public func members(of profile: ProfileOrdinal) -> [ProfileOrdinal] {
        var members = [profile]
        var member = self[profile].nextMember
        while member != profile.rawValue {
            members.append(ProfileOrdinal(member))
            member = profiles[Int(member)].nextMember
        }
        return members.sorted()
    }

    /// How many profiles were merged into it.
    public func mergeCount(of profile: ProfileOrdinal) -> Int { Int(self[canonical(profile)].absorbed) }

    /// The canonical profile that has the id. The value must be normalised: e-mail addresses in lower case.
    public func profile(for identifier: Identifier) -> ProfileOrdinal? {
        guard let entry = entry(of: identifier) else { return nil }
        return ProfileOrdinal(canonicalOwner(entry))
    }

    /// All ids of a profile in the order of mapping.
    public func identifiers(of profile: ProfileOrdinal) -> [Identifier] {
        entries(of: profile).map { types.identifier(table[$0].type, table.value(of: $0)) }
    }

    /// The values of one type of id in the order of mapping.
    public func values(of profile: ProfileOrdinal, type: String) -> [String] {
        guard let number = types.knownNumber(of: collection(of: profile), type) else { return [] }
        return entries(of: profile).filter { table[$0].type == number }.map { table.value(of: $0) }
    }

    /// Whether the profile has an id of any of the types.
    public func hasIdentifier(_ profile: ProfileOrdinal, ofTypes names: [String]) -> Bool {
        var found = false
        forEachIdentifier(of: canonical(profile).rawValue) { _, mapped in
            if !found { found = names.contains(types.names[Int(mapped.type)].type) }
        }
        return found
    }

    /// Canonical accounts of a person, ascending.
    public func accounts(of user: ProfileOrdinal) -> [ProfileOrdinal] {
        links.accounts(of: canonical(user).rawValue).map { ProfileOrdinal($0) }
    }

    /// Canonical users of an account, ascending.
    public func users(of account: ProfileOrdinal) -> [ProfileOrdinal] {
        links.users(of: canonical(account).rawValue).map { ProfileOrdinal($0) }
    }

    /// When the person first appeared in the account.
    public func linkedAt(user: ProfileOrdinal, account: ProfileOrdinal) -> Instant? {
        links.linkedAt(user: canonical(user).rawValue, account: canonical(account).rawValue)
            .map { Instant(milliseconds: $0) }
    }

    subscript(profile: ProfileOrdinal) -> ProfileEntry { profiles[Int(profile.rawValue)] }

    func entry(of identifier: Identifier) -> UInt32? {
        guard let type = types.knownNumber(of: identifier.collection, identifier.type) else { return nil }
        let entry = table.find(type, identifier.value)
        return entry == IdentifierTable.none ? nil : entry
    }

    /// Entries are numbered in the order of mapping.
    private func entries(of profile: ProfileOrdinal) -> [UInt32] {
        var entries: [UInt32] = []
        forEachIdentifier(of: canonical(profile).rawValue) { entry, _ in entries.append(entry) }
        return entries.sorted()
    }
}

/// Which people belong to which accounts, between canonical profiles.
struct LinkGraph: Sendable {
    /// When each link was made, in milliseconds, by user and account.
    private var createdAt: [UInt64: Int64] = [:]
    // Lists may hold profiles that were merged or deleted since: a pair counts only while it has a time.
    private var accountsOfUser: [UInt32: [UInt32]] = [:]
    private var usersOfAccount: [UInt32: [UInt32]] = [:]

    private static func pair(_ user: UInt32, _ account: UInt32) -> UInt64 { UInt64(user) << 32 | UInt64(account) }

    /// False if it was there; its time stays.
    mutating func add(user: UInt32, account: UInt32, createdAt instant: Int64) -> Bool {
        let pair = Self.pair(user, account)
        guard createdAt[pair] == nil else { return false }
        createdAt[pair] = instant
        accountsOfUser[user, default: []].append(account)
        usersOfAccount[account, default: []].append(user)
        return true
    }

    /// Adds the link of a profile that was merged; of two links between the same profiles the older stays.
    mutating func unite(user: UInt32, account: UInt32, createdAt instant: Int64) {
        guard !add(user: user, account: account, createdAt: instant) else { return }
        let known = linkedAt(user: user, account: account) ?? instant
        createdAt[Self.pair(user, account)] = min(known, instant)
    }

    func linkedAt(user: UInt32, account: UInt32) -> Int64? { createdAt[Self.pair(user, account)] }

    /// Ascending.
    func accounts(of user: UInt32) -> [UInt32] {
        Set(accountsOfUser[user] ?? []).filter { createdAt[Self.pair(user, $0)] != nil }.sorted()
    }

    /// Ascending.
    func users(of account: UInt32) -> [UInt32] {
        Set(usersOfAccount[account] ?? []).filter { createdAt[Self.pair($0, account)] != nil }.sorted()
    }

    /// Gives all links of one profile to another.
    mutating func unite(_ absorbed: UInt32, into parent: UInt32, isUser: Bool) {
        for other in isUser ? accounts(of: absorbed) : users(of: absorbed) {
            let pair = isUser ? Self.pair(absorbed, other) : Self.pair(other, absorbed)
            guard let instant = createdAt.removeValue(forKey: pair) else { continue }
            unite(user: isUser ? parent : other, account: isUser ? other : parent, createdAt: instant)
        }
        removeList(of: absorbed, isUser: isUser)
    }

    mutating func remove(_ profile: UInt32, isUser: Bool) {
        for other in isUser ? accounts(of: profile) : users(of: profile) {
            createdAt.removeValue(forKey: isUser ? Self.pair(profile, other) : Self.pair(other, profile))
        }
        removeList(of: profile, isUser: isUser)
    }

    private mutating func removeList(of profile: UInt32, isUser: Bool) {
        if isUser { accountsOfUser[profile] = nil } else { usersOfAccount[profile] = nil }
    }
}

import Identity
import JSON
import Model
import Testing

// Caps, changed rules, groups, aliases, deletions (spec: collection §4.6–4.8, §5.7, §6.4; checklist 81–85, 95).

@Suite struct GraphTests {
    /// Merges `count` fresh profiles into that of u1, one call each.
    private func absorb(_ count: Int, from first: Int = 0, into user: String = "u1", _ space: inout Space) throws {
        for index in first..<first + count {
            try space.send(ids: "a\(index)")
            try space.send(ids: user, "a\(index)")
        }
    }

    private var unlimited: IdentitySettings {
        IdentitySettings(
            rules: IdentitySettings.Rule.standard.map {
                var rule = $0
                if rule.type != "user_id" { rule.limit = 10_000 }
                return rule
            })
    }

    @Test("81: the 101st merge is refused, the event still resolves to the id of highest priority")
    func mergeLimit() throws {
        var space = Space(unlimited)
        try space.send(ids: "u1")
        try absorb(100, &space)
        #expect(space.resolver.mergeCount(of: ProfileOrdinal(0)) == 100)
        try space.send(ids: "a100")
        let resolution = try space.send(ids: "u1", "a100", "e-new")
        #expect(resolution.user == ProfileOrdinal(0))
        #expect(resolution.issueKinds == [.mergeLimit])
        #expect(resolution.merges.isEmpty)
        #expect(resolution.identifiers.isEmpty, "no mapping is added")
        #expect(space.profile(of: "a100") == ProfileOrdinal(101))
        // Fewer at once still fit nowhere, and what was merged stays found.
        #expect(space.profile(of: "a99") == ProfileOrdinal(0))
    }

    @Test("81: absorbed profiles bring the number of their own merges along")
    func mergeLimitTransitive() throws {
        var space = Space(unlimited)
        try space.send(ids: "u1")
        try absorb(60, &space)
        space.wait(days: 1)
        try space.send(ids: "e-two")
        for index in 100..<139 {
            try space.send(ids: "a\(index)")
            try space.send(ids: "e-two", "a\(index)")
        }
        #expect(space.resolver.mergeCount(of: try #require(space.profile(of: "e-two"))) == 39)
        // 60 + 1 + 39 is 100.
        #expect(try space.send(ids: "u1", "e-two").merges.count == 1)
        #expect(space.resolver.mergeCount(of: ProfileOrdinal(0)) == 100)
        #expect(space.resolver.members(of: ProfileOrdinal(0)).count == 101)
        #expect(
            space.resolver.members(of: ProfileOrdinal(0)).allSatisfy {
                space.resolver.canonical($0) == ProfileOrdinal(0)
            })
    }

    @Test("81: the 1001st mapping is refused, the event still resolves")
    func mappingLimit() throws {
        var space = Space(unlimited)
        for index in 1..<1000 { try space.send(ids: "u1", "a\(index)") }
        #expect(space.resolver.identifiers(of: ProfileOrdinal(0)).count == 1000)
        let resolution = try space.send(ids: "u1", "a1001")
        #expect(resolution.user == ProfileOrdinal(0))
        #expect(resolution.issueKinds == [.mappingLimit])
        #expect(resolution.issues.first?.identifier == Identifier("a1001"))
        #expect(space.resolver.identifiers(of: ProfileOrdinal(0)).count == 1000)
    }

    @Test("82: a profile that predates a stricter rule stays usable")
    func tightening() throws {
        var space = Space(.standard("user_id", 2))
        try space.send(ids: "u1", "a1")
        try space.send(ids: "u2", "a1")
        #expect(space.ids(with: "u1") == ["a1", "u1", "u2"])
        space.resolver.settings = .standard
        for ids in [["u1"], ["u2"], ["u1", "a1"], ["u2", "a1"]] {
            let resolution = try space.send(user: ids[0], anonymous: ids.count > 1 ? ids[1] : nil)
            #expect(resolution.user == ProfileOrdinal(0))
            #expect(resolution.issues.isEmpty)
        }
        // But it grows no more.
        #expect(try space.send(ids: "u3", "a1").user == ProfileOrdinal(1))
    }

    @Test("83: an alias joins nobody and makes the profile of its user id")
    func alias() throws {
        var space = Space()
        try space.send(ids: "a1")
        let resolution = try space.send(.alias, user: "u9", anonymous: "a1", previous: "a1")
        #expect(resolution.user == ProfileOrdinal(1))
        #expect(space.ids(with: "u9") == ["u9"])
        #expect(try space.send(.alias, user: "u9", previous: "a1").user == ProfileOrdinal(1))
        #expect(resolution.merges.isEmpty)
    }

    @Test("84: a group call makes the account, links both ways, and joins no people")
    func group() throws {
        var space = Space()
        let first = try space.send(.group, user: "u1", group: "g1", #"{"traits": {"plan": "pro"}}"#)
        let second = try space.send(.group, user: "u2", group: "g1")
        let account = try #require(first.account)
        #expect(first.created.map(\.collection) == [.users, .accounts])
        #expect(second.account == account)
        #expect(second.created.map(\.collection) == [.users])
        #expect(first.user != second.user)
        #expect(space.resolver.users(of: account) == [first.user, second.user].compactMap { $0 })
        #expect(space.resolver.accounts(of: try #require(first.user)) == [account])
        #expect(space.resolver.segmentID(of: account).hasPrefix("acc_"))
        #expect(first.links == [LinkRow(user: try #require(first.user), account: account, createdAt: space.now)])
        #expect(try space.send(.group, user: "u1", group: "g1").links.isEmpty)
    }

    @Test("84: context.groupId links to an account that is there and makes none")
    func contextGroup() throws {
        var space = Space()
        let before = try space.send(user: "u1", #"{"context": {"groupId": "g1"}}"#)
        #expect(before.account == nil)
        #expect(before.created.count == 1)
        try space.send(.group, user: "u2", group: "g1")
        let after = try space.send(user: "u1", #"{"context": {"groupId": "g1"}}"#)
        #expect(after.account != nil)
        #expect(after.links.count == 1)
    }

    @Test("65: an empty group id or one of more than 500 characters is not taken")
    func groupIDLength() throws {
        var space = Space()
        for id in ["", String(repeating: "g", count: 501)] {
            #expect(try space.send(.group, user: "u1", group: id).account == nil)
        }
        #expect(try space.send(.group, user: "u1", group: String(repeating: "g", count: 500)).account != nil)
    }

    @Test("A user id and a group id of the same text are different things")
    func collections() throws {
        var space = Space()
        let resolution = try space.send(.group, user: "x", group: "x")
        #expect(resolution.user != resolution.account)
        #expect(space.resolver.profile(for: Identifier(collection: .accounts, type: "user_id", value: "x")) == nil)
    }

    @Test("Links are united in a merge, with the older instant")
    func mergedLinks() throws {
        var space = Space()
        try space.send(.group, user: "u1", group: "g1")
        let start = space.now
        space.wait(days: 1)
        try space.send(.group, anonymous: "a2", group: "g1")
        try space.send(.group, anonymous: "a2", group: "g2")
        #expect(try space.send(ids: "u1", "a2").merges.count == 1)
        let user = try #require(space.profile(of: "u1"))
        let accounts = space.resolver.accounts(of: user)
        #expect(accounts.count == 2)
        for account in accounts { #expect(space.resolver.users(of: account) == [user]) }
        #expect(space.resolver.linkedAt(user: user, account: accounts[0]) == start)
        #expect(describe(try space.restored()) == describe(space.resolver))
        // A new link row is not made for what the merge has brought.
        #expect(try space.send(.group, user: "u1", group: "g2").links.isEmpty)
    }

    @Test("85: the second call of a new user finds the profile of the first")
    func sameUserTwice() throws {
        var space = Space()
        #expect(try space.send(ids: "u1").user == (try space.send(ids: "u1").user))
        #expect(space.resolver.profileCount == 1)
    }

    @Test("Ids are compared as bytes")
    func bytes() throws {
        var space = Space()
        try space.send(user: "e\u{301}")
        #expect(try space.send(user: "\u{e9}").user == ProfileOrdinal(1))
        #expect(try space.send(user: "E\u{301}").user == ProfileOrdinal(2))
    }

    @Test("95: one id can be removed, not the last user id nor a group id; it may come back")
    func removal() throws {
        var space = Space()
        try space.send(ids: "u1", "e1", "a1")
        try space.send(.group, user: "u1", group: "g1")
        let profile = ProfileOrdinal(0)
        #expect(throws: IdentifierRemovalError.unsupportedType) {
            try space.resolver.remove(Identifier("u1"), from: profile)
        }
        let group = Identifier(collection: .accounts, type: "group_id", value: "g1")
        #expect(throws: IdentifierRemovalError.unsupportedType) {
            try space.resolver.remove(group, from: ProfileOrdinal(1))
        }
        #expect(throws: IdentifierRemovalError.notFound) { try space.resolver.remove(group, from: profile) }
        #expect(throws: IdentifierRemovalError.notFound) { try space.resolver.remove(Identifier("e2"), from: profile) }
        let removal = try space.resolver.remove(Identifier("e1"), from: profile)
        space.keep(removal)
        #expect(removal.identifiers == [Identifier("e1")])
        #expect(space.profile(of: "e1") == nil)
        #expect(space.ids(with: "u1") == ["a1", "u1"])
        #expect(describe(try space.restored()) == describe(space.resolver))
        #expect(try space.send(ids: "e1").user == ProfileOrdinal(2))
    }

    @Test("A deleted profile is gone with all it absorbed; its numbers are not used again")
    func deletion() throws {
        var space = Space()
        try space.send(ids: "u1", "e1")
        try space.send(ids: "a2")
        try space.send(.group, user: "u1", anonymous: "a2", group: "g1")
        #expect(space.resolver.members(of: ProfileOrdinal(0)).count == 2)
        let removal = space.resolver.delete(ProfileOrdinal(1))
        space.keep(removal)
        #expect(removal.profiles == [ProfileOrdinal(0), ProfileOrdinal(1)])
        #expect(Set(removal.identifiers) == [Identifier("u1"), Identifier("e1"), Identifier("a2")])
        for id in ["u1", "e1", "a2"] { #expect(space.profile(of: id) == nil) }
        #expect(!space.resolver.exists(ProfileOrdinal(0)))
        #expect(space.resolver.users(of: ProfileOrdinal(2)) == [])
        #expect(describe(try space.restored()) == describe(space.resolver))
        #expect(try space.send(ids: "u1").user == ProfileOrdinal(3))
        #expect(space.resolver.delete(ProfileOrdinal(0)) == IdentityRemoval())
        // Also where the last number is a deleted one.
        space.keep(space.resolver.delete(ProfileOrdinal(3)))
        var restored = Space()
        restored.resolver = try space.restored()
        #expect(try restored.send(ids: "u5").user == ProfileOrdinal(4))
    }

    @Test("The types and values of a profile, in the order of mapping")
    func reading() throws {
        var space = Space()
        try space.send(ids: "a2")
        try space.send(ids: "u1", "a2", "e9")
        try space.send(ids: "u1", "a1", "e1")
        let profile = ProfileOrdinal(0)
        #expect(space.resolver.values(of: profile, type: "anonymous_id") == ["a2", "a1"])
        #expect(space.resolver.values(of: profile, type: "email") == ["e9", "e1"])
        #expect(space.resolver.values(of: profile, type: "phone") == [])
        #expect(space.resolver.hasIdentifier(profile, ofTypes: ["email", "ios.idfa"]))
        #expect(!space.resolver.hasIdentifier(profile, ofTypes: ["ios.idfa", "phone"]))
        #expect(!space.resolver.hasIdentifier(profile, ofTypes: []))
    }

    @Test("Rows that make no graph are refused")
    func badRows() throws {
        var space = Space()
        try space.send(ids: "u1")
        try space.send(ids: "u2")
        var profiles = space.rows.profiles
        func restore() throws {
            _ = try IdentityResolver(
                settings: .standard, counters: space.resolver.counters, profiles: profiles,
                identifiers: space.rows.identifiers, links: [], merges: [])
        }
        try restore()
        profiles[1].mergedInto = ProfileOrdinal(7)
        #expect(throws: IdentityRestoreError.self) { try restore() }
        profiles[1].mergedInto = nil
        profiles[1].segmentID = "use_1"
        #expect(throws: IdentityRestoreError.self) { try restore() }
        profiles.removeLast()
        #expect(throws: IdentityRestoreError.self) { try restore() }
    }
}

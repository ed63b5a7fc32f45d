import Identity
import Model
import Testing

// The worked examples of the spec (collection §4.5), letter by letter: limits are user_id 1 ever, others 5 ever.

@Suite struct WorkedExampleTests {
    @Test("A: nothing known makes a profile")
    func a() throws {
        var space = Space()
        let resolution = try space.send(ids: "a1")
        #expect(resolution.user == ProfileOrdinal(0))
        #expect(resolution.created.map(\.ordinal) == [ProfileOrdinal(0)])
        #expect(resolution.identifiers.map(\.identifier) == [Identifier("a1")])
        #expect(space.ids(with: "a1") == ["a1"])
    }

    @Test("B (68): an anonymous visitor who logs in stays one profile")
    func b() throws {
        var space = Space()
        let first = try space.send(ids: "a1")
        let segmentID = space.resolver.segmentID(of: ProfileOrdinal(0))
        let second = try space.send(ids: "u1", "a1")
        #expect(first.user == second.user)
        #expect(second.created.isEmpty)
        #expect(space.ids(with: "u1") == ["a1", "u1"])
        #expect(space.resolver.segmentID(of: ProfileOrdinal(0)) == segmentID)
    }

    @Test("C (69): a shared e-mail address does not join two users; it stays where it was, and that is logged")
    func c() throws {
        var space = Space()
        try space.send(ids: "u-abc123", "e-jane")
        let resolution = try space.send(ids: "u-abc456", "e-jane")
        #expect(space.ids(with: "u-abc123") == ["e-jane", "u-abc123"])
        #expect(space.ids(with: "u-abc456") == ["u-abc456"])
        #expect(resolution.user == ProfileOrdinal(1))
        #expect(resolution.issueKinds == [.valueLimit])
        #expect(resolution.issues.first?.identifier == Identifier("e-jane"))
        #expect(resolution.issues.first?.profile == ProfileOrdinal(1))
    }

    @Test("D (70): another user on the same browser does not take the anonymous id along")
    func d() throws {
        var space = Space()
        try space.send(ids: "u1", "a1")
        let resolution = try space.send(ids: "u2", "a1")
        #expect(resolution.user == ProfileOrdinal(1))
        #expect(space.ids(with: "a1") == ["a1", "u1"])
        #expect(space.ids(with: "u2") == ["u2"])
    }

    @Test("E (70): two known users with ids crossed: no merge")
    func e() throws {
        var space = Space()
        try space.send(ids: "u1", "a1")
        try space.send(ids: "u2", "a2")
        let resolution = try space.send(ids: "u2", "a1")
        #expect(resolution.user == space.profile(of: "u2"))
        #expect(resolution.merges.isEmpty)
        #expect(resolution.identifiers.isEmpty)
        #expect(space.ids(with: "a1") == ["a1", "u1"])
    }

    @Test("F (71): two profiles with a common id merge into the older, found by every id and by both segment ids")
    func f() throws {
        var space = Space()
        try space.send(ids: "a1", "e")
        space.wait(days: 1)
        try space.send(ids: "a2")
        let ids = [ProfileOrdinal(0), ProfileOrdinal(1)].map { space.resolver.segmentID(of: $0) }
        let resolution = try space.send(ids: "a2", "e")
        #expect(resolution.user == ProfileOrdinal(0))
        #expect(resolution.merges.map(\.absorbed) == [ProfileOrdinal(1)])
        #expect(resolution.merges.map(\.survivor) == [ProfileOrdinal(0)])
        for id in ["a1", "a2", "e"] { #expect(space.profile(of: id) == ProfileOrdinal(0)) }
        for id in ids { #expect(space.profile(segmentID: id) == ProfileOrdinal(0)) }
        #expect(space.resolver.members(of: ProfileOrdinal(0)) == [ProfileOrdinal(0), ProfileOrdinal(1)])
        #expect(space.resolver.segmentID(of: space.resolver.canonical(ProfileOrdinal(1))) == ids[0])
    }

    @Test("F: of two profiles of one instant the first in the Log survives")
    func fTie() throws {
        var space = Space()
        try space.send(ids: "a2")
        try space.send(ids: "a1")
        #expect(try space.send(ids: "a1", "e").user == ProfileOrdinal(1))
        #expect(try space.send(ids: "a2", "e").merges.map(\.survivor) == [ProfileOrdinal(0)])
    }

    @Test("G: a known user with another user's address keeps to the user id")
    func g() throws {
        var space = Space()
        try space.send(ids: "u1", "e1")
        try space.send(ids: "u2", "e2")
        let resolution = try space.send(ids: "u1", "e2")
        #expect(resolution.user == space.profile(of: "u1"))
        #expect(space.ids(with: "u1") == ["e1", "u1"])
        #expect(resolution.merges.isEmpty)
    }

    @Test("H: a shared tablet makes no blob")
    func h() throws {
        var space = Space()
        try space.send(ids: "u1", "d1")
        for user in ["u2", "u3", "u4"] {
            let resolution = try space.send(ids: user, "d1")
            #expect(resolution.user == space.profile(of: user))
            #expect(space.ids(with: user) == [user])
        }
        #expect(space.ids(with: "d1") == ["d1", "u1"])
    }

    @Test("I (73): the sixth anonymous id in a week is left out, and alone makes a profile")
    func i() throws {
        var space = Space(.standard("anonymous_id", 5, .weekly))
        for id in ["a1", "a2", "a3", "a4", "a5"] { try space.send(ids: "u1", id) }
        let resolution = try space.send(ids: "u1", "a6")
        #expect(resolution.user == ProfileOrdinal(0))
        #expect(resolution.issueKinds == [.valueTimeLimit])
        #expect(resolution.issues.first?.identifier == Identifier("a6"))
        #expect(try space.send(ids: "a6").user == ProfileOrdinal(1))
    }

    @Test("J (73): eight days later the old ones do not count, and the two profiles merge")
    func j() throws {
        var space = Space(.standard("anonymous_id", 5, .weekly))
        for id in ["a1", "a2", "a3", "a4", "a5"] { try space.send(ids: "u1", id) }
        try space.send(ids: "a6")
        space.wait(days: 8)
        let resolution = try space.send(ids: "u1", "a6")
        #expect(resolution.merges.map(\.absorbed) == [ProfileOrdinal(1)])
        #expect(resolution.issues.isEmpty)
        #expect(space.ids(with: "u1") == ["a1", "a2", "a3", "a4", "a5", "a6", "u1"])
    }

    @Test("J: a mapping counts up to and including the end of its window")
    func jBound() throws {
        var space = Space(.standard("anonymous_id", 1, .weekly))
        try space.send(ids: "u1", "a1")
        space.wait(days: 7)
        #expect(try space.send(ids: "u1", "a2").issueKinds == [.valueTimeLimit])
        space.now = space.now + Instant.Span(milliseconds: 1)
        #expect(try space.send(ids: "u1", "a2").issueKinds == [])
    }

    @Test("J: an old id of the profile's own is no growth, however full the window is")
    func jOwnOldID() throws {
        var space = Space(.standard("anonymous_id", 2, .weekly))
        try space.send(ids: "u1", "a0")
        space.wait(days: 10)
        for id in ["a1", "a2"] { try space.send(ids: "u1", id) }
        #expect(try space.send(ids: "u1", "a0").issues.isEmpty)
        let both = try space.send(ids: "a0", "e1")
        #expect(both.user == ProfileOrdinal(0))
        #expect(both.identifiers.map(\.identifier) == [Identifier("e1")])
    }

    @Test("K: no merge that would exceed a limit")
    func k() throws {
        var space = Space()
        for id in ["a1", "a2", "a3", "a4", "a5"] { try space.send(ids: "e", id) }
        try space.send(ids: "a6")
        let resolution = try space.send(ids: "e", "a6")
        #expect(resolution.user == space.profile(of: "e"))
        #expect(resolution.merges.isEmpty)
        #expect(resolution.issues.first?.identifier == Identifier("a6"))
        #expect(space.ids(with: "a6") == ["a6"])
    }

    @Test("L (74): a blocked user id is not promoted, the rest resolves")
    func l() throws {
        var space = Space()
        let resolution = try space.send(user: "0000-0000", anonymous: "a1")
        #expect(resolution.identifiers.map(\.identifier) == [Identifier("a1")])
        #expect(resolution.issueKinds == [.valueBlocked])
        #expect(resolution.issues.first?.identifier == Identifier(type: "user_id", value: "0000-0000"))
    }

    @Test("M (75): with only a blocked id there is no profile")
    func m() throws {
        var space = Space()
        try space.send(ids: "u1")
        let resolution = try space.send(user: "-1")
        #expect(resolution.user == nil)
        #expect(resolution.created.isEmpty)
        #expect(resolution.issueKinds == [.valueBlocked, .noIdentifiers])
        #expect(IdentityIssue.Kind.noIdentifiers.title == "No matching identifiers on event")
    }

    @Test("N: two user ids where two are allowed, one e-mail address")
    func n() throws {
        var settings = IdentitySettings.standard("user_id", 2)
        settings = IdentitySettings(
            rules: settings.rules.map { rule in
                var rule = rule
                if rule.type == "email" { rule.limit = 1 }
                return rule
            })
        var space = Space(settings)
        try space.send(ids: "u1", "e1")
        let resolution = try space.send(ids: "u2", "e1")
        #expect(resolution.user == ProfileOrdinal(0))
        #expect(space.ids(with: "u1") == ["e1", "u1", "u2"])
        // A third store id does not fit: the address is dropped and the id gets a profile of its own.
        #expect(try space.send(ids: "u3", "e1").user == ProfileOrdinal(1))
    }

    @Test("Of several new ids of one type the greatest are left out, known ones last")
    func ties() throws {
        var space = Space(.standard("ios.id", 2))
        try space.send(ids: "u1", "d5")
        func externalIDs(_ ids: [String]) -> String {
            let items = ids.map { #"{"id": "\#($0)", "type": "ios.id", "collection": "users", "encoding": "none"}"# }
            return #"{"context": {"externalIds": [\#(items.joined(separator: ","))]}}"#
        }
        let resolution = try space.send(user: "u1", externalIDs(["d7", "d5", "d6", "d9"]))
        #expect(resolution.issues.compactMap(\.identifier?.value) == ["d9", "d7"])
        #expect(space.ids(with: "u1") == ["d5", "d6", "u1"])
    }
}

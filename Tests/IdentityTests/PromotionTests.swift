import Identity
import JSON
import Model
import Testing

// Where ids are read and what is made of them (spec: collection §4.2–4.4, checklist 74–80 and 87).

@Suite struct PromotionTests {
    private func promoted(
        _ kind: Call.Kind, _ body: String, user: String? = nil, anonymous: String? = nil, group: String? = nil,
        _ settings: IdentitySettings = .standard
    ) throws -> [String] {
        let call = Call(
            kind: kind, sourceID: "src", messageID: "m", userID: user, anonymousID: anonymous, groupID: group,
            timestamp: .epoch, receivedAt: .epoch, body: Array(body.utf8))
        return IdentityResolver(settings: settings)
            .promotedIdentifiers(of: call, body: try JSONDocument(parsing: body).root).map { "\($0.type)=\($0.value)" }
    }

    /// The standard with types added.
    private func settings(_ types: String...) -> IdentitySettings {
        var settings = IdentitySettings.standard
        settings.rules += types.map { IdentitySettings.Rule(type: $0) }
        return settings
    }

    @Test("The top-level ids, by priority")
    func topLevel() throws {
        #expect(
            try promoted(.group, "{}", user: "u", anonymous: "a", group: "g") == [
                "user_id=u", "anonymous_id=a", "group_id=g",
            ])
        #expect(try promoted(.track, #"{"context": {"groupId": "g"}}"#, user: "u") == ["user_id=u", "group_id=g"])
        #expect(try promoted(.track, "{}", user: "", anonymous: "a") == ["anonymous_id=a"])
    }

    @Test("Values keep their bytes: case, spaces, accents")
    func verbatim() throws {
        #expect(try promoted(.track, "{}", user: " MiXed é ") == ["user_id= MiXed é "])
    }

    @Test("79: an e-mail address is trimmed and lower-cased")
    func email() throws {
        #expect(
            try promoted(.identify, #"{"traits": {"email": " Jane@Example.COM\n"}}"#, user: "u") == [
                "user_id=u", "email=jane@example.com",
            ])
        #expect(try promoted(.identify, #"{"traits": {"email": "   "}}"#, user: "u") == ["user_id=u"])
        #expect(try promoted(.identify, #"{"traits": {"email": "JOSÉ@X.ES"}}"#) == ["email=josé@x.es"])
    }

    @Test("87: context.traits.email counts on every kind of call")
    func contextEmail() throws {
        let body = #"{"context": {"traits": {"email": "e@x"}}}"#
        for kind in [Call.Kind.identify, .track, .page, .screen, .group] {
            #expect(try promoted(kind, body) == ["email=e@x"])
        }
    }

    @Test("properties.email counts on events and can be switched off; traits on a track never count")
    func propertiesEmail() throws {
        let body = #"{"properties": {"email": "p@x"}, "traits": {"email": "t@x"}}"#
        for kind in [Call.Kind.track, .page, .screen] { #expect(try promoted(kind, body) == ["email=p@x"]) }
        #expect(try promoted(.identify, body) == ["email=t@x"])
        var settings = IdentitySettings.standard
        settings.promotesPropertiesEmail = false
        #expect(try promoted(.track, body, settings) == [])
        #expect(try promoted(.identify, body, settings) == ["email=t@x"])
    }

    @Test("Different addresses in different places are all ids, equal ones are one")
    func several() throws {
        let body = #"{"traits": {"email": "b@x"}, "context": {"traits": {"email": "a@x"}}}"#
        #expect(try promoted(.identify, body) == ["email=a@x", "email=b@x"])
        let same = #"{"traits": {"email": "A@x"}, "context": {"traits": {"email": "a@x"}}}"#
        #expect(try promoted(.identify, same) == ["email=a@x"])
    }

    @Test("Numbers become decimal text; null, booleans, arrays, objects and empty text are no ids")
    func values() throws {
        let settings = settings("n", "s")
        #expect(
            try promoted(.identify, #"{"traits": {"n": 12345678901234567890}}"#, settings) == ["n=12345678901234567890"]
        )
        #expect(try promoted(.identify, #"{"traits": {"n": 42.0}}"#, settings) == ["n=42"])
        for value in ["null", "true", "[1]", "{}", #""""#] {
            #expect(try promoted(.identify, #"{"traits": {"n": \#(value), "s": "x"}}"#, settings) == ["s=x"])
        }
    }

    @Test("78: device ids by platform; the advertising id only with consent")
    func device() throws {
        func body(_ type: String, _ consent: String) -> String {
            """
            {"context": {"device": {"type": "\(type)", "id": "i", "advertisingId": "ad", "token": "t"\(consent)}}}
            """
        }
        #expect(
            try promoted(.track, body("ios", #", "adTrackingEnabled": true"#)) == [
                "ios.id=i", "ios.idfa=ad", "ios.push_token=t",
            ])
        #expect(
            try promoted(.track, body("android", #", "adTrackingEnabled": true"#)) == [
                "android.id=i", "android.idfa=ad", "android.push_token=t",
            ])
        for consent in ["", #", "adTrackingEnabled": false"#, #", "adTrackingEnabled": "true""#] {
            #expect(try promoted(.track, body("ios", consent)) == ["ios.id=i", "ios.push_token=t"])
        }
        #expect(try promoted(.track, body("toaster", "")) == [])
    }

    @Test("The client id of Google Analytics; Braze's and cross-domain ids where they are configured")
    func partners() throws {
        let body = """
            {"context": {"integrations": {"Google Analytics": {"clientId": "ga"}}, "Braze": {"braze_id": "bz"},
                "traits": {"crossDomainId": "xd"}}}
            """
        #expect(try promoted(.page, body) == ["ga_client_id=ga"])
        #expect(
            try promoted(.page, body, settings("braze_id", "cross_domain_id")) == [
                "braze_id=bz", "cross_domain_id=xd", "ga_client_id=ga",
            ])
    }

    @Test("77: a custom id in traits, context.traits and properties, in both spellings")
    func custom() throws {
        let settings = settings("app_id")
        for (kind, body) in [
            (Call.Kind.track, #"{"properties": {"appId": "7"}}"#), (.page, #"{"properties": {"app_id": "7"}}"#),
            (.identify, #"{"traits": {"app_id": "7"}}"#), (.group, #"{"traits": {"appId": "7"}}"#),
            (.track, #"{"context": {"traits": {"appId": "7"}}}"#),
        ] { #expect(try promoted(kind, body, settings) == ["app_id=7"], "\(body)") }
        #expect(try promoted(.track, #"{"traits": {"app_id": "7"}}"#, settings) == [])
        #expect(try promoted(.identify, #"{"properties": {"app_id": "7"}}"#, settings) == [])
        #expect(try promoted(.track, #"{"properties": {"appId": "7", "appId": "8"}}"#, settings) == ["app_id=8"])
    }

    @Test("76: context.externalIds make ids of any type; incomplete items are ignored and reported")
    func externalIDs() throws {
        var space = Space()
        let item = #"{"id": "123", "type": "phone", "collection": "users", "encoding": "none"}"#
        let resolution = try space.send(user: "u1", #"{"context": {"externalIds": [\#(item)]}}"#)
        #expect(resolution.settingsChanged)
        #expect(space.resolver.profile(for: Identifier(type: "phone", value: "123")) == resolution.user)
        #expect(try !space.send(user: "u1", #"{"context": {"externalIds": [\#(item)]}}"#).settingsChanged)
        for bad in [
            #"{"id": "9", "type": "phone", "collection": "users"}"#,
            #"{"id": "9", "type": "phone", "collection": "users", "encoding": "base64"}"#,
            #"{"id": "9", "type": "phone", "encoding": "none"}"#,
            #"{"id": "9", "collection": "users", "encoding": "none"}"#,
            #"{"type": "phone", "collection": "users", "encoding": "none"}"#,
            #"{"id": "9", "type": "group_id", "collection": "users", "encoding": "none"}"#,
            #"{"id": "9", "type": "a:b", "collection": "users", "encoding": "none"}"#, "17",
        ] {
            let resolution = try space.send(user: "u1", #"{"context": {"externalIds": [\#(bad)]}}"#)
            #expect(resolution.issueKinds == [.externalIDIgnored], "\(bad)")
            #expect(resolution.identifiers.isEmpty)
        }
        #expect(space.resolver.profile(for: Identifier(type: "phone", value: "9")) == nil)
    }

    @Test("A type that came with a call is not looked for in traits, or a caller could make ids of names")
    func arrivedTypes() throws {
        var space = Space()
        let item = #"{"id": "Ann", "type": "name", "collection": "users", "encoding": "none"}"#
        try space.send(user: "u1", #"{"context": {"externalIds": [\#(item)]}}"#)
        let resolution = try space.send(.identify, anonymous: "a1", #"{"traits": {"name": "Ann"}}"#)
        #expect(resolution.user != space.profile(of: "u1"))
    }

    @Test("Types that arrive are bounded in number")
    func typeLimit() throws {
        var space = Space()
        var refused = 0
        for index in 0..<120 {
            let item = #"{"id": "1", "type": "t\#(index)", "collection": "users", "encoding": "none"}"#
            refused += try space.send(user: "u1", #"{"context": {"externalIds": [\#(item)]}}"#).issues.count {
                $0.kind == .typeLimit
            }
        }
        #expect(space.resolver.settings.rules.count == IdentitySettings.maximumTypes)
        #expect(refused == 120 - (IdentitySettings.maximumTypes - IdentitySettings.standard.rules.count))
    }

    @Test("80: a new type re-ranks the alphabetical ones; the order made by hand stays")
    func ranks() throws {
        var space = Space()
        func order() -> [String] { space.resolver.settings.ranked(.users).map(\.type) }
        let before = order()
        #expect(before.prefix(4) == ["user_id", "email", "android.id", "android.idfa"])
        let item = #"{"id": "1", "type": "aaa", "collection": "users", "encoding": "none"}"#
        try space.send(user: "u1", #"{"context": {"externalIds": [\#(item)]}}"#)
        #expect(order() == ["user_id", "email", "aaa"] + before.dropFirst(2))
        space.resolver.settings.order = ["ios.id", "user_id"]
        #expect(order().prefix(4) == ["ios.id", "user_id", "aaa", "android.id"])
    }

    @Test("74: the suggested blocked values", arguments: ["00000000-0000", "-1", "null", "anonymous", "0", "---"])
    func blocked(value: String) throws {
        var space = Space()
        let resolution = try space.send(user: value, anonymous: "a1")
        #expect(resolution.issueKinds == [.valueBlocked])
        #expect(space.resolver.profile(for: Identifier(type: "user_id", value: value)) == nil)
    }

    @Test("Blocking compares exactly, and only what is listed for the type")
    func notBlocked() throws {
        for value in ["Null", "-10", "anonymous2", "0a", "NULL"] {
            #expect(try promoted(.track, "{}", user: value) == ["user_id=\(value)"])
        }
        var settings = IdentitySettings.standard
        for index in settings.rules.indices where settings.rules[index].type == "email" {
            settings.rules[index].blocked = [.pattern("@test\\.example$")]
        }
        #expect(try promoted(.identify, #"{"traits": {"email": "A@TEST.example"}}"#, settings) == [])
        #expect(try promoted(.identify, #"{"traits": {"email": "null"}}"#, settings) == ["email=null"])
    }

    @Test("Without a rule a type is not promoted")
    func unconfigured() throws {
        var settings = IdentitySettings.standard
        settings.rules.removeAll { $0.type == "anonymous_id" }
        #expect(try promoted(.track, "{}", user: "u", anonymous: "a", settings) == ["user_id=u"])
    }

    @Test("83: an alias is resolved by its user id alone")
    func alias() throws {
        let body = #"{"context": {"traits": {"email": "e@x"}}}"#
        #expect(try promoted(.alias, body, user: "u9", anonymous: "a1") == ["user_id=u9"])
    }
}

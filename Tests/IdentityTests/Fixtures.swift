import Identity
import JSON
import Model

/// A resolver with a clock moved by hand and a Log whose offsets count up. Keeps every row that it hands out, like a
/// store would.
struct Space {
    var resolver: IdentityResolver
    var now = Instant(milliseconds: 1_700_000_000_000)
    var offset: Int64 = 0
    private(set) var rows = Rows()

    struct Rows {
        var profiles: [ProfileRow] = []
        var identifiers: [IdentifierRow] = []
        var links: [LinkRow] = []
        var merges: [MergeRow] = []
    }

    init(_ settings: IdentitySettings = .standard) { resolver = IdentityResolver(settings: settings) }

    /// Sends a call with top-level ids and a JSON body.
    @discardableResult
    mutating func send(
        _ kind: Call.Kind = .track, user: String? = nil, anonymous: String? = nil, group: String? = nil,
        previous: String? = nil, _ body: String = "{}", receivedAt: Instant? = nil
    ) throws -> Resolution {
        let call = Call(
            kind: kind, sourceID: "src", messageID: "m\(offset)", userID: user, anonymousID: anonymous,
            groupID: group, previousID: previous, event: kind == .track ? "Did" : nil, timestamp: now,
            receivedAt: receivedAt ?? now, body: Array(body.utf8))
        let resolution = resolver.resolve(call, body: try JSONDocument(parsing: body).root, offset: offset)
        offset += 1
        keep(resolution)
        return resolution
    }

    /// Sends `u…` as user id, `a…` as anonymous id, `e…` as e-mail address, `d…` as id of an iPhone.
    @discardableResult
    mutating func send(ids: String...) throws -> Resolution {
        var (user, anonymous, context): (String?, String?, [String]) = (nil, nil, [])
        for id in ids {
            switch id.first {
            case "u": user = id
            case "a": anonymous = id
            case "e": context.append(#""traits": {"email": "\#(id)"}"#)
            case "d": context.append(#""device": {"type": "ios", "id": "\#(id)"}"#)
            default: preconditionFailure("unknown kind of id \(id)")
            }
        }
        return try send(
            user: user, anonymous: anonymous, #"{"context": {\#(context.joined(separator: ","))}}"#)
    }

    /// What a store does with the rows.
    private mutating func keep(_ resolution: Resolution) {
        rows.profiles += resolution.created
        rows.identifiers += resolution.identifiers
        rows.links += resolution.links
        rows.merges += resolution.merges
        for merge in resolution.merges {
            for index in rows.profiles.indices
            where rows.profiles[index].ordinal == merge.absorbed || rows.profiles[index].mergedInto == merge.absorbed {
                rows.profiles[index].mergedInto = merge.survivor
            }
        }
    }

    mutating func keep(_ removal: IdentityRemoval) {
        rows.identifiers.removeAll { removal.identifiers.contains($0.identifier) }
        rows.profiles.removeAll { removal.profiles.contains($0.ordinal) }
        rows.merges.removeAll { removal.profiles.contains($0.absorbed) }
        rows.links.removeAll { removal.profiles.contains($0.user) || removal.profiles.contains($0.account) }
    }

    /// A resolver made from the rows, as after a restart.
    func restored() throws -> IdentityResolver {
        try IdentityResolver(
            settings: IdentitySettings(json: resolver.settings.json), counters: resolver.counters,
            profiles: rows.profiles, identifiers: rows.identifiers, links: rows.links, merges: rows.merges)
    }

    mutating func wait(days: Int64) { now = now + .days(days) }

    /// The values of all ids of the profile that has this id, sorted; empty if none has it.
    func ids(with id: String) -> [String] {
        resolver.profile(for: Identifier(id)).map { resolver.identifiers(of: $0).map(\.value).sorted() } ?? []
    }

    /// As a store finds it: by its row.
    func profile(segmentID: String) -> ProfileOrdinal? {
        rows.profiles.first { $0.segmentID == segmentID }.map { resolver.canonical($0.ordinal) }
    }

    func profile(of id: String) -> ProfileOrdinal? { resolver.profile(for: Identifier(id)) }
}

extension Identifier {
    /// By the first letter, as in `Space.send(ids:)`.
    init(_ id: String) {
        let types: [Character: String] = ["u": "user_id", "a": "anonymous_id", "e": "email", "d": "ios.id"]
        self.init(type: id.first.flatMap { types[$0] } ?? "", value: id)
    }
}

extension IdentitySettings {
    /// The standard with another limit for one type.
    static func standard(_ type: String, _ limit: Int, _ window: Window = .ever) -> IdentitySettings {
        var settings = IdentitySettings.standard
        for index in settings.rules.indices where settings.rules[index].type == type {
            settings.rules[index].limit = limit
            settings.rules[index].window = window
        }
        return settings
    }
}

extension Resolution {
    var issueKinds: [IdentityIssue.Kind] { issues.map(\.kind) }
}

/// Everything that can be seen of a graph, as text: two graphs are equal when these are.
func describe(_ resolver: IdentityResolver) -> [String] {
    (0..<UInt32(resolver.profileCount)).map { number in
        let profile = ProfileOrdinal(number)
        guard resolver.exists(profile) else { return "\(number) deleted" }
        func list(_ profiles: [ProfileOrdinal]) -> String {
            profiles.map { String($0.rawValue) }.joined(separator: " ")
        }
        let ids = resolver.identifiers(of: profile).map { "\($0.type):\($0.value)" }.joined(separator: " ")
        return """
            \(number) \(resolver.segmentID(of: profile)) \(resolver.createdAt(of: profile)) \
            is \(resolver.canonical(profile).rawValue) [\(list(resolver.members(of: profile)))] \
            \(resolver.mergeCount(of: profile)) {\(ids)} \
            accounts [\(list(resolver.accounts(of: profile)))] users [\(list(resolver.users(of: profile)))]
            """
    } + ["\(resolver.counters)"]
}

public import JSON

/// An order about the data of people, named by their user ids (spec: collection §6.4).
public struct Regulation: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case suppressOnly = "SUPPRESS_ONLY"
        case unsuppress = "UNSUPPRESS"
        case deleteInternal = "DELETE_INTERNAL"
        case suppressWithDeleteInternal = "SUPPRESS_WITH_DELETE_INTERNAL"
        case deleteOnly = "DELETE_ONLY"
        case suppressWithDelete = "SUPPRESS_WITH_DELETE"

        /// New calls with the ids are turned away from now on.
        public var suppresses: Bool {
            [.suppressOnly, .suppressWithDeleteInternal, .suppressWithDelete].contains(self)
        }
        /// Profile, events and everything derived from them go.
        public var deletes: Bool { self != .suppressOnly && self != .unsuppress }
        /// Destinations are to delete the person too.
        public var forwards: Bool { self == .deleteOnly || self == .suppressWithDelete }
    }

    public var id: String
    public var kind: Kind
    public var userIDs: [String]
    public var createdAt: Instant
    /// The numbers that the deleted profiles had; set by the engine.
    public var profiles: [ProfileOrdinal]
    /// The values of all ids that the deleted profiles had, as long as the order is open: what destinations know them by.
    /// Set by the engine.
    public var identifiers: [String]
    /// Records of the Log below it are rewritten; set by the engine.
    public var logEnd: Int64
    /// When nothing of it was left to do.
    public var finishedAt: Instant?

    public init(
        id: String, kind: Kind, userIDs: [String], createdAt: Instant, profiles: [ProfileOrdinal] = [],
        identifiers: [String] = [], logEnd: Int64 = 0, finishedAt: Instant? = nil
    ) {
        self.id = id
        self.kind = kind
        self.userIDs = userIDs
        self.createdAt = createdAt
        self.profiles = profiles
        self.identifiers = identifiers
        self.logEnd = logEnd
        self.finishedAt = finishedAt
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "id": .string(id), "kind": .string(kind.rawValue), "userIDs": .array(userIDs.map { .string($0) }),
            "createdAt": .number(Int(createdAt.milliseconds)),
            "profiles": .array(profiles.map { .number(Int($0.rawValue)) }), "logEnd": .number(Int(logEnd)),
        ]
        if !identifiers.isEmpty { object["identifiers"] = .array(identifiers.map { .string($0) }) }
        if let finishedAt { object["finishedAt"] = .number(Int(finishedAt.milliseconds)) }
        return .object(object)
    }

    public init(json: JSONValue) throws(DefinitionError) {
        guard let id = json["id"]?.string, let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:)),
            let createdAt = json["createdAt"]?.integer
        else { throw DefinitionError("a regulation lacks its id, kind or time") }
        self.init(
            id: id, kind: kind, userIDs: (json["userIDs"]?.array ?? []).compactMap(\.string),
            createdAt: Instant(milliseconds: Int64(createdAt)),
            profiles: (json["profiles"]?.array ?? []).compactMap(\.integer).map {
                ProfileOrdinal(UInt32(clamping: $0))
            },
            identifiers: (json["identifiers"]?.array ?? []).compactMap(\.string),
            logEnd: Int64(json["logEnd"]?.integer ?? 0),
            finishedAt: json["finishedAt"]?.integer.map { Instant(milliseconds: Int64($0)) })
    }
}

public import JSON
public import Model

/// Which profile a call belongs to: the identity graph in memory, and the rules that change it (spec: collection §4).
///
/// Promises: a pure function of the settings, the calls and their order. No clock, no randomness, no dependence on the
/// order of ids within a call or on hash seeds; restoring from the rows it handed out gives the same graph.
///
/// A call whose ids are all known and lead to one profile, which is nearly every call, costs one look-up per id.
public final class IdentityResolver {
    let types: TypeTable
    var profiles: [ProfileEntry] = []
    var table: IdentifierTable
    var links = LinkGraph()
    /// What each merged profile was absorbed by, and when: for questions about the past.
    var merges: [UInt32: MergePoint] = [:]
    var nextMapping: Int64 = 0
    private var scratch = Promotion()

    /// Profiles that may be absorbed into one, and ids that may be mapped to one (spec §4.7).
    public static let mergesMaximum = 100
    public static let mappingsMaximum = 1_000

    /// An empty graph.
    public init(settings: IdentitySettings = .standard) {
        types = TypeTable(settings)
        table = IdentifierTable()
    }

    /// Rules in force. Setting them changes how later calls resolve, nothing that was mapped or merged before.
    public var settings: IdentitySettings {
        get { types.settings }
        set { types.apply(newValue) }
    }

    public var counters: IdentityCounters {
        IdentityCounters(nextOrdinal: UInt32(profiles.count), nextMapping: nextMapping)
    }

    /// Finds or makes the profiles of a call (spec §4.5–4.8).
    ///
    /// `body` is the root of `call.body`; `offset` is the call's place in the Log, which no other call may share.
    public func resolve(_ call: Call, body: JSONView, offset: Int64) -> Resolution {
        // Moved out and back, so that its memory serves the next call.
        var promotion = scratch
        scratch = Promotion()
        promotion.removeAll()
        promotion.gather(call, body: body, types: types)

        var resolution = Resolution()
        let origin = Origin(call, offset: offset)
        if !promotion.unknown.isEmpty { addTypes(&promotion, origin, &resolution) }
        for issue in promotion.issues { resolution.issues.append(origin.issue(issue.kind, issue.identifier)) }

        resolution.user = place(&promotion.users, .users, origin, &resolution)
        if resolution.user == nil { resolution.issues.append(origin.issue(.noIdentifiers)) }
        if !promotion.accounts.isEmpty {
            // Only group calls make accounts; elsewhere `context.groupId` links to one that is there (spec §4.8).
            resolution.account =
                call.kind == .group
                ? place(&promotion.accounts, .accounts, origin, &resolution) : knownAccount(promotion.accounts)
            if let user = resolution.user, let account = resolution.account {
                link(user, account, at: call.receivedAt, &resolution)
            }
        }
        for index in resolution.issues.indices where resolution.issues[index].profile == nil {
            let isAccount = resolution.issues[index].identifier?.collection == .accounts
            resolution.issues[index].profile = isAccount ? resolution.account : resolution.user
        }
        scratch = promotion
        return resolution
    }

    /// The ids that the call brings along, normalised, by collection and priority; blocked ones and types without a
    /// rule are left out (spec §4.2). For the event's `external_ids`: ask after the call was resolved.
    public func promotedIdentifiers(of call: Call, body: JSONView) -> [Identifier] {
        var promotion = Promotion()
        promotion.gather(call, body: body, types: types)
        sort(&promotion.users)
        sort(&promotion.accounts)
        return (promotion.users + promotion.accounts).map { types.identifier($0.type, $0.value) }
    }

    private func knownAccount(_ ids: [PromotedID]) -> ProfileOrdinal? {
        guard let id = ids.first(where: { $0.type == BuiltInType.groupID.rawValue }) else { return nil }
        let entry = table.find(id.type, id.value)
        return entry == IdentifierTable.none ? nil : ProfileOrdinal(canonicalOwner(entry))
    }

    /// Gives a default rule to each type that came in `context.externalIds` and is new (spec §4.2).
    private func addTypes(_ promotion: inout Promotion, _ origin: Origin, _ resolution: inout Resolution) {
        let unknown = promotion.unknown
        for (name, value) in unknown {
            let number = types.knownNumber(of: name.collection, name.type)
            if number.flatMap({ types.rule($0) }) == nil {
                guard settings.rules.count < IdentitySettings.maximumTypes else {
                    let identifier = Identifier(collection: name.collection, type: name.type, value: value)
                    resolution.issues.append(origin.issue(.typeLimit, identifier))
                    continue
                }
                var extended = settings
                extended.rules.append(
                    IdentitySettings.Rule(collection: name.collection, type: name.type, readsTraits: false))
                settings = extended
                resolution.settingsChanged = true
            }
            promotion.add(types.number(of: name), value, types)
        }
    }
}

/// What the rows of a change say of the call behind it. Not the whole call: copying that would cost more than finding
/// a known profile.
struct Origin {
    let offset: Int64
    let receivedAt: Instant
    let messageID: String
    let sourceID: String

    init(_ call: Call, offset: Int64) {
        self.offset = offset
        receivedAt = call.receivedAt
        messageID = call.messageID
        sourceID = call.sourceID
    }

    func issue(_ kind: IdentityIssue.Kind, _ identifier: Identifier? = nil) -> IdentityIssue {
        IdentityIssue(
            kind: kind, identifier: identifier, at: receivedAt, offset: offset, messageID: messageID,
            sourceID: sourceID)
    }
}

/// A merge in memory.
struct MergePoint: Sendable {
    /// The profile that was canonical for both right afterwards.
    let survivor: UInt32
    /// Milliseconds.
    let at: Int64
}

/// One profile in memory.
struct ProfileEntry: Sendable {
    let segmentID: SegmentID
    /// Milliseconds.
    let createdAt: Int64
    let collection: Identifier.Collection
    var isDeleted = false
    /// Profiles that were merged into it, and into those.
    var absorbed: UInt16 = 0
    var canonical: UInt32
    /// The next profile with the same canonical one, in a ring.
    var nextMember: UInt32
    /// One id of the ring of ids; `IdentifierTable.none` where there is none. Kept on canonical profiles only.
    var anyIdentifier = IdentifierTable.none
    var mappings: UInt32 = 0
}

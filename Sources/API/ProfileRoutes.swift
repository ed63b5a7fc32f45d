import Engine
import History
import Hummingbird
import JSON
import Model
import Store

// Profiles for people: search, one profile whole, and what happened to it (spec: engage §10.6, collection §6.1).

extension API {
    func addProfileRoutes(to routes: RouteTable<some RequestContext>) {
        routes.getInSpace("/profiles") { try listProfiles($0) }
        routes.getInSpace("/profiles/:id") { request in
            if let instant = try request.query.instant("at") {
                return ["profile": try profileAsOf(instant, request)]
            }
            return ["profile": try profile(request)]
        }
        routes.getInSpace("/profiles/:id/timeline") { try timeline($0) }
    }

    private func collection(_ request: APIRequest) throws(APIError) -> Identifier.Collection {
        guard let text = request.query["collection"] else { return .users }
        guard let collection = Identifier.Collection(rawValue: text) else {
            throw APIError(.badRequest, field: "collection", "'collection' must be users or accounts.")
        }
        return collection
    }

    private func listProfiles(_ request: APIRequest) throws -> JSONValue {
        let collection = try collection(request)
        let paging = try Paging(request.query)
        if let search = request.query["search"] {
            let found = engine.read { engine in
                API.find(search, in: collection, engine).map { engine.summary($0) }
            }
            return [
                "profiles": .array(try found.map(row)), "pagination": paging.json(next: nil, total: found.count),
            ]
        }
        let before = try paging.number().map { ProfileOrdinal(UInt32(clamping: $0)) }
        let profiles = engine.read { $0.profiles(collection, before: before, limit: paging.count + 1) }
        let page = profiles.prefix(paging.count)
        let next = profiles.count > page.count ? page.last.map { String($0.ordinal.rawValue) } : nil
        return ["profiles": .array(try page.map(row)), "pagination": paging.json(next: next)]
    }

    /// A profile in the list, with when it was last active.
    private func row(_ summary: ProfileSummary) throws -> JSONValue {
        guard case .object(var object) = json(summary) else { return .null }
        let (ordinals, count) = engine.read { engine in
            (engine.ordinals(of: summary.ordinal), engine.identifiers(of: summary.ordinal).count)
        }
        object["updatedAt"] = .time(try engine.store.activity(of: ordinals)?.updatedAt ?? summary.createdAt)
        object["identifierCount"] = .number(count)
        return .object(object)
    }

    /// Profiles that an identifier leads to, now or as of an instant: a segment id, `type:value`, or a bare value of any
    /// usual type.
    static func find(
        _ text: String, in collection: Identifier.Collection, _ engine: borrowing Engine,
        at instant: Instant = .distantFuture
    ) -> [ProfileOrdinal] {
        var found: [ProfileOrdinal] = []
        func add(_ profile: ProfileOrdinal?) {
            guard let profile, !found.contains(profile), engine.summary(profile).collection == collection else {
                return
            }
            found.append(profile)
        }
        func add(_ type: String, _ value: String) {
            let identifier = Identifier(collection: collection, type: type, value: normalised(value, type))
            add(engine.profile(for: identifier, at: instant))
        }
        add(engine.profile(segmentID: text, at: instant))
        if let colon = text.firstIndex(of: ":") {
            add(text[..<colon].lowercased(), String(text[text.index(after: colon)...]))
        }
        for type in engine.identifierTypes(collection) { add(type, text) }
        return found
    }

    private static func normalised(_ value: String, _ type: String) -> String {
        type == "email" ? value.lowercased().filter { !$0.isWhitespace } : value
    }

    // MARK: One profile

    /// The profile of the address, merged or not.
    func view(_ request: APIRequest) throws -> ProfileDetails {
        let id = request.parameter("id")
        let view = engine.read { engine in engine.profile(segmentID: id).flatMap { engine.view(of: $0) } }
        guard let view else { throw APIError.notFound("profile", id: id) }
        return view
    }

    private func profile(_ request: APIRequest) throws -> JSONValue {
        let view = try view(request)
        let sources = engine.read { $0.sources }
        let identities = try engine.store.identifiers(of: view.ordinals)
        let current = Set(view.identifiers)
        let activity = try engine.store.activity(of: view.ordinals)
        guard case .object(var object) = json(view.summary) else { return .null }
        object["updatedAt"] = .time(activity?.updatedAt ?? view.summary.createdAt)
        object["identities"] = .array(
            identities.filter { current.contains($0.identifier) }.map { row in
                [
                    "type": .string(row.identifier.type), "value": .string(row.identifier.value),
                    "createdAt": .time(row.createdAt), "sourceId": .string(row.sourceID),
                    "sourceName": .string(sources[row.sourceID]?.name ?? row.sourceID),
                ]
            })
        object["traits"] = .array(
            view.traits.map { trait in
                [
                    "key": .string(trait.key), "value": trait.value, "updatedAt": .time(trait.at),
                    "sourceId": .string(trait.sourceID),
                    "sourceName": .string(sources[trait.sourceID]?.name ?? trait.sourceID),
                ]
            })
        object["computedTraits"] = .array(
            view.computed.filter { $0.kind == .trait && !$0.value.isNull }.map { trait in
                [
                    "id": .string(trait.computationID), "key": .string(trait.key), "name": .string(trait.name),
                    "value": trait.value, "updatedAt": .time(trait.since), "deleted": .bool(trait.isDeleted),
                ]
            })
        object["audiences"] = .array(
            view.computed.filter { $0.kind == .audience && !$0.isDeleted }.map { audience in
                [
                    "id": .string(audience.computationID), "key": .string(audience.key),
                    "name": .string(audience.name), "member": .bool(audience.value == true),
                    "since": .time(audience.since),
                ]
            })
        let linked = JSONValue.array(view.linked.map(json))
        object["accounts"] = view.summary.collection == .users ? linked : []
        object["users"] = view.summary.collection == .users ? [] : linked
        object["mergedIds"] = .array(
            try view.ordinals.filter { $0 != view.summary.ordinal }
                .compactMap { try engine.store.profile($0) }.map { .string($0.segmentID) })
        return .object(object)
    }
}

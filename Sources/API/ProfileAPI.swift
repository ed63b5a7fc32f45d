import Engine
import EventLog
import HTTPTypes
import History
import Hummingbird
import JSON
import Model
import Store

// The vendor's Profile API: one profile, read by a server (spec: collection §5). Errors have a shape of their own.

extension API {
    func addProfileAPIRoutes(to routes: RouteTable<some RequestContext>) {
        add("traits", to: routes) { try profileTraits($0) }
        add("external_ids", to: routes) { try profileExternalIDs($0) }
        add("events", to: routes) { try profileEvents($0) }
        add("metadata", to: routes) { try profileMetadata($0) }
        add("links", to: routes) { try profileLinks($0) }
    }

    private func add(
        _ part: String, to routes: RouteTable<some RequestContext>,
        _ handler: @escaping @Sendable (ProfileRequest) throws -> JSONValue
    ) {
        routes.raw(.get, "/v1/spaces/:space/collections/:collection/profiles/:lookup/\(part)") { request in
            Answer.json(try handler(try ProfileRequest(request, api: self, part: part)))
        }
    }

    // MARK: Traits

    private func profileTraits(_ request: ProfileRequest) throws -> JSONValue {
        let limit = try request.limit(10, maximum: 200)
        let isVerbose = try request.query.bool("verbose") ?? false
        var values: [(key: String, value: JSONValue, source: String, at: Instant)] = []
        let kind: Computation.Kind?
        switch request.query["class"] {
        case nil: kind = nil
        case "audience": kind = .audience
        case "computed_trait": kind = .trait
        default: throw APIError(.validation, "The parameter class must be audience or computed_trait.")
        }
        for computed in request.view.computed where !computed.value.isNull && (kind == nil || kind == computed.kind) {
            values.append((computed.key, computed.value, computed.computationID, computed.since))
        }
        if kind == nil {
            let computed = Set(values.map(\.key))
            values += request.view.traits.filter { !computed.contains($0.key) }
                .map { ($0.key, $0.value, $0.sourceID, $0.at) }
        }
        values.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        var next: String?
        if let include = request.list("include") {
            values = values.filter { include.contains($0.key) }
        } else {
            if let start = request.query["next"] {
                values.removeAll { $0.key.utf8.lexicographicallyPrecedes(start.utf8) }
            }
            if values.count > limit {
                next = values[limit].key
                values = Array(values[..<limit])
            }
        }
        var traits = JSONObject()
        for trait in values {
            traits[trait.key] =
                isVerbose
                ? ["value": trait.value, "source_id": .string(trait.source), "updated_at": .time(trait.at)]
                : trait.value
        }
        return ["traits": .object(traits), "cursor": request.cursor(next: next, limit: limit)]
    }

    // MARK: External ids

    private func profileExternalIDs(_ request: ProfileRequest) throws -> JSONValue {
        let limit = try request.limit(25, maximum: 100)
        let current = Set(request.view.identifiers)
        var rows = try engine.store.identifiers(of: request.view.ordinals).filter { current.contains($0.identifier) }
        if let include = request.list("include") { rows = rows.filter { include.contains($0.identifier.type) } }
        if let next = request.query["next"] {
            guard let sequence = Int64(next.dropFirst(4)), next.hasPrefix("map_") else { throw ProfileRequest.badNext }
            rows.removeAll { $0.sequence < sequence }
        }
        let page = rows.prefix(limit)
        let next = rows.count > limit ? "map_\(rows[limit].sequence)" : nil
        return ["data": .array(page.map(ProfileRequest.json)), "cursor": request.cursor(next: next, limit: limit)]
    }

    // MARK: Events

    /// How far back the hosted API shows events.
    private static let eventHistory = Instant.Span.days(14)

    private func profileEvents(_ request: ProfileRequest) throws -> JSONValue {
        let limit = try request.limit(100, maximum: 100)
        let now = now()
        let from = max(try request.time("start") ?? .distantPast, now - API.eventHistory)
        let to = try request.time("end") ?? .distantFuture
        let isAscending: Bool
        switch request.query["sort"] {
        case nil, "desc": isAscending = false
        case "asc": isAscending = true
        default: throw APIError(.validation, "The parameter sort must be asc or desc.")
        }
        let include = request.list("include")
        let exclude = request.list("exclude") ?? []
        var entries = events(of: request.view.summary.ordinal, after: from, before: to).filter {
            (include?.contains($0.name) ?? true) && !exclude.contains($0.name)
        }
        if isAscending { entries.reverse() }
        if let next = request.query["next"] {
            guard let place = EventCursor(next) else { throw ProfileRequest.badNext }
            entries = place.rest(of: entries, ascending: isAscending)
        }
        let page = Array(entries.prefix(limit))
        let next = entries.count > limit ? page.last.map { EventCursor($0).text } : nil
        var calls: [Int64: Call] = [:]
        for record in try log.records(at: page.map(\.offset)) {
            if case .call(let call) = record.entry { calls[record.offset] = call }
        }
        let data = page.map { entry in json(entry, calls[entry.offset], of: request) }
        return ["data": .array(data), "cursor": request.cursor(next: next, limit: limit)]
    }

    /// Events between two instants, both exclusive, newest first.
    private func events(of profile: ProfileOrdinal, after start: Instant, before end: Instant) -> [TimelineEntry] {
        var found: [TimelineEntry] = []
        var last: TimelineEntry?
        while true {
            let after = last
            let page = engine.read { $0.timeline(of: profile, before: after, limit: 500) }
            found += page.filter { $0.timestamp > start && $0.timestamp < end }
            guard page.count == 500, let oldest = page.last, oldest.timestamp > start else { return found }
            last = oldest
        }
    }

    private func json(_ entry: TimelineEntry, _ call: Call?, of request: ProfileRequest) -> JSONValue {
        let body = call.flatMap { try? JSONValue(parsing: $0.body) } ?? .null
        var ids: [JSONValue] = []
        for (type, value) in [("user_id", call?.userID), ("anonymous_id", call?.anonymousID)] {
            guard let value else { continue }
            ids.append(["collection": "users", "type": .string(type), "id": .string(value), "encoding": "none"])
        }
        return [
            "external_ids": .array(ids), "context": body["context"] ?? [:], "type": "track",
            "message_id": .string(entry.messageID), "source_id": .string(entry.sourceID),
            "timestamp": .time(entry.timestamp), "properties": body["properties"] ?? [:],
            "event": .string(entry.name), "related": ["users": .string(request.view.summary.segmentID)],
        ]
    }

    // MARK: Metadata and links

    private func profileMetadata(_ request: ProfileRequest) throws -> JSONValue {
        let view = request.view
        guard let row = try engine.store.profile(view.summary.ordinal) else { throw ProfileRequest.notFound }
        let activity = try engine.store.activity(of: view.ordinals)
        return [
            "metadata": [
                "created_at": .time(row.createdAt), "updated_at": .time(activity?.updatedAt ?? row.createdAt),
                "expires_at": .null, "first_message_id": .string(row.firstMessageID),
                "first_source_id": .string(row.firstSourceID),
                "last_message_id": .string(activity?.lastMessageID ?? row.firstMessageID),
                "last_source_id": .string(activity?.lastSourceID ?? row.firstSourceID),
            ]
        ]
    }

    private func profileLinks(_ request: ProfileRequest) throws -> JSONValue {
        let limit = try request.limit(20, maximum: 20)
        let other = request.view.summary.collection == .users ? "accounts" : "users"
        let data: [JSONValue] = try request.view.linked.prefix(limit).map { summary in
            let view = engine.read { $0.view(of: summary.ordinal) }
            let current = Set(view?.identifiers ?? [])
            let rows = try engine.store.identifiers(of: view?.ordinals ?? [])
                .filter { current.contains($0.identifier) }
            return ["to_collection": .string(other), "external_ids": .array(rows.map(ProfileRequest.json))]
        }
        return ["data": .array(data), "cursor": request.cursor(next: nil, limit: limit)]
    }
}

/// A request of the Profile API with the profile it is about.
struct ProfileRequest {
    static let notFound = APIError(.notFound, "Profile was not found.")
    static let badNext = APIError(.validation, "The parameter next must be the cursor's next of an earlier page.")

    let view: ProfileDetails
    let query: QueryParameters
    /// Without host and query.
    private let path: String

    init(_ request: APIRequest, api: API, part: String) throws {
        try request.checkSpace(api.spaceID)
        let text = request.parameter("collection")
        guard let collection = Identifier.Collection(rawValue: text) else {
            throw APIError(.validation, "The parameter collection must be users or accounts.")
        }
        let lookup = request.parameter("lookup")
        let view = api.engine.read { engine -> ProfileDetails? in
            guard let ordinal = ProfileRequest.profile(lookup, collection, engine) else { return nil }
            return engine.view(of: ordinal)
        }
        guard let view, view.summary.collection == collection else { throw ProfileRequest.notFound }
        self.view = view
        query = request.query
        path = "/v1/spaces/\(api.spaceID)/collections/\(text)/profiles/\(view.summary.segmentID)/\(part)"
    }

    /// `type:value`, split at the first colon, or a bare segment id.
    private static func profile(
        _ lookup: String, _ collection: Identifier.Collection, _ engine: borrowing Engine
    ) -> ProfileOrdinal? {
        guard let colon = lookup.firstIndex(of: ":") else { return engine.profile(segmentID: lookup) }
        let type = String(lookup[..<colon])
        let value = String(lookup[lookup.index(after: colon)...])
        if type == "segment_id" { return engine.profile(segmentID: value) }
        let folded = type == "email" ? value.lowercased() : value
        return engine.profile(for: Identifier(collection: collection, type: type, value: folded))
    }

    func limit(_ standard: Int, maximum: Int) throws(APIError) -> Int {
        guard let text = query["limit"] else { return standard }
        guard let limit = Int(text), (1...maximum).contains(limit) else {
            throw APIError(.validation, "The parameter limit must be a whole number from 1 to \(maximum).")
        }
        return limit
    }

    /// A parameter that is a comma-separated list.
    func list(_ name: String) -> Set<String>? {
        query[name].map { Set($0.split(separator: ",").map(String.init)) }
    }

    func time(_ name: String) throws(APIError) -> Instant? {
        guard let text = query[name] else { return nil }
        guard let instant = Instant(iso8601: text) else {
            throw APIError(.validation, "The parameter \(name) must be a time like 2026-01-31T12:00:00Z.")
        }
        return instant
    }

    func cursor(next: String?, limit: Int) -> JSONValue {
        [
            "url": .string(path), "has_more": .bool(next != nil), "next": .string(next ?? ""),
            "limit": .number(limit),
        ]
    }

    static func json(_ row: IdentifierRow) -> JSONValue {
        [
            "source_id": .string(row.sourceID), "collection": .string(row.identifier.collection.rawValue),
            "id": .string(row.identifier.value), "type": .string(row.identifier.type),
            "created_at": .time(row.createdAt), "encoding": "none",
            "first_message_id": .string(row.firstMessageID),
        ]
    }
}

/// The last event of a page: its time and message id (spec: collection §5.4).
struct EventCursor {
    let milliseconds: Int64
    let messageID: String

    init(_ entry: TimelineEntry) {
        milliseconds = entry.timestamp.milliseconds
        messageID = entry.messageID
    }

    init?(_ text: String) {
        guard let decoded = Base64.decode(text), let separator = decoded.firstRange(of: "::"),
            let nanoseconds = Int64(decoded[..<separator.lowerBound])
        else { return nil }
        milliseconds = nanoseconds / 1_000_000
        messageID = String(decoded[separator.upperBound...])
    }

    /// Base64 of `<unix nanoseconds>::<message id>`.
    var text: String { Base64.encode("\(milliseconds * 1_000_000)::\(messageID)") }

    /// The events behind this one. Where it is gone, those of another time.
    func rest(of entries: [TimelineEntry], ascending: Bool) -> [TimelineEntry] {
        if let index = entries.firstIndex(where: {
            $0.messageID == messageID && $0.timestamp.milliseconds == milliseconds
        }) {
            return Array(entries[(index + 1)...])
        }
        return entries.filter {
            let other = $0.timestamp.milliseconds
            return ascending ? other > milliseconds : other < milliseconds
        }
    }
}

import Engine
import Hummingbird
import Ingest
import JSON
import Model

// Sources with their write keys, and what arrives at them.

extension API {
    func addSourceRoutes(to routes: RouteTable<some RequestContext>) {
        routes.get("/sources") { request in
            let all = engine.read { $0.sources }.values.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
            let (page, pagination) = try Paging(request.query).page(of: all)
            return ["sources": .array(page.map(json)), "pagination": pagination]
        }
        routes.post("/sources") { try await createSource($0) }
        routes.get("/sources/:id") { ["source": json(try source($0))] }
        routes.patch("/sources/:id") { try await updateSource($0) }
        routes.delete("/sources/:id") { request in
            try await engine.submit(.deleteSource(id: try source(request).id))
            return ["status": "SUCCESS"]
        }
        routes.get("/sources/:id/debugger") { try debugger($0) }
    }

    func source(_ request: APIRequest) throws -> Source {
        let id = request.parameter("id")
        guard let source = engine.read({ $0.sources[id] }) else { throw APIError.notFound("source", id: id) }
        return source
    }

    private func createSource(_ request: APIRequest) async throws -> JSONValue {
        var fields = request.fields
        let name = try fields.required(try fields.title("name"), "name")
        let writeKey = try fields.title("writeKey")
        let enabled = try fields.bool("enabled") ?? true
        try fields.finish()
        let source = Source(
            id: NewID.make("src_"), name: name, writeKey: try API.checked(writeKey) ?? NewID.make("wk"),
            enabled: enabled, createdAt: now())
        try await engine.submit(.putSource(source))
        return ["source": json(source)]
    }

    private func updateSource(_ request: APIRequest) async throws -> JSONValue {
        var source = try source(request)
        var fields = request.fields
        source.name = try fields.title("name") ?? source.name
        source.enabled = try fields.bool("enabled") ?? source.enabled
        source.writeKey = try API.checked(try fields.title("writeKey")) ?? source.writeKey
        try fields.finish()
        try await engine.submit(.putSource(source))
        return ["source": json(source)]
    }

    /// A write key goes into addresses and Basic credentials.
    private static func checked(_ writeKey: String?) throws(APIError) -> String? {
        guard let writeKey else { return nil }
        let isPlain = writeKey.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/")
        }
        guard isPlain else {
            throw APIError(
                .validation, field: "writeKey",
                "'writeKey' may hold letters, digits and signs, but no space, ':' or '/'.")
        }
        return writeKey
    }

    private func json(_ source: Source) -> JSONValue {
        let counters = journal.counters(sourceID: source.id)
        func counts(_ members: some Sequence<(key: String, value: Int)>) -> JSONValue {
            .object(JSONObject(members.sorted { $0.key < $1.key }.map { (key: $0.key, value: .number($0.value)) }))
        }
        return [
            "id": .string(source.id), "name": .string(source.name), "writeKey": .string(source.writeKey),
            "enabled": .bool(source.enabled), "createdAt": .time(source.createdAt),
            "connections": .array(source.connections.map { json($0, of: source) }),
            "lastSeenAt": .time(counters.lastReceivedAt),
            "counters": [
                "requests": .number(counters.requests), "accepted": .number(counters.accepted),
                "rejected": .number(counters.rejectedTotal),
                "retriedRequests": .number(counters.retriedRequests),
                "rejectedByCode": counts(counters.rejected.map { (key: $0.key.rawValue, value: $0.value) }),
                "warnings": counts(counters.warnings.map { (key: $0.key, value: $0.value) }),
            ],
        ]
    }

    // MARK: Debugger

    private func debugger(_ request: APIRequest) throws -> JSONValue {
        let source = try source(request)
        let paging = try Paging(request.query)
        var since: Int64?
        if let text = request.query["since"] {
            guard let number = Int64(text) else {
                throw APIError(.badRequest, field: "since", "'since' must be the 'cursor' of an earlier answer.")
            }
            since = number
        }
        let entries = Array(journal.entries(sourceID: source.id, after: since ?? 0).prefix(paging.count))
        let cursor = entries.first?.sequence ?? since ?? 0
        return ["calls": .array(entries.map(API.json)), "cursor": .string(String(cursor))]
    }

    private static func json(_ entry: IngestJournal.Entry) -> JSONValue {
        // What was rejected need not be JSON.
        let raw =
            (entry.isCut ? nil : try? JSONValue(parsing: entry.raw))
            ?? .string(String(decoding: entry.raw, as: UTF8.self))
        let candidates = [entry.event, raw["name"]?.string, raw["groupId"]?.string, entry.userID, entry.anonymousID]
        let title = candidates.lazy.compactMap(\.self).first { !$0.isEmpty } ?? entry.type ?? "unreadable call"
        return [
            "id": .string(String(entry.sequence)), "receivedAt": .time(entry.receivedAt),
            "state": entry.code == nil ? "Allowed" : "Rejected", "type": .string(orNull: entry.type),
            "title": .string(String(title.prefix(200))), "userId": .string(orNull: entry.userID),
            "anonymousId": .string(orNull: entry.anonymousID), "event": .string(orNull: entry.event),
            "messageId": .string(orNull: entry.messageID), "code": .string(orNull: entry.code?.rawValue),
            "reason": .string(orNull: entry.code?.explanation),
            "warnings": .array(entry.warnings.map { .string($0) }), "cut": .bool(entry.isCut), "raw": raw,
        ]
    }
}

import Engine
import HTTPTypes
import Hummingbird
import JSON
import Model
import NIOCore
import Query

// Audiences and computed traits: create, list, read, change, delete, members, connections (spec: engage §6.1–6.3).

extension API {
    func addComputationRoutes(_ words: ComputationWords, to routes: RouteTable<some RequestContext>) {
        routes.getInSpace(words.path) { try list(words, $0) }
        routes.postInSpace(words.path) { try await create(words, $0) }
        routes.postInSpace(words.path + "/previews") { try await startPreview(words, $0) }
        routes.getInSpace(words.path + "/previews/:id") { try readPreview(words, $0) }
        let item = words.path + "/:id"
        routes.getInSpace(item) { [words.one: try read(words, $0.parameter("id"))] }
        routes.patchInSpace(item) { try await update(words, $0) }
        routes.deleteInSpace(item) { try await remove(words, $0) }
        routes.getInSpace(item + "/audience-references") { try references(words, $0) }
        routes.getInSpace(item + "/members") { request in
            if let instant = try request.query.instant("at") {
                return try await membersAsOf(instant, words, request)
            }
            return try members(words, request)
        }
        routes.getInSpace(item + "/members/:profile") { try member(words, $0) }
        routes.getInSpace(item + "/members/:profile/why") { try why(words, $0) }
        routes.getInSpace(item + "/next-changes") { try await nextChanges(words, $0) }
        routes.raw(.get, "/spaces/:space" + item + "/members.csv") { request in
            try request.checkSpace(spaceID)
            return membersCSV(of: try existing(words, request.parameter("id")).definition)
        }
        let connections = item + "/destination-connections"
        routes.getInSpace(connections) { try listConnections(words, $0) }
        routes.postInSpace(connections) { try await connect(words, $0) }
        routes.patchInSpace(connections + "/:destination") { try await updateConnection(words, $0) }
        routes.deleteInSpace(connections + "/:destination") { try await disconnect(words, $0) }
    }

    /// The computation, if it is of this kind.
    func existing(_ words: ComputationWords, _ id: String) throws -> ComputationView {
        let view = engine.read { $0.computation(id: id) }
        guard let view, view.definition.kind == words.kind else { throw APIError.notFound(words.noun, id: id) }
        return view
    }

    private func read(_ words: ComputationWords, _ id: String) throws -> JSONValue {
        let destinations = engine.read { $0.destinations }
        return json(try existing(words, id), destinations: destinations)
    }

    private func list(_ words: ComputationWords, _ request: APIRequest) throws -> JSONValue {
        let (all, destinations) = engine.read { ($0.computations, $0.destinations) }
        var views = all.filter { $0.definition.kind == words.kind }
        if let search = request.query["search[query]"] ?? request.query["search.query"] {
            guard search.count <= 255 else {
                throw APIError(.badRequest, field: "search[query]", "'search[query]' is longer than 255 characters.")
            }
            let needle = search.lowercased()
            switch request.query["search[type]"] ?? request.query["search.type"] ?? "NAME" {
            case "NAME": views = views.filter { $0.definition.name.lowercased().contains(needle) }
            case "KEY": views = views.filter { $0.definition.key.hasPrefix(needle) }
            case "DEFINITION": views = views.filter { $0.definition.query.lowercased().contains(needle) }
            default:
                throw APIError(
                    .badRequest, field: "search[type]", "'search[type]' must be NAME, KEY or DEFINITION.")
            }
        }
        let (page, pagination) = try Paging(request.query).page(of: Array(views.reversed()))
        return [
            words.many: .array(page.map { json($0, destinations: destinations) }), "pagination": pagination,
        ]
    }

    private func create(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let body = try ComputationBody(request, words: words)
        guard let name = body.name else { throw APIError(.validation, field: "name", "'name' is missing.") }
        guard let query = body.query else {
            throw APIError(.validation, field: "definition.query", "'definition.query' is missing.")
        }
        let key = computationKey(of: name)
        guard !key.isEmpty else {
            throw APIError(.validation, field: "name", "'name' has no letter or digit to make a key of: add one.")
        }
        let computation = Computation(
            id: NewID.make(words.idPrefix), kind: words.kind, level: body.level ?? .users, key: key, name: name,
            description: body.description ?? "", query: query, enabled: body.enabled ?? true,
            options: try body.options(), createdAt: now())
        try await engine.submit(.putComputation(computation))
        return [words.one: try read(words, computation.id)]
    }

    private func update(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        var computation = try existing(words, request.parameter("id")).definition
        let body = try ComputationBody(request, words: words, level: computation.level)
        if let name = body.name { computation.name = name }
        if let description = body.description { computation.description = description }
        if let enabled = body.enabled { computation.enabled = enabled }
        if let query = body.query { computation.query = query }
        computation.options = try body.options(over: computation.options)
        computation.updatedAt = now()
        try await engine.submit(.putComputation(computation))
        return [words.one: try read(words, computation.id)]
    }

    private func remove(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let view = try existing(words, request.parameter("id"))
        try await engine.submit(.deleteComputation(id: view.definition.id))
        return ["status": "SUCCESS"]
    }

    private func references(_ words: ComputationWords, _ request: APIRequest) throws -> JSONValue {
        let consumers = Set(try existing(words, request.parameter("id")).consumers)
        let readers = engine.read { $0.computations }.filter { consumers.contains($0.definition.key) }
        return [
            "audienceReferences": .array(
                readers.map { view in
                    [
                        "id": .string(view.definition.id), "name": .string(view.definition.name),
                        "key": .string(view.definition.key),
                        "type": .string(view.definition.kind == .audience ? "AUDIENCE" : "COMPUTED_TRAIT"),
                    ]
                })
        ]
    }

    // MARK: Members

    private func members(_ words: ComputationWords, _ request: APIRequest) throws -> JSONValue {
        let view = try existing(words, request.parameter("id"))
        let id = view.definition.id
        if let search = request.query["search"] {
            let found = engine.read { engine in
                API.find(search, in: view.definition.level == .users ? .users : .accounts, engine)
                    .compactMap { engine.member(of: id, $0) }
            }
            let members = found.filter { API.holds($0.value) }
            return [
                "members": .array(members.map(json)),
                "pagination": try Paging(request.query).json(next: nil, total: members.count),
            ]
        }
        let paging = try Paging(request.query)
        let after = try paging.number().map { ProfileOrdinal(UInt32(clamping: $0)) }
        let members = engine.read { $0.members(of: id, after: after, limit: paging.count + 1, isForetold: true) }
        let page = members.prefix(paging.count)
        let next = members.count > page.count ? page.last.map { String($0.profile.ordinal.rawValue) } : nil
        return ["members": .array(page.map(json)), "pagination": paging.json(next: next, total: view.size)]
    }

    /// Whether a value makes its profile a member or holder.
    static func holds(_ value: JSONValue) -> Bool { value != .null && value != .bool(false) }

    /// All members as CSV (spec: engage §1.8), read page by page while it is sent.
    private func membersCSV(of definition: Computation) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "text/csv; charset=utf-8"
        headers[.cacheControl] = "no-store"
        headers[.contentDisposition] = "attachment; filename=\"\(PercentEncoding.encode(definition.key)).csv\""
        headers[.noSniff] = "nosniff"
        let engine = engine
        let body = ResponseBody { writer in
            var text = "key,value,external_ids,segment_id,user_id,email,name,since\r\n"
            var last: ProfileOrdinal?
            while true {
                let after = last
                let rows = engine.read { engine in
                    engine.members(of: definition.id, after: after, limit: 500).map { member in
                        (member, engine.identifiers(of: member.profile.ordinal))
                    }
                }
                for (member, identifiers) in rows { text += CSV.row(of: member, identifiers, key: definition.key) }
                try await writer.write(ByteBuffer(string: text))
                text = ""
                guard rows.count == 500, let final = rows.last else { break }
                last = final.0.profile.ordinal
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    // MARK: Connections

    private func listConnections(_ words: ComputationWords, _ request: APIRequest) throws -> JSONValue {
        let destinations = engine.read { $0.destinations }
        let definition = try existing(words, request.parameter("id")).definition
        return [
            "connections": .array(
                definition.connections.map { json($0, of: definition, destinations: destinations) })
        ]
    }

    private func connect(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let definition = try existing(words, request.parameter("id")).definition
        let body = try ConnectionBody(request)
        guard let destinationID = body.destinationID else {
            throw APIError(.validation, field: "destination.id", "'destination.id' is missing.")
        }
        guard !definition.connections.contains(where: { $0.destinationID == destinationID }) else {
            throw APIError(
                .conflict, field: "destination.id",
                "It is connected to this destination already: change the connection.")
        }
        guard engine.read({ $0.destinations[destinationID] != nil }) else {
            throw APIError(
                .validation, field: "destination.id", "There is no destination '\(destinationID.prefixText)'.")
        }
        return try await put(try body.apply(to: Connection(destinationID: destinationID)), on: definition, words)
    }

    private func updateConnection(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let (definition, connection) = try existingConnection(words, request)
        return try await put(try ConnectionBody(request).apply(to: connection), on: definition, words)
    }

    private func put(_ connection: Connection, on definition: Computation, _ words: ComputationWords) async throws
        -> JSONValue
    {
        try await engine.submit(.connect(computationID: definition.id, connection))
        let destinations = engine.read { $0.destinations }
        return ["connection": json(connection, of: definition, destinations: destinations)]
    }

    private func disconnect(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let (definition, connection) = try existingConnection(words, request)
        try await engine.submit(
            .disconnect(computationID: definition.id, destinationID: connection.destinationID))
        return ["status": "SUCCESS"]
    }

    private func existingConnection(_ words: ComputationWords, _ request: APIRequest) throws -> (
        Computation, Connection
    ) {
        let definition = try existing(words, request.parameter("id")).definition
        let id = request.parameter("destination")
        guard let connection = definition.connections.first(where: { $0.destinationID == id }) else {
            throw APIError(
                .notFound, "This \(words.noun) is not connected to '\(id.prefixText)': connect it with POST first.")
        }
        return (definition, connection)
    }
}

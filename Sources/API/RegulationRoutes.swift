import Delivery
import Engine
import Hummingbird
import Identity
import JSON
import Model
import Store

// Deleting and suppressing people, and taking one id off a profile (spec: collection §5.7, §6.4).

extension API {
    func addRegulationRoutes(to routes: RouteTable<some RequestContext>) {
        routes.post("/regulations") { try await regulate($0) }
        routes.get("/regulations") { try regulations($0) }
        routes.get("/regulations/:id") { request in
            let id = request.parameter("id")
            guard let regulation = try engine.store.regulation(id: id) else {
                throw APIError.notFound("regulation", id: id)
            }
            return ["regulation": details(regulation)]
        }
        routes.get("/suppressions") { request in
            let ids = engine.read { $0.suppressedUserIDs }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            let (page, pagination) = try Paging(request.query).page(of: ids)
            let suppressed: JSONValue =
                page.isEmpty
                ? [] : [["subjectType": "USER_ID", "subjectIds": .array(page.map { .string($0) })]]
            return ["suppressed": suppressed, "pagination": pagination]
        }
    }

    func addIdentifierRemoval(to routes: RouteTable<some RequestContext>) {
        routes.raw(.post, "/v1/spaces/:space/collections/:collection/profiles/:lookup/external_ids/delete") { request in
            Answer.json(try await removeIdentifier(request))
        }
    }

    /// Ids in one order at most.
    private static let maximumSubjects = 5_000

    private func regulate(_ request: APIRequest) async throws -> JSONValue {
        var fields = request.fields
        let kindText = try fields.required(try fields.string("regulationType"), "regulationType")
        let subject = try fields.string("subjectType") ?? "USER_ID"
        let ids = try fields.required(
            try fields.strings("subjectIds", maximumCount: API.maximumSubjects), "subjectIds")
        try fields.finish()
        guard let kind = Regulation.Kind(rawValue: kindText) else {
            let kinds = Regulation.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            let archive = kindText == "DELETE_ARCHIVE_ONLY"
            throw APIError(
                .validation, field: "regulationType",
                archive
                    ? "The archive can't be deleted alone: everything is rebuilt from it. Use DELETE_INTERNAL."
                    : "'regulationType' must be one of \(kinds).")
        }
        guard subject == "USER_ID" else {
            throw APIError(
                .validation, field: "subjectType", "'subjectType' must be USER_ID: there are no objects here.")
        }
        guard !ids.isEmpty, ids.allSatisfy({ !$0.isEmpty }) else {
            throw APIError(.validation, field: "subjectIds", "'subjectIds' must name at least one user id, none empty.")
        }
        let regulation = Regulation(id: NewID.make("reg_"), kind: kind, userIDs: ids, createdAt: now())
        try await engine.submit(.regulate(regulation))
        return ["regulateId": .string(regulation.id)]
    }

    private func regulations(_ request: APIRequest) throws -> JSONValue {
        let paging = try Paging(request.query)
        let rows = try engine.store.regulations(before: try paging.number(), limit: paging.count + 1)
        let page = rows.prefix(paging.count)
        let next = rows.count > page.count ? page.last.map { String($0.number) } : nil
        return ["regulations": .array(page.map { summary($0.regulation) }), "pagination": paging.json(next: next)]
    }

    private func status(_ regulation: Regulation) -> String { regulation.finishedAt == nil ? "RUNNING" : "FINISHED" }

    private func summary(_ regulation: Regulation) -> JSONValue {
        [
            "id": .string(regulation.id), "subjectType": "USER_ID",
            "subjects": .array(regulation.userIDs.map { .string($0) }), "status": .string(status(regulation)),
            "regulationType": .string(regulation.kind.rawValue), "createdAt": .time(regulation.createdAt),
            "finishedAt": .time(regulation.finishedAt),
        ]
    }

    private func details(_ regulation: Regulation) -> JSONValue {
        let destinations = engine.read { $0.destinations }.values.sorted { $0.id < $1.id }
        let forwarded: [JSONValue] =
            !regulation.kind.forwards
            ? []
            : destinations.map { destination in
                let (status, problem) = deletion(regulation, at: destination)
                return [
                    "id": .string(destination.id), "name": .string(destination.name), "status": .string(status),
                    "errString": .string(orNull: problem), "finishedAt": .null,
                ]
            }
        return [
            "id": .string(regulation.id), "workspaceId": .string(spaceID),
            "overallStatus": .string(status(regulation)), "regulationType": .string(regulation.kind.rawValue),
            "createdAt": .time(regulation.createdAt), "finishedAt": .time(regulation.finishedAt),
            "deletedProfiles": .number(regulation.profiles.count),
            "streamStatus": [["id": .string(spaceID), "destinationStatus": .array(forwarded)]],
        ]
    }

    /// How far a destination is with a regulation that reaches it.
    private func deletion(_ regulation: Regulation, at destination: Destination) -> (status: String, problem: String?) {
        let call: JSONValue = ["type": "delete", "userId": "u"]
        let sample = Emission(
            destinationID: destination.id, computationID: regulation.id, computationKey: "", profile: .nobody,
            kind: .delete, messageID: "", timestamp: regulation.createdAt, payload: call.utf8)
        guard let mapper = try? delivery.mapper(destination), mapper.map(sample) != .nothing else {
            return ("NOT_SUPPORTED", "It is not set to delete people (setting delete_users): delete them there.")
        }
        let own =
            (try? engine.store.outbox(
                destinationID: destination.id, computationID: regulation.id, limit: 1000)) ?? []
        if let parked = own.first(where: { $0.parkedReason != nil }) { return ("FAILED", parked.parkedReason) }
        return (regulation.finishedAt == nil || !own.isEmpty ? "RUNNING" : "FINISHED", nil)
    }

    // MARK: One id

    private func removeIdentifier(_ request: APIRequest) async throws -> JSONValue {
        try request.checkSpace(spaceID)
        guard request.parameter("collection") == "users" else {
            throw APIError(.badRequest, "Only ids of users can be taken off.")
        }
        let lookup = request.parameter("lookup")
        guard lookup.hasPrefix("user_id:") else {
            throw APIError(.badRequest, "The profile must be looked up by user_id, as in user_id:42.")
        }
        let userID = String(lookup.dropFirst("user_id:".count))
        guard engine.read({ $0.profile(for: Identifier(type: "user_id", value: userID)) != nil }) else {
            throw ProfileRequest.notFound
        }
        var fields = request.fields
        let list = fields.value("delete_external_ids")?.array ?? []
        guard list.count == 1, let type = list[0]["type"]?.string, let value = list[0]["id"]?.string else {
            throw APIError(
                .badRequest, field: "delete_external_ids",
                "'delete_external_ids' must hold exactly one {\"id\", \"type\"}.")
        }
        guard !(type == "user_id" && value == userID) else {
            throw APIError(.badRequest, field: "delete_external_ids", "The id that the profile is looked up by stays.")
        }
        try await engine.submit(
            .removeIdentifier(
                Identifier(type: type, value: type == "email" ? value.lowercased() : value), userID: userID))
        return ["status": "success"]
    }
}

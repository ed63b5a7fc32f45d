import Delivery
import Engine
import Hummingbird
import JSON
import Model
import Store

// What a destination rejected, by its words, and sending it again: one, those that a filter means, or all.

extension API {
    func addParkedRoutes(to routes: RouteTable<some RequestContext>) {
        routes.get("/destinations/:id/parked") { request in
            let destination = try destination(request)
            let groups = try engine.store.parkedGroups(destinationID: destination.id)
            return ["parked": .array(groups.map(json))]
        }
        routes.post("/destinations/:id/redrive") { try await redrive($0) }
    }

    private func json(_ group: ParkedGroup) -> JSONValue {
        [
            "reason": .string(group.reason), "computationId": .string(group.computationID),
            "computationName": .string(computationName(group.computationID)), "kind": .string(group.kind.rawValue),
            "count": .number(group.count), "firstAt": .time(group.firstAt), "lastAt": .time(group.lastAt),
        ]
    }

    /// The name of an audience or trait, or its id where it is gone.
    func computationName(_ id: String) -> String {
        engine.read { $0.computation(id: id)?.definition.name ?? $0.sources[id]?.name } ?? id
    }

    private func redrive(_ request: APIRequest) async throws -> JSONValue {
        let destination = try destination(request)
        var fields = request.fields
        let emissions = try fields.strings("emissions", maximumCount: 1000)
        var filter = ParkedFilter()
        filter.sequences = try emissions?.map { text in
            guard let sequence = Int64(text) else {
                throw APIError(
                    .validation, field: "emissions", "'emissions' must be a list of ids of parked emissions.")
            }
            return sequence
        }
        filter.reason = try fields.string("reason")
        filter.computationID = try fields.string("computationId")
        filter.kind = try fields.choice("kind", of: Emission.Kind.self)
        if let id = try fields.string("profileId") {
            let ordinals = engine.read { engine in
                engine.profile(segmentID: id).map { engine.ordinals(of: engine.canonical($0)) }
            }
            guard let ordinals else {
                throw APIError(.validation, field: "profileId", "There is no profile '\(id.prefixText)'.")
            }
            filter.profiles = ordinals
        }
        let isDryRun = try fields.bool("dryRun") ?? false
        try fields.finish()
        if isDryRun {
            let count = try engine.store.parkedCount(destinationID: destination.id, filter)
            return ["redriven": 0, "matching": .number(count), "dryRun": true]
        }
        let count = try await delivery.redrive(destinationID: destination.id, filter)
        return ["redriven": .number(count), "matching": .number(count), "dryRun": false]
    }
}

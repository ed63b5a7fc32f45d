import JSON

/// The two beta relatives of `/users/track` (spec braze §1.5, §3.6).
extension Sandbox {
    static let bulkObjects = 1000
    static let bulkObjectsPerUser = 100
    static let bulkBytes = 2 << 20

    /// `POST /users/track/sync`: one object, applied at once, answered with what it touched.
    func trackSync(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard TrackBatch.objectCounts(call.body).reduce(0, +) == 1 else {
            throw CallError(400, "Exactly one object per request is allowed")
        }
        let batch = TrackBatch(checking: call.body, switches: call.switches)
        guard batch.acceptedCount == 1 else {
            var error = CallError(400, ErrorTexts.noValidData)
            error.members["errors"] = .array(batch.refused.map(\.json))
            throw error
        }
        return try workspace(call) { state, index throws(CallError) in
            // At once: calls of `/users/track` that came before may still be waiting (§1.7).
            let operation = Operation(
                workspace: call.workspace, at: state.now, due: state.now, change: .track(batch), request: call.number)
            try accept(operation, &state)
            let outcome = state.log.entry(call.number)?.outcomes.first
            guard let ordinal = outcome?.ordinal, let profile = state.workspaces[index].profile(ordinal) else {
                return SandboxAnswer(201, ["users": [], "message": "success"])
            }
            let touched = state.workspaces[index].touched(profile, by: batch)
            return SandboxAnswer(201, ["users": [.object(touched)], "message": "success"])
        }
    }

    /// `POST /users/track/bulk`: larger, for backfills; its errors do not name an array.
    func trackBulk(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard (call.request.body?.count ?? 0) <= Sandbox.bulkBytes else { throw CallError(413, "Payload Too Large") }
        let total = TrackBatch.objectCounts(call.body).reduce(0, +)
        guard total > 0 else { throw CallError(400, "No data parsed") }
        guard total <= Sandbox.bulkObjects else { throw CallError(400, ErrorTexts.tooManyObjects) }
        let checked = TrackBatch(checking: call.body, switches: call.switches)
        var perUser: [Identity: Int] = [:]
        for identity in checked.attributes.compactMap(\.object.identity) + checked.events.map(\.object.identity)
            + checked.purchases.map(\.object.identity)
        {
            perUser[identity, default: 0] += 1
        }
        guard perUser.values.allSatisfy({ $0 <= Sandbox.bulkObjectsPerUser }) else {
            throw CallError(400, ErrorTexts.tooManyObjects)
        }
        let batch = try withState { state throws(CallError) in try take(checked, call, &state) }
        let errors = JSONValue.array(
            batch.refused.map { ["type": .string($0.type), "index": .number($0.index)] })
        guard batch.acceptedCount > 0 else {
            var error = CallError(400, ErrorTexts.noValidData)
            error.members["errors"] = errors
            throw error
        }
        var reply = Sandbox.reply(batch)
        if !batch.refused.isEmpty { reply["errors"] = errors }
        return SandboxAnswer(201, .object(reply))
    }
}

extension Workspace {
    /// The parts of a profile that a batch wrote.
    fileprivate func touched(_ profile: Profile, by batch: TrackBatch) -> JSONObject {
        let whole = export(profile, fields: nil, at: profile.updatedAt)
        var object = JSONObject()
        for key in ["external_id", "user_aliases"] { if let value = whole[key] { object[key] = value } }
        if object["external_id"] == nil, object["user_aliases"] == nil { object["braze_id"] = whole["braze_id"] }
        let names = Set(batch.attributes.flatMap { $0.object.object.keys })
        if let values = whole["custom_attributes"]?.object {
            let written = JSONObject(values.members.filter { names.contains($0.key) })
            if !written.isEmpty { object["custom_attributes"] = .object(written) }
        }
        for name in names where StandardField.byName[name] != nil || name == "email" || name == "phone" {
            if let value = whole[name] { object[name] = value }
        }
        let events = Set(batch.events.map(\.object.name))
        let wroteEvents = (whole["custom_events"]?.array ?? []).filter { events.contains($0["name"]?.string ?? "") }
        if !wroteEvents.isEmpty { object["custom_events"] = .array(wroteEvents) }
        let products = Set(batch.purchases.map(\.object.productID))
        let wrotePurchases = profile.purchases.pairs.filter { products.contains(self.products.name($0.name)) }
        if !wrotePurchases.isEmpty {
            object["purchase_events"] = .array(
                wrotePurchases.map { number, value in
                    [
                        "product_id": .string(self.products.name(number)), "first": .string(DateText.iso(value.first)),
                        "last": .string(DateText.iso(value.last)), "count": .number(value.count),
                    ]
                })
        }
        return object
    }
}

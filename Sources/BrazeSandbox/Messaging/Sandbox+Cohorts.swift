import JSON

/// `/partners/<partner>/cohorts…` (spec braze §6): no bearer key but two secrets in the body.
extension Sandbox {
    static let cohortIDsPerCall = 1000

    /// `nil` where the path is none of these.
    func cohorts(_ call: Call, path: String) throws(CallError) -> SandboxAnswer {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count >= 3 else { throw CallError(404, "Not Found") }
        let partner = parts[1]
        let body = call.body
        try withState { state throws(CallError) in
            guard body["partner_api_key"]?.string == state.partner.partnerKey else {
                throw CallError(401, "Invalid Partner API key")
            }
            guard body["client_secret"]?.string == state.partner.clientSecret else {
                throw CallError(401, "Invalid client secret")
            }
        }
        guard let id = body["cohort_id"]?.string, !id.isEmpty else {
            throw CallError(400, "cohort_id must be a valid string")
        }
        guard parts.count == 4 else {
            guard let name = body["name"]?.string, !name.isEmpty else {
                throw CallError(400, "name must be a non-empty string")
            }
            guard body["created_at"]?.string.flatMap(DateText.parse) != nil else {
                throw CallError(400, "created_at must be an ISO 8601 string")
            }
            try queue(.cohort, ["partner": .string(partner), "cohort_id": .string(id), "name": .string(name)], call)
            return SandboxAnswer(201, ["message": "success"])
        }
        let changes = try cohortChanges(body["cohort_changes"])
        try queue(
            .cohortUsers, ["partner": .string(partner), "cohort_id": .string(id), "cohort_changes": .array(changes)],
            call)
        return SandboxAnswer(201, ["message": "success"])
    }

    /// An empty list is a test of the credentials.
    private func cohortChanges(_ value: JSONValue?) throws(CallError) -> [JSONValue] {
        let shape = CallError(
            400,
            "cohort_changes must be an array of objects with user_ids, device_ids or aliases and an optional boolean should_remove"
        )
        guard let changes = value?.array else { throw shape }
        var total = 0
        for change in changes {
            guard change.object != nil else { throw shape }
            if let flag = change["should_remove"], flag.bool == nil { throw shape }
            for name in ["user_ids", "device_ids"] {
                guard let list = change[name] else { continue }
                guard let ids = list.array, ids.allSatisfy({ $0.string != nil }) else { throw shape }
                total += ids.count
            }
            if let list = change["aliases"] {
                guard let aliases = list.array, aliases.allSatisfy({ Alias($0) != nil }) else { throw shape }
                total += aliases.count
            }
            guard ["user_ids", "device_ids", "aliases"].contains(where: { change[$0] != nil }) else { throw shape }
        }
        guard total <= Sandbox.cohortIDsPerCall else {
            throw CallError(400, "cohort_changes may contain at most 1000 user_ids, device_ids and aliases")
        }
        return changes
    }

    static func isCohortPath(_ request: SandboxRequest) -> Bool {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: false)
        guard request.method == "POST", parts.count >= 4, parts[0].isEmpty, parts[1] == "partners", !parts[2].isEmpty
        else { return false }
        return parts[3...] == ["cohorts"] || parts[3...] == ["cohorts", "users"]
    }
}

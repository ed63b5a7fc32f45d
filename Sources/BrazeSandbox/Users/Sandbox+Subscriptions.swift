import JSON

/// Subscription groups: state per user and group. Names and channels of groups are not simulated.
extension Sandbox {
    /// `POST /subscription/status/set`: one group.
    func setSubscription(_ call: Call) throws(CallError) -> SandboxAnswer {
        try setSubscriptions([.object(call.body)], call)
    }

    /// `POST /v2/subscription/status/set`: several groups.
    func setSubscriptionsV2(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard let groups = call.body["subscription_groups"]?.array, !groups.isEmpty else {
            throw CallError(400, "'subscription_groups' must be an array of objects")
        }
        return try setSubscriptions(groups, call)
    }

    private func setSubscriptions(_ groups: [JSONValue], _ call: Call) throws(CallError) -> SandboxAnswer {
        for group in groups {
            guard let id = group["subscription_group_id"]?.string, SubscriptionGroup.isID(id) else {
                throw CallError(400, "'subscription_group_id' must be the id of a subscription group")
            }
            guard ["subscribed", "unsubscribed"].contains(group["subscription_state"]?.string) else {
                throw CallError(400, "'subscription_state' must be 'subscribed' or 'unsubscribed'")
            }
            let names = ["external_id", "external_ids", "email", "emails", "phone", "phones"]
            let count = names.reduce(0) { $0 + (group[$1]?.array?.count ?? (group[$1]?.string == nil ? 0 : 1)) }
            guard count > 0 else { throw CallError(400, "One of 'external_id', 'email' or 'phone' is required") }
            guard count <= Sandbox.entriesPerCall else { throw CallError(400, Sandbox.tooManyIDs) }
        }
        try queue(.subscribe, ["subscription_groups": .array(groups)], call)
        return SandboxAnswer(201, ["message": "success"])
    }

    /// `GET /subscription/status/get?subscription_group_id=…&external_id=…`
    func subscriptionStatus(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard let group = call.request.parameter("subscription_group_id")?.lowercased(), SubscriptionGroup.isID(group)
        else {
            throw CallError(400, "'subscription_group_id' must be the id of a subscription group")
        }
        return try subscribers(call) { state, index, ordinals throws(CallError) in
            var status = JSONObject()
            for (name, ordinal) in ordinals {
                let value = ordinal.flatMap { state.workspaces[index].profile($0)?.subscriptions[group] }
                status[name] = .string(value.map { $0 == "subscribed" ? "Subscribed" : "Unsubscribed" } ?? "Unknown")
            }
            return SandboxAnswer(200, ["status": .object(status), "message": "success"])
        }
    }

    /// `GET /subscription/user/status?external_id=…`
    func subscriptionsOfUser(_ call: Call) throws(CallError) -> SandboxAnswer {
        try subscribers(call) { state, index, ordinals throws(CallError) in
            let users = ordinals.compactMap { $0.1 }.compactMap { state.workspaces[index].profile($0) }.map { profile in
                JSONValue.object([
                    "external_id": .string(orNull: profile.externalID), "email": .string(orNull: profile.email),
                    "phone": .string(orNull: profile.phone),
                    "subscription_groups": .array(
                        profile.subscriptions.sorted { $0.key < $1.key }.map {
                            ["id": .string($0.key), "status": .string($0.value)]
                        }),
                ])
            }
            return SandboxAnswer(
                200, ["users": .array(users), "total_count": .number(users.count), "message": "success"])
        }
    }

    private func subscribers(
        _ call: Call, _ body: (SandboxState, Int, [(String, Int?)]) throws(CallError) -> SandboxAnswer
    ) throws(CallError) -> SandboxAnswer {
        let parameters = call.request.parameters
        return try workspace(call) { state, index throws(CallError) in
            let workspace = state.workspaces[index]
            var found: [(String, Int?)] = []
            for (name, value) in parameters {
                switch name {
                case "external_id", "external_id[]": found.append((value, workspace.ordinal(externalID: value)))
                case "email", "email[]":
                    found += (workspace.byEmail[value.lowercased()] ?? []).map { (value, $0) }
                case "phone", "phone[]":
                    let ordinals = Phone.normalise(value, country: nil).flatMap { workspace.byPhone[$0] } ?? []
                    found += ordinals.map { (value, $0) }
                default: break
                }
            }
            guard
                parameters.contains(where: {
                    ["external_id", "email", "phone"].contains($0.name.replacing("[]", with: ""))
                })
            else {
                throw CallError(400, "One of 'external_id', 'email' or 'phone' is required")
            }
            guard found.count <= Sandbox.entriesPerCall else { throw CallError(400, Sandbox.tooManyIDs) }
            return try body(state, index, found)
        }
    }
}

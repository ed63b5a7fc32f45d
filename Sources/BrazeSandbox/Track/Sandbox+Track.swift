import JSON

extension Sandbox {
    static let objectsPerRequest = 75

    /// `POST /users/track` (spec braze §1.3, §1.4).
    func track(_ call: Call) throws(CallError) -> SandboxAnswer {
        let counts = TrackBatch.objectCounts(call.body)
        let total = call.switches.objectLimit == .combined75 ? counts.reduce(0, +) : counts.max() ?? 0
        guard total <= Sandbox.objectsPerRequest else { throw CallError(400, ErrorTexts.tooManyObjects) }
        let checked = TrackBatch(checking: call.body, switches: call.switches)
        let batch = try withState { state throws(CallError) in try take(checked, call, &state) }
        guard batch.acceptedCount > 0 else {
            var error = CallError(400, ErrorTexts.noValidData)
            if !batch.refused.isEmpty { error.members["errors"] = .array(batch.refused.map(\.json)) }
            throw error
        }
        return SandboxAnswer(call.switches.trackSuccessStatus, .object(Sandbox.reply(batch)))
    }

    static func reply(_ batch: TrackBatch) -> JSONObject {
        var reply: JSONObject = ["message": "success"]
        for array in batch.present { reply["\(array.rawValue)_processed"] = .number(batch.count(array)) }
        if !batch.refused.isEmpty { reply["errors"] = .array(batch.refused.map(\.json)) }
        return reply
    }

    /// The refusals that depend on state, the log, the journal, the queue.
    func take(
        _ checked: TrackBatch, _ call: Call, _ state: inout SandboxState
    ) throws(CallError) -> TrackBatch {
        var batch = checked
        guard let workspace = state.workspaceIndex(call.workspace) else { throw CallError(401, "Invalid API Key") }
        let texts = ErrorTexts(call.switches)
        let blocked = state.workspaces[workspace].blockedIDs
        let rate = state.faults.partialErrorRate
        if !blocked.isEmpty || rate > 0 {
            var generator = state.generator
            let faultText = state.faults.partialErrorText
            batch.refuse { _, _, identity in
                if case .externalID(let id)? = identity, blocked.contains(id) { return texts.blocked }
                return rate > 0 && Double.random(in: 0..<1, using: &generator) < rate ? faultText : nil
            }
            state.generator = generator
        }
        let finished = batch
        state.log.update(call.number) { $0.outcomes = Sandbox.outcomes(finished) }
        guard batch.acceptedCount > 0 else { return batch }
        try accept(
            Operation(
                workspace: call.workspace, at: state.now, due: state.dueTime(), change: .track(batch),
                request: call.number),
            &state)
        return batch
    }

    /// Every object of a call before it is applied: waiting or refused.
    static func outcomes(_ batch: TrackBatch) -> [Outcome] {
        func waiting<Object>(
            _ items: [TrackItem<Object>], _ array: TrackArray, _ identity: (Object) -> String?
        ) -> [Outcome] {
            items.map {
                Outcome(
                    array: array.rawValue, index: $0.index, identity: identity($0.object), effect: .waiting,
                    notes: $0.notes)
            }
        }
        return batch.refused.map {
            Outcome(
                array: $0.array.rawValue, index: $0.index, identity: $0.identity, effect: .refused, notes: [$0.type])
        } + waiting(batch.attributes, .attributes) { $0.identity?.text }
            + waiting(batch.events, .events) { $0.identity.text }
            + waiting(batch.purchases, .purchases) { $0.identity.text }
    }
}

import JSON
public import Model
import Store

/// What became of one call that somebody tried out.
public struct Trial: Sendable {
    public var mapping: Mapping
    /// The request that it makes, alone and with every value; `nil` where it makes none. The headers hold secrets.
    public var request: DestinationRequest?
    /// `nil` where it was not sent.
    public var reply: Reply?
    public var verdict: Verdict?
    public var duration = Duration.zero
}

extension DeliveryService {
    /// Maps one call, and if `isSent` sends it at once, past the queue. The request is recorded; what the ledger knows of
    /// the person is forgotten, because the trial may have changed it.
    public func tryOut(
        _ emission: Emission, at destination: Destination, isSent: Bool
    ) async throws(SettingsError) -> Trial {
        let adapter = try adapter(kind: destination.kind, settings: destination.settings)
        let mapping = adapter.map(emission)
        var trial = Trial(mapping: mapping)
        let (person, objects): (String, [OutgoingObject])
        switch mapping {
        case .update(let who, let update):
            (person, objects) = (
                who,
                [
                    OutgoingObject(
                        array: update.array, JSONObject(update.values.members + update.identity.members))
                ]
            )
        case .occurrence(let who, let occurrence): (person, objects) = (who, occurrence.objects)
        case .nothing, .refused: return trial
        }
        let request = adapter.request(for: objects)
        trial.request = request
        guard isSent else { return trial }
        let sentAt = clock.now()
        let started = ContinuousClock.now
        var refusal: Reply?
        if let preparation = adapter.preparation(for: objects, at: sentAt) {
            let reply = await sender.send(adapter.seal(preparation.request, at: sentAt))
            if case .response(let response) = reply, 200..<300 ~= response.status {
                refusal = nil
            } else {
                refusal = reply
            }
        }
        let reply = if let refusal { refusal } else { await sender.send(adapter.seal(request, at: sentAt)) }
        trial.duration = ContinuousClock.now - started
        trial.reply = reply
        var outcome = AttemptRow.Outcome.unknown
        if case .response(let response) = reply {
            let verdict = adapter.interpret(response, to: objects)
            trial.verdict = verdict
            outcome =
                switch verdict {
                case .taken(let rejected, _): rejected.isEmpty ? .delivered : .rejected
                default: .rejected
                }
        }
        var changes = DeliveryChanges(destinationID: destination.id, at: sentAt)
        changes.attempt = AttemptRecord(
            request: request, sentAt: sentAt, objectCount: objects.count, reply: reply, duration: trial.duration,
            outcome: outcome
        ).row(destinationID: destination.id, limit: configuration.recordedBytes)
        let (store, record) = (store, changes)
        _ = try? await onThread {
            try store.forgetAcknowledgedValues(destinationID: destination.id, externalIDs: [person])
            try store.record(record)
        }
        post(to: destination.id) { $0.hasForgotten = true }
        return trial
    }
}

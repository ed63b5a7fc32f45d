import Evaluation
import Identity
public import JSON
public import Model
import Query
import Store

// Sources connected straight to destinations: their calls go into the outbox in the transaction that applies them, so
// they share every guarantee of emissions (docs/architecture.md).

extension Engine {
    func set(_ source: Source) {
        sources[source.id] = source
        changes.sources.append(source)
    }

    func connectSource(_ id: String, _ connection: SourceConnection) throws {
        guard var source = sources[id] else { throw notFound("source", id) }
        guard destinations[connection.destinationID] != nil else {
            throw notFound("destination", connection.destinationID)
        }
        if let index = source.connections.firstIndex(where: { $0.destinationID == connection.destinationID }) {
            source.connections[index] = connection
        } else {
            source.connections.append(connection)
        }
        set(source)
    }

    func disconnectSource(_ id: String, _ destinationID: String) throws {
        guard var source = sources[id] else { throw notFound("source", id) }
        guard source.connections.contains(where: { $0.destinationID == destinationID }) else {
            throw notFound("connection", destinationID)
        }
        source.connections.removeAll { $0.destinationID == destinationID }
        set(source)
    }

    /// Puts a call into the outbox for the destinations that its source is connected to, once per mapping that takes it.
    func passOn(_ call: Call, of profile: ProfileOrdinal?) {
        // Most are connected to nothing, and copying one for each call would cost more than looking.
        guard sources[call.sourceID]?.connections.isEmpty == false, let source = sources[call.sourceID] else { return }
        var payload: JSONObject?
        for connection in source.connections where connection.enabled {
            guard let destination = destinations[connection.destinationID], destination.enabled else { continue }
            var mappings = connection.mappings.filter { $0.takes(call.kind, event: call.event) }
            if mappings.contains(where: { $0.condition != nil }) {
                let message = payload ?? SourceCall.payload(of: call)
                payload = message
                mappings.removeAll { !eventConditions.holds($0, of: call, message: message) }
            }
            guard !mappings.isEmpty else {
                count("source_calls_without_mapping")
                continue
            }
            guard let profile else {
                count("source_calls_without_profile")
                continue
            }
            let whole = payload ?? SourceCall.payload(of: call)
            payload = whole
            switch SourceCall.admission(of: whole, to: destination) {
            case .excluded: count("source_calls_excluded_by_client")
            case .sentByDevice: count("source_calls_sent_by_device")
            case .admitted:
                for (index, mapping) in mappings.enumerated() {
                    changes.emissions.append(
                        SourceCall.emission(
                            call, payload: whole, mapping: mapping, isFirst: index == 0, profile: profile,
                            destinationID: destination.id))
                }
            }
        }
    }
}

extension Engine {
    /// The calls that tell a destination of a value as it is now, in the form in which a connection sends them, or by
    /// identify and track where there is none. Puts nothing into the outbox.
    public func trialEmissions(computationID: String, profile: ProfileOrdinal, destinationID: String) -> [Emission] {
        guard let computation = registry.computation(id: computationID), computation.definition.deletedAt == nil,
            let destination = destinations[destinationID]
        else { return [] }
        let profile = identity.canonical(profile)
        var connection =
            computation.definition.connections.first { $0.destinationID == destinationID }
            ?? Connection(destinationID: destinationID, sendIdentify: true, sendTrack: true)
        connection.enabled = true
        let none: JSONValue = computation.definition.kind == .audience ? false : .null
        let state = computation.states[profile] ?? ComputedState(value: none, since: now, transition: 0)
        // What `emit` writes is taken out again; the engine is as it was.
        let (pending, isOn) = (changes, destination.enabled)
        changes = StateChanges()
        destinations[destinationID]?.enabled = true
        emit(state, computation, profile, at: state.since, only: connection)
        let emissions = changes.emissions
        destinations[destinationID]?.enabled = isOn
        changes = pending
        return emissions
    }

    /// The calls that a source's connection would pass on, or those of `mappings` where there is none.
    public static func trialEmissions(
        of call: Call, mappings: [SourceMapping], destinationID: String
    ) -> [(mapping: SourceMapping, emission: Emission)] {
        let payload = SourceCall.payload(of: call)
        var conditions = EventConditions()
        return mappings.filter {
            $0.takes(call.kind, event: call.event) && conditions.holds($0, of: call, message: payload)
        }.enumerated().map { index, mapping in
            (
                mapping,
                SourceCall.emission(
                    call, payload: payload, mapping: mapping, isFirst: index == 0, profile: ProfileOrdinal(0),
                    destinationID: destinationID)
            )
        }
    }
}

/// The conditions of mappings, read once each.
struct EventConditions {
    private var conditions: [String: EventCondition?] = [:]
    /// Enough for any installation; texts that nobody uses any more do not pile up.
    private static let kept = 1000

    mutating func holds(_ mapping: SourceMapping, of call: Call, message: JSONObject) -> Bool {
        guard let text = mapping.condition else { return true }
        let condition: EventCondition?
        if let known = conditions[text] {
            condition = known
        } else {
            if conditions.count >= Self.kept { conditions.removeAll() }
            // It was checked when it was stored; one that can't be read any more holds of nothing.
            condition = (try? Condition.ofOneEvent(text)).map(EventCondition.init)
            conditions[text] = .some(condition)
        }
        return condition?.holds(of: call, message: message) ?? false
    }
}

/// A source's call on its way to a destination.
public enum SourceCall {
    /// What the client says about the destination.
    public enum Admission: Sendable, Hashable {
        case admitted
        /// The call's `integrations` leave it out.
        case excluded
        /// The client has sent it itself, by the destination's own SDK (device mode).
        case sentByDevice
    }

    /// The message as it was sent, with what Ingest found out about it: ids as texts, corrected time, time of receipt.
    static func payload(of call: Call) -> JSONObject {
        var payload = (try? JSONValue(parsing: call.body))?.object ?? [:]
        payload["type"] = .string(call.kind.name)
        payload["messageId"] = .string(call.messageID)
        payload["userId"] = call.userID.map { .string($0) }
        payload["anonymousId"] = call.anonymousID.map { .string($0) }
        payload["groupId"] = call.groupID.map { .string($0) }
        payload["previousId"] = call.previousID.map { .string($0) }
        payload["event"] = call.event.map { .string($0) }
        payload["timestamp"] = .string(call.timestamp.description)
        payload["originalTimestamp"] = .string(call.originalTimestamp.description)
        payload["receivedAt"] = .string(call.receivedAt.description)
        return payload
    }

    /// `integrations` names destinations by their name or their kind; `All: false` means none but those named.
    public static func admission(of payload: JSONObject, to destination: Destination) -> Admission {
        let names = [destination.name.lowercased(), destination.kind.lowercased()]
        func isMeant(_ name: String) -> Bool {
            let name = name.lowercased()
            return names.contains(name) || name.hasPrefix(destination.kind.lowercased() + " ")
        }
        if let integrations = payload["integrations"]?.object {
            let own = integrations.members.filter { isMeant($0.key) }.map(\.value)
            if own.contains(.bool(false)) { return .excluded }
            let all = integrations["All"] ?? integrations["all"]
            if own.isEmpty, all == .bool(false) { return .excluded }
        }
        let bundled = payload["_metadata"]?["bundled"]?.array ?? []
        return bundled.contains { $0.string.map(isMeant) ?? false } ? .sentByDevice : .admitted
    }

    static func emission(
        _ call: Call, payload: JSONObject, mapping: SourceMapping, isFirst: Bool, profile: ProfileOrdinal,
        destinationID: String
    ) -> Emission {
        var payload = payload
        payload["mapping"] = .object(mapping.options)
        let id = isFirst ? call.messageID : "\(call.messageID)/\(mapping.id)"
        return Emission(
            destinationID: destinationID, computationID: call.sourceID, computationKey: "", profile: profile,
            kind: Emission.Kind(call.kind), messageID: id, timestamp: call.timestamp,
            payload: JSONValue.object(payload).utf8, origin: .source)
    }
}

extension Emission.Kind {
    init(_ kind: Call.Kind) {
        self =
            switch kind {
            case .identify: .identify
            case .track: .track
            case .page: .page
            case .screen: .screen
            case .group: .group
            case .alias: .alias
            }
    }
}

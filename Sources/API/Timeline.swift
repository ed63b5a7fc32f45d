import Engine
import EventLog
import History
import JSON
import Model
import Store

// What happened to a profile, newest first: its events, and what they and time did to its audiences and traits.

extension API {
    func timeline(_ request: APIRequest) throws -> JSONValue {
        let view = try view(request)
        let paging = try Paging(request.query)
        let place = try TimelinePlace(cursor: paging.cursor)
        let (events, computations, sources) = engine.read { engine in
            (
                engine.timeline(of: view.summary.ordinal, before: place.event, limit: paging.count + 1),
                engine.computations, engine.sources
            )
        }
        let transitions = try engine.store.transitions(
            profiles: view.ordinals, before: place.transition, limit: paging.count + 1)
        let calls = try bodies(of: events)
        let definitions = Dictionary(
            computations.map { ($0.definition.id, $0.definition) }, uniquingKeysWith: { first, _ in first })

        var rows: [JSONValue] = []
        var next = place
        var (event, transition) = (0, 0)
        while rows.count < paging.count, event < events.count || transition < transitions.count {
            // What a call caused stands above the call.
            let takesTransition =
                event == events.count
                || (transition < transitions.count && transitions[transition].at >= events[event].timestamp)
            if takesTransition {
                let row = transitions[transition]
                transition += 1
                next.transition = row.id
                rows.append(json(row, definitions[row.computationID]))
            } else {
                let entry = events[event]
                event += 1
                next.event = entry
                rows.append(json(entry, calls[entry.offset], sources))
            }
        }
        let isLast = event >= events.count && transition >= transitions.count
        return ["timeline": .array(rows), "pagination": paging.json(next: isLast ? nil : next.cursor)]
    }

    private func bodies(of events: [TimelineEntry]) throws -> [Int64: Call] {
        var calls: [Int64: Call] = [:]
        for record in try log.records(at: events.map(\.offset)) {
            if case .call(let call) = record.entry { calls[record.offset] = call }
        }
        return calls
    }

    private func json(_ entry: TimelineEntry, _ call: Call?, _ sources: [String: Source]) -> JSONValue {
        [
            "kind": "event", "at": .time(entry.timestamp), "name": .string(entry.name),
            "detail": .string(sources[entry.sourceID]?.name ?? entry.sourceID),
            "messageId": .string(entry.messageID), "receivedAt": .time(entry.receivedAt),
            "body": call.flatMap { try? JSONValue(parsing: $0.body) } ?? .null,
        ]
    }

    private func json(_ row: TransitionRow, _ definition: Computation?) -> JSONValue {
        let kind =
            switch (definition?.kind, row.value) {
            case (.trait?, _): "computed"
            case (_, true): "entered"
            case (_, false): "exited"
            default: "computed"
            }
        let causes = [
            "time": "because time passed", "backfill": "first evaluation", "merge": "two profiles became one",
        ]
        return [
            "kind": .string(kind), "at": .time(row.at), "name": .string(definition?.name ?? row.computationID),
            "computationId": .string(row.computationID), "value": row.value,
            "detail": .string(orNull: causes[row.cause]), "cause": .string(row.cause),
        ]
    }
}

/// How far a reader has come in a timeline.
private struct TimelinePlace {
    /// The last event shown.
    var event: TimelineEntry?
    /// The last transition shown.
    var transition: Int64?

    init(cursor: String?) throws(APIError) {
        guard let cursor else { return }
        let parts = cursor.split(separator: "_", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else { throw Paging.invalidCursor }
        if !parts[0].isEmpty {
            guard let id = Int64(parts[0]) else { throw Paging.invalidCursor }
            transition = id
        }
        guard !parts[1].isEmpty else { return }
        guard let timestamp = Int64(parts[1]), let receivedAt = Int64(parts[2]) else { throw Paging.invalidCursor }
        event = TimelineEntry(
            event: EventID(0), name: "", timestamp: Instant(milliseconds: timestamp),
            receivedAt: Instant(milliseconds: receivedAt), messageID: parts[3], sourceID: "", offset: 0)
    }

    var cursor: String {
        let id = transition.map(String.init) ?? ""
        guard let event else { return "\(id)___" }
        return "\(id)_\(event.timestamp.milliseconds)_\(event.receivedAt.milliseconds)_\(event.messageID)"
    }
}

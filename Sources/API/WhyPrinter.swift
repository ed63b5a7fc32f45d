import Engine
import Evaluation
import JSON
import Model

/// Explanations as JSON.
struct WhyPrinter {
    /// Those whom parts are about, by the first of their numbers.
    let users: [ProfileOrdinal: JSONValue]

    /// Whom an explanation names.
    static func users(in explanation: Explanation) -> [ProfileOrdinal] {
        (explanation.user?.first.map { [$0] } ?? []) + explanation.children.flatMap { users(in: $0) }
    }

    func json(_ explanation: Explanation) -> JSONValue {
        var object: JSONObject = [
            "kind": .string(explanation.kind.rawValue), "text": .string(explanation.text),
            "holds": explanation.holds.map { .bool($0) } ?? .null, "since": .time(explanation.since),
            "mayChangeAt": .time(explanation.changesAt),
        ]
        if let value = explanation.value { object["value"] = value }
        if let right = explanation.comparedWith { object["comparedWith"] = right }
        if explanation.kind == .comparison || explanation.kind == .value {
            object["eventCount"] = .number(explanation.eventCount)
            object["events"] = .array(explanation.events.map(json))
            if !explanation.innerEvents.isEmpty {
                object["innerEvents"] = .array(explanation.innerEvents.map(json))
            }
            object["eventsComplete"] = .bool(explanation.areEventsComplete)
            object["traits"] = .array(
                explanation.traits.map { trait in
                    [
                        "key": .string(trait.key), "value": trait.value,
                        "setBy": trait.setBy.map { origin in
                            [
                                "messageId": .string(origin.messageID), "sourceId": .string(origin.sourceID),
                                "timestamp": .time(origin.timestamp),
                            ]
                        } ?? .null,
                    ]
                })
        }
        if let user = explanation.user { object["user"] = user.first.flatMap { users[$0] } ?? .null }
        if !explanation.children.isEmpty { object["children"] = .array(explanation.children.map(json)) }
        return .object(object)
    }

    private func json(_ event: Explanation.CountedEvent) -> JSONValue {
        [
            "name": .string(event.name), "messageId": .string(event.messageID), "timestamp": .time(event.timestamp),
            "leavesAt": .time(event.leavesAt),
        ]
    }

    func json(_ change: RequiredChange) -> JSONValue {
        switch change {
        case .all(let changes): return ["all": .array(changes.map(json))]
        case .any(let changes): return ["any": .array(changes.map(json))]
        case .comparison(let explanation, let mustHold, let user):
            var object: JSONObject = [
                "text": .string(explanation.text), "mustHold": .bool(mustHold),
                "value": explanation.value ?? .null, "mayChangeAt": .time(explanation.changesAt),
            ]
            if let user = user?.user?.first { object["user"] = users[user] ?? .null }
            return .object(object)
        }
    }
}

extension NextChange {
    /// `at` and the `value` from then on; `notBefore` where looking ahead was given up; null if it stays for ever.
    var json: JSONValue {
        switch self {
        case .never: .null
        case .at(let instant, let value): ["at": .time(instant), "value": value]
        case .notBefore(let instant): ["notBefore": .time(instant)]
        }
    }
}

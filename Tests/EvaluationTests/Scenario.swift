import History
import JSON
import Model
import Query
import Testing

@testable import Evaluation

/// A history written by hand: times are hours after a start, queries are text.
struct Scenario {
    let history = History()
    private var count: Int64 = 0

    static let start = Instant(milliseconds: 1_700_000_000_000)
    static let millisecond = Instant.Span(milliseconds: 1)

    static func hour(_ hours: Double) -> Instant { start + .init(milliseconds: Int64(hours * 3_600_000)) }

    mutating func track(
        _ event: String, _ properties: JSONValue = [:], at hours: Double = 0, received: Double? = nil,
        id: String? = nil,
        by profile: UInt32 = 0, source: String = "web", context: JSONValue = [:]
    ) {
        insert(
            .track, event, ["properties": properties, "context": context], hours, received, id, profile, source)
    }

    mutating func page(_ name: String, at hours: Double = 0) {
        insert(.page, nil, ["name": .string(name), "properties": [:]], hours, nil, nil, 0, "web")
    }

    mutating func identify(_ traits: JSONValue, at hours: Double = 0, by profile: UInt32 = 0) {
        insert(.identify, nil, ["traits": traits], hours, nil, nil, profile, "web")
    }

    private mutating func insert(
        _ kind: Call.Kind, _ event: String?, _ body: JSONValue, _ hours: Double, _ received: Double?, _ id: String?,
        _ profile: UInt32, _ source: String
    ) {
        count += 1
        let call = Call(
            kind: kind, sourceID: source, messageID: id ?? "m\(count)", event: event, timestamp: Scenario.hour(hours),
            receivedAt: Scenario.hour(received ?? hours), body: body.utf8)
        if call.eventName == nil {
            _ = history.insertTraits(call, body: body, offset: count, profile: ProfileOrdinal(profile))
        } else {
            _ = history.insertEvent(call, body: body, offset: count, profile: ProfileOrdinal(profile))
        }
    }

    static func user(_ ordinals: UInt32..., computed: [String: ComputedValue] = [:]) -> ProfileView {
        ProfileView(ordinals.isEmpty ? [ProfileOrdinal(0)] : ordinals.map { ProfileOrdinal($0) }) { key, _ in
            computed[key] ?? .notComputed
        }
    }

    /// What an audience says.
    func audience(
        _ query: String, at now: Instant, _ subject: Subject = .user(user()), evidence: Evidence = .everything
    ) throws -> Evaluation {
        var level = Computation.Level.users
        if case .account = subject { level = .accounts }
        let definition = try Definition.compile(query, kind: .audience, level: level)
        return CompiledQuery(definition).evaluate(subject, evidence: evidence, in: history, at: now)
    }

    func isMember(_ query: String, at hours: Double = 100, _ subject: Subject = .user(user())) throws -> Bool {
        try audience(query, at: Scenario.hour(hours), subject).isMember
    }

    func trait(_ query: String, at hours: Double = 100, _ subject: Subject = .user(user())) throws -> JSONValue {
        let definition = try Definition.compile(query, kind: .trait)
        return CompiledQuery(definition).evaluate(subject, in: history, at: Scenario.hour(hours)).value
    }

    /// Whether a comparison holds of a property with this value: `property('v')…`.
    static func holds(_ comparison: String, of value: JSONValue) throws -> Bool {
        var scenario = Scenario()
        scenario.track("A", ["v": value])
        return try scenario.isMember("event('A').where(\(comparison)).count() >= 1")
    }
}

public import JSON

/// How long events are kept, by their own timestamps. Identities, traits and memberships have no such limit (spec:
/// collection §6.3).
public struct RetentionRules: Sendable, Hashable {
    public enum Age: Sendable, Hashable {
        case forever
        /// Whole days of 24 hours, 1 to `maximumDays`.
        case days(Int)
    }

    /// Of every event name that has no age of its own.
    public var general: Age
    public var events: [String: Age]

    /// A hundred years.
    public static let maximumDays = 36_500

    public init(general: Age = .forever, events: [String: Age] = [:]) {
        self.general = general
        self.events = events
    }

    public func age(of event: String) -> Age { events[event] ?? general }

    /// For how many days an event is kept, if that is less than what a reader looks back at; `nil` if it is enough.
    /// - Parameter horizon: How far back it looks; `nil` for any age.
    public func daysKept(of event: String, shortOf horizon: Instant.Span?) -> Int? {
        guard case .days(let days) = age(of: event), horizon.map({ $0 > .days(Int64(days)) }) ?? true else {
            return nil
        }
        return days
    }

    /// Whether there is anything that expires.
    public var limitsAnything: Bool { general != .forever || events.values.contains { $0 != .forever } }

    /// Before which timestamps events have expired at an instant.
    public func floors(at instant: Instant) -> EventFloors {
        func floor(_ age: Age) -> Instant {
            switch age {
            case .forever: .distantPast
            case .days(let days): instant - .days(Int64(days))
            }
        }
        return EventFloors(general: floor(general), events: events.mapValues(floor))
    }
}

/// The timestamps before which events have expired: one for all names, and others for some.
public struct EventFloors: Sendable, Hashable {
    /// `.distantPast` where nothing has expired.
    public let general: Instant
    /// Only names whose floor is another.
    public let events: [String: Instant]

    public init(general: Instant = .distantPast, events: [String: Instant] = [:]) {
        self.general = general
        self.events = events.filter { $0.value != general }
    }

    public static let none = EventFloors()

    public subscript(event: String) -> Instant { events[event] ?? general }

    /// The greatest of all.
    public var highest: Instant { events.values.reduce(general, max) }

    /// Of each name the later of two floors: what has expired does not come back.
    public func raised(to other: EventFloors) -> EventFloors { combined(with: other, max) }

    /// Of each name the earlier of two floors.
    public func lowered(to other: EventFloors) -> EventFloors { combined(with: other, min) }

    private func combined(with other: EventFloors, _ choose: (Instant, Instant) -> Instant) -> EventFloors {
        var chosen: [String: Instant] = [:]
        for name in Set(events.keys).union(other.events.keys) { chosen[name] = choose(self[name], other[name]) }
        return EventFloors(general: choose(general, other.general), events: chosen)
    }
}

extension Call {
    /// Where the call stands in time: at its timestamp, or at its receipt if it was dated more than 24 hours after that
    /// (spec: engage §4.7).
    public var placedAt: Instant { timestamp - receivedAt <= .hours(24) ? timestamp : receivedAt }

    /// Whether the call is an event before the floor of its name.
    public func isExpired(_ floors: EventFloors) -> Bool {
        guard let name = eventName else { return false }
        return placedAt < floors[name]
    }
}

// MARK: As they are stored

extension RetentionRules.Age {
    fileprivate var stored: JSONValue {
        switch self {
        case .forever: .null
        case .days(let days): .number(days)
        }
    }

    fileprivate init(stored: JSONValue?) throws(DefinitionError) {
        guard let stored, !stored.isNull else {
            self = .forever
            return
        }
        guard let days = stored.integer, (1...RetentionRules.maximumDays).contains(days) else {
            throw DefinitionError("a stored age of events is no number of days")
        }
        self = .days(days)
    }
}

extension RetentionRules {
    public var json: JSONValue {
        let names = events.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return [
            "general": general.stored,
            "events": .object(JSONObject(names.map { (key: $0.key, value: $0.value.stored) })),
        ]
    }

    public init(json: JSONValue) throws(DefinitionError) {
        self.init(general: try Age(stored: json["general"]))
        for (name, age) in json["events"]?.object?.members ?? [] { events[name] = try Age(stored: age) }
    }
}

extension EventFloors {
    public var json: JSONValue {
        let names = events.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return [
            "general": EventFloors.stored(general),
            "events": .object(JSONObject(names.map { (key: $0.key, value: EventFloors.stored($0.value)) })),
        ]
    }

    private static func stored(_ instant: Instant) -> JSONValue {
        instant == .distantPast ? .null : .number(Int(instant.milliseconds))
    }

    public init(json: JSONValue) {
        func instant(_ value: JSONValue?) -> Instant {
            value?.integer.map { Instant(milliseconds: Int64($0)) } ?? .distantPast
        }
        var events: [String: Instant] = [:]
        for (name, floor) in json["events"]?.object?.members ?? [] { events[name] = instant(floor) }
        self.init(general: instant(json["general"]), events: events)
    }
}

import JSON

/// What a profile keeps of one custom event: the three aggregates forever, and of the last 31 days the newest times.
///
/// "X in Y days" counts over a window that ends now and compares with at most 50 (spec braze §5.4), so the newest 64 times
/// answer every such filter exactly, and a profile stays small however often something happens.
struct Occurrences: Sendable, Hashable {
    static let keptTimes = 64
    static let keptProperties = 256
    static let keptFor: EpochMilliseconds = 31 * DateText.day

    /// An occurrence's value of a property that is enabled for segmentation.
    struct PropertyValue: Sendable, Hashable {
        let time: EpochMilliseconds
        let name: String
        let value: JSONValue
    }

    private(set) var count = 0
    private(set) var first: EpochMilliseconds = .max
    private(set) var last: EpochMilliseconds = .min
    /// Ascending.
    private(set) var recent: [EpochMilliseconds] = []
    private(set) var properties: [PropertyValue] = []

    /// Adds an occurrence. `time` is at most `now`.
    mutating func add(at time: EpochMilliseconds, properties values: [(String, JSONValue)], now: EpochMilliseconds) {
        count += 1
        first = min(first, time)
        last = max(last, time)
        guard time > now - Occurrences.keptFor else { return }
        let place = recent.lastIndex { $0 <= time }.map { $0 + 1 } ?? 0
        recent.insert(time, at: place)
        for (name, value) in values { properties.append(PropertyValue(time: time, name: name, value: value)) }
        trim(now: now)
    }

    /// Joins the history of a merged profile (§3.3).
    mutating func merge(_ other: Occurrences, now: EpochMilliseconds) {
        count += other.count
        first = min(first, other.first)
        last = max(last, other.last)
        recent = (recent + other.recent).sorted()
        properties = (properties + other.properties).sorted { $0.time < $1.time }
        trim(now: now)
    }

    private mutating func trim(now: EpochMilliseconds) {
        let limit = now - Occurrences.keptFor
        if let oldest = recent.first, oldest <= limit { recent.removeAll { $0 <= limit } }
        if recent.count > Occurrences.keptTimes { recent.removeFirst(recent.count - Occurrences.keptTimes) }
        if let oldest = properties.first, oldest.time <= limit { properties.removeAll { $0.time <= limit } }
        if properties.count > Occurrences.keptProperties {
            properties.removeFirst(properties.count - Occurrences.keptProperties)
        }
    }

    /// Occurrences at or after `start`; exact up to ``keptTimes``.
    func count(since start: EpochMilliseconds) -> Int {
        recent.count - (recent.firstIndex { $0 >= start } ?? recent.count)
    }
}

extension Occurrences {
    var stored: JSONValue {
        var object: JSONObject = [
            "n": .number(count), "f": .number(Int(first)), "l": .number(Int(last)),
            "r": .array(recent.map { .number(Int($0)) }),
        ]
        if !properties.isEmpty {
            object["p"] = .array(properties.map { [.number(Int($0.time)), .string($0.name), $0.value] })
        }
        return .object(object)
    }

    init?(stored: JSONValue) {
        guard let count = stored["n"]?.integer, let first = stored["f"]?.integer, let last = stored["l"]?.integer else {
            return nil
        }
        self.count = count
        self.first = EpochMilliseconds(first)
        self.last = EpochMilliseconds(last)
        recent = (stored["r"]?.array ?? []).compactMap(\.integer).map { EpochMilliseconds($0) }
        properties = (stored["p"]?.array ?? []).compactMap { entry in
            guard let time = entry[0]?.integer, let name = entry[1]?.string, let value = entry[2] else { return nil }
            return PropertyValue(time: EpochMilliseconds(time), name: name, value: value)
        }
    }
}

/// What a profile keeps of one product.
struct PurchaseSummary: Sendable, Hashable {
    var count: Int
    var first: EpochMilliseconds
    var last: EpochMilliseconds
}

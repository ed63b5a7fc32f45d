import JSON

/// Something a workspace knows by name and numbers densely.
protocol RegistryEntry: Sendable {
    var name: String { get }
    init(name: String, at instant: EpochMilliseconds)
}

/// The names of a workspace in the order they first came, each with a number that profiles refer to.
struct Registry<Entry: RegistryEntry>: Sendable {
    private(set) var entries: [Entry] = []
    private var numbers: [String: Int32] = [:]

    func number(_ name: String) -> Int32? { numbers[name] }

    func entry(_ name: String) -> Entry? { numbers[name].map { entries[Int($0)] } }

    func name(_ number: Int32) -> String { entries[Int(number)].name }

    /// The number of a name, which is registered if it is new.
    mutating func register(_ name: String, at instant: EpochMilliseconds) -> Int32 {
        if let number = numbers[name] { return number }
        return append(Entry(name: name, at: instant))
    }

    @discardableResult
    mutating func append(_ entry: Entry) -> Int32 {
        let number = Int32(entries.count)
        entries.append(entry)
        numbers[entry.name] = number
        return number
    }

    mutating func update(_ number: Int32, _ change: (inout Entry) -> Void) { change(&entries[Int(number)]) }
}

/// A custom attribute name and its registered data type (spec braze §2.2, type registry).
struct AttributeEntry: RegistryEntry {
    let name: String
    let firstSeen: EpochMilliseconds
    var lastSeen: EpochMilliseconds
    /// Follows incoming data, unless ``forced`` is set. `nil` until a value other than null came.
    var detected: AttributeType?
    var forced: AttributeType?
    var isBlocklisted = false
    /// How often the detected type flipped: filters of the old type lose users then.
    var typeChanges = 0

    init(name: String, at instant: EpochMilliseconds) {
        self.name = name
        firstSeen = instant
        lastSeen = instant
    }

    var type: AttributeType? { forced ?? detected }

    /// `String (Automatically Detected)`, or the forced type alone.
    var typeText: String {
        if let forced { return forced.title }
        return detected.map { "\($0.title) (Automatically Detected)" } ?? "Unknown"
    }
}

/// A custom event name.
struct EventEntry: RegistryEntry {
    let name: String
    /// Of the events' own times.
    var firstSeen: EpochMilliseconds
    var lastSeen: EpochMilliseconds
    var count = 0
    var isBlocklisted = false
    /// Properties enabled for segmentation (§2.3): at most 20 in a workspace.
    var enabledProperties: [String] = []
    /// Property names seen, for the settings page: the first 256.
    var seenProperties: [String] = []
    /// Occurrences by hour since the epoch, for the last 100 days.
    var hourly: [Int: Int] = [:]

    init(name: String, at instant: EpochMilliseconds) {
        self.name = name
        firstSeen = instant
        lastSeen = instant
    }

    static let keptHours = 100 * 24

    mutating func add(at time: EpochMilliseconds, now: EpochMilliseconds) {
        count += 1
        firstSeen = min(firstSeen, time)
        lastSeen = max(lastSeen, time)
        let hour = Int(DateText.floorDivide(time, 3_600_000))
        let current = Int(DateText.floorDivide(now, 3_600_000))
        guard hour > current - EventEntry.keptHours else { return }
        hourly[hour, default: 0] += 1
        if hourly.count > EventEntry.keptHours + 24 {
            hourly = hourly.filter { $0.key > current - EventEntry.keptHours }
        }
    }
}

/// A product id of purchases.
struct ProductEntry: RegistryEntry {
    let name: String
    let firstSeen: EpochMilliseconds
    var count = 0

    init(name: String, at instant: EpochMilliseconds) {
        self.name = name
        firstSeen = instant
    }
}

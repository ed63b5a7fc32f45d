public import JSON

/// The behaviours that Braze's public documents leave open or that changed over time (spec braze §0.3). Each has a name
/// under which `/sandbox/api/switches` reads and sets it, so that a test can pin it.
public struct SandboxSwitches: Sendable, Hashable {
    public enum ObjectLimit: String, Sendable, CaseIterable { case combined75, perArray75 = "per_array75" }
    public enum RateMode: String, Sendable, CaseIterable { case burst, hourlyAndBurst = "hourly+burst", tiny }
    public enum OperatorLabels: String, Sendable, CaseIterable { case consolidated, legacy }
    public enum ErrorStrings: String, Sendable, CaseIterable { case live, codes }

    /// `/users/track`: 75 objects over all three arrays, or 75 in each (§1.6).
    public var objectLimit = ObjectLimit.combined75
    /// The contract whose rate limits apply (§1.5). `tiny` allows `tinyLimit` calls per 3 s on every path.
    public var rateMode = RateMode.burst
    /// Calls per clock hour and company in `hourly+burst`.
    public var hourlyLimit = 250_000
    /// Calls per 3 s in `tiny`.
    public var tinyLimit = 5
    /// 201, or 200 as some recorded replies have it.
    public var trackSuccessStatus = 201
    /// Milliseconds between accepting a call and applying it: 0 to 30,000 (§1.7).
    public var applyDelayMilliseconds = 50
    /// Applies calls in another order than they came: Braze guarantees none between requests (§1.7).
    public var shuffleRequests = false
    public var operatorLabels = OperatorLabels.consolidated
    /// Elements that an array attribute keeps: 500, 100 or 25 (§2.2).
    public var arrayCap = 500
    /// Bytes of one event's or purchase's properties (§1.6).
    public var propertyBytes = 102_400
    public var errorStrings = ErrorStrings.live
    /// LESS THAN matches users without a value (§5.3).
    public var lessThanIncludesMissing = true
    /// Accepts an `api_key` in the body, as before 2020 (§1.2).
    public var legacyKey = false
    /// `/users/export/ids` demands `fields_to_export` (§4.3).
    public var requireFieldsToExport = true

    public init() {}
}

/// A switch that was given an unknown name or value; says which are possible.
struct SwitchError: Error, CustomStringConvertible {
    let description: String
}

extension SandboxSwitches {
    /// A switch as the settings page shows it.
    struct Entry {
        let name: String
        let unit: String?
        let choices: [JSONValue]
        let range: ClosedRange<Int>?
        let summary: String
        let get: @Sendable (SandboxSwitches) -> JSONValue
        let set: @Sendable (inout SandboxSwitches, JSONValue) -> Bool
    }

    static let entries: [Entry] = [
        choice("object_limit", \.objectLimit, "Objects per /users/track: 75 over all arrays, or 75 in each."),
        choice("rate_mode", \.rateMode, "Contract whose rate limits apply; tiny is for tests."),
        integer("hourly_limit", \.hourlyLimit, 1...100_000_000, "calls per hour", "Allowance in hourly+burst mode."),
        integer("tiny_limit", \.tinyLimit, 1...1_000_000, "calls per 3 s", "Allowance in tiny mode."),
        numbers("track_success_status", \.trackSuccessStatus, [201, 200], "HTTP status of an accepted /users/track."),
        integer(
            "apply_delay_ms", \.applyDelayMilliseconds, 0...30_000, "ms",
            "Time between accepting a call and its effect. Braze ingests asynchronously."),
        flag(
            "shuffle_requests", \.shuffleRequests,
            "Apply calls out of order: Braze guarantees no order between requests."),
        choice("operator_labels", \.operatorLabels, "Names of filter operators: today's, or those of older articles."),
        numbers("array_cap", \.arrayCap, [500, 100, 25], "Elements that an array attribute keeps."),
        numbers("property_bytes", \.propertyBytes, [102_400, 51_200], "Bytes of properties per event or purchase."),
        choice("error_strings", \.errorStrings, "Per-object errors as sentences seen live, or as documented codes."),
        flag("lt_includes_missing", \.lessThanIncludesMissing, "LESS THAN also matches users without a value."),
        flag("legacy_key", \.legacyKey, "Accept api_key in the body, as before 2020."),
        flag("require_fields_to_export", \.requireFieldsToExport, "/users/export/ids demands fields_to_export."),
    ]

    private static func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<SandboxSwitches, Choice> & Sendable, _ summary: String
    ) -> Entry where Choice.RawValue == String {
        Entry(
            name: name, unit: nil, choices: Choice.allCases.map { .string($0.rawValue) }, range: nil, summary: summary,
            get: { .string($0[keyPath: path].rawValue) },
            set: { switches, value in
                guard let choice = value.string.flatMap(Choice.init(rawValue:)) else { return false }
                switches[keyPath: path] = choice
                return true
            })
    }

    private static func flag(
        _ name: String, _ path: any WritableKeyPath<SandboxSwitches, Bool> & Sendable, _ summary: String
    ) -> Entry {
        Entry(
            name: name, unit: nil, choices: [true, false], range: nil, summary: summary,
            get: { .bool($0[keyPath: path]) },
            set: { switches, value in
                guard let flag = value.bool else { return false }
                switches[keyPath: path] = flag
                return true
            })
    }

    private static func integer(
        _ name: String, _ path: any WritableKeyPath<SandboxSwitches, Int> & Sendable, _ range: ClosedRange<Int>,
        _ unit: String?, _ summary: String
    ) -> Entry {
        Entry(
            name: name, unit: unit, choices: [], range: range, summary: summary,
            get: { .number($0[keyPath: path]) },
            set: { switches, value in
                guard let number = value.integer, range.contains(number) else { return false }
                switches[keyPath: path] = number
                return true
            })
    }

    private static func numbers(
        _ name: String, _ path: any WritableKeyPath<SandboxSwitches, Int> & Sendable, _ choices: [Int],
        _ summary: String
    ) -> Entry {
        Entry(
            name: name, unit: nil, choices: choices.map { .number($0) }, range: nil, summary: summary,
            get: { .number($0[keyPath: path]) },
            set: { switches, value in
                guard let number = value.integer, choices.contains(number) else { return false }
                switches[keyPath: path] = number
                return true
            })
    }

    /// All switches by name.
    public var json: JSONValue {
        .object(JSONObject(SandboxSwitches.entries.map { (key: $0.name, value: $0.get(self)) }))
    }

    /// Sets the named switches; nothing changes when one of them is unknown or has an impossible value.
    mutating func set(_ object: JSONObject) throws(SwitchError) {
        var changed = self
        for (name, value) in object.members {
            guard let entry = SandboxSwitches.entries.first(where: { $0.name == name }) else {
                let names = SandboxSwitches.entries.map(\.name).joined(separator: ", ")
                throw SwitchError(description: "There is no switch named \(name). Switches: \(names).")
            }
            guard entry.set(&changed, value) else {
                let possible =
                    entry.range.map { "a whole number from \($0.lowerBound) to \($0.upperBound)" }
                    ?? "one of " + entry.choices.map { $0.string ?? $0.description }.joined(separator: ", ")
                throw SwitchError(description: "\(name) must be \(possible).")
            }
        }
        self = changed
    }
}

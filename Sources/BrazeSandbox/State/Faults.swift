import JSON

/// What can be made to go wrong on purpose. Rates are probabilities from 0 to 1 over calls of the REST API; `next` makes
/// the next calls fail for certain. Faults are not kept over a restart.
struct Faults: Sendable {
    /// Calls that the API answers with `errorStatus` without looking at them.
    var errorRate = 0.0
    var errorStatus = 503
    /// Calls answered 429 although the limit is not reached.
    var tooManyRate = 0.0
    /// Calls that are applied, but whose connection is closed without an answer.
    var lostAnswerRate = 0.0
    /// Calls whose connection is closed before anything is looked at.
    var lostRequestRate = 0.0
    /// Objects of `/users/track` refused with `partialErrorText`.
    var partialErrorRate = 0.0
    var partialErrorText = "Internal error while processing this object"
    /// Milliseconds by which every answer is delayed.
    var delayMilliseconds = 0
    /// Every call is answered 503.
    var isDown = false
    /// Answers forced upon the next calls: `error`, `429`, `lost_answer`, `lost_request`.
    var next: [(kind: Kind, count: Int)] = []

    enum Kind: String, Sendable, CaseIterable {
        case error
        case tooMany = "429"
        case lostAnswer = "lost_answer"
        case lostRequest = "lost_request"
    }

    /// The fault that hits a call, if any. Draws from `generator`, so a seed repeats a run.
    mutating func draw(_ generator: inout SplitMix) -> Kind? {
        if isDown { return .error }
        while let first = next.first {
            guard first.count > 0 else {
                next.removeFirst()
                continue
            }
            next[0].count -= 1
            return first.kind
        }
        for (rate, kind) in [
            (lostRequestRate, Kind.lostRequest), (errorRate, .error), (tooManyRate, .tooMany),
            (lostAnswerRate, .lostAnswer),
        ] where rate > 0 {
            if Double.random(in: 0..<1, using: &generator) < rate { return kind }
        }
        return nil
    }

    var isActive: Bool {
        errorRate > 0 || tooManyRate > 0 || lostAnswerRate > 0 || lostRequestRate > 0 || partialErrorRate > 0
            || delayMilliseconds > 0 || isDown || next.contains { $0.count > 0 }
    }

    var json: JSONValue {
        [
            "error_rate": .number(errorRate), "error_status": .number(errorStatus), "rate_429": .number(tooManyRate),
            "lost_answer_rate": .number(lostAnswerRate), "lost_request_rate": .number(lostRequestRate),
            "partial_error_rate": .number(partialErrorRate), "partial_error_text": .string(partialErrorText),
            "delay_ms": .number(delayMilliseconds), "down": .bool(isDown),
            "next": .array(
                next.filter { $0.count > 0 }.map { ["kind": .string($0.kind.rawValue), "count": .number($0.count)] }),
        ]
    }

    /// Sets the named knobs; nothing changes when one is unknown or out of range.
    mutating func set(_ object: JSONObject) throws(SwitchError) {
        var changed = self
        for (name, value) in object.members {
            func rate() throws(SwitchError) -> Double {
                guard let rate = value.double, (0...1).contains(rate) else {
                    throw SwitchError(description: "\(name) must be a number from 0 to 1: the share of calls it hits.")
                }
                return rate
            }
            switch name {
            case "error_rate": changed.errorRate = try rate()
            case "rate_429": changed.tooManyRate = try rate()
            case "lost_answer_rate": changed.lostAnswerRate = try rate()
            case "lost_request_rate": changed.lostRequestRate = try rate()
            case "partial_error_rate": changed.partialErrorRate = try rate()
            case "error_status":
                guard let status = value.integer, (400...599).contains(status) else {
                    throw SwitchError(description: "error_status must be an HTTP status from 400 to 599.")
                }
                changed.errorStatus = status
            case "partial_error_text":
                guard let text = value.string, !text.isEmpty, text.count <= 500 else {
                    throw SwitchError(description: "partial_error_text must be a text of at most 500 characters.")
                }
                changed.partialErrorText = text
            case "delay_ms":
                guard let delay = value.integer, (0...120_000).contains(delay) else {
                    throw SwitchError(description: "delay_ms must be a whole number from 0 to 120,000.")
                }
                changed.delayMilliseconds = delay
            case "down":
                guard let down = value.bool else { throw SwitchError(description: "down must be true or false.") }
                changed.isDown = down
            case "next": changed.next = try Faults.next(value)
            default: throw SwitchError(description: "There is no fault named \(name).")
            }
        }
        self = changed
    }

    private static func next(_ value: JSONValue) throws(SwitchError) -> [(kind: Kind, count: Int)] {
        let problem = SwitchError(
            description: "next must be a list such as [{\"kind\":\"error\",\"count\":2}]; "
                + "kinds: \(Kind.allCases.map(\.rawValue).joined(separator: ", ")).")
        guard let elements = value.array, elements.count <= 100 else { throw problem }
        var next: [(kind: Kind, count: Int)] = []
        for element in elements {
            guard let kind = element["kind"]?.string.flatMap(Kind.init(rawValue:)),
                let count = element["count"]?.integer ?? (element["count"] == nil ? 1 : nil),
                (1...1_000_000).contains(count)
            else { throw problem }
            next.append((kind, count))
        }
        return next
    }
}

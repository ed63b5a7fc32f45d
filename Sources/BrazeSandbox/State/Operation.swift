import JSON

/// A change of the sandbox: what the journal stores, line by line, and what a restart applies again.
struct Operation: Sendable {
    enum Change: Sendable {
        case track(TrackBatch)
        /// Identity, cohort, subscription and dry-run calls as their endpoints accepted them.
        case call(Kind, JSONObject)
        /// Changes made in the pages; they take effect at once.
        case setting(Setting, JSONObject)
    }

    enum Kind: String, Sendable {
        case aliasNew = "alias_new"
        case aliasUpdate = "alias_update"
        case identify, merge, delete, rename
        case removeDeprecated = "remove_deprecated"
        case cohort
        case cohortUsers = "cohort_users"
        case subscribe
    }

    enum Setting: String, Sendable {
        case workspace, key, segment, campaign, canvas, attribute, event, block, switches, partner, reset, send
        case segmentSize = "segment_size"
    }

    let workspace: String
    /// When the call was received.
    let at: EpochMilliseconds
    /// When it takes effect: later than `at` by the ingestion delay (spec braze §1.7).
    let due: EpochMilliseconds
    let change: Change
    /// Number in the request log, while the process lives.
    var request: Int?

    var json: JSONValue {
        var object: JSONObject = ["at": .number(Int(at)), "due": .number(Int(due)), "in": .string(workspace)]
        switch change {
        case .track(let batch): object["track"] = batch.json
        case .call(let kind, let body): object[kind.rawValue] = .object(body)
        case .setting(let setting, let body): object["set_" + setting.rawValue] = .object(body)
        }
        return .object(object)
    }

    /// Reads a line of the journal; `nil` if it is none.
    init?(_ json: JSONValue, switches: SandboxSwitches) {
        guard let at = json["at"]?.integer, let due = json["due"]?.integer, let workspace = json["in"]?.string,
            let member = json.object?.members.last, let body = member.value.object
        else { return nil }
        if member.key == "track" {
            change = .track(TrackBatch(checking: body, switches: switches))
        } else if let kind = Kind(rawValue: member.key) {
            change = .call(kind, body)
        } else if member.key.hasPrefix("set_"), let setting = Setting(rawValue: String(member.key.dropFirst(4))) {
            change = .setting(setting, body)
        } else {
            return nil
        }
        self.workspace = workspace
        self.at = EpochMilliseconds(at)
        self.due = EpochMilliseconds(due)
    }

    init(workspace: String, at: EpochMilliseconds, due: EpochMilliseconds, change: Change, request: Int? = nil) {
        self.workspace = workspace
        self.at = at
        self.due = due
        self.change = change
        self.request = request
    }

    var isSetting: Bool { if case .setting = change { true } else { false } }
}

/// Accepted operations that wait for their time. Order is kept, also when the delay is shortened meanwhile; only a
/// shuffled operation goes before others.
struct PendingQueue: Sendable {
    private var operations: [Operation] = []
    private var head = 0

    /// Over this many the oldest are applied early, so that memory stays bounded.
    static let limit = 50_000

    var count: Int { operations.count - head }
    var all: ArraySlice<Operation> { operations[head...] }

    /// Adds an operation behind all that are due no later than it.
    mutating func add(_ operation: Operation) {
        var place = operations.count
        while place > head, operations[place - 1].due > operation.due { place -= 1 }
        operations.insert(operation, at: place)
    }

    /// When the last operation is due: an ordered one may not be due earlier.
    var lastDue: EpochMilliseconds? { count > 0 ? operations[operations.count - 1].due : nil }

    /// The next operation that is due, or that has to make room.
    mutating func next(at now: EpochMilliseconds) -> Operation? {
        guard count > 0, operations[head].due <= now || count > PendingQueue.limit else { return nil }
        let operation = operations[head]
        head += 1
        if head == operations.count {
            operations.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 4096, head * 2 > operations.count {
            operations.removeFirst(head)
            head = 0
        }
        return operation
    }
}

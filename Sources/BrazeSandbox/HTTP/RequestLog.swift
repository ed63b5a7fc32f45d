import JSON

/// The last calls of the REST API: what came, what went back, what each object did. In memory only, bounded twice.
struct RequestLog: Sendable {
    struct Entry: Sendable {
        let number: Int
        let at: EpochMilliseconds
        let method: String
        /// With the query.
        let path: String
        let headers: [(name: String, value: String)]
        let remote: String?
        let requestBytes: Int
        /// The start of the body.
        var requestBody: [UInt8]
        var workspace: String?
        var key: String?
        var status = 0
        var answerHeaders: [(name: String, value: String)] = []
        var answerBody: [UInt8] = []
        /// A fault knob that took part.
        var fault: String?
        var outcomes: [Outcome] = []
    }

    static let entriesKept = 2000
    static let bytesKept = 32 << 20
    static let bodyBytesKept = 128 << 10

    /// Ascending by number.
    private(set) var entries: [Entry] = []
    private var head = 0
    private var bytes = 0
    private(set) var nextNumber = 1
    /// Calls by status since the start.
    private(set) var statusCounts: [Int: Int] = [:]

    var all: ArraySlice<Entry> { entries[head...] }

    mutating func add(_ make: (Int) -> Entry) -> Int {
        let number = nextNumber
        nextNumber += 1
        let entry = make(number)
        bytes += entry.requestBody.count
        entries.append(entry)
        trim()
        return number
    }

    private func place(_ number: Int) -> Int? {
        guard let first = all.first?.number, number >= first, number < nextNumber else { return nil }
        return head + number - first
    }

    func entry(_ number: Int) -> Entry? { place(number).map { entries[$0] } }

    mutating func update(_ number: Int, _ change: (inout Entry) -> Void) {
        guard let place = place(number) else { return }
        change(&entries[place])
    }

    mutating func answer(_ number: Int, status: Int, headers: [(String, String)], body: [UInt8]) {
        statusCounts[status, default: 0] += 1
        guard let place = place(number) else { return }
        entries[place].status = status
        entries[place].answerHeaders = headers.map { (name: $0.0, value: $0.1) }
        entries[place].answerBody = Array(body.prefix(RequestLog.bodyBytesKept))
        bytes += entries[place].answerBody.count
        trim()
    }

    private mutating func trim() {
        while entries.count - head > RequestLog.entriesKept
            || (bytes > RequestLog.bytesKept && entries.count - head > 1)
        {
            bytes -= entries[head].requestBody.count + entries[head].answerBody.count
            head += 1
        }
        if head > RequestLog.entriesKept {
            entries.removeFirst(head)
            head = 0
        }
    }
}

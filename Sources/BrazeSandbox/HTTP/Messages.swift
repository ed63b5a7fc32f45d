import JSON

/// A request as the sandbox sees it, free of any HTTP library.
public struct SandboxRequest: Sendable {
    public var method: String
    /// Percent-decoded only where a page needs it; Braze's paths have nothing to decode.
    public var path: String
    public var query: String
    /// Lower-case names.
    public var headers: [(name: String, value: String)]
    /// `nil` where the body was larger than ``maximumBodyBytes``.
    public var body: [UInt8]?
    public var remoteAddress: String?

    /// 4 MB (spec braze §1.6).
    public static let maximumBodyBytes = 4 << 20

    public init(
        _ method: String, _ path: String, query: String = "", headers: [(name: String, value: String)] = [],
        body: [UInt8]? = [], remoteAddress: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
    }

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// Query parameters, percent-decoded; `+` is a space.
    var parameters: [(name: String, value: String)] {
        query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (PercentText.decode(parts[0]), parts.count > 1 ? PercentText.decode(parts[1]) : "")
        }
    }

    func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}

/// What goes back.
public struct SandboxAnswer: Sendable {
    public var status: Int
    public var headers: [(String, String)]
    public var body: [UInt8]
    /// Wait this long before answering: a fault knob.
    public var delayMilliseconds = 0
    /// Close the connection instead of answering: a fault knob.
    public var isLost = false

    init(status: Int, headers: [(String, String)] = [], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    init(_ status: Int, _ json: JSONValue) {
        self.init(status: status, headers: [("content-type", "application/json; charset=utf-8")], body: json.utf8)
    }

    static func message(_ status: Int, _ message: String) -> SandboxAnswer {
        SandboxAnswer(status, ["message": .string(message)])
    }
}

/// Ends a call early with Braze's words.
struct CallError: Error {
    let status: Int
    let message: String
    var members: JSONObject = JSONObject()

    init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    var answer: SandboxAnswer {
        var body: JSONObject = ["message": .string(message)]
        for (key, value) in members.members { body[key] = value }
        return SandboxAnswer(status, .object(body))
    }
}

enum PercentText {
    /// Percent-decoding of a query part; invalid UTF-8 becomes U+FFFD, a stray `%` stays.
    static func decode(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

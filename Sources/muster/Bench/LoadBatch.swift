import Foundation
import JSON
import Model

/// A request with a batch of calls as a client library sends them, made once and then changed in place: ids and values only.
/// So the load generator takes little of the machine that it measures.
struct LoadBatch {
    /// Calls in a batch, ten of each of the events `E0` to `E9`.
    static let calls = 100
    /// Bytes of a call, about.
    static let callBytes = 1024

    /// The whole request.
    private(set) var bytes: [UInt8] = []
    /// Where the body begins.
    private var bodyStart = 0
    private var messageIDs: [Int] = []
    private var userIDs: [Int] = []
    private var keys: [Int] = []
    private var numbers: [Int] = []

    init(writeKey: String) {
        var body: [UInt8] = Array(#"{"batch":["#.utf8)
        func place(of text: String, in call: [UInt8]) -> Int {
            guard let range = call.firstRange(of: Array(text.utf8)) else { preconditionFailure("no \(text)") }
            return body.count + range.lowerBound
        }
        for number in 0..<Self.calls {
            if number > 0 { body.append(UInt8(ascii: ",")) }
            let call = Self.call("E\(number % 10)")
            messageIDs.append(place(of: "m0000000000000000", in: call) + 1)
            userIDs.append(place(of: "u00000000", in: call) + 1)
            keys.append(place(of: "k0", in: call) + 1)
            numbers.append(place(of: "10}", in: call))
            body += call
        }
        body += Array("]}".utf8)
        let credentials = Data("\(writeKey):".utf8).base64EncodedString()
        let head = Array(
            """
            POST /v1/batch HTTP/1.1\r
            Host: 127.0.0.1\r
            Authorization: Basic \(credentials)\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            \r\n
            """.utf8)
        bytes = head + body
        bodyStart = head.count
        for index in 0..<Self.calls {
            messageIDs[index] += head.count
            userIDs[index] += head.count
            keys[index] += head.count
            numbers[index] += head.count
        }
    }

    var body: [UInt8] { Array(bytes[bodyStart...]) }

    /// New calls. `first` numbers their message ids.
    ///
    /// - Parameter inTurn: Whether person after person does each of the ten events, all of them as often as it goes on;
    ///   otherwise they are drawn.
    mutating func renew(first: Int, people: Int, inTurn: Bool = false, _ random: inout SplitMix64) {
        for index in 0..<Self.calls {
            write(first + index, digits: 16, at: messageIDs[index])
            let person = inTurn ? (first + index) / 10 % people : Int.random(in: 0..<people, using: &random)
            write(person, digits: 8, at: userIDs[index])
            write(Int.random(in: 0..<5, using: &random), digits: 1, at: keys[index])
            write(Int.random(in: 10..<100, using: &random), digits: 2, at: numbers[index])
        }
    }

    private mutating func write(_ number: Int, digits: Int, at place: Int) {
        var rest = number
        for offset in (0..<digits).reversed() {
            bytes[place + offset] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    /// A call as a browser's library makes it.
    private static func call(_ event: String) -> [UInt8] {
        let short = call(event, padding: 0)
        return call(event, padding: max(0, callBytes - short.count))
    }

    private static func call(_ event: String, padding: Int) -> [UInt8] {
        let search = String(repeating: "q", count: padding)
        let agent =
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
        return Array(
            """
            {"type":"track","messageId":"m0000000000000000","userId":"u00000000","event":"\(event)",\
            "context":{"library":{"name":"analytics.js","version":"next-1.70.0"},"locale":"en-GB",\
            "timezone":"Europe/London","userAgent":"\(agent)","page":{"path":"/products","referrer":"",\
            "search":"?\(search)","title":"Products","url":"https://shop.example.com/products"},\
            "campaign":{"name":"autumn","source":"newsletter","medium":"email"}},"integrations":{"All":true},\
            "properties":{"category":"shoes","currency":"EUR","k":"k0","n":10}}
            """.utf8)
    }
}

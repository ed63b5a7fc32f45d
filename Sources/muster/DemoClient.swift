import AsyncHTTPClient
import JSON
import NIOCore
import NIOHTTP1

/// The HTTP requests that `muster demo` makes: the same that a script or an SDK would make.
struct DemoClient: Sendable {
    /// An answer that is not what was hoped for, with the server's own words.
    struct Failure: Error, CustomStringConvertible {
        let method: String
        let url: String
        let status: Int
        let body: String

        var description: String { "\(method) \(url) answered \(status): \(body.prefix(500))" }

        /// The first error's own words, or the whole answer.
        var message: String {
            guard let answer = try? JSONValue(parsing: body) else { return body }
            return answer["errors"]?[0]?["message"]?.string ?? body
        }
    }

    let base: String
    /// The value of the `Authorization` header: an admin password's, or a sandbox key's.
    var authorization: String?

    func get(_ path: String) async throws -> JSONValue { try await send("GET", path, body: nil) }

    func post(_ path: String, _ body: JSONValue) async throws -> JSONValue {
        try await send("POST", path, body: body.utf8)
    }

    func patch(_ path: String, _ body: JSONValue) async throws -> JSONValue {
        try await send("PATCH", path, body: body.utf8)
    }

    /// One request. Asks again for up to half a minute while the server says that it is overloaded (429, 503).
    func send(_ method: String, _ path: String, body: [UInt8]?) async throws -> JSONValue {
        var attempt = 0
        while true {
            var request = HTTPClientRequest(url: base + path)
            request.method = .init(rawValue: method)
            if let authorization { request.headers.add(name: "Authorization", value: authorization) }
            if let body {
                request.headers.add(name: "Content-Type", value: "application/json")
                request.body = .bytes(ByteBuffer(bytes: body))
            }
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            let answer = try await response.body.collect(upTo: 16 << 20)
            let status = Int(response.status.code)
            if status == 429 || status == 503, attempt < 30 {
                attempt += 1
                try await Task.sleep(for: .seconds(1))
                continue
            }
            guard status < 300 else {
                throw Failure(method: method, url: base + path, status: status, body: String(buffer: answer))
            }
            guard answer.readableBytes > 0 else { return .null }
            return try JSONValue(parsing: answer.readableBytesView)
        }
    }
}

import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOHTTP1

/// Asks a running server over its HTTP API, for commands.
struct ServerClient {
    let url: String

    /// Why there is no answer, in words for whoever typed the command.
    struct Refusal: Error {
        var message: String
    }

    /// The `data` of the answer.
    func call(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        request.headers.add(name: "Content-Type", value: "application/json")
        if let password = ProcessInfo.processInfo.environment["MUSTER_ADMIN_PASSWORD"], !password.isEmpty {
            request.headers.add(name: "Authorization", value: "Bearer \(password)")
        }
        if let body { request.body = .bytes(ByteBuffer(bytes: body.utf8)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let answer = try JSONValue(parsing: try await response.body.collect(upTo: 16 << 20).readableBytesView)
        guard response.status.code < 300, let data = answer["data"] else {
            throw Refusal(
                message: answer["errors"]?[0]?["message"]?.string ?? "The server answered \(response.status.code)")
        }
        return data
    }
}

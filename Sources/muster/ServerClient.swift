import ArgumentParser
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

    /// Does what a command asks of the server. What goes wrong is told in words, and the command ends with 2.
    static func run(_ url: String, _ body: (ServerClient) async throws -> Void) async throws {
        let message: String
        do {
            return try await body(ServerClient(url: url))
        } catch let end as ExitCode {
            throw end
        } catch let error as ValidationError {
            throw error
        } catch let refusal as Refusal {
            message = refusal.message
        } catch {
            message =
                "Muster does not answer at \(url) (\(error)): start it with 'muster serve', or say where with --url"
        }
        FileHandle.standardError.write(Data("\(message)\n".utf8))
        throw ExitCode(2)
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

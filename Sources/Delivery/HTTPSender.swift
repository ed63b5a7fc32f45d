public import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1
import NIOPosix

extension HTTPClient.Configuration {
    /// How the client of a `DeliveryService` must be set up: redirects are answers (a destination that redirects is
    /// configured wrongly), and failures to connect are reported at once, for Delivery has its own patience.
    public static var delivery: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .seconds(10)
        // Two workspaces of one data centre share a host: with the client's eight connections per host, one whose
        // answers take half a minute would keep the other waiting for a connection.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 512
        configuration.httpVersion = .http1Only
        return configuration
    }
}

/// Makes requests and turns whatever happens into a reply.
struct HTTPSender: Sendable {
    let client: HTTPClient
    let answerTimeout: Instant.Span

    /// Answers of destinations are small; a longer one is not theirs.
    private static let longestAnswer = 1_048_576

    func send(_ request: DestinationRequest) async -> Reply {
        var message = HTTPClientRequest(url: request.url)
        message.method = .POST
        message.headers.add(name: "Content-Type", value: "application/json")
        for header in request.headers { message.headers.add(name: header.name, value: header.value) }
        message.body = .bytes(ByteBuffer(bytes: request.body))
        do {
            let response = try await client.execute(message, timeout: .milliseconds(answerTimeout.milliseconds))
            let headers = response.headers.map { DestinationRequest.Header($0.name, $0.value) }
            let status = Int(response.status.code)
            do {
                let body = try await response.body.collect(upTo: Self.longestAnswer)
                return .response(
                    DestinationResponse(status: status, headers: headers, body: Array(body.readableBytesView)))
            } catch is NIOTooManyBytesError {
                let text = "answer of more than \(Self.longestAnswer) bytes"
                return .response(DestinationResponse(status: status, headers: headers, body: Array(text.utf8)))
            }
        } catch {
            return .failure(Self.failure(error, url: request.url))
        }
    }

    /// Errors that are not known to precede the request count as "may have taken effect".
    static func failure(_ error: any Error, url: String) -> TransportFailure {
        let host = host(of: url)
        switch error {
        case let error as NIOConnectionError:
            if error.connectionErrors.isEmpty { return .unknownHost(error.host) }
            if error.connectionErrors.contains(where: { ($0.error as? IOError)?.errnoCode == ECONNREFUSED }) {
                return .connectionRefused(host)
            }
            return .notConnected(String(describing: error))
        case let error as IOError:
            // An address without a name is connected to directly.
            switch error.errnoCode {
            case ECONNREFUSED: return .connectionRefused(host)
            case EHOSTUNREACH, ENETUNREACH: return .notConnected("\(host) can't be reached")
            default: return .connectionLost
            }
        case is ChannelError:
            if case .connectTimeout? = error as? ChannelError { return .connectTimeout(host) }
            return .connectionLost
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout, .getConnectionFromPoolTimeout: return .connectTimeout(host)
            case .deadlineExceeded, .readTimeout, .writeTimeout: return .answerTimeout
            case .tlsHandshakeTimeout: return .notConnected("the TLS handshake took too long")
            case .invalidURL, .emptyHost, .emptyScheme: return .notConnected("the address \(host) is not valid")
            default: return .connectionLost
            }
        default:
            // NIOSSL's errors without depending on it: certificates that can't be verified and the like.
            let type = String(describing: Swift.type(of: error))
            return type.contains("SSL") ? .notConnected("TLS: \(error)") : .connectionLost
        }
    }

    private static func host(of url: String) -> String {
        let rest = url.split(separator: "://", maxSplits: 1).last ?? ""
        return String(rest.prefix { $0 != "/" && $0 != "?" })
    }
}

/// Runs blocking work, such as a transaction, on a thread made for it, and to its end even when the task is cancelled.
func onThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        NIOThreadPool.singleton.submit { _ in
            continuation.resume(with: Swift.Result(catching: work))
        }
    }
}

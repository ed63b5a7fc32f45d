import CZlib
import EventLog
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import JSON
import Model
import NIOCore
import Synchronization

@testable import Ingest

/// A clock that moves only when it is told to.
final class HandClock: InstantSource {
    private let instant: Mutex<Instant>

    init(_ text: String) { instant = Mutex(Instant(iso8601: text) ?? .epoch) }

    func now() -> Instant { instant.withLock { $0 } }
    func advance(_ span: Instant.Span) { instant.withLock { $0 = $0 + span } }
}

/// A context whose peer is always 203.0.113.9.
struct PeerContext: RequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = try? SocketAddress(ipAddress: "203.0.113.9", port: 40_000)
    }
}

/// Ingest over a real Log in a directory of its own, reached through its router. Two sources, one of them switched off.
final class Rig: Sendable {
    static let key = "write-key-one-0123456789abcdef"
    static let otherKey = "write-key-two-0123456789abcdef"
    static let disabledKey = "write-key-off-0123456789abcdef"

    let directory: String
    let log: EventLog
    let journal = IngestJournal()
    let clock = HandClock("2026-11-24T10:00:01Z")
    let ingest: Ingest

    init(configuration: IngestConfiguration = IngestConfiguration(), limits: EventLog.Limits = .init()) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        log = try EventLog(path: directory + "/log.sqlite", limits: limits)
        let sources = [(Self.key, "src_1", true), (Self.otherKey, "src_2", true), (Self.disabledKey, "src_off", false)]
        ingest = Ingest(
            log: log,
            sources: SourceDirectory(
                sources.map { Source(id: $0.1, name: $0.1, writeKey: $0.0, enabled: $0.2, createdAt: .epoch) }),
            journal: journal, clock: clock, configuration: configuration)
    }

    deinit {
        try? log.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    var application: Application<RouterResponder<PeerContext>> {
        let router = Router(context: PeerContext.self)
        ingest.addRoutes(to: router)
        return Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)))
    }

    func send(
        _ method: HTTPRequest.Method = .post, _ path: String, _ body: [UInt8]? = nil, headers: HTTPFields = [:]
    ) async throws -> Reply {
        try await application.test(.router) { client in
            try await client.execute(
                uri: path, method: method, headers: headers, body: body.map { ByteBuffer(bytes: $0) }
            ) {
                Reply($0)
            }
        }
    }

    func post(_ path: String, _ body: String, headers: HTTPFields = [:]) async throws -> Reply {
        try await send(.post, path, Array(body.utf8), headers: headers)
    }

    /// The calls in the Log, in order.
    var calls: [Call] {
        get throws {
            var calls: [Call] = []
            while true {
                let records = try log.read(from: Int64(calls.count), limit: 5000)
                if records.isEmpty { return calls }
                for case .call(let call) in records.map(\.entry) { calls.append(call) }
            }
        }
    }

    func counters(_ sourceID: String? = "src_1") -> IngestJournal.Counters { journal.counters(sourceID: sourceID) }
}

struct Reply: Sendable {
    var status: Int
    var headers: HTTPFields
    var bytes: [UInt8]

    init(_ response: TestResponse) {
        status = response.status.code
        headers = response.headers
        bytes = Array(response.body.readableBytesView)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var json: JSONValue? { try? JSONValue(parsing: bytes) }
    var isSuccess: Bool { status == 200 && text == #"{"success":true}"# && headers[.contentType] == "application/json" }
    /// The error's code, if status and body have the shape of a refusal.
    var refusal: String? {
        guard status == 400, let json, json["success"] == false, json["message"]?.string != nil,
            json["error"]?.string != nil
        else { return nil }
        return json["code"]?.string
    }
}

extension Call {
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
}

func basic(_ value: String) -> HTTPFields { [.authorization: "Basic \(Data(value.utf8).base64EncodedString())"] }

let authorized = basic(Rig.key + ":")

func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    deflateInit2_(
        &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    let bound = Int(deflateBound(&stream, UInt(bytes.count)))
    var input = bytes
    return [UInt8](unsafeUninitializedCapacity: bound) { output, count in
        input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(bound)
            deflate(&stream, Z_FINISH)
        }
        count = bound - Int(stream.avail_out)
    }
}

/// A track message of exactly `bytes` bytes.
func track(bytes: Int, id: String = "m") -> String {
    let frame = #"{"type":"track","event":"E","userId":"u","messageId":"\#(id)","properties":{"p":""}}"#
    return frame.replacingOccurrences(
        of: #""p":"""#, with: "\"p\":\"\(String(repeating: "x", count: bytes - frame.utf8.count))\"")
}

/// Runs blocking work on a thread of its own: the few threads that tasks share must not block.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: work()) }
    }
}

/// Sends bytes over a plain connection and returns what comes back until the server closes it or `until` is seen.
func exchange(port: Int, _ request: [UInt8], until: String? = nil) async -> String {
    await onThread {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var addresses: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo("127.0.0.1", String(port), nil, &addresses) == 0, let address = addresses?.pointee else {
            return "no address"
        }
        defer { freeaddrinfo(addresses) }
        guard connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 else { return "no connection" }
        var sent = 0
        while sent < request.count {
            let count = request[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            received += buffer[..<count]
            if let until, String(decoding: received, as: UTF8.self).contains(until) { break }
        }
        return String(decoding: received, as: UTF8.self)
    }
}

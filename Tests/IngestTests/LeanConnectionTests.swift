import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTesting
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Ingest

/// What a connection keeps is bounded, however much has come over it: memory must not grow with clients that send a lot.
@Suite struct LeanConnectionTests {
    /// A lean connection that tells how its channel reads.
    private struct Watched: ServerChildChannel {
        let base: LeanConnection
        let seen: Seen

        func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
            base.setup(channel: channel, logger: logger).flatMap { value in
                channel.getOption(.maxMessagesPerRead).map {
                    seen.buffers.store(Int($0), ordering: .relaxed)
                    return value
                }
            }
        }

        func handle(value: HTTP1Channel.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
    }

    private final class Seen: Sendable {
        let buffers = Atomic(0)
        let largest = Atomic(0)
        let bytes = Atomic(0)
    }

    @Test("A connection reads into one buffer of at most 32 KB, also after megabytes")
    func readsLittleAtATime() async throws {
        let seen = Seen()
        let router = Router()
        router.post("/") { request, _ in
            for try await chunk in request.body {
                seen.largest.max(chunk.readableBytes, ordering: .relaxed)
                seen.bytes.add(chunk.readableBytes, ordering: .relaxed)
            }
            return HTTPResponse.Status.ok
        }
        let application = Application(
            router: router,
            server: HTTPServerBuilder { Watched(base: LeanConnection(HTTP1Channel(responder: $0)), seen: seen) })
        try await application.test(.live) { client in
            for _ in 0..<4 {
                let body = ByteBuffer(repeating: 0x61, count: 4 << 20)
                try await client.execute(uri: "/", method: .post, body: body) { #expect($0.status == .ok) }
            }
        }
        #expect(seen.bytes.load(ordering: .relaxed) == 16 << 20)
        #expect(seen.buffers.load(ordering: .relaxed) == 1)
        let largest = seen.largest.load(ordering: .relaxed)
        #expect(largest > 0 && largest <= LeanConnection.readBytesMax)
    }
}

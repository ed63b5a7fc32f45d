import ArgumentParser
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

extension BenchCommand {
    /// A server that counts the bytes of bodies and answers: what HTTP alone costs.
    struct PlainCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "plain", abstract: "Count the bytes of requests and nothing else; part of bench path.",
            shouldDisplay: false)

        enum Framework: String, ExpressibleByArgument {
            case hummingbird
            case nio
        }

        @Option(help: "Port to listen on.")
        var port: Int

        @Option(help: "hummingbird or nio.")
        var with = Framework.hummingbird

        func run() async throws {
            let received = Received()
            switch with {
            case .hummingbird: try await Self.serveHummingbird(port: port, received)
            case .nio: try await Self.serveNIO(port: port, received)
            }
        }

        private static func serveHummingbird(port: Int, _ received: Received) async throws {
            let router = Router()
            router.post("/v1/batch") { request, _ in
                for try await chunk in request.body { received.add(chunk.readableBytes) }
                return Response(
                    status: .ok, headers: [.contentType: "application/json"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: #"{"success":true}"#)))
            }
            router.get("/status") { _, _ in
                Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: received.json)))
            }
            var logger = Logger(label: "plain")
            logger.logLevel = .error
            let application = Application(
                router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: logger)
            try await application.runService()
        }

        private static func serveNIO(port: Int, _ received: Received) async throws {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                        try channel.pipeline.syncOperations.addHandler(Handler(received))
                    }
                }
                .bind(host: "127.0.0.1", port: port).get()
            try await channel.closeFuture.get()
        }
    }
}

/// What came in.
private final class Received: Sendable {
    private let bytes = Atomic(0)

    func add(_ count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }

    var json: String { #"{"bytes":\#(bytes.load(ordering: .relaxed))}"# }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let received: Received
    private var isStatus = false

    init(_ received: Received) { self.received = received }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): isStatus = head.uri == "/status"
        case .body(let part): received.add(part.readableBytes)
        case .end:
            let body = ByteBuffer(string: isStatus ? received.json : #"{"success":true}"#)
            let head = HTTPResponseHead(
                version: .http1_1, status: .ok,
                headers: ["Content-Type": "application/json", "Content-Length": "\(body.readableBytes)"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

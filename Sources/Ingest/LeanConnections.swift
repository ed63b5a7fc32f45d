public import HummingbirdCore
public import Logging
public import NIOCore

/// HTTP/1.1 connections that keep little while nothing comes in.
///
/// NIO reads into up to four buffers per connection, lets each grow to 64 KB while bodies come in, and keeps them for as
/// long as the connection lasts: a quarter of a megabyte for each client, 300 MB for 1,200 of them. Here a connection
/// keeps one buffer of at most `readBytesMax`.
public struct LeanConnection: ServerChildChannel {
    /// Bytes that are read at a time, at most.
    public static let readBytesMax = 32 << 10

    private let base: HTTP1Channel

    public init(_ base: HTTP1Channel) { self.base = base }

    public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: Self.readBytesMax)
        return channel.setOption(.recvAllocator, value: allocator)
            .and(channel.setOption(.maxMessagesPerRead, value: 1))
            .flatMap { _ in base.setup(channel: channel, logger: logger) }
    }

    public func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

extension HTTPServerBuilder {
    /// HTTP/1.1 with connections that keep little.
    public static var lean: HTTPServerBuilder {
        HTTPServerBuilder { LeanConnection(HTTP1Channel(responder: $0)) }
    }
}

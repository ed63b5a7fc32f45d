/// What Ingest allows and how it is reached. The defaults are the limits that clients are built for
/// (spec: collection §1.7).
public struct IngestConfiguration: Sendable, Hashable {
    /// Decoded bytes of a request that holds one message.
    public var messageBytesMax = 32_768
    /// Decoded bytes of a batch. Clients fill batches to 512,000; some overshoot.
    public var batchBytesMax = 524_288
    /// Bytes of one message inside a batch, and of the envelope's context and integrations.
    public var itemBytesMax = 32_768
    /// Messages of a batch; what comes after them is dropped and counted.
    public var itemsMax = 2500
    /// Bytes of all messages of a batch after the envelope's context was merged into each: keeps a small request from
    /// becoming a large append.
    public var mergedBytesMax = 8 << 20
    /// Bytes of bodies that are coming in at a time, all together; more is asked to come later.
    public var heldBytesMax = 32 << 20
    /// Bytes of the requests that are being read or wait for the Log, all together; what else has come in by then is asked to
    /// come later. In memory such a request takes several times this: its tree, its calls, what the Log writes.
    public var processedBytesMax = 12 << 20
    /// Characters that an unknown write key must have to be taken for one: shorter ones are a client's mistake that it
    /// should see.
    public var writeKeyLengthMin = 4
    /// Messages per second and source before clients are asked to wait; `nil` = no limit.
    public var messagesPerSecondMax: Int?
    /// Host (and port) under which clients reach Muster, for the settings endpoint; `nil` = the request's own.
    public var publicHost: String?
    /// Whether browsers may send cookies along: the origin is then echoed in place of `*`.
    public var allowsCredentials = false
    /// How many proxies in front of Muster append to X-Forwarded-For; 0 = the header is not believed.
    public var proxyCount = 0

    public init() {}
}

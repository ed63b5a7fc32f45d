import JSON

/// One entry of the Log: everything that ever happened, in its durable order. Offsets are dense from 0.
public struct LogRecord: Sendable, Hashable {
    public let offset: Int64
    public let entry: LogEntry

    public init(offset: Int64, entry: LogEntry) {
        self.offset = offset
        self.entry = entry
    }
}

/// What a log record says.
public enum LogEntry: Sendable, Hashable {
    case call(Call)
    /// A change of definitions or an order to delete, with the instant at which it was accepted.
    case command(Command, receivedAt: Instant)
    /// A call of somebody who was deleted since; its place in the order stays.
    case erased(receivedAt: Instant)

    public var receivedAt: Instant {
        switch self {
        case .call(let call): call.receivedAt
        case .command(_, let receivedAt), .erased(let receivedAt): receivedAt
        }
    }
}

/// A change that people make. It goes through the Log like a call, so state stays a function of the Log.
public enum Command: Sendable, Hashable {
    /// Creates the source, or replaces everything of it but its connections.
    case putSource(Source)
    case deleteSource(id: String)
    /// Connects a source to a destination, or replaces the connection that there is.
    case connectSource(sourceID: String, SourceConnection)
    case disconnectSource(sourceID: String, destinationID: String)
    case putDestination(Destination)
    case deleteDestination(id: String)
    /// Creates the computation, or replaces name, description, query, options and enabled of an existing one.
    case putComputation(Computation)
    case deleteComputation(id: String)
    case connect(computationID: String, Connection)
    case disconnect(computationID: String, destinationID: String)
    /// Deletes or suppresses people.
    case regulate(Regulation)
    /// The Log holds nothing any more of whom a regulation deleted.
    case finishRegulation(id: String)
    case removeIdentifier(Identifier, userID: String)
    /// Replaces the rules by which events expire. Nothing expires by it.
    case setRetention(RetentionRules)
    /// Events before the floors are gone from here on, as far as the rules in force allow it.
    case expire(EventFloors)
}

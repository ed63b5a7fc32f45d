public import JSON
public import Model

/// `state.sqlite`: everything that the engine decided, and the outbox.
///
/// Promises: a batch of changes is one transaction, log position included, and is on disk when `commit` returns
/// (WAL, `synchronous=FULL`); emissions leave the outbox in the transaction that records their delivery. Two writers
/// use it, the engine and delivery, one after the other; readers never wait for them.
public final class StateStore: Sendable {
    /// Opens or creates the file and brings its schema up to date.
    public init(path: String, retention: Retention = Retention()) throws { fatalError() }

    /// How much of the delivery record is kept.
    public struct Retention: Sendable, Hashable {
        /// Attempts that are listed, with their emissions.
        public var attempts = 20_000
        /// The newest attempts, of which request and response bodies are kept too.
        public var attemptBodies = 2_000
        /// Identity issues that are listed.
        public var issues = 500

        public init() {}
    }

    // MARK: The engine

    /// Writes the changes in one transaction, all or nothing. Returns after they are on disk.
    public func commit(_ changes: StateChanges) throws { fatalError() }
    /// Reads what the engine starts from, as of one instant.
    public func load() throws -> LoadedState { fatalError() }
    /// Streams the placements of the Log's records in order, beginning with the row that holds `offset`.
    public func forEachApplied(from offset: Int64, _ body: (AppliedRow) throws -> Void) throws { fatalError() }
    /// Deletes up to `limit` rows that deleted computations and destinations left behind; true while more are left.
    public func purge(limit: Int = 10_000) throws -> Bool { fatalError() }

    // MARK: Delivery

    /// Emissions that wait for a destination and are not parked, in their order, beginning after a sequence.
    public func pending(destinationID: String, after sequence: Int64, limit: Int) throws -> [OutboxRow] { fatalError() }
    /// Writes one step of delivery in one transaction; returns the id of its attempt, if it had one.
    @discardableResult
    public func record(_ changes: DeliveryChanges) throws -> Int64? { fatalError() }
    /// Lets parked emissions wait again: those listed, or all of the destination's. Returns how many.
    @discardableResult
    public func redrive(destinationID: String, sequences: [Int64]? = nil) throws -> Int { fatalError() }
    /// The acknowledged values among the keys.
    public func acknowledgedValues(destinationID: String, _ keys: some Collection<LedgerKey>) throws
        -> [LedgerKey: JSONValue]
    { fatalError() }
    /// Forgets what a destination has acknowledged, so that everything is sent again.
    public func forgetAcknowledgedValues(destinationID: String) throws { fatalError() }
    /// Pauses a destination with a reason in words, or resumes it with `nil`.
    public func setPause(_ pause: DestinationPause?, destinationID: String) throws { fatalError() }
    public func pauses() throws -> [String: DestinationPause] { fatalError() }
    public func counts(destinationID: String) throws -> DestinationCounts { fatalError() }

    // MARK: What people look at

    /// Waiting or parked emissions, newest first, beginning below a sequence.
    public func outbox(
        destinationID: String? = nil, profiles: [ProfileOrdinal]? = nil, computationID: String? = nil,
        parked: Bool? = nil, before sequence: Int64? = nil, limit: Int
    ) throws -> [OutboxRow] { fatalError() }
    /// Attempts, newest first, beginning below an id.
    public func attempts(_ filter: DeliveryFilter = DeliveryFilter(), before id: Int64? = nil, limit: Int) throws
        -> [AttemptRow]
    { fatalError() }
    public func attempt(id: Int64) throws -> AttemptRow? { fatalError() }
    /// The emissions of one attempt, in the order of the request.
    public func emissions(attemptID: Int64) throws -> [AttemptEmissionRow] { fatalError() }
    /// What attempts meant for emissions, newest attempt first, beginning below an attempt's id. A page ends within
    /// an attempt only where `limit` is smaller than the attempt.
    public func attemptEmissions(
        _ filter: DeliveryFilter = DeliveryFilter(), beforeAttempt id: Int64? = nil, limit: Int
    ) throws -> [AttemptEmissionRow] { fatalError() }

    /// Transitions of these numbers, newest first, beginning below an id.
    public func transitions(
        profiles: [ProfileOrdinal], computationID: String? = nil, before id: Int64? = nil, limit: Int
    ) throws -> [TransitionRow] { fatalError() }
    /// Transitions of a computation, newest first, beginning below an id.
    public func transitions(computationID: String, before id: Int64? = nil, limit: Int) throws -> [TransitionRow] {
        fatalError()
    }
    /// The values that a computation holds, ascending by ordinal, beginning after one.
    public func values(computationID: String, after ordinal: ProfileOrdinal?, limit: Int) throws
        -> [ComputedValueRow]
    { fatalError() }

    public func profile(_ ordinal: ProfileOrdinal) throws -> ProfileRow? { fatalError() }
    public func profile(segmentID: String) throws -> ProfileRow? { fatalError() }
    /// The ids mapped to these numbers, in the order of mapping.
    public func identifiers(of profiles: [ProfileOrdinal]) throws -> [IdentifierRow] { fatalError() }
    public func identifier(_ identifier: Identifier) throws -> IdentifierRow? { fatalError() }
    /// Merges in which any of these numbers took part, oldest first.
    public func merges(of profiles: [ProfileOrdinal]) throws -> [MergeRow] { fatalError() }
    /// The latest activity among these numbers.
    public func activity(of profiles: [ProfileOrdinal]) throws -> ProfileActivity? { fatalError() }
    /// Identity issues, newest first.
    public func issues(kind: IdentityIssue.Kind? = nil, value: String? = nil, limit: Int) throws -> [IdentityIssue] {
        fatalError()
    }
    public func counters() throws -> [String: Int64] { fatalError() }

    /// Copies the whole state, consistent as of one instant, into a new file while both writers go on.
    public func backup(to path: String) throws { fatalError() }
}

public import Model
import Synchronization

/// What came in lately and what became of it, per source: counters since the start, and the last messages with their
/// outcome for the source debugger (spec: collection §2.12). Kept in memory; the Log is the record.
///
/// Traffic that belongs to no source is kept under the source id `nil`.
public final class IngestJournal: Sendable {
    /// One message, or a request that could not be read as messages.
    public struct Entry: Sendable, Hashable {
        /// Grows by one with each entry of the program's run, over all sources.
        public var sequence: Int64 = 0
        public var receivedAt: Instant
        /// `nil` = accepted.
        public var code: IngestCode?
        public var warnings: [String] = []
        /// The message's type, event name and ids, as far as they could be read.
        public var type: String?
        public var event: String?
        public var messageID: String?
        public var userID: String?
        public var anonymousID: String?
        /// The write key of a request that belongs to no source.
        public var writeKey: String?
        /// The stored message, or the rejected one as it came without its write key; JSON unless `isCut`.
        public var raw: [UInt8] = []
        /// Whether `raw` is only the beginning of something too large to keep.
        public var isCut = false

        public init(receivedAt: Instant, code: IngestCode? = nil) {
            self.receivedAt = receivedAt
            self.code = code
        }

        public init(accepted call: Call) {
            self.init(receivedAt: call.receivedAt)
            warnings = call.warnings
            type = call.kind.name
            event = call.event
            messageID = call.messageID
            userID = call.userID
            anonymousID = call.anonymousID
            raw = call.body
        }
    }

    public struct Counters: Sendable, Hashable {
        public var requests = 0
        /// Requests that a client sent again, by its own word (`X-Retry-Count`).
        public var retriedRequests = 0
        public var accepted = 0
        /// Messages that were not accepted.
        public var rejected: [IngestCode: Int] = [:]
        /// Whole requests that were refused, and batches that were special as a whole.
        public var requestCodes: [IngestCode: Int] = [:]
        public var warnings: [String: Int] = [:]
        public var lastReceivedAt: Instant?

        public var rejectedTotal: Int { rejected.values.reduce(0, +) }
    }

    private struct SourceState {
        var counters = Counters()
        /// A ring once it is full; `next` is the oldest then.
        var entries: [Entry] = []
        var next = 0
    }

    private struct State {
        var sources: [String?: SourceState] = [:]
        var lastSequence: Int64 = 0
    }

    /// How many entries are kept per source.
    public let capacity: Int
    private let state = Mutex(State())

    public init(capacity: Int = 500) {
        self.capacity = max(1, capacity)
    }

    /// The kept entries of a source, newest first, only those after `sequence`.
    public func entries(sourceID: String?, after sequence: Int64 = 0) -> [Entry] {
        let (entries, next) = state.withLock { state in
            (state.sources[sourceID]?.entries ?? [], state.sources[sourceID]?.next ?? 0)
        }
        return (entries[next...] + entries[..<next]).reversed().prefix { $0.sequence > sequence }.map { $0 }
    }

    /// Forgets what the messages of people said who were deleted.
    public func forget(userIDs: Set<String>) {
        state.withLock { state in
            for id in state.sources.keys {
                guard var source = state.sources.removeValue(forKey: id) else { continue }
                for index in source.entries.indices
                where source.entries[index].userID.map(userIDs.contains) ?? false {
                    source.entries[index].userID = nil
                    source.entries[index].anonymousID = nil
                    source.entries[index].raw = []
                }
                state.sources[id] = source
            }
        }
    }

    public func counters(sourceID: String?) -> Counters {
        state.withLock { $0.sources[sourceID]?.counters ?? Counters() }
    }

    /// Counters of all sources that were heard of, the unattributed traffic under `nil`.
    public var counters: [String?: Counters] { state.withLock { $0.sources.mapValues(\.counters) } }

    /// Counts messages that were dropped after Ingest accepted them, for example duplicates.
    public func count(_ code: IngestCode, sourceID: String?, by count: Int = 1) {
        state.withLock { $0.sources[sourceID, default: SourceState()].counters.rejected[code, default: 0] += count }
    }

    /// What one request brought.
    struct Request {
        var receivedAt: Instant
        var isRetry = false
        /// The fate of the request as a whole, where there is something to say about it.
        var code: IngestCode?
        var accepted: [Call] = []
        var rejected: [Entry] = []
        /// Rejected messages that are counted without an entry of their own.
        var rejectedUnseen: [IngestCode: Int] = [:]
        /// For a request that could not be read as messages.
        var entry: Entry?
    }

    func record(_ request: Request, sourceID: String?) {
        // Built outside the lock; what would be pushed out at once is not built.
        let accepted = request.accepted.suffix(capacity).map { Entry(accepted: $0) }
        state.withLock { state in
            // Taken out while it changes, so that the arrays inside are not copied.
            var source = state.sources.removeValue(forKey: sourceID) ?? SourceState()
            source.counters.requests += 1
            source.counters.lastReceivedAt = request.receivedAt
            if request.isRetry { source.counters.retriedRequests += 1 }
            if let code = request.code { source.counters.requestCodes[code, default: 0] += 1 }
            source.counters.accepted += request.accepted.count
            for call in request.accepted {
                for warning in call.warnings { source.counters.warnings[warning, default: 0] += 1 }
            }
            for entry in request.rejected {
                if let code = entry.code { source.counters.rejected[code, default: 0] += 1 }
            }
            for (code, count) in request.rejectedUnseen { source.counters.rejected[code, default: 0] += count }
            for entry in accepted + request.rejected + (request.entry.map { [$0] } ?? []) {
                state.lastSequence += 1
                var entry = entry
                entry.sequence = state.lastSequence
                if source.entries.count < capacity {
                    source.entries.append(entry)
                } else {
                    source.entries[source.next] = entry
                    source.next = (source.next + 1) % capacity
                }
            }
            state.sources[sourceID] = source
        }
    }
}

public import EventLog
public import Logging
import Model
import Store

/// Rewrites the Log after orders to delete people: their calls become empty records, so that offsets stay and nothing of
/// what they did is left on disk (spec: collection §6.4).
///
/// Idempotent: an order stays open until its rewrite has gone through all blocks, also over a restart.
public struct LogEraser: Sendable {
    private let engine: EngineService
    private let log: EventLog
    private let logger: Logger

    public init(engine: EngineService, log: EventLog, logger: Logger) {
        self.engine = engine
        self.log = log
        self.logger = logger
    }

    /// Carries out what is open now, one order after the other.
    public func eraseOpen() async {
        for regulation in engine.readState({ $0.openRegulations }) {
            do {
                // Whoever comes back under an id is told to destinations anew.
                let ids = Set(regulation.userIDs + regulation.identifiers)
                for destinationID in engine.readState({ $0.destinations }).keys {
                    try engine.store.forgetAcknowledgedValues(destinationID: destinationID, ofIDs: ids)
                }
                let erased = try erase(regulation)
                try await engine.submit(.finishRegulation(id: regulation.id))
                logger.info(
                    "people were deleted from the Log",
                    metadata: ["regulation": "\(regulation.id)", "records": "\(erased)"])
            } catch {
                logger.error(
                    "the Log could not be rewritten; it is tried again at the next start or order",
                    metadata: ["regulation": "\(regulation.id)", "error": "\(error)"])
            }
        }
    }

    /// All calls that were placed on the deleted profiles, and all that name one of the user ids.
    private func erase(_ regulation: Regulation) throws -> Int {
        let ordinals = Set(regulation.profiles.map(\.rawValue))
        var offsets: Set<Int64> = []
        if !ordinals.isEmpty {
            try engine.store.forEachApplied { row in
                for (index, ordinal) in row.ordinals.enumerated() where ordinals.contains(ordinal) {
                    offsets.insert(row.firstOffset + Int64(index))
                }
            }
        }
        return try log.erase(offsets: offsets, userIDs: Set(regulation.userIDs), before: regulation.logEnd)
    }
}

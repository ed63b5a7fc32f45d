import Evaluation
import EventLog
import History
import Identity
import JSON
import Model
import Query
import Store

extension Engine {
    /// Brings memory to what the state file says, then reads the Log up to the stored position into the history.
    func load(readLimit: Int64, progress: (Int64, Int64) throws -> Void) throws {
        var state = try store.load(values: false)
        position = state.position
        now = state.engineNow ?? .distantPast
        nextTransition = Int64(state.meta["nextTransition"]?.integer ?? 1)
        for source in state.sources { sources[source.id] = source }
        for destination in state.destinations { destinations[destination.id] = destination }
        identity = try IdentityResolver(
            settings: try state.meta["identitySettings"].map { try IdentitySettings(json: $0) } ?? .standard,
            counters: IdentityCounters(
                nextOrdinal: UInt32(state.meta["nextOrdinal"]?.integer ?? 0),
                nextMapping: Int64(state.meta["nextMapping"]?.integer ?? 0)),
            profiles: state.profiles, identifiers: state.identifiers, links: state.links,
            merges: state.merges)
        // They take more memory than all that is made of them.
        (state.profiles, state.identifiers) = ([], [])
        for regulation in state.regulations { regulations[regulation.id] = regulation }
        suppressed = Set(state.suppressed)
        retention = try Retention(json: state.meta[Retention.key])
        try openHistory()
        history.raiseFloors(to: retention.floors)
        // The files may be older than the order.
        for regulation in regulations.values { for profile in regulation.profiles { history.remove(profile) } }
        for definition in state.computations { register(try compile(definition), definition) }
        registry.reindex(history: history)
        try store.forEachValue { row in
            registry.computation(id: row.computationID)?.setState(
                ComputedState(value: row.value, since: row.changedAt, transition: Int(row.transition)),
                of: row.ordinal)
        } wakeup: { row in
            guard let due = row.due, let computation = registry.computation(id: row.computationID) else { return }
            _ = wakeUps.arm(WakeUps.Key(computation: computation.number, profile: row.ordinal), due: due)
        }
        for row in state.backfills where !row.isFinished {
            guard let computation = registry.computation(id: row.computationID) else { continue }
            let early = state.meta[earlyKey(row.computationID)]?.array ?? []
            jobs.append(
                BackfillJob(
                    computation: computation.number, asOf: row.asOf,
                    sweep: ProfileSweep(
                        next: row.nextOrdinal, end: row.endOrdinal,
                        early: Set(early.compactMap(\.integer).map { UInt32($0) }))))
        }
        try loadFirstSyncs(state.meta[Engine.firstSyncsKey])
        guard log.endOffset >= position else {
            throw EngineError.logTooShort(position: position, end: log.endOffset)
        }
        guard position - history.storedPosition <= readLimit else { return }
        try readHistory(from: history.storedPosition, progress: progress)
        isComplete = true
    }

    /// The history as its files have it, if they are sound and of this Log; else an empty one, and the files are deleted.
    private func openHistory() throws {
        guard let directory = settings.historyDirectory else { return }
        do {
            let opened = try History(directory: directory)
            guard try isOfThisLog(opened) else {
                throw HistoryMismatch(position: opened.storedPosition, applied: position)
            }
            history = opened
        } catch {
            historyProblem = "\(error)"
            History.discardFiles(in: directory)
            history = try History(directory: directory)
        }
    }

    private func isOfThisLog(_ history: History) throws -> Bool {
        let stored = history.storedPosition
        guard stored > 0 else { return true }
        // Floors that the state file does not know of would hide what is there.
        guard stored <= position, history.floors.raised(to: retention.floors) == retention.floors else { return false }
        var mark: UInt64?
        try store.firstApplied(holding: stored - 1) { row in
            let index = Int(stored - 1 - row.firstOffset)
            if row.messageHashes.indices.contains(index) {
                mark = Engine.mark(row.messageHashes[index], offset: stored - 1)
            }
        }
        return mark == history.storedMark
    }

    /// By which a Log is known again at an offset; 0 is of a Log that was not looked at.
    static func mark(_ hash: UInt128, offset: Int64) -> UInt64 {
        (UInt64(truncatingIfNeeded: hash ^ hash >> 64) ^ UInt64(bitPattern: offset) &* 0x9E37_79B9_7F4A_7C15) | 1
    }

    /// Reads from the Log what the history's files do not hold, and the message ids that still count. The placements say
    /// on which profile each record was put, so identity need not run again.
    private func readHistory(from stored: Int64, progress: (Int64, Int64) throws -> Void) throws {
        deduplicator = Deduplicator(stored: history.seenIDs)
        let oldest = try store.firstAppliedOffset(receivedFrom: now - Deduplicator.window) ?? position
        // Where files hold ids, they hold all up to their position.
        let remembered = max(oldest, stored)
        // The record before tells what the Log's last one is if there are no others.
        try store.forEachApplied(from: max(stored - 1, 0)) { row in
            // The first row may begin before.
            var index = Int(max(stored - row.firstOffset, 0))
            var offset = row.firstOffset + Int64(index)
            while index < row.count {
                let records = try log.read(from: offset, limit: row.count - index)
                guard !records.isEmpty else {
                    throw EngineError.logTooShort(position: position, end: log.endOffset)
                }
                for record in records {
                    let hash = row.messageHashes[index]
                    if hash != 0, row.firstOffset + Int64(row.count) > remembered {
                        // Also of what was erased, so that a replay does not bring it back.
                        _ = deduplicator.insert(MessageHash(packed: hash), receivedAt: record.entry.receivedAt)
                    }
                    if case .call(let call) = record.entry, hash != 0,
                        // Whoever was deleted may still stand in the Log for a moment.
                        row.ordinals[index] != AppliedRow.notPlaced,
                        identity.exists(ProfileOrdinal(row.ordinals[index])),
                        let document = try? JSONDocument(parsing: call.body)
                    {
                        _ = insert(
                            call, body: document.root, offset: record.offset,
                            profile: ProfileOrdinal(row.ordinals[index]))
                    }
                    index += 1
                    offset += 1
                }
            }
            if let hash = row.messageHashes.last { lastMark = Engine.mark(hash, offset: offset - 1) }
            deduplicator.sweep(now: row.receivedAt)
            // So that a rebuild does not need room for everything.
            if unwrittenRows >= settings.historyFlushRows { try flushHistory(position: offset) }
            try progress(offset, position)
        }
    }

    /// Parses and compiles a definition; throws `CommandError` naming what is wrong with it.
    func compile(_ definition: Computation) throws -> (Definition, CompiledQuery) {
        do {
            let parsed = try Definition.compile(
                definition.query, kind: definition.kind, level: definition.level)
            return (parsed, CompiledQuery(parsed))
        } catch {
            throw CommandError(.invalid, field: "definition.query", "\(error)")
        }
    }

    /// The registry must be indexed again before it is asked.
    @discardableResult
    func register(_ compiled: (Definition, CompiledQuery), _ definition: Computation) -> RegisteredComputation {
        let computation = RegisteredComputation(
            number: registry.nextNumber, definition: definition, compiled: compiled.1,
            dependencies: compiled.0.dependencies)
        registry.add(computation)
        return computation
    }
}

/// The history's files are of another Log, or ahead of the state file.
struct HistoryMismatch: Error, CustomStringConvertible {
    let position: Int64
    let applied: Int64

    var description: String {
        "the history's files hold \(position) records, and state.sqlite, which has applied \(applied), tells of others"
    }
}

/// Why an engine can't open.
public enum EngineError: Error, Sendable, CustomStringConvertible {
    case logTooShort(position: Int64, end: Int64)

    public var description: String {
        switch self {
        case .logTooShort(let position, let end):
            "state.sqlite has applied \(position) records but log.sqlite ends at \(end): the two files are not of the "
                + "same installation, or the Log was replaced. Restore both from one backup."
        }
    }
}

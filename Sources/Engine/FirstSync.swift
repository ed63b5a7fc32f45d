import Identity
import JSON
public import Model

/// Telling a new connection of everybody who holds a value already (spec: engage §4.6, §7.4).
///
/// An audience of a million is told in chunks between live batches, each chunk in the transaction of its batch, so that
/// nothing waits for it and a restart goes on where it stopped. What is told does not depend on how the chunks fall:
/// before a value changes, the old one is told to connections that were not told yet.
struct FirstSyncJob: Equatable {
    let computation: ComputationNumber
    /// The connection, with only those kinds of calls switched on that are new.
    var connection: Connection
    var sweep: ProfileSweep
    /// Where attributes are told again because the connection's settings changed.
    var resync: Resync?

    struct Resync: Equatable {
        /// When the settings changed. Part of the message ids: the calls differ from those that told the value before.
        var at: Instant
        var forgets: Bool
    }
}

/// What everybody who holds a value must be told of, once a connection is made or its settings change.
public struct Announcement: Sendable, Hashable {
    /// The connection, with only those kinds of calls switched on that are to be told.
    public var connection: Connection
    /// Attributes that were told before are told again: under another name, with other traits, to other ids.
    public var isResync = false
    /// What the destination acknowledged before does not count: it took it and did nothing.
    public var forgets = false

    /// Whether there is nothing to tell.
    public var isEmpty: Bool { !connection.sendIdentify && !connection.sendTrack && !connection.sendGroup }
}

/// How far the first sync of a connection has come, for people.
public struct FirstSyncProgress: Sendable, Hashable {
    public let computationID: String
    public let destinationID: String
    /// Profiles looked at and profiles to look at in all.
    public let done: Int
    public let total: Int
}

extension Engine {
    /// Ordinals that are looked at for each member that may be told: most profiles hold no value.
    private static let looksPerMember = 50

    /// Begins to tell a connection of those who hold a value; small audiences are told whole before this returns.
    func startFirstSync(_ computation: RegisteredComputation, _ announcement: Announcement, at instant: Instant) {
        guard announcement.connection.enabled, !announcement.isEmpty else { return }
        firstSyncs.append(
            FirstSyncJob(
                computation: computation.number, connection: announcement.connection,
                sweep: ProfileSweep(end: identity.counters.nextOrdinal),
                resync: announcement.isResync
                    ? FirstSyncJob.Resync(at: instant, forgets: announcement.forgets) : nil))
        firstSyncsChanged = true
        if firstSyncs.count == 1 { continueFirstSync(limit: 1000) }
    }

    /// Whether a connection is still to be told of anybody. Those of a destination that is switched off wait.
    public var hasFirstSync: Bool { nextFirstSync != nil }

    private var nextFirstSync: Int? {
        firstSyncs.firstIndex { destinations[$0.connection.destinationID]?.enabled == true }
    }

    /// Tells one connection of about `limit` members at most.
    public func continueFirstSync(limit: Int) {
        guard let index = nextFirstSync else { return }
        var told = 0
        var looks = limit * Engine.looksPerMember
        while told < limit, looks > 0, !firstSyncs[index].sweep.isFinished {
            looks -= 1
            if let profile = firstSyncs[index].sweep.step(), tell(firstSyncs[index], of: profile) { told += 1 }
        }
        firstSyncsChanged = true
        if firstSyncs[index].sweep.isFinished { firstSyncs.remove(at: index) }
    }

    /// Tells of a value that is about to change, or of a profile that is about to get other ids.
    func catchUpFirstSyncs(_ computation: RegisteredComputation, _ profile: ProfileOrdinal) {
        for index in firstSyncs.indices
        where firstSyncs[index].computation == computation.number && firstSyncs[index].sweep.takeEarly(profile) {
            firstSyncsChanged = true
            _ = tell(firstSyncs[index], of: profile)
        }
    }

    /// Tells whatever is still to be told of a profile.
    func catchUpFirstSyncs(_ profile: ProfileOrdinal) {
        for computation in Set(firstSyncs.map(\.computation)).sorted() {
            catchUpFirstSyncs(registry[computation], profile)
        }
    }

    /// Drops what is still to be told: the connection is gone.
    func cancelFirstSyncs(where isGone: (FirstSyncJob) -> Bool) {
        guard firstSyncs.contains(where: isGone) else { return }
        firstSyncs.removeAll(where: isGone)
        firstSyncsChanged = true
    }

    public var firstSyncProgress: [FirstSyncProgress] {
        firstSyncs.map {
            FirstSyncProgress(
                computationID: registry[$0.computation].definition.id, destinationID: $0.connection.destinationID,
                done: Int($0.sweep.next), total: Int($0.sweep.end))
        }
    }

    /// The ids are those that the transitions would have had with the connection in place, so it makes no difference
    /// whether a backfill came to a profile before the connection or after it.
    private func tell(_ job: FirstSyncJob, of profile: ProfileOrdinal) -> Bool {
        let computation = registry[job.computation]
        guard computation.definition.deletedAt == nil, let state = computation.states[profile], state.isTelling,
            var connection = computation.definition.connections.first(where: {
                $0.destinationID == job.connection.destinationID
            })
        else { return false }
        // What was switched off since is not told.
        connection.sendIdentify = connection.sendIdentify && job.connection.sendIdentify
        connection.sendTrack = connection.sendTrack && job.connection.sendTrack
        connection.sendGroup = connection.sendGroup && job.connection.sendGroup
        if let resync = job.resync {
            // Traits that go along are those of the change of settings, which may be long after that of the value.
            emit(
                state, computation, profile, at: max(resync.at, state.since),
                origin: resync.forgets ? .repair : .firstSync, only: connection, salt: "resync \(resync.at)")
        } else {
            emit(state, computation, profile, at: state.since, origin: .firstSync, only: connection)
        }
        return true
    }

    // MARK: Stored

    static let firstSyncsKey = "firstSyncs"

    var storedFirstSyncs: JSONValue {
        .array(
            firstSyncs.map { job in
                [
                    "computation": .string(registry[job.computation].definition.id),
                    "connection": job.connection.json, "next": .number(Int(job.sweep.next)),
                    "end": .number(Int(job.sweep.end)),
                    "early": .array(job.sweep.early.sorted().map { .number(Int($0)) }),
                    "resync": job.resync.map { ["at": .string($0.at.description), "forgets": .bool($0.forgets)] }
                        ?? .null,
                ]
            })
    }

    func loadFirstSyncs(_ stored: JSONValue?) throws {
        for job in stored?.array ?? [] {
            guard let computation = registry.computation(id: job["computation"]?.string ?? ""),
                let connection = job["connection"], let next = job["next"]?.integer, let end = job["end"]?.integer
            else { continue }
            let resync = (job["resync"]?["at"]?.string).flatMap { Instant(iso8601: $0) }.map {
                FirstSyncJob.Resync(at: $0, forgets: job["resync"]?["forgets"] == true)
            }
            firstSyncs.append(
                FirstSyncJob(
                    computation: computation.number, connection: try Connection(json: connection),
                    sweep: ProfileSweep(
                        next: UInt32(clamping: next), end: UInt32(clamping: end),
                        early: Set((job["early"]?.array ?? []).compactMap(\.integer).map { UInt32(clamping: $0) })),
                    resync: resync))
        }
    }
}

extension Connection {
    /// The connection as far as it tells of what is so already.
    var forFirstSync: Connection {
        var connection = self
        switch firstSync {
        case .full: break
        case .silent: connection.sendTrack = false
        case .none:
            connection.sendIdentify = false
            connection.sendTrack = false
            connection.sendGroup = false
        }
        return connection
    }

    /// What is to be told of the connection when it takes the place of `before` (spec: engage §4.6, §7.4, §7.6, §7.7).
    ///
    /// What was not sent before is sent for everybody, as `firstSync` says. Where the attributes would stand otherwise
    /// than they were sent, they are sent again, unless `firstSync` is none; events are never told again.
    public func announcement(after before: Connection?) -> Announcement {
        guard let before, before.enabled else { return Announcement(connection: forFirstSync) }
        var telling = self
        let isOther =
            keyName != before.keyName || enrichment.contains { !before.enrichment.contains($0) }
            || idSync != before.idSync
        let creates = before.updateExistingOnly && !updateExistingOnly
        telling.sendIdentify = sendIdentify && (!before.sendIdentify || isOther || creates)
        telling.sendTrack = sendTrack && !before.sendTrack
        telling.sendGroup = sendGroup && (!before.sendGroup || isOther)
        return Announcement(
            connection: telling.forFirstSync,
            isResync: telling.sendIdentify && before.sendIdentify || telling.sendGroup && before.sendGroup,
            forgets: telling.sendIdentify && before.sendIdentify && creates)
    }
}

import History
import Identity
import JSON
public import Model
import Store

// Orders about people's data: deletion, suppression, removal of one id (spec: collection §5.7, §6.4).

extension Engine {
    /// The records that one commit may hold: ids that are taken off people end a batch, so that they are free in the state
    /// file before a later call brings them again.
    public static func batch(_ records: [LogRecord]) -> [LogRecord] {
        let end = records.firstIndex { record in
            switch record.entry {
            case .command(.regulate, _), .command(.removeIdentifier, _): true
            default: false
            }
        }
        return end.map { Array(records[...$0]) } ?? records
    }

    /// Carries out what concerns profiles at once. The Log's own records are rewritten by `LogEraser` afterwards; until
    /// then the regulation is open.
    func carryOut(_ order: Regulation) throws {
        guard regulations[order.id] == nil else {
            throw CommandError(.conflict, field: "id", "there is a regulation '\(order.id)' already")
        }
        var regulation = order
        for userID in order.userIDs {
            if order.kind.suppresses, suppressed.insert(userID).inserted { changes.suppressed.append(userID) }
            if order.kind == .unsuppress, suppressed.remove(userID) != nil { changes.unsuppressed.append(userID) }
            guard order.kind.deletes,
                let profile = identity.profile(for: Identifier(type: "user_id", value: userID))
            else { continue }
            catchUp([profile])
            let removal = deleteProfile(profile)
            regulation.profiles += removal.profiles
            regulation.identifiers += removal.identifiers.map(\.value)
        }
        regulation.logEnd = position
        if regulation.kind.deletes {
            regulations[regulation.id] = regulation
        } else {
            regulation.finishedAt = regulation.createdAt
        }
        changes.regulations.append(regulation)
    }

    func finishRegulation(_ id: String, at instant: Instant) throws {
        guard var regulation = regulations.removeValue(forKey: id) else {
            throw CommandError(.notFound, "there is no open regulation '\(id)'")
        }
        regulation.finishedAt = instant
        regulation.identifiers = []
        changes.regulations.append(regulation)
        if regulation.kind.forwards { forward(regulation, at: instant) }
    }

    /// Tells every destination whom to delete. Only now that all else is gone: nothing about them can follow.
    private func forward(_ regulation: Regulation, at instant: Instant) {
        for destination in destinations.values.sorted(by: { $0.id < $1.id }) where destination.enabled {
            for userID in regulation.userIDs {
                let messageID = StableID.make(prefix: "delete_", parts: [regulation.id, destination.id, userID])
                let time = JSONValue.string(instant.description)
                let call: JSONValue = [
                    "type": "delete", "messageId": .string(messageID), "userId": .string(userID), "timestamp": time,
                    "receivedAt": time, "context": ["regulation": .string(regulation.id)],
                ]
                changes.emissions.append(
                    Emission(
                        destinationID: destination.id, computationID: regulation.id, computationKey: "",
                        profile: .nobody, kind: .delete, messageID: messageID, timestamp: instant, payload: call.utf8,
                        origin: .source))
            }
        }
    }

    /// Orders to delete whose records still stand in the Log, oldest first.
    public var openRegulations: [Regulation] {
        regulations.values.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }

    /// User ids whose calls are turned away.
    public var suppressedUserIDs: Set<String> { suppressed }

    /// Profiles that were deleted since the last call of this, with the user ids they had.
    func takeDeleted() -> DeletedProfiles {
        defer { deleted = DeletedProfiles() }
        return deleted
    }

    /// Takes a profile out of everything that is in memory, with those merged into it. Returns what is no more.
    private func deleteProfile(_ profile: ProfileOrdinal) -> IdentityRemoval {
        let accounts = identity.accounts(of: profile)
        deleted.userIDs += identity.values(of: profile, type: "user_id")
        let removal = identity.delete(profile)
        for ordinal in removal.profiles {
            people.note(ordinal)
            history.remove(ordinal)
            activity[ordinal] = nil
            for computation in registry.all {
                computation.setState(nil, of: ordinal)
                _ = wakeUps.disarm(WakeUps.Key(computation: computation.number, profile: ordinal))
            }
        }
        deleted.profiles += removal.profiles
        changes.deletedProfiles += removal.profiles
        count("deleted_profiles", Int64(removal.profiles.count))
        var work = Worklist()
        for account in accounts { work.addAll(account, in: self) }
        run(&work, at: now, cause: .call)
        return removal
    }

    /// Takes one id off the profile that has a user id.
    func removeIdentifier(_ identifier: Identifier, ofUser userID: String) throws {
        guard let profile = identity.profile(for: Identifier(type: "user_id", value: userID)) else {
            throw CommandError(.notFound, "there is no profile with the user id '\(userID)'")
        }
        catchUp([profile])
        do {
            let removal = try identity.remove(identifier, from: profile)
            people.note(identity.canonical(profile))
            changes.removedIdentifiers += removal.identifiers
        } catch .notFound {
            throw CommandError(.notFound, field: "id", "\(IdentifierRemovalError.notFound)")
        } catch .unsupportedType {
            throw CommandError(.invalid, field: "type", "\(IdentifierRemovalError.unsupportedType)")
        }
        // Who no longer has an id that a computation asks for is no longer looked at.
        var work = Worklist()
        work.addAll(profile, in: self)
        run(&work, at: now, cause: .call)
    }
}

/// Who was deleted, for those who keep something about people elsewhere.
public struct DeletedProfiles: Sendable, Hashable {
    public internal(set) var profiles: [ProfileOrdinal] = []
    public internal(set) var userIDs: [String] = []

    public var isEmpty: Bool { profiles.isEmpty && userIDs.isEmpty }
}

public import Evaluation
import Identity
public import JSON
public import Model
import Query

// What a destination should know: of a connection that is only thought about, and of those that are there.

/// What connecting a computation would mean, worked out for some profiles.
public struct SyncSample: Sendable {
    /// Profiles looked at.
    public var looked = 0
    /// Those that hold a value.
    public var members = 0
    /// Those whose value was another one at the end of a day than at its beginning, the latest day first.
    public var changes: [Int] = []
    /// The calls that tell of the values of some of the members.
    public var emissions: [Emission] = []
    /// Members whose calls are among `emissions`.
    public var sampled = 0
    /// Members that no call can reach, of those sampled: they have no id to be addressed by.
    public var unreachable = 0

    public init() {}
}

/// A value that a destination should hold about a person, or that it should hold none.
public struct StandingValue: Sendable {
    public var profile: ProfileOrdinal
    public var computationID: String
    public var kind: Computation.Kind
    /// `.null` or `false` where the person holds no value.
    public var value: JSONValue
    /// When the value came about; the distant past where there never was one.
    public var since: Instant
    /// The identify calls that say it, one per set of ids.
    public var emissions: [Emission]
    /// The value is of accounts, and the person belongs to several that differ: what the destination holds is what changed
    /// last, so there is nothing that it should hold.
    public var isAmbiguous = false
}

extension Engine {
    /// Evaluates a definition for some profiles now and at earlier instants, as if it were connected.
    ///
    /// - Parameters:
    ///   - instants: Ends of days, the latest first; the first is the instant of the first sync.
    ///   - emissionLimit: Members whose calls are made.
    public func sample(
        _ query: CompiledQuery, _ definition: Computation, profiles: some Sequence<UInt32>, at instants: [Instant],
        connection: Connection, destination: Destination, emissionLimit: Int, into sample: inout SyncSample
    ) {
        guard let now = instants.first else { return }
        if sample.changes.isEmpty { sample.changes = Array(repeating: 0, count: instants.count - 1) }
        let evidence = Engine.evidence(definition)
        for number in profiles {
            let profile = ProfileOrdinal(number)
            guard identity.exists(profile), identity.isCanonical(profile), level(of: profile) == definition.level else {
                continue
            }
            sample.looked += 1
            guard qualifies(profile, for: definition) else { continue }
            let subject = subject(profile, level: definition.level)
            let values = instants.map { instant in
                let value = query.evaluate(subject, evidence: evidence, in: history, at: instant).value
                return value == false || value == [] || definition.kind == .trait && value == 0 ? JSONValue.null : value
            }
            for day in sample.changes.indices where values[day] != values[day + 1] { sample.changes[day] += 1 }
            guard values[0] != .null else { continue }
            sample.members += 1
            guard sample.sampled < emissionLimit else { continue }
            sample.sampled += 1
            let made = calls(
                definition, profile, value: values[0], number: 1, at: now, connection: connection,
                destination: destination)
            if made.isEmpty, connection.sendIdentify || connection.sendTrack { sample.unreachable += 1 }
            sample.emissions += made
        }
    }

    /// What a destination should hold of the users among some profiles, for every audience and trait that is connected
    /// with identify; of those of accounts, what the accounts of a person agree on.
    ///
    /// - Parameters:
    ///   - includingNobody: Also values of people who never held one.
    ///   - salt: Makes the message ids of the calls differ from those of any other call.
    public func standingValues(
        _ profiles: some Sequence<ProfileOrdinal>, destinationID: String, includingNobody: Bool, salt: String
    ) -> [StandingValue] {
        guard let destination = destinations[destinationID] else { return [] }
        let computations = registry.all.compactMap { computation -> (RegisteredComputation, Connection)? in
            guard computation.isActive,
                var connection = computation.definition.connections.first(where: {
                    $0.destinationID == destinationID && $0.enabled && $0.sendIdentify
                })
            else { return nil }
            connection.sendTrack = false
            return (computation, connection)
        }
        var standing: [StandingValue] = []
        for profile in profiles {
            guard identity.exists(profile), identity.isCanonical(profile), identity.collection(of: profile) == .users
            else { continue }
            for (computation, connection) in computations {
                let definition = computation.definition
                var holder = profile
                if definition.level == .accounts {
                    let accounts = identity.accounts(of: profile)
                    guard let account = accounts.first else { continue }
                    // Accounts that never held a value were never told of. Those that agree leave no doubt.
                    let holders = accounts.filter { computation.states[$0] != nil }
                    guard Set(holders.compactMap { computation.states[$0]?.value }).count <= 1 else {
                        standing.append(
                            StandingValue(
                                profile: profile, computationID: definition.id, kind: definition.kind, value: .null,
                                since: .distantPast, emissions: [], isAmbiguous: true))
                        continue
                    }
                    holder =
                        holders.max {
                            computation.states[$0]?.since ?? .distantPast
                                < computation.states[$1]?.since ?? .distantPast
                        } ?? account
                }
                let state = computation.states[holder]
                guard state != nil || includingNobody else { continue }
                let value = state?.value ?? (definition.kind == .audience ? false : .null)
                let transition = Transition(
                    computation: definition, profile: profile, segmentID: identity.segmentID(of: profile),
                    accountID: holder == profile ? nil : identity.segmentID(of: holder),
                    number: state?.transition ?? 0, value: value, at: now)
                let made = calls(
                    transition, connection: connection, destination: destination, origin: .repair, salt: salt
                ).emissions
                standing.append(
                    StandingValue(
                        profile: profile, computationID: definition.id, kind: definition.kind, value: value,
                        since: state?.since ?? .distantPast, emissions: made))
            }
        }
        return standing
    }

    private func calls(
        _ definition: Computation, _ profile: ProfileOrdinal, value: JSONValue, number: Int, at instant: Instant,
        connection: Connection, destination: Destination
    ) -> [Emission] {
        guard connection.sendIdentify || connection.sendTrack else { return [] }
        let people = definition.level == .users ? [profile] : identity.users(of: profile)
        return people.flatMap { person in
            let transition = Transition(
                computation: definition, profile: person, segmentID: identity.segmentID(of: person),
                accountID: person == profile ? nil : identity.segmentID(of: profile), number: number, value: value,
                at: instant)
            return self.calls(
                transition, connection: connection, destination: destination, origin: .firstSync
            ).emissions
        }
    }
}

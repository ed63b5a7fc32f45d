import Identity
import JSON
import Model
import TestSupport
import Testing

// Random sequences of calls against simple references.

/// One random call: ids from small pools, so that they meet often.
private struct RandomCall {
    var kind: Call.Kind
    var user: String?
    var anonymous: String?
    var group: String?
    var externalIDs: [(type: String, value: String)]
    var wait: Int64

    init(_ random: inout SeededRandom, pool: Int) {
        func pick(_ letter: String, _ chance: Int) -> String? {
            Int.random(in: 0..<100, using: &random) < chance
                ? "\(letter)\(Int.random(in: 0..<pool, using: &random))" : nil
        }
        kind = [.track, .track, .identify, .group, .page, .alias].randomElement(using: &random) ?? .track
        user = pick("u", 40)
        anonymous = pick("a", 60)
        group = kind == .group ? pick("g", 90) : nil
        externalIDs = ["email", "ios.id", "phone"].compactMap { type in pick("\(type)-", 25).map { (type, $0) } }
        if externalIDs.count == 1, let more = pick("phone-", 20) { externalIDs.append(("phone", more)) }
        // A resend with an old receivedAt, a pause of days, or the same instant.
        wait = [0, 0, 0, 1000, 86_400_000, 3 * 86_400_000, -5000].randomElement(using: &random) ?? 0
    }

    func body(reversed: Bool = false) -> String {
        let ids = reversed ? externalIDs.reversed() : externalIDs
        let items = ids.map {
            #"{"id": "\#($0.value)", "type": "\#($0.type)", "collection": "users", "encoding": "none"}"#
        }
        let group = kind == .track ? #""groupId": "g1", "# : ""
        return #"{"context": {\#(group)"externalIds": [\#(items.joined(separator: ", "))]}}"#
    }
}

extension Space {
    fileprivate mutating func send(_ call: RandomCall, reversed: Bool = false) throws -> Resolution {
        now = now + Instant.Span(milliseconds: call.wait)
        return try send(
            call.kind, user: call.user, anonymous: call.anonymous, group: call.group, call.body(reversed: reversed))
    }
}

@Suite struct PropertyTests {
    private static let rounds = 60

    /// Small limits with windows, so that violations, merges and expiries all happen.
    private func settings(_ random: inout SeededRandom) -> IdentitySettings {
        var settings = IdentitySettings.standard
        settings.rules.append(.init(type: "phone"))
        for index in settings.rules.indices {
            settings.rules[index].limit = Int.random(in: 1...4, using: &random)
            settings.rules[index].window = IdentitySettings.Window.allCases.randomElement(using: &random) ?? .ever
        }
        return settings
    }

    private func forEachRound(_ name: String, _ body: (inout SeededRandom, UInt64) throws -> Void) throws {
        let first = UInt64.random(in: 0...UInt64.max)
        print("seed of \(name): \(first)")
        for round in 0..<Self.rounds {
            let seed = first &+ UInt64(round)
            var random = SeededRandom(seed: seed)
            try body(&random, seed)
        }
    }

    @Test("The same calls make the same graph and the same answers, whatever the order of ids in a call")
    func determinism() throws {
        try forEachRound("determinism") { random, seed in
            let settings = settings(&random)
            let calls = (0..<150).map { _ in RandomCall(&random, pool: 12) }
            var (first, second, reversed) = (Space(settings), Space(settings), Space(settings))
            for call in calls {
                let answer = try first.send(call)
                #expect(try second.send(call) == answer, "seed \(seed)")
                #expect(try reversed.send(call, reversed: true) == answer, "seed \(seed)")
            }
            #expect(describe(first.resolver) == describe(second.resolver), "seed \(seed)")
        }
    }

    @Test("A graph restored from its rows is the same and goes on the same")
    func restoring() throws {
        try forEachRound("restoring") { random, seed in
            var space = Space(settings(&random))
            for _ in 0..<120 { _ = try space.send(RandomCall(&random, pool: 15)) }
            // Deletions leave gaps, also at the end.
            for _ in 0..<3 {
                let profile = ProfileOrdinal(UInt32.random(in: 0..<UInt32(space.resolver.profileCount), using: &random))
                if let id = space.resolver.identifiers(of: profile).last,
                    let removal = try? space.resolver.remove(id, from: profile)
                {
                    space.keep(removal)
                }
                if Bool.random(using: &random) { space.keep(space.resolver.delete(profile)) }
            }
            #expect(describe(try space.restored()) == describe(space.resolver), "seed \(seed)")
            var other = space
            other.resolver = try space.restored()
            for _ in 0..<60 {
                let call = RandomCall(&random, pool: 15)
                #expect(try other.send(call) == (try space.send(call)), "seed \(seed)")
            }
            #expect(describe(other.resolver) == describe(space.resolver), "seed \(seed)")
        }
    }

    @Test("Canonical is idempotent, members and ids belong to exactly one profile, the oldest survives")
    func invariants() throws {
        try forEachRound("invariants") { random, seed in
            var space = Space(settings(&random))
            for _ in 0..<150 {
                let resolution = try space.send(RandomCall(&random, pool: 12))
                for merge in resolution.merges {
                    let times = [merge.survivor, merge.absorbed].map { space.resolver.createdAt(of: $0) }
                    #expect(times[0] <= times[1], "seed \(seed)")
                }
            }
            var owners: [Identifier: ProfileOrdinal] = [:]
            var members: [ProfileOrdinal: ProfileOrdinal] = [:]
            for number in 0..<UInt32(space.resolver.profileCount) {
                let profile = ProfileOrdinal(number)
                let canonical = space.resolver.canonical(profile)
                #expect(space.resolver.canonical(canonical) == canonical, "seed \(seed)")
                #expect(space.resolver.isCanonical(profile) == (canonical == profile), "seed \(seed)")
                #expect(space.resolver.members(of: profile).contains(profile), "seed \(seed)")
                guard canonical == profile else { continue }
                for member in space.resolver.members(of: profile) {
                    #expect(members.updateValue(profile, forKey: member) == nil, "seed \(seed)")
                }
                for id in space.resolver.identifiers(of: profile) {
                    #expect(owners.updateValue(profile, forKey: id) == nil, "seed \(seed)")
                    #expect(space.resolver.profile(for: id) == profile, "seed \(seed)")
                }
            }
            #expect(members.count == space.resolver.profileCount, "seed \(seed)")
            for row in space.rows.identifiers {
                #expect(space.resolver.canonical(row.owner) == owners[row.identifier], "seed \(seed)")
            }
        }
    }

    @Test("Without limits the profiles are the connected components of the ids")
    func unionFind() throws {
        try forEachRound("union-find") { random, seed in
            var unlimited = IdentitySettings.standard
            unlimited.rules.append(.init(type: "phone"))
            for index in unlimited.rules.indices { unlimited.rules[index].limit = 1_000_000 }
            var space = Space(unlimited)
            var parents: [Identifier: Identifier] = [:]
            func root(_ id: Identifier) -> Identifier {
                var id = id
                while let parent = parents[id], parent != id { id = parent }
                return id
            }
            for _ in 0..<120 {
                var call = RandomCall(&random, pool: 40)
                call.wait = abs(call.wait)
                _ = try space.send(call)
                var ids: [Identifier] = []
                if let user = call.user { ids.append(Identifier(user)) }
                if call.kind != .alias {
                    if let anonymous = call.anonymous { ids.append(Identifier(anonymous)) }
                    ids += call.externalIDs.map { Identifier(type: $0.type, value: $0.value) }
                }
                for id in ids {
                    if parents[id] == nil { parents[id] = id }
                    parents[root(id)] = root(ids[0])
                }
            }
            let components = Dictionary(grouping: parents.keys, by: root)
            let profiles = Dictionary(grouping: parents.keys) { space.resolver.profile(for: $0) }
            #expect(Set(components.values.map(Set.init)) == Set(profiles.values.map(Set.init)), "seed \(seed)")
        }
    }

    @Test("The limits hold: resolution agrees with the algorithm of the spec written out naively")
    func reference() throws {
        try forEachRound("the naive reference") { random, seed in
            let settings = settings(&random)
            var space = Space(settings)
            var naive = NaiveGraph(settings)
            for step in 0..<150 {
                let call = RandomCall(&random, pool: 10)
                let resolution = try space.send(call)
                var ids: [Identifier] = []
                if let user = call.user { ids.append(Identifier(user)) }
                if call.kind != .alias {
                    if let anonymous = call.anonymous { ids.append(Identifier(anonymous)) }
                    ids += call.externalIDs.map { Identifier(type: $0.type, value: $0.value) }
                }
                let expected = naive.resolve(ids, at: space.now)
                let found = resolution.user.map { Set(space.resolver.identifiers(of: $0)) }
                #expect(found == expected, "step \(step), seed \(seed)")
            }
        }
    }
}

/// The pseudo-code of spec §4.5 on sets, without numbers, tables or caps.
private struct NaiveGraph {
    struct Profile {
        var created: Int
        var createdAt: Instant
        var ids: [Identifier: Instant]
    }

    let settings: IdentitySettings
    let ranks: [String: Int]
    var profiles: [Profile] = []
    var count = 0

    init(_ settings: IdentitySettings) {
        self.settings = settings
        ranks = Dictionary(uniqueKeysWithValues: settings.ranked(.users).enumerated().map { ($1.type, $0) })
    }

    mutating func resolve(_ promoted: [Identifier], at now: Instant) -> Set<Identifier>? {
        var ids = Set(promoted)
        while !ids.isEmpty {
            let matching = profiles.indices.filter { index in ids.contains { profiles[index].ids[$0] != nil } }
            func counting(_ index: Int, _ rule: IdentitySettings.Rule) -> Set<Identifier> {
                Set(
                    profiles[index].ids.filter { id, mappedAt in
                        guard id.type == rule.type else { return false }
                        return ids.contains(id) || rule.window.span.map { now - mappedAt <= $0 } ?? true
                    }.keys)
            }
            let isViolated = settings.rules.contains { rule in
                guard rule.collection == .users else { return false }
                let own = matching.map { counting($0, rule) }
                let union = own.reduce(ids.filter { $0.type == rule.type }) { $0.union($1) }
                return union.count > rule.limit && union.count > own.map(\.count).max() ?? 0
            }
            if isViolated {
                let lowest = ids.map { ranks[$0.type] ?? 0 }.max()
                let candidates = ids.filter { ranks[$0.type] == lowest }
                let unmapped = candidates.filter { id in !profiles.contains { $0.ids[id] != nil } }
                if let dropped = (unmapped.isEmpty ? candidates : unmapped).max(by: { $0.value < $1.value }) {
                    ids.remove(dropped)
                }
                continue
            }
            let missing = ids.filter { id in !profiles.contains { $0.ids[id] != nil } }
            var merged = matching.map { profiles[$0] }.min { ($0.createdAt, $0.created) < ($1.createdAt, $1.created) }
            if merged == nil {
                merged = Profile(created: count, createdAt: now, ids: [:])
                count += 1
            }
            guard var survivor = merged else { return nil }
            for index in matching { survivor.ids.merge(profiles[index].ids) { first, _ in first } }
            for id in missing { survivor.ids[id] = now }
            for index in matching.reversed() { profiles.remove(at: index) }
            profiles.append(survivor)
            return Set(survivor.ids.keys)
        }
        return nil
    }
}

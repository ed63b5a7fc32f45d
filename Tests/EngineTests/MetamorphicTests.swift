import EvaluationSupport
import EventLog
import Foundation
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Engine

/// Goal: changes of a history that mean nothing change nothing. Method: one random history of people, accounts, merges,
/// late and future calls, under fixed and random definitions, is told again with its calls in another order of arrival,
/// with calls sent twice, cut into other batches, with other ids, at another time, and among calls that have nothing to do
/// with it. At the end everybody must be in the same audiences and have the same values.
///
/// What depends on the past by design is left out: somebody who left an audience has the trait `false`, a windowed count
/// that fell back is 0; both count here as if they had never been (spec: engage §1.3).
@Suite struct MetamorphicTests {
    static let isLong = ProcessInfo.processInfo.environment["MUSTER_LONG"] == "1"
    static let base = ProcessInfo.processInfo.environment["MUSTER_SEED"].flatMap { UInt64($0) } ?? 20_261_124

    @Test(arguments: 0..<(isLong ? 200 : 6))
    func `What means nothing changes nothing`(number: Int) async throws {
        let seed = Self.base &+ UInt64(number)
        print("metamorphic test, MUSTER_SEED=\(seed)")
        var random = SeededRandom(seed: seed &* 77)
        let story = Story(seed: seed)
        let expected = try await story.told()
        #expect(expected.values.joined().count > 30, "seed \(seed): the story is too tame to prove anything")

        var shuffled = story
        shuffled.acts.shuffle(using: &random)
        try await compare(shuffled.told(), with: expected, "shuffled arrival", seed)

        var duplicated = story
        for act in story.acts where random.chance(40) {
            duplicated.acts.insert(act, at: random.below(duplicated.acts.count + 1))
        }
        try await compare(duplicated.told(), with: expected, "duplicated calls", seed)

        var cut = story
        cut.batches = { $0.chance(30) ? 1 : 1 + $0.below(60) }
        try await compare(cut.told(), with: expected, "split batches", seed)
        var whole = story
        whole.batches = { _ in 100_000 }
        try await compare(whole.told(), with: expected, "one batch", seed)

        var renamed = story
        renamed.name = { "\($0.hashed(with: seed))-\($0)" }
        try await compare(renamed.told(), with: expected, "renamed ids", seed)

        var shifted = story.withoutDates
        let later = try await shifted.told()
        shifted.shift = Instant.Span(milliseconds: Int64(random.below(400 * 86_400_000)))
        try await compare(shifted.told(), with: later, "shifted time", seed)

        var crowded = story
        for act in story.strangers(&random) {
            crowded.acts.insert(act, at: random.below(crowded.acts.count + 1))
        }
        try await compare(crowded.told(), with: expected, "unrelated calls", seed)
    }

    private func compare(
        _ found: [String: [String]], with expected: [String: [String]], _ change: String, _ seed: UInt64
    ) {
        for (who, values) in expected.sorted(by: { $0.key < $1.key }) {
            #expect(found[who] == values, "seed \(seed), \(change): \(who)")
        }
    }
}

/// A history that can be told in several ways.
private struct Story {
    struct Act {
        let id: String
        let kind: Call.Kind
        var user: String?
        var anonymous: String?
        var group: String?
        var event: String?
        let at: Instant
        var body: JSONObject
    }

    struct Made {
        let kind: Computation.Kind
        let level: Computation.Level
        let key: String
        let query: String
    }

    var acts: [Act] = []
    var made: [Made] = []
    /// How ids are written.
    var name: (String) -> String = { $0 }
    var shift = Instant.Span(milliseconds: 0)
    /// How many records the next batch has.
    var batches: (inout SeededRandom) -> Int = { _ in 17 }
    private let seed: UInt64
    private let people: [String]
    private let accounts = ["g0", "g1"]

    private static let birth = Generator.start - .hours(1)
    /// Calls arrive after most of what they tell of, some before; never so early that they would be moved.
    private static let arrival = Generator.start + .hours(9)
    private static let end = Generator.start + .hours(21)

    private static let fixed: [(Computation.Kind, Computation.Level, String)] = [
        (.audience, .users, "event('A').within(12 hours).count() >= 2"),
        (.audience, .users, "event('A').between(12 hours, 16 hours).count() >= 1 AND NOT event('B').count() >= 3"),
        (.audience, .users, "event('A').where(event('B').within(parent: 2 hours).count() >= 1).count() >= 1"),
        (.audience, .users, "event('A').where(NOT event('B').within(parent: 1 hours).count() >= 1).count() >= 2"),
        (.audience, .users, "trait('plan') = 'red' OR trait('f0') = true"),
        (.audience, .users, "trait('f0') = true AND trait('f6') >= 2"),
        (.trait, .users, "event('A').count()"),
        (.trait, .users, "event('A').sum(property('n'))"),
        (.trait, .users, "event('A').within(14 hours).avg(property('n'))"),
        (.trait, .users, "event('A').mode(property('s'), 2)"),
        (.trait, .users, "event('A').first(property('s'))"),
        (.trait, .users, "event('A').last(property('v'))"),
        (.trait, .users, "event('B').unique(property('tags.$'))"),
        (.trait, .users, "event('A').max(property('s') as string)"),
        (.trait, .users, "event('A').expires_after(1 hour).count()"),
        (.audience, .accounts, "event('A').within(13 hours).count() >= 4"),
        (.audience, .accounts, "ANY event('B').count() >= 2 AND trait('plan').exists()"),
        (.audience, .accounts, "ALL event('A').count() >= 1"),
        (.audience, .accounts, "ANY trait('f0') = true"),
        (.trait, .accounts, "event('B').unique(property('n')).count()"),
    ]

    init(seed: UInt64) {
        self.seed = seed
        var generator = Generator(seed: seed)
        people = (0..<5).map { "u\($0)" }
        made = Self.fixed.enumerated().map { number, definition in
            Made(kind: definition.0, level: definition.1, key: "f\(number)", query: definition.2)
        }
        while made.count < Self.fixed.count + 20 {
            let definition = generator.definition()
            let text = definition.text
            let level: Computation.Level = generator.random.chance(30) ? .accounts : .users
            var kind = Computation.Kind.audience
            if case .trait = definition { kind = .trait }
            // Arrival and ids are what the test changes.
            if text.contains("receivedAt") || text.contains("messageId") { continue }
            guard (try? Definition.compile(text, kind: kind, level: level)) != nil else { continue }
            made.append(Made(kind: kind, level: level, key: "r\(made.count)", query: text))
        }
        var times: Set<Instant> = []
        func time() -> Instant {
            var time = generator.time()
            while !times.insert(time).inserted { time = time + Instant.Span(milliseconds: 1) }
            return time
        }
        while acts.count < 160 {
            for deed in generator.world().deeds where deed.call.timestamp >= .epoch {
                let person = generator.random.below(people.count)
                let anonymous = generator.random.chance(40) ? "a\(person)-\(generator.random.below(3))" : nil
                var act = Act(
                    id: "m\(acts.count)", kind: deed.call.kind,
                    user: anonymous == nil || generator.random.chance(30) ? people[person] : nil, anonymous: anonymous,
                    event: deed.call.event, at: time(), body: deed.body.object ?? [:])
                if act.kind == .group { act.group = accounts[person % 2] }
                acts.append(act)
            }
        }
        // In the end everybody is known under all their ids.
        for person in people.indices {
            for number in 0..<3 {
                acts.append(
                    Act(
                        id: "m\(acts.count)", kind: .identify, user: people[person], anonymous: "a\(person)-\(number)",
                        at: time(), body: ["traits": [:]]))
            }
            acts.append(
                Act(
                    id: "m\(acts.count)", kind: .group, user: people[person], group: accounts[person % 2], at: time(),
                    body: ["traits": ["plan": .string("red\(person)")]]))
        }
    }

    /// Only what means the same at another time.
    var withoutDates: Story {
        var story = self
        story.made.removeAll { $0.key.hasPrefix("r") }
        return story
    }

    /// Calls of others, and calls that no definition reads.
    func strangers(_ random: inout SeededRandom) -> [Act] {
        acts.filter { _ in random.chance(40) }.enumerated().map { number, act in
            var stranger = act
            if random.chance(50) {
                stranger.user = "x\(random.below(4))"
                stranger.anonymous = nil
                stranger.group = act.group.map { _ in "x" }
            } else {
                if act.event != nil || act.kind == .page || act.kind == .screen {
                    stranger = Act(
                        id: "", kind: .track, user: act.user, anonymous: act.anonymous, event: "Unrelated", at: act.at,
                        body: act.body)
                } else {
                    stranger.body = ["traits": ["unrelated": .number(number)]]
                }
            }
            return Act(
                id: "x\(number)", kind: stranger.kind, user: stranger.user, anonymous: stranger.anonymous,
                group: stranger.group, event: stranger.event, at: stranger.at, body: stranger.body)
        }
    }

    /// Everybody's memberships and values in the end, under their ids in the story.
    func told() async throws -> [String: [String]] {
        let muster = try TestInstallation()
        var entries = made.map { made in
            muster.create(made.kind, key: made.key, made.query, at: Self.birth + shift, level: made.level)
        }
        for (number, act) in acts.enumerated() {
            entries.append(
                muster.call(
                    act.kind, act.event, user: act.user.map(name), anonymous: act.anonymous.map(name),
                    group: act.group.map(name), at: act.at + shift,
                    received: Self.arrival + .seconds(Int64(number)) + shift, id: name(act.id), body: act.body))
        }
        _ = try await muster.log.append(entries)
        var random = SeededRandom(seed: seed &+ 5)
        while muster.engine.position < muster.log.endOffset {
            muster.engine.apply(try muster.log.read(from: muster.engine.position, limit: batches(&random)))
            if muster.engine.hasBackfill { muster.engine.continueBackfill(limit: 10) }
            try muster.engine.commit()
        }
        while muster.engine.hasBackfill { muster.engine.continueBackfill(limit: 10) }
        try muster.advance(to: Self.end + shift)
        var told: [String: [String]] = [:]
        for (collection, type, ids) in [
            (Identifier.Collection.users, "user_id", people), (.accounts, "group_id", accounts),
        ] {
            for id in ids {
                let profile = try #require(
                    muster.engine.profile(for: Identifier(collection: collection, type: type, value: name(id))))
                told[id] = try muster.engine.computedValues(of: profile).compactMap { value in
                    let computation = try #require(muster.engine.registry.computation(key: value.key))
                    return muster.engine.isNothing(value.value, of: computation) ? nil : "\(value.key)=\(value.value)"
                }.sorted()
            }
        }
        return told
    }
}

extension String {
    /// An order of names that has nothing to do with their alphabet.
    fileprivate func hashed(with seed: UInt64) -> UInt64 {
        var random = SeededRandom(seed: utf8.reduce(seed) { $0 &* 31 &+ UInt64($1) })
        return random.next() % 1000
    }
}

import Evaluation
import EvaluationSupport
import Foundation
import History
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Scan

// Scans against the evaluator on random histories and definitions, for every profile, at random instants, and however
// the rows fall into runs. What a kernel leaves undecided is asked of the evaluator, as the engine does; so that this
// proves something, the tests also count how much is decided.

@Suite struct DifferentialTests {
    static let base = ProcessInfo.processInfo.environment["MUSTER_SEED"].flatMap { UInt64($0) } ?? 20_261_124
    static let isLong = ProcessInfo.processInfo.environment["MUSTER_LONG"] == "1"

    /// How the rows fall into runs.
    enum Layout: CaseIterable {
        /// Everything merged into one.
        case one
        /// Later rows in later runs, as a server writes them.
        case byTime
        /// Any, with flushes and merges half done and profiles removed.
        case mixed
        /// Each profile in one run.
        case byProfile
        /// Nothing is on disk.
        case fresh
    }

    @Test(arguments: 0..<4)
    func `A scan says of everybody what the evaluator says`(part: Int) throws {
        var (decided, undecided) = (0, 0)
        for number in 0..<(Self.isLong ? 10_000 : 30) {
            let seed = Self.base &+ UInt64(part) << 32 &+ UInt64(number)
            var generator = Generator(seed: seed)
            var trial = try ScanTrial(seed: seed, layout: Layout.allCases[number % Layout.allCases.count])
            for _ in 0..<60 {
                try trial.insert(generator.world().deeds)
            }
            try trial.settle()
            let definitions = (0..<12).map { _ in generator.definition() }
            for _ in 0..<2 {
                let now = generator.time() + .hours(Int64(generator.random.below(5)))
                if let failure = trial.failure(definitions, at: now) {
                    Issue.record("seed \(seed), \(trial.layout): \(failure)")
                    return
                }
            }
            decided += trial.decided
            undecided += trial.undecided
        }
        // The generator's values are of all types, which kernels leave alone; and yet most answers must be theirs.
        #expect(decided > undecided, "seed \(Self.base)")
    }
}

/// Random calls of some hundred profiles, and what is asked about them.
struct ScanTrial {
    let history: History
    let layout: DifferentialTests.Layout
    /// A flush or a merge that has begun.
    private var flush: HistoryFlush.Result?
    private var merge: HistoryMerge?
    private let directory = TemporaryDirectory()
    /// Collected, to be inserted in another order.
    private var waiting: [(deed: Deed, profile: ProfileOrdinal)] = []
    var random: SeededRandom
    var offset: Int64 = 0
    /// Profiles with events or traits about whom kernels told, and those about whom they did not.
    var decided = 0
    var undecided = 0
    private var active: Set<UInt32> = []
    /// Everything that was done, for a history that never hears of floors.
    private var done: [Step] = []
    private var floors = EventFloors.none
    static let bound: UInt32 = 9000

    private enum Step {
        case deed(Deed, ProfileOrdinal, Int64)
        case removal(ProfileOrdinal)
    }

    init(seed: UInt64, layout: DifferentialTests.Layout) throws {
        random = SeededRandom(seed: seed ^ 0x5CA9)
        self.layout = layout
        history = try History(directory: directory.path)
    }

    /// Writes to disk at times, and leaves it half done at times; forgets somebody now and then.
    private mutating func tend() throws {
        if random.chance(15) {
            if let flush { try history.finish(flush) }
            flush = try history.beginFlush(position: offset)?.run()
            if random.chance(60), let flush {
                try history.finish(flush)
                self.flush = nil
            }
        }
        if random.chance(10) {
            if let merge { try history.finish(try merge.run()) }
            merge = history.beginMerge(unit: 50)
        }
        if random.chance(5), !active.isEmpty {
            let profile = ProfileOrdinal(random.pick(active.sorted()))
            history.remove(profile)
            done.append(.removal(profile))
        }
        if random.chance(3) { raiseFloors() }
    }

    private mutating func raiseFloors() {
        func floor() -> Instant { Generator.start + .hours(Int64(random.below(9))) }
        var events: [String: Instant] = [:]
        for entry in history.eventCatalogue where random.chance(40) { events[entry.name] = floor() }
        floors = floors.raised(
            to: EventFloors(general: random.chance(50) ? floor() : .distantPast, events: events))
        history.raiseFloors(to: floors)
    }

    /// What there is when everything before the floors never came.
    private func withoutExpired() -> History {
        let plain = History()
        for step in done {
            switch step {
            case .removal(let profile): plain.remove(profile)
            case .deed(let deed, let profile, let offset):
                if deed.call.eventName == nil {
                    _ = plain.insertTraits(deed.call, body: deed.body, offset: offset, profile: profile)
                } else if !deed.call.isExpired(floors) {
                    _ = plain.insertEvent(deed.call, body: deed.body, offset: offset, profile: profile)
                }
            }
        }
        return plain
    }

    /// Compares the evaluator over what floors have left with the evaluator over what never had more.
    private func failureOfFloors(_ definitions: [Definition], _ evidence: Evidence, at now: Instant) -> String? {
        let plain = withoutExpired()
        for definition in definitions {
            let (query, expectation) = (CompiledQuery(definition), CompiledQuery(definition))
            for profile in active.sorted() {
                let subject = Subject.user(ProfileView([ProfileOrdinal(profile)]))
                let found = query.evaluate(subject, evidence: evidence, in: history, at: now)
                let expected = expectation.evaluate(subject, evidence: evidence, in: plain, at: now)
                if found.value != expected.value || found.changesAt != expected.changesAt {
                    return "\(definition.text) at \(now) of \(profile) with floors: \(found), expected \(expected)"
                }
            }
        }
        return nil
    }

    /// Takes calls of somebody: the profiles of the calls are spread over several blocks.
    mutating func insert(_ deeds: [Deed]) throws {
        let place = UInt32(random.pick([0, 40, 4080, 4096, 8100])) + UInt32(random.below(20))
        for deed in deeds {
            let profile = ProfileOrdinal(place + deed.profile.rawValue % 4)
            active.insert(profile.rawValue)
            if layout == .byTime || layout == .byProfile {
                waiting.append((deed, profile))
            } else {
                insert(deed, of: profile)
            }
        }
        if layout == .mixed { try tend() }
    }

    private mutating func insert(_ deed: Deed, of profile: ProfileOrdinal) {
        offset += 1
        done.append(.deed(deed, profile, offset))
        if deed.call.eventName == nil {
            _ = history.insertTraits(deed.call, body: deed.body, offset: offset, profile: profile)
        } else {
            _ = history.insertEvent(deed.call, body: deed.body, offset: offset, profile: profile)
        }
    }

    /// Brings about what the layout wants when all calls are there.
    mutating func settle() throws {
        switch layout {
        case .byTime: waiting.sort { $0.deed.call.timestamp < $1.deed.call.timestamp }
        case .byProfile: waiting.sort { $0.profile.rawValue % 3 < $1.profile.rawValue % 3 }
        case .one, .mixed, .fresh: break
        }
        let size = waiting.count / 6 + 1
        for (number, entry) in waiting.enumerated() {
            let isNext =
                layout == .byTime
                ? number % size == size - 1
                : number > 0 && waiting[number - 1].profile.rawValue % 3 != entry.profile.rawValue % 3
            if isNext { try flushAll() }
            insert(entry.deed, of: entry.profile)
        }
        waiting = []
        if layout == .one {
            try flushAll()
            if let merge = history.beginMerge(unit: 1, everything: true) { try history.finish(try merge.run()) }
        }
        if random.chance(40) { raiseFloors() }
    }

    private func flushAll() throws {
        if let flush = history.beginFlush(position: offset) { try history.finish(try flush.run()) }
    }

    mutating func failure(_ definitions: [Definition], at now: Instant) -> String? {
        let queries = definitions.map { CompiledQuery($0) }
        var evidence = Evidence.everything
        if random.chance(20) { evidence.timestampFrom = Generator.start + .hours(Int64(random.below(10))) }
        if floors != .none, let failure = failureOfFloors(definitions, evidence, at: now) { return failure }
        let plan = ScanPlan(queries.map { ($0, evidence) }, for: history, at: now)
        guard let snapshot = ScanSource(history, for: plan).snapshot(), history.damage == nil else {
            return "damaged: \(history.damage ?? "")"
        }
        var asked = ProfileSet(below: Self.bound)
        // At times only few are asked about.
        let share = random.pick([100, 100, 30, 3])
        for number in 0..<Self.bound where !random.chance(share) { asked.remove(ProfileOrdinal(number)) }
        var answers = plan.answers(over: snapshot, asked: asked)
        for (number, query) in queries.enumerated() {
            let nothing = query.evaluate(
                .user(ProfileView([ProfileOrdinal(Self.bound)])), evidence: evidence, in: history, at: now
            ).value
            for profile in active where asked.contains(ProfileOrdinal(profile)) {
                if answers[number].undecided.contains(ProfileOrdinal(profile)) { undecided += 1 } else { decided += 1 }
            }
            answers[number].resolve(query, evidence: evidence, in: history, at: now) { .user(ProfileView([$0])) }
            if let failure = compare(answers[number], query, evidence, now, asked, nothing) { return failure }
        }
        return nil
    }

    private func compare(
        _ answer: ScanAnswer, _ query: CompiledQuery, _ evidence: Evidence, _ now: Instant, _ asked: ProfileSet,
        _ nothing: JSONValue
    ) -> String? {
        var values: [ProfileOrdinal: JSONValue] = answer.exact
        answer.forEachValue(in: history.store) { values[$0] = $1 }
        let others = (0..<Self.bound).filter { $0 % 97 == 0 || $0 == Self.bound - 1 }
        for number in active.union(others).sorted() {
            let profile = ProfileOrdinal(number)
            var expected: JSONValue?
            if asked.contains(profile) {
                expected =
                    number < history.profileBound
                    ? query.evaluate(.user(ProfileView([profile])), evidence: evidence, in: history, at: now).value
                    : nothing
            }
            let found: JSONValue? =
                if case .audience = query.definition {
                    asked.contains(profile) ? .bool(answer.members.contains(profile)) : nil
                } else {
                    asked.contains(profile) ? values[profile] ?? nothing : values[profile]
                }
            if found != expected {
                return "\(query.definition.text) at \(now) of \(number): \(String(describing: found)), expected "
                    + "\(String(describing: expected))"
            }
        }
        return nil
    }
}

/// A directory that is gone with its last owner.
final class TemporaryDirectory {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-scan-\(UUID().uuidString)").path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

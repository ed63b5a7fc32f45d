import Evaluation
import Foundation
import History
import JSON
import Model
import Query
import TestSupport
import Testing

@testable import Scan

// Sums and means against the evaluator: every form that a column can have, profiles with one row and with many, runs that
// follow each other in time and runs that do not. The values are such that adding them in another order, one too many or
// one too few shows in the bits of the sum.

@Suite struct SumTests {
    /// How the rows of a profile fall into runs.
    enum Order: CaseIterable {
        /// Every row of a run is later than all in the runs before.
        case apart
        /// Runs overlap, but no profile's rows do.
        case apartByProfile
        /// Anything.
        case mixed
    }

    private static let start = Instant(milliseconds: 1_700_000_000_000)
    private static let day: Int64 = 86_400_000
    private static let properties = ["cents", "few", "whole", "any", "same", "rare", "noise", "mixed", "text"]

    @Test(arguments: Order.allCases, [1, 2, 5])
    func `Sums and means are those of the evaluator, bit by bit`(order: Order, runs: Int) throws {
        for seed in 0..<(DifferentialTests.isLong ? 20 : 1) as Range<UInt64> {
            var trial = try Trial(seed: seed ^ DifferentialTests.base, order: order, runs: runs)
            try trial.fill()
            for days in [400, 45] as [Int64] {
                var texts: [String] = []
                for property in Self.properties {
                    for reducer in ["sum", "avg"] {
                        let reduction = "event('Buy').within(\(days) days).\(reducer)(property('\(property)'))"
                        // What all rows pass leaves the bits of a mask that belong to no row as they are.
                        let condition = property == "any" ? "property('same') > 0" : "property('few') > 1"
                        let filtered =
                            "event('Buy').within(\(days) days).where(\(condition)).\(reducer)(property('\(property)'))"
                        texts += [reduction, filtered, "event('Rare').count() >= 1 AND \(reduction) >= 10"]
                        texts += ["\(filtered) < 3 OR \(reduction) = 7"]
                    }
                }
                try trial.compare(texts, at: Self.start + .days(80 + Int64(trial.random.below(60))))
            }
        }
    }

    private struct Trial {
        let history: History
        let order: Order
        let runs: Int
        var random: SeededRandom
        private let directory = TemporaryDirectory()
        private var offset: Int64 = 0
        private let profiles: [UInt32]

        init(seed: UInt64, order: Order, runs: Int) throws {
            random = SeededRandom(seed: seed)
            (self.order, self.runs) = (order, runs)
            history = try History(directory: directory.path)
            var random = random
            // Close together and far apart, over two blocks; the last row of a slice may be anybody's.
            profiles = (0..<9000).filter { $0 < 40 || random.chance(1) || $0 == 4095 }
        }

        mutating func fill() throws {
            for run in 0..<runs {
                for profile in profiles where random.chance(70) {
                    let count = random.chance(4) ? 60 + random.below(90) : 1 + random.below(random.pick([1, 2, 7]))
                    for _ in 0..<count { insert("Buy", profile, run) }
                    if random.chance(5) { insert("Rare", profile, run) }
                }
                if let flush = history.beginFlush(position: offset) { try history.finish(try flush.run()) }
            }
        }

        private mutating func insert(_ event: String, _ profile: UInt32, _ run: Int) {
            let length = 100 * SumTests.day / Int64(runs)
            var time = Int64(run) * length + Int64(random.below(Int(length)))
            if order == .mixed, random.chance(10) { time = Int64(random.below(Int(100 * SumTests.day))) }
            // Now and then several at once, whose order is that of their ids.
            if random.chance(30) { time -= time % (SumTests.day * 5) }
            if order == .apartByProfile { time += Int64(profile % 5) * 10 * SumTests.day }
            offset += 1
            let timestamp = Instant(milliseconds: SumTests.start.milliseconds + time)
            let body = JSONValue.object(["properties": .object(properties())])
            let call = Call(
                kind: .track, sourceID: "web", messageID: "m\(offset * 7919 % 10_007)-\(offset)", event: event,
                timestamp: timestamp, receivedAt: timestamp, body: body.utf8)
            _ = history.insertEvent(call, body: body, offset: offset, profile: ProfileOrdinal(profile))
        }

        private mutating func properties() -> JSONObject {
            var properties: JSONObject = [
                "cents": .number(Double(random.below(20_000)) / 100), "few": .number(random.below(4)),
                "whole": .number(random.below(1 << 30) - 1 << 29),
                "any": .number(Double.random(in: -9...9, using: &random)),
                "same": 0.1, "noise": random.pick([1e16, -1e16, 1, 0.1, 3]),
                "mixed": random.pick([1, 2.5, nil, true, [1], 0.7]),
                "text": random.pick([1, "2", "red", 0.1, nil]),
            ]
            if random.chance(30) { properties["mixed"] = nil }
            if random.chance(2) { properties["rare"] = .number(Double(random.below(1000)) / 10) }
            return properties
        }

        mutating func compare(_ texts: [String], at now: Instant) throws {
            let queries = try texts.map { text in
                let isTrait = !text.contains(">= 10") && !text.contains("= 7")
                return CompiledQuery(try Definition.compile(text, kind: isTrait ? .trait : .audience))
            }
            let plan = ScanPlan(queries.map { ($0, .everything) }, for: history, at: now)
            let snapshot = try #require(ScanSource(history, for: plan).snapshot())
            var asked = ProfileSet(below: 9000)
            if random.chance(50) {
                for number in 0..<9000 as Range<UInt32> where random.chance(96) { asked.remove(ProfileOrdinal(number)) }
            }
            var answers = plan.answers(over: snapshot, asked: asked)
            for (number, query) in queries.enumerated() {
                // In the order of time, strings alone are left to the evaluator.
                if order != .mixed, !texts[number].contains("text") {
                    #expect(answers[number].undecided.count == 0, "\(texts[number])")
                }
                answers[number].resolve(query, in: history, at: now) { .user(ProfileView([$0])) }
                var values: [ProfileOrdinal: JSONValue] = answers[number].exact
                answers[number].forEachValue(in: history.store) { values[$0] = $1 }
                for profile in profiles.map({ ProfileOrdinal($0) }) where asked.contains(profile) {
                    let expected = query.evaluate(.user(ProfileView([profile])), in: history, at: now).value
                    let found: JSONValue =
                        if case .audience = query.definition {
                            .bool(answers[number].members.contains(profile))
                        } else {
                            values[profile] ?? .null
                        }
                    #expect(found == expected, "\(texts[number]) of \(profile) at \(now), \(order), \(runs) runs")
                    if found != expected { return }
                }
            }
        }
    }
}

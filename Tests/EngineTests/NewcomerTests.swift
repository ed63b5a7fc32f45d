import JSON
import Model
import Testing

@testable import Engine

/// Goal: a person who comes is asked about what may be true of them, and nothing else; values, transitions and wake-ups are
/// those of asking about everything. Method: evaluations are counted; the expected values are said by hand.
@Suite struct NewcomerTests {
    private let queries: [(Computation.Kind, String, String)] = [
        (.audience, "reads_a", "event('A').count() >= 1"), (.audience, "reads_b", "event('B').count() >= 1"),
        (.trait, "count_b", "event('B').count()"), (.audience, "never_b", "NOT event('B').count() >= 1"),
        (.audience, "none_of_b", "event('B').within(3 days).count() = 0"), (.audience, "plan", "trait('plan') = 'pro'"),
        (.audience, "member_of", "trait('never_b') = 'true'"),
    ]

    @Test("A new person is asked about what their call touches and what is true of people without a past")
    func asksLittle() async throws {
        let muster = try TestInstallation()
        try await muster.apply(queries.map { muster.create($0.0, key: $0.1, $0.2, at: start) })
        try await muster.apply([muster.track("A", user: "first", at: start + hour)])
        let before = muster.engine.statistics.evaluations
        try await muster.apply([muster.track("A", user: "u", at: start + hour)])
        // `reads_a`, the two that hold without B, and the one that reads another's key.
        #expect(muster.engine.statistics.evaluations - before == 4)
        for (key, value) in [("reads_a", true), ("never_b", true), ("none_of_b", true), ("member_of", true)] {
            #expect(muster.value(key, user: "u") == .bool(value), "\(key)")
        }
        for key in ["reads_b", "count_b", "plan"] { #expect(muster.value(key, user: "u") == nil, "\(key)") }
    }

    @Test("What becomes true of people without a past when a definition changes is asked of the next who come")
    func afterChange() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.audience, key: "a", "event('B').count() >= 1", at: start),
            muster.track("A", user: "first", at: start + hour),
        ])
        try await muster.apply([
            muster.create(.audience, key: "late", "NOT event('B').count() >= 1", at: start + hour),
            muster.track("A", user: "u", at: start + hour + hour),
        ])
        #expect(muster.isMember("late", user: "u") && !muster.isMember("a", user: "u"))
    }

    @Test("A person who comes with another's past is asked about everything")
    func merged() async throws {
        let muster = try TestInstallation()
        try await muster.apply(queries.map { muster.create($0.0, key: $0.1, $0.2, at: start) })
        try await muster.apply([
            muster.track("B", anonymous: "x", at: start + hour), muster.track("A", user: "u", at: start + hour),
            muster.track("A", user: "u", anonymous: "x", at: start + hour + hour),
        ])
        #expect(muster.value("count_b", user: "u") == 1 && muster.isMember("reads_b", user: "u"))
        #expect(!muster.isMember("never_b", user: "u") && !muster.isMember("none_of_b", user: "u"))
    }
}

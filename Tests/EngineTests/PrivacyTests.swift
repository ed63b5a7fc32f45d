import EventLog
import History
import JSON
import Logging
import Model
import Store
import Testing

@testable import Engine

/// Deleting, suppressing, taking off one id (spec: collection §5.7, §6.4; checklist 95 and 96).
@Suite struct PrivacyTests {
    private func regulation(_ kind: Regulation.Kind, _ users: String..., at: Instant, id: String = "reg_1") -> LogEntry
    {
        .command(.regulate(Regulation(id: id, kind: kind, userIDs: users, createdAt: at)), receivedAt: at)
    }

    private func populated() async throws -> TestInstallation {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.destination(at: start),
            muster.create(.audience, key: "buyers", "event('A').within(2 days).count() >= 1", at: start),
            muster.create(.audience, key: "busy", "event('A').count() >= 2", at: start, level: .accounts),
            muster.connect("aud_buyers", at: start),
            muster.track("A", anonymous: "a1", at: start, id: "early"),
            muster.track("A", user: "u1", anonymous: "a1", at: start + hour, id: "own"),
            muster.call(.group, user: "u1", group: "g1", at: start + hour),
            muster.call(.group, user: "u2", group: "g1", at: start + hour),
            muster.track("A", user: "u2", at: start + hour, id: "other"),
        ])
        return muster
    }

    @Test("a regulation that reaches destinations tells each of them whom to delete, once all else is gone")
    func forwarding() async throws {
        for (kind, count) in [(Regulation.Kind.deleteOnly, 1), (.suppressWithDelete, 1), (.deleteInternal, 0)] {
            let muster = try await populated()
            try await muster.apply([regulation(kind, "u1", at: start + hour + hour)])
            #expect(try muster.outbox().allSatisfy { $0["type"] != "delete" })
            try await muster.apply([.command(.finishRegulation(id: "reg_1"), receivedAt: start + day)])
            try muster.reopen()
            let deletes = try muster.outbox().filter { $0["type"] == "delete" }
            #expect(deletes.map { $0["userId"] } == Array(repeating: "u1", count: count))
        }
    }

    @Test("96: a deleted person is gone from memory, the state file and the Log; others stay; replays stay out")
    func deletion() async throws {
        let muster = try await populated()
        #expect(muster.value("busy", Identifier(collection: .accounts, type: "group_id", value: "g1")) == true)
        try await muster.apply([regulation(.suppressWithDeleteInternal, "u1", at: start + hour + hour)])
        for round in 0..<2 {
            if round == 1 { try muster.reopen() }
            #expect(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")) == nil)
            #expect(muster.engine.profile(for: Identifier(type: "anonymous_id", value: "a1")) == nil)
            #expect(muster.isMember("buyers", user: "u2"))
            #expect(muster.engine.computation(id: "aud_buyers")?.size == 1)
            #expect(muster.value("busy", Identifier(collection: .accounts, type: "group_id", value: "g1")) == false)
            #expect(try muster.outboxInShort().allSatisfy { $0.hasPrefix("u2") })
            let open = try #require(muster.engine.openRegulations.first)
            #expect(open.profiles.count >= 1)
            #expect(muster.engine.suppressedUserIDs == ["u1"])
        }
        let open = try #require(muster.engine.openRegulations.first)
        var offsets: Set<Int64> = []
        try muster.store.forEachApplied { row in
            for (index, ordinal) in row.ordinals.enumerated() where open.profiles.map(\.rawValue).contains(ordinal) {
                offsets.insert(row.firstOffset + Int64(index))
            }
        }
        #expect(try muster.log.erase(offsets: offsets, userIDs: ["u1"], before: open.logEnd) == 3)
        try await muster.apply([.command(.finishRegulation(id: "reg_1"), receivedAt: start + hour + hour)])
        #expect(muster.engine.openRegulations == [])
        #expect(try muster.store.regulation(id: "reg_1")?.finishedAt == start + hour + hour)
        try muster.reopen()
        #expect(muster.isMember("buyers", user: "u2"))

        // Suppressed: nothing new is kept. Released: a new person begins, without the past.
        let later = start + hour + hour + hour
        try await muster.apply([muster.track("A", user: "u1", at: later)])
        #expect(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")) == nil)
        try await muster.apply([
            regulation(.unsuppress, "u1", at: later, id: "reg_2"),
            muster.track("A", user: "u9", anonymous: "a1", at: later, id: "early"),
            muster.track("B", user: "u1", at: later, id: "new"),
        ])
        let reborn = try #require(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")))
        #expect(muster.engine.timeline(of: reborn, before: nil, limit: 10).map(\.messageID) == ["new"])
        #expect(muster.engine.profile(for: Identifier(type: "user_id", value: "u9")) == nil, "a replay came back")
    }

    @Test("the same id may come back in the very batch that deletes it")
    func returning() async throws {
        let muster = try await populated()
        let later = start + hour + hour
        try await muster.apply([
            muster.track("B", user: "u1", at: later, id: "last"),
            regulation(.deleteInternal, "u1", "nobody", at: later),
            muster.track("B", user: "u1", at: later, id: "first"),
        ])
        let reborn = try #require(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")))
        #expect(muster.engine.timeline(of: reborn, before: nil, limit: 10).map(\.messageID) == ["first"])
        try muster.reopen()
        let restored = try #require(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")))
        #expect(restored == reborn)
        #expect(muster.engine.timeline(of: reborn, before: nil, limit: 10).map(\.messageID) == ["first"])
    }

    @Test("95: one id is taken off; the last user id and unknown ids are refused")
    func oneIdentifier() async throws {
        let muster = try await populated()
        func remove(_ type: String, _ value: String) -> LogEntry {
            .command(.removeIdentifier(Identifier(type: type, value: value), userID: "u1"), receivedAt: start + hour)
        }
        try await muster.apply([remove("anonymous_id", "a1")])
        #expect(muster.engine.profile(for: Identifier(type: "anonymous_id", value: "a1")) == nil)
        #expect(muster.isMember("buyers", user: "u1"))
        muster.engine.outcomes = [:]
        try await muster.apply([remove("user_id", "u1"), remove("email", "no@x.io")])
        let outcomes = muster.engine.outcomes.sorted { $0.key < $1.key }.map(\.value)
        #expect(outcomes.count == 2)
        for outcome in outcomes { #expect(throws: CommandError.self) { try outcome.get() } }
        try muster.reopen()
        #expect(muster.engine.profile(for: Identifier(type: "anonymous_id", value: "a1")) == nil)
        #expect(muster.engine.profile(for: Identifier(type: "user_id", value: "u1")) != nil)
    }
}

import Engine
import EventLog
import Foundation
import History
import JSON
import Logging
import Model
import Testing

@testable import API

/// Goal: whoever sets how long events are kept knows beforehand what goes and who asks for more, and can't delete by
/// mistake.
@Suite struct RetentionTests {
    private let path = "/spaces/default/retention"

    private func shop() async throws -> Installation {
        let shop = try Installation()
        for day in 0..<10 as Range<Int64> {
            let at = shop.clock.now() - .days(day * 10)
            try await shop.send(
                shop.track("Bought", user: "u\(day % 3)", ["n": .number(Int(day))], at: at),
                shop.track("Looked", user: "v\(day)", at: at))
        }
        return shop
    }

    @Test func `What a change would delete is told before, and the change deletes just that`() async throws {
        let shop = try await shop()
        try await shop.test { (client) async throws in
            var answer = try await client.get(path).data
            #expect(answer["retention"]?["days"] == .null && answer["retention"]?["events"] == [:])
            #expect(answer["retention"]?["lastExpiryAt"] == .null && answer["retention"]?["nextExpiryAt"] == .null)
            let rules: JSONValue = ["days": 45, "events": ["Looked": .null, "Nothing like it": 3]]
            let dryRun = try await client.put(path + "?dryRun=true", rules).data["dryRun"]
            // 50, 60, 70, 80 and 90 days ago.
            #expect(dryRun?["events"] == 5 && dryRun?["people"] == 3)
            #expect((dryRun?["bytes"]?.integer ?? 0) > 0)
            #expect(dryRun?["names"]?[0]?["event"] == "Bought" && dryRun?["names"]?[0]?["total"] == 10)
            #expect(dryRun?["names"]?.array?.count == 1)
            #expect(dryRun?["unknownEvents"] == ["Nothing like it"])
            #expect(shop.engine.read { $0.history.statistics.events } == 20)
            answer = try await client.put(path, rules).data
            #expect(answer["retention"]?["days"] == 45 && answer["retention"]?["events"]?["Looked"] == .null)
            #expect(answer["retention"]?["lastExpiryAt"] == .string(shop.clock.now().description))
            #expect(
                answer["retention"]?["nextExpiryAt"] == .string((shop.clock.now() + .days(1)).description))
            #expect(shop.engine.read { $0.history.statistics.events } == 15)
            let events = try await client.get("/spaces/default/events").data["events"]
            #expect(events?[0]?["name"] == "Looked" && events?[1]?["count"] == 5)
            // Keeping them longer brings nothing back.
            _ = try await client.put(path, ["days": .null])
            #expect(shop.engine.read { $0.history.statistics.events } == 15)
            #expect(try await client.get(path).data["retention"]?["nextExpiryAt"] == .null)
        }
    }

    @Test func `Definitions that look farther back are named, and the editor warns`() async throws {
        let shop = try await shop()
        try await shop.test { (client) async throws in
            for (name, query) in [
                ("Short", "event('Bought').within(7 days).count() >= 1"),
                ("Long", "event('Bought').within(90 days).count() >= 1"), ("Ever", "event('Bought').count() >= 1"),
            ] {
                _ = try await client.post(
                    "/spaces/default/audiences", ["name": .string(name), "definition": ["query": .string(query)]])
            }
            let rules: JSONValue = ["days": 30]
            let readers = try await client.put(path + "?dryRun=true", rules).data["dryRun"]?["readers"]?.array ?? []
            #expect(readers.compactMap { $0["name"]?.string } == ["Long", "Ever"])
            #expect(readers.first?["looksBackDays"] == 90 && readers.last?["looksBackDays"] == .null)
            #expect(readers.allSatisfy { $0["keptDays"] == 30 && $0["event"] == "Bought" })
            #expect(try await client.put(path, rules).data["retention"]?["readers"]?.array?.count == 2)
            let check = try await client.post(
                "/spaces/default/queries/check", ["query": "event('Bought').within(60 days).count() >= 1"]
            ).data
            let hints = check["check"]?["hints"]?.array ?? []
            #expect(hints.contains { $0["kind"] == "window_beyond_retention" })
        }
    }

    @Test func `What is no rule is refused with what it should be`() async throws {
        let shop = try Installation()
        try await shop.test { (client) async throws in
            for (body, field) in [
                ([:], "days"), (["days": 0], "days"), (["days": -3], "days"), (["days": 36_501], "days"),
                (["days": 1.5], "days"), (["days": "30"], "days"), (["days": 30, "events": ["A": 0]], "events.A"),
                (["days": 30, "events": [1]], "events"), (["days": 30, "event": [:]], "event"),
                (["days": 30, "events": ["": 3]], "events"),
            ] as [(JSONValue, String)] {
                let error = try await client.put(path, body).error
                #expect(error["field"]?.string == field, "\(body)")
                #expect(error["status"] == 400 || error["status"] == 422, "\(error)")
            }
            #expect(try await client.get(path).data["retention"]?["days"] == .null)
            #expect(try await client.put(path, ["days": 36_500]).data["retention"]?["days"] == 36_500)
        }
    }

    @Test func `A day later what became too old goes by itself, from the Log as well`() async throws {
        let shop = try await shop()
        let keeper = RetentionKeeper(
            engine: shop.engine, log: shop.log, clock: shop.clock, logger: Logger(label: "test"))
        func left() throws -> Int {
            try shop.log.read(from: 0, limit: 1000).count { if case .call = $0.entry { true } else { false } }
        }
        await keeper.expireIfDue()
        #expect(shop.engine.read { $0.retention.expiredAt } == nil)
        try await shop.engine.submit(.setRetention(RetentionRules(general: .days(51))))
        await keeper.expireIfDue()
        await keeper.eraseExpired()
        #expect(shop.engine.read { $0.history.statistics.events } == 12)
        #expect(try left() == 12)
        let first = shop.engine.read { $0.retention.expiredAt }
        shop.clock.advance(.hours(23))
        await keeper.expireIfDue()
        #expect(shop.engine.read { $0.retention.expiredAt } == first)
        shop.clock.advance(.hours(2))
        await keeper.expireIfDue()
        await keeper.eraseExpired()
        // A second after its 51st day the sixth is gone.
        #expect(shop.engine.read { $0.history.statistics.events } == 10)
        #expect(try left() == 10)
        // What comes too late is stored and erased, and counts nowhere.
        try await shop.send(shop.track("Bought", user: "u1", at: shop.clock.now() - .days(60)))
        #expect(shop.engine.read { $0.history.statistics.events } == 10)
        try await shop.test { (client) async throws in
            #expect(try await client.get(path).data["retention"]?["lateEvents"] == 1)
        }
    }
}

import BrazeSandbox
import Engine
import JSON
import Model
import Store
import Testing

@testable import API

/// Goal: reconcile says what is true of account audiences too, and a sample finds exactly what it must. Method: a whole
/// installation delivers to the real sandbox, somebody meddles there, and the test works out by itself what that comes to.
@Suite("reconcile", .timeLimit(.minutes(20))) struct ReconcileTests {
    private static func audience(_ loop: Loop, _ name: String, _ query: String) async throws -> String {
        let answer = try await loop.client.post(
            "/spaces/spa_muster/audiences",
            ["name": .string(name), "audienceType": "ACCOUNTS", "definition": ["query": .string(query)]])
        return try #require(answer.data["audience"]?["id"]?.string, "\(answer.text)")
    }

    @Test(
        "An account audience is compared with, and repaired for, each of its people; accounts that differ are left out")
    func accounts() async throws {
        try await Loop.with { loop in
            let (installation, client) = (loop.installation, loop.client)
            let audience = try await Self.audience(loop, "Buyers", "ANY event('Bought').count() >= 1")
            _ = try await client.settled(audience)
            try await loop.connect(audience, ["sendIdentify": true])
            // Three accounts with people of their own, and people of two: of buying ones, and of one that does not buy.
            for (user, accounts) in [
                ("a1", ["a"]), ("a2", ["a"]), ("b1", ["b"]), ("b2", ["b"]), ("c1", ["c"]), ("ab", ["a", "b"]),
                ("ad", ["a", "d"]),
            ] {
                for account in accounts { try await installation.send(installation.group(user, account)) }
            }
            for user in ["a1", "b1"] { try await installation.send(installation.track("Bought", user: user)) }
            // d was in and is out: it has said false to its people, a has said true.
            try await installation.send(installation.group("d1", "d"))
            try await loop.delivered()
            for user in ["a1", "a2", "b1", "b2", "ab"] {
                #expect(try loop.profile(user)?["custom_attributes"] == ["buyers": true], "\(user)")
            }
            let clean = try await loop.reconcile(["mode": "full", "settleSeconds": 0])
            #expect(clean["status"] == "COMPLETED", "\(clean)")
            #expect(clean["missing"] == 0 && clean["differing"] == 0 && clean["extra"] == 0, "\(clean)")
            #expect(clean["agreeing"] == 6, "five of buying accounts, and who is in one besides: \(clean)")

            _ = try loop.ask(
                "/users/track",
                [
                    "attributes": [
                        ["external_id": "a2", "buyers": .null], ["external_id": "b2", "buyers": false],
                        ["external_id": "ab", "buyers": "yes"], ["external_id": "c1", "buyers": true],
                    ]
                ])
            let found = try await loop.reconcile(["mode": "full", "settleSeconds": 0, "people": "all"])
            #expect(found["missing"] == 1 && found["differing"] == 2 && found["extra"] == 1, "\(found)")
            let drifts = (found["drifts"]?.array ?? []).compactMap { $0["person"]?.string }
            #expect(Set(drifts) == ["external_id:a2", "external_id:b2", "external_id:ab", "external_id:c1"])
            let repaired = try await loop.reconcile(
                ["mode": "full", "settleSeconds": 0, "people": "all", "repair": true])
            #expect(repaired["repaired"] == 4, "\(repaired)")
            try await loop.delivered()
            for (user, value) in [("a2", true), ("b2", true), ("ab", true), ("c1", false)] {
                #expect(try loop.profile(user)?["custom_attributes"]?["buyers"] == .bool(value), "\(user)")
            }
            let again = try await loop.reconcile(["mode": "full", "settleSeconds": 0, "people": "all"])
            #expect(again["missing"] == 0 && again["differing"] == 0 && again["extra"] == 0, "\(again)")
        }
    }

    @Test("A person of accounts that differ has nothing that Braze should hold: left out, counted, never repaired")
    func ambiguous() async throws {
        try await Loop.with { loop in
            let (installation, client) = (loop.installation, loop.client)
            let audience = try await Self.audience(
                loop, "Recent", "ANY event('Bought').within(1 day).count() >= 1")
            _ = try await client.settled(audience)
            try await loop.connect(audience, ["sendIdentify": true])
            for (user, account) in [("a1", "a"), ("b1", "b"), ("both", "a"), ("both", "b")] {
                try await installation.send(installation.group(user, account))
            }
            try await installation.send(installation.track("Bought", user: "a1"))
            try await loop.delivered()
            // a leaves in a day, b comes in just before.
            installation.clock.advance(.hours(23))
            try await installation.send(installation.track("Bought", user: "b1"))
            installation.clock.advance(.hours(2))
            try await installation.send(installation.track("Tick", user: "c1"))
            try await loop.delivered()
            #expect(try loop.profile("a1")?["custom_attributes"]?["recent"] == false)
            #expect(try loop.profile("b1")?["custom_attributes"]?["recent"] == true)
            let found = try await loop.reconcile(["mode": "full", "settleSeconds": 0, "repair": true])
            #expect(found["ambiguous"] == 1, "\(found)")
            #expect(found["repaired"] == 0 && found["agreeing"] == 2, "\(found)")
        }
    }

    /// The order in which a sample visits: steps of the golden section, made longer until they visit everybody.
    private static func order(_ limit: UInt32) -> [UInt32] {
        func hasCommonDivisor(_ step: UInt32) -> Bool {
            (2...max(2, step)).contains { step % $0 == 0 && limit % $0 == 0 }
        }
        var step = UInt32(Double(limit) * 0.618) | 1
        while hasCommonDivisor(step) { step += 1 }
        return (0..<UInt64(limit)).map { UInt32($0 * UInt64(step) % UInt64(limit)) }
    }

    @Test("A sample finds what was changed of the people in it and nothing else; larger ones hold the smaller")
    func sample() async throws {
        try await Loop.with { loop in
            let installation = loop.installation
            let audience = try await loop.client.audience("Vips", "event('A').count() >= 1")
            _ = try await loop.client.settled(audience)
            try await loop.connect(audience, ["sendIdentify": true])
            for index in 0..<200 {
                // Every fourth is nobody of the audience.
                let event = index % 4 == 0 ? "B" : "A"
                try await installation.send(installation.track(event, user: "u\(index)"))
            }
            try await loop.delivered()
            let meddled = (0..<200).filter { $0 % 4 != 0 && $0 % 3 == 0 }
            for start in stride(from: 0, to: meddled.count, by: 50) {
                let part = meddled[start..<min(start + 50, meddled.count)]
                _ = try loop.ask(
                    "/users/track",
                    ["attributes": .array(part.map { ["external_id": .string("u\($0)"), "vips": "no"] })])
            }
            let (limit, members) = installation.engine.read { engine in
                var members: [UInt32: Int] = [:]
                for index in 0..<200 where index % 4 != 0 {
                    let id = Identifier(type: "user_id", value: "u\(index)")
                    if let profile = engine.profile(for: id) { members[profile.rawValue] = index }
                }
                return (engine.ordinalLimit, members)
            }
            #expect(members.count == 150)
            let visited = Self.order(limit).compactMap { members[$0] }
            #expect(visited.count == 150 && Set(visited).count == 150)
            for size in [1, 40, 75, 149, 150, 1000] {
                let found = try await loop.reconcile(["sampleSize": .number(size), "settleSeconds": 0])
                let people = visited.prefix(size)
                let expected = Set(people.filter(meddled.contains).map { "external_id:u\($0)" })
                #expect(found["compared"]?.integer == people.count)
                #expect(found["differing"]?.integer == expected.count, "\(size): \(found)")
                #expect(found["agreeing"]?.integer == people.count - expected.count)
                #expect(Set((found["drifts"]?.array ?? []).compactMap { $0["person"]?.string }) == expected)
                #expect(found["requests"]?.integer == (people.count + 49) / 50)
            }
        }
    }
}

import Engine
import Foundation
import HTTPTypes
import JSON
import Model
import Testing

/// Goal: while the history is read from the Log nobody gets half an answer, nothing hangs, and one can see how far it is.
@Suite struct RebuildTests {
    @Test func `While the history is incomplete the status tells so and everything else is refused`() async throws {
        let first = try Installation()
        try await first.test { client in
            _ = try await client.audience("Buyers", "event('Bought').count() >= 2")
        }
        for number in 0..<30 {
            try await first.send(first.track("Bought", user: "u\(number % 20)"))
        }
        first.engine.stop()

        var configuration = EngineService.Configuration()
        configuration.engine.historyDirectory = first.directory.appendingPathComponent("history").path
        configuration.recordsReadAtOpening = 10
        let second = try Installation(in: first.directory, configuration: configuration, isStarted: false)
        try await second.test { client in
            let status = try await client.get("/status")
            #expect(status.status == 200)
            let history = status.data["status"]?["history"]
            #expect(history?["state"] == "rebuilding")
            #expect(history?["recordsToRead"]?.integer ?? 0 >= 30)
            #expect(status.data["status"]?["notices"]?[0]?["title"]?.string?.contains("history") == true)
            for path in ["/sources", "/spaces/spa_muster/audiences", "/spaces/spa_muster/events"] {
                let refusal = try await client.get(path)
                #expect(refusal.status == 503, "\(path)")
                #expect(refusal.headers[.retryAfter] == "2")
                #expect(refusal.error["message"]?.string?.contains("history.state = ready") == true)
            }
            let profile = try await client.get("/v1/spaces/spa_muster/collections/users/profiles/user_id:u1/traits")
            #expect(profile.status == 503)
            #expect(profile.json["error"]?["message"]?.string?.contains("history") == true)

            second.engine.start()
            try await second.engine.waitUntilCaughtUp()
            for _ in 0..<1000 where second.engine.historyState.phase != .ready {
                try await Task.sleep(for: .milliseconds(5))
            }
            let audiences = try await client.get("/spaces/spa_muster/audiences")
            #expect(audiences.status == 200)
            #expect(audiences.data["audiences"]?[0]?["size"]?["count"] == 10)
            #expect(try await client.get("/status").data["status"]?["history"]?["state"] == "ready")
        }
    }
}

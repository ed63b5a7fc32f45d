import DemoShop
import Model

/// Brings the shop's messages in through the tracking API, as the shop's own servers would.
struct DemoLoader: Sendable {
    let client: DemoClient
    let writeKey: String
    /// Messages in one request, as Segment's server clients send them.
    var batchSize = 100
    /// Requests under way at the same time.
    var inFlight = 4

    /// Sends everything. May be repeated after an interruption: message ids are those of the plan, so what is there
    /// already is left alone.
    ///
    /// - Parameter progress: is told how many messages were accepted so far.
    func load(_ shop: DemoShop, progress: (Int) -> Void) async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            var next = 0
            func startOne() {
                guard next < shop.count else { return }
                let range = next..<min(next + batchSize, shop.count)
                next = range.upperBound
                group.addTask {
                    _ = try await client.send("POST", "/v1/batch", body: shop.batch(range, writeKey: writeKey))
                    return range.count
                }
            }
            for _ in 0..<inFlight { startOne() }
            var accepted = 0
            while let count = try await group.next() {
                accepted += count
                progress(accepted)
                startOne()
            }
        }
    }

    /// Sends what happens in the shop from now on, until cancelled.
    func trickle(_ plan: ShopPlan, perSecond: Int, now: @Sendable () -> Instant) async throws {
        var live = LiveShop(plan, start: now(), perSecond: perSecond)
        while !Task.isCancelled {
            try await Task.sleep(for: .milliseconds(250))
            let messages = live.messages(until: now())
            guard !messages.isEmpty else { continue }
            let body = DemoShop.envelope(messages, writeKey: writeKey)
            _ = try await client.send("POST", "/v1/batch", body: body)
        }
    }
}

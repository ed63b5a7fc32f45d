import DemoShop
import Foundation
import JSON
import Model
import ServiceLifecycle

/// What `muster demo` does once both servers listen: load, create, connect, wait until all is told, say where to look, and
/// keep the shop alive. Everything goes over HTTP.
struct DemoRun: Service {
    let host: String
    let password: String?
    let directory: String
    let seed: UInt64
    let customers: Int
    let liveRate: Int
    let exitsWhenReady: Bool
    /// Each delivers the port once its server listens.
    let musterPorts: AsyncStream<Int>
    let sandboxPorts: AsyncStream<Int>

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                try await play()
            } catch {
                // Ctrl-C ends whatever is under way; the servers stop in order, and the next start goes on.
                guard Task.isCancelled else { throw error }
            }
        }
    }

    private func play() async throws {
        guard let port = await musterPorts.first(where: { _ in true }),
            let sandboxPort = await sandboxPorts.first(where: { _ in true })
        else { return }
        let reachable = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host
        let muster = "http://\(reachable.contains(":") ? "[\(reachable)]" : reachable):\(port)"
        let sandbox = "http://127.0.0.1:\(sandboxPort)"
        let setup = DemoSetup(
            client: DemoClient(base: muster, authorization: password.map { "Bearer \($0)" }))
        var report = DemoReport()
        let begun = ContinuousClock.now

        let writeKey = try await setup.source()
        var memo = try DemoMemo.read(directory)
        let plan = memo.plan(seed: seed, customers: customers, now: WallClock().now())
        if !memo.isLoaded(plan) {
            // Written before the first message: an interrupted load is repeated with the same message ids.
            try memo.write(directory)
            try await load(plan, muster, writeKey, setup, &report)
            memo.markLoaded(plan)
            try memo.write(directory)
        }
        let destination = try await setup.destination(sandbox: sandbox) {
            let key = try await DemoClient(base: sandbox).post("/sandbox/api/keys", ["name": "Muster"])
            guard let secret = key["secret"]?.string else {
                throw DemoSetup.Incomplete(description: "the sandbox's answer holds no key: \(key)")
            }
            return secret
        }
        let (created, skipped) = try await setup.definitions(destination: destination)
        if created > 0 { say("Created \(created) audiences and computed traits, connected to the sandbox.") }
        for line in skipped { say("  left out: \(line)") }
        try await settle(setup, &report)
        report.totalSeconds = secondsPassed(since: begun)

        let status = try await setup.status()
        report.residentBytes = status.residentBytes
        report.users = status.users
        if exitsWhenReady {
            print(report.json)
            return
        }
        showAddresses(muster, sandbox, status)
        guard liveRate > 0 else { return try await gracefulShutdown() }
        let loader = DemoLoader(client: DemoClient(base: muster), writeKey: writeKey)
        try await loader.trickle(plan, perSecond: liveRate) { WallClock().now() }
    }

    // MARK: - Steps

    private func load(
        _ plan: ShopPlan, _ muster: String, _ writeKey: String, _ setup: DemoSetup, _ report: inout DemoReport
    ) async throws {
        say("Inventing a shop with \(grouped(plan.customers)) customers and half a year of history …")
        let shop = DemoShop(plan)
        say("Loading \(grouped(shop.count)) calls through \(muster)/v1/batch, 100 in a request.")
        let before = try await setup.status()
        let begun = ContinuousClock.now
        let accepting = ProgressLine(what: "  accepted", unit: "calls")
        let applying = ProgressLine(what: "  applied", unit: "calls")
        let loader = DemoLoader(client: DemoClient(base: muster), writeKey: writeKey)
        try await loader.load(shop) { accepting.show(done: Int64($0), total: Int64(shop.count)) }
        report.calls = shop.count
        report.acceptedSeconds = secondsPassed(since: begun)
        accepting.end("  accepted: \(rate(shop.count, report.acceptedSeconds, "calls"))")

        while true {
            let status = try await setup.status()
            if status.lag == 0 { break }
            applying.show(done: Int64(status.position - before.position), total: Int64(shop.count))
            try await Task.sleep(for: .milliseconds(50))
        }
        report.appliedSeconds = secondsPassed(since: begun)
        applying.end("  applied:  \(rate(shop.count, report.appliedSeconds, "calls")), from the first request on")
    }

    /// Waits until backfills are through and the sandbox knows everything.
    private func settle(_ setup: DemoSetup, _ report: inout DemoReport) async throws {
        var begun = ContinuousClock.now
        let backfilling = ProgressLine(what: "  history read", unit: "evaluations")
        while true {
            let status = try await setup.status()
            if status.backfillTotal == 0 { break }
            backfilling.show(done: Int64(status.backfillDone), total: Int64(status.backfillTotal))
            try await Task.sleep(for: .milliseconds(100))
        }
        report.backfillSeconds = secondsPassed(since: begun)
        backfilling.end()
        begun = ContinuousClock.now
        let start = try await setup.status()
        let delivering = ProgressLine(what: "  told to the sandbox", unit: "changes")
        while true {
            let status = try await setup.status()
            if status.waiting == 0 { break }
            let done = max(0, status.delivered - start.delivered)
            delivering.show(done: Int64(done), total: Int64(done + status.waiting))
            try await Task.sleep(for: .milliseconds(100))
        }
        report.deliveredSeconds = secondsPassed(since: begun)
        delivering.end()
        report.delivered = try await setup.status().delivered
    }

    private func showAddresses(_ muster: String, _ sandbox: String, _ status: DemoStatus) {
        print(
            """

            Muster is running with \(grouped(status.users)) people, and the shop is open: \(liveRate) events a second.

              Console        \(muster)
              Braze sandbox  \(sandbox)

            Three things to look at:
              1. Audiences → Dormant Shopper in the console: who bought before but not for 60 days. Open somebody.
              2. The same person in the sandbox's user search: dormant_shopper and last_product_viewed_item under Custom
                 Attributes, Audience Entered and Trait Computed under Custom Events.
              3. Debugger in the console: what comes in from the shop right now, and each request to Braze with its answer.

            Data is in \(directory). Ctrl-C ends it; the next start goes on from there.
            """)
        fflush(nil)
    }

    private func say(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

    private func rate(_ count: Int, _ seconds: Double, _ unit: String) -> String {
        let tenths = Int((seconds * 10).rounded())
        return "\(grouped(count)) \(unit) in \(tenths / 10).\(tenths % 10) s, "
            + "\(grouped(Int(Double(count) / max(seconds, 0.001)))) a second"
    }

    private func grouped(_ number: Int) -> String {
        var digits = Array(String(number))
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: position)
            position -= 3
        }
        return String(digits)
    }
}

/// The figures of one start, for `scripts/measure.sh`.
struct DemoReport: Sendable {
    var calls = 0
    var acceptedSeconds = 0.0
    /// From the first request until the engine had applied the last call.
    var appliedSeconds = 0.0
    var backfillSeconds = 0.0
    var deliveredSeconds = 0.0
    var delivered = 0
    var totalSeconds = 0.0
    var residentBytes = 0
    var users = 0

    var json: JSONValue {
        [
            "calls": .number(calls), "acceptedSeconds": .number(acceptedSeconds),
            "appliedSeconds": .number(appliedSeconds), "backfillSeconds": .number(backfillSeconds),
            "deliveredSeconds": .number(deliveredSeconds), "delivered": .number(delivered),
            "totalSeconds": .number(totalSeconds), "residentBytes": .number(residentBytes), "users": .number(users),
        ]
    }
}

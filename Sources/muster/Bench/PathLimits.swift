import ArgumentParser
import EngineBench
import EventLog
import Foundation
import HTTPTypes
import Hummingbird
import Ingest
import JSON
import Logging
import Model
import NIOCore

/// What each stage of the way does alone on this machine, with the calls of a run of the whole.
struct PathLimits {
    let whole: PathBench.Whole
    /// Where the server has left its files.
    let directory: URL
    let people: Int
    let connections: Int

    /// Records that are appended and applied once more.
    private static let recordsMax: Int64 = 500_000

    func measure(seconds: Double) async throws {
        var stages: [EngineBench.Stage] = []
        for framework in [BenchCommand.PlainCommand.Framework.nio, .hummingbird] {
            stages.append(try await plain(framework, seconds: seconds))
        }
        let bodies = bodies(count: 50)
        stages.append(try EngineBench.parsing(bodies, callsInEach: LoadBatch.calls, seconds: seconds / 2))
        stages.append(try await receiving(bodies.count * 40))
        let bench = EngineBench(directory: directory)
        let log = try EventLog(path: directory.appending(path: "log.sqlite").path)
        stages.append(try await bench.appending(from: log, limit: Self.recordsMax, writers: connections * 2))
        let applied = try await bench.applying(from: log, limit: Self.recordsMax, batch: 8_000)
        try check(applied, log)
        try log.close()
        stages += [applied.reading, applied.applying, applied.committing]

        print(
            "what each stage does alone, of \(applied.applying.calls) calls of that run (equal counts were checked first)"
        )
        for stage in stages {
            let name = stage.name.padding(toLength: 48, withPad: " ", startingAt: 0)
            print(
                "  \(name) \(Int(stage.callsPerSecond)) calls/s, \(tenths(stage.cpuPerCall)) µs of processors per call, "
                    + "a core full of it \(Int(1e6 / stage.cpuPerCall))/s")
        }
        let engine = [applied.reading, applied.applying, applied.committing]
        let engineLimit = Double(applied.applying.calls) / engine.reduce(0) { $0 + $1.seconds }
        let acceptLimit = stages.filter { !$0.name.hasPrefix("engine") }.map { 1e6 / $0.cpuPerCall }.min() ?? 0
        let all = whole.serverCPU + whole.generatorCPU
        print(
            """
              the engine's thread (read, apply, commit): \(Int(engineLimit)) calls/s at most
              evaluations \(applied.evaluations), changes of a value \(applied.transitions)
            the whole way
              accepted \(Int(whole.acceptedPerSecond))/s; applied \(Int(whole.appliedPerSecond))/s, \
            \(percent(whole.appliedPerSecond / engineLimit)) of what the engine's thread does alone
              tightest stage on one core: \(Int(min(acceptLimit, engineLimit)))/s
              processors: \(tenths(all)) µs per call, load generator included: two cores full of it do \
            \(Int(2e6 / all))/s, of which \(percent(whole.appliedPerSecond * all / 2e6)) was reached
            """)
    }

    private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

    private func bodies(count: Int) -> [[UInt8]] {
        var batch = LoadBatch(writeKey: "")
        var random = SplitMix64(seed: 7)
        return (0..<count).map { number in
            batch.renew(first: number * LoadBatch.calls, people: people, &random)
            return batch.body
        }
    }

    // MARK: HTTP

    /// The same load on a server that only counts bytes.
    private func plain(
        _ framework: BenchCommand.PlainCommand.Framework, seconds: Double
    ) async throws -> EngineBench.Stage {
        let server = try ChildProcess(.plain(framework))
        defer { server.stop() }
        try await server.waitUntilAnswering("/status")
        var plan = LoadGenerator.Plan()
        plan.threads = connections
        plan.seconds = seconds
        plan.people = people
        let load = LoadGenerator(port: server.port, writeKey: "none")
        let (used, started) = (server.usage.cpuSeconds, ContinuousClock.now)
        let counts = try await load.run(plan)
        var stage = EngineBench.Stage("HTTP alone, \(framework == .nio ? "SwiftNIO" : "Hummingbird")")
        stage.seconds = secondsPassed(since: started)
        stage.cpuSeconds = server.usage.cpuSeconds - used
        stage.calls = counts.acceptedCalls
        let bytes = try await server.get("/status")["bytes"]?.integer
        let sent = counts.acceptedBatches * LoadBatch(writeKey: "").body.count
        guard counts.failure == nil, bytes == sent else {
            throw ValidationError("\(sent) bytes were sent to a plain server, and it counts \(bytes ?? 0)")
        }
        return stage
    }

    /// What Ingest does with bodies that are there: reads and checks them, and waits for its Log. No HTTP.
    private func receiving(_ batches: Int) async throws -> EngineBench.Stage {
        let place = directory.appending(path: "ingest-bench")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let log = try EventLog(path: place.appending(path: "log.sqlite").path)
        let source = Source(id: "src_bench", name: "Bench", writeKey: "write-key", createdAt: .epoch)
        let ingest = Ingest(
            log: log, sources: SourceDirectory([source]), journal: IngestJournal(), clock: WallClock())
        let router = Router(context: BareContext.self)
        ingest.addRoutes(to: router)
        let responder = router.buildResponder()
        let credentials = Data("write-key:".utf8).base64EncodedString()
        var head = HTTPRequest(method: .post, scheme: "http", authority: "127.0.0.1", path: "/v1/batch")
        head.headerFields[.authorization] = "Basic \(credentials)"
        let bodies = bodies(count: 50).map { ByteBuffer(bytes: $0) }
        let turns = EngineBench.Turns()
        var stage = EngineBench.Stage("Ingest without HTTP: read, checked, in the Log")
        try await stage.measure(calls: batches * LoadBatch.calls) { [head] in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<connections * 2 {
                    group.addTask {
                        let context = BareContext(source: BareSource())
                        while let number = turns.next(below: batches) {
                            let body = RequestBody(buffer: bodies[number % bodies.count])
                            let answer = try await responder.respond(
                                to: Request(head: head, body: body), context: context)
                            guard answer.status == .ok else { throw ValidationError("Ingest answers \(answer.status)") }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        guard log.endOffset == Int64(stage.calls) else {
            throw ValidationError("\(log.endOffset) of \(stage.calls) calls are in the Log")
        }
        try log.close()
        return stage
    }

    // MARK: Checks

    /// Every event of the Log must have been counted once.
    private func check(_ applied: EngineBench.Applying, _ log: EventLog) throws {
        let counted = applied.events.filter { $0.key.hasPrefix("E") }.values.reduce(0, +)
        guard log.endOffset >= whole.calls else {
            throw ValidationError("\(whole.calls) calls were acknowledged, and the Log has \(log.endOffset) records")
        }
        // Commands stand between the calls.
        let commands = Int(log.endOffset) - whole.calls
        guard counted == min(whole.calls, applied.applying.calls - commands) else {
            throw ValidationError("the engine counts \(counted) of \(whole.calls) calls")
        }
    }
}

/// A request's surroundings without a connection.
private struct BareSource: RequestContextSource {
    let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
}

private struct BareContext: RequestContext {
    typealias Source = BareSource

    var coreContext: CoreRequestContextStorage

    init(source: BareSource) { coreContext = CoreRequestContextStorage(source: source) }
}

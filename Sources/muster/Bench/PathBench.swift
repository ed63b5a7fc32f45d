import ArgumentParser
import EngineBench
import Foundation
import JSON
import Model

/// One server with its load.
struct PathBench {
    let server: ChildProcess
    let people: Int
    let seconds: Double
    private var writeKey = ""
    private var load: LoadGenerator
    /// Batches that the server has acknowledged so far.
    private var acknowledged = 0

    init(server: ChildProcess, people: Int, seconds: Double) {
        self.server = server
        self.people = people
        self.seconds = seconds
        load = LoadGenerator(port: server.port, writeKey: "")
    }

    private static let space = "/spaces/spa_muster"

    mutating func prepare(computations: Int) async throws {
        let made = try await server.post("/sources", ["name": "Load"])
        guard let key = made["data"]?["source"]?["writeKey"]?.string else { throw ValidationError("no write key") }
        writeKey = key
        load = LoadGenerator(port: server.port, writeKey: key)
        for (number, made) in EngineBench.computations(perEvent: computations / 10).enumerated() {
            try await create(made.kind, "c\(number)", made.query)
        }
        try await create(.audience, "probe", "event('Probe').count() >= 1")
    }

    private func create(_ kind: Computation.Kind, _ name: String, _ query: String) async throws {
        let isAudience = kind == .audience
        var body: JSONObject = ["name": .string(name), "enabled": true]
        body["definition"] = isAudience ? ["query": .string(query)] : ["query": .string(query), "type": "USERS"]
        if isAudience { body["audienceType"] = "USERS" }
        try await server.post("\(Self.space)/\(isAudience ? "audiences" : "computed-traits")", .object(body))
    }

    // MARK: Parts

    /// What the whole way has come to.
    struct Whole {
        var calls: Int
        var acceptedPerSecond: Double
        var appliedPerSecond: Double
        /// Microseconds of processors per call.
        var serverCPU: Double
        var generatorCPU: Double
    }

    @discardableResult
    mutating func throughput(connections: Int) async throws -> Whole {
        var plan = LoadGenerator.Plan()
        plan.threads = connections
        plan.seconds = seconds
        plan.people = people
        let (used, own) = (server.usage.cpuSeconds, Usage().cpuSeconds)
        let started = ContinuousClock.now
        let counts = try await load.run(plan)
        let generator = Usage().cpuSeconds - own
        let accepted = secondsPassed(since: started)
        try await waitUntilApplied(counts)
        let applied = secondsPassed(since: started)
        let cpu = server.usage.cpuSeconds - used
        let calls = Double(counts.acceptedCalls)
        print(
            """
            \(counts.acceptedCalls) calls of 1 KB in batches of \(LoadBatch.calls) on \(connections) connections, \
            \(people) people, every call counted once
              accepted (fsynced): \(Int(calls / accepted))/s
              applied and visible: \(Int(calls / applied))/s (all of them \(tenths(applied - accepted)) s after the last)
              processor: server \(tenths(cpu / calls * 1e6)) µs per call, load generator \(tenths(generator / calls * 1e6)) µs \
            per call (\(tenths(cpu / applied)) and \(tenths(generator / accepted)) cores)
              memory: \(server.usage.residentBytes >> 20) MB
            """)
        return Whole(
            calls: counts.acceptedCalls, acceptedPerSecond: calls / accepted, appliedPerSecond: calls / applied,
            serverCPU: cpu / calls * 1e6, generatorCPU: generator / calls * 1e6)
    }

    mutating func latency(rate: Int) async throws {
        var plan = LoadGenerator.Plan()
        plan.threads = 2
        plan.seconds = seconds
        plan.callsPerSecond = rate
        plan.people = people
        let (port, key, duration) = (server.port, writeKey, seconds)
        async let probes = Self.probe(port: port, writeKey: key, seconds: duration)
        let counts = try await load.run(plan)
        let latencies = try await probes.sorted()
        try await waitUntilApplied(counts)
        guard !latencies.isEmpty else { throw ValidationError("no probe came through") }
        func quantile(_ share: Double) -> Double {
            tenths(latencies[min(latencies.count - 1, Int(share * Double(latencies.count)))])
        }
        print(
            """
            event to membership, seen over HTTP, at \(Int(Double(counts.acceptedCalls) / seconds)) calls/s (\(latencies.count) people)
              half within \(quantile(0.5)) ms, 95 % \(quantile(0.95)) ms, 99 % \(quantile(0.99)) ms, all \(quantile(1)) ms
            """)
    }

    /// How often everybody does each event before the overload.
    private static let rounds = 5

    /// Far more than the server can hold, from people whom it knows already: what memory grows by then is the overload's.
    mutating func overload(connections: Int) async throws {
        // Enough to be a load; more would only take longer to make known.
        let people = min(people, 20_000)
        var filling = LoadGenerator.Plan()
        filling.people = people
        filling.seconds = 600
        filling.isInTurn = true
        filling.batchesMax = people * 10 * Self.rounds / LoadBatch.calls
        let empty = server.usage
        try await waitUntilApplied(try await load.run(filling))
        var plan = LoadGenerator.Plan()
        plan.threads = 8
        plan.connectionsPerThread = connections / 8
        plan.seconds = seconds
        plan.people = people
        let before = server.usage
        let sampling = Task { [server = server.usageReader] in
            var curve = MemoryCurve()
            while !Task.isCancelled {
                curve.add(server())
                try? await Task.sleep(for: .milliseconds(100))
            }
            return curve
        }
        let counts = try await load.run(plan)
        sampling.cancel()
        let curve = await sampling.value
        try await waitUntilApplied(counts)
        let refused = counts.refusals.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }
        print(
            """
            overload, \(connections / 8 * 8) batches under way at a time for \(seconds) s: \(counts.acceptedCalls) calls accepted and \
            counted once; refused batches: \(refused.isEmpty ? "none" : refused.joined(separator: ", ")), \
            \(counts.withoutRetryAfter) of them without Retry-After
              memory in MB, in brackets without the pages of mapped files, which are the system's to take back:
                empty \(empty.megabytes); \(people) people known by \(10 * Self.rounds) events each \(before.megabytes)
                under overload, the most in each 10 s: \(curve.text)
                all applied \(server.usage.megabytes)
            """)
    }

    // MARK: Checks

    /// Waits until the engine has applied the Log, and compares what it counts with what was acknowledged.
    private mutating func waitUntilApplied(_ counts: LoadGenerator.Counts) async throws {
        if let failure = counts.failure { throw ValidationError("the load generator failed: \(failure)") }
        acknowledged += counts.acceptedBatches
        while true {
            let engine = try await server.get("/status")["data"]?["status"]?["engine"]
            if let position = engine?["position"]?.integer, position == engine?["logEnd"]?.integer { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        let events = try await server.get("\(Self.space)/events?count=200")["data"]?["events"]?.array ?? []
        let counted = events.filter { $0["name"]?.string?.hasPrefix("E") == true }.compactMap { $0["count"]?.integer }
        guard counted.count == 10, counted.allSatisfy({ $0 == acknowledged * LoadBatch.calls / 10 }) else {
            throw ValidationError(
                "\(acknowledged * LoadBatch.calls) calls were acknowledged, and the server counts \(counted)")
        }
    }

    /// Sends events of new people one after the other; how long each takes to be seen in the audience, in milliseconds.
    private static func probe(port: Int, writeKey: String, seconds: Double) async throws -> [Double] {
        try await withCheckedThrowingContinuation { continuation in
            Thread {
                continuation.resume(with: Result { try probes(port: port, writeKey: writeKey, seconds: seconds) })
            }.start()
        }
    }

    private static func probes(port: Int, writeKey: String, seconds: Double) throws -> [Double] {
        let (sending, reading) = (try LoadConnection(port: port), try LoadConnection(port: port))
        let credentials = Data("\(writeKey):".utf8).base64EncodedString()
        var latencies: [Double] = []
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(seconds) {
            let user = "probe\(latencies.count)"
            let body = #"{"userId":"\#(user)","event":"Probe","messageId":"\#(user)"}"#
            let question = Array(
                """
                GET /v1/spaces/spa_muster/collections/users/profiles/user_id:\(user)/traits?limit=200 HTTP/1.1\r
                Host: 127.0.0.1\r
                \r\n
                """.utf8)
            let sent = ContinuousClock.now
            try sending.send(
                Array(
                    """
                    POST /v1/track HTTP/1.1\r
                    Host: 127.0.0.1\r
                    Authorization: Basic \(credentials)\r
                    Content-Type: application/json\r
                    Content-Length: \(body.utf8.count)\r
                    \r
                    \(body)
                    """.utf8))
            guard try sending.receive().status == 200 else { continue }
            while true {
                try reading.send(question)
                let answer = try reading.receive()
                if answer.status == 200, answer.body.firstRange(of: Array(#""probe":true"#.utf8)) != nil { break }
                guard ContinuousClock.now - sent < .seconds(10) else {
                    throw ValidationError(
                        "\(user) is in no audience after 10 s: \(String(decoding: answer.body, as: UTF8.self))")
                }
                usleep(500)
            }
            latencies.append((ContinuousClock.now - sent) / .milliseconds(1))
            usleep(20_000)
        }
        return latencies
    }
}

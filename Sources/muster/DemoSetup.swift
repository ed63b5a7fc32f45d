import JSON

/// Creates what the demo needs through the HTTP API and leaves alone what is there: source, destination, audiences,
/// computed traits, connections.
struct DemoSetup: Sendable {
    /// Names under which the demo finds its own things again.
    static let sourceName = "Demo Shop"
    static let destinationName = "Braze Sandbox"
    static let space = "/spaces/spa_muster"

    struct Incomplete: Error, CustomStringConvertible {
        let description: String
    }

    let client: DemoClient

    /// The write key of the shop's source.
    func source() async throws -> String {
        let sources = try await client.get("/sources")["data"]?["sources"]?.array ?? []
        if let known = sources.first(where: { $0["name"]?.string == Self.sourceName }) {
            return try text(known, "writeKey")
        }
        let created = try await client.post("/sources", ["name": .string(Self.sourceName)])
        return try text(created["data"]?["source"] ?? .null, "writeKey")
    }

    /// The id of the destination that points at the sandbox.
    /// - Parameter makeKey: creates a REST API key in the sandbox; called only when the destination is new.
    func destination(sandbox: String, makeKey: () async throws -> String) async throws -> String {
        let destinations = try await client.get("/destinations")["data"]?["destinations"]?.array ?? []
        if let known = destinations.first(where: { $0["name"]?.string == Self.destinationName }) {
            return try text(known, "id")
        }
        let catalog = try await client.get("/destinations/catalog")["data"]?["catalog"]?.array ?? []
        guard let braze = catalog.first(where: { $0["kind"] == "braze" }) else {
            throw Incomplete(description: "this build has no Braze destination")
        }
        // The form of the console: the data centre is a choice, the key a secret.
        var settings: JSONObject = [:]
        for field in braze["fields"]?.array ?? [] where field["required"] == true {
            switch field["type"]?.string {
            case "choice": settings[try text(field, "key")] = .string(sandbox)
            case "secret": settings[try text(field, "key")] = .string(try await makeKey())
            default: continue
            }
        }
        let created = try await client.post(
            "/destinations",
            ["kind": "braze", "name": .string(Self.destinationName), "settings": .object(settings)])
        return try text(created["data"]?["destination"] ?? .null, "id")
    }

    /// Creates the definitions that are missing and connects them.
    /// - Returns: how many were created, and a line for each that this server does not offer.
    func definitions(destination: String) async throws -> (created: Int, skipped: [String]) {
        var created = 0
        var skipped: [String] = []
        for definition in DemoDefinition.all {
            let path = "\(Self.space)/\(definition.kind.rawValue)"
            let member = definition.kind == .audience ? "audience" : "computedTrait"
            let list = try await client.get("\(path)?count=200")["data"]?["\(member)s"]?.array ?? []
            var item = list.first { $0["key"]?.string == definition.key }
            if item == nil {
                do {
                    item = try await client.post(path, definition.body)["data"]?[member]
                    created += 1
                } catch let failure as DemoClient.Failure where failure.status == 400 || failure.status == 422 {
                    skipped.append("\(definition.name): \(failure.message)")
                    continue
                }
            }
            guard definition.identify || definition.track, let item else { continue }
            let connected = item["connections"]?.array ?? []
            guard !connected.contains(where: { $0["destination"]?["id"]?.string == destination }) else { continue }
            _ = try await client.post(
                "\(path)/\(try text(item, "id"))/destination-connections",
                [
                    "destination": ["id": .string(destination), "type": "destination"],
                    "connectionSettings": [
                        "sendIdentify": .bool(definition.identify), "sendTrack": .bool(definition.track),
                    ],
                ])
        }
        return (created, skipped)
    }

    /// What the server says of itself.
    func status() async throws -> DemoStatus {
        let status = try await client.get("/status")["data"]?["status"] ?? .null
        var backfillDone = 0
        var backfillTotal = 0
        for kind in [("audiences", "audiences"), ("computed-traits", "computedTraits")] {
            let list = try await client.get("\(Self.space)/\(kind.0)?count=200")["data"]?[kind.1]?.array ?? []
            for item in list {
                backfillDone += item["backfill"]?["done"]?.integer ?? 0
                backfillTotal += item["backfill"]?["total"]?.integer ?? 0
            }
        }
        return DemoStatus(
            lag: status["engine"]?["lagRecords"]?.integer ?? 0,
            position: status["engine"]?["position"]?.integer ?? 0,
            users: status["profiles"]?["users"]?.integer ?? 0,
            waiting: status["totals"]?["waiting"]?.integer ?? 0,
            delivered: status["totals"]?["delivered"]?.integer ?? 0,
            backfillDone: backfillDone, backfillTotal: backfillTotal,
            residentBytes: status["memory"]?["residentBytes"]?.integer ?? 0)
    }

    private func text(_ value: JSONValue, _ key: String) throws -> String {
        guard let text = value[key]?.string else {
            throw Incomplete(description: "the server's answer lacks '\(key)': \(value)")
        }
        return text
    }
}

/// The numbers that the demo waits for.
struct DemoStatus: Sendable {
    /// Log records that are accepted but not yet applied.
    let lag: Int
    let position: Int
    let users: Int
    /// Emissions on their way to destinations.
    let waiting: Int
    let delivered: Int
    let backfillDone: Int
    /// Profiles that running backfills have to evaluate; 0 when none runs.
    let backfillTotal: Int
    let residentBytes: Int
}

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import JSON
import NIOCore
import Testing

@testable import BrazeSandbox

/// Over HTTP, with faults, across restarts.
@Suite struct ServerTests {
    private func server(_ change: (inout SandboxConfiguration) -> Void = { _ in }) throws -> BrazeSandboxServer {
        var configuration = SandboxConfiguration()
        configuration.port = 0
        configuration.switches.applyDelayMilliseconds = 0
        change(&configuration)
        return try BrazeSandboxServer(configuration)
    }

    private func headers(_ key: String = SandboxConfiguration.defaultKey) -> HTTPFields {
        [.authorization: "Bearer \(key)", .contentType: "application/json"]
    }

    private func body(_ json: JSONValue) -> ByteBuffer { ByteBuffer(bytes: json.utf8) }

    @Test("the application answers the API and its pages, and nothing is loaded from elsewhere")
    func http() async throws {
        let server = try server()
        try await server.application().test(.router) { client in
            let call = body(["attributes": [["external_id": "u1", "plan": "pro"]]])
            try await client.execute(uri: "/users/track", method: .post, headers: headers(), body: call) { answer in
                #expect(answer.status == .created)
                #expect(String(buffer: answer.body) == #"{"message":"success","attributes_processed":1}"#)
                #expect(answer.headers[HTTPField.Name("x-ratelimit-limit")!] == "3000")
            }
            try await client.execute(uri: "/users/track/", method: .post, headers: headers(), body: call) { answer in
                #expect(answer.status == .forbidden)
            }
            try await client.execute(uri: "/", method: .get) { #expect($0.status == .found) }
            for page in [
                "users", "users/abc", "segments/new", "campaigns", "canvases", "attributes", "events", "requests",
                "settings",
            ] {
                try await client.execute(uri: "/sandbox/\(page)", method: .get) { answer in
                    #expect(answer.status == .ok)
                    #expect(answer.headers[.contentSecurityPolicy]?.contains("default-src 'self'") == true)
                }
            }
            for asset in [
                "app.js", "dom.js", "users.js", "segments.js", "builder.js", "messages.js", "data.js", "requests.js",
                "settings.js", "style.css", "icon.svg",
            ] {
                try await client.execute(uri: "/sandbox/assets/\(asset)", method: .get) { answer in
                    #expect(answer.status == .ok)
                    let text = String(buffer: answer.body)
                    #expect(!text.contains("https://") && !text.contains("innerHTML"), "\(asset)")
                }
            }
            try await client.execute(uri: "/sandbox/assets/..%2Fx", method: .get) { #expect($0.status == .notFound) }
        }
    }

    @Test("a body of more than 4 MB over HTTP: 413")
    func large() async throws {
        try await server().application().test(.router) { client in
            let large = ByteBuffer(repeating: 0x20, count: SandboxRequest.maximumBodyBytes + 1)
            try await client.execute(uri: "/users/track", method: .post, headers: headers(), body: large) { answer in
                #expect(answer.status == .contentTooLarge)
            }
        }
    }

    @Test("over a socket: a lost answer closes the connection, and the call was applied")
    func lostAnswer() async throws {
        let server = try server()
        try await server.application().test(.live) { client in
            try await client.execute(
                uri: "/sandbox/api/faults", method: .put, headers: [.contentType: "application/json"],
                body: body(["next": [["kind": "lost_answer"]]])
            ) { #expect($0.status == .ok) }
            await #expect(throws: (any Error).self) {
                try await client.execute(
                    uri: "/users/track", method: .post, headers: headers(),
                    body: body(["attributes": [["external_id": "u1"]]])
                ) { _ in }
            }
        }
        #expect(server.sandbox.withState { $0.workspaces[0].profiles.count } == 1)
        #expect(server.sandbox.withState { $0.log.all.last { $0.path == "/users/track" }?.status } == 0)
    }

    @Test("the pages' API refuses forms and other sites")
    func origins() throws {
        let sandbox = try server().sandbox
        let reset = { (headers: [(name: String, value: String)]) in
            sandbox.answer(SandboxRequest("POST", "/sandbox/api/reset", headers: headers, body: Array("{}".utf8)))
                .status
        }
        #expect(reset([("content-type", "text/plain")]) == 415)
        #expect(
            reset([
                ("content-type", "application/json"), ("host", "127.0.0.1:7701"), ("origin", "https://evil.example"),
            ]) == 403)
        #expect(
            reset([
                ("content-type", "application/json"), ("host", "127.0.0.1:7701"), ("origin", "http://127.0.0.1:7701"),
            ]) == 200)
    }

    @Test("fault knobs: errors, 429, refused objects, down; switched over HTTP")
    func faults() throws {
        let test = try TestSandbox()
        let call: JSONValue = ["attributes": [["external_id": "u1"], ["external_id": "u2"]]]
        #expect(
            test.api(
                "PUT", "/faults", ["next": [["kind": "error", "count": 2], ["kind": "429"]], "error_status": 502]
            ).status == 200)
        #expect((0..<4).map { _ in test.post("/users/track", call).status } == [502, 502, 429, 201])
        #expect(test.api("PUT", "/faults", ["partial_error_rate": 1, "partial_error_text": "no luck"]).status == 200)
        let refused = test.post("/users/track", call)
        #expect(refused.status == 400)
        #expect(refused.json["errors"]?[1] == ["type": "no luck", "input_array": "attributes", "index": 1])
        #expect(test.api("PUT", "/faults", ["partial_error_rate": 0, "error_rate": 0.5]).status == 200)
        let statuses = (0..<200).map { _ in test.post("/users/track", call).status }
        #expect((60...140).contains(statuses.count { $0 == 502 }))
        #expect(test.api("PUT", "/faults", ["error_rate": 2]).status == 400)
        #expect(test.api("DELETE", "/faults", nil).json["error_rate"] == 0)
        #expect(test.post("/users/track", call).status == 201)
        _ = test.api("PUT", "/faults", ["down": true])
        #expect(test.post("/users/track", call).status == 503)
        #expect(test.api("GET", "/state", nil).status == 200, "the pages keep working")
    }

    // MARK: Restarts

    private func directory() -> String { NSTemporaryDirectory() + "sandbox-" + UUID().uuidString }

    private func fill(_ test: TestSandbox) throws {
        test.track(
            attributes: [
                [
                    "external_id": "u1", "plan": "pro", "since": "2024-01-31", "tags": ["a", "b"],
                    "address": ["city": "Rome"], "email": "ann@example.com", "country": "DE",
                ],
                ["external_id": "u2", "plan": "free"],
            ],
            events: [test.event("u1", "Opened", -1000), test.event("u1", "Opened", -90_000_000)],
            purchases: [["external_id": "u1", "product_id": "p", "currency": "EUR", "price": 9.5, "time": test.time()]])
        test.post("/users/alias/new", ["user_aliases": [["external_id": "u1", "alias_name": "n", "alias_label": "l"]]])
        test.post("/users/delete", ["external_ids": ["u2"]])
        try test.segment("s", [["kind": "attribute", "name": "plan", "op": "is_any_of", "value": ["pro"]]])
        _ = test.api("POST", "/campaigns", ["name": "c", "segments": ["s"]])
        _ = test.api("POST", "/attributes", ["name": "plan", "type": "string"])
        _ = test.api("POST", "/keys", ["name": "second", "secret": "second-key", "permissions": ["users.track"]])
        _ = test.api("PUT", "/switches", ["array_cap": 25])
        test.track(attributes: [["external_id": "u3", "plan": "pro"]])
    }

    /// Everything a restart must keep, as one text.
    private func state(_ test: TestSandbox) -> [String] {
        ["u1", "u2", "u3"].map { test.user($0)?.description ?? "none" } + [
            test.api("GET", "/segments/s/members", nil).json.object?["size"]?.description ?? "",
            test.api("GET", "/campaigns", nil).json.description, test.api("GET", "/catalogue", nil).json.description,
            test.api("GET", "/switches", nil).json.description,
            test.sandbox.withState { $0.keys.map(\.json.description).joined() },
            test.sandbox.withState {
                "\($0.workspaces[0].dataPoints) \($0.workspaces[0].touches) \($0.workspaces[0].profiles.nextOrdinal)"
            },
        ]
    }

    @Test("a restart keeps users, ids, segments, keys and switches, from the journal and from a snapshot alike")
    func restart() async throws {
        let directory = directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var first: TestSandbox? = try TestSandbox(directory: directory)
        try fill(try #require(first))
        let before = state(try #require(first))
        #expect(before[0] != "none" && before[1] == "none")
        first = nil

        var second: TestSandbox? = try TestSandbox(directory: directory)
        #expect(state(try #require(second)) == before)
        let sandbox = try #require(second?.sandbox)
        let journal = try #require(sandbox.journal)
        let generation = try journal.beginCompaction()
        let snapshot = sandbox.withState { Snapshot(of: $0) }
        second?.track(attributes: [["external_id": "u3", "plan": "free"]])
        try journal.finishCompaction(snapshot, generation: generation)
        let after = state(try #require(second))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == [
                "journal-1.jsonl", "lock", "snapshot-1.jsonl",
            ])
        second = nil
        _ = consume sandbox
        _ = consume journal

        let third = try TestSandbox(directory: directory)
        #expect(state(third) == after)
        #expect(third.attribute("u3", "plan") == "free")
        #expect(third.attribute("u1", "since") == "2024-01-31T00:00:00.000Z")
    }

    @Test("a torn last line and an unfinished snapshot do no harm; a second process is refused")
    func torn() throws {
        let directory = directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var first: TestSandbox? = try TestSandbox(directory: directory)
        first?.track(attributes: [["external_id": "u1", "plan": "pro"]])
        #expect(throws: (any Error).self) { _ = try TestSandbox(directory: directory) }
        first = nil
        let journal = directory + "/journal-0.jsonl"
        var data = try Data(contentsOf: URL(fileURLWithPath: journal))
        data.append(contentsOf: Array(#"{"at":1,"due":1,"in":"sandbox","track":{"attributes":[{"external"#.utf8))
        try data.write(to: URL(fileURLWithPath: journal))
        try Data(#"{"sandbox":1,"now":0}"#.utf8).write(to: URL(fileURLWithPath: directory + "/snapshot-7.jsonl"))
        var second: TestSandbox? = try TestSandbox(directory: directory)
        #expect(second?.attribute("u1", "plan") == "pro")
        second?.track(attributes: [["external_id": "u2", "plan": "free"]])
        second = nil
        #expect(try TestSandbox(directory: directory).attribute("u2", "plan") == "free")
    }

    @Test("calls that were waiting when the process ended are applied after the restart")
    func waiting() throws {
        let directory = directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var first: TestSandbox? = try TestSandbox(directory: directory) { $0.applyDelayMilliseconds = 30_000 }
        first?.track(attributes: [["external_id": "u1", "plan": "pro"]])
        #expect(first?.user("u1") == nil)
        first = nil
        let second = try TestSandbox(directory: directory, at: TestSandbox.start + 29_999)
        #expect(second.user("u1") == nil)
        second.advance(1)
        #expect(second.attribute("u1", "plan") == "pro")
    }

    @Test("a long journal is replaced by a snapshot beside the traffic")
    func compaction() async throws {
        let directory = directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var configuration = SandboxConfiguration()
        configuration.dataDirectory = directory
        configuration.compactionBytes = 20_000
        configuration.switches.applyDelayMilliseconds = 0
        do {
            let sandbox = try Sandbox(configuration)
            for index in 0..<400 {
                let call: JSONValue = ["attributes": [["external_id": .string("u\(index % 50)"), "n": .number(index)]]]
                let request = SandboxRequest(
                    "POST", "/users/track",
                    headers: [
                        ("authorization", "Bearer \(SandboxConfiguration.defaultKey)"),
                        ("content-type", "application/json"),
                    ],
                    body: call.utf8)
                #expect(sandbox.answer(request).status == 201)
            }
            try await eventually {
                try FileManager.default.contentsOfDirectory(atPath: directory).contains {
                    $0.hasPrefix("snapshot") && $0.hasSuffix("jsonl")
                }
            }
        }
        // The writer of the last snapshot holds the directory until it has finished.
        var reopened: Sandbox?
        try await eventually {
            reopened = try? Sandbox(configuration)
            return reopened != nil
        }
        #expect(reopened?.withState { $0.workspaces[0].profiles.count } == 50)
    }

    private func eventually(_ condition: () throws -> Bool) async throws {
        for _ in 0..<60_000 {
            if try condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("did not become true within ten minutes")
    }

    @Test("the request log shows calls without their keys, and keeps to its bounds")
    func log() throws {
        let test = try TestSandbox()
        for _ in 0..<2100 { test.post("/users/track", ["attributes": []]) }
        let page = test.api("GET", "/requests", nil, query: "limit=500").json
        #expect(page["total"] == 2100)
        #expect(page["requests"]?[0]?["number"] == 2100)
        #expect(test.api("GET", "/requests/100", nil).status == 404)
        let detail = test.api("GET", "/requests/2100", nil).json
        #expect(!detail.description.contains(TestSandbox.key))
        #expect(detail["request_headers"]?[0]?["value"]?.string?.hasSuffix("6789") == true)
        test.post("/users/track", ["attributes": [["external_id": "u1", "x": ["inc": "?"]], ["x": 1]]])
        let outcomes = test.api("GET", "/requests/2101", nil).json["outcomes"]?.array ?? []
        #expect(outcomes.map { $0["effect"] } == ["refused", "created"])
        #expect(outcomes.last?["notes"] == ["x: inc needs a whole number"])
        #expect(
            test.api("GET", "/requests", nil, query: "status=problems&limit=1").json["requests"]?[0]?["number"] == 2101)
    }

    @Test("keys are created with permissions and revoked; a workspace is reset alone")
    func keysAndReset() throws {
        let test = try TestSandbox()
        #expect(test.api("POST", "/keys", ["name": "k", "permissions": ["users.fly"]]).status == 400)
        #expect(test.api("POST", "/keys", ["name": "k", "allowlist": ["10.0.0.0/99"]]).status == 400)
        let key = test.api("POST", "/keys", ["name": "k", "permissions": ["users.track"]]).json
        let secret = try #require(key["secret"]?.string)
        #expect(test.post("/users/track", ["attributes": [["external_id": "u1"]]], key: secret).status == 201)
        #expect(test.api("POST", "/keys/\(key["id"]?.string ?? "")/revoke", [:]).status == 200)
        #expect(test.post("/users/track", ["attributes": [["external_id": "u1"]]], key: secret).status == 401)
        #expect(test.api("POST", "/reset", [:]).status == 200)
        #expect(test.userCount == 0)
        #expect(test.track(attributes: [["external_id": "u1"]]).status == 201)
        #expect(test.api("GET", "/users", nil, query: "workspace=none").status == 404)
    }

    @Test("data points are counted as Braze bills them")
    func dataPoints() throws {
        let test = try TestSandbox()
        test.track(attributes: [
            [
                "external_id": "u1", "a": 1, "b": nil, "email": "a@b.example", "address": ["city": "Rome", "zip": "1"],
                "tags": ["add": ["x", "y"]],
            ]
        ])
        // a, b and email 1 each, one per key of the object, one per added value.
        #expect(test.sandbox.withState { $0.workspaces[0].dataPoints } == 7)
        test.track(events: [test.event("u1", "Opened", properties: ["p": 1])])
        #expect(test.sandbox.withState { $0.workspaces[0].dataPoints } == 8)
    }
}

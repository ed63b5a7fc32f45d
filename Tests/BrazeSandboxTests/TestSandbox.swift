import JSON
import Synchronization
import Testing

@testable import BrazeSandbox

/// A sandbox with a clock in the test's hand. Unless a test is about the delay, calls take effect at once.
final class TestSandbox: Sendable {
    static let key = "test-key-0123456789"
    /// 2026-01-05T15:00:00Z, a whole number of hours.
    static let start: EpochMilliseconds = 1_767_625_200_000

    let sandbox: Sandbox

    init(
        keys: [SandboxConfiguration.Key] = [.init(secret: TestSandbox.key)], directory: String? = nil,
        at start: EpochMilliseconds = TestSandbox.start, _ change: (inout SandboxSwitches) -> Void = { _ in }
    ) throws {
        let box = ClockBox(start)
        var configuration = SandboxConfiguration()
        configuration.keys = keys
        configuration.dataDirectory = directory
        configuration.switches.applyDelayMilliseconds = 0
        change(&configuration.switches)
        configuration.clock = { box.now.withLock { $0 } }
        sandbox = try Sandbox(configuration)
        self.box = box
    }

    private let box: ClockBox

    var now: EpochMilliseconds {
        get { box.now.withLock { $0 } }
        set { box.now.withLock { $0 = newValue } }
    }

    func advance(_ milliseconds: EpochMilliseconds) { box.now.withLock { $0 += milliseconds } }

    /// `DateText.iso` of now plus an offset.
    func time(_ offset: EpochMilliseconds = 0) -> JSONValue { .string(DateText.iso(now + offset)) }

    struct Answer {
        let status: Int
        let headers: [(String, String)]
        let json: JSONValue

        func header(_ name: String) -> String? { headers.first { $0.0 == name }?.1 }
        var message: String? { json["message"]?.string }
    }

    @discardableResult
    func post(
        _ path: String, _ body: JSONValue, key: String? = TestSandbox.key, contentType: String? = "application/json",
        remote: String? = nil
    ) -> Answer {
        post(path, bytes: body.utf8, key: key, contentType: contentType, remote: remote)
    }

    func post(
        _ path: String, bytes: [UInt8]?, key: String? = TestSandbox.key, contentType: String? = "application/json",
        remote: String? = nil
    ) -> Answer {
        var headers: [(name: String, value: String)] = []
        if let key { headers.append(("authorization", "Bearer " + key)) }
        if let contentType { headers.append(("content-type", contentType)) }
        return send(SandboxRequest("POST", path, headers: headers, body: bytes, remoteAddress: remote))
    }

    func get(_ path: String, query: String = "", key: String? = TestSandbox.key) -> Answer {
        send(SandboxRequest("GET", path, query: query, headers: key.map { [("authorization", "Bearer " + $0)] } ?? []))
    }

    func send(_ request: SandboxRequest) -> Answer {
        let answer = sandbox.answer(request)
        return Answer(
            status: answer.status, headers: answer.headers, json: (try? JSONValue(parsing: answer.body)) ?? .null)
    }

    @discardableResult
    func track(attributes: [JSONValue]? = nil, events: [JSONValue]? = nil, purchases: [JSONValue]? = nil) -> Answer {
        var body = JSONObject()
        if let attributes { body["attributes"] = .array(attributes) }
        if let events { body["events"] = .array(events) }
        if let purchases { body["purchases"] = .array(purchases) }
        return post("/users/track", .object(body))
    }

    func event(_ user: String, _ name: String, _ offset: EpochMilliseconds = 0, properties: JSONValue? = nil)
        -> JSONValue
    {
        var object: JSONObject = ["external_id": .string(user), "name": .string(name), "time": time(offset)]
        if let properties { object["properties"] = properties }
        return .object(object)
    }

    /// The user as the export prints it; `nil` if unknown.
    func user(_ id: String, key: String = TestSandbox.key) -> JSONValue? {
        let fields = JSONValue.array(Workspace.exportFields.map { .string($0) })
        return post("/users/export/ids", ["external_ids": [.string(id)], "fields_to_export": fields], key: key).json[
            "users"]?[0]
    }

    func attribute(_ user: String, _ name: String) -> JSONValue? { self.user(user)?["custom_attributes"]?[name] }

    func event(_ user: String, named name: String) -> JSONValue? {
        self.user(user)?["custom_events"]?.array?.first { $0["name"]?.string == name }
    }

    var userCount: Int { sandbox.withState { $0.workspaces[0].profiles.count } }

    /// Sets a profile-independent setting as the pages do.
    func set(_ setting: Operation.Setting, _ body: JSONObject) {
        sandbox.withState { state in
            state.accept(
                Operation(workspace: "sandbox", at: state.now, due: state.now, change: .setting(setting, body)))
        }
    }
}

private final class ClockBox: Sendable {
    let now: Mutex<EpochMilliseconds>
    init(_ start: EpochMilliseconds) { now = Mutex(start) }
}

extension TestSandbox {
    /// A call of the pages' API.
    @discardableResult
    func api(_ method: String, _ path: String, _ body: JSONValue?, query: String = "") -> Answer {
        let headers: [(name: String, value: String)] = body == nil ? [] : [("content-type", "application/json")]
        return send(
            SandboxRequest(method, "/sandbox/api" + path, query: query, headers: headers, body: body?.utf8 ?? []))
    }

    func profile(_ id: String) -> Profile? {
        sandbox.withState { state in
            state.workspaces[0].ordinal(externalID: id).flatMap { state.workspaces[0].profile($0) }
        }
    }

    func type(_ attribute: String) -> AttributeType? {
        sandbox.withState { $0.workspaces[0].attributes.entry(attribute)?.type }
    }

    /// External ids, sorted, of those who match all (or any) of the filters; `nil` where the definition is refused.
    func members(_ filters: [JSONValue], join: String = "AND") -> [String]? {
        members(of: ["groups": [["join": .string(join), "filters": .array(filters)]]])
    }

    func members(of definition: JSONValue) -> [String]? {
        let answer = api("POST", "/segments/preview", definition, query: "limit=200")
        guard answer.status == 200 else { return nil }
        let ids = (answer.json["members"]?.array ?? []).map { $0["external_id"]?.string ?? "?" }.sorted()
        #expect(answer.json["size"]?.integer == ids.count)
        return ids
    }

    /// Saves a segment of one AND group.
    func segment(_ id: String, _ filters: [JSONValue]) throws {
        let answer = api(
            "POST", "/segments", ["id": .string(id), "name": .string(id), "groups": [["filters": .array(filters)]]])
        try #require(answer.status == 200, "\(answer.json)")
    }

    func segmentMembers(_ id: String) -> [String] {
        (api("GET", "/segments/\(id)/members", nil).json["members"]?.array ?? []).map {
            $0["external_id"]?.string ?? "?"
        }.sorted()
    }
}

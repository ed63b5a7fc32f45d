import EventLog
import Foundation
import JSON
import Logging
import Model
import Store

@testable import Engine

/// An engine over real files in a directory of its own, fed with calls whose times the test chooses.
final class TestInstallation {
    let directory: URL
    private(set) var log: EventLog
    private(set) var store: StateStore
    private(set) var engine: Engine
    private var messages = 0
    private let settings: Engine.Settings

    var historyDirectory: String { directory.appendingPathComponent("history").path }

    /// - Parameter historyRows: How many fresh rows of the history are written to disk together; `nil` for a history in
    ///   memory.
    init(historyRows: Int? = nil) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        log = try EventLog(path: directory.appendingPathComponent("log.sqlite").path)
        store = try StateStore(path: directory.appendingPathComponent("state.sqlite").path)
        var settings = Engine.Settings()
        if let historyRows {
            settings.historyDirectory = directory.appendingPathComponent("history").path
            settings.historyFlushRows = historyRows
        }
        self.settings = settings
        engine = try Engine(settings: settings, store: store, log: log)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// Closes everything and opens it again from the files.
    func reopen() throws {
        try log.close()
        log = try EventLog(path: directory.appendingPathComponent("log.sqlite").path)
        store = try StateStore(path: directory.appendingPathComponent("state.sqlite").path)
        engine = try Engine(settings: settings, store: store, log: log)
    }

    /// Appends to the Log, applies and commits.
    func apply(_ entries: [LogEntry], isBackfillHeld: Bool = false) async throws {
        _ = try await log.append(entries)
        try applyPending(isBackfillHeld: isBackfillHeld)
    }

    func applyPending(isBackfillHeld: Bool = false, batch: Int = 1000) throws {
        while engine.position < log.endOffset {
            engine.apply(Engine.batch(try log.read(from: engine.position, limit: batch)))
            try engine.commit()
        }
        if !isBackfillHeld {
            while engine.hasBackfill { engine.continueBackfill(limit: 7) }
            while engine.hasFirstSync { engine.continueFirstSync(limit: 7) }
            try engine.commit()
        }
    }

    /// Empties the records of the Log that have expired.
    func eraseExpired() throws {
        let retention = engine.retention
        guard let expiredAt = retention.expiredAt else { return }
        var memo = LogExpiryMemo()
        let end = min(retention.logEnd, engine.position)
        let expiry = LogExpiry(instant: expiredAt, floors: retention.floors, end: end)
        _ = try log.erase(expiry, memo: &memo)
    }

    func advance(to instant: Instant) throws {
        engine.advance(to: instant)
        try engine.commit()
    }

    // MARK: Words for tests

    func call(
        _ kind: Call.Kind, _ event: String? = nil, user: String? = nil, anonymous: String? = nil, group: String? = nil,
        at: Instant, received: Instant? = nil, id: String? = nil, body: JSONObject = [:]
    ) -> LogEntry {
        messages += 1
        return .call(
            Call(
                kind: kind, sourceID: "src", messageID: id ?? "m\(messages)", userID: user, anonymousID: anonymous,
                groupID: group, event: event, timestamp: at, receivedAt: received ?? at,
                body: JSONValue.object(body).utf8))
    }

    func track(
        _ event: String, user: String? = nil, anonymous: String? = nil, at: Instant, received: Instant? = nil,
        id: String? = nil, _ properties: JSONValue = [:]
    ) -> LogEntry {
        call(
            .track, event, user: user, anonymous: anonymous, at: at, received: received, id: id,
            body: ["properties": properties])
    }

    func identify(
        user: String? = nil, anonymous: String? = nil, at: Instant, received: Instant? = nil, _ traits: JSONValue
    ) -> LogEntry {
        call(.identify, user: user, anonymous: anonymous, at: at, received: received, body: ["traits": traits])
    }

    func create(
        _ kind: Computation.Kind, key: String, _ query: String, at: Instant, level: Computation.Level = .users,
        options: Computation.Options = .init()
    ) -> LogEntry {
        .command(
            .putComputation(
                Computation(
                    id: (kind == .audience ? "aud_" : "tra_") + key, kind: kind, level: level, key: key, name: key,
                    query: query, options: options, createdAt: at)),
            receivedAt: at)
    }

    func connect(
        _ id: String, to destinationID: String = "dst", identify: Bool = true, track: Bool = true, at: Instant
    ) -> LogEntry {
        .command(
            .connect(
                computationID: id,
                Connection(destinationID: destinationID, sendIdentify: identify, sendTrack: track)),
            receivedAt: at)
    }

    func destination(_ id: String = "dst", at: Instant) -> LogEntry {
        .command(
            .putDestination(
                Destination(id: id, kind: "braze", name: "Braze \(id)", settings: [:], createdAt: at)),
            receivedAt: at)
    }

    /// The value under a key on a person's profile; `nil` where none was ever computed.
    func value(_ key: String, user: String) -> JSONValue? {
        value(key, Identifier(type: "user_id", value: user))
    }

    func value(_ key: String, _ identifier: Identifier) -> JSONValue? {
        guard let profile = engine.profile(for: identifier) else { return nil }
        return engine.computedValues(of: profile).first { $0.key == key }?.value
    }

    func isMember(_ key: String, user: String) -> Bool { value(key, user: user) == true }

    /// The calls in the outbox, in order, as JSON.
    func outbox(_ destinationID: String = "dst") throws -> [JSONValue] {
        try store.pending(destinationID: destinationID, after: 0, limit: 100_000)
            .map { try JSONValue(parsing: $0.emission.payload) }
    }

    /// Like `identify big=true` or `Audience Entered big=true`, one per call in the outbox.
    func outboxInShort() throws -> [String] {
        try outbox().map { call in
            let bag = call["type"] == "identify" ? call["traits"] : call["properties"]
            let key = call["context"]?["personas"]?["computation_key"]?.string ?? ""
            let who = call["userId"]?.string ?? call["anonymousId"]?.string ?? "?"
            let what = call["event"]?.string ?? "identify"
            return "\(who): \(what) \(key)=\(bag?[key] ?? .null)"
        }
    }

    func transitions(user: String) throws -> [TransitionRow] {
        guard let profile = engine.profile(for: Identifier(type: "user_id", value: user)) else { return [] }
        return try store.transitions(profiles: engine.ordinals(of: profile), limit: 1000).reversed()
    }
}

let day = Instant.Span.days(1)
let hour = Instant.Span.hours(1)
let start = Instant(iso8601: "2026-03-01T00:00:00Z") ?? .epoch

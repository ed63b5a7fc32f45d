import JSON
import Model
import Store

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A directory that is removed with the value.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/muster-store-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template).map({ String(cString: $0) }) else {
            preconditionFailure("no temporary directory")
        }
        self.path = path
    }

    var stateFile: String { path + "/state.sqlite" }

    deinit {
        for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "copy.sqlite"] {
            unlink("\(path)/\(name)")
        }
        rmdir(path)
    }
}

/// A state file in a directory of its own, removed at the end.
func withStateFile<Value>(_ body: (String) throws -> Value) throws -> Value {
    let directory = TemporaryDirectory()
    return try withExtendedLifetime(directory) { try body(directory.stateFile) }
}

func withStore<Value>(
    retention: StateStore.Retention = StateStore.Retention(), _ body: (StateStore) throws -> Value
) throws -> Value {
    try withStateFile { path in
        let store = try StateStore(path: path, retention: retention)
        defer { try? store.close() }
        return try body(store)
    }
}

func at(_ seconds: Int64) -> Instant { Instant(milliseconds: seconds * 1000) }

extension Computation {
    static func fixture(_ id: String = "aud_1") -> Computation {
        Computation(
            id: id, kind: .audience, key: id + "_key", name: id, query: "event('A').count() >= 1", createdAt: at(0))
    }
}

extension Destination {
    static func fixture(_ id: String = "dst_1") -> Destination {
        Destination(id: id, kind: "braze", name: id, settings: ["endpoint": "https://x.test"], createdAt: at(0))
    }
}

extension StateChanges {
    /// One computation, one destination, one profile.
    static var start: StateChanges {
        var changes = StateChanges()
        changes.computations = [.fixture()]
        changes.destinations = [.fixture()]
        changes.profiles = [.fixture(0)]
        return changes
    }

    /// A value of each of five profiles.
    static func values(of computationID: String, transition: Int64) -> StateChanges {
        var changes = StateChanges()
        changes.values = (0..<5).map {
            ComputedValueRow(
                computationID: computationID, ordinal: ProfileOrdinal($0), value: true, changedAt: at(0),
                transition: transition)
        }
        return changes
    }

    static func emissions(_ emissions: [Emission]) -> StateChanges {
        var changes = StateChanges()
        changes.emissions = emissions
        return changes
    }
}

extension ProfileRow {
    static func fixture(_ ordinal: UInt32, _ collection: Identifier.Collection = .users) -> ProfileRow {
        ProfileRow(
            ordinal: ProfileOrdinal(ordinal), collection: collection, segmentID: "use_\(ordinal)",
            createdAt: at(Int64(ordinal)), firstMessageID: "m\(ordinal)", firstSourceID: "src")
    }
}

extension IdentifierRow {
    static func fixture(_ sequence: Int64, owner: UInt32, _ type: String, _ value: String) -> IdentifierRow {
        IdentifierRow(
            identifier: Identifier(type: type, value: value), owner: ProfileOrdinal(owner), sequence: sequence,
            createdAt: at(sequence), sourceID: "src", firstMessageID: "m\(sequence)")
    }
}

extension Emission {
    static func fixture(
        _ messageID: String, profile: UInt32 = 0, destination: String = "dst_1", computation: String = "aud_1",
        kind: Kind = .identify
    ) -> Emission {
        Emission(
            destinationID: destination, computationID: computation, computationKey: computation + "_key",
            profile: ProfileOrdinal(profile), kind: kind, messageID: messageID, timestamp: at(5),
            payload: Array(#"{"type":"identify"}"#.utf8))
    }
}

extension StateChanges {
    static func start(with computation: Computation) -> StateChanges {
        var changes = StateChanges()
        changes.computations = [computation]
        return changes
    }
}

public import Model
import Synchronization

/// Which source a write key belongs to, and whose calls are turned away. The engine replaces both whenever they change.
public final class SourceDirectory: Sendable {
    private let byKey: Mutex<[String: Source]>
    private let suppressed = Mutex<Set<String>>([])

    public init(_ sources: [Source] = []) {
        byKey = Mutex([:])
        replace(with: sources)
    }

    public func replace(with sources: [Source]) {
        let byKey = Dictionary(sources.map { ($0.writeKey, $0) }, uniquingKeysWith: { first, _ in first })
        self.byKey.withLock { $0 = byKey }
    }

    public func replaceSuppressed(with userIDs: Set<String>) { suppressed.withLock { $0 = userIDs } }

    /// Whether nothing may be kept of a call (spec: collection §6.4).
    func isSuppressed(_ call: Call) -> Bool {
        guard let userID = call.userID else { return false }
        return suppressed.withLock { $0.contains(userID) }
    }

    public func source(writeKey: String) -> Source? { byKey.withLock { $0[writeKey] } }

    public var sources: [Source] { byKey.withLock { $0.values.sorted { $0.id < $1.id } } }
}

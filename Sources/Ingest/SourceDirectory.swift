public import Model
import Synchronization

/// Which source a write key belongs to. The engine replaces the whole list whenever sources change.
public final class SourceDirectory: Sendable {
    private let byKey: Mutex<[String: Source]>

    public init(_ sources: [Source] = []) {
        byKey = Mutex([:])
        replace(with: sources)
    }

    public func replace(with sources: [Source]) {
        let byKey = Dictionary(sources.map { ($0.writeKey, $0) }, uniquingKeysWith: { first, _ in first })
        self.byKey.withLock { $0 = byKey }
    }

    public func source(writeKey: String) -> Source? { byKey.withLock { $0[writeKey] } }

    public var sources: [Source] { byKey.withLock { $0.values.sorted { $0.id < $1.id } } }
}

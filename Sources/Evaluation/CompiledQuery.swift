public import History
import JSON
public import Model
public import Query

/// A definition made ready for evaluation: names resolved to tables and columns as they appear. Keeps caches, so it
/// belongs to the isolation of its `History`, and must be used with that one only.
public final class CompiledQuery {
    public let definition: Definition

    public init(_ definition: Definition) {
        self.definition = definition
    }

    public func evaluate(
        _ subject: Subject, evidence: Evidence = .everything, in history: History, at now: Instant
    ) -> Evaluation {
        Evaluation(value: .null)
    }
}

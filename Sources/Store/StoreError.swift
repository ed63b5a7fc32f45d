/// What the store itself refuses. Errors of SQLite (disk full, constraint, damaged file) arrive as GRDB's
/// `DatabaseError`.
public enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file was written by a newer version.
    case newerSchema
    /// SQLite does not sync as ordered; the value that `PRAGMA synchronous` read back.
    case notDurable(synchronous: Int)
    /// A row belongs to a computation that is not stored.
    case unknownComputation(String)
    /// An emission goes to a destination that is not stored.
    case unknownDestination(String)
    /// What is stored can't be read back.
    case corrupt(String)
    case closed
    /// The disk does not take the sorted changes.
    case runsNotWritten(String)

    public var description: String {
        switch self {
        case .newerSchema:
            "state.sqlite was written by a newer version of Muster; start that version or restore a backup"
        case .notDurable(let synchronous):
            "state.sqlite could not be set to synchronous=FULL (it reads \(synchronous)); accepted data might be lost"
        case .unknownComputation(let id): "a change belongs to computation '\(id)', which is not stored"
        case .unknownDestination(let id): "an emission goes to destination '\(id)', which is not stored"
        case .corrupt(let what): "state.sqlite is damaged: \(what); restore a backup"
        case .closed: "state.sqlite is closed"
        case .runsNotWritten(let why): "changes can't be written in their order to state.sqlite: \(why)"
        }
    }
}

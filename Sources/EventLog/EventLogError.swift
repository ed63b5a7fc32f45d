/// Why the Log refused or failed. Every message says what to do.
public enum EventLogError: Error, Hashable, Sendable, CustomStringConvertible {
    /// More bytes wait for the disk than the limit allows. Nothing of the refused append was kept.
    case overloaded(retryAfterSeconds: Int)
    /// The disk refused the commit; none of the entries of that group is in the Log.
    case writeFailed(reason: String)
    /// The file can't be used as it is; opening stopped before changing anything.
    case unusable(path: String, reason: String)
    /// What is stored at this offset is not what was written.
    case corrupt(offset: Int64, reason: String)
    /// Asked for a record that does not exist.
    case noSuchRecord(offset: Int64, endOffset: Int64)
    /// The Log was closed.
    case closed

    public var description: String {
        switch self {
        case .overloaded(let seconds):
            "the Log has more waiting than it may hold: try again in \(seconds) s"
        case .writeFailed(let reason):
            "the Log could not be written, nothing of this append was kept (\(reason)): check the disk's free space"
                + " and health, then send again"
        case .unusable(let path, let reason):
            "\(path) can't be opened as a Log: \(reason)"
        case .corrupt(let offset, let reason):
            "the Log is damaged at offset \(offset) (\(reason)): restore log.sqlite from a backup"
        case .noSuchRecord(let offset, let end):
            "the Log has no record \(offset): it holds 0 to \(end - 1)"
        case .closed:
            "the Log is closed: the program is shutting down"
        }
    }

    /// A bounded name for counters.
    public var shortDescription: String {
        switch self {
        case .overloaded: "overloaded"
        case .writeFailed: "write_failed"
        case .unusable: "unusable"
        case .corrupt: "corrupt"
        case .noSuchRecord: "no_such_record"
        case .closed: "closed"
        }
    }
}

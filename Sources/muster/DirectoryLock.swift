import Foundation

/// Holds a data directory for one process: two servers on one directory would write over each other. The system frees it
/// when the process ends, however it ends.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    init(_ directory: URL) throws {
        let path = directory.appendingPathComponent("lock").path
        descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ServerError("can't write to \(directory.path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw ServerError(
                "another Muster runs on \(directory.path): stop it first, or give this one a directory of its own "
                    + "with --data")
        }
    }

    deinit { close(descriptor) }
}

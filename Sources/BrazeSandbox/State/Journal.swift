import Foundation
import JSON
import Synchronization

/// The sandbox's memory over restarts.
///
/// `journal-N.jsonl` has one line per operation, written before the answer goes out; `snapshot-N.jsonl` is the state
/// before the first line of journal N. When a journal has grown large, the next one is begun and the snapshot that goes
/// before it is written beside the traffic; only then the older files go. A restart reads the newest complete snapshot and
/// the journals from its number on.
///
/// A killed process loses nothing that it answered: lines are written with `write(2)`. Only a crash of the machine may lose
/// the last moments. A torn last line is left out.
final class Journal: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ action: String, _ path: String) {
            description = "cannot \(action) \(path): \(String(cString: strerror(errno)))"
        }

        init(_ description: String) { self.description = description }
    }

    private struct Current {
        var generation: Int
        var descriptor: Int32
        var bytes: Int
        var isCompacting = false
    }

    private let directory: String
    private let lock: Int32
    private let current: Mutex<Current>
    /// A journal longer than this is replaced by a snapshot.
    let compactionBytes: Int

    /// Opens a directory, which only one process may do at a time, and restores its state.
    init(directory: String, compactionBytes: Int = 64 << 20, restoring state: inout SandboxState) throws {
        self.directory = directory
        self.compactionBytes = compactionBytes
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw Failure("cannot create the directory \(directory): \(error.localizedDescription)")
        }
        lock = try Journal.lock(directory)
        do {
            let generation = try Journal.restore(directory, into: &state)
            let path = Journal.path(directory, "journal", generation)
            let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw Failure("open", path) }
            let size = Int(lseek(descriptor, 0, SEEK_END))
            current = Mutex(Current(generation: generation, descriptor: descriptor, bytes: size))
            // A torn last line must not swallow the next one.
            if size > 0 { try Journal.write([UInt8(ascii: "\n")], to: descriptor, path) }
        } catch {
            close(lock)
            throw error
        }
    }

    deinit {
        current.withLock { _ = close($0.descriptor) }
        close(lock)
    }

    private static func lock(_ directory: String) throws -> Int32 {
        let path = directory + "/lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("open", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw Failure(
                "the directory \(directory) is in use by another sandbox; stop it or choose another directory")
        }
        return descriptor
    }

    private static func path(_ directory: String, _ kind: String, _ generation: Int) -> String {
        "\(directory)/\(kind)-\(generation).jsonl"
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(Failure) {
        var start = 0
        while start < bytes.count {
            let written = bytes.withUnsafeBytes { buffer in
                Foundation.write(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw Failure("write", path) }
            start += written
        }
    }

    /// Writes an operation. True when the journal has become long enough to be replaced; then call ``beginCompaction``.
    func append(_ json: JSONValue) throws(Failure) -> Bool {
        var bytes = json.utf8
        bytes.append(UInt8(ascii: "\n"))
        return try current.withLock { current throws(Failure) in
            try Journal.write(bytes, to: current.descriptor, Journal.path(directory, "journal", current.generation))
            current.bytes += bytes.count
            return current.bytes > compactionBytes && !current.isCompacting
        }
    }

    /// Begins the next journal. The state at this moment is the snapshot to give to ``finishCompaction``.
    func beginCompaction() throws(Failure) -> Int {
        try current.withLock { current throws(Failure) in
            let path = Journal.path(directory, "journal", current.generation + 1)
            let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_TRUNC, 0o600)
            guard descriptor >= 0 else { throw Failure("open", path) }
            close(current.descriptor)
            current = Current(generation: current.generation + 1, descriptor: descriptor, bytes: 0, isCompacting: true)
            return current.generation
        }
    }

    /// Writes the snapshot that goes before journal `generation`, and removes what it replaces.
    func finishCompaction(_ snapshot: Snapshot, generation: Int) throws(Failure) {
        defer { current.withLock { $0.isCompacting = false } }
        let path = Journal.path(directory, "snapshot", generation)
        let descriptor = open(path + ".tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("open", path + ".tmp") }
        defer { close(descriptor) }
        var buffer: [UInt8] = []
        try snapshot.write { line throws(Failure) in
            buffer += line.utf8
            buffer.append(UInt8(ascii: "\n"))
            if buffer.count > 1 << 20 {
                try Journal.write(buffer, to: descriptor, path)
                buffer.removeAll(keepingCapacity: true)
            }
        }
        try Journal.write(buffer, to: descriptor, path)
        guard fsync(descriptor) == 0, rename(path + ".tmp", path) == 0 else { throw Failure("finish", path) }
        for (kind, number) in Journal.files(directory) where number < generation {
            unlink(Journal.path(directory, kind, number))
        }
    }

    // MARK: Reading

    private static func files(_ directory: String) -> [(kind: String, generation: Int)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.compactMap { name in
            let parts = name.split(whereSeparator: { $0 == "-" || $0 == "." })
            guard parts.count == 3, parts[2] == "jsonl", let number = Int(parts[1]) else { return nil }
            return (String(parts[0]), number)
        }
    }

    /// Reads the newest complete snapshot and what follows; the number of the journal to go on with.
    private static func restore(_ directory: String, into state: inout SandboxState) throws -> Int {
        let files = files(directory)
        let fresh = state
        var first = 0
        for generation in files.filter({ $0.kind == "snapshot" }).map(\.generation).sorted(by: >) {
            var reader = Snapshot.Reader()
            var candidate = fresh
            try lines(path(directory, "snapshot", generation)) { reader.read($0, into: &candidate) }
            guard reader.isComplete else { continue }
            state = candidate
            first = generation
            break
        }
        let journals = files.filter { $0.kind == "journal" && $0.generation >= first }.map(\.generation).sorted()
        for generation in journals {
            try lines(path(directory, "journal", generation)) { json in
                guard let operation = Operation(json, switches: state.switches) else { return }
                state.advance(to: operation.at)
                state.accept(operation)
            }
        }
        return journals.last ?? first
    }

    /// Gives every line that is JSON to `body`.
    private static func lines(_ path: String, _ body: (JSONValue) -> Void) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("open", path) }
        defer { close(descriptor) }
        var rest: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure("read", path) }
            if count == 0 { break }
            var start = 0
            while let end = chunk[start..<count].firstIndex(of: UInt8(ascii: "\n")) {
                let line = rest + chunk[start..<end]
                rest.removeAll(keepingCapacity: true)
                if !line.isEmpty, let json = try? JSONValue(parsing: line) { body(json) }
                start = end + 1
            }
            rest += chunk[start..<count]
        }
        if !rest.isEmpty, let json = try? JSONValue(parsing: rest) { body(json) }
    }
}

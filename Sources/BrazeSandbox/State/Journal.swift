import Foundation
import JSON

/// The sandbox's memory over restarts: one line of JSON per operation, written before the answer goes out.
///
/// A killed process loses nothing that it answered (the file is written with `write(2)`; only a crash of the machine may
/// lose the last moments). A torn last line is left out.
final class Journal: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let path: String
    private let descriptor: Int32

    init(directory: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw Failure(description: "cannot create the directory \(directory): \(error.localizedDescription)")
        }
        path = directory + "/journal.jsonl"
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(description: "cannot open \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    func append(_ json: JSONValue) throws(Failure) {
        var bytes = json.utf8
        bytes.append(UInt8(ascii: "\n"))
        var start = 0
        while start < bytes.count {
            let written = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress?.advanced(by: start), $0.count - start)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                throw Failure(description: "cannot write \(path): \(String(cString: strerror(errno)))")
            }
            start += written
        }
    }

    func restore(into state: inout SandboxState) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        for line in data.split(separator: UInt8(ascii: "\n")) {
            guard let json = try? JSONValue(parsing: line), let operation = Operation(json, switches: state.switches)
            else {
                continue
            }
            state.advance(to: operation.at)
            state.accept(operation)
        }
    }
}

import ArgumentParser
import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOHTTP1

/// This program as a process of its own, so that its share of the machine can be told apart.
final class ChildProcess {
    enum Kind {
        case sandbox
        /// Muster itself, with its files in a directory.
        case server(directory: String)
        /// Plain HTTP by a framework.
        case plain(BenchCommand.PlainCommand.Framework)
    }

    let port: Int
    private let process = Process()

    var address: String { "http://127.0.0.1:\(port)" }

    init(_ kind: Kind) throws {
        port = Int.random(in: 20_000...60_000)
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments =
            switch kind {
            case .sandbox: ["sandbox", "--port", "\(port)"]
            case .plain(let framework): ["bench", "plain", "--port", "\(port)", "--with", framework.rawValue]
            case .server(let directory): ["serve", "--port", "\(port)", "--data", directory]
            }
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }

    // MARK: Over HTTP

    func waitUntilAnswering(_ path: String) async throws {
        for _ in 0..<200 {
            if (try? await get(path)) != nil { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw ValidationError("the process does not start: \((process.arguments ?? []).joined(separator: " "))")
    }

    /// The JSON of an answer.
    func get(_ path: String) async throws -> JSONValue {
        try await answer(to: HTTPClientRequest(url: address + path))
    }

    @discardableResult
    func post(_ path: String, _ body: JSONValue) async throws -> JSONValue {
        var request = HTTPClientRequest(url: address + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(body.utf8)
        return try await answer(to: request)
    }

    private func answer(to request: HTTPClientRequest) async throws -> JSONValue {
        let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let body = try await answer.body.collect(upTo: 1 << 24)
        guard answer.status.code < 400 else {
            throw ValidationError("\(request.url) answers \(answer.status): \(String(buffer: body))")
        }
        return try JSONValue(parsing: body.readableBytesView)
    }

    // MARK: What it uses

    var usage: Usage { usageReader() }

    /// For other tasks.
    var usageReader: @Sendable () -> Usage {
        { [id = process.processIdentifier] in Usage(of: "\(id)") }
    }
}

/// What a process has used so far.
struct Usage {
    /// User and system time in seconds.
    var cpuSeconds: Double
    var residentBytes: Int
    /// Of them, what is in no file: pages of mapped files are the system's to take back.
    var anonymousBytes: Int

    /// From fields 14 and 15 of `/proc/<pid>/stat`, and from `statm`.
    init(of process: String = "self") {
        let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        let ticks = fields.count > 12 ? (Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0) : 0
        cpuSeconds = ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        let pages = (try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)) ?? ""
        let counts = pages.split(separator: " ")
        let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
        residentBytes = counts.count > 2 ? (Int(counts[1]) ?? 0) * pageSize : 0
        anonymousBytes = counts.count > 2 ? residentBytes - (Int(counts[2]) ?? 0) * pageSize : 0
    }
}

extension Usage {
    /// Resident megabytes, and those in no file.
    var megabytes: String { "\(residentBytes >> 20) (\(anonymousBytes >> 20))" }
}

/// The most memory that a process had in each ten seconds.
struct MemoryCurve {
    private let start = ContinuousClock.now
    private var spans: [Usage] = []

    mutating func add(_ usage: Usage) {
        let span = Int(secondsPassed(since: start) / 10)
        guard span == spans.count - 1 else { return spans.append(usage) }
        spans[span].residentBytes = max(spans[span].residentBytes, usage.residentBytes)
        spans[span].anonymousBytes = max(spans[span].anonymousBytes, usage.anonymousBytes)
    }

    var text: String { spans.map(\.megabytes).joined(separator: ", ") }
}

import HTTPTypes
import Hummingbird
import JSON
import NIOCore

/// Why a request can't be read; the client gets 400.
struct Refusal: Error {
    var code: IngestCode
    var message: String

    static let tooLarge = Refusal(code: .payloadTooLarge, message: "Exceed payload limit")
    static let tooMuch = Refusal(code: .rateLimited, message: "Too much is coming in: send again later")
}

/// The decoded body of a request: collected, decompressed, parsed, each within its limit (spec: collection §1.6, §1.7).
struct RequestDecoder {
    var bytesMax: Int
    var admission: Admission

    /// - Parameters:
    ///   - held: Bytes that the request has been admitted with, also where this fails.
    ///   - mayBeRead: Asked with the body's size once it is there, before it is parsed.
    func decode(
        _ request: Request, holding held: inout Int, mayBeRead: (Int) -> Bool
    ) async throws -> Result<JSONDocument, Refusal> {
        let isCompressed: Bool
        switch (request.headers[.contentEncoding] ?? "").lowercased() {
        case "", "identity": isCompressed = false
        case "gzip", "x-gzip": isCompressed = true
        case let other:
            try await drain(request)
            return .failure(
                Refusal(code: .badRequest, message: "Content-Encoding '\(other.prefix(40))' is not supported"))
        }
        // What is compressed is rarely larger than before, and never by more than this.
        let wireMax = isCompressed ? bytesMax + bytesMax / 1000 + 1024 : bytesMax
        var bytes: [UInt8]
        switch try await collect(request, upTo: wireMax, holding: &held) {
        case .success(let collected): bytes = collected
        case .failure(let refusal): return .failure(refusal)
        }
        if isCompressed {
            do {
                bytes = try inflateGzip(bytes, bytesMax: bytesMax)
                guard admission.enter(bytes.count) else { return .failure(.tooMuch) }
                held += bytes.count
            } catch .tooLarge {
                return .failure(.tooLarge)
            } catch {
                return .failure(Refusal(code: .badRequest, message: "The body is not valid gzip"))
            }
        }
        guard mayBeRead(bytes.count) else { return .failure(.tooMuch) }
        do {
            let document = try RequestDecoder.parse(bytes)
            guard document.root.kind == .object else {
                return .failure(Refusal(code: .badRequest, message: "The body is not a JSON object"))
            }
            return .success(document)
        } catch {
            return .failure(Refusal(code: .invalidJSON, message: "Malformed JSON: \(error)"))
        }
    }

    /// Strictly first; then with the bare NaN and Infinity that Python's clients send read as null.
    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONDocument {
        do {
            return try JSONDocument(parsing: bytes)
        } catch {
            guard let document = try? JSONDocument(parsing: bytes, readsNonFiniteAsNull: true) else { throw error }
            return document
        }
    }

    /// The body. Where it is longer than `bytesMax` or more than may be held, the rest is read and forgotten, so that a
    /// client in the middle of sending sees the answer.
    private func collect(
        _ request: Request, upTo bytesMax: Int, holding held: inout Int
    ) async throws -> Result<[UInt8], Refusal> {
        var bytes: [UInt8] = []
        var refusal: Refusal?
        for try await chunk in request.body {
            guard refusal == nil else { continue }
            if bytes.count + chunk.readableBytes > bytesMax {
                refusal = .tooLarge
            } else if !admission.enter(chunk.readableBytes) {
                refusal = .tooMuch
            } else {
                held += chunk.readableBytes
                if bytes.isEmpty, let length = request.headers[.contentLength].flatMap({ Int($0) }) {
                    bytes.reserveCapacity(min(max(length, 0), bytesMax))
                }
                bytes.append(contentsOf: chunk.readableBytesView)
                continue
            }
            bytes = []
            admission.leave(held)
            held = 0
        }
        return refusal.map { .failure($0) } ?? .success(bytes)
    }

    private func drain(_ request: Request) async throws {
        for try await _ in request.body {}
    }
}

/// Which write key a request presents (spec: collection §1.4).
enum WriteKey {
    /// Basic's user name, then the body's key, then the first message's.
    static func resolve(authorization: String?, body: JSONView) -> String? {
        if let key = basicUserName(authorization) { return key }
        if let key = body["writeKey"]?.string, !key.isEmpty { return key }
        let first = body["batch"]?.elements.first { _ in true }
        return first?["writeKey"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The user name of HTTP Basic; a value without a colon is one as a whole.
    static func basicUserName(_ authorization: String?) -> String? {
        guard let authorization else { return nil }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic",
            let decoded = decodeBase64(parts[1].utf8.filter { $0 != 0x20 })
        else { return nil }
        let name = String(decoding: decoded.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
        return name.isEmpty ? nil : name
    }
}

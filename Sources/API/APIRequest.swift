import HTTPTypes
import Hummingbird
import JSON
import Model
import NIOCore

/// A request of the API, read whole: what handlers get.
struct APIRequest: Sendable {
    let parameters: [String: String]
    let query: QueryParameters
    let body: JSONObject

    /// A part of the path, decoded.
    func parameter(_ name: String) -> String { parameters[name] ?? "" }

    /// Bytes of a body at most.
    static let maximumBodyBytes = 1 << 20

    init(_ request: Request, context: some RequestContext) async throws {
        var parameters: [String: String] = [:]
        for (name, value) in context.parameters {
            guard let decoded = PercentEncoding.decode(value) else {
                throw APIError(.badRequest, "The address holds a broken percent escape: '\(String(value).prefixText)'.")
            }
            parameters[String(name)] = decoded
        }
        self.parameters = parameters
        query = QueryParameters(request.uri.query ?? "")
        body = try await APIRequest.readBody(of: request)
    }

    private static func readBody(of request: Request) async throws -> JSONObject {
        guard request.method == .post || request.method == .patch || request.method == .put else { return [:] }
        let tooLarge = APIError(
            .contentTooLarge, "The body is larger than \(maximumBodyBytes) bytes: send less at a time.")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > maximumBodyBytes { throw tooLarge }
        var bytes: [UInt8] = []
        for try await buffer in request.body {
            guard bytes.count + buffer.readableBytes <= maximumBodyBytes else { throw tooLarge }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        if bytes.isEmpty { return [:] }
        do {
            let value = try JSONValue(parsing: bytes)
            guard let object = value.object else {
                throw APIError(.badRequest, "The body must be a JSON object: begin it with '{'.")
            }
            return object
        } catch let error as JSONError {
            throw APIError(.badRequest, "The body is not valid JSON: \(error).")
        }
    }

    /// The body's members, to be read one by one.
    var fields: Fields { Fields(body) }
}

/// The part of an address after `?`. The first of repeated names counts.
struct QueryParameters: Sendable {
    private var values: [String: String] = [:]

    init(_ text: String) {
        for pair in text.split(separator: "&").prefix(100) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decode(parts[0], plusIsSpace: true),
                let value = PercentEncoding.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
            else { continue }
            if values[name] == nil { values[name] = value }
        }
    }

    subscript(name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    func bool(_ name: String) throws(APIError) -> Bool? {
        switch self[name] {
        case nil: nil
        case "true": true
        case "false": false
        default: throw APIError(.badRequest, field: name, "'\(name)' must be true or false.")
        }
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = self[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw APIError(
                .badRequest, field: name,
                "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    func instant(_ name: String) throws(APIError) -> Instant? {
        guard let text = self[name] else { return nil }
        guard let instant = Instant(iso8601: text) else {
            throw APIError(.badRequest, field: name, "'\(name)' must be a time like 2026-01-31T12:00:00Z.")
        }
        return instant
    }
}

/// `%41` and back. Foundation's own is lenient in ways that differ between versions.
enum PercentEncoding {
    /// `nil` where an escape is broken or the result is not UTF-8.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(hexDigit), let low = iterator.next().flatMap(hexDigit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Everything but unreserved characters becomes an escape.
    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                encoded.append(Character(Unicode.Scalar(byte)))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return encoded
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
    }
}

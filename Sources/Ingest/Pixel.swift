import HTTPTypes
import Hummingbird
import JSON
import Model
import NIOCore

/// A transparent GIF of one pixel.
private let pixelImage = ByteBuffer(bytes: [
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF,
    0x21, 0xF9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2C, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x02,
    0x01, 0x44, 0x00, 0x3B,
])

extension Ingest {
    /// A message in the query of an image's URL, for e-mails (spec: collection §1.13). The answer is the image whatever
    /// happens; what went wrong stands in the journal.
    func pixel(_ request: Request, type: String, peer: String?) async -> Response {
        var headers = headers(for: request)
        headers[.contentType] = "image/gif"
        headers[.cacheControl] = "no-store"
        await storePixel(request, type: type, peer: peer)
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: pixelImage))
    }

    private func storePixel(_ request: Request, type: String, peer: String?) async {
        let ticket = gate.enter()
        defer { gate.leave(ticket) }
        let receivedAt = ticket.receivedAt
        var record = IngestJournal.Request(receivedAt: receivedAt)
        func note(_ code: IngestCode) {
            record.code = code
            record.entry = IngestJournal.Entry(receivedAt: receivedAt, code: code)
            journal.record(record, sourceID: nil)
        }
        guard let kind = Call.Kind.allCases.first(where: { $0.name == type }) else { return note(.unknownType) }
        guard var message = PixelQuery.message(request.uri.query ?? "") else { return note(.badRequest) }
        guard let key = message["writeKey"]?.string, !key.isEmpty else { return note(.missingWriteKey) }
        var context = message["context"]?.object ?? [:]
        if context["userAgent"] == nil, let agent = request.headers[.userAgent] {
            context["userAgent"] = .string(agent)
        }
        if context["ip"] == nil, let address = clientAddress(request, peer: peer) { context["ip"] = .string(address) }
        message["context"] = .object(context)
        guard let document = try? JSONDocument(parsing: JSONValue.object(message).utf8) else {
            return note(.badRequest)
        }
        let source = sources.source(writeKey: key)
        guard let source, source.enabled else {
            let code = source == nil ? IngestCode.unknownSource : .sourceDisabled
            var entry = IngestJournal.Entry(rejected: document.root, code: code, receivedAt: receivedAt)
            if source == nil { entry.writeKey = String(key.prefix(100)) }
            record.rejected = [entry]
            return journal.record(record, sourceID: source?.id)
        }
        let reader = MessageReader(
            kind: kind, envelope: .none, sourceID: source.id, receivedAt: receivedAt, clientAddress: { nil })
        read([document.root], with: reader, &record)
        _ = await store(record, source: source, request)
    }
}

enum PixelQuery {
    /// The message in a query: base64 JSON under `data`, or members under dotted names; `nil` if it holds neither.
    /// A write key beside `data` counts if the data has none.
    static func message(_ query: String) -> JSONObject? {
        var parameters: [(name: String, value: String)] = []
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            parameters.append((decode(pair[0]), pair.count == 2 ? decode(pair[1]) : ""))
        }
        if let data = parameters.last(where: { $0.name == "data" })?.value {
            // Base64 is optional.
            let json = data.utf8.first == UInt8(ascii: "{") ? Array(data.utf8) : decodeBase64(data.utf8)
            guard let json, let document = try? RequestDecoder.parse(json),
                case .object(var message) = JSONValue(document.root)
            else { return nil }
            if message["writeKey"] == nil, let key = parameters.last(where: { $0.name == "writeKey" })?.value {
                message["writeKey"] = .string(key)
            }
            return message
        }
        var message = JSONObject()
        for (name, value) in parameters {
            set(value, at: name.split(separator: ".", maxSplits: 31).map(String.init), in: &message)
        }
        return message.isEmpty ? nil : message
    }

    private static func set(_ value: String, at path: [String], in object: inout JSONObject) {
        guard let name = path.first else { return }
        if path.count == 1 {
            object[name] = .string(value)
        } else {
            var inner = object[name]?.object ?? [:]
            set(value, at: Array(path.dropFirst()), in: &inner)
            object[name] = .object(inner)
        }
    }

    /// Percent escapes and `+` for a space; what is no escape stays as it is.
    private static func decode(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[position + 1...position + 2], as: UTF8.self), radix: 16)
            {
                decoded.append(value)
                position += 3
            } else {
                decoded.append(bytes[position] == UInt8(ascii: "+") ? 0x20 : bytes[position])
                position += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}

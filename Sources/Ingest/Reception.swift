import EventLog
import HTTPTypes
import Hummingbird
import JSON
import Model

/// What a path takes.
enum Reception: Sendable {
    case message(Call.Kind)
    case batch
}

extension Ingest {
    /// Receives a message or a batch: reads it, has the Log keep what is valid, and says so.
    func receive(_ request: Request, as reception: Reception, peer: @escaping () -> String?) async throws -> Response {
        var record = IngestJournal.Request(receivedAt: clock.now())
        record.isRetry = request.headers[Header.retryCount].flatMap { Int($0) }.map { $0 > 0 } ?? false
        let bytesMax =
            switch reception {
            case .message: configuration.messageBytesMax
            case .batch: configuration.batchBytesMax
            }
        var (held, processed) = (0, 0)
        defer {
            admission.leave(held)
            processing.leave(processed)
        }
        let document: JSONDocument
        let decoder = RequestDecoder(bytesMax: bytesMax, admission: admission)
        let decoded = try await decoder.decode(request, holding: &held) { bytes in
            // Before it costs a client that is turned away anyway any time of ours.
            guard !log.isOverloaded, processing.enter(bytes) else { return false }
            processed = bytes
            return true
        }
        switch decoded {
        case .success(let decoded): document = decoded
        case .failure(let refusal):
            // The key may be in the body that can't be read; a header's key still tells whose problem this is.
            let source = WriteKey.basicUserName(request.headers[.authorization]).flatMap {
                sources.source(writeKey: $0)
            }
            if refusal.code == .rateLimited {
                record.code = .rateLimited
                journal.record(record, sourceID: source?.id)
                return postpone(
                    request, .tooManyRequests, .rateLimited, refusal.message, seconds: log.limits.retryAfterSeconds)
            }
            return refuse(request, refusal, source: source, &record)
        }
        // Stamped when the body is there, not at its first byte: until the Log has the request the engine's time stands
        // still for it, and a client that sends slowly must not hold up everybody's wake-ups.
        let ticket = gate.enter()
        defer { gate.leave(ticket) }
        let receivedAt = ticket.receivedAt
        record.receivedAt = receivedAt
        let body = document.root
        let key = WriteKey.resolve(authorization: request.headers[.authorization], body: body)
        let source = key.flatMap { sources.source(writeKey: $0) }
        guard let key, source != nil || key.count >= configuration.writeKeyLengthMin else {
            let refusal = Refusal(
                code: .missingWriteKey, message: "No write key: send it as the user name of HTTP Basic or as 'writeKey'"
            )
            return refuse(request, refusal, source: nil, &record)
        }
        let messages: [JSONView]
        let envelope: Envelope
        let kind: Call.Kind?
        switch reception {
        case .message(let pathKind):
            (messages, envelope, kind) = ([body], .none, pathKind)
        case .batch:
            guard let batch = body["batch"], batch.kind == .array else {
                let refusal = Refusal(code: .badRequest, message: "The envelope has no 'batch' array")
                return refuse(request, refusal, source: source, &record)
            }
            (messages, envelope, kind) = (Array(batch.elements), Envelope(body), nil)
            let shared = (envelope.context?.span.count ?? 0) + (envelope.integrations?.span.count ?? 0)
            if shared > configuration.itemBytesMax { return refuse(request, .tooLarge, source: source, &record) }
        }
        if case .batch = reception, messages.isEmpty { record.code = .emptyBatch }
        guard let source, source.enabled else {
            rejectAll(messages, source == nil ? .unknownSource : .sourceDisabled, writeKey: key, &record)
            journal.record(record, sourceID: source?.id)
            return success(to: request)
        }
        if let seconds = rateLimiter?.admit(messages.count, sourceID: source.id, at: receivedAt) {
            record.code = .rateLimited
            journal.record(record, sourceID: source.id)
            return postpone(
                request, .tooManyRequests, .rateLimited, "Too many messages for this source", seconds: seconds)
        }
        // Once for all messages: it is the same for each, and finding it takes as long as reading one.
        lazy var address = clientAddress(request, peer: peer())
        let reader = MessageReader(
            kind: kind, envelope: envelope, sourceID: source.id, receivedAt: receivedAt, clientAddress: { address })
        read(messages, with: reader, &record)
        // An envelope that is merged into each of its messages makes much of little.
        let grown = record.accepted.reduce(0) { $0 + $1.body.count } - processed
        if grown > 0 {
            guard processing.enter(grown) else {
                record = IngestJournal.Request(receivedAt: receivedAt, isRetry: record.isRetry, code: .rateLimited)
                journal.record(record, sourceID: source.id)
                return postpone(
                    request, .tooManyRequests, .rateLimited, Refusal.tooMuch.message,
                    seconds: log.limits.retryAfterSeconds)
            }
            processed += grown
        }
        return await store(record, source: source, request)
    }

    /// Reads the messages into calls and rejections, within the limits of a batch.
    func read(_ messages: [JSONView], with reader: MessageReader, _ record: inout IngestJournal.Request) {
        record.accepted.reserveCapacity(min(messages.count, configuration.itemsMax))
        var mergedBytes = 0
        for (index, message) in messages.enumerated() {
            if index >= configuration.itemsMax {
                reject(message, .batchTooLong, &record)
            } else if message.span.count > configuration.itemBytesMax || mergedBytes > configuration.mergedBytesMax {
                reject(message, .eventTooLarge, &record)
            } else {
                do {
                    let call = try reader.read(message)
                    mergedBytes += call.body.count
                    record.accepted.append(call)
                } catch {
                    reject(message, error.code, &record)
                }
            }
        }
        if messages.count > 1, !record.accepted.isEmpty, record.accepted.count < messages.count {
            record.code = .multiUserError
        } else if reader.kind == nil, !messages.isEmpty, record.accepted.isEmpty {
            record.code = .emptyBatchResult
        }
    }

    /// Appends the accepted calls, journals the request and answers it.
    func store(_ record: IngestJournal.Request, source: Source, _ request: Request) async -> Response {
        var record = record
        let before = record.accepted.count
        record.accepted.removeAll { sources.isSuppressed($0) }
        if record.accepted.count < before {
            record.rejectedUnseen[.suppressed, default: 0] += before - record.accepted.count
        }
        do {
            if !record.accepted.isEmpty { _ = try await log.append(record.accepted.map { .call($0) }) }
            journal.record(record, sourceID: source.id)
            return success(to: request)
        } catch {
            // Nothing of the request is kept: its client will send all of it again.
            record.accepted = []
            record.rejected = []
            record.rejectedUnseen = [:]
            if case .overloaded(let seconds)? = error as? EventLogError {
                record.code = .rateLimited
                journal.record(record, sourceID: source.id)
                return postpone(
                    request, .tooManyRequests, .rateLimited, "Too much is coming in: send again later", seconds: seconds
                )
            }
            record.code = .storageUnavailable
            journal.record(record, sourceID: source.id)
            return postpone(
                request, .serviceUnavailable, .storageUnavailable, "The messages could not be stored: send again later",
                seconds: 5)
        }
    }

    private func refuse(
        _ request: Request, _ refusal: Refusal, source: Source?, _ record: inout IngestJournal.Request
    ) -> Response {
        record.code = refusal.code
        record.entry = IngestJournal.Entry(receivedAt: record.receivedAt, code: refusal.code)
        journal.record(record, sourceID: source?.id)
        return refuse(request, refusal.code, refusal.message)
    }

    private func rejectAll(
        _ messages: [JSONView], _ code: IngestCode, writeKey: String, _ record: inout IngestJournal.Request
    ) {
        for message in messages { reject(message, code, &record) }
        if code == .unknownSource {
            for index in record.rejected.indices { record.rejected[index].writeKey = String(writeKey.prefix(100)) }
        }
    }

    private func reject(_ message: JSONView, _ code: IngestCode, _ record: inout IngestJournal.Request) {
        // The journal keeps so many; more are only counted.
        guard record.rejected.count < journal.capacity else {
            record.rejectedUnseen[code, default: 0] += 1
            return
        }
        record.rejected.append(IngestJournal.Entry(rejected: message, code: code, receivedAt: record.receivedAt))
    }
}

extension IngestJournal.Entry {
    private static let rawBytesMax = 32_768

    init(rejected message: JSONView, code: IngestCode, receivedAt: Instant) {
        self.init(receivedAt: receivedAt, code: code)
        let fields = MessageFields(message)
        type = fields.type?.string
        event = fields.event?.string
        messageID = fields.messageID?.string
        userID = fields.userID?.string
        anonymousID = fields.anonymousID?.string
        guard message.span.count <= Self.rawBytesMax else {
            raw = Array(message.rawBytes.prefix(1024))
            isCut = true
            return
        }
        var writer = JSONWriter(capacity: message.span.count)
        guard message.kind == .object else {
            writer.write(message)
            raw = writer.bytes
            return
        }
        var separator: StaticString = "{"
        for (key, value) in message.members where MessageField(key) != .writeKey {
            writer.write(raw: separator)
            separator = ","
            writer.write(key)
            writer.write(raw: ":" as StaticString)
            writer.write(value)
        }
        if writer.bytes.isEmpty { writer.write(raw: "{" as StaticString) }
        writer.write(raw: "}" as StaticString)
        raw = writer.bytes
    }
}

import JSON
import Model
import Store

// How settlements and the ledger look in the store.

extension Known {
    /// `[value, sequence]`.
    var stored: [UInt8]? {
        guard let value else { return nil }
        var writer = JSONWriter(capacity: 32)
        writer.write(raw: "[" as StaticString)
        writer.write(value)
        writer.write(raw: ",")
        writer.write(raw: String(sequence))
        writer.write(raw: "]" as StaticString)
        return writer.bytes
    }

    init?(stored: JSONValue) {
        guard let value = stored[0], let sequence = stored[1]?.integer else { return nil }
        self.init(value: value, sequence: Int64(sequence))
    }
}

/// One request as it is recorded.
struct AttemptRecord: Sendable {
    var request: DestinationRequest
    var sentAt: Instant
    var objectCount: Int
    var reply: Reply
    var duration: Duration
    var outcome: AttemptRow.Outcome

    func row(destinationID: String, limit: Int) -> AttemptRow {
        let status: Int?
        let response: String
        switch reply {
        case .response(let answer):
            status = answer.status
            response = String(decoding: answer.body.prefix(limit), as: UTF8.self)
        case .failure(let failure):
            status = nil
            response = failure.description
        }
        return AttemptRow(
            destinationID: destinationID, at: sentAt, endpoint: "POST \(request.url)",
            request: Self.recorded(request.body, limit: limit), status: status, response: response,
            durationMilliseconds: Int(duration / .milliseconds(1)), objectCount: objectCount, outcome: outcome)
    }

    /// The body, or a JSON object with its beginning.
    static func recorded(_ body: [UInt8], limit: Int) -> [UInt8] {
        guard body.count > limit else { return body }
        let shortened: JSONValue = [
            "bytes": .number(body.count), "beginning": .string(String(decoding: body.prefix(limit), as: UTF8.self)),
        ]
        return shortened.utf8
    }
}

extension Settlement {
    /// The transaction that records this. Emissions that are refused before any request stand in an attempt of their
    /// own that says so, and the others that needed none are only counted.
    func changes(destinationID: String, attempt: AttemptRow?, now: Instant) -> DeliveryChanges {
        var changes = DeliveryChanges(destinationID: destinationID, at: now)
        changes.attempt = attempt
        for entry in entries {
            let sequence = entry.emission.sequence
            switch entry.fate {
            case .delivered: changes.delivered.append(sequence)
            case .superseded: changes.coalesced.append(sequence)
            case .unchanged: changes.unchanged.append(sequence)
            case .refused: changes.discarded.append(sequence)
            case .parked: changes.parked.append((sequence, entry.detail))
            case .retrying, .unknown: break
            }
            if let row = entry.row(destinationID: destinationID, at: attempt?.at ?? now) {
                changes.emissions.append(row)
            }
        }
        if attempt == nil, !changes.emissions.isEmpty {
            changes.attempt = AttemptRow(
                destinationID: destinationID, at: now, endpoint: "", request: nil, status: nil,
                response: "Not sent: see the reason at each emission", durationMilliseconds: 0, objectCount: 0,
                outcome: .rejected)
        }
        changes.unknownOutcomes = unknownOutcomes
        changes.possibleDuplicates = possibleDuplicates
        changes.dataPoints = dataPoints.filter { $0.value > 0 }
        changes.ledger = ledger.map { LedgerEntry(key: $0.key, json: $0.known?.stored) }
        return changes
    }
}

extension Settlement.Entry {
    func row(destinationID: String, at instant: Instant) -> AttemptEmissionRow? {
        let outcome: AttemptEmissionRow.Outcome
        switch fate {
        case .delivered: outcome = .delivered
        case .parked, .refused: outcome = .rejected
        case .retrying: outcome = .retrying
        case .unknown: outcome = .unknown
        case .superseded, .unchanged: return nil
        }
        return AttemptEmissionRow(
            destinationID: destinationID, messageID: emission.messageID, profile: emission.profile,
            computationID: emission.computationID, kind: emission.kind, at: instant, outcome: outcome, detail: detail)
    }
}

import JSON
import Model

/// The three instants of a message (spec: collection §2.3).
struct MessageTimes {
    var timestamp: Instant
    var originalTimestamp: Instant
    var warnings: [String] = []

    init(timestamp: JSONView?, sentAt: JSONView?, receivedAt: Instant) {
        let isGiven = timestamp.map { !$0.isNull } ?? false
        let claimed = isGiven ? timestamp.flatMap { Instant(message: $0) } : nil
        let isSentGiven = sentAt.map { !$0.isNull } ?? false
        let sent = isSentGiven ? sentAt.flatMap { Instant(message: $0) } : nil
        if isGiven, claimed == nil { warnings.append(IngestWarning.invalidTimestamp) }
        if isSentGiven, sent == nil { warnings.append(IngestWarning.invalidSentAt) }
        guard let claimed else {
            (self.timestamp, originalTimestamp) = (receivedAt, receivedAt)
            return
        }
        originalTimestamp = claimed
        // The sender's clock is wrong by (receivedAt − sentAt), the time under way included. Nothing is clamped.
        self.timestamp = sent.map { receivedAt - ($0 - claimed) } ?? claimed
    }
}

extension Instant {
    /// ISO 8601 text (a missing zone is UTC), or a number: milliseconds from 1e11 on, else seconds.
    init?(message view: JSONView) {
        switch view.kind {
        case .string:
            let text = view.isEscaped ? Array((view.string ?? "").utf8)[...] : view.rawBytes.dropFirst().dropLast()
            guard let instant = text.withUnsafeBufferPointer({ Instant(iso8601: $0) }) else { return nil }
            self = instant
        case .number:
            guard let number = view.double, number.isFinite else { return nil }
            let milliseconds = (abs(number) >= 1e11 ? number : number * 1000).rounded(.down)
            // Years −271821 to 275760, as far as JavaScript's dates go.
            guard abs(milliseconds) <= 8.64e15 else { return nil }
            self.init(milliseconds: Int64(milliseconds))
        default:
            return nil
        }
    }
}

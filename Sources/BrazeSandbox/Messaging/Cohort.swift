import JSON

/// A partner's cohort (spec braze §6). Who is in it stands on the profiles.
struct Cohort: Sendable {
    let partner: String
    let id: String
    var name: String

    /// How profiles refer to it.
    var key: String { "\(partner):\(id)" }

    var json: JSONValue { ["partner": .string(partner), "id": .string(id), "name": .string(name)] }
}

/// The record of a dry run: who would have been messaged. Nothing was sent.
struct Send: Sendable {
    let id: String
    let at: EpochMilliseconds
    let kind: Message.Kind
    let messageID: String
    let count: Int
    /// The first of them, as a person reads them.
    let recipients: [String]
    /// `page` or `api`.
    let source: String
    let notice: String?
    /// What the call gave the message to say, and how it named the send.
    let sendID: String?
    let properties: JSONValue?

    static let kept = 200
    static let listed = 1000

    var json: JSONObject {
        [
            "id": .string(id), "at": .number(Int(at)), "kind": .string(kind.rawValue), "message_id": .string(messageID),
            "count": .number(count), "recipients": .array(recipients.map { .string($0) }), "source": .string(source),
            "notice": .string(orNull: notice), "send_id": .string(orNull: sendID), "properties": properties ?? .null,
        ]
    }

    init(
        id: String, at: EpochMilliseconds, kind: Message.Kind, messageID: String, count: Int, recipients: [String],
        source: String, notice: String? = nil, sendID: String? = nil, properties: JSONValue? = nil
    ) {
        self.sendID = sendID
        self.properties = properties
        self.id = id
        self.at = at
        self.kind = kind
        self.messageID = messageID
        self.count = count
        self.recipients = recipients
        self.source = source
        self.notice = notice
    }

    init?(_ json: JSONObject) {
        guard let id = json["id"]?.string, let at = json["at"]?.integer,
            let kind = json["kind"]?.string.flatMap(Message.Kind.init(rawValue:)),
            let message = json["message_id"]?.string,
            let count = json["count"]?.integer
        else { return nil }
        self.init(
            id: id, at: EpochMilliseconds(at), kind: kind, messageID: message, count: count,
            recipients: (json["recipients"]?.array ?? []).compactMap(\.string),
            source: json["source"]?.string ?? "page",
            notice: json["notice"]?.string, sendID: json["send_id"]?.string,
            properties: json["properties"].flatMap { $0.isNull ? nil : $0 })
    }
}

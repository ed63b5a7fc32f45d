import JSON

/// The members of a message that Ingest reads. Everything else is kept as it came.
enum MessageField {
    case type
    case messageID
    case userID
    case anonymousID
    case groupID
    case previousID
    case event
    case timestamp
    case sentAt
    /// `originalTimestamp` and `receivedAt`: the server's to say, whatever a replayed message claims.
    case serverTime
    case context
    case integrations
    case properties
    case traits
    case name
    case category
    case version
    case writeKey
    case other

    init(_ key: JSONView) {
        guard !key.isEscaped else {
            self = MessageField(escaped: key)
            return
        }
        switch key.span.count - 2 {
        case 4: self = key.isText("type") ? .type : key.isText("name") ? .name : .other
        case 5: self = key.isText("event") ? .event : .other
        case 6:
            self =
                key.isText("userId")
                ? .userID : key.isText("traits") ? .traits : key.isText("sentAt") ? .sentAt : .other
        case 7:
            self =
                key.isText("context")
                ? .context : key.isText("groupId") ? .groupID : key.isText("version") ? .version : .other
        case 8: self = key.isText("category") ? .category : key.isText("writeKey") ? .writeKey : .other
        case 9: self = key.isText("messageId") ? .messageID : key.isText("timestamp") ? .timestamp : .other
        case 10:
            self =
                key.isText("properties")
                ? .properties
                : key.isText("previousId")
                    ? .previousID
                    : key.isText("receivedAt") ? .serverTime : .other
        case 11: self = key.isText("anonymousId") ? .anonymousID : .other
        case 12: self = key.isText("integrations") ? .integrations : .other
        case 17: self = key.isText("originalTimestamp") ? .serverTime : .other
        default: self = .other
        }
    }

    /// A key written with escapes: legal, and seen from fuzzers only.
    private init(escaped key: JSONView) {
        let plain = (try? JSONDocument(parsing: JSONValue.string(key.string ?? "").utf8))?.root
        self = plain.map { $0.isEscaped ? .other : MessageField($0) } ?? .other
    }
}

/// The values of one message's members, the last one where a name is repeated.
struct MessageFields {
    var type: JSONView?
    var messageID: JSONView?
    var userID: JSONView?
    var anonymousID: JSONView?
    var groupID: JSONView?
    var previousID: JSONView?
    var event: JSONView?
    var timestamp: JSONView?
    var sentAt: JSONView?
    var context: JSONView?
    var integrations: JSONView?
    var properties: JSONView?
    var traits: JSONView?
    var name: JSONView?
    var category: JSONView?
    var version: JSONView?
    var writeKey: JSONView?

    init(_ message: JSONView) {
        for (key, value) in message.members {
            switch MessageField(key) {
            case .type: type = value
            case .messageID: messageID = value
            case .userID: userID = value
            case .anonymousID: anonymousID = value
            case .groupID: groupID = value
            case .previousID: previousID = value
            case .event: event = value
            case .timestamp: timestamp = value
            case .sentAt: sentAt = value
            case .context: context = value
            case .integrations: integrations = value
            case .properties: properties = value
            case .traits: traits = value
            case .name: name = value
            case .category: category = value
            case .version: version = value
            case .writeKey: writeKey = value
            case .serverTime, .other: break
            }
        }
    }
}

/// What a batch says once for all of its messages. Envelope-level message ids, timestamps and sequence numbers are noise
/// of the transport and are not read (spec: collection §1.3).
struct Envelope {
    var sentAt: JSONView?
    var context: JSONView?
    var integrations: JSONView?

    /// For a request that holds a single message.
    static let none = Envelope()

    private init() {}

    init(_ envelope: JSONView) {
        sentAt = envelope["sentAt"].flatMap { $0.isNull ? nil : $0 }
        context = envelope["context"].flatMap { $0.kind == .object && $0.count > 0 ? $0 : nil }
        integrations = envelope["integrations"].flatMap { $0.kind == .object && $0.count > 0 ? $0 : nil }
    }

    /// The value at a path of the merged context, without merging.
    func contextValue(_ message: JSONView?, _ path: StaticString...) -> JSONView? {
        var own = message
        var shared = context
        for key in path {
            let ownNext = own?[key]
            // A member of the message hides the envelope's, unless both are objects.
            shared = ownNext.map { $0.kind == .object } ?? true ? shared?[key] : nil
            own = ownNext
        }
        return own ?? shared
    }
}

import JSON
import Model

/// Writes the body that the Log keeps: what the server knows comes first, then everything the client sent, copied as it
/// stands (spec: collection §2.2, §1.6-6). The write key, empty ids and claims about the server's times are left out.
enum MessageBody {
    static func write(
        _ call: Call, fields: MessageFields, message: JSONView, envelope: Envelope, sentAt: JSONView?, address: String?
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: message.span.count + 384)
        writer.write(raw: "{\"type\":\"" as StaticString)
        writer.write(raw: call.kind.name)
        writer.write(raw: "\"" as StaticString)
        let ownMessageID = fields.messageID.flatMap { $0.isNull || $0.isText("") ? nil : $0 }
        write(",\"messageId\":", call.messageID, ownMessageID, &writer)
        write(",\"userId\":", call.userID, fields.userID, &writer)
        write(",\"anonymousId\":", call.anonymousID, fields.anonymousID, &writer)
        write(",\"groupId\":", call.groupID, fields.groupID, &writer)
        write(",\"previousId\":", call.previousID, fields.previousID, &writer)
        if call.kind == .group, call.groupID == nil { writer.write(raw: ",\"groupId\":\"\"" as StaticString) }
        writer.write(raw: ",\"timestamp\":" as StaticString)
        writer.write(call.timestamp)
        writer.write(raw: ",\"originalTimestamp\":" as StaticString)
        writer.write(call.originalTimestamp)
        writer.write(raw: ",\"receivedAt\":" as StaticString)
        writer.write(call.receivedAt)
        if let sentAt {
            writer.write(raw: ",\"sentAt\":" as StaticString)
            writer.write(sentAt)
        }
        if fields.version == nil { writer.write(raw: ",\"version\":2" as StaticString) }
        writeMerged(",\"context\":", fields.context, envelope.context, address: address, &writer)
        writeMerged(",\"integrations\":", fields.integrations, envelope.integrations, address: nil, &writer)
        for (key, value) in message.members {
            switch MessageField(key) {
            case .type, .messageID, .userID, .anonymousID, .groupID, .previousID, .timestamp, .sentAt, .serverTime,
                .context, .integrations, .writeKey:
                continue
            case .properties where value.isNull: writer.write(raw: ",\"properties\":{}" as StaticString)
            case .traits where value.isNull: writer.write(raw: ",\"traits\":{}" as StaticString)
            case .event, .properties, .traits, .name, .category, .version, .other:
                writer.write(raw: "," as StaticString)
                writer.write(key)
                writer.write(raw: ":" as StaticString)
                writer.write(value)
            }
        }
        writer.write(raw: "}" as StaticString)
        return writer.bytes
    }

    private static func write(_ name: StaticString, _ id: String?, _ view: JSONView?, _ writer: inout JSONWriter) {
        guard let id else { return }
        writer.write(raw: name)
        if let view, view.kind == .string { writer.write(view) } else { writer.write(string: id) }
    }

    /// Writes the message's object merged with the envelope's, the message winning, and the address into it.
    private static func writeMerged(
        _ name: StaticString, _ own: JSONView?, _ shared: JSONView?, address: String?, _ writer: inout JSONWriter
    ) {
        // Null counts as an empty object.
        let isNull = own.map { $0.isNull } ?? false
        let own = isNull ? nil : own
        if own == nil, shared == nil, address == nil {
            if isNull {
                writer.write(raw: name)
                writer.write(raw: "{}" as StaticString)
            }
            return
        }
        writer.write(raw: name)
        if let own, own.kind != .object || (shared == nil && address == nil) { return writer.write(own) }
        if let shared, own == nil, address == nil { return writer.write(shared) }
        writer.write(raw: "{" as StaticString)
        var isFirst = true
        if let address {
            writer.write(raw: "\"ip\":" as StaticString)
            writer.write(string: address)
            isFirst = false
        }
        writeMembers(own, shared, isFirst: &isFirst, &writer)
        writer.write(raw: "}" as StaticString)
    }

    /// The members of both objects; where both have one, the message's wins, or objects merge in turn.
    private static func writeMembers(
        _ own: JSONView?, _ shared: JSONView?, isFirst: inout Bool, _ writer: inout JSONWriter
    ) {
        // By name, so that the cost stays linear. The last of a repeated name counts.
        var ownByName: [String: JSONView] = [:]
        if let own, shared != nil {
            for (key, value) in own.members { ownByName[key.string ?? ""] = value }
        }
        var sharedNames: Set<String> = []
        if let shared {
            var sharedByName: [String: JSONView] = [:]
            for (key, value) in shared.members { sharedByName[key.string ?? ""] = value }
            for (key, _) in shared.members {
                let name = key.string ?? ""
                guard sharedNames.insert(name).inserted, let sharedValue = sharedByName[name] else { continue }
                writeKey(key, &isFirst, &writer)
                if let ownValue = ownByName[name] {
                    if ownValue.kind == .object, sharedValue.kind == .object {
                        writer.write(raw: "{" as StaticString)
                        var isFirstInside = true
                        writeMembers(ownValue, sharedValue, isFirst: &isFirstInside, &writer)
                        writer.write(raw: "}" as StaticString)
                    } else {
                        writer.write(ownValue)
                    }
                } else {
                    writer.write(sharedValue)
                }
            }
        }
        guard let own else { return }
        for (key, value) in own.members where shared == nil || !sharedNames.contains(key.string ?? "") {
            writeKey(key, &isFirst, &writer)
            writer.write(value)
        }
    }

    private static func writeKey(_ key: JSONView, _ isFirst: inout Bool, _ writer: inout JSONWriter) {
        if !isFirst { writer.write(raw: "," as StaticString) }
        isFirst = false
        writer.write(key)
        writer.write(raw: ":" as StaticString)
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ instant: Instant) {
        write(raw: "\"" as StaticString)
        write(raw: instant.utf8[...])
        write(raw: "\"" as StaticString)
    }
}

import JSON
import Model

/// Why one message is not accepted.
struct Rejection: Error {
    var code: IngestCode
}

/// Turns the messages of one request into calls: the rules of collection §2.2 to §2.4, without HTTP.
struct MessageReader {
    /// The type that the path gives, which overrides the message's own.
    var kind: Call.Kind?
    var envelope: Envelope
    var sourceID: String
    var receivedAt: Instant
    /// Asked only for messages whose context lacks an address and should have one.
    var clientAddress: () -> String?
    var makeMessageID: () -> String = MessageReader.randomMessageID

    func read(_ message: JSONView) throws(Rejection) -> Call {
        guard message.kind == .object else { throw Rejection(code: .badRequest) }
        let fields = MessageFields(message)
        var warnings: [String] = []
        guard let kind = kind ?? MessageReader.kind(fields.type) else { throw Rejection(code: .unknownType) }
        var isCoerced = false
        let userID = try identifier(fields.userID, &isCoerced)
        let anonymousID = try identifier(fields.anonymousID, &isCoerced)
        let groupID = try identifier(fields.groupID, &isCoerced)
        let previousID = try identifier(fields.previousID, &isCoerced)
        let givenMessageID = try identifier(fields.messageID, &isCoerced)
        if isCoerced { warnings.append(IngestWarning.idCoerced) }
        if userID == nil, anonymousID == nil { throw Rejection(code: .noUserAnonID) }
        let event = try validate(kind, fields, userID: userID, groupID: groupID, previousID: previousID)
        let messageID = givenMessageID ?? makeMessageID()
        let sentAt = fields.sentAt.flatMap { $0.isNull ? nil : $0 } ?? envelope.sentAt
        let times = MessageTimes(timestamp: fields.timestamp, sentAt: sentAt, receivedAt: receivedAt)
        warnings += times.warnings
        if message.holdsNonFinite { warnings.append(IngestWarning.nonFiniteNumber) }
        if isOdd(fields.context) { warnings.append(IngestWarning.contextNotObject) }
        if isOdd(fields.integrations) { warnings.append(IngestWarning.integrationsNotObject) }
        var call = Call(
            kind: kind, sourceID: sourceID, messageID: messageID, userID: userID, anonymousID: anonymousID,
            groupID: groupID, previousID: previousID, event: event, timestamp: times.timestamp,
            originalTimestamp: times.originalTimestamp, receivedAt: receivedAt, body: [])
        if let exclusion = exclusion(of: call, fields) { warnings.append(exclusion.warning) }
        call.warnings = warnings
        call.body = MessageBody.write(
            call, fields: fields, message: message, envelope: envelope, sentAt: sentAt, address: address(fields.context)
        )
        return call
    }

    static func kind(_ type: JSONView?) -> Call.Kind? {
        guard let type else { return nil }
        if type.isText("track") { return .track }
        if type.isText("identify") { return .identify }
        if type.isText("page") { return .page }
        if type.isText("screen") { return .screen }
        if type.isText("group") { return .group }
        return type.isText("alias") ? .alias : nil
    }

    /// Text stays as it is, a number becomes its decimal text, null and "" count as absent (spec: collection §2.2-5).
    private func identifier(_ view: JSONView?, _ isCoerced: inout Bool) throws(Rejection) -> String? {
        guard let view else { return nil }
        switch view.kind {
        case .string:
            let text = view.string ?? ""
            return text.isEmpty ? nil : text
        case .number:
            isCoerced = true
            return view.number?.text
        case .null: return nil
        default: throw Rejection(code: .idNotString)
        }
    }

    /// Returns the name of a track call's event.
    private func validate(
        _ kind: Call.Kind, _ fields: MessageFields, userID: String?, groupID: String?, previousID: String?
    ) throws(Rejection) -> String? {
        var event: String?
        switch kind {
        case .track:
            guard let view = fields.event, !view.isNull else { throw Rejection(code: .eventNotDefined) }
            guard let name = view.string else { throw Rejection(code: .eventNotString) }
            guard !name.isEmpty else { throw Rejection(code: .eventNotDefined) }
            event = name
            if name == "Segment Consent Preference Updated" { try validateConsent(fields) }
        case .page, .screen:
            // Null and "" are what Python, Ruby and Kotlin send for no name.
            if let name = fields.name, !name.isNull, name.kind != .string { throw Rejection(code: .nameNotString) }
            if let category = fields.category, !category.isNull, category.kind != .string {
                throw Rejection(code: .categoryNotString)
            }
        case .group:
            // An empty group id is accepted and kept out of profiles, an absent one is not accepted.
            if groupID == nil, fields.groupID.map({ $0.isNull }) ?? true { throw Rejection(code: .groupIDRequired) }
        case .alias:
            if userID == nil { throw Rejection(code: .idRequired) }
            if previousID == nil { throw Rejection(code: .previousIDRequired) }
        case .identify: break
        }
        switch kind {
        case .track, .page, .screen:
            if isOdd(fields.properties) { throw Rejection(code: .propertiesNotObject) }
        case .identify, .group:
            if isOdd(fields.traits) { throw Rejection(code: .traitsNotObject) }
        case .alias: break
        }
        return event
    }

    /// Neither an object nor null.
    private func isOdd(_ view: JSONView?) -> Bool {
        guard let view else { return false }
        return !view.isNull && view.kind != .object
    }

    /// The reserved event that carries a person's consent (spec: collection §2.8).
    private func validateConsent(_ fields: MessageFields) throws(Rejection) {
        let preferences = envelope.contextValue(fields.context, "consent", "categoryPreferences")
        guard let preferences, !preferences.isNull else { throw Rejection(code: .consentMissing) }
        guard preferences.kind == .object else { throw Rejection(code: .consentNotObject) }
        if preferences.members.contains(where: { $0.value.kind != .bool }) { throw Rejection(code: .consentNotBool) }
        if let version = envelope.contextValue(fields.context, "consent", "version"), version.kind != .number {
            throw Rejection(code: .consentVersionNotNumber)
        }
        if let id = envelope.contextValue(fields.context, "device", "advertisingId"), id.kind != .string {
            throw Rejection(code: .advertisingIDNotString)
        }
    }

    private func exclusion(of call: Call, _ fields: MessageFields) -> ProfileExclusion? {
        let members = call.kind == .identify || call.kind == .group ? fields.traits : fields.properties
        let groupID =
            switch call.kind {
            case .group: call.groupID ?? ""
            case .track: envelope.contextValue(fields.context, "groupId")?.string
            default: String?.none
            }
        return ProfileExclusion.reason(
            kind: call.kind, messageID: call.messageID, timestamp: call.timestamp, memberCount: members?.count ?? 0,
            groupID: groupID)
    }

    /// The address to put into the context: only where it has none and the message comes straight from a person's device,
    /// or asks for it (spec: collection §2.2-9).
    private func address(_ context: JSONView?) -> String? {
        if isOdd(context) || envelope.contextValue(context, "ip") != nil { return nil }
        let isDirect = envelope.contextValue(context, "direct")?.bool ?? false
        let library = envelope.contextValue(context, "library", "name")
        guard isDirect || (library.map(MessageReader.isClientSide) ?? false) else { return nil }
        return clientAddress()
    }

    private static func isClientSide(_ library: JSONView) -> Bool {
        library.isText("analytics.js") || library.isText("analytics-swift") || library.isText("analytics-ios")
            || library.isText("analytics-kotlin") || library.isText("analytics-android")
            || library.isText("analytics-react-native") || library.isText("analytics-flutter")
            || library.isText("Analytics-CSharp")
    }

    /// `api-` and a random (version 4) UUID.
    static func randomMessageID() -> String {
        var random = SystemRandomNumberGenerator()
        let high = random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("api-".utf8)
        for index in 0..<32 {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            let word = index < 16 ? high : low
            text.append(digits[Int(word >> UInt64(60 - index % 16 * 4) & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

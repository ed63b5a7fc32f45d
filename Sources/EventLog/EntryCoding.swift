import JSON
import Model

// How one entry is written inside a block. Numbers are LEB128, signed ones zig-zag; texts are UTF-8 with their length
// in front.
//
//     entry   := length(of the rest) version kind rest
//     call    := version=1 kind=1…6 flags source message [user] [anonymous] [group] [previous] [event]
//                receivedAt (receivedAt − timestamp) (timestamp − originalTimestamp) [count warnings…] body…
//     command := version=1 kind=0 receivedAt json…
//     erased  := version=1 kind=255 receivedAt

enum EntryCoding {
    static let version: UInt8 = 1
    static let commandKind: UInt8 = 0
    static let erasedKind: UInt8 = 255

    struct Flags: OptionSet {
        let rawValue: UInt8
        static let userID = Flags(rawValue: 1)
        static let anonymousID = Flags(rawValue: 2)
        static let groupID = Flags(rawValue: 4)
        static let previousID = Flags(rawValue: 8)
        static let event = Flags(rawValue: 16)
        static let warnings = Flags(rawValue: 32)
    }

    /// Appends the entry, its length in front.
    static func encode(_ entry: LogEntry, into bytes: inout [UInt8]) {
        let start = bytes.count
        // The length is written as a fixed four-byte number, as it is known only at the end.
        bytes.append(contentsOf: [0, 0, 0, 0])
        bytes.append(version)
        switch entry {
        case .call(let call): encode(call, into: &bytes)
        case .command(let command, let receivedAt):
            bytes.append(commandKind)
            append(signed: receivedAt.milliseconds, to: &bytes)
            bytes.append(contentsOf: command.json.utf8)
        case .erased(let receivedAt):
            bytes.append(erasedKind)
            append(signed: receivedAt.milliseconds, to: &bytes)
        }
        let length = UInt32(bytes.count - start - 4)
        for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
    }

    private static func encode(_ call: Call, into bytes: inout [UInt8]) {
        bytes.append(call.kind.rawValue)
        var flags: Flags = []
        if call.userID != nil { flags.insert(.userID) }
        if call.anonymousID != nil { flags.insert(.anonymousID) }
        if call.groupID != nil { flags.insert(.groupID) }
        if call.previousID != nil { flags.insert(.previousID) }
        if call.event != nil { flags.insert(.event) }
        if !call.warnings.isEmpty { flags.insert(.warnings) }
        bytes.append(flags.rawValue)
        append(text: call.sourceID, to: &bytes)
        append(text: call.messageID, to: &bytes)
        for text in [call.userID, call.anonymousID, call.groupID, call.previousID, call.event] {
            if let text { append(text: text, to: &bytes) }
        }
        append(signed: call.receivedAt.milliseconds, to: &bytes)
        append(signed: call.receivedAt.milliseconds &- call.timestamp.milliseconds, to: &bytes)
        append(signed: call.timestamp.milliseconds &- call.originalTimestamp.milliseconds, to: &bytes)
        if !call.warnings.isEmpty {
            append(unsigned: UInt64(call.warnings.count), to: &bytes)
            for warning in call.warnings { append(text: warning, to: &bytes) }
        }
        bytes.append(contentsOf: call.body)
    }

    private static func append(unsigned number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private static func append(signed number: Int64, to bytes: inout [UInt8]) {
        append(unsigned: UInt64(bitPattern: (number << 1) ^ (number >> 63)), to: &bytes)
    }

    private static func append(text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { utf8 in
            append(unsigned: UInt64(utf8.count), to: &bytes)
            bytes.append(contentsOf: utf8)
        }
    }
}

/// Reads entries of one block in order. Keeps the last source id, so that a block shares one string per source.
struct EntryDecoder {
    private var lastSourceID = ""

    /// Reads one entry, without its length. Errors name the offset.
    mutating func decode(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(EventLogError) -> LogEntry {
        var reader = EntryReader(bytes: bytes, offset: offset)
        let version = try reader.byte()
        guard version == EntryCoding.version else {
            throw .corrupt(
                offset: offset, reason: "entry version \(version), this program reads \(EntryCoding.version)")
        }
        let kind = try reader.byte()
        if kind == EntryCoding.commandKind {
            let receivedAt = Instant(milliseconds: try reader.signed())
            do {
                return .command(try Command(json: try JSONValue(parsing: reader.rest())), receivedAt: receivedAt)
            } catch {
                throw .corrupt(offset: offset, reason: "unreadable command: \(error)")
            }
        }
        if kind == EntryCoding.erasedKind { return .erased(receivedAt: Instant(milliseconds: try reader.signed())) }
        guard let kind = Call.Kind(rawValue: kind) else {
            throw .corrupt(offset: offset, reason: "unknown kind of entry \(kind)")
        }
        let flags = EntryCoding.Flags(rawValue: try reader.byte())
        let sourceID = try reader.text(orSame: lastSourceID)
        lastSourceID = sourceID
        let messageID = try reader.text()
        let userID = flags.contains(.userID) ? try reader.text() : nil
        let anonymousID = flags.contains(.anonymousID) ? try reader.text() : nil
        let groupID = flags.contains(.groupID) ? try reader.text() : nil
        let previousID = flags.contains(.previousID) ? try reader.text() : nil
        let event = flags.contains(.event) ? try reader.text() : nil
        let receivedAt = try reader.signed()
        let timestamp = receivedAt &- (try reader.signed())
        let originalTimestamp = timestamp &- (try reader.signed())
        var warnings: [String] = []
        if flags.contains(.warnings) {
            for _ in 0..<min(try reader.unsigned(), UInt64(bytes.count)) { warnings.append(try reader.text()) }
        }
        return .call(
            Call(
                kind: kind, sourceID: sourceID, messageID: messageID, userID: userID, anonymousID: anonymousID,
                groupID: groupID, previousID: previousID, event: event, timestamp: Instant(milliseconds: timestamp),
                originalTimestamp: Instant(milliseconds: originalTimestamp),
                receivedAt: Instant(milliseconds: receivedAt), warnings: warnings, body: reader.rest()))
    }
}

private struct EntryReader {
    let bytes: UnsafeRawBufferPointer
    let offset: Int64
    var position = 0

    init(bytes: UnsafeRawBufferPointer, offset: Int64) {
        self.bytes = bytes
        self.offset = offset
    }

    var tooShort: EventLogError { .corrupt(offset: offset, reason: "the entry ends too early") }

    mutating func byte() throws(EventLogError) -> UInt8 {
        guard position < bytes.count else { throw tooShort }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func unsigned() throws(EventLogError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            let next = try byte()
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return value }
            shift += 7
        }
        throw .corrupt(offset: offset, reason: "a number without an end")
    }

    mutating func signed() throws(EventLogError) -> Int64 {
        let number = try unsigned()
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }

    mutating func span() throws(EventLogError) -> UnsafeRawBufferPointer {
        let length = try unsigned()
        guard length <= UInt64(bytes.count - position) else { throw tooShort }
        defer { position += Int(length) }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(length)])
    }

    mutating func text() throws(EventLogError) -> String { String(decoding: try span(), as: UTF8.self) }

    mutating func text(orSame last: String) throws(EventLogError) -> String {
        let span = try span()
        return last.utf8.elementsEqual(span) ? last : String(decoding: span, as: UTF8.self)
    }

    mutating func rest() -> [UInt8] {
        defer { position = bytes.count }
        return [UInt8](UnsafeRawBufferPointer(rebasing: bytes[position...]))
    }
}

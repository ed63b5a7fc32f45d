/// Prints JSON: compact, members in their order, one spelling per value.
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// With room for `capacity` bytes.
    public init(capacity: Int) { bytes.reserveCapacity(capacity) }

    public mutating func write(_ value: JSONValue) {
        switch value {
        case .null: write(raw: "null")
        case .bool(let bool): write(raw: bool ? "true" : "false")
        case .number(let number): write(raw: number.text)
        case .string(let string): write(string: string)
        case .array(let array):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in array.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                write(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                write(string: member.key)
                bytes.append(UInt8(ascii: ":"))
                write(member.value)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Bytes that already are JSON.
    public mutating func write(raw: String) { bytes.append(contentsOf: raw.utf8) }

    /// Bytes that already are JSON.
    public mutating func write(raw: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: raw.utf8Start, count: raw.utf8CodeUnitCount))
    }

    /// Bytes that already are JSON.
    public mutating func write(raw: ArraySlice<UInt8>) { bytes.append(contentsOf: raw) }

    /// A string literal: quotes, backslashes and control characters escaped, everything else as it is.
    public mutating func write(string: String) {
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { utf8 in
            // Runs without anything to escape are copied whole.
            var start = 0
            for (index, byte) in utf8.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5C {
                bytes.append(contentsOf: utf8[start..<index])
                start = index + 1
                write(escaped: byte)
            }
            bytes.append(contentsOf: utf8[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func write(escaped byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): write(raw: "\\\"" as StaticString)
        case UInt8(ascii: "\\"): write(raw: "\\\\" as StaticString)
        case 0x0A: write(raw: "\\n" as StaticString)
        case 0x0D: write(raw: "\\r" as StaticString)
        case 0x09: write(raw: "\\t" as StaticString)
        default:
            let hex: StaticString = "0123456789abcdef"
            write(raw: "\\u00" as StaticString)
            bytes.append(hex.utf8Start[Int(byte >> 4)])
            bytes.append(hex.utf8Start[Int(byte & 15)])
        }
    }
}

extension JSONValue {
    /// Compact JSON in UTF-8.
    public var utf8: [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.write(self)
        return writer.bytes
    }

    /// Bytes that `utf8` has at most: cheaper to know than how many it has.
    public var encodedBound: Int {
        switch self {
        case .null, .bool: 5
        case .number(let number): number.text.utf8.count
        case .string(let string): Self.bound(of: string)
        case .array(let array): array.reduce(2) { $0 + $1.encodedBound + 1 }
        case .object(let object):
            object.members.reduce(2) { $0 + Self.bound(of: $1.key) + $1.value.encodedBound + 2 }
        }
    }

    /// Every byte of a string may have to be escaped, as six.
    private static func bound(of string: String) -> Int { string.utf8.count * 6 + 2 }
}

extension JSONValue: CustomStringConvertible {
    /// Compact JSON.
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}

import JSON

/// The compact JSON of a value, the same bytes as those of `JSONValue`: how arrays and objects are kept, so that equal
/// ones are one text. Written from the tape, because most arrays and objects need only copying.
enum CompactText {
    static func append(_ view: JSONGlance, to text: inout [UInt8]) {
        switch view.kind {
        case .null: text.append(contentsOf: "null".utf8)
        case .bool: text.append(contentsOf: (view.bool == true ? "true" : "false").utf8)
        case .number: append(number: view, to: &text)
        case .string: append(string: view, to: &text)
        case .array:
            text.append(UInt8(ascii: "["))
            var isFirst = true
            for element in view.elements {
                if !isFirst { text.append(UInt8(ascii: ",")) }
                isFirst = false
                append(element, to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object:
            text.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, value) in view.members {
                if !isFirst { text.append(UInt8(ascii: ",")) }
                isFirst = false
                append(string: key, to: &text)
                text.append(UInt8(ascii: ":"))
                append(value, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    private static func append(string view: JSONGlance, to text: inout [UInt8]) {
        // Without escapes there is nothing that would have to be escaped.
        if view.plainText != nil { return text.append(contentsOf: view.rawBytes) }
        var writer = JSONWriter()
        writer.write(string: view.string ?? "")
        text.append(contentsOf: writer.bytes)
    }

    private static func append(number view: JSONGlance, to text: inout [UInt8]) {
        let literal = view.rawBytes
        // Digits without a leading zero already are the one way to write the integer.
        if literal.count <= 15, literal.first != UInt8(ascii: "0"), literal.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
            text.append(contentsOf: literal)
        } else {
            text.append(contentsOf: (view.number?.text ?? "null").utf8)
        }
    }
}

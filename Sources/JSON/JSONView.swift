/// A value inside a `JSONDocument`, decoded on demand.
public struct JSONView: Sendable {
    public enum Kind: UInt8, Sendable {
        case null
        case bool
        case number
        case string
        case array
        case object
    }

    public let document: JSONDocument
    let index: Int

    init(document: JSONDocument, index: Int) {
        self.document = document
        self.index = index
    }

    var node: JSONNode { document.nodes[index] }

    public var kind: Kind { node.kind }
    public var isNull: Bool { kind == .null }

    /// Where the value stands in `document.bytes`, quotes and brackets included.
    public var span: Range<Int> { Int(node.start)..<Int(node.end) }

    /// The bytes of `span`: valid JSON, but for a bare NaN.
    public var rawBytes: ArraySlice<UInt8> { document.bytes[span] }

    public var bool: Bool? {
        let node = node
        return node.kind == .bool ? node.flags & JSONNode.isTrue != 0 : nil
    }

    /// The decoded string: escapes resolved, `\u0000` removed, a lone surrogate as U+FFFD.
    public var string: String? {
        let node = node
        guard node.kind == .string else { return nil }
        return document.bytes.withUnsafeBufferPointer { bytes in
            let content = UnsafeBufferPointer(rebasing: bytes[Int(node.start) + 1..<Int(node.end) - 1])
            guard node.flags & JSONNode.escaped != 0 else { return String(decoding: content, as: UTF8.self) }
            return String(decoding: unescape(content), as: UTF8.self)
        }
    }

    /// Hands over the UTF-8 of the decoded string, without making a `String`; `nil` where this is none.
    @inlinable
    public func withText<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result? {
        guard kind == .string else { return nil }
        guard let content = plainTextSpan else {
            guard var decoded = string else { return nil }
            return decoded.withUTF8(body)
        }
        return document.bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[content])) }
    }

    /// Where the text of a string without escapes stands, quotes left out; `nil` for anything else.
    public var plainTextSpan: Range<Int>? {
        let node = node
        guard node.kind == .string, node.flags & JSONNode.escaped == 0 else { return nil }
        return Int(node.start) + 1..<Int(node.end) - 1
    }

    /// The number with its digits kept.
    public var number: JSONNumber? {
        guard kind == .number else { return nil }
        if let double = document.bytes.withUnsafeBufferPointer({ exactDouble(UnsafeBufferPointer(rebasing: $0[span])) })
        {
            return JSONNumber(double)
        }
        return JSONNumber(literal: String(decoding: rawBytes, as: UTF8.self))
    }

    /// The nearest double.
    public var double: Double? { number?.double }

    /// The integer, if the number is one and fits.
    public var integer: Int? { number?.integer }

    /// Whether this is a string with an escape in it.
    public var isEscaped: Bool { node.flags & JSONNode.escaped != 0 }

    /// Whether a bare NaN, Infinity or -Infinity stands in this value; they read as null.
    public var holdsNonFinite: Bool {
        guard document.nonFiniteCount > 0 else { return false }
        return document.nodes[index..<Int(node.next)].contains { $0.flags & JSONNode.nonFinite != 0 }
    }

    /// Whether this is the string `text`, without decoding it where it has no escapes.
    public func isText(_ text: StaticString) -> Bool {
        let node = node
        guard node.kind == .string else { return false }
        if node.flags & JSONNode.escaped != 0 { return string == text.description }
        let count = text.utf8CodeUnitCount
        guard Int(node.end) - Int(node.start) - 2 == count else { return false }
        return document.bytes.withUnsafeBufferPointer { bytes in
            for offset in 0..<count where bytes[Int(node.start) + 1 + offset] != text.utf8Start[offset] { return false }
            return true
        }
    }

    /// Whether this is the string `text`, by its UTF-8.
    public func isText(_ text: String) -> Bool {
        let node = node
        guard node.kind == .string else { return false }
        if node.flags & JSONNode.escaped != 0 { return string.map { $0.utf8.elementsEqual(text.utf8) } ?? false }
        let start = Int(node.start) + 1
        guard Int(node.end) - 1 - start == text.utf8.count else { return false }
        let isEqual = text.utf8.withContiguousStorageIfAvailable { wanted in
            document.bytes.withUnsafeBufferPointer { bytes in
                for offset in 0..<wanted.count where bytes[start + offset] != wanted[offset] { return false }
                return true
            }
        }
        return isEqual ?? text.utf8.elementsEqual(document.bytes[start..<Int(node.end) - 1])
    }

    /// The member of an object, the last one where the name is repeated; `nil` where this is no object or has no such
    /// member. Linear in the number of members.
    public subscript(key: StaticString) -> JSONView? {
        guard kind == .object else { return nil }
        return document.member(key, of: index).map { JSONView(document: document, index: $0) }
    }

    /// The member of an object, the last one where the name is repeated.
    public subscript(key: String) -> JSONView? {
        var found: JSONView?
        for member in members where member.key.isText(key) { found = member.value }
        return found
    }

    /// The members of an object as they stand, repeated names included (the last one counts); none for anything else.
    public var members: Members {
        Members(document: document, nextIndex: index + 1, end: kind == .object ? Int(node.next) : 0)
    }

    /// The elements of an array; none for anything else.
    public var elements: Elements {
        Elements(document: document, nextIndex: index + 1, end: kind == .array ? Int(node.next) : 0)
    }

    /// How many elements an array or members an object has, repeated names counted each time; 0 for anything else.
    public var count: Int {
        switch kind {
        case .array: elements.reduce(0) { count, _ in count + 1 }
        case .object: members.reduce(0) { count, _ in count + 1 }
        default: 0
        }
    }

    public struct Members: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var nextIndex: Int
        let end: Int

        public mutating func next() -> (key: JSONView, value: JSONView)? {
            guard nextIndex < end else { return nil }
            let key = nextIndex
            nextIndex = Int(document.nodes[key + 1].next)
            return (JSONView(document: document, index: key), JSONView(document: document, index: key + 1))
        }
    }

    public struct Elements: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var nextIndex: Int
        let end: Int

        public mutating func next() -> JSONView? {
            guard nextIndex < end else { return nil }
            defer { nextIndex = Int(document.nodes[nextIndex].next) }
            return JSONView(document: document, index: nextIndex)
        }
    }
}

extension JSONDocument {
    /// Where the value of an object's last member of that name stands. Makes no views, which would count references for
    /// each member.
    fileprivate func member(_ name: StaticString, of object: Int) -> Int? {
        let count = name.utf8CodeUnitCount
        return nodes.withUnsafeBufferPointer { nodes in
            bytes.withUnsafeBufferPointer { bytes in
                var found: Int?
                var place = object + 1
                let end = Int(nodes[object].next)
                while place < end {
                    let key = nodes[place]
                    if key.flags & JSONNode.escaped != 0 {
                        if JSONView(document: self, index: place).isText(name) { found = place + 1 }
                    } else if Int(key.end) - Int(key.start) - 2 == count {
                        let start = Int(key.start) + 1
                        if (0..<count).allSatisfy({ bytes[start + $0] == name.utf8Start[$0] }) { found = place + 1 }
                    }
                    place = Int(nodes[place + 1].next)
                }
                return found
            }
        }
    }
}

extension JSONValue {
    /// The tree of a view.
    public init(_ view: JSONView) {
        switch view.kind {
        case .null: self = .null
        case .bool: self = .bool(view.bool ?? false)
        case .number: self = view.number.map { .number($0) } ?? .null
        case .string: self = .string(view.string ?? "")
        case .array: self = .array(view.elements.map { JSONValue($0) })
        case .object:
            self = .object(JSONObject(view.members.lazy.map { (key: $0.key.string ?? "", value: JSONValue($0.value)) }))
        }
    }
}

extension JSONWriter {
    /// The text of the view: as it came, except that bare NaN reads null and strings lose what may not be stored.
    public mutating func write(_ view: JSONView) {
        let document = view.document
        let span = view.span
        if document.isVerbatim {
            write(raw: document.bytes[span])
            return
        }
        // Rare: copy up to each value that needs repair, write that one anew.
        var copied = span.lowerBound
        for index in view.index..<Int(view.node.next) {
            let node = document.nodes[index]
            guard node.flags & (JSONNode.nonFinite | JSONNode.unstorable) != 0 else { continue }
            write(raw: document.bytes[copied..<Int(node.start)])
            if node.kind == .null {
                write(raw: "null")
            } else {
                write(string: JSONView(document: document, index: index).string ?? "")
            }
            copied = Int(node.end)
        }
        write(raw: document.bytes[copied..<span.upperBound])
    }
}

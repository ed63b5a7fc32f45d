/// A look at a value of a `JSONDocument` that lasts as long as the closure it is handed to (`JSONView.withGlance`).
///
/// A `JSONView` keeps its document alive and so counts a reference for every member that is looked at, which takes a third
/// of the time of whoever walks whole calls. A glance is a place in memory and counts nothing. Never let one, or anything
/// but copies of what it shows, leave the closure.
public struct JSONGlance {
    @usableFromInline let bytes: UnsafePointer<UInt8>
    @usableFromInline let nodes: UnsafePointer<JSONNode>
    @usableFromInline let index: Int

    @inlinable
    init(bytes: UnsafePointer<UInt8>, nodes: UnsafePointer<JSONNode>, index: Int) {
        self.bytes = bytes
        self.nodes = nodes
        self.index = index
    }

    @inlinable
    func other(_ index: Int) -> JSONGlance { JSONGlance(bytes: bytes, nodes: nodes, index: index) }

    @inlinable public var kind: JSONView.Kind { nodes[index].kind }

    @inlinable
    public var bool: Bool? {
        let node = nodes[index]
        return node.kind == .bool ? node.flags & JSONNode.isTrue != 0 : nil
    }

    /// The bytes of the value, quotes and brackets included: valid JSON, but for a bare NaN.
    @inlinable
    public var rawBytes: UnsafeBufferPointer<UInt8> {
        let node = nodes[index]
        return UnsafeBufferPointer(start: bytes + Int(node.start), count: Int(node.end) - Int(node.start))
    }

    /// The text of a string without escapes, quotes left out; `nil` for anything else.
    @inlinable
    public var plainText: UnsafeBufferPointer<UInt8>? {
        let node = nodes[index]
        guard node.kind == .string, node.flags & JSONNode.escaped == 0 else { return nil }
        return UnsafeBufferPointer(start: bytes + Int(node.start) + 1, count: Int(node.end) - Int(node.start) - 2)
    }

    /// The decoded string, as `JSONView.string`.
    public var string: String? {
        if let plainText { return String(decoding: plainText, as: UTF8.self) }
        guard kind == .string else { return nil }
        return String(decoding: unescape(UnsafeBufferPointer(rebasing: rawBytes.dropFirst().dropLast())), as: UTF8.self)
    }

    /// Hands over the UTF-8 of the decoded string, without making a `String`; `nil` where this is none.
    @inlinable
    public func withText<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result? {
        if let plainText { return body(plainText) }
        guard var decoded = string else { return nil }
        return decoded.withUTF8(body)
    }

    /// The number with its digits kept.
    public var number: JSONNumber? {
        guard kind == .number else { return nil }
        if let double = exactDouble(rawBytes) { return JSONNumber(double) }
        return JSONNumber(literal: String(decoding: rawBytes, as: UTF8.self))
    }

    /// Whether this is the string `text`, without decoding it where it has no escapes.
    @inlinable
    public func isText(_ text: StaticString) -> Bool {
        guard let plainText else { return string == text.description }
        guard plainText.count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<plainText.count where plainText[offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// Whether this is the string `text`, by its UTF-8.
    public func isText(_ text: String) -> Bool { withText { $0.elementsEqual(text.utf8) } ?? false }

    /// The member of an object, the last one where the name is repeated; `nil` where this is no object or has no such
    /// member. Linear in the number of members.
    @inlinable
    public subscript(key: StaticString) -> JSONGlance? {
        var found: JSONGlance?
        for (name, value) in members where name.isText(key) { found = value }
        return found
    }

    /// The member of an object, the last one where the name is repeated.
    public subscript(key: String) -> JSONGlance? {
        var found: JSONGlance?
        for (name, value) in members where name.isText(key) { found = value }
        return found
    }

    /// The members of an object as they stand, repeated names included (the last one counts); none for anything else.
    @inlinable
    public var members: Members {
        let node = nodes[index]
        return Members(object: self, nextIndex: index + 1, end: node.kind == .object ? Int(node.next) : 0)
    }

    /// The elements of an array; none for anything else.
    @inlinable
    public var elements: Elements {
        let node = nodes[index]
        return Elements(array: self, nextIndex: index + 1, end: node.kind == .array ? Int(node.next) : 0)
    }

    public struct Members: Sequence, IteratorProtocol {
        @usableFromInline let object: JSONGlance
        @usableFromInline var nextIndex: Int
        @usableFromInline let end: Int

        @inlinable
        init(object: JSONGlance, nextIndex: Int, end: Int) {
            self.object = object
            self.nextIndex = nextIndex
            self.end = end
        }

        @inlinable
        public mutating func next() -> (key: JSONGlance, value: JSONGlance)? {
            guard nextIndex < end else { return nil }
            let key = nextIndex
            nextIndex = Int(object.nodes[key + 1].next)
            return (object.other(key), object.other(key + 1))
        }
    }

    public struct Elements: Sequence, IteratorProtocol {
        @usableFromInline let array: JSONGlance
        @usableFromInline var nextIndex: Int
        @usableFromInline let end: Int

        @inlinable
        init(array: JSONGlance, nextIndex: Int, end: Int) {
            self.array = array
            self.nextIndex = nextIndex
            self.end = end
        }

        @inlinable
        public mutating func next() -> JSONGlance? {
            guard nextIndex < end else { return nil }
            let element = nextIndex
            nextIndex = Int(array.nodes[element].next)
            return array.other(element)
        }
    }
}

extension JSONView {
    /// Hands over a look at the value that counts no references. It must not leave the closure.
    public func withGlance<Result>(_ body: (JSONGlance) throws -> Result) rethrows -> Result {
        try document.bytes.withUnsafeBufferPointer { bytes in
            try document.nodes.withUnsafeBufferPointer { nodes in
                guard let bytes = bytes.baseAddress, let nodes = nodes.baseAddress else {
                    preconditionFailure("a document holds a value")
                }
                return try body(JSONGlance(bytes: bytes, nodes: nodes, index: index))
            }
        }
    }
}

// The scanner behind `JSONDocument`: strict RFC 8259 and UTF-8 in one pass into a tape that the caller has allocated.
// Free functions, raw pointers and eight bytes at a time, because that is what runs at memory speed (platform §3); no
// function below touches memory outside `base..<end` and `nodes[0..<capacity]`.

/// One value on the tape. Keys of members are nodes too, each before its value.
@usableFromInline
struct JSONNode: Sendable {
    /// The value's bytes, quotes and brackets included: `start..<end`.
    @usableFromInline var start: UInt32
    @usableFromInline var end: UInt32
    /// Index of the first node behind this value. While a container is open: the index of the one around it.
    @usableFromInline var next: UInt32
    @usableFromInline var kind: JSONView.Kind
    @usableFromInline var flags: UInt8

    /// A string with at least one escape.
    @inlinable static var escaped: UInt8 { 1 }
    /// A string with an escape that may not be stored as it is: `\u0000` or a lone surrogate.
    static let unstorable: UInt8 = 2
    /// A bare NaN, Infinity or -Infinity, which reads as null.
    static let nonFinite: UInt8 = 4
    @inlinable static var isTrue: UInt8 { 8 }
}

struct JSONScan {
    enum Outcome {
        case whole
        /// The tape was too short; scan again with `JSONScan.capacityMax`.
        case tapeFull
        case failed
    }

    var nodeCount = 0
    var nonFiniteCount = 0
    var unstorableCount = 0
    /// Where and why, if the scan failed.
    var failureOffset = 0
    var failure: StaticString = ""

    /// More nodes than this no text can have: a scalar takes a byte and a separator, an open container one byte.
    static func capacityMax(byteCount: Int, depthMax: Int) -> Int { byteCount / 2 + min(byteCount, depthMax) + 4 }
}

@inline(__always)
private func load(_ position: UnsafePointer<UInt8>) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(position).loadUnaligned(as: UInt64.self))
}

@inline(__always)
private func skipSpace(_ position: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
    while position < end {
        let byte = position.pointee
        if byte > 0x20 || (byte != 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09) { return }
        position += 1
    }
}

@inline(__always)
private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x30...0x39: UInt32(byte - 0x30)
    case 0x41...0x46: UInt32(byte - 0x41 + 10)
    case 0x61...0x66: UInt32(byte - 0x61 + 10)
    default: nil
    }
}

/// Four hexadecimal digits at `position`, or `nil`.
func hexQuad(_ position: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UInt32? {
    guard end - position >= 4 else { return nil }
    var value: UInt32 = 0
    for index in 0..<4 {
        guard let digit = hexDigit(position[index]) else { return nil }
        value = value << 4 | digit
    }
    return value
}

/// Length of the well-formed UTF-8 sequence at `position` with a first byte ≥ 0x80; 0 if there is none.
private func multibyteLength(_ position: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int {
    let first = position[0]
    let rest = end - position
    func isContinuation(_ index: Int) -> Bool { position[index] & 0xC0 == 0x80 }
    switch first {
    case 0xC2...0xDF:
        return rest >= 2 && isContinuation(1) ? 2 : 0
    case 0xE0...0xEF:
        guard rest >= 3, isContinuation(1), isContinuation(2) else { return 0 }
        if first == 0xE0 && position[1] < 0xA0 { return 0 }
        if first == 0xED && position[1] > 0x9F { return 0 }
        return 3
    case 0xF0...0xF4:
        guard rest >= 4, isContinuation(1), isContinuation(2), isContinuation(3) else { return 0 }
        if first == 0xF0 && position[1] < 0x90 { return 0 }
        if first == 0xF4 && position[1] > 0x8F { return 0 }
        return 4
    default:
        return 0
    }
}

/// Scans a string from its opening quote to behind its closing one. Returns its flags, or `nil` after setting `failure`.
@inline(__always)
private func scanString(
    _ position: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ failure: inout StaticString
) -> UInt8? {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    var flags: UInt8 = 0
    position += 1
    while true {
        while end - position >= 8 {
            let word = load(position)
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            // A byte's high bit is set in `special` where the byte is a quote, a backslash, a control character or not
            // ASCII. Borrows spoil only bits above the first hit.
            let special =
                (((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
                    | ((word &- (ones &* 0x20)) & ~word) | word) & highs
            if special == 0 {
                position += 8
            } else {
                position += special.trailingZeroBitCount >> 3
                break
            }
        }
        guard position < end else {
            failure = "string without an end"
            return nil
        }
        let byte = position.pointee
        if byte == 0x22 {
            position += 1
            return flags
        }
        if byte >= 0x80 {
            let length = multibyteLength(position, end)
            guard length > 0 else {
                failure = "string is not valid UTF-8"
                return nil
            }
            position += length
        } else if byte == 0x5C {
            guard let escape = scanEscape(&position, end, &failure) else { return nil }
            flags |= escape
        } else if byte >= 0x20 {
            position += 1
        } else {
            failure = "control character in a string: write it as an escape"
            return nil
        }
    }
}

/// Scans one escape from its backslash on.
private func scanEscape(
    _ position: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ failure: inout StaticString
) -> UInt8? {
    position += 1
    guard position < end else {
        failure = "string without an end"
        return nil
    }
    switch position.pointee {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
        position += 1
        return JSONNode.escaped
    case 0x75:
        guard let first = hexQuad(position + 1, end) else {
            failure = "expected four hexadecimal digits"
            return nil
        }
        position += 5
        if first == 0 { return JSONNode.escaped | JSONNode.unstorable }
        guard first >= 0xD800, first < 0xE000 else { return JSONNode.escaped }
        // A pair is one scalar; whatever else follows is scanned as it stands.
        if first < 0xDC00, end - position >= 6, position[0] == 0x5C, position[1] == 0x75,
            let second = hexQuad(position + 2, end), second >= 0xDC00, second < 0xE000
        {
            position += 6
            return JSONNode.escaped
        }
        return JSONNode.escaped | JSONNode.unstorable
    default:
        failure = "unknown escape"
        return nil
    }
}

/// Scans a number. Returns `false` after setting `failure`.
@inline(__always)
private func scanNumber(
    _ position: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ failure: inout StaticString
) -> Bool {
    if position.pointee == 0x2D { position += 1 }
    guard position < end, isDigit(position.pointee) else {
        failure = "expected a digit"
        return false
    }
    if position.pointee == 0x30 {
        position += 1
    } else {
        while position < end, isDigit(position.pointee) { position += 1 }
    }
    guard position < end else { return true }
    if position.pointee == 0x2E {
        position += 1
        guard position < end, isDigit(position.pointee) else {
            failure = "expected a digit after '.'"
            return false
        }
        while position < end, isDigit(position.pointee) { position += 1 }
        guard position < end else { return true }
    }
    if position.pointee | 0x20 == 0x65 {
        position += 1
        if position < end, position.pointee == 0x2B || position.pointee == 0x2D { position += 1 }
        guard position < end, isDigit(position.pointee) else {
            failure = "expected a digit in the exponent"
            return false
        }
        while position < end, isDigit(position.pointee) { position += 1 }
    }
    return true
}

/// Whether the word stands at `position`.
private func stands(_ word: StaticString, _ position: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Bool {
    guard end - position >= word.utf8CodeUnitCount else { return false }
    for index in 0..<word.utf8CodeUnitCount where position[index] != word.utf8Start[index] { return false }
    return true
}

/// Scans one value that fills the text.
func scanJSON(
    _ base: UnsafePointer<UInt8>, count: Int, depthMax: Int, readsNonFinite: Bool,
    nodes: UnsafeMutablePointer<JSONNode>, capacity: Int, scan: inout JSONScan
) -> JSONScan.Outcome {
    let end = base + count
    var position = base
    var nodeCount = 0
    var depth = 0
    // The open container that the next value belongs to; `UInt32.max` at the top.
    let top = UInt32.max
    var parent = top
    var failure: StaticString = ""
    if count >= 3, base[0] == 0xEF, base[1] == 0xBB, base[2] == 0xBF { position += 3 }

    func fail(_ reason: StaticString, _ position: UnsafePointer<UInt8>) -> JSONScan.Outcome {
        scan.failure = reason
        scan.failureOffset = position - base
        return .failed
    }

    while true {
        // A value stands here. Capacity for it, and for a key behind it.
        skipSpace(&position, end)
        guard depth < depthMax else { return fail("nested too deeply", position) }
        guard position < end else { return fail("expected a value, found the end", position) }
        guard nodeCount + 2 <= capacity else { return .tapeFull }
        let start = UInt32(truncatingIfNeeded: position - base)
        let byte = position.pointee
        var kind = JSONView.Kind.null
        var flags: UInt8 = 0
        switch byte {
        case 0x22:
            guard let stringFlags = scanString(&position, end, &failure) else { return fail(failure, position) }
            flags = stringFlags
            if flags & JSONNode.unstorable != 0 { scan.unstorableCount += 1 }
            kind = .string
        case 0x7B, 0x5B:
            nodes[nodeCount] = JSONNode(
                start: start, end: 0, next: parent, kind: byte == 0x7B ? .object : .array, flags: 0)
            parent = UInt32(truncatingIfNeeded: nodeCount)
            nodeCount += 1
            depth += 1
            position += 1
            skipSpace(&position, end)
            if position < end, position.pointee == byte + 2 {
                // Empty: falls through to the closing bracket below.
                break
            }
            if byte == 0x5B { continue }
            guard position < end, position.pointee == 0x22 else {
                return fail("expected a member name in quotes", position)
            }
            guard
                scanKey(&position, base, end, &nodes[nodeCount], index: nodeCount, &scan, &failure)
            else { return fail(failure, position) }
            nodeCount += 1
            continue
        case 0x2D, 0x30...0x39:
            if readsNonFinite, byte == 0x2D, stands("-Infinity", position, end) {
                position += 9
                flags = JSONNode.nonFinite
                scan.nonFiniteCount += 1
            } else {
                guard scanNumber(&position, end, &failure) else { return fail(failure, position) }
                kind = .number
            }
        case 0x74 where stands("true", position, end):
            position += 4
            kind = .bool
            flags = JSONNode.isTrue
        case 0x66 where stands("false", position, end):
            position += 5
            kind = .bool
        case 0x6E where stands("null", position, end):
            position += 4
        case 0x4E where readsNonFinite && stands("NaN", position, end):
            position += 3
            flags = JSONNode.nonFinite
            scan.nonFiniteCount += 1
        case 0x49 where readsNonFinite && stands("Infinity", position, end):
            position += 8
            flags = JSONNode.nonFinite
            scan.nonFiniteCount += 1
        default:
            return fail("expected a value", position)
        }
        if byte != 0x7B && byte != 0x5B {
            nodes[nodeCount] = JSONNode(
                start: start, end: UInt32(truncatingIfNeeded: position - base),
                next: UInt32(truncatingIfNeeded: nodeCount + 1), kind: kind, flags: flags)
            nodeCount += 1
        }
        // Behind a value, or at the bracket that closes an empty container.
        var isEmptyContainer = byte == 0x7B || byte == 0x5B
        behind: while true {
            if parent == top {
                skipSpace(&position, end)
                guard position == end else { return fail("unexpected text after the value", position) }
                scan.nodeCount = nodeCount
                return .whole
            }
            skipSpace(&position, end)
            let isObject = nodes[Int(parent)].kind == .object
            let separator = position < end ? position.pointee : 0
            if separator == 0x2C, !isEmptyContainer {
                position += 1
                guard isObject else { break behind }
                skipSpace(&position, end)
                guard position < end, position.pointee == 0x22 else {
                    return fail("expected a member name in quotes", position)
                }
                guard nodeCount < capacity else { return .tapeFull }
                guard
                    scanKey(&position, base, end, &nodes[nodeCount], index: nodeCount, &scan, &failure)
                else { return fail(failure, position) }
                nodeCount += 1
                break behind
            }
            guard separator == (isObject ? 0x7D : 0x5D) else {
                return fail(isObject ? "expected ',' or '}'" : "expected ',' or ']'", position)
            }
            position += 1
            let closed = Int(parent)
            parent = nodes[closed].next
            nodes[closed].end = UInt32(truncatingIfNeeded: position - base)
            nodes[closed].next = UInt32(truncatingIfNeeded: nodeCount)
            depth -= 1
            isEmptyContainer = false
        }
    }
}

/// Scans a member's name and the colon behind it.
@inline(__always)
private func scanKey(
    _ position: inout UnsafePointer<UInt8>, _ base: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>,
    _ node: inout JSONNode, index: Int, _ scan: inout JSONScan, _ failure: inout StaticString
) -> Bool {
    let start = UInt32(truncatingIfNeeded: position - base)
    guard let flags = scanString(&position, end, &failure) else { return false }
    if flags & JSONNode.unstorable != 0 { scan.unstorableCount += 1 }
    node = JSONNode(
        start: start, end: UInt32(truncatingIfNeeded: position - base), next: UInt32(truncatingIfNeeded: index + 1),
        kind: .string, flags: flags)
    skipSpace(&position, end)
    guard position < end, position.pointee == 0x3A else {
        failure = "expected ':'"
        return false
    }
    position += 1
    return true
}

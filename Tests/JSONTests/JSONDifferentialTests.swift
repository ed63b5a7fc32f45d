// Three parsers must agree on mutated documents: the tape, the tree parser and Foundation. The tape and the tree agree
// without exception; Foundation differs where RFC 8259 leaves room, and only there.

import Foundation
import JSON
import TestSupport
import Testing

@Suite struct JSONDifferentialTests {
    static let seeds = [
        #"{"type":"track","event":"Order Completed","userId":"u_1","properties":{"revenue":19.99,"n":12345678901234567890}}"#,
        #"[1,-2.5e10,0.1E-3,true,false,null,"",[],{},[[]],{"a":{}}]"#,
        #"{"é":"🙂","esc":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","deep":[[[[[[1]]]]]],"a":1,"a":2}"#,
        #" { "spaces" : [ 1 , 2 ] , "long string without anything special in it" : "0123456789abcdef0123456789" } "#,
        #"{"batch":[{"messageId":"m","traits":{"email":"a@b.c","age":30}},{"context":{"ip":"1.2.3.4"}}],"sentAt":"2026-11-24"}"#,
        "{\"tab\":\"a\u{7F}b\",\"lone\":\"\\udc00\",\"nul\":\"\\u0000\"}",
    ]
    static let tokens = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\u0000", "\\ud83d", "\\ude00", "0", "1", "-", "+", ".", "e",
        "E9",
        "true", "null", "NaN", "Infinity", " ", "\n", "\t", "\u{1}", "é", "🙂", "[[[[", "{\"a\":", "//", "1e999",
    ]

    private static func mutate(_ text: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var text = text
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let position = Int.random(in: 0...text.count, using: &random)
            let until = min(text.count, position + Int.random(in: 0...4, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: text.removeSubrange(position..<until)
            case 1: text.insert(.random(in: 0...255, using: &random), at: position)
            case 2 where position < text.count: text[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 3:
                text.insert(
                    contentsOf: Array(text[position..<until]), at: Int.random(in: 0...text.count, using: &random))
            case 4 where Int.random(in: 0..<4, using: &random) == 0: text.removeSubrange(position...)
            default:
                text.insert(contentsOf: tokens[Int.random(in: 0..<tokens.count, using: &random)].utf8, at: position)
            }
        }
        return text
    }

    /// What `JSONDocument` does on decoding and the tree parser does not.
    private static func withoutNulls(_ value: JSONValue) -> JSONValue {
        func clean(_ text: String) -> String {
            String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\0" }))
        }
        return switch value {
        case .string(let text): .string(clean(text))
        case .array(let elements): .array(elements.map(withoutNulls))
        case .object(let object):
            .object(JSONObject(object.members.map { (key: clean($0.key), value: withoutNulls($0.value)) }))
        default: value
        }
    }

    @Test func theThreeParsersAgreeOnMutatedDocuments() {
        let seed = UInt64.random(in: 0 ... .max)
        print("JSON differential seed \(seed)")
        var random = SeededRandom(seed: seed)
        var accepted = 0
        for round in 0..<20_000 {
            let bytes = Self.mutate(Array(Self.seeds[round % Self.seeds.count].utf8), &random)
            let tree = try? JSONValue(parsing: bytes)
            let document = try? JSONDocument(parsing: bytes)
            let shown = String(decoding: bytes, as: UTF8.self)
            guard (tree == nil) == (document == nil) else {
                Issue.record("tree and tape disagree on \(shown), seed \(seed)")
                continue
            }
            if let document, let tree {
                accepted += 1
                let read = JSONValue(document.root)
                if read != Self.withoutNulls(tree) { Issue.record("different values of \(shown), seed \(seed)") }
                var writer = JSONWriter()
                writer.write(document.root)
                if (try? JSONValue(parsing: writer.bytes)) != read {
                    Issue.record("repair broke \(shown), seed \(seed)")
                }
                if read.encodedBound < read.utf8.count { Issue.record("longer than bound: \(shown), seed \(seed)") }
            }
            compareWithFoundation(bytes, document, shown, seed)
        }
        // Otherwise the mutations would test refusals only.
        #expect(accepted > 1000)
    }

    private func compareWithFoundation(_ bytes: [UInt8], _ document: JSONDocument?, _ shown: String, _ seed: UInt64) {
        // Foundation guesses UTF-16 and UTF-32 from zero bytes, and refuses what RFC 8259 leaves open: lone surrogates
        // and numbers beyond a double.
        if bytes.contains(0) { return }
        let foundation = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
        if (foundation == nil) == (document == nil) { return }
        if foundation != nil, let fixed = withoutTrailingComma(bytes) {
            // Foundation lets a comma stand before a closing bracket, which is not JSON.
            return compareWithFoundation(fixed, try? JSONDocument(parsing: fixed), shown, seed)
        }
        if foundation == nil, let document, !document.isVerbatim || hasHugeNumber(document.root) { return }
        Issue.record("Foundation \(foundation == nil ? "refuses" : "accepts") \(shown), seed \(seed)")
    }

    /// The text without the comma before a closing bracket that the tape refused; `nil` if it refused something else.
    private func withoutTrailingComma(_ bytes: [UInt8]) -> [UInt8]? {
        do {
            _ = try JSONDocument(parsing: bytes)
            return nil
        } catch {
            guard error.offset < bytes.count, [0x5D, 0x7D].contains(bytes[error.offset]),
                let last = bytes[..<error.offset].lastIndex(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }),
                bytes[last] == 0x2C
            else { return nil }
            var fixed = bytes
            fixed.remove(at: last)
            return fixed
        }
    }

    private func hasHugeNumber(_ view: JSONView) -> Bool {
        if let double = view.double { return !double.isFinite }
        return view.elements.contains { hasHugeNumber($0) } || view.members.contains { hasHugeNumber($0.value) }
    }
}

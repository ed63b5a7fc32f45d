// The tape: what it accepts, what it refuses and where, how values read through it.

import JSON
import Testing

@Suite struct JSONDocumentTests {
    private func value(_ text: String) throws -> JSONValue { JSONValue(try JSONDocument(parsing: text).root) }

    private func refusal(_ text: String) -> JSONError? {
        do {
            _ = try JSONDocument(parsing: text)
            return nil
        } catch { return error }
    }

    @Test(arguments: [
        "null", "true", "false", "0", "-0", "12.5e-3", "\"\"", "[]", "{}", " [ ] ", "[1,[2,[3]],{}]",
        #"{"a":{"b":[true,null]},"c":"d"}"#, "\t{\r\n\"a\" : 1 , \"b\":2 }\n",
        #""\ud83d\ude42 \u00e9 \/ \b\f\n\r\t\"\\""#,
        "\u{FEFF}{}", "[12345678901234567890,19.99,1e400,0.1,-12]", #"{"é🙂":"名前"}"#,
        #"{"a string that is longer than eight bytes":"and \"one\" more that is, with escapes"}"#,
    ])
    func readsWhatTheTreeParserReads(text: String) throws {
        #expect(try value(text) == JSONValue(parsing: text))
    }

    @Test(arguments: [
        ("", 0), ("   ", 3), ("[", 1), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("{\"a\"}", 4), ("{\"a\":}", 5),
        ("{\"a\":1,}", 7), ("{,}", 1), ("{a:1}", 1), ("[1}", 2), ("{\"a\":1]", 6), ("01", 1), ("1.", 2), (".5", 0),
        ("-", 1), ("+1", 0), ("1e", 2), ("1e+", 3), ("tru", 0), ("True", 0), ("nulls", 4), ("\"a", 2),
        ("\"\u{1}\"", 1), (#""\x""#, 2), (#""\u12g4""#, 2), ("[1] 2", 4), ("NaN", 0), ("-Infinity", 1), ("[[]", 3),
        ("'a'", 0), ("/* */1", 0), ("{}{}", 2),
    ])
    func refusesWithThePlace(text: String, offset: Int) {
        #expect(refusal(text)?.offset == offset, "\(text): \(String(describing: refusal(text)))")
    }

    @Test(
        arguments: [
            [0x22, 0x80, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xE0, 0x80, 0x80, 0x22],
            [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF0, 0x80, 0x80, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
            [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
            [0x22, 0xC3, 0x22], [0x22, 0xE2, 0x82, 0x22], [0x22, 0xC3], [0xFF], [0x22, 0xC3, 0x28, 0x22],
        ] as [[UInt8]])
    func refusesWhatIsNoUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONDocument(parsing: bytes) }
    }

    @Test func nestingIsBounded() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(try value(nested(128)) == JSONValue(parsing: nested(128)))
        #expect(refusal(nested(129))?.offset == 128)
        #expect(refusal(String(repeating: "[", count: 100_000))?.offset == 128)
        #expect(refusal(String(repeating: "{\"a\":", count: 100_000)) != nil)
        let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
        #expect(throws: Never.self) { try JSONDocument(parsing: Array(deep.utf8), maximumDepth: 1000) }
    }

    @Test func denseTextsFitTheTape() throws {
        for text in [
            "[" + String(repeating: "1,", count: 50_000) + "1]", "[" + String(repeating: "[],", count: 20_000) + "[]]",
            "{" + (0..<5000).map { "\"\($0)\":{}" }.joined(separator: ",") + "}", "[[[[[[[[1]]]]]]]]", "[0]",
            "{\"\":0}",
        ] {
            #expect(try value(text) == JSONValue(parsing: text))
        }
    }

    @Test func theLastOfARepeatedNameCounts() throws {
        let document = try JSONDocument(parsing: #"{"a":1,"b":2,"\u0061":3}"#)
        #expect(document.root["a"]?.integer == 3)
        #expect(document.root["a" as String]?.integer == 3)
        #expect(document.root.count == 3)
        #expect(JSONValue(document.root) == ["a": 3, "b": 2])
    }

    @Test func viewsKnowTheirKindAndSpan() throws {
        let text = #"{"s":"x\ny","n":-1.50,"t":true,"f":false,"z":null,"l":[1,2,3],"o":{"p":{}}}"#
        let root = try JSONDocument(parsing: text).root
        #expect(root.kind == .object && root.span == 0..<text.utf8.count)
        #expect(root["s"]?.string == "x\ny" && root["s"]?.number == nil)
        #expect(root["n"]?.double == -1.5 && root["n"]?.string == nil)
        #expect(root["n"].map { String(decoding: $0.rawBytes, as: UTF8.self) } == "-1.50")
        #expect(root["t"]?.bool == true && root["f"]?.bool == false && root["z"]?.bool == nil)
        #expect(root["z"]?.isNull == true && root["missing"] == nil)
        #expect(root["l"]?.elements.map(\.integer) == [1, 2, 3] && root["l"]?.count == 3)
        #expect(root["l"]?.members.map(\.key.span) == [] && root["o"]?.elements.map(\.span) == [])
        #expect(root["o"]?["p"]?.count == 0 && root["l"]?["p"] == nil)
        #expect(root.members.map { $0.key.string } == ["s", "n", "t", "f", "z", "l", "o"])
        #expect(root["o"].map { String(decoding: $0.rawBytes, as: UTF8.self) } == #"{"p":{}}"#)
    }

    @Test(arguments: [
        "0", "-0", "7", "123456789012345", "1234567890123456", "9007199254740993", "0.1", "19.99", "0.000001",
        "123456.789012345", "1.10", "-273.15", "1e3", "1E-7", "12345678901234567890", "0.30000000000000004", "1e400",
    ])
    func numbersKeepTheirDigits(literal: String) throws {
        let read = try #require(try JSONDocument(parsing: literal).root.number)
        let expected = try #require(JSONNumber(literal: literal))
        #expect(read == expected && read.double == Double(literal) && read.text == expected.text)
    }

    @Test func whatMayNotBeStoredGoesAway() throws {
        let document = try JSONDocument(
            parsing: #"{"a\u0000b":"c\u0000","d":["\ud800","\udc00x","\ud800\ud800\udc00"],"e":"\\u0000"}"#)
        #expect(!document.isVerbatim)
        let expected: JSONValue = [
            "ab": "c", "d": ["\u{FFFD}", "\u{FFFD}x", "\u{FFFD}\u{10000}"], "e": "\\u0000",
        ]
        #expect(JSONValue(document.root) == expected)
        var writer = JSONWriter()
        writer.write(document.root)
        #expect(try JSONValue(parsing: writer.bytes) == expected)
        writer = JSONWriter()
        writer.write(try #require(document.root["d"]))
        #expect(try JSONValue(parsing: writer.bytes) == expected["d"])
    }

    @Test func nonFiniteNumbersReadAsNullWhereAllowed() throws {
        let text = #"{"a":NaN,"b":[Infinity,-Infinity,-1],"c":"NaN"}"#
        #expect(throws: JSONError.self) { try JSONDocument(parsing: text) }
        let document = try JSONDocument(parsing: Array(text.utf8), readsNonFiniteAsNull: true)
        #expect(document.nonFiniteCount == 3 && !document.isVerbatim)
        var writer = JSONWriter()
        writer.write(document.root)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"a":null,"b":[null,null,-1],"c":"NaN"}"#)
        for bad in ["Nan", "NaNN", "[Inf]", "-NaN", "+Infinity", "-Infinit"] {
            #expect(throws: JSONError.self) {
                try JSONDocument(parsing: Array(bad.utf8), readsNonFiniteAsNull: true)
            }
        }
    }

    @Test func verbatimTextIsWrittenAsItCame() throws {
        let document = try JSONDocument(parsing: #"{ "a" : 1.0e2 , "b":"\u00e9" }"#)
        var writer = JSONWriter()
        writer.write(document.root)
        #expect(document.isVerbatim && writer.bytes == document.bytes)
    }
}

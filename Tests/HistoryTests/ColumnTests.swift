import JSON
import Model
import Testing

@testable import History

@Suite struct ColumnTests {
    @Test func `Values read back as they were sent`() throws {
        var test = TestHistory()
        let texts = [
            "0", "-1.5", "9007199254740993", "12345678901234567890.123", "1e400", "\"\"", "\"é\"", "true", "false",
            "null",
            "[]", "[1,[2,\"a\"],{\"b\":null}]", "{}", "{\"a\":{\"b\":[1e400]}}",
        ]
        let values = try texts.map { try JSONValue(parsing: $0) }
        for (minutes, value) in values.enumerated() { test.track("A", ["v": value], at: minutes) }
        #expect(test.values("A", [.key("v")]) == values)
        #expect(test.values("A", [.key("v")]).map(\.description) == texts)
    }

    @Test func `Nested objects stand under their paths and whole; dots in keys are no separators`() {
        var test = TestHistory()
        test.track("A", ["o": ["x": ["y": 1]], "o.x": 2])
        #expect(test.values("A", [.key("o"), .key("x"), .key("y")]) == [1])
        #expect(test.values("A", [.key("o"), .key("x")]) == [["y": 1]])
        #expect(test.values("A", [.key("o")]) == [["x": ["y": 1]]])
        #expect(test.values("A", [.key("o.x")]) == [2])
        #expect(test.values("A", [.key("x")]) == [])
    }

    @Test func `A column that appears late is empty in the rows before`() {
        var test = TestHistory()
        test.track("A", ["a": 1], at: 1)
        let table = test.history.table(test.history.eventID("A"))
        let version = table.pathVersion
        #expect(table.column(.value, ColumnPath([.key("b")])) == nil)
        test.track("A", ["b": 2], at: 2)
        #expect(table.pathVersion != version)
        test.track("A", [:], at: 3)
        #expect(test.values("A", [.key("a")]) == [1, nil, nil])
        #expect(test.values("A", [.key("b")]) == [nil, 2, nil])
    }

    @Test func `A dollar sign stands for each element; elements that lack the rest are one null`() {
        var test = TestHistory()
        let items: JSONValue = [
            ["sku": "a", "sizes": [1, 2]], ["sku": "b"], 7, ["sku": nil, "sizes": [3, nil]], ["sku": "a", "sizes": []],
        ]
        test.track("A", ["tags": ["x", nil, "y"], "items": items, "matrix": [[1, 2], [3], []]])
        #expect(test.values("A", [.key("tags"), .elements]) == [["x", "y", nil]])
        #expect(test.values("A", [.key("items"), .elements, .key("sku")]) == [["a", "b", "a", nil]])
        #expect(test.values("A", [.key("items"), .elements, .key("sizes"), .elements]) == [[1, 2, 3, nil]])
        #expect(test.values("A", [.key("matrix"), .elements, .elements]) == [[1, 2, 3, nil]])
        #expect(test.values("A", [.key("items")]) == [items])
    }

    @Test func `A key that is a dollar sign is no element`() {
        var test = TestHistory()
        test.track("A", ["o": ["$": 1]])
        #expect(test.values("A", [.key("o"), .key("$")]) == [1])
        #expect(test.values("A", [.key("o"), .elements]) == [])
        #expect(test.history.eventCatalogue[0].properties.map(\.path) == ["o", "o.\\$"])
    }

    @Test func `Wide arrays of different objects take room in proportion to their text`() {
        var test = TestHistory()
        let items = (0..<900).map { number in JSONValue.object(["k\(number)": .number(number)]) }
        test.track("A", ["items": .array(items)])
        let cells = test.values("A", [.key("items"), .elements, .key("k5")])
        #expect(cells == [[5, nil]])
    }

    @Test func `Pages and screens have their name under both names`() {
        var test = TestHistory()
        test.insert(.page, at: 1, body: ["name": "Home", "properties": ["url": "/"]])
        test.insert(.page, at: 2, body: ["properties": ["name": "Cart"]])
        test.insert(.page, at: 3, body: ["name": "", "properties": [:]])
        test.insert(.screen, at: 4, body: ["name": "Main"])
        #expect(test.values("Page Viewed", [.key("page_name")]) == ["Home", "Cart", nil])
        #expect(test.values("Page Viewed", [.key("name")]) == ["Home", "Cart", nil])
        #expect(test.values("Screen Viewed", [.key("screen_name")]) == ["Main"])
        #expect(test.values("Screen Viewed", [.key("page_name")]) == [])
    }

    @Test func `The context has columns of its own`() {
        var test = TestHistory()
        test.track("A", ["page": 1], context: ["page": ["url": "/x"]])
        let table = test.history.table(test.history.eventID("A"))
        let column = table.column(.context, ColumnPath([.key("page"), .key("url")]))
        #expect(column.map { table.json(.context, column: $0, row: 0) } == "/x")
    }

    @Test func `At most 1,000 paths per event name; what is left out is counted`() {
        var test = TestHistory()
        for number in 0..<1003 { test.track("A", ["k\(number)": .number(number)], at: number) }
        test.track("A", ["k3": "again", "new": ["deep": 1]], at: 2000)
        test.track("B", ["k1002": 1])
        let statistics = test.history.statistics
        #expect(statistics.valuesOverPathLimit == 4)
        #expect(statistics.eventNamesAtPathLimit == ["A"])
        #expect(test.values("A", [.key("k999")]).contains(999))
        #expect(test.values("A", [.key("k1000")]) == [])
        #expect(test.values("A", [.key("k3")]).last == "again")
        #expect(test.values("B", [.key("k1002")]) == [1])
    }
}

@Suite struct CatalogueTests {
    @Test func `The catalogue shows names, counts, times, types and samples`() throws {
        var test = TestHistory()
        test.track("A", ["n": 1, "s": "x"], at: 5)
        test.track("A", ["n": "1", "s": "x", "l": [true, nil]], at: 2)
        test.track("B", at: 9)
        test.identify(["plan": "pro", "addr": ["city": "Rome"]], at: 1)
        test.identify(["plan": nil], at: 3)
        // Asked for, never seen.
        _ = test.history.eventID("C")
        _ = test.history.traitID("other")

        let events = test.history.eventCatalogue
        #expect(events.map(\.name) == ["A", "B"])
        let first = try #require(events.first)
        #expect(first.count == 2)
        #expect(first.firstSeen == TestHistory.at(2))
        #expect(first.lastSeen == TestHistory.at(5))
        #expect(first.properties.map(\.path) == ["l", "l.$", "n", "s"])
        #expect(first.properties.map(\.count) == [1, 1, 2, 2])
        #expect(first.properties.map(\.types) == [[.array], [.boolean, .null], [.number, .string], [.string]])
        #expect(first.properties[2].samples == [1, "1"])
        #expect(first.properties[3].samples == ["x"])

        let traits = test.history.traitCatalogue
        #expect(traits.map(\.key) == ["addr", "plan"])
        #expect(traits[0].paths.map(\.path) == ["", "city"])
        #expect(traits[1].paths[0].types == [.string, .null])
        #expect(traits[1].count == 2)
        #expect(test.history.statistics.eventNames == 2)
    }

    @Test func `At most 20 samples`() {
        var test = TestHistory()
        for number in 0..<50 { test.track("A", ["n": .number(number % 30)], at: number) }
        #expect(test.history.eventCatalogue[0].properties[0].samples.count == 20)
    }

    @Test func `A removed profile leaves nothing that can be found`() {
        var test = TestHistory()
        test.track("A", ["email": "ann@example.org"], profile: 1)
        test.track("A", ["email": "bob@example.org"], profile: 2)
        test.identify(["email": "ann@example.org"], profile: 1)
        test.history.remove(ProfileOrdinal(1))
        test.history.remove(ProfileOrdinal(77))
        #expect(test.timeline(of: [1]).isEmpty)
        #expect(test.history.traits(of: [ProfileOrdinal(1)], at: TestHistory.at(9)).isEmpty)
        #expect(test.values("A", [.key("email")], of: [1, 2]) == ["bob@example.org"])
        #expect(test.history.eventCatalogue.map(\.count) == [1])
        #expect(test.history.eventCatalogue[0].properties[0].samples == ["bob@example.org"])
        #expect(test.history.traitCatalogue.isEmpty)
        #expect(test.history.statistics.events == 1)
        test.track("A", ["email": "new@example.org"], at: 3, profile: 1)
        #expect(test.values("A", [.key("email")], of: [1]) == ["new@example.org"])
    }
}

@Suite struct StringPoolTests {
    @Test func `Texts keep their codes, byte for byte, while the pool grows`() {
        let pool = StringPool()
        let texts = (0..<5000).map { "text \($0 % 2500)" } + ["", "\u{E9}", "e\u{301}"]
        let codes = texts.map { pool.intern($0) }
        #expect(pool.count == 2503)
        #expect(codes.map(pool.string).map { Array($0.utf8) } == texts.map { Array($0.utf8) })
        #expect(texts.map(pool.find) == codes)
        #expect(pool.find("unknown") == nil)
    }
}

@Suite struct TapeTests {
    /// A call whose body is written by hand, as a client could send it.
    private func insert(_ body: String, kind: Call.Kind = .track, into history: History, offset: Int64 = 1) throws
        -> HistoryChange
    {
        let call = Call(
            kind: kind, sourceID: "web", messageID: "m\(offset)", event: kind == .track ? "A" : nil,
            timestamp: TestHistory.at(Int(offset)), receivedAt: TestHistory.at(Int(offset)), body: Array(body.utf8))
        let document = try JSONDocument(parsing: body)
        return kind == .track
            ? history.insertEvent(call, body: document.root, offset: offset, profile: ProfileOrdinal(0))
            : history.insertTraits(call, body: document.root, offset: offset, profile: ProfileOrdinal(0))
    }

    private func value(_ path: [ColumnPath.Component], in history: History) -> JSONValue? {
        let table = history.table(history.eventID("A"))
        return table.column(.value, ColumnPath(path)).map {
            table.json(.value, column: $0, row: table.rowCount - 1)
        }
    }

    @Test func `Of a repeated name the last value counts, and nothing of the first is left`() throws {
        let history = History()
        _ = try insert(
            #"{"properties":{"o":{"x":1,"y":2},"v":1,"o":{"x":3,"x":4},"l":[{"k":1,"k":2},{"k":3}],"v":"last"}}"#,
            into: history)
        #expect(value([.key("v")], in: history) == "last")
        #expect(value([.key("o")], in: history) == ["x": 4])
        #expect(value([.key("o"), .key("x")], in: history) == 4)
        #expect(value([.key("o"), .key("y")], in: history) == .some(.null))
        #expect(value([.key("l"), .elements, .key("k")], in: history) == [2, 3])
        let paths = history.eventCatalogue[0].properties.filter { !$0.path.hasPrefix("o.y") }
        #expect(paths.map(\.count).allSatisfy { $0 == 1 })

        let change = try insert(
            #"{"traits":{"plan":"a","age":1,"plan":"b"}}"#, kind: .identify, into: history, offset: 2)
        #expect(change.traits.map(history.traitKey) == ["plan", "age"])
        #expect(history.traits(of: [ProfileOrdinal(0)], at: .distantFuture).map(\.value) == [1, "b"])
    }

    @Test func `Names in another order, escapes and spaces make no difference`() throws {
        let history = History()
        for (offset, body) in [
            #"{"properties":{"a":1,"b":{"c":"é\n","d":[1.50, -0]}}}"#,
            #"{ "properties" : { "b" : { "c" : "\u00e9\n" , "d" : [ 1.5 ,0 ] } , "\u0061" : 1.0 } }"#,
        ].enumerated() {
            _ = try insert(body, into: history, offset: Int64(offset + 1))
            #expect(value([.key("a")], in: history) == 1)
            #expect(value([.key("b"), .key("c")], in: history) == "é\n")
            #expect(value([.key("b")], in: history) == ["c": "é\n", "d": [1.5, 0]])
        }
        // Equal values are one text, however they were written.
        #expect(history.eventCatalogue[0].properties.map(\.samples.count) == [1, 0, 1, 1, 2])
    }

    @Test func `Compact text is the text of the tree`() throws {
        let texts = [
            #" [ 1 , 1.0 , 10e2, -0, 0, 007 ]"#, #"{"a":{"b":[true,false,null,"\u0041\"\\\/\t\u0001é"]},"":{}}"#,
            #"[123456789012345, 1234567890123456, 9007199254740993, 0.1, 1e400, -5, -5.50, 1E+2]"#, "[[],[[]],{}]",
        ]
        for text in texts {
            guard let document = try? JSONDocument(parsing: text) else { continue }
            var bytes: [UInt8] = []
            document.root.withGlance { CompactText.append($0, to: &bytes) }
            #expect(bytes == JSONValue(document.root).utf8, "\(text)")
        }
    }
}

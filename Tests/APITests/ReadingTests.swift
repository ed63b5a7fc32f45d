import JSON
import Testing

@testable import API

/// Small parts: query parameters, percent escapes, CSV cells, members of bodies.
@Suite struct ReadingTests {
    @Test("Query parameters are decoded; broken ones are left out")
    func parameters() {
        let query = QueryParameters("a=1&b=x+y%20z&pagination%5Bcount%5D=5&a=2&c=%zz&d&e=%ff")
        #expect(query["a"] == "1")
        #expect(query["b"] == "x y z")
        #expect(query["pagination[count]"] == "5")
        #expect(query["c"] == nil && query["d"] == nil && query["e"] == nil)
    }

    @Test("Percent escapes go both ways", arguments: ["a b", "ü/€", "100%", "a+b", "", "…\u{0}"])
    func escapes(text: String) {
        #expect(PercentEncoding.decode(PercentEncoding.encode(text)) == text)
    }

    @Test(
        "CSV cells are quoted where needed and never formulas",
        arguments: [
            ("plain", "plain"), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""), ("=1+1", "'=1+1"),
            ("+4912345", "+4912345"), ("-5.5", "-5.5"), ("-x", "'-x"), ("@cmd", "'@cmd"), ("\tx", "'\tx"),
            ("a\nb", "\"a\nb\""), ("=a,b", "\"'=a,b\""),
        ])
    func cells(text: String, cell: String) {
        #expect(CSV.cell(text) == cell)
    }

    @Test("A body's members are read once, checked, and unknown ones named")
    func fields() throws {
        var fields = Fields(["name": " Kim ", "count": 5, "inner": ["flag": true], "odd": 1])
        #expect(try fields.title("name") == "Kim")
        #expect(try fields.integer("count", in: 1...9) == 5)
        var inner = try #require(try fields.object("inner"))
        #expect(throws: APIError.self) { _ = try inner.string("flag") }
        #expect(try inner.bool("flag") == true)
        #expect(try fields.string("absent") == nil)
        #expect(
            throws: APIError(
                .validation, field: "odd", "'odd' is not known here. Possible: 'absent', 'count', 'inner', 'name'.")
        ) {
            try fields.finish()
        }
        do {
            _ = try inner.string("flag")
        } catch {
            #expect(error.field == "inner.flag")
        }
    }

    @Test("A page's cursor belongs to its list")
    func paging() throws {
        let first = try Paging(QueryParameters("count=2")).page(of: ["a", "b", "c"])
        #expect(Array(first.elements) == ["a", "b"])
        #expect(first.pagination["next"] == "2")
        let last = try Paging(QueryParameters("count=2&cursor=2")).page(of: ["a", "b", "c"])
        #expect(Array(last.elements) == ["c"])
        #expect(last.pagination["next"] == nil)
        #expect(throws: APIError.self) { try Paging(QueryParameters("count=201")) }
        #expect(throws: APIError.self) { try Paging(QueryParameters("cursor=-1")).number() }
    }

    @Test("Base64 reads both alphabets")
    func base64() {
        #expect(Base64.decode(Base64.encode("1515::ajs-??>>")) == "1515::ajs-??>>")
        #expect(Base64.decode("YTpi") == "a:b")
        #expect(Base64.decode("!") == nil)
    }
}

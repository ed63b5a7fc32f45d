import TestSupport
import Testing

@testable import Identity

@Suite struct BlockedPatternTests {
    @Test(
        "What patterns find",
        arguments: [
            ("^[0-]*$", ["", "0", "-", "0000-0000"], ["1", "0a", "00000000-0000-0000-0000-000000000001"]),
            ("test", ["test", "a test b"], ["tes", ""]),
            ("^(foo|bar)+$", ["foo", "barfoo"], ["", "foob"]),
            ("@example\\.(com|org)$", ["a@example.com", "@example.org"], ["a@exampleXcom", "a@example.com.au"]),
            ("^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]), ("^a{2}$", ["aa"], ["a", "aaa"]),
            ("^a{2,}$", ["aa", "aaaaa"], ["a"]), ("^\\d+$", ["0", "123"], ["", "1a"]),
            ("^[^\\d]+$", ["abc"], ["a1"]), ("\\bcat\\b", ["a cat!", "cat"], ["concat", "cats"]),
            ("\\Bcat", ["concat"], ["cat"]), ("^.$", ["x", "é", "😀"], ["", "xy", "\n"]),
            ("^[]a]+$", ["]", "a]"], ["b"]), ("^[a-c-]+$", ["a-c"], ["d"]), ("^\\x41\\u0042$", ["AB"], ["ab"]),
            ("(?i)^guest$", ["GUEST", "Guest"], ["guests"]), ("a||b", ["", "zzz"], []),
            ("^(?:a|b)*?c$", ["c", "abac"], ["ab"]), ("^$", [""], ["a"]), ("a$b", [], ["ab", "a"]),
            ("(a*)*$", ["", "aaa", "b"], []), ("[\\w.]+@", ["x.y@z"], ["@z", "é@"]),
        ])
    func finds(pattern: String, found: [String], notFound: [String]) throws {
        let pattern = try BlockedPattern(pattern)
        for value in found { #expect(pattern.matches(value), "\(value)") }
        for value in notFound { #expect(!pattern.matches(value), "\(value)") }
    }

    @Test(
        "What is not understood is refused, with its place",
        arguments: [
            ("(a", 2, "')' is missing"), ("a)", 1, "without its '('"), ("[a", 2, "']' is missing"),
            ("*a", 0, "nothing to repeat"), ("\\1", 1, "back-references"), ("(?=a)", 2, "look-around"),
            ("a{3,2}", 6, "below its start"), ("a{", 1, "begins no count"), ("\\q", 1, "not supported"),
            ("a\\", 2, "at the end"), ("(a{100}){100}", 13, "too long"), ("[b-a]", 4, "ends before"),
            (String(repeating: "(", count: 99), 50, "nested"),
        ])
    func refuses(pattern: String, position: Int, message: String) throws {
        let error = try #require(throws: PatternError.self) { try BlockedPattern(pattern) }
        #expect(error.message.contains(message), "\(error)")
        #expect(error.position == position, "\(error)")
    }

    @Test("Random patterns agree with Swift's Regex")
    func differential() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed of the pattern comparison: \(seed)")
        var random = SeededRandom(seed: seed)
        var compared = 0
        for _ in 0..<1500 {
            let text = expression(depth: 3, &random)
            let pattern = try BlockedPattern(text)
            let regex = try Regex(text)
            for _ in 0..<6 {
                let value = String(
                    (0..<Int.random(in: 0...6, using: &random)).map { _ in "ab-0".randomElement(using: &random) ?? "a" }
                )
                #expect(
                    pattern.matches(value) == (value.firstMatch(of: regex) != nil),
                    "pattern \(text), value '\(value)', seed \(seed)")
                compared += 1
            }
        }
        #expect(compared == 9000)
    }

    private func expression(depth: Int, _ random: inout SeededRandom) -> String {
        guard depth > 0 else {
            return ["a", "b", "0", "[ab]", "[^a]", "[0-]", ".", "\\d", "\\w"].randomElement(using: &random) ?? "a"
        }
        func part() -> String { expression(depth: depth - 1, &random) }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return part() + part()
        case 1: return "(\(part())|\(part()))"
        case 2: return "(\(part()))*"
        case 3: return "(?:\(part()))+"
        case 4: return "(\(part()))?"
        case 5: return "(\(part())){1,2}"
        case 6: return "^" + part()
        default: return part() + "$"
        }
    }
}

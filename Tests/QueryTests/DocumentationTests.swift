import Foundation
import Model
import Testing

@testable import Query

/// Goal: the reference tells the truth. Method: every example in docs/query-language.md is read from the page itself.
@Suite struct DocumentationTests {
    private struct Example {
        var info: String
        var text: String
        var line: Int
        /// The block after it, for examples that are wrong.
        var following: String = ""
    }

    private func page() throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "docs/query-language.md"), encoding: .utf8)
    }

    private func examples() throws -> [Example] {
        var found: [Example] = []
        var open: Example?
        for (index, line) in try page().split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") {
                if let example = open {
                    if example.info.hasPrefix("query") {
                        found.append(example)
                    } else if found.last?.info == "query wrong", found.last?.following.isEmpty == true {
                        found[found.count - 1].following = example.text
                    }
                    open = nil
                } else {
                    open = Example(info: String(line.dropFirst(3)), text: "", line: index + 1)
                }
            } else if let example = open {
                open?.text = example.text.isEmpty ? String(line) : example.text + "\n" + line
            }
        }
        return found
    }

    @Test func examplesAreValidAndCanonical() throws {
        let examples = try examples().filter { $0.info != "query wrong" }
        #expect(examples.count > 40)
        for example in examples {
            let kind: Computation.Kind = example.info.contains("trait") ? .trait : .audience
            let level: Computation.Level = example.info.contains("accounts") ? .accounts : .users
            do {
                let definition = try Definition.compile(example.text, kind: kind, level: level)
                #expect(definition.text == example.text, "line \(example.line)")
            } catch {
                Issue.record("line \(example.line): \(error)")
            }
        }
    }

    @Test func wrongExamplesShowTheirErrors() throws {
        let examples = try examples().filter { $0.info == "query wrong" }
        #expect(!examples.isEmpty)
        for example in examples {
            do {
                _ = try Definition.compile(example.text, kind: .audience)
                Issue.record("line \(example.line): accepted")
            } catch {
                #expect(error.description == example.following, "line \(example.line)")
            }
        }
    }

    @Test func everyWordOfTheLanguageHasAnExample() throws {
        let text = try examples().map(\.text).joined(separator: "\n")
        let functions = Vocabulary.filters + Vocabulary.reducers
        // These are other spellings of what the canonical print writes with symbols, or leaves out.
        let comparators = Vocabulary.comparators.filter { $0 != "equals" && $0 != "differs" }
        let extractors = Vocabulary.extractors.filter { $0 != "literal" }
        for word in (functions + comparators).map({ ".\($0)(" }) + extractors.map({ "\($0)('" }) {
            #expect(text.contains(word), "\(word)")
        }
        for word in Vocabulary.keywords { #expect(text.contains("\(word) "), "\(word)") }
        for word in ["(parent: '", "within(parent: ", "between(parent: ", " as array", " as string", ".$", "\\\\."] {
            #expect(text.contains(word), "\(word)")
        }
    }
}

import Foundation
import Testing

/// Goal: no item of Braze's checklist (spec braze §8) is without a test, and the page that lists them tells the truth.
/// Method: the page's rows are compared with the display names in the sources of the tests.
@Suite("the checklist's page") struct ChecklistTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private struct Row {
        var number: Int
        var whose: String
        var tests: [String]
    }

    private func rows() throws -> [Row] {
        let page = try String(contentsOf: Self.root.appendingPathComponent("docs/braze-checklist.md"), encoding: .utf8)
        return page.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 3, let number = Int(cells[0]) else { return nil }
            return Row(number: number, whose: cells[1], tests: cells[2].components(separatedBy: "<br>"))
        }
    }

    /// The display names of all tests and suites about Braze, each with the items that it names.
    private func names() throws -> [String: Set<Int>] {
        var names: [String: Set<Int>] = [:]
        let pattern = #/@(?:Test|Suite)\(\s*"((?:[^"\\]|\\.)*)"/#
        let numbered = #/(TX )?(?:checks )?([0-9][0-9, –]*): .*/#
        for module in ["BrazeSandboxTests", "BrazeDestinationTests", "DeliveryTests"] {
            let directory = Self.root.appendingPathComponent("Tests/\(module)")
            for file in try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            where file.pathExtension == "swift" {
                for match in try String(contentsOf: file, encoding: .utf8).matches(of: pattern) {
                    let name = String(match.1)
                    names[name, default: []].formUnion([])
                    // Tests of connected sources have numbers of their own.
                    guard let found = name.wholeMatch(of: numbered),
                        module == "BrazeSandboxTests" || found.1 != nil || name.hasPrefix("checks ")
                    else { continue }
                    for part in found.2.split(separator: ",") {
                        let ends = part.split(separator: "–").compactMap {
                            Int($0.trimmingCharacters(in: .whitespaces))
                        }
                        guard let first = ends.first, let last = ends.last else { continue }
                        names[name, default: []].formUnion(first...last)
                    }
                }
            }
        }
        return names
    }

    @Test("every item has its row and a test") func complete() throws {
        let (rows, names) = (try rows(), try names())
        #expect(rows.map(\.number) == Array(1...90))
        for row in rows {
            #expect(!row.tests.isEmpty)
            for test in row.tests {
                #expect(names[test]?.contains(row.number) == true, "\(row.number): no test is called '\(test)'")
            }
        }
        for (name, items) in names {
            for row in rows where items.contains(row.number) {
                #expect(row.tests.contains(name), "the row of \(row.number) lacks '\(name)'")
            }
        }
    }
}

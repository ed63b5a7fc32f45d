import Delivery
import Foundation
import JSON
import Model
import Testing

@testable import BrazeDestination

// The conformance corpus: calls with what Braze must be sent for them, or why nothing is sent. Written by hand from
// braze-destination.md (§3–§9, §12, §15–§18, §20), not from what this program does.

struct CorpusCase: Sendable, CustomTestStringConvertible {
    let number: Int
    let json: JSONValue

    var testDescription: String {
        "\(number): §\(json["section"]?.string ?? "") \(json["title"]?.string ?? "")"
    }

    static let all: [CorpusCase] = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Corpus.json")
        guard let data = try? Data(contentsOf: path), let cases = try? JSONValue(parsing: Array(data)).array else {
            return []
        }
        return cases.map { CorpusCase(number: $0["n"]?.integer ?? 0, json: $0) }
    }()
}

@Suite("braze-destination: conformance corpus") struct CorpusTests {
    @Test("the corpus is read whole, and its numbers are its order") func numbers() {
        #expect(CorpusCase.all.count >= 90)
        #expect(CorpusCase.all.map(\.number) == Array(1...max(1, CorpusCase.all.count)))
    }

    @Test("case", arguments: CorpusCase.all) func conforms(_ item: CorpusCase) throws {
        let call = try #require(item.json["call"])
        let kind = try #require(Emission.Kind(rawValue: call["type"]?.string ?? ""))
        let destination = try braze(item.json["settings"]?.object ?? [:])
        let mapping = destination.map(emission(kind, call))
        if let words = item.json["refused"]?.string {
            let reason = try #require(refusal(mapping), "\(mapping) is sent")
            #expect(reason.contains(words))
        } else if item.json["nothing"] == true {
            #expect(mapping == .nothing)
        } else {
            let outgoing = try objects(mapping).map { OutgoingObject(array: $0.array, json: $0.object.utf8) }
            let request = destination.request(for: outgoing)
            #expect(request.url == "https://rest.iad-01.braze.com" + (item.json["path"]?.string ?? ""))
            #expect(try JSONValue(parsing: request.body) == item.json["body"])
        }
    }
}

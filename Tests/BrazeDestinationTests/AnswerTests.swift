import Delivery
import JSON
import Testing

@testable import BrazeDestination

@Suite("braze §1.3–1.4, §7.4: what answers mean") struct AnswerTests {
    let sent = [
        OutgoingObject(array: "attributes", ["external_id": "a"]),
        OutgoingObject(array: "events", ["external_id": "a"]),
        OutgoingObject(array: "attributes", ["external_id": "b"]),
        OutgoingObject(array: "events", ["external_id": "b"]),
    ]

    func verdict(_ status: Int, _ body: JSONValue?, to objects: [OutgoingObject]? = nil) throws -> Verdict {
        try braze().interpret(DestinationResponse(status: status, body: body?.utf8 ?? []), to: objects ?? sent)
    }

    @Test func objectsOfOneArrayStandTogetherInTheirOrder() throws {
        let request = try braze().request(for: sent)
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == #"{"attributes":[{"external_id":"a"},{"external_id":"b"}],"#
                + #""events":[{"external_id":"a"},{"external_id":"b"}]}"#)
    }

    @Test func success() throws {
        #expect(try verdict(201, ["message": "success", "events_processed": 2]) == .taken(rejected: [:], unplaced: []))
        #expect(try verdict(200, nil) == .taken(rejected: [:], unplaced: []))
    }

    @Test("TX 29: an index counts in its own array as it was sent") func placesErrors() throws {
        let answer: JSONValue = [
            "message": "success",
            "errors": [
                ["type": "second attribute", "input_array": "attributes", "index": 1],
                ["type": "first event", "input_array": "events", "index": 0],
                ["type": "again", "input_array": "events", "index": 0],
            ],
        ]
        #expect(
            try verdict(201, answer) == .taken(rejected: [2: "second attribute", 1: "first event"], unplaced: []))
    }

    @Test func errorsWithoutAPlace() throws {
        let answer: JSONValue = [
            "message": "success",
            "errors": [
                ["type": "no array", "index": 1], ["type": "no index", "input_array": "events"],
                ["type": "beyond", "input_array": "events", "index": 7], "just words",
            ],
        ]
        #expect(
            try verdict(201, answer)
                == .taken(rejected: [:], unplaced: ["no array", "no index", "beyond", "just words"]))
        // With one array in the request its name may be left out.
        let one: JSONValue = ["message": "success", "errors": [["type": "bulk style", "index": 1]]]
        #expect(
            try verdict(201, one, to: [sent[0], sent[2]]) == .taken(rejected: [1: "bulk style"], unplaced: []))
    }

    @Test("TX 30: a 2xx with another message took nothing") func otherMessages() throws {
        #expect(try verdict(201, ["message": "queued"]) == .notTaken(message: "201 queued"))
        #expect(try verdict(201, ["message": 7]) == .notTaken(message: "201 7"))
        let page = DestinationResponse(status: 200, body: Array("<html>Log in to the Wi-Fi</html>".utf8))
        #expect(try braze().interpret(page, to: sent) == .notTaken(message: "200 with a body that is not Braze's"))
        #expect(try verdict(200, [:]) == .taken(rejected: [:], unplaced: []))
    }

    @Test func refusals() throws {
        let message = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
        let named: JSONValue = [
            "message": .string(message), "errors": [["type": "bad", "input_array": "events", "index": 1]],
        ]
        #expect(try verdict(400, named) == .rejected([3: "bad"], message: "400 " + message))
        var partly = named
        if case .object(var object) = partly {
            object["attributes_processed"] = 1
            partly = .object(object)
        }
        #expect(try verdict(400, partly) == .taken(rejected: [3: "bad"], unplaced: []))
        #expect(try verdict(400, ["error": "Error while parsing"]) == .refused(message: "400 Error while parsing"))
        #expect(try verdict(415, nil) == .refused(message: "415"))
        #expect(try verdict(413, ["message": "Payload Too Large"]) == .tooLarge(message: "413 Payload Too Large"))
    }

    @Test(arguments: [408, 423, 500, 502, 503, 504])
    func passingFailures(status: Int) throws {
        #expect(try verdict(status, nil) == .unavailable(message: "\(status)"))
    }

    @Test("TX 11: what a person must mend", arguments: [401, 403, 301, 307, 404, 405, 501])
    func misconfigured(status: Int) throws {
        guard case .misconfigured(let reason) = try verdict(status, ["message": "Words"]) else {
            Issue.record("\(status) must pause the destination")
            return
        }
        #expect(reason.contains("https://rest.iad-01.braze.com"))
        #expect(reason.contains("\(status) Words"))
    }
}

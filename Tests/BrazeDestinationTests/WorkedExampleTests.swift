import Delivery
import JSON
import Model
import Testing

@testable import BrazeDestination

@Suite("braze-destination §20: worked examples") struct WorkedExampleTests {
    @Test func audienceEnteredAsIdentify() throws {
        let call: JSONValue = [
            "type": "identify", "userId": "u1", "traits": ["big_spenders": true, "email": "e@example.com"],
            "context": [
                "personas": [
                    "computation_class": "audience", "computation_id": "aud_1", "computation_key": "big_spenders",
                ]
            ],
        ]
        #expect(
            try body(braze(), [emission(.identify, call)]) == [
                "attributes": [
                    [
                        "big_spenders": true, "external_id": "u1", "email": "e@example.com",
                        "_update_existing_only": false,
                    ]
                ]
            ])
    }

    @Test func audienceExitedAsTrack() throws {
        let call: JSONValue = [
            "type": "track", "event": "Audience Exited", "userId": "u1", "receivedAt": "2026-02-03T04:05:07Z",
            "properties": ["audience_key": "big_spenders", "big_spenders": false],
        ]
        #expect(
            try body(braze(), [emission(.track, call)]) == [
                "events": [
                    [
                        "external_id": "u1", "app_id": "app", "name": "Audience Exited",
                        "time": "2026-02-03T04:05:07.000Z",
                        "properties": ["audience_key": "big_spenders", "big_spenders": false],
                        "_update_existing_only": false,
                    ]
                ]
            ])
    }

    @Test func orderOfTwoProducts() throws {
        let call: JSONValue = [
            "type": "track", "event": "Order Completed", "userId": "u1", "receivedAt": "2026-02-03T04:05:07Z",
            "properties": [
                "order_id": "o1", "currency": "EUR",
                "products": [
                    ["product_id": "a", "price": "9.5", "quantity": 2, "currency": "GBP", "size": "M"],
                    ["product_id": "b", "price": 3],
                ],
            ],
        ]
        let destination = try braze()
        #expect(
            try body(destination, [emission(.track, call)]) == [
                "purchases": [
                    [
                        "external_id": "u1", "app_id": "app", "time": "2026-02-03T04:05:07.000Z",
                        "_update_existing_only": false, "product_id": "a", "currency": "GBP", "price": 9.5,
                        "quantity": 2, "properties": ["size": "M", "order_id": "o1", "currency": "EUR"],
                    ],
                    [
                        "external_id": "u1", "app_id": "app", "time": "2026-02-03T04:05:07.000Z",
                        "_update_existing_only": false, "product_id": "b", "currency": "USD", "price": 3,
                        "properties": ["order_id": "o1", "currency": "EUR"],
                    ],
                ]
            ])
        guard case .occurrence(_, let occurrence) = destination.map(emission(.track, call)) else {
            Issue.record("an order is an occurrence")
            return
        }
        #expect(destination.request(for: occurrence.objects).headers.contains(.init("X-Braze-Batch", "true")))
    }

    @Test("TX 29: the batch of four, the second without identifier") func batchOfFour() throws {
        let destination = try braze()
        let calls: [JSONValue] = [
            ["userId": "u0", "traits": ["k": 1]], ["traits": ["k": 1]], ["userId": "u2", "traits": ["k": 1]],
            ["userId": "u3", "traits": ["k": 1]],
        ]
        let mappings = calls.map { destination.map(emission(.identify, $0)) }
        #expect(refusal(mappings[1])?.hasPrefix("Braze can't know who this is") == true)
        let sent = try mappings.filter { refusal($0) == nil }
            .flatMap { try objects($0).map { OutgoingObject(array: $0.array, json: $0.object.utf8) } }
        let answer: JSONValue = [
            "message": "success", "attributes_processed": 2,
            "errors": [["type": "bad attribute", "input_array": "attributes", "index": 1]],
        ]
        let verdict = destination.interpret(DestinationResponse(status: 201, body: answer.utf8), to: sent)
        #expect(verdict == .taken(rejected: [1: "bad attribute"], unplaced: []))
        #expect(String(decoding: sent[1].json, as: UTF8.self).contains("\"u2\""))

        let limit = DestinationResponse(status: 429, body: Array(#"{"message":"Rate limit exceeded"}"#.utf8))
        #expect(destination.interpret(limit, to: sent) == .throttled(message: "429 Rate limit exceeded"))
    }

    @Test("engage §8.4: the payload of §7.3 with an app id and an address") func theWholeEngageCall() throws {
        let context: JSONValue = [
            "integrations": ["personas": false], "library": ["name": "unknown", "version": "unknown"],
            "traits": ["email": "kim@example.org"],
            "personas": [
                "computation_class": "audience", "computation_id": "aud_2", "computation_key": "dormant_shoppers",
                "namespace": "spa_w1", "space_id": "spa_w1",
            ],
        ]
        let track: JSONValue = [
            "type": "track", "event": "Audience Entered", "messageId": "personas_1", "userId": "u_1001",
            "properties": ["audience_key": "dormant_shoppers", "dormant_shoppers": true], "context": context,
            "integrations": ["All": false, "Braze Cloud Mode (Actions)": true],
            "timestamp": "2026-01-15T10:00:00.000Z", "receivedAt": "2026-01-15T10:00:01.000Z",
        ]
        #expect(
            try body(braze(["app_id": nil]), [emission(.track, track)]) == [
                "events": [
                    [
                        "external_id": "u_1001", "email": "kim@example.org", "name": "Audience Entered",
                        "time": "2026-01-15T10:00:01.000Z",
                        "properties": ["audience_key": "dormant_shoppers", "dormant_shoppers": true],
                        "_update_existing_only": false,
                    ]
                ]
            ])
    }
}

// The three instants of a message, numbered as in collection §8.

import HTTPTypes
import JSON
import Model
import Testing

@testable import Ingest

@Suite struct TimeTests {
    let received = "2026-11-24T10:00:01.000Z"

    private func times(_ members: String) throws -> MessageTimes {
        let view = try JSONDocument(parsing: "{\(members)}").root
        let receivedAt = try #require(Instant(iso8601: received))
        return MessageTimes(timestamp: view["timestamp"], sentAt: view["sentAt"], receivedAt: receivedAt)
    }

    @Test("55 The sender's clock is corrected")
    func correction() throws {
        let times = try times(#""timestamp":"2026-11-24T10:04:30Z","sentAt":"2026-11-24T10:05:00Z""#)
        #expect(times.timestamp.description == "2026-11-24T09:59:31.000Z")
        #expect(times.originalTimestamp.description == "2026-11-24T10:04:30.000Z" && times.warnings == [])
    }

    @Test("55 The envelope's sentAt counts for messages without one, and all of it is stored")
    func correctionInBatch() async throws {
        let rig = try Rig()
        let body = #"""
            {"sentAt":"2026-11-24T10:05:00Z","batch":[
            {"type":"track","userId":"u","event":"E","timestamp":"2026-11-24T10:04:30Z"},
            {"type":"track","userId":"u","event":"E","timestamp":"2026-11-24T10:04:30Z","sentAt":null},
            {"type":"track","userId":"u","event":"E","timestamp":"2026-11-24T10:04:30Z","sentAt":"2026-11-24T10:04:30Z"}]}
            """#
        _ = try await rig.post("/v1/batch", body, headers: authorized)
        let calls = try rig.calls
        #expect(
            calls.map { $0.json["timestamp"]?.string } == [
                "2026-11-24T09:59:31.000Z", "2026-11-24T09:59:31.000Z", "2026-11-24T10:00:01.000Z",
            ])
        #expect(calls.allSatisfy { $0.json["originalTimestamp"] == "2026-11-24T10:04:30.000Z" })
        #expect(calls[0].json["sentAt"] == "2026-11-24T10:05:00Z" && calls[2].json["sentAt"] == "2026-11-24T10:04:30Z")
        #expect(calls.allSatisfy { $0.json["timestamp"]?.string == $0.timestamp.description })
        #expect(Set(calls.map(\.receivedAt)).count == 1, "57 All items of a batch have one receivedAt")
    }

    @Test(
        "56 What is missing",
        arguments: [
            (#""timestamp":"2020-05-05T01:02:03Z""#, "2020-05-05T01:02:03.000Z", "2020-05-05T01:02:03.000Z", []),
            (#""sentAt":"2020-05-05T01:02:03Z""#, nil, nil, []), ("", nil, nil, []),
            (#""timestamp":null,"sentAt":null"#, nil, nil, []),
            (#""timestamp":"yesterday","sentAt":"2026-11-24T10:05:00Z""#, nil, nil, ["invalid_timestamp"]),
            (
                #""timestamp":"2020-05-05T01:02:03Z","sentAt":"soon""#, "2020-05-05T01:02:03.000Z",
                "2020-05-05T01:02:03.000Z",
                ["invalid_sent_at"]
            ),
            (#""timestamp":true"#, nil, nil, ["invalid_timestamp"]),
            (#""timestamp":1e300"#, nil, nil, ["invalid_timestamp"]),
            (#""timestamp":"""#, nil, nil, ["invalid_timestamp"]),
        ] as [(String, String?, String?, [String])])
    func missing(members: String, timestamp: String?, original: String?, warnings: [String]) throws {
        let times = try times(members)
        #expect(times.timestamp.description == timestamp ?? received)
        #expect(times.originalTimestamp.description == original ?? received)
        #expect(times.warnings == warnings)
    }

    @Test(
        "58 Every form of timestamp that clients write",
        arguments: [
            (#""2026-11-24T04:06:15.1234567+05:30""#, "2026-11-23T22:36:15.123Z"),
            (#""2026-11-24T04:06:15.083Z""#, "2026-11-24T04:06:15.083Z"),
            (#""2026-11-24T04:06:15.1234567Z""#, "2026-11-24T04:06:15.123Z"),
            (#""2026-11-24T04:06:15+0000""#, "2026-11-24T04:06:15.000Z"),
            (#""2026-11-24T04:06:15.083+00:00""#, "2026-11-24T04:06:15.083Z"),
            (#""2026-11-24T04:06:15.123456789-08:00""#, "2026-11-24T12:06:15.123Z"),
            (#""2026-11-24T04:06:15""#, "2026-11-24T04:06:15.000Z"), (#""2026-11-24""#, "2026-11-24T00:00:00.000Z"),
            (#""2026-11-24T04:06:15\u005a""#, "2026-11-24T04:06:15.000Z"),
            ("1764000000000", "2025-11-24T16:00:00.000Z"), ("1764000000", "2025-11-24T16:00:00.000Z"),
            ("1764000000.5", "2025-11-24T16:00:00.500Z"), ("-1", "1969-12-31T23:59:59.000Z"),
        ])
    func forms(literal: String, utc: String) throws {
        let times = try times("\"timestamp\":\(literal)")
        #expect(
            times.timestamp.description == utc && times.originalTimestamp.description == utc && times.warnings == [])
    }

    @Test("59 Old times survive when sentAt is now")
    func oldTimes() throws {
        let times = try times(#""timestamp":"2012-01-01T00:00:00.000Z","sentAt":"2026-11-24T10:00:00.500Z""#)
        #expect(times.timestamp.description == "2012-01-01T00:00:00.500Z")
    }

    @Test("59 Nothing is clamped")
    func future() throws {
        let times = try times(#""timestamp":"2030-01-01T00:00:00Z""#)
        #expect(times.timestamp.description == "2030-01-01T00:00:00.000Z")
    }
}

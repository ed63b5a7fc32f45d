// The journal: bounded, ordered, and complete in its counts. And the small parts of Ingest by themselves.

import JSON
import Model
import Testing

@testable import Ingest

@Suite struct JournalTests {
    private func call(_ number: Int) -> Call {
        Call(
            kind: .track, sourceID: "s", messageID: "\(number)", userID: "u", event: "E", timestamp: .epoch,
            receivedAt: Instant(milliseconds: Int64(number)), body: Array("{\"n\":\(number)}".utf8))
    }

    @Test func theNewestEntriesAreKeptNewestFirst() {
        let journal = IngestJournal(capacity: 10)
        for number in 0..<7 {
            var request = IngestJournal.Request(receivedAt: Instant(milliseconds: Int64(number)))
            request.accepted = (0..<4).map { call(number * 4 + $0) }
            journal.record(request, sourceID: "s")
        }
        let entries = journal.entries(sourceID: "s")
        #expect(entries.map(\.messageID) == (18..<28).reversed().map { "\($0)" })
        #expect(entries.map(\.sequence) == (19...28).reversed().map { Int64($0) })
        #expect(journal.entries(sourceID: "s", after: 25).map(\.sequence) == [28, 27, 26])
        #expect(journal.counters(sourceID: "s").accepted == 28 && journal.counters(sourceID: "s").requests == 7)
        #expect(journal.entries(sourceID: "other").isEmpty && journal.counters.count == 1)
    }

    @Test func aLargeRequestFillsTheRingWithItsLastMessages() {
        let journal = IngestJournal(capacity: 3)
        var request = IngestJournal.Request(receivedAt: .epoch)
        request.accepted = (0..<10).map(call)
        journal.record(request, sourceID: "s")
        #expect(journal.entries(sourceID: "s").map(\.messageID) == ["9", "8", "7"])
        #expect(journal.counters(sourceID: "s").accepted == 10)
        #expect(journal.entries(sourceID: "s")[0].raw == Array("{\"n\":9}".utf8))
    }

    @Test func othersCanCountWhatTheyDrop() {
        let journal = IngestJournal()
        journal.count(.duplicate, sourceID: "s", by: 3)
        journal.count(.duplicate, sourceID: "s")
        #expect(journal.counters(sourceID: "s").rejected == [.duplicate: 4])
    }

    @Test func moreRejectionsThanTheRingHoldsAreStillCounted() async throws {
        let rig = try Rig()
        let body = "{\"batch\":[\(Array(repeating: "{}", count: 2000).joined(separator: ","))]}"
        #expect(try await rig.post("/v1/batch", body, headers: authorized).isSuccess)
        #expect(
            rig.counters().rejected == [.unknownType: 2000] && rig.counters().requestCodes == [.emptyBatchResult: 1])
        #expect(rig.journal.entries(sourceID: "src_1").count == 500)
    }

    @Test func everyCodeIsExplained() {
        for code in IngestCode.allCases { #expect(code.explanation.count > 15 && code.explanation.hasSuffix(".")) }
        for reason in ProfileExclusion.allCases { #expect(reason.explanation.hasPrefix("it")) }
    }

    @Test func sourcesAreReplacedWhole() {
        let directory = SourceDirectory()
        #expect(directory.source(writeKey: "a") == nil)
        let source = Source(id: "s", name: "S", writeKey: "a", createdAt: .epoch)
        directory.replace(with: [source])
        #expect(directory.source(writeKey: "a") == source && directory.sources == [source])
        directory.replace(with: [])
        #expect(directory.source(writeKey: "a") == nil)
    }

    @Test func base64() {
        #expect(decodeBase64("aGk=".utf8) == Array("hi".utf8) && decodeBase64("aGk".utf8) == Array("hi".utf8))
        #expect(decodeBase64("".utf8) == [] && decodeBase64("-_ /".utf8) == decodeBase64("+/+/".utf8))
        for bad in ["a", "a#==", "aGk=x", "aaaaa", "ä"] { #expect(decodeBase64(bad.utf8) == nil, "\(bad)") }
    }

    @Test func inflatingStopsAtTheLimit() throws {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        #expect(try inflateGzip(gzip(bytes), bytesMax: 1000) == bytes)
        #expect(throws: InflateError.tooLarge) { try inflateGzip(gzip(bytes), bytesMax: 999) }
        #expect(try inflateGzip(gzip(bytes) + gzip(bytes), bytesMax: 2000) == bytes + bytes)
        #expect(throws: InflateError.corrupt) { try inflateGzip(gzip(bytes) + [1, 2, 3], bytesMax: 2000) }
        #expect(throws: InflateError.corrupt) { try inflateGzip([], bytesMax: 10) }
        #expect(try inflateGzip(gzip([]), bytesMax: 0) == [])
    }

    @Test func aBatchLargerThanTheBucketIsTakenAndPaidFor() {
        let limiter = RateLimiter(messagesPerSecond: 10)
        let start = Instant(milliseconds: 0)
        #expect(limiter.admit(35, sourceID: "s", at: start) == nil)
        #expect(limiter.admit(1, sourceID: "s", at: start) == 3)
        #expect(limiter.admit(1, sourceID: "s", at: start + .seconds(2)) == 1)
        #expect(limiter.admit(1, sourceID: "s", at: start + .seconds(3)) == nil)
        // A clock that jumps back gives nothing and takes nothing.
        #expect(limiter.admit(1, sourceID: "other", at: start + .seconds(9)) == nil)
        #expect(limiter.admit(1, sourceID: "other", at: start) == nil)
    }
}

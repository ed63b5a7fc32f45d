import Model
import Testing

@testable import Delivery

@Suite struct TokenBucketTests {
    let start = Instant(milliseconds: 1_000_000)

    @Test(arguments: [1.0, 3.0, 100.0, 1000.0])
    func allowsTheRateOverALongTimeAndNoMore(rate: Double) {
        var bucket = TokenBucket(requestsPerSecond: rate, now: start)
        var taken = 0
        for millisecond in 0..<60_000 {
            while bucket.take(now: start + Instant.Span(milliseconds: Int64(millisecond))) { taken += 1 }
        }
        let expected = rate * 60
        #expect(Double(taken) >= expected - 1)
        #expect(Double(taken) <= expected + max(1, rate / 10))
    }

    @Test func tellsWhenTheNextRequestIsAllowed() {
        var bucket = TokenBucket(requestsPerSecond: 4, now: start)
        let taken1 = bucket.take(now: start)
        #expect(taken1)
        let next = bucket.availableAt(now: start)
        #expect(next == start + Instant.Span(milliseconds: 250))
        let taken2 = bucket.take(now: next - Instant.Span(milliseconds: 1))
        #expect(!taken2)
        let taken3 = bucket.take(now: next)
        #expect(taken3)
    }

    @Test func aClockThatStepsBackGivesNothingAway() {
        var bucket = TokenBucket(requestsPerSecond: 1, now: start)
        let taken4 = bucket.take(now: start)
        #expect(taken4)
        let taken5 = bucket.take(now: start - .days(1))
        #expect(!taken5)
        let taken6 = bucket.take(now: start - .days(1) + Instant.Span(milliseconds: 900))
        #expect(!taken6)
        let taken7 = bucket.take(now: start - .days(1) + .seconds(1))
        #expect(taken7)
    }
}

@Suite struct BackoffTests {
    @Test func doublesFromOneSecondToSixty() {
        let ceilings = (1...9).map { Backoff().ceiling(failures: $0).milliseconds }
        #expect(ceilings == [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
        #expect(Backoff().ceiling(failures: 1_000_000) == .seconds(60))
    }

    @Test func waitsARandomPartOfTheCeiling() {
        var random = SplitMix64(seed: 7)
        let delays = (0..<2000).map { _ in Backoff().delay(failures: 3, using: &random).milliseconds }
        #expect(delays.allSatisfy { (1...4000).contains($0) })
        // Full jitter: spread evenly, not bunched at the ceiling.
        #expect(delays.count { $0 <= 1000 } > 400)
        #expect(delays.count { $0 > 3000 } > 400)
    }
}

@Suite("TX 20: what headers advise") struct RateAdviceTests {
    let now = Instant(milliseconds: 1_800_000_000_500)

    func advice(_ status: Int, _ headers: [String: String]) -> Int64? {
        let response = DestinationResponse(
            status: status, headers: headers.map { DestinationRequest.Header($0.key, $0.value) })
        return RateAdvice(response, now: now).notBefore.map { ($0 - now).milliseconds }
    }

    @Test func resetIsReadAsEpochWhenItIsLarge() {
        #expect(advice(429, ["x-ratelimit-reset": "1800000003"]) == 2500)
    }

    @Test func resetIsReadAsSecondsWhenItIsSmall() {
        #expect(advice(429, ["X-RateLimit-Reset": "12"]) == 12_000)
    }

    @Test func retryAfterWinsOverReset() {
        #expect(advice(429, ["Retry-After": "3", "X-RateLimit-Reset": "12"]) == 3000)
        #expect(advice(429, ["X-Ratelimit-Retry-After": "5"]) == 5000)
        #expect(advice(503, ["Retry-After": "7"]) == 7000)
    }

    @Test func retryAfterMayBeADate() {
        // 1,800,000,000 s after the epoch is 15 January 2027, 08:00:00.
        #expect(advice(429, ["Retry-After": "Fri, 15 Jan 2027 08:00:10 GMT"]) == 9500)
        #expect(advice(503, ["Retry-After": "Fri, 15 Jan 2027 07:00:00 GMT"]) == 0)
        #expect(advice(429, ["Retry-After": "Friday"]) == nil)
        #expect(advice(429, ["Retry-After": "Fri, 99 Foo 2027 07:00:00 GMT"]) == nil)
    }

    @Test func aSpentAllowanceWaitsForTheReset() {
        #expect(advice(201, ["X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2"]) == 2000)
        #expect(advice(201, ["X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "2"]) == nil)
    }

    @Test func nonsenseIsNotAdvice() {
        #expect(advice(429, ["Retry-After": "soon"]) == nil)
        #expect(advice(429, [:]) == nil)
        #expect(advice(429, ["Retry-After": "-4"]) == 0)
        #expect(advice(429, ["Retry-After": "99999999999"]) == RateAdvice.longestWait.milliseconds)
        #expect(advice(429, ["X-RateLimit-Reset": "1800000000"]) == 0)
    }
}

@Suite struct FailureStreakTests {
    @Test func requestsThatWereUnderWayTogetherCountOnce() {
        var random = SplitMix64(seed: 1)
        var streak = FailureStreak()
        let now = Instant(milliseconds: 0)
        for id in 0..<8 {
            streak.fail(request: id, nextID: 8, reason: "503", now: now, backoff: Backoff(), using: &random)
        }
        #expect(streak.count == 1)
        streak.fail(request: 8, nextID: 9, reason: "503", now: now, backoff: Backoff(), using: &random)
        #expect(streak.count == 2)
        streak.end()
        #expect(streak.isEmpty)
    }
}

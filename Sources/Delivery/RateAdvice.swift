import Model

/// What an answer's headers say about when to send again (braze §1.5).
struct RateAdvice: Sendable, Hashable {
    /// No request before this instant; `nil` if the headers say nothing.
    var notBefore: Instant?

    /// No wait is believed beyond this: a broken header must not silence a destination for years. Hourly windows reset
    /// within the hour.
    static let longestWait = Instant.Span.hours(2)

    /// Reads `Retry-After` and its kin in seconds or as an HTTP date, else `X-RateLimit-Reset`, which is epoch seconds on some
    /// contracts and seconds left on others. `X-RateLimit-Reset` counts when the request was turned away (429) or used
    /// up what the window allowed.
    init(_ response: DestinationResponse, now: Instant) {
        let throttled = response.status == 429
        let retryAfter =
            response.header("X-RateLimit-Retry-After").flatMap(Self.seconds)
            ?? response.header("Retry-After").flatMap { Self.seconds($0) ?? Self.seconds(until: $0, now: now) }
        let remaining = response.header("X-RateLimit-Remaining").flatMap(Self.seconds)
        let reset = response.header("X-RateLimit-Reset").flatMap(Self.seconds)
        if let retryAfter, throttled || response.status == 503 {
            notBefore = now + Self.wait(seconds: retryAfter)
        } else if let reset, throttled || remaining == 0 {
            let seconds = reset > 1_000_000_000 ? reset - Double(now.milliseconds) / 1000 : reset
            notBefore = now + Self.wait(seconds: seconds)
        }
    }

    private static func seconds(_ text: String) -> Double? {
        guard let value = Double(text.filter { $0 != " " }), value.isFinite else { return nil }
        return value
    }

    /// `Fri, 07 Nov 2025 08:49:37 GMT`, the one date format that HTTP still sends.
    private static func seconds(until text: String, now: Instant) -> Double? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        guard let date = Instant(iso8601: "\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z") else { return nil }
        return Double((date - now).milliseconds) / 1000
    }

    private static func wait(seconds: Double) -> Instant.Span {
        let limit = Double(longestWait.milliseconds)
        return Instant.Span(milliseconds: Int64(min(max(0, (seconds * 1000).rounded(.up)), limit)))
    }
}

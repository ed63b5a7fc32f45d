import Engine
import Hummingbird
import JSON
import Model

// Moving the clock of a server that was started for tests.

extension API {
    func addTestClockRoutes(_ control: TestClockControl, to routes: RouteTable<some RequestContext>) {
        routes.get("/test/clock") { _ in ["now": .time(now())] }
        routes.post("/test/clock") { request in
            var fields = request.fields
            let advance = try fields.integer("advanceMs", in: 0...Int(Instant.Span.days(36_500).milliseconds))
            let target = try fields.string("now")
            try fields.finish()
            let span: Instant.Span
            if let advance {
                span = Instant.Span(milliseconds: Int64(advance))
            } else if let target {
                guard let instant = Instant(iso8601: target), instant >= now() else {
                    throw APIError(
                        .validation, field: "now",
                        "'now' must be a time like 2026-01-31T12:00:00Z that is not past: the clock only goes forward.")
                }
                span = instant - now()
            } else {
                throw APIError(.validation, field: "advanceMs", "Send 'advanceMs' (milliseconds) or 'now' (a time).")
            }
            try await control.advance(span)
            return ["now": .time(now())]
        }
    }
}

import JSON
import Model
import Synchronization

/// What happened per ten seconds during the last hour, for the overview's charts. Kept in memory: it begins with the
/// server.
final class ActivityRecorder: Sendable {
    /// Counters of all time at one instant.
    struct Sample: Sendable {
        var at: Instant
        var calls: Int64
        var transitions: Int64
        var delivered: Int64
    }

    struct Step: Sendable, Equatable {
        var at: Instant
        var calls: Int64
        var transitions: Int64
        var delivered: Int64
    }

    static let stepMilliseconds = 10_000
    static let capacity = 360

    private struct State {
        var last: Sample?
        var steps: [Step] = []
    }

    private let state = Mutex(State())

    /// Counters may begin anew after a restart: a step never counts backwards.
    func record(_ sample: Sample) {
        state.withLock { state in
            if let last = state.last {
                state.steps.append(
                    Step(
                        at: sample.at, calls: max(0, sample.calls - last.calls),
                        transitions: max(0, sample.transitions - last.transitions),
                        delivered: max(0, sample.delivered - last.delivered)))
                if state.steps.count > ActivityRecorder.capacity { state.steps.removeFirst() }
            }
            state.last = sample
        }
    }

    var steps: [Step] { state.withLock(\.steps) }

    /// Per second over the last minute.
    var rates: (calls: Double, transitions: Double, delivered: Double) {
        let recent = steps.suffix(6)
        guard !recent.isEmpty else { return (0, 0, 0) }
        let seconds = Double(recent.count * ActivityRecorder.stepMilliseconds) / 1000
        func rate(_ count: (Step) -> Int64) -> Double {
            (Double(recent.reduce(0) { $0 + count($1) }) / seconds * 100).rounded() / 100
        }
        return (rate(\.calls), rate(\.transitions), rate(\.delivered))
    }

    var json: JSONValue {
        [
            "stepMilliseconds": .number(ActivityRecorder.stepMilliseconds),
            "points": .array(
                steps.map { step in
                    [
                        "at": .time(step.at), "calls": .number(Int(step.calls)),
                        "transitions": .number(Int(step.transitions)), "delivered": .number(Int(step.delivered)),
                    ]
                }),
        ]
    }
}

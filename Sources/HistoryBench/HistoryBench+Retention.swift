import Foundation
import History
import Model

extension HistoryBench {
    /// Lets go of a day's events and then of half of all, and tells what each step takes. The files are changed by it.
    func measureRetention(_ history: History, _ say: (String) -> Void) throws {
        let clock = ContinuousClock()
        func step(_ name: String, _ body: () throws -> Void) rethrows {
            say(String(format: "%@: %.1f ms", name, try clock.measure(body) / .milliseconds(1)))
        }
        let end = Instant(milliseconds: BenchData.end)
        for (what, days) in [("a day", 364), ("half a year", 182)] as [(String, Int64)] {
            let floors = EventFloors(general: end - .days(days))
            try step("\(what): estimated") {
                guard let parts = history.expiryEstimate(floors).run() else {
                    throw BenchFailure(description: history.damage ?? "a file is damaged")
                }
                say("\(parts.reduce(0) { $0 + $1.events }) of \(parts.reduce(0) { $0 + $1.total }) events")
            }
            step("\(what): floors raised, which stops the engine") { history.raiseFloors(to: floors) }
            step("\(what): counted, in the background") { history.expirySurvey.run() }
            step("\(what): catalogue") { say("\(history.statistics.events) events left") }
            let now = end.milliseconds
            while let merge = history.beginExpiryRewrite(now: now, expiredAt: now) {
                try step("\(what): a file written anew, in the background") { try history.finish(try merge.run()) }
            }
        }
    }
}

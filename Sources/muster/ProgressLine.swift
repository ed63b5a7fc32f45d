import Foundation
import Synchronization

/// Shows how far long work has come, with a rate and the time that is left: one line on a terminal, now and then a line
/// elsewhere. Silent for work that takes less than a second.
final class ProgressLine: Sendable {
    private struct State {
        var shownAt: Double = 0
        var wasShown = false
    }

    private let what: String
    private let unit: String
    private let startedAt = ContinuousClock.now
    private let isTerminal = isatty(2) == 1
    private let state = Mutex(State())

    init(what: String, unit: String) {
        self.what = what
        self.unit = unit
    }

    func show(done: Int64, total: Int64) {
        let elapsed = (ContinuousClock.now - startedAt) / .seconds(1)
        let interval = isTerminal ? 0.2 : 5.0
        let isDue = state.withLock { state in
            guard elapsed > 1, elapsed - state.shownAt > interval else { return false }
            state.shownAt = elapsed
            state.wasShown = true
            return true
        }
        guard isDue, done > 0 else { return }
        let rate = Double(done) / elapsed
        let left = Double(total - done) / rate
        let percent = total > 0 ? Int(100 * done / total) : 100
        write(
            "\(what): \(done) of \(total) \(unit) (\(percent) %), \(Int(rate)) \(unit)/s, "
                + "\(Int(left.rounded(.up))) s left")
    }

    /// Ends the line, if one was begun.
    func end(_ closing: String? = nil) {
        let wasShown = state.withLock(\.wasShown)
        if let closing { write(closing) }
        if isTerminal, wasShown || closing != nil { FileHandle.standardError.write(Data("\n".utf8)) }
    }

    private func write(_ text: String) {
        let line = isTerminal ? "\r\u{1B}[K" + text : text + "\n"
        FileHandle.standardError.write(Data(line.utf8))
    }
}

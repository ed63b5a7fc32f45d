import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Says on standard error how far a piece of work is: a line that rewrites itself on a terminal, else a line now and then.
final class DemoProgress: Sendable {
    private struct State {
        var done = 0
        var lastShown: ContinuousClock.Instant
        var isFinished = false
    }

    private let title: String
    private let total: Int
    private let unit: String
    private let start = ContinuousClock.now
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let state: Mutex<State>

    /// - Parameter total: how many units the work has; 0 when that is not known.
    init(_ title: String, total: Int, unit: String) {
        self.title = title
        self.total = total
        self.unit = unit
        state = Mutex(State(lastShown: start - .seconds(60)))
    }

    /// Adds finished units.
    func advance(by units: Int) {
        let line: String? = state.withLock { state in
            state.done += units
            return due(&state)
        }
        if let line { show(line) }
    }

    /// Sets the number of finished units.
    func move(to done: Int) {
        let line: String? = state.withLock { state in
            state.done = max(state.done, done)
            return due(&state)
        }
        if let line { show(line) }
    }

    /// Leaves a line that says how long it took.
    func finish() {
        let done = state.withLock { state in
            state.isFinished = true
            return state.done
        }
        let seconds = Self.seconds(ContinuousClock.now - start)
        let rate = seconds > 0.5 ? " (\(Self.grouped(Int(Double(done) / seconds))) a second)" : ""
        Self.say(
            (isTerminal ? "\r\u{1B}[K" : "")
                + "  \(title): \(Self.grouped(done)) \(unit) in \(Self.oneDecimal(seconds)) s\(rate)")
    }

    private func due(_ state: inout State) -> String? {
        let now = ContinuousClock.now
        guard !state.isFinished, now - state.lastShown > (isTerminal ? .milliseconds(200) : .seconds(5)) else {
            return nil
        }
        state.lastShown = now
        let seconds = Self.seconds(now - start)
        let rate = seconds > 0 ? Double(state.done) / seconds : 0
        guard total > 0 else { return "  \(title): \(Self.grouped(state.done)) \(unit)" }
        let percent = min(100, state.done * 100 / total)
        let left = rate > 0 ? Double(max(0, total - state.done)) / rate : 0
        let remaining = state.done > 0 ? ", \(Int(left.rounded(.up))) s left" : ""
        return "  \(title): \(percent) % of \(Self.grouped(total)) \(unit), "
            + "\(Self.grouped(Int(rate))) a second\(remaining)"
    }

    private func show(_ line: String) {
        if isTerminal { Self.write("\r\u{1B}[K\(line)") } else { Self.say(line) }
    }

    /// A line on standard error.
    static func say(_ line: String) { write(line + "\n") }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            written += count
        }
    }

    static func grouped(_ number: Int) -> String {
        var digits = Array(String(number.magnitude))
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: position)
            position -= 3
        }
        return (number < 0 ? "-" : "") + String(digits)
    }

    static func oneDecimal(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}

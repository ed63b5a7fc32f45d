import Foundation

/// A regular expression of a filter (spec braze §5.3): searched anywhere, without regard to case.
///
/// ICU's engine backtracks, so a value that takes longer than 20 ms ends the pattern: from then on it is *too slow*, and
/// whoever scans reports that instead of a number that could be wrong.
final class Pattern {
    private let expression: NSRegularExpression
    let source: String
    private(set) var isTooSlow = false
    private static let limit = Duration.milliseconds(20)

    /// `nil` where the pattern cannot be parsed.
    init?(_ source: String) {
        guard let expression = try? NSRegularExpression(pattern: source, options: [.caseInsensitive]) else {
            return nil
        }
        self.expression = expression
        self.source = source
    }

    func isFound(in text: String) -> Bool {
        guard !isTooSlow else { return false }
        var isFound = false
        let started = ContinuousClock.now
        var isOver = false
        let range = NSRange(location: 0, length: text.utf16.count)
        expression.enumerateMatches(in: text, options: [.reportProgress], range: range) { match, _, stop in
            if match != nil {
                isFound = true
                stop.pointee = true
            } else if ContinuousClock.now - started > Pattern.limit {
                isOver = true
                stop.pointee = true
            }
        }
        if isOver, !isFound { isTooSlow = true }
        return isFound
    }
}

/// The names of the language, and guesses for names that are not.
enum Vocabulary {
    static let extractors = ["event", "trait", "property", "context", "literal"]
    static let filters = ["where", "sources", "within", "between", "expires_after"]
    static let reducers = ["count", "sum", "avg", "min", "max", "first", "last", "mode", "unique"]
    static let comparators = [
        "equals", "differs", "one_of", "none_of", "contains", "omits", "starts_with", "ends_with", "exists", "absent",
        "before_date", "after_date", "within_last", "within_next", "before_last", "after_next",
    ]
    static let keywords: Set<String> = ["AND", "OR", "NOT", "ANY", "ALL"]

    static let units: [String: Duration.Unit] = Dictionary(
        uniqueKeysWithValues: Duration.Unit.allCases.flatMap { [($0.rawValue, $0), ($0.rawValue + "s", $0)] })

    /// Names that people bring along from the console, from SQL and from other tools.
    private static let aliases = [
        "average": ".avg(…)", "mean": ".avg(…)", "total": ".sum(…)", "minimum": ".min(…)", "maximum": ".max(…)",
        "distinct": ".unique(…)", "most_frequent": ".mode(…, 2)", "equal": ".equals(…)", "is": "= …",
        "not_equals": "!= …", "not_equal": "!= …", "less_than": "< …", "greater_than": "> …",
        "less_than_or_equal": "<= …", "greater_than_or_equal": ">= …", "at_least": ">= …", "at_most": "<= …",
        "exactly": "= …", "in": ".one_of(…)", "any_of": ".one_of(…)", "not_in": ".none_of(…)",
        "not_contains": ".omits(…)", "does_not_contain": ".omits(…)", "like": ".contains(…)",
        "startswith": ".starts_with(…)", "endswith": ".ends_with(…)", "is_null": ".absent()",
        "not_exists": ".absent()", "is_not_null": ".exists()", "filter": ".where(…)", "before": ".before_date(…)",
        "after": ".after_date(…)", "in_last": ".within_last(…)", "last_days": ".within(30 days)",
        "exclude": ".sources({exclude: '…'})",
    ]

    /// What was probably meant by a name after a dot, as advice.
    static func suggestion(forMember name: String, among names: [String]) -> String? {
        if let alias = aliases[name.lowercased()] { return "write \(alias)" }
        return nearest(to: name, among: names).map { "did you mean .\($0)(…)?" }
    }

    private static let unitAliases: [String: Duration.Unit] = [
        "s": .second, "sec": .second, "secs": .second, "m": .minute, "min": .minute, "mins": .minute, "h": .hour,
        "hr": .hour, "hrs": .hour, "d": .day, "w": .week, "wk": .week,
    ]

    /// What to write instead of a unit that is none, with the count that was written.
    static func suggestion(forUnit name: String, count: Int64) -> String? {
        switch name.lowercased() {
        case "month", "months", "mo": return daysAdvice(count, each: 30)
        case "quarter", "quarters": return daysAdvice(count, each: 90)
        case "year", "years", "y", "yr", "yrs": return daysAdvice(count, each: 365)
        default:
            let near = nearest(to: name, among: units.keys.sorted())
            let unit = unitAliases[name.lowercased()] ?? near.flatMap { units[$0] }
            return unit.map { "write \(Duration(count, $0))" }
        }
    }

    private static func daysAdvice(_ count: Int64, each days: Int64) -> String {
        let (product, isTooLarge) = count.multipliedReportingOverflow(by: days)
        return "write \(isTooLarge ? days : product) days: a month or year has no fixed length"
    }

    /// The name at the smallest edit distance, if it is near enough to be a slip; ties go to the first in order.
    static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        var best: (distance: Int, name: String)?
        for candidate in candidates {
            let limit = max(1, min(name.count, candidate.count) / 3)
            guard let distance = editDistance(name, candidate, limit: limit) else { continue }
            if distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.name
    }

    /// Insertions, deletions, substitutions and swaps of neighbours that turn one name into the other, upper and lower
    /// case being equal; `nil` if there are more than `limit`.
    static func editDistance(_ left: String, _ right: String, limit: Int) -> Int? {
        let left = Array(left.lowercased().prefix(128))
        let right = Array(right.lowercased().prefix(128))
        if abs(left.count - right.count) > limit { return nil }
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let substitution = last[column] + (left[row] == right[column] ? 0 : 1)
                var cost = min(substitution, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            if current.allSatisfy({ $0 > limit }) { return nil }
            (beforeLast, last) = (last, current)
        }
        return last[right.count] <= limit ? last[right.count] : nil
    }
}

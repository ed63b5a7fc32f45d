import Model

/// When people shop: more towards the end of the year, at weekends and in the evening, and a little more each month,
/// because the shop grows.
struct Season: Sendable {
    let start: Instant
    let end: Instant
    let days: Int
    /// `cumulative[d]`: the weight of all days before day `d`.
    private let cumulative: [Int]

    // January to December; Sunday to Saturday; hours from midnight UTC.
    private static let monthWeights = [95, 80, 85, 88, 92, 84, 78, 80, 92, 100, 140, 150]
    private static let weekdayWeights = [125, 95, 92, 94, 98, 105, 130]
    private static let hourWeights = [
        8, 5, 3, 2, 2, 4, 9, 18, 26, 32, 36, 40, 46, 42, 38, 38, 42, 50, 62, 78, 84, 70, 42, 20,
    ]

    init(end: Instant, days: Int) {
        self.end = end
        self.days = days
        start = end - .days(Int64(days))
        var sum = 0
        var sums = [0]
        for day in 0..<days {
            let noon = start + .days(Int64(day) + 1)
            let month = Int(noon.description.dropFirst(5).prefix(2)) ?? 1
            let weekday = Int((noon.milliseconds / 86_400_000 + 4) % 7)
            let growth = 100 + 30 * day / max(days, 1)
            sum += Self.monthWeights[month - 1] * Self.weekdayWeights[weekday] * growth / 1000
            sums.append(sum)
        }
        cumulative = sums
    }

    /// The start of one visit on a day in `range` (days after `start`, within `0..<days`).
    func visit(on range: Range<Int>, _ random: inout SplitMix64) -> Instant {
        let low = cumulative[range.lowerBound]
        let drawn = low + random.below(max(1, cumulative[range.upperBound] - low))
        var (day, above) = (range.lowerBound, range.upperBound)
        while above - day > 1 {
            let middle = (day + above) / 2
            if cumulative[middle] <= drawn { day = middle } else { above = middle }
        }
        // The last day is today; what would happen later than now, the shop leaves out.
        let midnight = (start.milliseconds / 86_400_000 + Int64(day) + 1) * 86_400_000
        let hour = Int64(random.index(weighted: Self.hourWeights))
        return Instant(milliseconds: midnight + hour * 3_600_000 + Int64(random.below(3_600_000)))
    }

    /// The days on which a newsletter goes out: one a week, at 08:00 UTC.
    var newsletters: [Instant] {
        stride(from: 3, to: days, by: 7).map { day in
            Instant(milliseconds: (start.milliseconds / 86_400_000 + Int64(day)) * 86_400_000 + 8 * 3_600_000)
        }
    }
}

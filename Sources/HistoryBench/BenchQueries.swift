/// What is measured: definitions in Muster's language. `Benchmarks/rivals.py` asks the same in SQL.
struct BenchQuery {
    var name: String
    var isTrait = false
    /// Answered together.
    var texts: [String]

    static let all: [BenchQuery] =
        [
            BenchQuery(
                name: "filtered count, not another",
                texts: [
                    "event('Product Viewed').where(property('price') > 50).within(30 days).count() >= 2 "
                        + "AND NOT event('Order Completed').within(90 days).count() >= 1"
                ]),
            BenchQuery(
                name: "sum over 90 days", isTrait: true,
                texts: ["event('Order Completed').within(90 days).sum(property('price'))"]),
            BenchQuery(
                name: "A then not B within 7 days",
                texts: [
                    "event('Product Added').where(NOT event('Order Completed').within(parent: 7 days).count() >= 1)"
                        + ".count() >= 1"
                ]),
            BenchQuery(
                name: "most frequent category", isTrait: true,
                texts: ["event('Product Viewed').mode(property('category'), 1)"]),
            BenchQuery(name: "count per person", isTrait: true, texts: ["event('Page Viewed').count()"]),
            BenchQuery(
                name: "trait and count",
                texts: ["trait('plan') = 'pro' AND event('Product Viewed').count() >= 3"]),
            BenchQuery(
                name: "selective",
                texts: [
                    "event('Gift Card Redeemed').where(property('gift') = true).within(7 days).count() >= 1 "
                        + "AND event('Page Viewed').where(property('quantity') >= 3).within(90 days).count() >= 2"
                ]),
            BenchQuery(name: "full scan", isTrait: true, texts: everything),
            BenchQuery(name: "10 audiences", texts: audiences(10)),
            BenchQuery(name: "100 audiences", texts: audiences(100)),
        ]

    /// Reads the time and a number of every event.
    private static var everything: [String] {
        BenchData.names.map { "event('\($0)').where(property('price') > 80).within(360 days).count()" }
    }

    /// Of all shapes, over the twenty most frequent names; `Benchmarks/rivals.py` makes the same.
    private static func audiences(_ count: Int) -> [String] {
        (0..<count).map { number in
            let name = BenchData.names[number * 7 % 20]
            let other = BenchData.names[(number * 3 + 1) % 20]
            let days = [7, 30, 90, 180][number % 4]
            let price = [25, 50, 75, 100, 125][number % 5]
            let times = 1 + number % 3
            let filter = number % 2 == 0 ? ".where(property('price') > \(price))" : ""
            let positive = "event('\(name)')\(filter).within(\(days) days).count() >= \(times)"
            return number % 3 == 0
                ? "\(positive) AND NOT event('\(other)').within(30 days).count() >= 1" : positive
        }
    }
}

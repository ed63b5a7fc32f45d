import History
import Model
import Scan

/// Invented events of many people, as runs and as plain columns for other databases. Same seed, same data.
///
/// Names are as unequal as words (the n-th is 1/n as frequent as the first), people as unequal as customers (a tenth of
/// them does more than half). An event has five properties of different types; most people have a plan.
public struct BenchData {
    public static let names =
        [
            "Page Viewed", "Product Viewed", "Product Added", "Product List Viewed", "Order Completed",
            "Cart Viewed", "Checkout Started", "Email Opened", "Product Removed", "Coupon Applied",
        ] + (11...49).map { "Event \($0)" } + ["Gift Card Redeemed"]
    public static let categories = (0..<40).map { $0 < 10 ? "category 0\($0)" : "category \($0)" }
    public static let plans = ["enterprise", "free", "pro"]
    /// 2026-01-01.
    public static let end: Int64 = 1_767_225_600_000
    static let year: Int64 = 365 * 86_400_000

    public let events: Int
    public let profiles: UInt32
    /// One table's columns, in the order of `names`; then the plans.
    let tables: [Columns]
    let planOwners: [UInt32]
    let planValues: [UInt8]

    struct Columns {
        var profiles: [UInt32] = []
        var timestamps: [Int64] = []
        var price: [Double] = []
        var category: [UInt8] = []
        var quantity: [Double] = []
        /// 0 and 1.
        var gift: [UInt8] = []
        /// 0 where there is none.
        var coupon: [UInt32] = []

        mutating func reserve(_ count: Int) {
            profiles.reserveCapacity(count)
            timestamps.reserveCapacity(count)
            price.reserveCapacity(count)
            category.reserveCapacity(count)
            quantity.reserveCapacity(count)
            gift.reserveCapacity(count)
            coupon.reserveCapacity(count)
        }
    }

    public init(events wanted: Int, profiles: UInt32, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        // Where the names' shares end, as numbers of 32 bits.
        let weights = (1...Self.names.count).map { 1 / Double($0) }
        let total = weights.reduce(0, +)
        var sum = 0.0
        let bounds = weights.map { weight -> UInt32 in
            sum += weight / total
            return UInt32(min(sum * 4_294_967_296, 4_294_967_295))
        }
        // A table from the upper bits of a number to the first name it could be.
        let guesses = (0..<1024).map { high in bounds.firstIndex { $0 > UInt32(high) << 22 } ?? bounds.count - 1 }
        var tables = Self.names.indices.map { name in
            var columns = Columns()
            columns.reserve(Int(Double(wanted) * weights[name] / total * 1.01) + 1000)
            return columns
        }
        var planOwners: [UInt32] = []
        var planValues: [UInt8] = []
        var events = 0
        var times: [Int64] = []
        let mean = Double(wanted) / Double(profiles)
        for profile in 0..<profiles {
            // The mean of 1 / √u is 2.
            let share = 0.5 / max(random.unit, 1e-9).squareRoot()
            var count = Int(mean * share + random.unit)
            if profile == profiles - 1 { count = max(0, wanted - events) }
            count = min(count, wanted - events, 100_000)
            events += count
            times.removeAll(keepingCapacity: true)
            for _ in 0..<count { times.append(Self.end - Int64(random.unit * Double(Self.year))) }
            times.sort()
            for time in times {
                let number = UInt32(truncatingIfNeeded: random.next() >> 32)
                var name = guesses[Int(number >> 22)]
                while bounds[name] <= number, name < bounds.count - 1 { name += 1 }
                let bits = random.next()
                tables[name].profiles.append(profile)
                tables[name].timestamps.append(time)
                tables[name].price.append(Double(bits & 0x3FFF) / 100)
                tables[name].category.append(UInt8(min(bits >> 14 & 63, bits >> 20 & 63) * 40 / 64))
                tables[name].quantity.append(Double(1 + bits >> 26 & 7))
                tables[name].gift.append(bits >> 29 & 15 == 0 ? 1 : 0)
                tables[name].coupon.append(bits >> 33 & 7 < 2 ? 1 + UInt32(bits >> 36 & 0x3FFF) : 0)
            }
            if random.unit < 0.8 {
                planOwners.append(profile)
                let place = random.unit
                planValues.append(place < 0.05 ? 0 : place < 0.8 ? 1 : 2)
            }
        }
        self.events = events
        self.profiles = profiles
        self.tables = tables
        self.planOwners = planOwners
        self.planValues = planValues
    }
}

extension SplitMix64 {
    /// From 0 to below 1.
    @inline(__always)
    fileprivate var unit: Double { mutating get { Double(next() >> 11) * 0x1p-53 } }
}

import JSON
public import Model

/// What the demo shop is made from. The same plan always gives the same bytes.
public struct ShopPlan: Sendable, Hashable {
    public var seed: UInt64
    /// The end of the season: nothing is dated later.
    public var now: Instant
    /// People who sign in at some time and so become known.
    public var customers: Int
    /// Visitors who never sign in.
    public var passersby: Int
    /// The length of the season in days, at least 70 (the dormant need 61 of silence).
    public var days: Int

    public static let usualSeed: UInt64 = 20_261_124
    public static let usualCustomers = 11_000

    public init(
        now: Instant, seed: UInt64 = usualSeed, customers: Int = usualCustomers, passersby: Int = 5000, days: Int = 180
    ) {
        self.now = now
        self.seed = seed
        self.customers = customers
        self.passersby = passersby
        self.days = max(70, days)
    }
}

/// An invented clothes shop with half a year of customers, for `muster demo`, tests and measurements.
///
/// It promises: the same plan gives the same messages, byte for byte and with the same message ids, so that loading it a
/// second time changes nothing; messages stand in the order in which they would have arrived, which for some phones is
/// hours after they happened; every message is one a Segment client could have sent (spec: collection §2.9, §3.1).
///
/// In it are old customers and new ones, anonymous visitors some of whom sign in later or on a second device, few heavy
/// buyers and many who came once, people who bought and then fell silent, a weekly newsletter, and support tickets.
public struct DemoShop: Sendable {
    public let plan: ShopPlan
    private let happenings: [Happening]
    private let carts: [Cart]
    private let writer: MessageWriter

    public init(_ plan: ShopPlan) {
        self.plan = plan
        let season = Season(end: plan.now, days: plan.days)
        let newsletters = season.newsletters
        var happenings: [Happening] = []
        var carts: [Cart] = []
        happenings.reserveCapacity(35 * plan.customers + 4 * plan.passersby)
        for index in 0..<plan.customers + plan.passersby {
            var random = SplitMix64(seed: plan.seed, part: index)
            let person = Person(index: index, plan: plan, random: &random)
            var life = Life(of: person, random: random, firstCart: carts.count)
            life.run(season, newsletters: newsletters)
            for happening in life.happenings
            where happening.arrival <= plan.now && happening.timestamp >= season.start {
                happenings.append(happening)
            }
            carts += life.carts
        }
        happenings.sort { left, right in
            (left.arrival.milliseconds, left.person, left.place)
                < (right.arrival.milliseconds, right.person, right.place)
        }
        self.happenings = happenings
        self.carts = carts
        writer = MessageWriter(plan: plan, prefix: "shop")
    }

    /// How many messages the shop sends.
    public var count: Int { happenings.count }

    /// Names and prices of what is on sale.
    public static var productNames: [String] { Catalogue.products.map(\.name) }

    /// Message `index` in the order of arrival: a Segment call as a JSON object in UTF-8.
    public func message(at index: Int) -> [UInt8] {
        let happening = happenings[index]
        var random = SplitMix64(seed: plan.seed, part: Int(happening.person))
        let person = Person(index: Int(happening.person), plan: plan, random: &random)
        return writer.message(happening, person, carts)
    }

    /// The body of a request to `/v1/batch` with the messages in `range`.
    public func batch(_ range: Range<Int>, writeKey: String) -> [UInt8] {
        Self.envelope(range.lazy.map { message(at: $0) }, writeKey: writeKey)
    }

    /// Messages as the body of a request to `/v1/batch`.
    public static func envelope(_ messages: some Sequence<[UInt8]>, writeKey: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.write(raw: "{\"writeKey\":")
        writer.write(string: writeKey)
        writer.write(raw: ",\"batch\":[")
        var bytes = writer.bytes
        for (index, message) in messages.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: message)
        }
        bytes.append(contentsOf: "]}".utf8)
        return bytes
    }
}

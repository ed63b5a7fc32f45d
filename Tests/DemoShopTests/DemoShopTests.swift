import JSON
import Model
import Testing

@testable import DemoShop

/// The demo shop is a promise to newcomers (issue 2) and the input of the end-to-end tests: its size, its repeatability
/// and the shape of its messages are pinned here.
@Suite struct DemoShopTests {
    static let now = Instant(milliseconds: 1_795_500_000_000)
    static let small = DemoShop(ShopPlan(now: now, customers: 500, passersby: 200))

    @Test("The default plan has the size that the issue asks for: 10,000 people, 250,000 events, 180 days")
    func size() throws {
        // A tenth of the people, the same habits; the whole shop would take a debug build half a minute.
        let plan = ShopPlan(now: Self.now)
        #expect(plan.customers >= 10_000 && plan.days == 180)
        let tenth = DemoShop(ShopPlan(now: Self.now, customers: plan.customers / 10, passersby: plan.passersby / 10))
        #expect(tenth.count > 26_000, "\(tenth.count) messages")
        #expect(tenth.count < 45_000, "\(tenth.count) messages: loading should stay short")
    }

    @Test("The same plan gives the same bytes, another seed others")
    func determinism() {
        let again = DemoShop(Self.small.plan)
        #expect(again.count == Self.small.count)
        for start in stride(from: 0, to: again.count, by: 1000) {
            let range = start..<min(start + 100, again.count)
            #expect(again.batch(range, writeKey: "k") == Self.small.batch(range, writeKey: "k"))
        }
        let other = DemoShop(ShopPlan(now: Self.now, seed: 7, customers: 500, passersby: 200))
        #expect(other.batch(0..<100, writeKey: "k") != Self.small.batch(0..<100, writeKey: "k"))
    }

    @Test("The bytes stay the same on every platform: whoever changes the generator changes this number on purpose")
    func pinned() {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in Self.small.batch(0..<500, writeKey: "k") { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        #expect(hash == 15_539_566_474_026_249_419)
    }

    @Test("Every message is a call that a Segment client could have sent")
    func shapes() throws {
        var identifiers: Set<String> = []
        var types: [String: Int] = [:]
        var last = Instant.distantPast
        var late = 0
        for index in 0..<Self.small.count {
            let message = try JSONValue(parsing: Self.small.message(at: index))
            let type = try #require(message["type"]?.string)
            types[type, default: 0] += 1
            let identifier = try #require(message["messageId"]?.string)
            #expect(identifier.utf8.count <= 100)
            #expect(identifiers.insert(identifier).inserted, "message id \(identifier) is used twice")
            let timestamp = try #require(Instant(iso8601: message["timestamp"]?.string ?? ""))
            #expect(timestamp <= Self.now && timestamp >= Self.now - .days(180))
            if timestamp < last { late += 1 }
            last = max(last, timestamp)
            #expect(message["userId"]?.string != nil || message["anonymousId"]?.string != nil)
            #expect(message["context"]?["library"]?["name"]?.string != nil)
            switch type {
            case "track":
                #expect(message["event"]?.string?.isEmpty == false)
                #expect(message["properties"]?.object != nil)
            case "page", "screen": #expect(message["name"]?.string?.isEmpty == false)
            case "identify": #expect(message["traits"]?.object?.isEmpty == false)
            case "group": #expect(message["groupId"]?.string?.isEmpty == false)
            default: Issue.record("unexpected type \(type)")
            }
        }
        for type in ["track", "page", "screen", "identify", "group"] { #expect(types[type] ?? 0 > 0, "\(type)") }
        #expect(late > 0, "some phones send hours later")
    }

    @Test("Orders carry what revenue traits need, and add up")
    func orders() throws {
        var count = 0
        for message in try Self.messages(named: "Order Completed") {
            count += 1
            let properties = try #require(message["properties"])
            let products = try #require(properties["products"]?.array)
            #expect(!products.isEmpty)
            let goods = products.reduce(0.0) { sum, product in
                sum + (product["price"]?.double ?? 0) * (product["quantity"]?.double ?? 0)
            }
            let revenue = try #require(properties["revenue"]?.double)
            let discount = try #require(properties["discount"]?.double)
            #expect(abs(goods - discount - revenue) < 0.001)
            #expect(properties["currency"] == "EUR")
            #expect(message["userId"]?.string != nil, "nobody pays without an account")
        }
        #expect(count > 300, "\(count) orders among 500 customers")
    }

    @Test("There is a Sweater, and people look at it")
    func sweater() throws {
        #expect(DemoShop.productNames.count == 60)
        #expect(Set(DemoShop.productNames).count == 60)
        let views = try Self.messages(named: "Product Viewed")
        let sweaters = views.count { $0["properties"]?["name"] == "Sweater" }
        #expect(sweaters > views.count / 60, "\(sweaters) of \(views.count)")
    }

    @Test("Some buyers fell silent for 60 days, some visitors signed in later, few people buy most")
    func habits() throws {
        var lastOrder: [String: Instant] = [:]
        var orders: [String: Int] = [:]
        for message in try Self.messages(named: "Order Completed") {
            let user = try #require(message["userId"]?.string)
            orders[user, default: 0] += 1
            lastOrder[user] = max(
                lastOrder[user] ?? .distantPast, try #require(Instant(iso8601: message["timestamp"]?.string ?? "")))
        }
        let dormant = lastOrder.values.count { $0 < Self.now - .days(60) }
        #expect(dormant > 30 && dormant < lastOrder.count, "\(dormant) of \(lastOrder.count) buyers")
        let heaviest = orders.values.sorted(by: >).prefix(orders.count / 10).reduce(0, +)
        #expect(heaviest * 100 > orders.values.reduce(0, +) * 25, "the heaviest tenth orders more than a quarter")

        var anonymousFirst: Set<String> = []
        var joined: Set<String> = []
        for index in 0..<Self.small.count {
            let message = try JSONValue(parsing: Self.small.message(at: index))
            guard let device = message["anonymousId"]?.string else { continue }
            if message["userId"] == nil {
                anonymousFirst.insert(device)
            } else if anonymousFirst.contains(device) {
                joined.insert(device)
            }
        }
        #expect(joined.count > 100, "\(joined.count) devices turned from anonymous to known")
        #expect(anonymousFirst.count > joined.count + 200)
    }

    static func messages(named event: String) throws -> [JSONValue] {
        try (0..<small.count).map { try JSONValue(parsing: small.message(at: $0)) }
            .filter { $0["event"]?.string == event }
    }
}

@Suite struct LiveShopTests {
    @Test("The trickle keeps about its rate, in order, with fresh message ids, and repeats for the same instants")
    func trickle() throws {
        let plan = ShopPlan(now: DemoShopTests.now, customers: 500, passersby: 200)
        func run(from start: Instant) throws -> [JSONValue] {
            var live = LiveShop(plan, start: start, perSecond: 5)
            var messages: [JSONValue] = []
            for second in 1...600 {
                let now = start + .seconds(Int64(second))
                for bytes in live.messages(until: now) {
                    let message = try JSONValue(parsing: bytes)
                    let timestamp = try #require(Instant(iso8601: message["timestamp"]?.string ?? ""))
                    #expect(timestamp <= now && timestamp > now - .seconds(2))
                    messages.append(message)
                }
            }
            return messages
        }
        let start = plan.now + .hours(3)
        let messages = try run(from: start)
        #expect(messages.count > 2000 && messages.count < 4000, "\(messages.count) in ten minutes at 5 a second")
        let identifiers = Set(messages.compactMap { $0["messageId"]?.string })
        #expect(identifiers.count == messages.count)
        #expect(try run(from: start) == messages)
        let later = try run(from: start + .hours(1))
        #expect(identifiers.isDisjoint(with: later.compactMap { $0["messageId"]?.string }))
        #expect(messages.contains { $0["event"] == "Signed Up" })
        #expect(messages.contains { $0["event"] == "Order Completed" })
    }
}

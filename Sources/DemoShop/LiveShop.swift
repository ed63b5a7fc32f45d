public import Model

/// What goes on in the shop right now: a trickle of fresh visits by customers, by the dormant who come back, and by new
/// visitors some of whom sign up on the spot. Deterministic like the shop: seed and instants in, messages out.
public struct LiveShop: Sendable {
    private let plan: ShopPlan
    private let start: Instant
    private let perSecond: Int
    private let writer: MessageWriter
    private var random: SplitMix64
    private var clock: Instant
    private var pending: [(happening: Happening, person: Person, carts: [Cart])] = []
    /// Message ids go on where the last visit of a person ended.
    private var places: [Int: Int] = [:]
    private var newcomers = 0
    private var visits = 0
    /// Visits owed, in thousandths.
    private var owed = 0

    /// How many messages a visit has on the average, in tenths; only the rate depends on it.
    private static let messagesPerVisitTenths = 58

    /// - Parameter perSecond: messages a second on the average.
    public init(_ plan: ShopPlan, start: Instant, perSecond: Int = 3) {
        self.plan = plan
        self.start = start
        self.perSecond = perSecond
        clock = start
        random = SplitMix64(seed: plan.seed ^ UInt64(bitPattern: start.milliseconds))
        var livePlan = plan
        livePlan.now = start
        writer = MessageWriter(plan: livePlan, prefix: "live")
    }

    /// The messages of the time since the last call, up to and including `now`.
    public mutating func messages(until now: Instant) -> [[UInt8]] {
        let elapsed = max(0, min((now - clock).milliseconds, 60_000))
        clock = max(clock, now)
        owed += Int(elapsed) * perSecond * 10 / Self.messagesPerVisitTenths
        while owed >= 1000 {
            owed -= 1000
            startVisit(at: now)
        }
        let due = pending.filter { $0.happening.timestamp <= now }
            .sorted { left, right in
                (left.happening.timestamp.milliseconds, left.happening.person, left.happening.place)
                    < (right.happening.timestamp.milliseconds, right.happening.person, right.happening.place)
            }
        pending.removeAll { $0.happening.timestamp <= now }
        return due.map { writer.message($0.happening, $0.person, $0.carts) }
    }

    private mutating func startVisit(at now: Instant) {
        visits += 1
        let kind = random.index(weighted: [70, 12, 18])
        var person: Person
        switch kind {
        case 0: person = customer { _ in true }
        case 1: person = customer { $0 == .dormant }
        default: person = newcomer(at: now)
        }
        let isNewcomer = kind == 2
        // Who already looked around once signs in sooner.
        let signsIn = isNewcomer && random.chance(percent: 60)
        var life = Life(
            of: person, random: SplitMix64(seed: random.next()), firstPlace: places[person.index] ?? 0,
            isKnown: !isNewcomer, haste: 6)
        life.visit(
            at: now, on: random.chance(percent: 40) ? .phone : .computer, newsletter: nil, signsIn: signsIn,
            buys: random.chance(percent: kind == 1 ? 60 : 5))
        places[person.index] = (places[person.index] ?? 0) + life.happenings.count
        let horizon = now + .minutes(10)
        for happening in life.happenings where happening.timestamp <= horizon {
            pending.append((happening, person, life.carts))
        }
    }

    private mutating func customer(where matches: (Habit) -> Bool) -> Person {
        var person = person(at: 0)
        for _ in 0..<200 {
            person = self.person(at: random.below(max(1, plan.customers)))
            if matches(person.habit) { break }
        }
        return person
    }

    private mutating func newcomer(at now: Instant) -> Person {
        newcomers += 1
        // Seconds since the plan keep people of different starts apart.
        let since = max(0, (start - plan.now).milliseconds / 1000)
        var random = SplitMix64(seed: plan.seed ^ UInt64(bitPattern: start.milliseconds), part: newcomers)
        return Person(
            index: plan.customers + plan.passersby + Int(since) + newcomers, plan: plan, random: &random,
            newcomer: true)
    }

    private func person(at index: Int) -> Person {
        var random = SplitMix64(seed: plan.seed, part: index)
        return Person(index: index, plan: plan, random: &random)
    }
}

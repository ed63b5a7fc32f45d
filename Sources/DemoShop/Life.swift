import Model

/// Lives through a person's time with the shop and writes down what happens, in the order in which it comes to mind; the
/// shop sorts it.
struct Life: Sendable {
    let person: Person
    private(set) var happenings: [Happening] = []
    private(set) var carts: [Cart] = []
    /// Where this life's first cart stands in the shop's array.
    private let firstCart: Int
    private var random: SplitMix64
    /// By how much the pauses within a visit are shortened; live visits are brisk, so that something is to be seen.
    private let haste: Int
    private var isKnown: [Bool]
    private var orders = 0
    private var firstPlace: Int

    init(
        of person: Person, random: SplitMix64, firstCart: Int = 0, firstPlace: Int = 0, isKnown: Bool = false,
        haste: Int = 1
    ) {
        self.person = person
        self.random = random
        self.firstCart = firstCart
        self.firstPlace = firstPlace
        self.isKnown = [isKnown, isKnown]
        self.haste = haste
    }

    // MARK: - A whole season

    /// Everything from the season's start to its end.
    mutating func run(_ season: Season, newsletters: [Instant]) {
        if person.isOldCustomer {
            // The shop's customer file, imported on the first day.
            let imported = season.start + .seconds(Int64(random.below(36_000)))
            record(.introduced, at: imported, on: .server, known: true)
            if person.company != nil { record(.joinedCompany, at: imported + .seconds(1), on: .server, known: true) }
            isKnown[0] = true
        }
        let count = random.number(in: person.habit.visits)
        var visits: [Instant] = []
        for _ in 0..<count { visits.append(season.visit(on: person.activeDays, &random)) }
        visits.sort()
        let signUpVisit = person.habit == .passerby ? Int.max : random.below(min(3, count))
        for (number, start) in visits.enumerated() {
            let origin: Happening.Origin = random.chance(percent: number == 0 ? 20 : 38) ? .phone : .computer
            let signsIn = number >= signUpVisit && random.chance(percent: 70) || number == signUpVisit
            visit(
                at: start, on: origin, newsletter: nil, signsIn: signsIn && !isKnown[Int(origin.rawValue)],
                buys: person.habit == .dormant && number == signUpVisit)
        }
        guard person.subscribed, person.habit != .passerby else { return }
        read(newsletters, since: person.isOldCustomer ? season.start : visits[signUpVisit] + .hours(1))
    }

    private mutating func read(_ newsletters: [Instant], since signUp: Instant) {
        for (number, sent) in newsletters.enumerated() {
            guard sent > signUp, random.chance(perMille: person.habit.openPerMille) else { continue }
            let opened = sent + .minutes(Int64(random.below(random.chance(percent: 70) ? 480 : 4000)))
            record(.emailOpened(newsletter: Int16(number)), at: opened, on: .server, known: true)
            if random.chance(percent: 12) {
                // Mail programs ask for the picture again.
                let again = opened + .minutes(Int64(random.below(2000)))
                record(.emailOpened(newsletter: Int16(number)), at: again, on: .server, known: true)
            }
            guard random.chance(percent: 22) else { continue }
            let clicked = opened + .seconds(Int64(5 + random.below(90)))
            record(.emailClicked(newsletter: Int16(number)), at: clicked, on: .server, known: true)
            // Those who fell silent still read now and then, but don't come.
            guard person.habit != .dormant else { continue }
            visit(at: clicked + .seconds(2), on: .computer, newsletter: number, signsIn: false, buys: false)
        }
    }

    // MARK: - One visit

    /// One visit from the first page to leaving or paying. `signsIn`: signs up or in after the first look around;
    /// `buys`: leaves with an order, whatever the habit says.
    mutating func visit(
        at start: Instant, on origin: Happening.Origin, newsletter: Int?, signsIn: Bool, buys: Bool
    ) {
        var now = start
        let delay = offlineDelay(on: origin)
        func arrival(of instant: Instant) -> Instant { delay.map { start + $0 } ?? instant + .seconds(1) }
        let landing: Happening.Page =
            newsletter != nil
            ? .sale : random.chance(percent: 75) ? .home : random.chance(percent: 50) ? .search : .sale
        record(
            .pageViewed(landing, newsletter: newsletter.map { Int16($0) }), at: now, on: origin,
            arrival: arrival(of: now))

        var seen: [Int16] = []
        let views = 1 + random.below(random.chance(percent: 20) ? 6 : 3)
        var signInLeft = signsIn
        while seen.count < views {
            let category =
                random.chance(percent: 62)
                ? person.favouriteCategory : random.index(weighted: Catalogue.categoryPopularity)
            if random.chance(percent: 45) {
                pause(5...40, &now)
                record(.listViewed(category: Int16(category)), at: now, on: origin, arrival: arrival(of: now))
            }
            let offered = Catalogue.productsByCategory[category]
            let product = Int16(
                offered[random.index(weighted: offered.map { Catalogue.products[$0].popularity })])
            pause(6...90, &now)
            record(.productViewed(product: product), at: now, on: origin, arrival: arrival(of: now))
            seen.append(product)
            if signInLeft {
                pause(20...70, &now)
                signIn(at: now, on: origin, arrival: arrival(of: now))
                signInLeft = false
            }
        }
        if buys || random.chance(percent: person.habit.cartPercent) {
            shop(seen, at: &now, on: origin, arrival: arrival, buys: buys)
        } else if random.chance(percent: 8) {
            pause(5...60, &now)
            record(
                .pageViewed(random.chance(percent: 50) ? .account : .help, newsletter: nil), at: now, on: origin,
                arrival: arrival(of: now))
        }
    }

    private mutating func shop(
        _ seen: [Int16], at now: inout Instant, on origin: Happening.Origin,
        arrival: (Instant) -> Instant, buys: Bool
    ) {
        var cart = Cart(person: Int32(person.index))
        let number = Int32(firstCart + carts.count)
        for product in seen where cart.lines.isEmpty || random.chance(percent: 30) {
            cart.lines.append(.init(product: product, quantity: Int16(random.chance(percent: 85) ? 1 : 2)))
            pause(4...50, &now)
            record(
                .productAdded(cart: number, line: Int16(cart.lines.count - 1)), at: now, on: origin,
                arrival: arrival(now))
        }
        cart.hasCoupon = random.chance(percent: 15)
        carts.append(cart)
        if random.chance(percent: 60) {
            pause(5...60, &now)
            record(.cartViewed(cart: number), at: now, on: origin, arrival: arrival(now))
        }
        if !buys, random.chance(percent: 10) {
            pause(5...60, &now)
            let line = Int16(random.below(cart.lines.count))
            record(.productRemoved(cart: number, line: line), at: now, on: origin, arrival: arrival(now))
            return
        }
        guard buys || random.chance(percent: 70) else { return }
        pause(10...90, &now)
        record(.checkoutStarted(cart: number), at: now, on: origin, arrival: arrival(now))
        guard person.habit != .passerby, buys || random.chance(percent: person.habit.orderPercent) else { return }
        if !isKnown[Int(origin.rawValue)] {
            pause(20...80, &now)
            signIn(at: now, on: origin, arrival: arrival(now))
        }
        pause(30...240, &now)
        orders += 1
        record(
            .orderCompleted(cart: number, number: Int16(orders)), at: now, on: origin, arrival: arrival(now))
        if orders == 5 { record(.becameVIP, at: now + .seconds(2), on: .server, known: true) }
        if random.chance(percent: 6) { complain(after: now) }
    }

    private mutating func complain(after order: Instant) {
        let topic = Int16(random.below(Topics.all.count))
        let opened = order + .hours(Int64(random.number(in: 20...200)))
        record(.ticketOpened(topic: topic), at: opened, on: .server, known: true)
        let closed = opened + .minutes(Int64(random.number(in: 30...4000)))
        let rating = Int16(1 + random.index(weighted: [8, 7, 15, 35, 35]))
        record(.ticketClosed(topic: topic, rating: rating), at: closed, on: .server, known: true)
    }

    /// From here on the device's calls carry the user id; what it did before becomes part of the person's history.
    private mutating func signIn(at now: Instant, on origin: Happening.Origin, arrival: Instant) {
        let isNew = !person.isOldCustomer && !isKnown.contains(true)
        isKnown[Int(origin.rawValue)] = true
        record(.introduced, at: now, on: origin, arrival: arrival)
        record(
            isNew ? .signedUp : .signedIn, at: now + Instant.Span(milliseconds: 40), on: origin, arrival: arrival)
        if isNew, person.company != nil {
            record(.joinedCompany, at: now + Instant.Span(milliseconds: 80), on: origin, arrival: arrival)
        }
    }

    /// Some phone visits happen without network and are sent hours later.
    private mutating func offlineDelay(on origin: Happening.Origin) -> Instant.Span? {
        guard origin == .phone, haste == 1, random.chance(percent: 6) else { return nil }
        return .minutes(Int64(random.number(in: 60...2400)))
    }

    private mutating func pause(_ seconds: ClosedRange<Int>, _ now: inout Instant) {
        let milliseconds = random.number(in: seconds) * 1000 + random.below(1000)
        now = now + Instant.Span(milliseconds: Int64(milliseconds / haste))
    }

    private mutating func record(
        _ action: Happening.Action, at timestamp: Instant, on origin: Happening.Origin, known: Bool? = nil,
        arrival: Instant? = nil
    ) {
        happenings.append(
            Happening(
                person: Int32(person.index), place: Int32(firstPlace + happenings.count), timestamp: timestamp,
                arrival: max(timestamp, arrival ?? timestamp + .seconds(1)), origin: origin,
                isKnown: known ?? isKnown[Int(origin.rawValue)], action: action))
    }
}

/// What people write to the shop's support about.
enum Topics {
    static let all = ["Late delivery", "Wrong size", "Refund", "Damaged item", "Gift card", "Password"]
}

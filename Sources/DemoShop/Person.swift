import Model

/// How somebody shops; decides how often they come, what they buy and whether they read newsletters.
enum Habit: Int, Sendable, CaseIterable {
    /// Never signs in.
    case passerby
    /// Signed up once, hardly came back.
    case oneTime
    /// Looks a lot, buys next to nothing.
    case browser
    /// Buys now and then.
    case occasional
    /// Comes back every other week.
    case loyal
    /// The two percent that make a fifth of the revenue.
    case heavy
    /// Used to buy, then fell silent.
    case dormant

    /// Shares among customers, in per mille; passers-by are no customers.
    static let shares = [0, 300, 250, 240, 110, 25, 75]

    var visits: ClosedRange<Int> {
        switch self {
        case .passerby: 1...2
        case .oneTime: 1...2
        case .browser: 1...4
        case .occasional: 2...6
        case .loyal: 6...16
        case .heavy: 18...45
        case .dormant: 2...7
        }
    }

    /// Chance that a visit with products in view puts something into the cart.
    var cartPercent: Int {
        switch self {
        case .passerby: 6
        case .oneTime: 30
        case .browser: 14
        case .occasional: 38
        case .loyal: 42
        case .heavy: 55
        case .dormant: 60
        }
    }

    /// Chance that a filled cart is paid.
    var orderPercent: Int {
        switch self {
        case .passerby: 0
        case .oneTime: 40
        case .browser: 12
        case .occasional: 55
        case .loyal: 66
        case .heavy: 78
        case .dormant: 80
        }
    }

    /// Chance that a newsletter is opened, in per mille.
    var openPerMille: Int {
        switch self {
        case .passerby: 0
        case .oneTime: 40
        case .browser: 90
        case .occasional: 120
        case .loyal: 260
        case .heavy: 340
        case .dormant: 25
        }
    }
}

/// Somebody who uses the shop: a function of the plan and the index, so that it can be had again at any time.
struct Person: Sendable {
    let index: Int
    let habit: Habit
    let userID: String
    let firstName: String
    let lastName: String
    let email: String
    let place: (city: String, country: String)
    let favouriteCategory: Int
    /// Browser on a computer first, then the phone.
    let devices: [String]
    let plan: String
    /// Company number of business customers.
    let company: Int?
    let subscribed: Bool
    /// Day of sign-up after the season's start; negative: a customer from before.
    let signUpDay: Int
    /// The days on which they come, after the season's start.
    let activeDays: Range<Int>

    /// - Parameter newcomer: somebody who comes for the first time when the season is over.
    init(index: Int, plan shop: ShopPlan, random: inout SplitMix64, newcomer: Bool = false) {
        self.index = index
        let drawn = Habit(rawValue: random.index(weighted: Habit.shares)) ?? .occasional
        habit = newcomer ? .occasional : index >= shop.customers ? .passerby : drawn
        userID = "u_\(100_000 + index)"
        firstName = random.pick(Names.first)
        lastName = random.pick(Names.last)
        email = "\(Names.ascii(firstName)).\(Names.ascii(lastName)).\(index + 1)@example.com"
        place = Names.places[random.index(weighted: Names.placeWeights)]
        favouriteCategory = random.index(weighted: Catalogue.categoryPopularity)
        devices = [random.uuid(), random.uuid()]
        let isBusiness = random.chance(perMille: 40)
        company = isBusiness ? random.below(80) : nil
        plan = isBusiness ? "business" : random.chance(percent: habit == .heavy ? 80 : 18) ? "plus" : "free"
        subscribed = random.chance(percent: 70)

        let days = shop.days
        if newcomer {
            (signUpDay, activeDays) = (days, 0..<days)
            return
        }
        switch habit {
        case .passerby:
            signUpDay = days
            activeDays = 0..<days
        case .oneTime:
            let day = random.below(days)
            signUpDay = day
            activeDays = day..<min(days, day + 20)
        case .dormant:
            // Silent for at least 61 days before now.
            let last = max(2, days - 61 - random.below(max(1, days / 4)))
            let first = random.below(max(1, last - 1))
            signUpDay = random.chance(percent: 60) ? -random.number(in: 1...900) : first
            activeDays = first..<last
        case .browser, .occasional, .loyal, .heavy:
            let isOld = random.chance(percent: 55)
            let first = isOld ? 0 : random.below(max(1, days - 5))
            signUpDay = isOld ? -random.number(in: 1...900) : first
            activeDays = first..<days
        }
    }

    /// Whether the shop knew them before the season.
    var isOldCustomer: Bool { habit != .passerby && signUpDay < 0 }
}

/// Building blocks of people.
enum Names {
    static let first = [
        "Ada", "Alba", "Amir", "Anna", "Ben", "Björn", "Carla", "Chen", "Clara", "Daniel", "Elif", "Emma", "Erik",
        "Fatima", "Felix", "Freya", "Grace", "Hana", "Hugo", "Ines", "Isla", "Ivan", "Jonas", "Julia", "Kofi", "Lara",
        "Leon", "Lina", "Luca", "Maja", "Marco", "Mia", "Nina", "Noah", "Olga", "Omar", "Paula", "Priya", "Rosa",
        "Sami", "Sofia", "Stella", "Tariq", "Theo", "Uma", "Vera", "Wei", "Yara", "Zoé", "Óscar",
    ]
    static let last = [
        "Almeida", "Andersson", "Becker", "Bianchi", "Brown", "Castillo", "Dubois", "Eriksen", "Fischer", "García",
        "Haddad", "Hansen", "Ivanova", "Jensen", "Kaya", "Kim", "Kowalski", "Laurent", "Lindqvist", "Marino", "Meyer",
        "Mensah", "Moreau", "Müller", "Nakamura", "Novak", "Okafor", "O'Brien", "Patel", "Pereira", "Petrov", "Quist",
        "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Smith", "Sørensen", "Tanaka", "Taylor", "Ueda", "Vargas",
        "Weber", "Wilson", "Wójcik", "Xu", "Yilmaz", "Young", "Zhang",
    ]
    static let places = [
        ("Berlin", "DE"), ("Copenhagen", "DK"), ("Paris", "FR"), ("London", "GB"), ("Madrid", "ES"), ("Milan", "IT"),
        ("Stockholm", "SE"), ("Vienna", "AT"), ("Amsterdam", "NL"), ("Warsaw", "PL"), ("New York", "US"),
        ("Toronto", "CA"),
    ]
    static let placeWeights = [18, 7, 13, 16, 9, 8, 6, 5, 6, 5, 5, 2]

    /// Letters of the names above without their marks, for addresses.
    static func ascii(_ name: String) -> String {
        String(
            name.lowercased().compactMap { letter -> Character? in
                switch letter {
                case "ö", "ø", "ó": "o"
                case "ü": "u"
                case "é": "e"
                case "í": "i"
                case "'": nil
                default: letter
                }
            })
    }
}

import Model

/// One call of the shop's clients in compact form; `MessageWriter` makes JSON of it. A year of a shop so fits into a few
/// megabytes, and can be put into the order of arrival before anything is printed.
struct Happening: Sendable {
    /// Index of the person.
    let person: Int32
    /// Place among the happenings of that person; makes the message id.
    let place: Int32
    /// When it happened.
    let timestamp: Instant
    /// When the shop's server would have sent it on; later than `timestamp` by hours for phones without network.
    let arrival: Instant
    let origin: Origin
    /// Whether the call carries the user id.
    let isKnown: Bool
    let action: Action

    enum Origin: Int8, Sendable {
        case computer = 0
        case phone = 1
        /// The shop's own servers: orders' aftermath, newsletters, tickets. Carries no anonymous id.
        case server = 2
    }

    enum Action: Sendable, Hashable {
        /// A page call on the computer, a screen call on the phone; the campaign that led there.
        case pageViewed(Page, newsletter: Int16?)
        case listViewed(category: Int16)
        case productViewed(product: Int16)
        /// The newest line of a cart.
        case productAdded(cart: Int32, line: Int16)
        case productRemoved(cart: Int32, line: Int16)
        case cartViewed(cart: Int32)
        case checkoutStarted(cart: Int32)
        case orderCompleted(cart: Int32, number: Int16)
        case signedUp
        case signedIn
        /// An identify call with everything the shop knows.
        case introduced
        /// An identify call that only sets `vip`.
        case becameVIP
        /// A group call.
        case joinedCompany
        case emailOpened(newsletter: Int16)
        case emailClicked(newsletter: Int16)
        case ticketOpened(topic: Int16)
        case ticketClosed(topic: Int16, rating: Int16)
    }

    enum Page: Int8, Sendable, CaseIterable {
        case home, sale, account, help, search
    }
}

/// What lies in a cart.
struct Cart: Sendable {
    struct Line: Sendable {
        let product: Int16
        let quantity: Int16
    }

    let person: Int32
    var lines: [Line] = []
    /// Ten percent off.
    var hasCoupon = false

    /// In cents, before discount.
    var value: Int {
        lines.reduce(0) { $0 + Catalogue.products[Int($1.product)].price * Int($1.quantity) }
    }

    var discount: Int { hasCoupon ? value / 10 : 0 }
    /// What counts as revenue: without shipping and tax (spec: collection §3.1).
    var revenue: Int { value - discount }
    var shipping: Int { revenue >= 5000 ? 0 : 495 }
    var tax: Int { revenue * 19 / 100 }
}

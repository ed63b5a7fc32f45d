import JSON
import Model

/// Prints happenings as the JSON that a Segment client would put on the wire.
struct MessageWriter: Sendable {
    /// Starts every message id, so that two shops in one installation don't swallow each other's messages.
    private let prefix: String
    private let seasonStart: Instant

    init(plan: ShopPlan, prefix: String) {
        var mixer = SplitMix64(seed: plan.seed ^ UInt64(bitPattern: plan.now.milliseconds))
        self.prefix = "\(prefix)-\(String(mixer.next(), radix: 36))"
        seasonStart = plan.now - .days(Int64(plan.days))
    }

    func message(_ happening: Happening, _ person: Person, _ carts: [Cart]) -> [UInt8] {
        var writer = JSONWriter()
        writer.write(raw: "{\"type\":\"")
        writer.write(raw: happening.action.type(on: happening.origin))
        writer.write(raw: "\",\"messageId\":\"\(prefix)-\(happening.person)-\(happening.place)\",\"timestamp\":\"")
        writer.write(raw: happening.timestamp.description)
        writer.write(raw: "\"")
        if happening.isKnown { writer.write(raw: ",\"userId\":\"\(person.userID)\"") }
        if happening.origin != .server {
            writer.write(raw: ",\"anonymousId\":\"\(person.devices[Int(happening.origin.rawValue)])\"")
        }
        write(happening.action, person, carts, &writer)
        writer.write(raw: ",\"context\":")
        writer.write(context(of: happening, person))
        writer.write(raw: "}")
        return writer.bytes
    }

    private func write(_ action: Happening.Action, _ person: Person, _ carts: [Cart], _ writer: inout JSONWriter) {
        func track(_ event: String, _ properties: JSONValue) {
            writer.write(raw: ",\"event\":\"\(event)\",\"properties\":")
            writer.write(properties)
        }
        func cart(_ number: Int32) -> Cart { carts[Int(number)] }
        switch action {
        case .pageViewed(let page, let newsletter):
            writer.write(raw: ",\"name\":\"\(page.name)\",\"properties\":")
            writer.write(page.properties(newsletter: newsletter))
        case .listViewed(let category):
            let name = Catalogue.categories[Int(category)]
            track("Product List Viewed", ["list_id": .string(name.lowercased()), "category": .string(name)])
        case .productViewed(let product):
            var properties = Self.fields(of: product)
            properties["currency"] = "EUR"
            track("Product Viewed", .object(properties))
        case .productAdded(let number, let line): track("Product Added", Self.line(line, of: cart(number), number))
        case .productRemoved(let number, let line): track("Product Removed", Self.line(line, of: cart(number), number))
        case .cartViewed(let number):
            track("Cart Viewed", ["cart_id": .string("c_\(number)"), "products": Self.products(of: cart(number))])
        case .checkoutStarted(let number):
            let cart = cart(number)
            track(
                "Checkout Started",
                [
                    "cart_id": .string("c_\(number)"), "value": Self.money(cart.value),
                    "revenue": Self.money(cart.revenue), "currency": "EUR", "products": Self.products(of: cart),
                ])
        case .orderCompleted(let number, let place):
            track("Order Completed", order(cart(number), number: number, place: place, person))
        case .signedUp: track("Signed Up", ["plan": .string(person.plan)])
        case .signedIn: track("Signed In", ["method": "password"])
        case .introduced:
            writer.write(raw: ",\"traits\":")
            writer.write(traits(of: person))
        case .becameVIP:
            writer.write(raw: ",\"traits\":{\"vip\":true}")
        case .joinedCompany:
            let company = person.company ?? 0
            writer.write(raw: ",\"groupId\":\"company_\(company)\",\"traits\":")
            writer.write([
                "name": .string("\(Names.last[company % Names.last.count]) Ltd."), "plan": "business",
                "employees": .number(5 + 13 * company % 400),
            ])
        case .emailOpened(let newsletter): track("Email Opened", Self.mail(newsletter))
        case .emailClicked(let newsletter):
            var properties = Self.mail(newsletter)
            if var object = properties.object {
                object["link_url"] = "https://shop.example.com/sale"
                properties = .object(object)
            }
            track("Email Link Clicked", properties)
        case .ticketOpened(let topic):
            track("Support Ticket Opened", ["topic": .string(Topics.all[Int(topic)]), "channel": "email"])
        case .ticketClosed(let topic, let rating):
            track(
                "Support Ticket Closed",
                ["topic": .string(Topics.all[Int(topic)]), "satisfaction": .number(Int(rating))])
        }
    }

    // MARK: - Parts

    private func traits(of person: Person) -> JSONValue {
        let signedUp = seasonStart + .days(Int64(person.signUpDay))
        var traits: JSONObject = [
            "email": .string(person.email), "name": .string("\(person.firstName) \(person.lastName)"),
            "firstName": .string(person.firstName), "lastName": .string(person.lastName),
            "plan": .string(person.plan), "city": .string(person.place.city),
            "country": .string(person.place.country), "createdAt": .string(signedUp.description),
            "newsletter": .bool(person.subscribed),
        ]
        if person.company != nil { traits["business"] = true }
        return .object(traits)
    }

    private func order(_ cart: Cart, number: Int32, place: Int16, _ person: Person) -> JSONValue {
        var properties: JSONObject = [
            "order_id": .string("o_\(person.index)_\(place)"), "cart_id": .string("c_\(number)"),
            "revenue": Self.money(cart.revenue), "subtotal": Self.money(cart.revenue),
            "shipping": Self.money(cart.shipping), "tax": Self.money(cart.tax),
            "total": Self.money(cart.revenue + cart.shipping + cart.tax), "discount": Self.money(cart.discount),
            "currency": "EUR", "products": Self.products(of: cart),
        ]
        if cart.hasCoupon { properties["coupon"] = "WELCOME10" }
        return .object(properties)
    }

    private static func fields(of number: Int16) -> JSONObject {
        let product = Catalogue.products[Int(number)]
        return [
            "product_id": .string("p_\(number)"), "sku": .string(product.sku), "name": .string(product.name),
            "category": .string(Catalogue.categories[product.category]), "brand": .string(product.brand),
            "price": money(product.price),
        ]
    }

    private static func line(_ line: Int16, of cart: Cart, _ number: Int32) -> JSONValue {
        var properties = fields(of: cart.lines[Int(line)].product)
        properties["quantity"] = .number(Int(cart.lines[Int(line)].quantity))
        properties["cart_id"] = .string("c_\(number)")
        return .object(properties)
    }

    private static func products(of cart: Cart) -> JSONValue {
        .array(
            cart.lines.map { line in
                var fields = fields(of: line.product)
                fields["quantity"] = .number(Int(line.quantity))
                return .object(fields)
            })
    }

    private static func mail(_ newsletter: Int16) -> JSONValue {
        [
            "email_id": .string("n_\(newsletter)"), "campaign_id": .string("newsletter-\(newsletter)"),
            "campaign_name": "Weekly Newsletter",
            "email_subject": .string(subjects[Int(newsletter) % subjects.count]),
        ]
    }

    private static let subjects = [
        "New in: knitwear", "Rain or shine", "The weekend sale", "Ten percent off shoes", "Back in stock",
    ]

    /// Cents as a decimal number.
    private static func money(_ cents: Int) -> JSONValue {
        let rest = cents % 100
        let text = rest == 0 ? "\(cents / 100)" : "\(cents / 100).\(rest < 10 ? "0" : "")\(rest)"
        return JSONNumber(literal: text).map { .number($0) } ?? .number(cents / 100)
    }

    private func context(of happening: Happening, _ person: Person) -> JSONValue {
        switch happening.origin {
        case .server:
            [
                "library": ["name": "demo-shop-server", "version": "1.0.0"],
                "traits": ["email": .string(person.email)],
            ]
        case .computer:
            [
                "library": ["name": "demo-shop-web", "version": "1.0.0"],
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "locale": .string("en-\(person.place.country)"),
            ]
        case .phone:
            [
                "library": ["name": "demo-shop-app", "version": "1.0.0"],
                "app": ["name": "Shop", "version": "3.2.1"], "device": ["type": "ios", "model": "iPhone15,2"],
                "locale": .string("en-\(person.place.country)"),
            ]
        }
    }
}

extension Happening.Action {
    func type(on origin: Happening.Origin) -> String {
        switch self {
        case .pageViewed: origin == .phone ? "screen" : "page"
        case .introduced, .becameVIP: "identify"
        case .joinedCompany: "group"
        default: "track"
        }
    }
}

extension Happening.Page {
    var name: String {
        switch self {
        case .home: "Home"
        case .sale: "Sale"
        case .account: "Account"
        case .help: "Help"
        case .search: "Search"
        }
    }

    func properties(newsletter: Int16?) -> JSONValue {
        let path = self == .home ? "/" : "/\(name.lowercased())"
        var properties: JSONObject = [
            "name": .string(name), "path": .string(path), "url": .string("https://shop.example.com\(path)"),
            "title": .string("\(name) · Demo Shop"),
        ]
        if let newsletter {
            properties["utm_source"] = "newsletter"
            properties["utm_campaign"] = .string("newsletter-\(newsletter)")
        }
        return .object(properties)
    }
}

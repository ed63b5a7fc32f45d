import Delivery
import JSON
import Model

/// Braze's recommended e-commerce events (spec: braze-destination §9): strict, for Braze refuses what lacks a field.
struct EcommerceMapping {
    let settings: BrazeSettings
    let options: MappingOptions

    enum Kind: String {
        case productViewed = "ecommerce.product_viewed"
        case cartUpdated = "ecommerce.cart_updated"
        case checkoutStarted = "ecommerce.checkout_started"
        case orderPlaced = "ecommerce.order_placed"
        case orderCancelled = "ecommerce.order_cancelled"
        case orderRefunded = "ecommerce.order_refunded"
    }

    func map(_ call: JSONValue) throws(MappingError) -> Mapping {
        guard let kind = options.text("name").flatMap(Kind.init(rawValue:)) else {
            throw MappingError(field: "name", message: "is no e-commerce event")
        }
        let isSingle = kind == .productViewed
        var fields = resolve(call, kind)
        options.apply(to: &fields, of: call)
        let identity = try BrazeIdentity(fields: fields, takesPhone: true)
        if let email = identity.email, !email.contains("@") {
            throw MappingError(field: "email", message: "'\(email)' is no e-mail address")
        }
        guard let time = try Coercion.instant(fields["time"], field: "time") else {
            throw MappingError(field: "time", message: "is missing")
        }
        var object = identity.allMembers
        if let appID = settings.appID { object["app_id"] = .string(appID) }
        object["name"] = .string(kind.rawValue)
        object["time"] = .string(time.description)
        var properties = try shared(kind, fields)
        if isSingle {
            for (name, value) in try product(fields["product"], "product", needsQuantity: false).members {
                properties[name] = value
            }
            if let types = Coercion.list(fields["catalog_type"]), !types.isEmpty {
                for type in types where !["price_drop", "back_in_stock"].contains(type.string) {
                    throw MappingError(field: "catalog_type", message: "is neither 'price_drop' nor 'back_in_stock'")
                }
                properties["type"] = .array(types)
            }
        } else {
            guard let products = Coercion.list(fields["products"]), !products.isEmpty else {
                throw MappingError(field: "products", message: "is missing")
            }
            properties["products"] = .array(
                try products.enumerated().map { index, value throws(MappingError) in
                    .object(try product(value, "products.\(index)", needsQuantity: true))
                })
        }
        object["properties"] = .object(properties)
        let isAlias = if case .alias? = identity.primary { true } else { false }
        let isUpdateOnly = try Coercion.boolean(fields["_update_existing_only"], field: "_update_existing_only")
        if isAlias || isUpdateOnly == true { object["_update_existing_only"] = true }
        return .occurrence(
            person: identity.person,
            Occurrence(objects: [OutgoingObject(array: BrazeArray.events.rawValue, object)]))
    }

    // MARK: Fields

    private func resolve(_ call: JSONValue, _ kind: Kind) -> JSONObject {
        var fields = call.identifierFields(settings)
        fields["braze_id"] = call.first(of: "context.traits.braze_id", "properties.braze_id") ?? fields["braze_id"]
        fields["email"] = call.first(of: "context.traits.email", "properties.email")
        fields["phone"] = call.first(of: "context.traits.phone", "properties.phone")
        fields["time"] = call.at("timestamp")
        for (field, path) in Self.paths { fields[field] = call.at("properties.\(path)") }
        switch kind {
        case .productViewed: fields["product"] = Self.only(Self.productPaths, of: call["properties"])
        case .cartUpdated:
            fields["action"] = options.text("cartAction").map { .string($0) } ?? fields["action"]
            // Product Added and Product Removed tell of one product, among their properties.
            fields["products"] =
                call.at("properties.products")
                ?? Self.only(Self.productPaths + ["quantity"], of: call["properties"]).map { [$0] }
        default: fields["products"] = call.at("properties.products")
        }
        let link = kind == .checkoutStarted ? "checkout_url" : "order_status_url"
        if kind != .productViewed, let url = call.at("properties.\(link)"), !url.isNull {
            fields["metadata"] = [link: url]
        }
        return fields
    }

    private static let paths: [(field: String, path: String)] = [
        ("currency", "currency"), ("source", "source"), ("order_id", "order_id"), ("checkout_id", "checkout_id"),
        ("cart_id", "cart_id"), ("cancel_reason", "reason"), ("total_value", "total"), ("action", "action"),
        ("subtotal_value", "subtotal"), ("tax", "tax"), ("shipping", "shipping"), ("total_discounts", "discount"),
        ("discounts", "discount_items"), ("catalog_type", "type"),
    ]
    private static let productPaths = ["product_id", "name", "variant", "price", "image_url", "url"]

    private static func only(_ names: [String], of value: JSONValue?) -> JSONValue? {
        guard let object = value?.object else { return nil }
        return .object(JSONObject(object.members.filter { names.contains($0.key) }))
    }

    /// Everything but products. A field that is not listed for the kind is not sent.
    private func shared(_ kind: Kind, _ fields: JSONObject) throws(MappingError) -> JSONObject {
        var properties = JSONObject()
        guard let currency = try Coercion.text(fields["currency"], field: "currency") else {
            throw MappingError(field: "currency", message: "is missing")
        }
        guard Currencies.all.contains(currency) else {
            throw MappingError(field: "currency", message: "'\(currency)' is no currency code of ISO 4217")
        }
        properties["currency"] = .string(currency)
        properties["source"] = .string(try requiredText("source", fields))
        if let metadata = fields["metadata"]?.object { properties["metadata"] = .object(metadata) }
        func put(_ name: String, required: Bool) throws(MappingError) {
            let text = try Coercion.text(fields[name], field: name)
            if text == nil, required { throw MappingError(field: name, message: "is missing") }
            properties[name] = text.map { .string($0) }
        }
        func putNumber(_ name: String, required: Bool = false) throws(MappingError) {
            let number = try Coercion.number(fields[name], field: name)
            if number == nil, required { throw MappingError(field: name, message: "is missing") }
            properties[name] = number.map { .number($0) }
        }
        switch kind {
        case .productViewed: return properties
        case .cartUpdated: try put("cart_id", required: true)
        case .checkoutStarted:
            try put("checkout_id", required: true)
            try put("cart_id", required: false)
        case .orderPlaced:
            try put("order_id", required: true)
            try put("cart_id", required: false)
        case .orderCancelled:
            try put("order_id", required: true)
            try put("cancel_reason", required: true)
        case .orderRefunded: try put("order_id", required: true)
        }
        if kind == .cartUpdated {
            try put("action", required: false)
            if let action = properties["action"]?.string, !["add", "remove", "replace"].contains(action) {
                throw MappingError(field: "action", message: "'\(action)' is none of add, remove and replace")
            }
        }
        let isChange = ["add", "remove"].contains(properties["action"]?.string)
        try putNumber("total_value", required: !isChange)
        if kind != .orderRefunded { for name in ["subtotal_value", "tax", "shipping"] { try putNumber(name) } }
        if [.orderPlaced, .orderCancelled, .orderRefunded].contains(kind) {
            try putNumber("total_discounts")
            if let discounts = Coercion.list(fields["discounts"]), !discounts.isEmpty {
                properties["discounts"] = .array(
                    try discounts.enumerated().map { index, value throws(MappingError) in
                        let place = "discounts.\(index)"
                        guard let code = try Coercion.text(value["code"], field: "\(place).code"),
                            let amount = try Coercion.number(value["amount"], field: "\(place).amount")
                        else { throw MappingError(field: place, message: "needs a code and an amount") }
                        return ["code": .string(code), "amount": .number(amount)]
                    })
            }
        }
        return properties
    }

    private func requiredText(_ field: String, _ fields: JSONObject) throws(MappingError) -> String {
        guard let text = try Coercion.text(fields[field], field: field) else {
            throw MappingError(field: field, message: "is missing")
        }
        return text
    }

    // MARK: Products

    /// Members that are no field of a product move into its metadata.
    private func product(_ value: JSONValue?, _ place: String, needsQuantity: Bool) throws(MappingError) -> JSONObject {
        guard var members = value?.object else { throw MappingError(field: place, message: "is missing") }
        options.apply(toProduct: &members)
        var product = JSONObject()
        for (field, path) in [("product_id", "product_id"), ("product_name", "name"), ("variant_id", "variant")] {
            guard let text = try Coercion.text(members[path], field: "\(place).\(field)") else {
                throw MappingError(field: "\(place).\(field)", message: "is missing")
            }
            product[field] = .string(text)
        }
        if needsQuantity {
            guard let quantity = try Coercion.integer(members["quantity"], field: "\(place).quantity") else {
                throw MappingError(field: "\(place).quantity", message: "is missing")
            }
            product["quantity"] = .number(quantity)
        }
        guard let price = try Coercion.number(members["price"], field: "\(place).price") else {
            throw MappingError(field: "\(place).price", message: "is missing")
        }
        product["price"] = .number(price)
        for (field, path) in [("image_url", "image_url"), ("product_url", "url")] {
            product[field] = try Coercion.uri(members[path], field: "\(place).\(field)").map { .string($0) }
        }
        var metadata = members["metadata"]?.object ?? [:]
        let known = Self.productPaths + ["quantity", "metadata"]
        for (name, value) in members.members where !known.contains(name) { metadata[name] = value }
        if !metadata.isEmpty { product["metadata"] = .object(metadata) }
        return product
    }
}

/// ISO 4217.
private enum Currencies {
    static let all = Set(
        """
        AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF \
        CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL \
        HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL \
        MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON \
        RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH \
        UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL
        """.split(separator: " ").map(String.init))
}

import Delivery
import JSON
import Model

/// *Track Purchase*: an order becomes one object of `purchases` per product (spec: braze-destination §6). The objects of
/// an order travel together.
struct PurchaseMapping {
    let settings: BrazeSettings
    let options: MappingOptions

    func map(_ call: JSONValue) throws(MappingError) -> Mapping {
        var fields = resolve(call)
        options.apply(to: &fields, of: call)
        let identity = try BrazeIdentity(fields: fields)
        fields["properties"] = options.renamingKeys(fields["properties"])
        fields["products"] = Coercion.list(fields["products"]).map { products in
            .array(
                products.map { product in
                    guard var members = product.object else { return product }
                    options.apply(toProduct: &members)
                    return .object(members)
                })
        }
        let objects = try Self.objects(fields: fields, identity: identity, appID: settings.appID)
        // An order without products asks for nothing (§6).
        guard !objects.isEmpty else { return .nothing }
        return .occurrence(
            person: identity.person,
            Occurrence(objects: objects.map { OutgoingObject(array: BrazeArray.purchases.rawValue, $0) }))
    }

    /// The default mapping: which path fills which field.
    func resolve(_ call: JSONValue) -> JSONObject {
        var fields = call.identifierFields(settings)
        fields["email"] = call.at("traits.email")
        fields["time"] = call.at("receivedAt")
        fields["products"] = call.at("properties.products")
        fields["properties"] = call.at("properties")
        return fields
    }

    static func objects(
        fields: JSONObject, identity: BrazeIdentity, appID: String?
    ) throws(MappingError) -> [JSONObject] {
        guard let products = Coercion.list(fields["products"]) else {
            throw MappingError(field: "products", message: "is missing")
        }
        guard let time = try Coercion.instant(fields["time"], field: "time") else {
            throw MappingError(field: "time", message: "the order has no time")
        }
        let isUpdateOnly = try Coercion.boolean(fields["_update_existing_only"], field: "_update_existing_only")
        var shared = identity.allMembers
        if let appID { shared["app_id"] = .string(appID) }
        shared["time"] = .string(time.description)
        shared["_update_existing_only"] = .bool(isUpdateOnly ?? false)
        var order = try TrackEventMapping.properties(fields["properties"])
        order?["products"] = nil
        return try products.enumerated().map { index, product throws(MappingError) in
            try object(product, place: "products.\(index)", shared: shared, order: order)
        }
    }

    private static func object(
        _ product: JSONValue, place: String, shared: JSONObject, order: JSONObject?
    ) throws(MappingError) -> JSONObject {
        guard let members = product.object else { throw MappingError(field: place, message: "is not an object") }
        guard let id = try Coercion.text(members["product_id"], field: "\(place).product_id") else {
            throw MappingError(field: "\(place).product_id", message: "is missing")
        }
        guard let price = try Coercion.number(members["price"], field: "\(place).price") else {
            throw MappingError(field: "\(place).price", message: "is missing")
        }
        var object = shared
        object["product_id"] = .string(id)
        object["currency"] = .string(try Coercion.text(members["currency"], field: "\(place).currency") ?? "USD")
        object["price"] = .number(price)
        object["quantity"] = try Coercion.integer(members["quantity"], field: "\(place).quantity").map { .number($0) }
        // The product's other members, then the order's: those win on a clash.
        var properties = members
        for name in ["product_id", "currency", "price", "quantity"] { properties[name] = nil }
        for (name, value) in order?.members ?? [] { properties[name] = value }
        object["properties"] = .object(properties)
        return object
    }
}
